"""What the log tells, as plain dataclasses: episodes, turns, calls, scores, runs, counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from games.engine import Role, Say
from players.base import Identity

RunState: TypeAlias = Literal["running", "stopped", "done"]


@dataclass(frozen=True, slots=True)
class EpisodeRow:
    """One line of a list of episodes. `outcome` is None while it is unfinished."""

    id: str
    run: str | None
    run_kind: str | None
    game: str
    version: int
    instance: str
    language: str
    seats: Mapping[Role, str]
    """Names of the players by role, as seated at the start."""
    people: tuple[str, ...]
    """Pseudonyms of those people who sat down."""
    plies: int
    outcome: str | None
    reason: str
    main: float | None
    started_at: str
    last_at: str
    """When it ended, or when its latest turn was committed."""


@dataclass(frozen=True, slots=True)
class TurnRow:
    """One utterance, and what the game master said because of it."""

    id: str
    episode: str
    """The episode that holds it: a branch shows its parent's turns too."""
    ply: int
    round: int
    role: Role
    player: str
    person: str | None
    assisted: bool
    text: str
    verdict: str
    note: str
    says: tuple[Say, ...]
    seen_hash: str | None
    ms: float
    created_at: str


@dataclass(frozen=True, slots=True)
class CallRow:
    """One request to a model. `turn` is None where its text was not used."""

    id: str
    ply: int
    role: Role
    turn: str | None
    player: str
    prompt_hash: str | None
    text: str
    reasoning: str
    finish: str
    tokens_in: int | None
    tokens_out: int | None
    ms: float
    first_token_ms: float | None
    assisted: bool
    sampling: Mapping[str, Any]
    error: str


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One score. `ply` is None for the whole episode, `role` empty for all roles."""

    name: str
    value: float
    ply: int | None
    role: Role
    scorer: str


@dataclass(frozen=True, slots=True)
class EpisodeDetail:
    """Everything the log knows of one episode."""

    row: EpisodeRow
    seed: int
    experiment: str
    split: str
    key: str
    slot: int | None
    group: str | None
    parent: str | None
    fork_ply: int | None
    opening: tuple[Say, ...]
    turns: tuple[TurnRow, ...]
    calls: tuple[CallRow, ...]
    scores: tuple[ScoreRow, ...]
    seats: Mapping[Role, Identity]
    """Who sat where last."""
    rewards: Mapping[Role, float]
    winners: tuple[Role, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is, as its process last said. `cost` is in US dollars, None where no price is known."""

    state: RunState
    planned: int
    done: int
    failed: int
    running: int
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = None
    seconds: float = 0.0
    host: str = ""
    pid: int = 0
    beat_at: str = ""
    """When it said so; empty on the way into the log."""

    def word(self, silence: float) -> str:
        """`running`, `stopped` or `done`; `killed` where it says running and has been silent for longer than that."""
        if self.state != "running" or not self.beat_at:
            return self.state
        since = datetime.now(UTC) - datetime.fromisoformat(self.beat_at)
        return "killed" if since.total_seconds() > silence else "running"


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run and how far it is."""

    id: str
    kind: str
    created_at: str
    app_version: str
    seed: int | None
    config: Mapping[str, Any]
    episodes: int
    finished: int
    progress: Progress | None = None
    """None for runs that do not say how far they are, such as sittings."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """A seat that another terminal may take. `seen_at` is when whoever joined was last there."""

    code: str
    episode: str
    role: Role
    opened_at: str
    seen_at: str | None
    closed_at: str | None


@dataclass(frozen=True, slots=True)
class Sign:
    """What leaving a sign at a seat showed. `other`: another terminal leaves signs there, too."""

    at: str
    open: bool
    other: bool = False


@dataclass(frozen=True, slots=True)
class FailureRow:
    """A player that could not reply."""

    episode: str
    ply: int
    role: Role
    player: str
    kind: str
    message: str
    at: str


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """A finished episode as statistics see it: who sat where all along, and what it came to."""

    episode: str
    game: str
    key: str
    """What a learner would recognise of the instance."""
    run: str | None
    seed: int
    players: Mapping[Role, str]
    """Names by role, in the game's order; `+assist` behind those that were assisted."""
    outcome: str
    main: float | None
    rewards: Mapping[Role, float]
    winners: tuple[Role, ...]

    @property
    def competitive(self) -> bool:
        """Whether one seat did better than another."""
        return bool(self.winners) or len(set(self.rewards.values())) > 1


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is."""

    episodes: int
    finished: int
    turns: int
    calls: int
    people: int
    runs: int

    @property
    def unfinished(self) -> int:
        """Episodes without a result."""
        return self.episodes - self.finished
