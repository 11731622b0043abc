"""`import clembench`: a results tree becomes one run per models' folder, and its files are kept as they were.

Episodes belong to games called `clem:NAME`, which are known from their logs alone: shown from stored messages, never
replayed. A branch is a whole episode that shares a group with its siblings. Ids come from content, so the same tree
imported again, also from a copy elsewhere, adds nothing but what is new; what was known stays as it was. Episodes are
written in small transactions, each whole, so a tree that is half broken leaves the good half.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from store.errors import LogError
from store.exchange.clem_episode import Frame, Read, compressed, read_episode
from store.exchange.clem_instances import Splits
from store.exchange.clem_tree import EXPERIMENT, RunFolder, path_in, runs
from store.exchange.intake import NothingThere, Refused, Tree, Unreadable, mapping, moment, parse_object, read, walk
from store.ids import blob_hash, content_id, fixed_id, now, to_json, written
from store.log import Log
from store.people import DEFAULT
from store.provenance import hardware
from store.writer import Row, insert

BATCH = 64
"""Episodes in one transaction."""

Progress = Callable[[int, int], None]
"""Told how many episodes were looked at, of how many."""


@dataclass(slots=True)
class Imported:
    """What an import did."""

    runs: list[str] = field(default_factory=list[str])
    """Ids of the runs that the tree became."""
    episodes: int = 0
    """New episodes."""
    known: int = 0
    """Episodes that the log had already."""
    completed: int = 0
    """Known episodes that had no result, and have one now."""
    unfinished: int = 0
    """New episodes without a result."""
    turns: int = 0
    files: int = 0
    """New files whose bytes are kept."""
    size: int = 0
    """Bytes of those files."""
    moved: int = 0
    """Known instances whose split was changed, since the file of splits says otherwise."""
    games: dict[str, int] = field(default_factory=dict[str, int])
    """New episodes per game."""
    refused: list[Refused] = field(default_factory=list[Refused])


def import_clembench(
    log: Log, folder: Path, splits: Splits | None = None, *, app_version: str = "", progress: Progress | None = None
) -> Imported:
    """Bring a results tree into the log. Raises NothingThere where it is none, and LogError of the file's own."""
    done = Imported()
    tree = walk(folder)
    found = list(runs(tree, done.refused))
    own = {log.path.resolve().with_name(log.path.name + ending) for ending in ("", "-wal", "-shm", "-journal")}
    done.refused = [refused for refused in done.refused if tree.root / refused.path not in own]
    total = sum(len(run.episodes) for run in found)
    if not total:
        raise NothingThere(
            f"{tree.root.name} holds no clembench episodes (no interactions.json, no instance.json); name the folder "
            "of a model's results, or one above it"
        )
    seen = 0
    for run in found:
        about = _look(tree, run, splits or Splits(), app_version, done)
        for batch in _batches(run, about, tree, done):
            _write(log, about, batch, done, splits is not None)
            seen += BATCH
            if progress is not None:
                progress(min(seen, total), total)
        if log.write(lambda db, about=about: _share(db, about, done)):
            done.runs.append(about.run)
    return done


@dataclass(slots=True)
class _Run:
    """A run that is being imported. It is written with its first new episode: a tree that is known makes none."""

    run: str
    row: Row
    shared: Sequence[tuple[str, bytes]]
    """Path and content of the files that belong to all of it."""
    run_json: Mapping[str, Any]
    experiments: Mapping[Path, Mapping[str, Any]]
    at: int
    splits: Splits
    names: Mapping[Path, str]


def _look(tree: Tree, folder: RunFolder, splits: Splits, app_version: str, done: Imported) -> _Run:
    """What the files above the episodes say of a run."""
    parsed: dict[Path, Mapping[str, Any]] = {}
    contents: list[tuple[str, bytes]] = []
    for file in folder.shared:
        try:
            data = read(file)
            contents.append((path_in(folder.path, file), data))
            parsed[file] = parse_object(data)
        except Unreadable as error:
            done.refused.append(Refused(tree.name(file), str(error)))
    experiments = {file.parent: about for file, about in parsed.items() if EXPERIMENT.fullmatch(file.name)}
    run_json = parsed.get(folder.path / "run.json", {})
    created = moment(run_json.get("created"))
    times = [time for about in experiments.values() if (time := moment(about.get("timestamp"))) is not None]
    at = created if created is not None else min(times, default=0)
    models = run_json.get("player_models")
    if models is None:
        models = next((about["player_models"] for about in experiments.values() if "player_models" in about), None)
    name = folder.path.name.encode("utf-8", "replace").decode("utf-8")
    id = fixed_id(at, "run", content_id(models), "" if models else name)
    names = [mapping(mapping(model).get("model_spec")).get("model_name") for model in mapping(models).values()]
    versions = [run_json.get("clem_version"), *(about.get("clem_version") for about in experiments.values())]
    config = {
        "from": name,
        "format": "clembench",
        "clem_version": next((version for version in versions if isinstance(version, str)), None),
        "models": [name for name in names if isinstance(name, str)] or name.split("--"),
    }
    machine = to_json(hardware())
    row = (id, "import", written(at), app_version, None, None, None, to_json(config), content_id(config), machine)
    return _Run(id, row, contents, run_json, experiments, at, splits, _Names(tree))


def _share(db: sqlite3.Connection, run: _Run, done: Imported) -> bool:
    """Keep the files that belong to all of a run; False where there is no such run, since all of it was known."""
    if not db.execute("SELECT 1 FROM runs WHERE id = ?", (run.run,)).fetchone():
        return False
    _files(db, run.run, None, run.shared, done)
    return True


