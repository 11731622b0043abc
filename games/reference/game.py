"""The rules of the reference game: one description, one answer.

Both see the same three pictures, each in an order of their own. A reply that breaks the form aborts the match, at the
describer and at the guesser alike, and never leaves the other one waiting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from random import Random
from typing import ClassVar

from games.boards import Board, Card, Field, Grid, Panel
from games.engine import Bot, Game, Illegal, Match, Message, Role, Say, Scores, State, Strikes
from games.material import Prompts, prompts
from games.reference import bots, deal, pictures, scoring, wording
from games.reference.deal import ReferenceInstance
from games.reference.pictures import EMPTY, FILLED, PACKAGE, SIDE
from games.reference.replies import Malformed, answered, content, one_line
from games.reference.wording import LINES
from games.shapes import Choice, Literal, Seq, Shape

DESCRIBER: Role = "describer"
GUESSER: Role = "guesser"
PLACES = ("first", "second", "third")

_ASKED = {DESCRIBER: "expression", GUESSER: "answer"}


class ReferenceState(State):
    """The description without its tag, and the place of the picture that was chosen."""

    instance: ReferenceInstance
    expression: str = ""
    answer: int | None = None


class ReferenceGame(Game[ReferenceInstance, ReferenceState]):
    """Describe a picture so that it can be told from two others."""

    name = "referencegame"
    title = "Reference game"
    summary = "One describes a small picture, the other finds it among three."
    roles = (DESCRIBER, GUESSER)
    languages = deal.LANGUAGES
    strikes: ClassVar[Mapping[str, Strikes]] = {"format": Strikes(0)}
    instance_type = ReferenceInstance
    state_type = ReferenceState

    def start(self, instance: ReferenceInstance, rng: Random) -> tuple[ReferenceState, Sequence[Say]]:
        """Show both the pictures; the describer begins."""
        state = ReferenceState(instance=instance, turn=DESCRIBER)
        return state, tuple(Say(role, self._briefing(state, role), kind="brief") for role in self.roles)

    def play(self, state: ReferenceState, text: str, rng: Random) -> tuple[ReferenceState, Sequence[Say]]:
        """Take the description or the answer. Raises Illegal of kind `format`."""
        said, role = self._said(state), state.turn or ""
        try:
            inner = content(text, self._tag(state, role))
            answer = answered(inner, self._answers(said)) if role == GUESSER else None
        except Malformed as malformed:
            raise Illegal(said.word(f"error.{_ASKED[role]}_{malformed.fault}")) from malformed
        if answer is None:
            tagged = f"{self._tag(state, role)}: {inner}"
            relay = Say(GUESSER, said.fill("tell.described", expression=tagged), DESCRIBER, "relay")
            return state.to(turn=GUESSER, expression=inner), (relay,)
        right = answer == state.instance.target
        after = state.end("success" if right else "failure", "right" if right else "wrong", answer=answer)
        return after, self._results(after)

    def _results(self, state: ReferenceState) -> tuple[Say, ...]:
        target = self._answers(self._said(state))[state.instance.target][0]
        return tuple(
            Say(role, self._said(state).fill(f"tell.{state.reason}_{role}", answer=target), kind="result")
            for role in self.roles
        )

    def _said(self, state: ReferenceState) -> Prompts:
        return prompts(PACKAGE, state.instance.language)

    def _tag(self, state: ReferenceState, role: Role) -> str:
        return self._said(state).word(f"tags.{_ASKED[role]}")

    def _answers(self, said: Prompts) -> list[tuple[str, ...]]:
        return [said.words(f"answers.{place}") for place in PLACES]

    def _seen(self, state: ReferenceState, role: Role | None) -> list[tuple[str, pictures.Picture]]:
        """The pictures with their titles, in the order of this role: the describer sees the target first."""
        said, instance = self._said(state), state.instance
        if role != DESCRIBER:
            titles = (said.word(f"titles.{place}") for place in PLACES)
            return list(zip(titles, instance.pictures, strict=True))
        others = [picture for place, picture in enumerate(instance.pictures) if place != instance.target]
        other = said.word("titles.other")
        return [(said.word("titles.target"), instance.pictures[instance.target]), *((other, p) for p in others)]

    def _briefing(self, state: ReferenceState, role: Role) -> str:
        shown = "\n\n".join(f"{title}:\n{pictures.drawn(picture)}" for title, picture in self._seen(state, role))
        return self._said(state).fill(f"brief.{role}", filled=FILLED, empty=EMPTY, pictures=shown)

    def secrets(self, instance: ReferenceInstance) -> Mapping[Role, tuple[str, ...]]:
        """The heading of the target must never stand over one of the guesser's pictures."""
        return {GUESSER: (prompts(PACKAGE, instance.language).word("titles.target"),)}

    def fields(self, state: ReferenceState) -> tuple[Field, ...]:
        """A description, or one of three answers."""
        said = self._said(state)
        name = _ASKED[state.turn or DESCRIBER]
        options = tuple(first for first, *_ in self._answers(said)) if state.turn == GUESSER else ()
        return (Field(name, said.word(f"board.{name}"), said.word(f"board.{name}_hint"), options),)

    def compose(self, state: ReferenceState, role: Role, fields: Mapping[str, str]) -> str:
        """Tag and text on one line."""
        return f"{self._tag(state, role)}: {one_line(fields[_ASKED[role]])}"

    def read(self, state: ReferenceState, role: Role, text: str) -> dict[str, str] | None:
        """The description or the answer without its tag; an answer in its first spelling."""
        answers = self._answers(self._said(state))
        try:
            inner = content(text, self._tag(state, role))
            return {_ASKED[role]: answers[answered(inner, answers)][0] if role == GUESSER else inner}
        except Malformed:
            return None

    def shape(self, state: ReferenceState) -> Shape | None:
        """Sentences that tell the target from the others, as the board of the describer holds them; or three answers.

        A small model cannot read the pictures, so the game puts them into words for an assisted seat. Everybody else
        is free to say what they like.
        """
        role = state.turn or DESCRIBER
        tag = Literal(f"{self._tag(state, role)}: ")
        if role == GUESSER:
            return Seq((tag, Choice(self.fields(state)[0].options, "answer")))
        return Seq((tag, Choice(self._telling(state), "expression")))

    def _telling(self, state: ReferenceState) -> tuple[str, ...]:
        (_, target), *others = self._seen(state, DESCRIBER)
        return wording.telling(target, [picture for _, picture in others], state.instance.language)

    def question(self, state: ReferenceState) -> str:
        """What tells the target apart; or what the pictures look like where the description says something."""
        said, language = self._said(state), state.instance.language
        if state.turn != GUESSER:
            return said.fill("assist.describe", lines="; ".join(self._telling(state)[:3]))
        lines = tuple(wording.understood(state.expression, language)) or LINES[:SIDE]
        seen = zip((first for first, *_ in self._answers(said)), state.instance.pictures, strict=True)
        parts = [
            said.fill("assist.picture", name=name, lines=wording.sentences(picture, lines, language))
            for name, picture in seen
        ]
        return said.fill("assist.choose", expression=state.expression, pictures="\n".join(parts))

    def examples(self, state: ReferenceState) -> tuple[Message, ...]:
        """Short exchanges of this role over pictures of no instance: its questions, and the right answers."""
        return _examples(state.instance.language, state.turn or DESCRIBER)

    def board(self, state: ReferenceState, role: Role | None) -> Board:
        """Three pictures in the order of this role, the target marked for those who may know; the description."""
        said, instance = self._said(state), state.instance
        knows = role != GUESSER or state.turn is None
        target = 0 if role == DESCRIBER else instance.target
        panels: list[Panel] = [
            Grid(
                title,
                tuple(tuple(row) for row in pictures.rows(picture)),
                target=knows and place == target,
                private=role == DESCRIBER and state.turn is not None and place == target,
            )
            for place, (title, picture) in enumerate(self._seen(state, role))
        ]
        if state.expression:
            panels.append(Card(said.word("board.expression"), state.expression))
        status = {DESCRIBER: "describe", GUESSER: "choose"}.get(state.turn or "", "over")
        return Board(said.word(f"board.{status}"), tuple(panels))

    def bots(self) -> Mapping[str, Bot]:
        """`competent` describes row by row and reads such descriptions, `random` does neither."""
        return {"random": bots.random_bot, "competent": bots.competent_bot}

    def instances(self, language: str) -> Sequence[ReferenceInstance]:
        """The benchmark set, then generated instances of each family."""
        return deal.instances(language)

    def benchmark(self, language: str) -> Sequence[ReferenceInstance]:
        """The frozen set: 18 of each family."""
        return deal.benchmark(language)

    def draft(self, language: str) -> Sequence[ReferenceInstance]:
        """The benchmark set as its recipe makes it, for freezing."""
        return deal.draft(language)

    def scores(self, match: Match) -> Scores:
        """100 or 0, with metrics; see `games.reference.scoring`."""
        state = match.state
        assert isinstance(state, ReferenceState)
        tags = {role: self._tag(state, role) for role in self.roles}
        spellings = [spelling for answer in self._answers(self._said(state)) for spelling in answer[:2]]
        return scoring.scores(match, state.expression, tags, spellings)

    def rules(self, language: str) -> str:
        """The rules for people."""
        return prompts(PACKAGE, language).fill("people.rules")

    def verdict(self, match: Match) -> str:
        """`found the target`, or which picture was taken for it."""
        state = match.state
        assert isinstance(state, ReferenceState)
        said = self._said(state)
        answer = "" if state.answer is None else self._answers(said)[state.answer][0]
        return said.fill(f"people.{state.reason or 'unfinished'}", answer=answer)


SAMPLES = ("..X../..X../XXXXX/..X../..X..", "X...X/...../...../...../X...X", "...../.XXX./.XXX./.XXX./.....")
"""A cross, four corners, a block: pictures of no family, for examples."""


@lru_cache(maxsize=4)
def _examples(language: str, role: Role) -> tuple[Message, ...]:
    """Each sample is the target once, the guesser's in another place every time."""
    game = ReferenceGame()
    found: list[Message] = []
    for place in (1, 0, 2):
        instance = ReferenceInstance(
            name="sample", experiment="sample", language=language, pictures=SAMPLES, target=place
        )
        state = ReferenceState(instance=instance, turn=DESCRIBER)
        said = game._telling(state)[0]
        answer = game.compose(state, DESCRIBER, {"expression": said})
        if role == GUESSER:
            state = state.to(turn=GUESSER, expression=said)
            answer = game.compose(state, GUESSER, {"answer": game.fields(state)[0].options[place]})
        found += [Message("user", game.question(state)), Message("assistant", answer)]
    return tuple(found)
