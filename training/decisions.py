"""Where rollouts begin: decision points, each a seat of an instance with what was said before its first turn.

They come from episodes of the log that fit the filters, or where there are none from the instances for training of the
games' catalogs. Like every data set they are frozen first, and hold nothing that is kept for validation or test.
"""

from __future__ import annotations

import dataclasses
import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

from games import catalog
from games.engine import Game, Instance, Match, MatchOver, Role
from players.opening import check
from players.registry import Registry, UnknownPlayer
from players.spec import SpecError
from store import branches, datasets, history
from store.datasets import DatasetRow
from store.filters import Filters
from store.ids import chain
from store.perspectives import Perspective
from store.recorder import instance_row
from training.build import Built, NothingToTrain, read
from training.guards import Refused
from training.leaks import Guard
from training.recipe import FROZEN

if TYPE_CHECKING:
    from training.recipe import Recipe

Cell: TypeAlias = tuple[str, Role]
"""A game, and the role that the learner plays in it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision point: `role` of `game` on `instance`, after these texts. `number` is its row in the data set."""

    number: int
    game: Game
    instance: Instance
    role: Role
    seed: int
    """Of the match: as it was logged, or what `dealt` says for an instance that nobody has played."""
    texts: tuple[str, ...] = ()
    episode: str | None = None
    """The logged episode that it is taken from."""

    def match(self) -> Match:
        """The match as it stands there."""
        return Match.replay(self.game, self.instance, self.seed, self.texts)


