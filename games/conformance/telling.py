"""Checks of what roles are told: briefings, the order of a dialogue, boards, and secrets that must not leak."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any, get_args

from games import boards, shapes
from games.conformance.lab import Lab, Run
from games.conformance.rules import rule
from games.engine import GM, Match, Role, SayKind


@rule("briefed", "before a role speaks for the first time it has been briefed")
def briefed(lab: Lab) -> Iterable[str]:
    """The first thing a role hears is a say of kind `brief`, and it comes before its first turn."""
    for run, match in lab.positions():
        role = match.turn
        if role in lab.game.roles and not _first_words(match, role):
            yield f"{run}: {role} is to speak at ply {match.ply} without a briefing"
    for run in lab.runs:
        kinds: dict[Role, str] = {}
        for say in _says(run.last) if run.positions else ():
            kinds.setdefault(say.to, say.kind)
        for role, kind in kinds.items():
            if kind != "brief":
                yield f"{run}: the first thing {role} hears is of kind {kind!r}, not 'brief'"


def _first_words(match: Match, role: Role) -> bool:
    heard = match.heard[role]
    return bool(heard) and heard[0].role == "user" and bool(heard[0].content.strip())


def _says(match: Match) -> Iterator[Any]:
    yield from match.opening
    for step in match.steps:
        yield from step.says


@rule("dialogue", "what a role hears alternates with what it says, and it hears something before it speaks")
def dialogue(lab: Lab) -> Iterable[str]:
    """Chat templates need this; says must be to and by somebody, and say something."""
    for run in lab.runs:
        for match in run.positions:
            for role, heard in match.heard.items():
                if heard and heard[0].role != "user":
                    continue  # never briefed: that is another check's to say
                if any(a.role == b.role for a, b in pairwise(heard)):
                    yield f"{run}: {role} speaks twice without hearing anything between"
                if heard and role == match.turn and heard[-1].role != "user":
                    yield f"{run}: {role} is to speak at ply {match.ply}, but has heard nothing since it spoke"
        for say in _says(run.last) if run.positions else ():
            if say.by != GM and say.by not in lab.game.roles:
                yield f"{run}: a say is by {say.by!r}, who is not a role"
            if not say.text.strip() or say.kind not in get_args(SayKind):
                yield f"{run}: {say.to} is told {say.text!r} of kind {say.kind!r}"


@rule("board", "every seat and the game master have a board at every position, and people are asked for something")
def board(lab: Lab) -> Iterable[str]:
    """Boards are boards, and fields are well formed."""
    for run, match in lab.positions():
        for role in (*lab.game.roles, None):
            shown = lab.game.board(match.state, role)
            if not isinstance(shown, boards.Board) or not all(isinstance(p, _PANELS) for p in shown.panels):
                yield f"{run}: the board of {role or GM} is {shown!r:.80}"
        if match.turn in lab.game.roles:
            asked = lab.game.fields(match.state)
            if not asked or len({f.name for f in asked}) != len(asked):
                yield f"{run}: {match.turn} is asked for {[f.name for f in asked]}"
            if not all(f.label.strip() for f in asked):
                yield f"{run}: a field of {match.turn} has no label"


_PANELS = get_args(boards.Panel)


@rule("secrets", "no secret reaches a role before the end, unless a player says it")
def secrets(lab: Lab) -> Iterable[str]:
    """What the game master tells and shows.

    A secret word may stand in a prompt by accident: what siblings that do not have the secret are shown as well, in
    the same place and as often, is no leak.
    """
    stories: dict[Role, list[_Story]] = {role: [_Story(run, role) for run in lab.runs] for role in lab.game.roles}
    usual: dict[tuple[str, Role, str], tuple[int, ...]] = {}
    for place, run in enumerate(lab.runs):
        for role, hidden in lab.game.secrets(run.instance).items():
            for secret in hidden:
                if not secret.strip() or role not in stories:
                    yield f"{run.instance.name}: the secret {secret!r} of {role!r} is nobody's"
                elif any(counts := stories[role][place].most(secret)):
                    key = (run.instance.language, role, secret)
                    if key not in usual:
                        usual[key] = _highest(story.most(secret) for story in stories[role] if story.may_know(*key))
                    for source, count, accident in zip(_SOURCES, counts, usual[key], strict=True):
                        if count > accident:
                            yield f"{run}: {role} is shown the secret {secret!r} in {source}"


class _Story:
    """What one role was newly shown at each position of a run, and what was said just before; lower case."""

    def __init__(self, run: Run, role: Role) -> None:
        open_ones = [match for match in run.positions if not match.over]
        self.instance = run.instance
        self.secrets = run.game.secrets(run.instance)
        self.told = [_material(match, role) for match in open_ones]
        self.spoken = [match.steps[-1].text.casefold() if match.steps else "" for match in open_ones]

    def may_know(self, language: str, role: Role, secret: str) -> bool:
        """Whether the secret is none here, so that what stands here stands here by accident."""
        return self.instance.language == language and secret not in self.secrets.get(role, ())

    def most(self, secret: str) -> tuple[int, ...]:
        """How often the secret stands in each source at one position, at most, before a player says it."""
        wanted, text = _wanted(secret), secret.casefold()
        most = [0] * len(_SOURCES)
        for told, spoken in zip(self.told, self.spoken, strict=True):
            if text in spoken and wanted.search(spoken):
                break
            for source, shown in enumerate(told):
                if text in shown:
                    most[source] = max(most[source], len(wanted.findall(shown)))
        return tuple(most)


def _highest(counts: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(map(max, zip(*counts, strict=True))) or (0,) * len(_SOURCES)


@lru_cache(maxsize=4096)
def _wanted(secret: str) -> re.Pattern[str]:
    text = re.escape(secret.casefold())
    short = len(secret) < 4 and secret.isalnum()
    return re.compile(rf"(?<!\w){text}(?!\w)" if short else text)


_SOURCES = ("what it is told", "its board", "what it is asked for", "its question", "the shape of its reply")


def _material(match: Match, role: Role) -> tuple[str, ...]:
    """All strings that the game master puts before a role at this position and had not before, by source."""
    says = match.steps[-1].says if match.steps else match.opening
    fields = match.game.fields(match.state) if match.turn == role else ()
    shape = match.game.shape(match.state) if match.turn == role and len(match.heard[role]) == 1 else None
    sources = (
        (say.text for say in says if say.to == role),
        boards.strings(match.game.board(match.state, role)),
        boards.strings(fields),
        (match.game.question(match.state),) if match.turn == role else (),
        shapes.strings(shape) if shape is not None else (),
    )
    return tuple("\n".join(texts).casefold() for texts in sources)
