"""The rules of Taboo: three rounds of one clue and one guess, and forbidden words that lose the game.

A reply that does not begin with its tag aborts the match at the first time, as in clembench, so that scores stay
comparable; white space, a code fence, emphasis and letter case around the tag are forgiven, which they are not there.
A clue that says a forbidden word is no broken protocol but a lost game (reason `rule`), and the guesser is not asked.
Unlike in clembench both players are told that a guess was wrong and how many are left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from random import Random
from typing import ClassVar

from games.boards import Board, Card, Facts, Field, Lines, Panel
from games.engine import Bot, Game, Illegal, Match, Message, Role, Say, Scores, State, Strikes
from games.material import Prompts, prompts
from games.shapes import Choice, Literal, Seq, Shape, Text
from games.taboo import bots, lexicon, scoring
from games.taboo.clue import PACKAGE, Fault, faults
from games.taboo.lexicon import TabooInstance
from games.taboo.replies import content, guessed, with_tag

DESCRIBER: Role = "describer"
GUESSER: Role = "guesser"
ROUNDS = lexicon.ROUNDS
CLUE_LENGTH = 100
"""How many characters a clue of an assisted seat has at most; others may go on as long as they like."""

_CLIP = 40
_TARGET, _REST = "\ue000", "\ue001"  # private characters, which no prompt holds


class TabooState(State):
    """The clues and guesses so far, without tags. A clue that broke the rule is the last one."""

    instance: TabooInstance
    clues: tuple[str, ...] = ()
    guesses: tuple[str, ...] = ()


@lru_cache(maxsize=8)
def _tags(language: str) -> Mapping[Role, str]:
    said = prompts(PACKAGE, language)
    return {DESCRIBER: said.word("tags.clue"), GUESSER: said.word("tags.guess")}


@lru_cache(maxsize=64)
def _text(language: str, path: str, number: int = 0) -> str:
    """A prompt with the rounds filled in; `_TARGET` and `_REST` in it are replaced per instance, which is cheap."""
    values = {"target": _TARGET, "related": _REST, "fault": _REST, "round": number, "rounds": ROUNDS}
    return prompts(PACKAGE, language).fill(path, **values)


def _opening(instance: TabooInstance) -> tuple[Say, ...]:
    related = "\n".join([f"- {word}" for word in instance.related])
    brief = _text(instance.language, "brief.describer").replace(_REST, related).replace(_TARGET, instance.target)
    guesser = _text(instance.language, "brief.guesser")
    return Say(DESCRIBER, brief, kind="brief"), Say(GUESSER, guesser, kind="brief")


def _results(state: TabooState, what: str, fault: str = "") -> tuple[Say, ...]:
    language, target = state.instance.language, state.instance.target
    texts = [(role, _text(language, f"tell.{what}_{role}", state.round)) for role in (DESCRIBER, GUESSER)]
    return tuple(
        [Say(role, text.replace(_REST, fault).replace(_TARGET, target), kind="result") for role, text in texts]
    )


@lru_cache(maxsize=64)
def _wrong(language: str, left: int) -> tuple[Say, ...]:
    said = prompts(PACKAGE, language)
    return tuple(Say(role, said.fill(f"tell.wrong_{role}", left=left)) for role in (DESCRIBER, GUESSER))


@lru_cache(maxsize=8)
def _options(language: str) -> tuple[tuple[str, str], ...]:
    return tuple((word, guessed(word, language)) for word in lexicon.vocabulary(language))


def _sentence(clue: str) -> str:
    """A clue as one written sentence, like those of the examples: small models are sensitive to such things."""
    line = " ".join(clue.split())
    line = line[:1].upper() + line[1:]
    return line if line.endswith((".", "!", "?")) else f"{line}."


@lru_cache(maxsize=8)
def _example_answers(language: str) -> frozenset[str]:
    """The answers of the examples in any form: a small model likes to repeat them."""
    answers = prompts(PACKAGE, language).words("examples.guesser")[1::2]
    return lexicon.said_in([content(answer, _tags(language)[GUESSER]) or "" for answer in answers], language)


@lru_cache(maxsize=64)
def _guess_shape(language: str, clues: tuple[str, ...], guesses: tuple[str, ...]) -> Shape:
    wrong = {guessed(one, language) for one in guesses}
    out = lexicon.said_in(clues, language) | _example_answers(language)
    words = tuple(word for word, compared in _options(language) if compared not in wrong and word not in out)
    return Seq((Literal(with_tag(_tags(language)[GUESSER], "")), Choice(words, name="guess")))


@lru_cache(maxsize=32)
def _clue_shape(language: str, number: int) -> Shape:
    openings = prompts(PACKAGE, language).words("assist.openings")
    opening = with_tag(_tags(language)[DESCRIBER], openings[(number - 1) % len(openings)])
    return Seq((Literal(f"{opening} "), Text("clue", low=12, high=CLUE_LENGTH, letters=True)))


class Taboo(Game[TabooInstance, TabooState]):
    """Describe a word without the words that come to mind first."""

    name = "taboo"
    title = "Taboo"
    summary = "One describes a word without saying it or three words close to it, the other guesses, in three rounds."
    roles = (DESCRIBER, GUESSER)
    languages = lexicon.LANGUAGES
    strikes: ClassVar[Mapping[str, Strikes]] = {"format": Strikes(0)}
    instance_type = TabooInstance
    state_type = TabooState

    def start(self, instance: TabooInstance, rng: Random) -> tuple[TabooState, Sequence[Say]]:
        """Brief both; the describer begins."""
        return TabooState(instance=instance, turn=DESCRIBER), _opening(instance)

    def play(self, state: TabooState, text: str, rng: Random) -> tuple[TabooState, Sequence[Say]]:
        """Take a clue or a guess. Raises Illegal of kind `format` where the tag or what should follow it is missing."""
        return self._clue(state, text) if state.turn == DESCRIBER else self._guess(state, text)

    def _clue(self, state: TabooState, text: str) -> tuple[TabooState, Sequence[Say]]:
        clue = self._content(state, DESCRIBER, text)
        clues = (*state.clues, clue)
        broken = self._faults(state, clue)
        if not broken:
            relay = Say(GUESSER, f"{self._tag(state, DESCRIBER)}: {clue}", DESCRIBER, "relay")
            return state.to(turn=GUESSER, clues=clues), (relay,)
        after = state.end("failure", "rule", clues=clues)
        return after, _results(state, "rule", self._worded(state, broken[0]))

    def _guess(self, state: TabooState, text: str) -> tuple[TabooState, Sequence[Say]]:
        guess = self._content(state, GUESSER, text)
        guesses = (*state.guesses, guess)
        language, target = state.instance.language, state.instance.target
        relay = Say(DESCRIBER, f"{self._tag(state, GUESSER)}: {guess}", GUESSER, "relay")
        if guessed(guess, language) == guessed(target, language):
            after = state.end("success", "guessed", guesses=guesses)
            return after, (relay, *_results(state, "right"))
        if state.round >= ROUNDS:
            after = state.end("failure", "rounds", guesses=guesses)
            return after, (relay, *_results(state, "rounds"))
        after = state.to(turn=DESCRIBER, round=state.round + 1, guesses=guesses)
        return after, (relay, *_wrong(language, ROUNDS - state.round))

    def _said(self, state: TabooState) -> Prompts:
        return prompts(PACKAGE, state.instance.language)

    def _tag(self, state: TabooState, role: Role) -> str:
        return _tags(state.instance.language)[role]

    def _content(self, state: TabooState, role: Role, text: str) -> str:
        inner = content(text, self._tag(state, role))
        if not inner:
            raise Illegal(self._said(state).word(f"error.{role}" if inner is None else f"error.{role}_empty"))
        return inner

    def _faults(self, state: TabooState, clue: str) -> list[Fault]:
        instance = state.instance
        return faults(clue, instance.target, instance.related, instance.language)

    def _worded(self, state: TabooState, fault: Fault) -> str:
        said = fault.said if len(fault.said) <= _CLIP else f"{fault.said[:_CLIP]}…"
        kind = "related" if fault.place else "target"
        word = (state.instance.target, *state.instance.related)[fault.place]
        return self._said(state).fill(f"fault.{kind}_{fault.how}", said=said, word=word)

    def check(self, state: TabooState, text: str) -> tuple[str, ...]:
        """What would lose the game or be no reply at all, in words for the one who is about to send it."""
        if state.turn is None:
            return ()
        said, role = self._said(state), state.turn
        inner = content(text, self._tag(state, role))
        if inner is None:
            return (said.word(f"error.{role}"),)
        if not inner:
            return (said.word(f"check.{role}_empty"),)
        if role == DESCRIBER:
            return tuple(dict.fromkeys(self._worded(state, fault) for fault in self._faults(state, inner)))
        guess = guessed(inner, state.instance.language)
        if not guess:
            return (said.word("check.guesser_empty"),)
        return (said.word("check.guesser_words"),) if " " in guess else ()

    def secrets(self, instance: TabooInstance) -> Mapping[Role, tuple[str, ...]]:
        """The guesser must hear neither the target nor the related words from the game master."""
        return {GUESSER: (instance.target, *instance.related)}

    def fields(self, state: TabooState) -> tuple[Field, ...]:
        """A clue, or a guess."""
        said = self._said(state)
        if state.turn == GUESSER:
            return (Field("guess", said.word("board.guess"), said.word("board.guess_hint")),)
        related = ", ".join(state.instance.related)
        hint = said.fill("board.clue_hint", target=state.instance.target, related=related)
        return (Field("clue", said.word("board.clue"), hint),)

    def compose(self, state: TabooState, role: Role, fields: Mapping[str, str]) -> str:
        """Tag and text; a tag that a person typed all the same is not doubled."""
        return with_tag(self._tag(state, role), fields["clue" if role == DESCRIBER else "guess"])

    def read(self, state: TabooState, role: Role, text: str) -> dict[str, str] | None:
        """The clue or guess without its tag."""
        inner = content(text, self._tag(state, role))
        return None if inner is None else {"clue" if role == DESCRIBER else "guess": inner}

    def shape(self, state: TabooState) -> Shape | None:
        """A line of plain words; or one word of the vocabulary that was neither guessed yet nor said in a clue.

        A clue of an assisted seat begins as its round demands, so that a model that always says the most likely
        thing does not say the same thing three times.
        """
        language = state.instance.language
        if state.turn == GUESSER:
            return _guess_shape(language, state.clues, state.guesses)
        return _clue_shape(language, state.round)

    def question(self, state: TabooState) -> str:
        """`What is elephant?` or all clues so far and `What is it?`, as in the examples."""
        said = self._said(state)
        if state.turn == GUESSER:
            clues = " ".join(_sentence(clue) for clue in state.clues)
            return said.fill("assist.guess", tag=self._tag(state, DESCRIBER), clues=clues)
        return said.fill("assist.clue", target=state.instance.target) if state.turn == DESCRIBER else ""

    def examples(self, state: TabooState) -> tuple[Message, ...]:
        """Short exchanges of this role with words of no instance."""
        texts = self._said(state).words(f"examples.{state.turn or DESCRIBER}")
        return tuple(Message("assistant" if n % 2 else "user", text) for n, text in enumerate(texts))

    def board(self, state: TabooState, role: Role | None) -> Board:
        """Describer: the card. Guesser: clues and wrong guesses; the card at the end. Game master: all."""
        said = self._said(state)
        over = state.turn is None
        card = Card(
            title=said.word("board.describe" if role == DESCRIBER and not over else "board.word"),
            head=state.instance.target.upper(),
            label=said.word("board.without"),
            items=state.instance.related,
            private=role == DESCRIBER and not over,
        )
        panels: list[Panel] = [card] if role != GUESSER or over else []
        if role == GUESSER and not over:
            panels.append(Lines(said.word("board.clues"), state.clues))
            if state.guesses:
                panels.append(Lines(said.word("board.wrong"), state.guesses))
        if role is None:
            panels.append(Facts(self._dialogue(state)))
        return Board(said.fill("board.status", round=state.round, rounds=ROUNDS), tuple(panels))

    def _dialogue(self, state: TabooState) -> tuple[tuple[str, str], ...]:
        said = self._said(state)
        clue, guess = said.word("board.clue"), said.word("board.guess")
        lines: list[tuple[str, str]] = []
        for n, text in enumerate(state.clues):
            lines.append((f"{clue} {n + 1}", text))
            lines += [(f"{guess} {n + 1}", one) for one in state.guesses[n : n + 1]]
        return tuple(lines)

    def bots(self) -> Mapping[str, Bot]:
        """`competent` knows the material and reads hints about letters, `random` says anything, `patient` tells and
        guesses in the last round only.
        """
        return {"random": bots.random_bot, "competent": bots.competent_bot, "patient": bots.patient_bot}

    def instances(self, language: str) -> Sequence[TabooInstance]:
        """The benchmark set, then all other targets."""
        return lexicon.instances(language)

    def benchmark(self, language: str) -> Sequence[TabooInstance]:
        """The frozen set."""
        return lexicon.benchmark(language)

    def draft(self, language: str) -> Sequence[TabooInstance]:
        """The benchmark set as the material has it today, for `tools/freeze.py`."""
        return lexicon.draft(language)

    def scores(self, match: Match) -> Scores:
        """Main score, credit per ply and metrics, see `games.taboo.scoring`."""
        state = match.state
        assert isinstance(state, TabooState)
        tags = _tags(state.instance.language)
        return scoring.scores(match, state.instance, state.clues, state.guesses, (tags[DESCRIBER], tags[GUESSER]))

    def rules(self, language: str) -> str:
        """The rules for people."""
        return prompts(PACKAGE, language).fill("people.rules")

    def verdict(self, match: Match) -> str:
        """`guessed in 2 of 3`."""
        state = match.state
        assert isinstance(state, TabooState)
        fault = ""
        if state.reason == "rule":
            fault = self._worded(state, self._faults(state, state.clues[-1])[0])
        values = {"round": state.round, "rounds": ROUNDS, "target": state.instance.target, "fault": fault}
        return self._said(state).fill(f"people.{state.reason or 'unfinished'}", **values)
