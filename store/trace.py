"""Where something in the log comes from, and what came of it: one step either way, from any row that has a name.

A chain such as checkpoint, training, dataset, row, turn, episode, person is followed step by step; every step is one
line of `trace.tsv` beside this file. A cell of a table of results is traced too, as `MODEL@GAME`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal, TypeAlias

from store.errors import Unknown
from store.filters import Filters
from store.queries import Queries

Way: TypeAlias = Literal["from", "to"]

FEW = 8
"""Neighbours that are named of one relation; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Node:
    """Something that can be traced. `label` says in a few words what it is, as the log has it (not sanitised)."""

    kind: str
    id: str
    label: str


@dataclass(frozen=True, slots=True)
class Branch:
    """The neighbours of one relation: the first few, and how many there are in all."""

    relation: str
    total: int
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Traced:
    """A node, what it comes from, and what came of it."""

    node: Node
    sources: tuple[Branch, ...]
    uses: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    kind: str
    way: str
    relation: str
    target: str
    sql: str
    """Gives the targets' ids; `:id` is where one stands."""


_KINDS: Mapping[str, tuple[str, str, str]] = {
    "episode": (
        "episodes",
        "id",
        "e.game || ' · ' || (SELECT name FROM instances WHERE id = e.instance_id) || ' · ' || coalesce((SELECT outcome "
        "FROM results WHERE episode_id = e.id), 'unfinished') || ' · ' || substr(e.started_at, 1, 16)",
    ),
    "turn": ("turns", "id", "'ply ' || e.ply || ' · ' || e.role || ': ' || substr(e.text, 1, 60)"),
    "call": ("calls", "id", "'ply ' || e.ply || ' · ' || e.role || ' · ' || e.finish || ': ' || substr(e.text, 1, 50)"),
    "run": ("runs", "id", "e.kind || ' · ' || substr(e.created_at, 1, 16) || ' · playpen-tui ' || e.app_version"),
    "instance": ("instances", "id", "e.game || ' · ' || e.experiment || ' · ' || e.name || ' · ' || e.split"),
    "candidate": ("candidates", "id", "'ply ' || e.ply || ' · ' || e.role || ': ' || substr(e.text, 1, 60)"),
    "annotation": ("annotations", "id", "e.kind || ' · ' || substr(e.created_at, 1, 16)"),
    "dataset": ("datasets", "id", "e.kind || ' · ' || e.rows || ' rows · ' || substr(e.created_at, 1, 16)"),
    "training": ("trainings", "id", "e.method || ' · ' || e.state || ' · ' || substr(e.created_at, 1, 16)"),
    "evaluation": ("evaluations", "id", "e.name || ' · ' || substr(e.created_at, 1, 16)"),
    "player": ("players", "id", "e.name || ' · ' || e.kind || replace(' · ' || e.sampling, ' · {}', '')"),
    "person": ("people", "id", "'consent: ' || e.consent"),
}
"""Kinds with a table: its name, its key, and what a row is called."""

_ROW_OF = "SELECT dataset_id || ':' || position FROM dataset_rows WHERE"


