"""What players need from the log, declared here and implemented by `store`: a recorder, a history and a watch.

The driver knows only these. `NoRecorder` is "play without record".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from games.engine import Match, Role, Scores, Step
from players.base import Call, Identity, PlayerError, Reply

ERASED = "(erased)"
"""What stands in the log where words were erased on request."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an episode belongs: its run, its planned slot in it, its siblings, the episode it branched from."""

    run: str | None = None
    slot: int | None = None
    group: str | None = None
    parent: str | None = None
    fork_ply: int | None = None


class Recorder(Protocol):
    """Writes episodes. Every method returns when what it wrote is committed."""

    async def begin(self, match: Match, seats: Mapping[Role, Identity], place: Place) -> str:
        """Log a new episode with its opening; returns its id."""
        ...

    async def turn(self, episode: str, match: Match, step: Step, who: Identity, reply: Reply) -> None:
        """Log one utterance: `match` is the match after it. Returns when it is committed.

        A reply that another process has logged (`reply.logged`) is not written again.
        """
        ...

    async def call(self, episode: str, ply: int, role: Role, who: Identity, call: Call) -> None:
        """Log a request that became no turn: refused by a check, failed or cancelled."""
        ...

    async def failure(self, episode: str, ply: int, role: Role, who: Identity, error: PlayerError) -> None:
        """Mark where a player could not reply: the episode stands, and can be resumed."""
        ...

    async def result(self, episode: str, match: Match, scores: Scores) -> None:
        """Log the outcome and scores of a match that is over."""
        ...


@dataclass(frozen=True, slots=True)
class LoggedEpisode:
    """An episode as the log has it, enough to replay it."""

    id: str
    game: str
    version: int
    instance: Mapping[str, object]
    seed: int
    texts: Sequence[str]
    roles: Sequence[Role]
    """The role that said each text."""
    seats: Mapping[Role, Identity]
    """Who sat where last."""
    outcome: str | None


class History(Protocol):
    """Reads episodes back, for resume and `replay:` players."""

    def episode(self, id: str) -> LoggedEpisode:
        """The episode with this id or unambiguous beginning of it. Raises LookupError with a sentence."""
        ...


class LoggedTurn(Protocol):
    """A turn as the log has it."""

    @property
    def text(self) -> str:
        """What was said, tags and all."""
        ...

    @property
    def player(self) -> str:
        """The name of the player who said it."""
        ...

    @property
    def ms(self) -> float:
        """How long it took, in milliseconds."""
        ...


class Watch(Protocol):
    """Waits for what other processes write, for seats that are played there."""

    async def turn(self, episode: str, ply: int) -> LoggedTurn:
        """The turn of this ply, as soon as it is committed by whomever; cancel it to stop waiting."""
        ...


class NoRecorder:
    """Play without record: accepts everything, keeps nothing."""

    async def begin(self, match: Match, seats: Mapping[Role, Identity], place: Place) -> str:
        """No episode, so no id."""
        return ""

    async def turn(self, episode: str, match: Match, step: Step, who: Identity, reply: Reply) -> None:
        """Nothing is kept."""

    async def call(self, episode: str, ply: int, role: Role, who: Identity, call: Call) -> None:
        """Nothing is kept."""

    async def failure(self, episode: str, ply: int, role: Role, who: Identity, error: PlayerError) -> None:
        """Nothing is kept."""

    async def result(self, episode: str, match: Match, scores: Scores) -> None:
        """Nothing is kept."""
