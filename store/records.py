"""What the log tells, as plain dataclasses: episodes, turns, calls, scores, runs, counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from games.engine import Role, Say
from players.base import Identity


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
