"""All that the log knows of one episode, gathered once: what a page about it shows and what it is copied as."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from games import catalog
from games.engine import Message, Role
from store import branches
from store.history import FOREIGN
from store.log import Log
from store.people import Person
from store.records import EpisodeDetail


@dataclass(frozen=True, slots=True)
class Origin:
    """The run an episode belongs to, and what it takes to repeat it."""

    run: str
    kind: str
    created_at: str
    app_version: str
    git_commit: str | None
    git_dirty: bool | None
    seed: int | None
    config: Mapping[str, Any]
    config_hash: str
    hardware: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Dossier:
    """One episode with its run, its people, what each seat heard, and what models were sent."""

    detail: EpisodeDetail
    origin: Origin | None
    """None where it belongs to no run."""
    people: tuple[Person, ...]
    heard: Mapping[Role, tuple[Message, ...]]
    """Per role, all it was told (user) and said (assistant); before the end, up to its latest turn."""
    prompts: Mapping[str, tuple[Message, ...]]
    """What was sent with each call, by the call's `prompt_hash`."""
    trashed: bool
    erased: int
    """Turns whose words were erased on request."""
    code: str
    """Why it cannot be played again here; empty where it can."""
    values: Mapping[int, tuple[float, int]] = field(default_factory=dict[int, tuple[float, int]])
    """What turns are worth by the rollouts from them, where they were played on: mean reward, and of how many."""

    @property
    def watchable(self) -> bool:
        """Whether it can be watched ply by ply: by its game's code, or as an imported one from its messages."""
        return not self.code or self.detail.row.version == FOREIGN

    @property
    def id(self) -> str:
        """The episode."""
        return self.detail.row.id

    @property
    def roles(self) -> tuple[Role, ...]:
        """Roles in the game's order where its code is here, else in the order in which they spoke."""
        there = list(dict.fromkeys((*self.detail.seats, *(turn.role for turn in self.detail.turns))))
        try:
            order = list(catalog.get(self.detail.row.game).roles)
        except (catalog.UnknownGame, ImportError):
            order = list(dict.fromkeys(turn.role for turn in self.detail.turns))
        return tuple(sorted(there, key=lambda role: order.index(role) if role in order else len(order)))


def gather(log: Log, id: str) -> Dossier:
    """The episode with this id or an unambiguous beginning of it. Raises UnknownEpisode, LogError."""
    reader, queries = log.reader(), log.queries
    detail = queries.detail(log.history.resolve(id))
    names = {turn.person for turn in detail.turns} | {identity.person for identity in detail.seats.values()}
    people = [
        person for name in sorted({*detail.row.people, *filter(None, names)}) if (person := log.people.find(name))
    ]
    row = detail.row
    one = (row.id,)
    erased = reader.execute(
        "SELECT count(*) FROM turns t JOIN tombstones x ON x.kind = 'turns' AND x.id = t.id WHERE t.episode_id = ?", one
    ).fetchone()[0]
    return Dossier(
        detail=detail,
        origin=_origin(log, row.run),
        people=tuple(people),
        heard={role: tuple(queries.perspective(row.id, role)) for role in detail.seats},
        prompts={
            call.prompt_hash: tuple(queries.conversation(call.prompt_hash)) for call in detail.calls if call.prompt_hash
        },
        trashed=reader.execute("SELECT 1 FROM trash WHERE episode_id = ?", one).fetchone() is not None,
        erased=erased,
        code="" if erased else _unplayable(row.game, row.version),
        values=branches.values_of(reader, row.id),
    )


def _origin(log: Log, run: str | None) -> Origin | None:
    row = (
        log.reader()
        .execute(
            "SELECT id, kind, created_at, app_version, git_commit, git_dirty, seed, config, config_hash, hardware "
            "FROM runs WHERE id = ?",
            (run,),
        )
        .fetchone()
    )
    if row is None:
        return None
    id, kind, at, version, commit, dirty, seed, config, hash, hardware = row
    changed = None if dirty is None else bool(dirty)
    return Origin(id, kind, at, version, commit, changed, seed, json.loads(config), hash, json.loads(hardware))


def _unplayable(game: str, version: int) -> str:
    if version == FOREIGN:
        return "it was imported and is shown as it was logged; it can be watched, but not resumed or branched"
    try:
        here = catalog.get(game)
    except (LookupError, ImportError):
        return f"the code of {game} is not here, so it is shown as it was logged and cannot be replayed"
    if here.version != version:
        return f"it was played with {game}@{version}, and here is {game}@{here.version}: it cannot be replayed"
    return ""
