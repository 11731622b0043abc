"""What is being watched, as data: one match, what a stand offers of them, and which of them has a place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from games.engine import Match, Role
from players.base import PlayerError
from playpen_tui.doing import Doing

if TYPE_CHECKING:
    from players.scheduler import Lane, LaneState
    from playpen_tui.selfplay import Wish
    from playpen_tui.workbench import Workbench

Ability: TypeAlias = Literal["hold", "stop", "seat", "bookmark", "step", "resume"]
LINGER = 3.0
"""Seconds that a match which has ended keeps its place."""
PLACES = 8
"""Matches that are shown at most."""
BOOKMARK = "bookmark"


@dataclass(slots=True, eq=False)
class Watched:
    """One match that can be watched. `names` says who sits where."""

    key: str
    match: Match
    names: dict[Role, str]
    episode: str | None = None
    state: LaneState = "playing"
    error: str = ""
    doing: Doing = field(default_factory=Doing)
    ended_at: float | None = None
    bookmarked: bool = False
    changed_hands: bool = False
    """Whether a seat had another player before: then names would say the wrong thing of what was said earlier."""
    lane: Lane | None = None
    steps: Sequence[Match] = ()
    """All positions of a replay, and which of them is shown is `match`."""
    running: bool = True
    """Whether a replay goes on by itself."""

    @property
    def speakers(self) -> dict[Role, str]:
        """How a dialogue calls each seat: by who sits there, by role where that would mislead."""
        alike = len(set(self.names.values())) < len(self.names)
        return {role: role for role in self.names} if alike or self.changed_hands else self.names

    @property
    def over(self) -> bool:
        """Whether nothing more happens here."""
        return self.state in ("done", "failed", "stopped")


Changed: TypeAlias = Callable[[Watched | None], None]
"""Told which match has changed; None is the head line."""


class Stand(Protocol):
    """Something to watch."""

    title: str

    @property
    def abilities(self) -> frozenset[Ability]:
        """What can be done here."""
        ...

    def head(self, width: int = 1000) -> str:
        """How the whole goes, in one line of so many cells: done, running and failed first of all."""
        ...

    def offered(self) -> list[Watched]:
        """Matches worth a place, those that go on first."""
        ...

    def listen(self, changed: Changed) -> Callable[[], None]:
        """Hear of changes until the returned function is called."""
        ...

    async def follow(self) -> None:
        """Keep it going until there is nothing more to see. Raises what the log raises."""
        ...


@dataclass(frozen=True, slots=True)
class Watch:
    """What somebody wants to watch: one of the three."""

    wish: Wish | None = None
    run: str | None = None
    episodes: tuple[str, ...] = ()


def headline(names: Sequence[str], counts: Sequence[str], more: Sequence[str], width: int, reason: str = "") -> str:
    """One line that fits, if it can. The counts stay, then the `reason` it ended for, if need be behind a shorter name;
    then as much of `more` as there is room for, from its end.
    """

    def line(name: str, told: Sequence[str]) -> str:
        return "  ".join(filter(None, (name, " · ".join(filter(None, told)))))

    fitting = ((name, told) for told in ((*counts, reason), counts) for name in names if len(line(name, told)) <= width)
    name, told = next(fitting, (names[-1], counts))
    extra: tuple[str, ...] = ()
    for part in reversed(more):
        if len(line(name, (*told, part, *extra))) <= width:
            extra = (part, *extra)
    return line(name, (*told, *extra))


def still(watched: Watched) -> Watched:
    """The match as it is at this moment; nothing that is played later, and no clock, changes it."""
    now = watched.doing.clock()
    doing = Doing(lambda: now)
    doing.states = {role: replace(state) for role, state in watched.doing.states.items()}
    return replace(watched, names=dict(watched.names), doing=doing)


class Listeners:
    """Those who want to hear."""

    def __init__(self) -> None:
        self._all: list[Changed] = []

    def listen(self, changed: Changed) -> Callable[[], None]:
        """Hear of changes until the returned function is called."""
        self._all.append(changed)
        return lambda: self._all.remove(changed) if changed in self._all else None

    def tell(self, watched: Watched | None) -> None:
        """Let them know."""
        for changed in tuple(self._all):
            changed(watched)


class Places:
    """Which matches stand where. A match keeps its place until some time after its end, and while somebody looks."""

    def __init__(self) -> None:
        self._places: list[Watched | None] = []
        self.pinned: set[str] = set()
        """Keys of matches that keep their place: zoomed, bookmarked, or seated by a person."""

    def fill(self, count: int, offered: Sequence[Watched], now: float) -> list[Watched]:
        """The matches on so many places, free ones filled with what is offered."""
        there = {watched.key: watched for watched in offered}
        kept: list[Watched | None] = []
        for watched in self._places[:count]:
            if watched is None:
                kept.append(None)
                continue
            current = there.get(watched.key, watched)
            stays = current.ended_at is None or now - current.ended_at < LINGER or current.key in self.pinned
            waiting = any(not other.over and other not in self._places for other in offered)
            kept.append(current if stays or not waiting else None)
        kept += [None] * (count - len(kept))
        taken = {watched.key for watched in kept if watched is not None}
        queue = [watched for watched in offered if watched.key not in taken]
        for at, watched in enumerate(kept):
            if watched is None and queue:
                kept[at] = queue.pop(0)
        self._places = kept
        return [watched for watched in kept if watched is not None]


async def tag(bench: Workbench, watched: Watched) -> bool:
    """Put the bookmark on an episode, or take it off; returns whether it is on. Raises PlayerError where none is."""
    if not watched.episode:
        raise PlayerError("rejected", "this match is not in the log, so it cannot be bookmarked")
    log = await bench.log()
    await (log.untag if watched.bookmarked else log.tag)(watched.episode, BOOKMARK)
    watched.bookmarked = not watched.bookmarked
    return watched.bookmarked