@lru_cache(maxsize=1)
def _chain() -> tuple[_Step, ...]:
    """The steps of `trace.tsv`: kind, which way, name of the relation, kind at the other end, SQL for its ids."""
    rows = files("store").joinpath("trace.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return tuple(_Step(*row.split("\t")) for row in rows)


class Trace:
    """Asks the log. `reader` gives a connection that this thread may read from."""

    def __init__(self, reader: Callable[[], sqlite3.Connection]) -> None:
        self._reader = reader

    def find(self, wish: str) -> Node:
        """What an id, its beginning, `DATASET:ROW`, `MODEL@GAME` or a player's name stands for. Raises Unknown."""
        wish = wish.strip()
        if not wish:
            raise Unknown("nothing was named; give an id or the beginning of one, MODEL@GAME, or a player's name")
        found = list(self._candidates(wish))
        exact = [node for node in found if node.id in (wish, wish.upper(), wish.lower())]
        if not exact and len(found) > 1 and all(node.kind == "player" for node in found):
            # one name with several decoding settings: the model as it is, without any
            exact = [node for node in found if self._plain(node)]
            if len(exact) > 1:  # and several revisions: what came out of its training last
                exact = [node for node in exact if self._came_out(node)] or exact
        if len(exact or found) == 1:
            return (exact or found)[0]
        if not found:
            raise Unknown(
                f"nothing in the log is called {wish!r}; `playpen-tui browse` lists episodes, `results` the cells"
            )
        several = ", ".join(f"{node.kind} {node.id}" for node in found[:4])
        raise Unknown(f"{wish!r} may be {several}{' …' if len(found) > 4 else ''}; type more of it")

    def _candidates(self, wish: str) -> Iterator[Node]:
        reader = self._reader()
        model, at, game = wish.rpartition("@")
        if at and (episodes := self._cell(model, game)):
            yield _cell_node(model, game, len(episodes))
        for spelled in dict.fromkeys((wish, wish.upper(), wish.lower())):
            for kind, (table, key, _) in _KINDS.items():
                found = reader.execute(
                    f"SELECT {key} FROM {table} WHERE {key} >= ? AND {key} < ? LIMIT 3", (spelled, spelled + "~")
                )
                yield from [self.node(kind, id) for (id,) in found]
        dataset, colon, position = wish.rpartition(":")
        if colon and position.isdigit():
            rows = reader.execute(
                f"{_ROW_OF} dataset_id >= ? AND dataset_id < ? AND position = ?",
                (dataset.upper(), dataset.upper() + "~", int(position)),
            )
            yield from [self.node("dataset row", id) for (id,) in rows]
        yield from [
            self.node("player", id)
            for (id,) in reader.execute("SELECT id FROM players WHERE name = ? AND kind <> 'human' LIMIT 5", (wish,))
        ]

    def _plain(self, node: Node) -> bool:
        row = self._reader().execute("SELECT sampling FROM players WHERE id = ?", (node.id,)).fetchone()
        return row[0] == "{}"

    def _came_out(self, node: Node) -> bool:
        sql = "SELECT 1 FROM trainings WHERE result_player_id = ?"
        return self._reader().execute(sql, (node.id,)).fetchone() is not None

    def _cell(self, model: str, game: str) -> list[str]:
        """The episodes of a cell of `results`: what that table counts, and nothing else."""
        rows = Queries(self._reader).scored(Filters(games=(game,)))
        return [row.episode for row in rows if row.model == model]

    def node(self, kind: str, id: str) -> Node:
        """The node of this kind and full id. Raises Unknown."""
        if kind == "cell":
            model, _, game = id.rpartition("@")
            episodes = self._cell(model, game)
            if not episodes:
                raise Unknown(f"no finished episodes of {model} in {game}")
            return _cell_node(model, game, len(episodes))
        if kind == "dataset row":
            return Node(kind, id, f"row {id.rpartition(':')[2]}")
        table, key, label = _KINDS[kind]
        row = self._reader().execute(f"SELECT {label} FROM {table} e WHERE e.{key} = ?", (id,)).fetchone()
        if row is None:
            raise Unknown(f"no {kind} {id} in the log")
        return Node(kind, id, str(row[0]).replace("\n", " "))

    def around(self, node: Node, few: int = FEW) -> Traced:
        """One step either way: of each relation the first `few` neighbours, and how many there are."""
        if node.kind == "cell":
            model, _, game = node.id.rpartition("@")
            ids = self._cell(model, game)
            return Traced(node, (Branch("made of", len(ids), tuple(self.node("episode", id) for id in ids[:few])),), ())
        found: dict[str, list[Branch]] = {"from": [], "to": []}
        values: dict[str, Any] = {"id": node.id, "position": ""}
        if node.kind == "dataset row":
            values["id"], _, values["position"] = node.id.rpartition(":")
        for step in _chain():
            if step.kind != node.kind:
                continue
            some = f"WITH x(id) AS ({step.sql}) SELECT {{}} FROM x WHERE id IS NOT NULL"
            (total,) = self._reader().execute(some.format("count(*)"), values).fetchone()
            if total:
                first = self._reader().execute(some.format("id") + " LIMIT :few", {**values, "few": few})
                nodes = tuple(self.node(step.target, id) for (id,) in first.fetchall())
                found[step.way].append(Branch(step.relation, total, nodes))
        return Traced(node, tuple(found["from"]), tuple(found["to"]))

    def tree(self, node: Node, depth: int, few: int = FEW) -> dict[str, Any]:
        """Both ways as nested dictionaries, so many steps deep; no way leads back over a node it has passed."""
        return {
            **_named(node),
            "from": self._walk(node, "from", depth, few, (node,)),
            "to": self._walk(node, "to", depth, few, (node,)),
        }

    def _walk(self, node: Node, way: Way, depth: int, few: int, passed: tuple[Node, ...]) -> list[dict[str, Any]]:
        if depth <= 0:
            return []
        traced = self.around(node, few)
        return [
            {
                "relation": branch.relation,
                "kind": branch.nodes[0].kind,
                "total": branch.total,
                "nodes": [
                    {**_named(one), way: self._walk(one, way, depth - 1, few, (*passed, one))}
                    for one in branch.nodes
                    if one not in passed
                ],
            }
            for branch in (traced.sources if way == "from" else traced.uses)
        ]


def _cell_node(model: str, game: str, episodes: int) -> Node:
    return Node("cell", f"{model}@{game}", f"{model} in {game} · {episodes:,} episodes")


def _named(node: Node) -> dict[str, Any]:
    return {"kind": node.kind, "id": node.id, "label": node.label}


def facts(reader: sqlite3.Connection, node: Node) -> dict[str, Any]:
    """The columns of a node's row, JSON columns read, binary ones counted; {} for what has no row of its own."""
    if node.kind not in _KINDS:
        return {}
    table, key, _ = _KINDS[node.kind]
    cursor = reader.execute(f"SELECT * FROM {table} WHERE {key} = ?", (node.id,))
    row = cursor.fetchone()
    names = [column[0] for column in cursor.description]
    return {} if row is None else {name: _fact(value) for name, value in zip(names, row, strict=True)}


def _fact(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
