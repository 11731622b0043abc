"""`export --format clembench`: a results tree that clemcore's `score`, `transcribe` and `eval` accept.

What was imported goes out as it came, byte for byte. Our own episodes are told in clembench's words; their game's
folder is called `native_NAME`, since instances, prompts and scores are ours, and clembench's scorer of the same name
must not be let loose on them. A draw counts as lost there, with the word kept.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path, PurePosixPath

from store.errors import LogError
from store.exchange.chosen import LEAVING, Exported, Progress, choose, new_folder
from store.exchange.clem_told import told_group
from store.filters import Filters
from store.history import FOREIGN
from store.ids import unpacked
from store.log import Log
from store.people import Level


def export_clembench(
    log: Log, filters: Filters, out: Path, level: Level = LEAVING, progress: Progress | None = None
) -> Exported:
    """Write the tree to a folder that is new or empty. Raises LogError."""
    chosen = choose(log, filters, level)
    root = new_folder(out)
    reader = log.reader()
    kept = _kept(reader, chosen.ids)
    written, notes = 0, list[str]()
    names = _Folders()
    for path, data in _as_they_came(reader, kept, names, notes):
        _put(root, path, data)
        written += 1
    told = [id for id in chosen.ids if id not in kept]
    done = len(kept)
    for key, episodes in _groups(reader, told).items():
        for path, data in told_group(log, key, episodes, names):
            _put(root, path, data)
            written += 1
        done += len(episodes)
        if progress is not None:
            progress(done, len(chosen.ids))
    if any(_foreign(reader, id) for id in told):
        notes.append("some imported episodes have no files in this log, and were written from their turns")
    return Exported(out, len(chosen.ids), chosen.withheld, written, tuple(notes))


class _Folders:
    """Names of models' folders. Runs share one where no file of theirs contradicts another; else one gets a number."""

    def __init__(self) -> None:
        self._taken: dict[str, str] = {}
        self._placed: dict[str, str] = {}

    def of(self, name: str, owner: str) -> str:
        """The folder for episodes that are told, of an owner of their own."""
        for wish in _numbered(name):
            if self._taken.setdefault(wish, owner) == owner:
                return wish
        raise AssertionError("names do not end")

    def share(self, name: str, files: Mapping[str, str]) -> str:
        """The folder for files that were imported: paths below it with their hashes."""
        for wish in _numbered(name):
            placed = {f"{wish}/{path}": hash for path, hash in files.items()}
            if all(self._placed.get(path, hash) == hash for path, hash in placed.items()):
                self._placed |= placed
                self._taken[wish] = ""
                return wish
        raise AssertionError("names do not end")


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in count(2):
        yield f"{name}~{number}"


def _kept(reader: sqlite3.Connection, ids: Sequence[str]) -> dict[str, str]:
    """Run by episode, of those whose files are here."""
    here = dict(reader.execute("SELECT DISTINCT episode_id, run_id FROM files WHERE episode_id IS NOT NULL"))
    return {id: here[id] for id in ids if id in here}


def _as_they_came(
    reader: sqlite3.Connection, kept: Mapping[str, str], names: _Folders, notes: list[str]
) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Path and content of every imported file of these episodes, and of what they share."""
    for run in sorted(set(kept.values())):
        files = _of_run(reader, run, {id for id, of in kept.items() if of == run}, notes)
        for top in sorted({path.parts[0] for path in files}):
            mine = {"/".join(path.parts[1:]): hash for path, hash in files.items() if path.parts[0] == top}
            folder = names.share(top, mine)
            for rest, hash in mine.items():
                content, size = reader.execute("SELECT content, size FROM blobs WHERE hash = ?", (hash,)).fetchone()
                try:
                    yield PurePosixPath(folder, rest), unpacked(content, size)
                except zlib.error as error:
                    raise LogError(f"the imported file {rest} is damaged here; `db check` says more") from error


def _of_run(reader: sqlite3.Connection, run: str, episodes: set[str], notes: list[str]) -> dict[PurePosixPath, str]:
    """Files of a run that go: those of these episodes, and those that lie above them. Hash by path."""
    rows = reader.execute("SELECT path, episode_id, hash FROM files WHERE run_id = ? ORDER BY path", (run,)).fetchall()
    safe: list[tuple[PurePosixPath, str | None, str]] = []
    for path, episode, hash in rows:
        place = PurePosixPath(path)
        if place.is_absolute() or ".." in place.parts or "\0" in path or len(place.parts) < 2:
            notes.append(f"a file whose path leads out of the tree was left out: {path[:80]!r}")
        else:
            safe.append((place, episode, hash))
    above = {folder for place, episode, _ in safe if episode in episodes for folder in place.parents}
    return {
        place: hash
        for place, episode, hash in safe
        if episode in episodes or (episode is None and place.parent in above)
    }


def _groups(reader: sqlite3.Connection, ids: Sequence[str]) -> dict[tuple[str, str, str], list[str]]:
    """Episodes by players, game and experiment: the folders they go into."""
    found: dict[tuple[str, str, str], list[str]] = {}
    sql = """
    SELECT (SELECT json_group_array(name) FROM (SELECT p.name AS name FROM seats s JOIN players p ON p.id = s.player_id
      WHERE s.episode_id = e.id ORDER BY s.role)), e.game, i.experiment
    FROM episodes e JOIN instances i ON i.id = e.instance_id WHERE e.id = ?
    """
    for id in ids:
        players, game, experiment = reader.execute(sql, (id,)).fetchone()
        found.setdefault((players, game, experiment), []).append(id)
    return found


def _foreign(reader: sqlite3.Connection, id: str) -> bool:
    return reader.execute("SELECT game_version FROM episodes WHERE id = ?", (id,)).fetchone()[0] == FOREIGN


def _put(root: Path, path: PurePosixPath, data: bytes) -> None:
    place = root / path
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    except OSError as error:
        raise LogError(f"{place} cannot be written ({error.strerror}); choose another place with --out") from error