class _Names(dict[Path, str]):
    """Paths as they are told to people."""

    def __init__(self, tree: Tree) -> None:
        super().__init__()
        self._tree = tree

    def __missing__(self, path: Path) -> str:
        return self._tree.name(path)


def _batches(folder: RunFolder, run: _Run, tree: Tree, done: Imported) -> Iterator[list[Read]]:
    batch: list[Read] = []
    for episode in folder.episodes:
        about = run.experiments.get(episode.experiment, {})
        frame = Frame(run.run, run.run_json, about, run.at, run.splits, run.names)
        try:
            batch.append(read_episode(episode, frame))
            done.refused += batch[-1].refused
        except Unreadable as error:
            done.refused.append(Refused(tree.name(episode.path), str(error)))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _write(log: Log, run: _Run, batch: Sequence[Read], done: Imported, resplit: bool) -> None:
    """Write a batch in one transaction; where something in it is refused, each episode by itself."""
    try:
        counts = log.write(lambda db: _insert(db, run, batch, resplit))
    except LogError as error:
        if len(batch) == 1:
            if not isinstance(error.__cause__, sqlite3.IntegrityError | sqlite3.DataError | OverflowError):
                raise
            done.refused.append(Refused(batch[0].contents[0][0], f"does not fit into the log ({error.__cause__})"))
            return
        for one in batch:
            _write(log, run, [one], done, resplit)
        return
    _add(done, counts)


def _add(done: Imported, part: Imported) -> None:
    for name in ("episodes", "known", "completed", "unfinished", "turns", "files", "size", "moved"):
        setattr(done, name, getattr(done, name) + getattr(part, name))
    for game, count in part.games.items():
        done.games[game] = done.games.get(game, 0) + count
    done.refused += part.refused


def _insert(db: sqlite3.Connection, run: _Run, batch: Sequence[Read], resplit: bool) -> Imported:
    """Inside a transaction: what is new of these episodes."""
    part = Imported()
    new: list[Mapping[str, Sequence[Row]]] = []
    owned: list[Read] = []
    there = set[str]()
    for one in batch:
        if db.execute("SELECT 1 FROM tombstones WHERE kind = 'episodes' AND id = ?", (one.id,)).fetchone():
            part.refused.append(Refused(one.contents[0][0], "was erased here, and does not come back"))
            continue
        found = db.execute("SELECT run_id FROM episodes WHERE id = ?", (one.id,)).fetchone()
        if one.id in there or found is not None:
            part.known += 1
            if found is not None and found[0] == run.run:
                owned.append(one)
                part.completed += _complete(db, one)
        else:
            there.add(one.id)
            new.append({**one.rows, **one.ending} if one.finished else one.rows)
            owned.append(one)
            part.episodes += 1
            part.unfinished += not one.finished
            part.turns += len(one.rows["turns"])
            part.games[one.game] = part.games.get(one.game, 0) + 1
            _people(db, one.people)
        if resplit:
            sql = "UPDATE instances SET split = ?1 WHERE id = ?2 AND split <> ?1"
            part.moved += db.execute(sql, (one.instance[6], one.instance[0])).rowcount
    if new and not db.execute("SELECT 1 FROM runs WHERE id = ?", (run.run,)).fetchone():
        insert(db, [{"runs": [run.row]}])
    insert(db, new)
    for one in owned:
        _files(db, run.run, one.id, one.contents, part)
    return part


def _complete(db: sqlite3.Connection, one: Read) -> int:
    """Give a known episode its end where it had none."""
    if not one.finished or db.execute("SELECT 1 FROM results WHERE episode_id = ?", (one.id,)).fetchone():
        return 0
    insert(db, [{"messages": one.rows["messages"], **one.ending}])
    return 1


def _people(db: sqlite3.Connection, people: Iterable[str]) -> None:
    """People of somebody else's log agreed to nothing that we know of: their words stay on this machine."""
    at = now()
    for person in people:
        db.execute(
            "INSERT INTO people (id, consent, consent_version, consented_at, created_at) VALUES (?, ?, 'import', ?, ?) "
            "ON CONFLICT DO NOTHING",
            (person, DEFAULT, at, at),
        )


def _files(
    db: sqlite3.Connection, run: str, episode: str | None, contents: Sequence[tuple[str, bytes]], done: Imported
) -> None:
    """Keep the bytes of files that are new here; one that has changed since stays as it was first.

    A copy of the tree may be called otherwise: paths go by the name that the run's folder had first.
    """
    first = db.execute("SELECT path FROM files WHERE run_id = ? LIMIT 1", (run,)).fetchone()
    for told, content in contents:
        path = told if first is None else f"{first[0].partition('/')[0]}/{told.partition('/')[2]}"
        name = blob_hash(content)
        known = db.execute("SELECT hash FROM files WHERE run_id = ? AND path = ?", (run, path)).fetchone()
        if known is None:
            if db.execute("SELECT 1 FROM tombstones WHERE kind = 'blobs' AND id = ?", (name,)).fetchone():
                done.refused.append(Refused(path, "was erased here, and does not come back"))
                continue
            if not db.execute("SELECT 1 FROM blobs WHERE hash = ?", (name,)).fetchone():
                insert(db, [{"blobs": [compressed(content)]}])
            insert(db, [{"files": [(run, episode, path, name)]}])
            done.files += 1
            done.size += len(content)
        elif known[0] != name:
            done.refused.append(Refused(path, "differs from what was imported before, which stays"))
