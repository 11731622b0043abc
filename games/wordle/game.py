"""The rules of Wordle, alone and with a clue: six guesses, colours after each.

`GuessingGame` holds what the three games share: reading a guess, its faults and how often they are forgiven, boards,
scores. A word that is not in the list, or of the wrong length, is asked for again five times; a broken form ends the
match.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from random import Random
from typing import ClassVar, Generic

from typing_extensions import TypeVar

from games.boards import Board, Facts, Field, Keys, Panel, Tile, Tiles
from games.engine import Bot, Game, Illegal, Match, Message, Role, Say, Scores, State, Step, Strikes
from games.material import Prompts, prompts
from games.shapes import Choice, Literal, Seq, Shape
from games.wordle import bots, scoring, words
from games.wordle.feedback import LENGTH, MARKS, Try, colour, consistent, letters
from games.wordle.replies import Form, Malformed, Reply
from games.wordle.scoring import ROUNDS
from games.wordle.words import PACKAGE, WordleInstance

GUESSER: Role = "guesser"
VOCABULARY = 1500
"""How many words a shape offers at most."""


class WordleState(State):
    """The words guessed so far; their colours follow from the target."""

    instance: WordleInstance
    guesses: tuple[str, ...] = ()

    @property
    def tries(self) -> tuple[Try, ...]:
        """The guesses with their colours."""
        return tuple(Try(guess, colour(guess, self.instance.target)) for guess in self.guesses)


W = TypeVar("W", bound=WordleState, default=WordleState)


@lru_cache(maxsize=8)
def guess_form(language: str) -> Form:
    """The two lines of a guess."""
    said = prompts(PACKAGE, language)
    return Form(said.word("tags.explanation"), said.word("tags.guess"), said.word("words.reason"))


@lru_cache(maxsize=8)
def _colour_names(language: str) -> Mapping[str, str]:
    said = prompts(PACKAGE, language)
    names = {letter: f"<{said.word(f'colours.{mark}')}>" for letter, mark in MARKS.items()}
    return {**names, "label": said.word("tell.colours")}


@lru_cache(maxsize=1024)
def _row(language: str, colours: str) -> str:
    """A row of these colours with a `%s` for each letter."""
    names = _colour_names(language)
    return " ".join([names["label"].replace("%", "%%"), *(f"%s{names[mark]}" for mark in colours)])


def coloured(one: Try, language: str) -> str:
    """A try as models read it: `colours: c<red> r<green> a<yellow> n<red> e<green>`."""
    return _row(language, one.colours) % tuple(one.guess)


@lru_cache(maxsize=256)
def request(language: str, path: str, number: int) -> str:
    """The line that asks for the next reply."""
    return prompts(PACKAGE, language).fill(path, number=number, rounds=ROUNDS)


@lru_cache(maxsize=64)
def vocabulary(language: str, tries: tuple[Try, ...]) -> tuple[str, ...]:
    """Allowed words that fit all tries, the likeliest first, no more than a shape should hold."""
    return tuple(consistent(words.ranked(language), tries)[:VOCABULARY])


def _clip(word: str) -> str:
    return word if len(word) <= 20 else f"{word[:20]}…"


class GuessingGame(Game[WordleInstance, W], Generic[W]):
    """What the three games have in common."""

    family = "wordle"
    languages = words.LANGUAGES
    strikes: ClassVar[Mapping[str, Strikes]] = {
        "format": Strikes(0),
        "length": Strikes(5, "turn"),
        "word": Strikes(5, "turn"),
    }
    instance_type = WordleInstance
    clued: ClassVar[bool] = False
    """Whether there is a clue, and the score of games with one: 100 by the number of guesses."""

    def instances(self, language: str) -> Sequence[WordleInstance]:
        """The benchmark set, then all other targets of this game."""
        return words.instances(language, self.clued)

    def benchmark(self, language: str) -> Sequence[WordleInstance]:
        """The frozen thirty words, the same in the three games."""
        return words.benchmark(language, self.clued)

    def bots(self) -> Mapping[str, Bot]:
        """`competent` filters the targets by all feedback, `random` says any allowed word."""
        return {"random": bots.random_bot, "competent": bots.competent_bot}

    def secrets(self, instance: WordleInstance) -> Mapping[Role, tuple[str, ...]]:
        """Nobody at the table may be told the target."""
        return dict.fromkeys(self.roles, (instance.target,))

    def said(self, state: W) -> Prompts:
        """The prompts in the language of this match."""
        return prompts(PACKAGE, state.instance.language)

    def form(self, state: W, role: Role) -> Form:
        """The two lines that this role writes."""
        return guess_form(state.instance.language)

    def parse(self, state: W, role: Role, text: str) -> Reply:
        """Explanation and lower-case word of a guess. Raises Illegal of kind `format`, `length` or `word`."""
        try:
            reply = self.form(state, role).read(text)
        except Malformed as broken:
            raise Illegal(self.said(state).word(f"error.{broken.fault}")) from broken
        guess = unicodedata.normalize("NFC", reply.value).lower()
        if guess in words.allowed(state.instance.language) or guess == state.instance.target:
            return reply if guess == reply.value else Reply(reply.explanation, guess)
        said = self.said(state)
        if not guess.isalpha():
            raise Illegal(said.word("error.letters"))
        kind = "word" if len(guess) == LENGTH else "length"
        wrong = said.fill("error.unknown" if kind == "word" else "error.length", guess=_clip(guess), count=len(guess))
        raise Illegal(f"{wrong}\n\n{said.word('error.retry')}", kind)

    def commit(self, state: W, guess: str, ask: str) -> tuple[W, list[Say]]:
        """The position after a guess that counts, and what the guesser hears; `ask` is the request that follows."""
        target, language = state.instance.target, state.instance.language
        colours = coloured(Try(guess, colour(guess, target)), language)
        guesses = (*state.guesses, guess)
        if guess == target or len(guesses) == ROUNDS:
            won = guess == target
            after = state.end("success" if won else "failure", "guessed" if won else "rounds", guesses=guesses)
            result = self.said(state).fill("tell.success" if won else "tell.failure", target=target)
            return after, [Say(GUESSER, colours), Say(GUESSER, result, kind="result")]
        number = len(guesses) + 1
        after = state.to(turn=GUESSER, round=number, guesses=guesses)
        return after, [Say(GUESSER, f"{colours}\n\n{request(language, ask, number)}")]

    def check(self, state: W, text: str) -> tuple[str, ...]:
        """What is wrong with this reply. A guess that contradicts the feedback is legal, and nothing is said of it."""
        if state.turn is None:
            return ()
        try:
            self.parse(state, state.turn, text)
        except Illegal as illegal:
            return (illegal.feedback.partition("\n\n")[0],)
        return ()

    def fields(self, state: W) -> tuple[Field, ...]:
        """The word, and an explanation for those who like to give one."""
        said = self.said(state)
        guess = Field("guess", said.word("board.guess"), said.word("board.guess_hint"), length=LENGTH)
        return (guess, self.why(said))

    def why(self, said: Prompts) -> Field:
        """The field of the explanation."""
        return Field("explanation", said.word("board.explanation"), said.word("board.explanation_hint"), optional=True)

    def compose(self, state: W, role: Role, fields: Mapping[str, str]) -> str:
        """The two lines; without an explanation they get a neutral one."""
        return self.form(state, role).write(fields.get("explanation", ""), fields[self.value_name(role)])

    def read(self, state: W, role: Role, text: str) -> dict[str, str] | None:
        """The word and, where one was given, the explanation."""
        try:
            explanation, value = self.form(state, role).read(text)
        except Malformed:
            return None
        fields = {self.value_name(role): value}
        return {**fields, "explanation": explanation} if explanation else fields

    def value_name(self, role: Role) -> str:
        """What the second line of this role holds."""
        return "guess"

    def shape(self, state: W) -> Shape | None:
        """A neutral explanation and a word that fits all feedback and is not in the clue; None where none does."""
        form, choice = guess_form(state.instance.language), vocabulary(state.instance.language, state.tries)
        in_clue = frozenset(re.findall(r"\w+", state.instance.clue.lower()))
        choice = tuple(word for word in choice if word not in in_clue)
        return Seq((Literal(form.write("", "")), Choice(choice, "guess"))) if choice else None

    def question(self, state: W) -> str:
        """The clue, or else the last colours: what an assisted seat is asked. The shape holds what fits."""
        if self.clued:
            return self.said(state).fill("question.clue", clue=state.instance.clue)
        tries = state.tries
        return coloured(tries[-1], state.instance.language) if tries else self.said(state).word("question.first")

    def examples(self, state: W) -> tuple[Message, ...]:
        """Exchanges of another game, with a word that is no target."""
        return self.exchanges(state, "guesser_clue" if self.clued else "guesser")

    def exchanges(self, state: W, name: str) -> tuple[Message, ...]:
        """The examples of this name, alternating user and assistant."""
        texts = self.said(state).words(f"examples.{name}")
        return tuple(Message("assistant" if n % 2 else "user", text.strip()) for n, text in enumerate(texts))

    def board(self, state: W, role: Role | None) -> Board:
        """Tiles and keyboard, with the clue above; the word for the game master, and for all when it is over."""
        said = self.said(state)
        tries = state.tries
        rows = tuple(tuple(Tile(letter, MARKS[mark]) for letter, mark in zip(*one, strict=True)) for one in tries)
        panels: list[Panel] = []
        if state.instance.clue:
            panels.append(Facts(((said.word("board.clue"), state.instance.clue),)))
        panels += [Tiles(rows, LENGTH, ROUNDS), Keys(said.words("keys.rows"), letters(tries))]
        panels += self.panels(state)
        if role is None or state.turn is None:
            panels.append(Facts(((said.word("board.target"), state.instance.target),)))
        return Board(said.fill("board.status", number=state.round, rounds=ROUNDS), tuple(panels))

    def panels(self, state: W) -> Sequence[Panel]:
        """What a game shows beside tiles and keyboard."""
        return ()

    def counted(self, match: Match) -> Sequence[Step]:
        """The steps whose guess counted."""
        return [step for step in match.steps if step.verdict == "ok"]

    def scores(self, match: Match) -> Scores:
        """Main score, closeness of each guess as credit (0 to 1), and the measures of `games.wordle.scoring`."""
        state = match.state
        assert isinstance(state, WordleState)
        tries, aborted = state.tries, state.outcome not in ("success", "failure")
        main = None if aborted else scoring.main_score(tries, by_steps=not self.clued)
        metrics = scoring.per_guess(tries, aborted)
        metrics["guess_repetitions"] = scoring.repetitions(tries)
        metrics |= scoring.requests(match, [step for step in match.steps if self._violated(match, step)])
        if main is not None and not metrics["violated"]:
            metrics["clembench.main_score"] = main
        credit = {
            step.ply: scoring.closeness(colours) / scoring.BEST_CLOSENESS
            for step, (_, colours) in zip(self.counted(match), tries, strict=True)
        }
        return Scores(main, credit, metrics)

    def _violated(self, match: Match, step: Step) -> bool:
        """Whether a reply broke the form; an unknown word does not."""
        if step.verdict == "ok":
            return False
        try:
            self.parse(match.state, step.role, step.text)  # pyright: ignore[reportArgumentType]
        except Illegal as illegal:
            return illegal.kind != "word"
        return False

    def rules(self, language: str) -> str:
        """The rules for people."""
        said = prompts(PACKAGE, language)
        last = said.word("people.rules_clue" if self.clued else "people.scoring")
        return f"{said.fill('people.rules')}\n\n{last}"

    def verdict(self, match: Match) -> str:
        """`found in 4 of 6`."""
        state = match.state
        assert isinstance(state, WordleState)
        said = prompts(PACKAGE, state.instance.language)
        values = {"number": len(state.guesses), "rounds": ROUNDS, "target": state.instance.target}
        return said.fill(f"people.{state.reason or 'unfinished'}", **values)


class Alone(GuessingGame[WordleState]):
    """One guesser, no critic."""

    roles = (GUESSER,)
    state_type = WordleState

    def start(self, instance: WordleInstance, rng: Random) -> tuple[WordleState, Sequence[Say]]:
        """Brief the guesser."""
        state = WordleState(instance=instance, turn=GUESSER)
        said = self.said(state)
        parts = [said.fill("brief.guesser")]
        if self.clued:
            parts.append(said.fill("brief.clue", clue=instance.clue))
        return state, [Say(GUESSER, "\n\n".join((*parts, said.word("brief.first"))), kind="brief")]

    def play(self, state: WordleState, text: str, rng: Random) -> tuple[WordleState, Sequence[Say]]:
        """Take one guess."""
        return self.commit(state, self.parse(state, GUESSER, text).value, "ask.again")


class Wordle(Alone):
    """Find the word from nothing but colours."""

    name = "wordle"
    title = "Wordle"
    summary = "Find a hidden word of five letters in six guesses."


class WordleWithClue(Alone):
    """Find the word from a clue and colours."""

    name = "wordle_withclue"
    title = "Wordle with clue"
    summary = "Find a hidden word of five letters in six guesses, helped by a crossword clue."
    clued = True