def mixed(*parts: object) -> int:
    """A seed of 31 bits that is made of all of these."""
    digest = hashlib.blake2b(":".join(map(str, parts)).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1


def dealt(seed: int, game: Game, instance: Instance) -> int:
    """The seed of a match that nobody has played, from the seed of the selection."""
    return mixed(seed, "deal", game.name, instance.name)


def build_decisions(reader: sqlite3.Connection, filters: Filters, recipe: Recipe, learner: str = "") -> Built:
    """The decision points of a recipe, as rows. Raises NothingToTrain, Refused, ValueError, UnknownGame."""
    wish, roles, seed = recipe.rollouts, recipe.selection.roles, recipe.selection.seed
    kept, guard, told = read(reader, filters, roles)
    seen = trained_keys(reader, learner) if wish.unseen else frozenset[str]()
    left_out: Counter[str] = Counter()
    rows: list[DatasetRow] = []
    cells: Counter[Cell] = Counter()
    if wish.source == "branches":
        rows = _some(_branched(reader, kept, seen, seed, left_out), wish.points, cells)
    elif wish.source != "catalog":
        rows = _some(_logged(reader, kept, seen, seed, left_out), wish.points, cells)
    source = "branches" if wish.source == "branches" else "log"
    if not rows and wish.source in ("auto", "catalog"):
        source = "catalog"
        rows = _some(_dealt(guard, filters, roles, seen, seed, left_out), wish.points, cells)
    if not rows:
        reasons = "; ".join(f"{number} {why}" for why, number in left_out.items())
        raise NothingToTrain(
            f"there is no decision point to play from{f' ({reasons})' if reasons else ''}; widen the filters, name "
            "another --game, or leave rollouts.source and rollouts.unseen as they are by default"
        )
    if wish.partner != FROZEN:
        _sits(wish.partner, cells)
    facts = {
        "rows": len(rows),
        "source": source,
        "cells": {" · ".join(cell): number for cell, number in sorted(cells.items())},
        "episodes": told.episodes,
        "used": len({row.episode for row in rows if row.episode}),
        "left_out": {**told.left_out, **left_out},
        "leaks": [dataclasses.asdict(leak) for leak in guard.leaks],
    }
    return Built(rows, facts, guard.leaks)


def load(reader: sqlite3.Connection, dataset: str, seed: int) -> list[Decision]:
    """The decision points of a frozen data set, whose selection had this seed.

    Raises LogError, UnknownGame, and ValidationError where a game no longer takes the instance.
    """
    found: list[Decision] = []
    for number, record in enumerate(datasets.records(reader, dataset)):
        game = catalog.get(record["game"])
        instance = game.instance_type.model_validate(record["instance"])
        of = dealt(seed, game, instance) if record["seed"] is None else int(record["seed"])
        found.append(Decision(number, game, instance, record["role"], of, tuple(record["texts"]), record["episode"]))
    return found


def trained_keys(reader: sqlite3.Connection, learner: str) -> frozenset[str]:
    """Content that this player, or any that it was trained from, was trained on."""
    return frozenset(key for (key,) in reader.execute(_TRAINED, (learner,)))


def _sits(partner: str, cells: Iterable[Cell]) -> None:
    """Raises Refused where the partner could not take the other seats."""
    registry = Registry.load()
    for name, learner in sorted(cells):
        game = catalog.get(name)
        for role in game.roles:
            if role == learner:
                continue
            try:
                found = check(partner, game=game, role=role, registry=registry)
            except (SpecError, UnknownPlayer) as error:
                raise Refused(f"rollouts.partner = {partner} cannot take the seat {role} of {name}: {error}") from error
            if found.kind in ("human", "replay"):
                raise Refused(f"rollouts.partner = {partner} answers no rollouts; name a bot, a model, or frozen")


def _some(found: Iterator[tuple[Cell, DatasetRow]], points: int | None, cells: Counter[Cell]) -> list[DatasetRow]:
    rows: list[DatasetRow] = []
    for cell, row in found:
        rows.append(row)
        cells[cell] += 1
        if len(rows) == points:
            break
    return rows


def _logged(
    reader: sqlite3.Connection, kept: Iterable[Perspective], seen: frozenset[str], seed: int, left_out: Counter[str]
) -> Iterator[tuple[Cell, DatasetRow]]:
    """Points of logged episodes in a seeded order, each once."""
    candidates: dict[tuple[str, Role, str], Perspective] = {}
    for one in kept:
        if not one.places or not one.places[0]:
            left_out["said nothing"] += 1
        elif one.key in seen:
            left_out["the learner was trained on it"] += 1
        elif (name := (one.instance_id, one.role, one.hashes[one.places[0] - 1])) in candidates:
            left_out["the same point again"] += 1
        else:
            candidates[name] = one
    order = list(candidates.values())
    Random(f"points:{seed}").shuffle(order)
    for one in order:
        first = one.places[0]
        if not _replays(reader, one):
            left_out["its game is not here, or plays differently now"] += 1
            continue
        why = f"as it stood in the log at ply {one.spoken[0].ply}"
        row = DatasetRow(
            one.hashes[first - 1], (), episode=one.episode, role=one.role, why=why, instance=one.instance_id
        )
        yield (one.game, one.role), row


def _branched(
    reader: sqlite3.Connection, kept: Iterable[Perspective], seen: frozenset[str], seed: int, left_out: Counter[str]
) -> Iterator[tuple[Cell, DatasetRow]]:
    """Turns of logged episodes at which candidates were played on, in a seeded order, each once."""
    plies = branches.points(reader)
    found: dict[tuple[str, Role, str], tuple[Perspective, int]] = {}
    for one in kept:
        there = plies.get((one.episode, one.role), ())
        for at, said in enumerate(one.spoken):
            if said.ply not in there or not one.places[at]:
                continue
            if one.key in seen:
                left_out["the learner was trained on it"] += 1
            else:
                found.setdefault((one.instance_id, one.role, one.hashes[one.places[at] - 1]), (one, at))
    order = list(found.values())
    Random(f"points:{seed}").shuffle(order)
    for one, at in order:
        if not _replays(reader, one, at):
            left_out["its game is not here, or plays differently now"] += 1
            continue
        why = f"candidates were played on from here, at ply {one.spoken[at].ply}"
        tip = one.hashes[one.places[at] - 1]
        row = DatasetRow(tip, (), episode=one.episode, role=one.role, why=why, instance=one.instance_id)
        yield (one.game, one.role), row


def _replays(reader: sqlite3.Connection, one: Perspective, at: int = 0) -> bool:
    """Whether the match comes back as the seat had it before its turn number `at`."""
    logged = history.load(reader, one.episode)
    try:
        game = catalog.get(one.game)
        instance = game.instance_type.model_validate(dict(logged.instance))
        if logged.version != game.version or instance.key != one.key:
            return False
        match = Match.replay(game, instance, logged.seed, logged.texts[: one.spoken[at].ply])
    except (catalog.UnknownGame, MatchOver, ValueError):
        return False
    return match.turn == one.role and match.heard[one.role] == one.messages[: one.places[at]]


def _dealt(
    guard: Guard, filters: Filters, roles: Sequence[Role], seen: frozenset[str], seed: int, left_out: Counter[str]
) -> Iterator[tuple[Cell, DatasetRow]]:
    """Seats of instances that are for training, in a seeded order over all games."""
    points: list[tuple[Game, Instance, Role]] = []
    for name in _games(filters):
        game = catalog.get(name)
        seats = [role for role in game.roles if not roles or role in roles]
        for language in filters.languages or ("en",):
            for instance in game.instances(language) if language in game.languages else ():
                split = catalog.split_of(game, instance)
                if guard.keeps(instance.key, split):
                    continue
                if filters.experiments and instance.experiment not in filters.experiments:
                    continue
                if instance.key in seen:
                    left_out["the learner was trained on it"] += 1
                    continue
                points += [(game, instance, role) for role in seats]
    Random(f"points:{seed}").shuffle(points)
    for game, instance, role in points:
        match = Match.new(game, instance, dealt(seed, game, instance))
        new = chain(match.heard[role])
        deal = instance_row(game, instance, "train")
        tip = new[-1][0] if new else None
        why = "an instance for training, not played yet"
        yield (
            (game.name, role),
            DatasetRow(tip, (), role=role, why=why, new=tuple(new), instance=str(deal[0]), deals=(deal,)),
        )


def _games(filters: Filters) -> list[str]:
    known = catalog.names()
    if not filters.games:
        return known
    found = [name for name in known if any(fnmatchcase(name, wish) for wish in filters.games)]
    for wish in filters.games:
        if "*" not in wish and wish not in known:
            catalog.get(wish)  # raises with the nearest names
    return found


_TRAINED: Any = """
WITH RECURSIVE line(name) AS (
  SELECT ?
  UNION
  SELECT b.name FROM line l JOIN players r ON r.name = l.name JOIN trainings t ON t.result_player_id = r.id
  JOIN players b ON b.id = t.base_player_id)
SELECT DISTINCT i.key FROM line l JOIN players r ON r.name = l.name JOIN trainings t ON t.result_player_id = r.id
JOIN dataset_rows d ON d.dataset_id = t.dataset_id LEFT JOIN episodes e ON e.id = d.episode_id
JOIN instances i ON i.id = coalesce(d.instance_id, e.instance_id)"""
