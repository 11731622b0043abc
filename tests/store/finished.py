"""Finished episodes put straight into a log: made up ones, and those of clembench's results trees.

A tree is `<model>/<game>/<experiment>/instance_NNNNN/scores.json`; its episodes become those of `clem:<game>`.
"""

from __future__ import annotations

import json
import math
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from store.ids import content_id, digest, new_id, now, to_json
from store.log import Log
from store.scored import Requests, ScoredRow

BESIDE = [folder / "shared" / "data" for folder in Path(__file__).parents[3:]]
DATA = next((folder for folder in BESIDE if folder.is_dir()), BESIDE[0])
"""Real data beside the project, or further up."""
MODELS = ("qwen3.5-27b", "llama-3.1-8b-instruct")


@dataclass(frozen=True)
class Played:
    """One episode as it should stand in the log."""

    game: str
    instance: str
    seats: Mapping[str, str]
    outcome: str = "success"
    main: float | None = 100.0
    experiment: str = "easy"
    reason: str = ""
    key: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    turns: tuple[tuple[str, str, str], ...] = ()
    """role, verdict, note"""
    assisted: bool = False
    kind: str = "model"
    rewards: Mapping[str, float] = field(default_factory=dict)


def put(log: Log, episodes: Iterable[Played]) -> list[str]:
    """Write them; returns their ids in order."""
    ids: list[str] = []
    rows: dict[str, list[tuple]] = {}
    for one in episodes:
        episode, at = new_id(), now()
        instance = content_id([one.game, one.instance])
        ids.append(episode)
        rows.setdefault("instances", []).append(
            (instance, one.game, one.instance, one.key or one.instance, one.experiment, "en", "test", None, "{}")
        )
        rows.setdefault("episodes", []).append(
            (episode, None, None, None, instance, one.game, 1, 0, None, None, "[]", at)
        )
        players = {role: digest("test", one.kind, name) for role, name in one.seats.items()}
        for role, name in one.seats.items():
            rows.setdefault("players", []).append((players[role], one.kind, name, "", "", "{}"))
            rows.setdefault("seats", []).append((episode, role, players[role], None))
        for ply, (role, verdict, note) in enumerate(one.turns):
            rows.setdefault("turns", []).append(
                (new_id(), episode, ply, 1, role, players[role], None, int(one.assisted), "x", verdict, note, "[]",
                 None, 0.0, at)
            )  # fmt: skip
        rows.setdefault("results", []).append(
            (episode, one.outcome, one.reason, one.main, to_json(dict(one.rewards)), "[]", len(one.turns), at)
        )
        rows.setdefault("scorings", []).append((episode, f"{one.game}@1", "[]", to_json(dict(one.metrics)), at))

    def write(connection) -> None:
        for table, some in rows.items():
            columns = ", ".join(_COLUMNS[table]) if table in _COLUMNS else None
            into = f"{table} ({columns})" if columns else table
            marks = ", ".join("?" * len(some[0]))
            connection.executemany(f"INSERT OR IGNORE INTO {into} VALUES ({marks})", some)

    log.write(write)
    return ids


_COLUMNS = {
    "turns": (
        "id", "episode_id", "ply", "round", "role", "player_id", "person_id", "assisted", "text", "verdict", "note",
        "says", "seen_hash", "ms", "created_at",
    )
}  # fmt: skip


def tree(root: Path) -> list[Played]:
    """The episodes of one model's results tree."""
    found: list[Played] = []
    for path in sorted(root.glob("*/*/*/scores.json")):
        scores = json.loads(path.read_text())
        whole = scores["episode scores"]
        game, experiment, place = path.parts[-4:-1]
        outcome = "aborted" if whole["Aborted"] else "success" if whole.get("Success") else "failure"
        main = whole.get("Main Score")
        seats = {role: who["model_name"] for role, who in scores["players"].items() if role != "GM"}
        seats = seats or {"Player 1": root.name}  # some games do not say
        found.append(
            Played(
                f"clem:{game}",
                f"{experiment}/{place}",
                seats,
                outcome,
                None if main is None or math.isnan(main) else float(main),
                experiment,
                metrics={name: value for name, value in whole.items() if isinstance(value, int | float)},
            )
        )
    return found


def official(folder: Path, model: str) -> list[Played]:
    """The episodes of one of the trees in shared/data."""
    with tarfile.open(DATA / f"clembench-results-{model}.tar.xz") as packed:
        packed.extractall(folder, filter="data")
    return tree(folder / model)


def row(
    key: str,
    main: float | None,
    model: str = "a",
    game: str = "g",
    *,
    outcome: str | None = None,
    players: Mapping[str, str] | None = None,
    episode: str | None = None,
    **changes,
) -> ScoredRow:
    """A scored row as the log would give it; main None is an aborted one."""
    seats = players or {"player": model}
    values = {
        "run": None, "experiment": "easy", "seed": 0, "group": None, "reason": "", "requests": Requests(1, 1, 0),
        "by_role": {}, "kinds": dict.fromkeys(seats, "model"),
    }  # fmt: skip
    values |= changes
    word = outcome or ("aborted" if main is None else "success" if main > 0 else "failure")
    return ScoredRow(
        episode=episode or new_id(), game=game, instance=f"{game}/{key}", key=key, players=seats, outcome=word,
        main=main, **values,
    )  # fmt: skip
