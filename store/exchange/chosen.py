"""Which episodes leave the machine: those that were asked for, less those in which somebody did not agree to it.

A branch shows its parents' turns, so they go with it; where one of them may not go, the branch stays as well.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from store.errors import FileExists, LogError, NoFolder
from store.filters import Filters
from store.log import Log
from store.people import LEVELS, Level

LEAVING: Level = "research"
"""What people must have agreed to, at least, for their words to leave the machine."""

Progress = Callable[[int, int], None]
"""Told how many episodes are done, of how many."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Episodes to be exported, parents before branches."""

    ids: tuple[str, ...]
    """Those that fit, and their parents."""
    withheld: int
    """Episodes that fit, but stay since somebody in them agreed to less."""
    parents: int
    """Episodes that did not fit, and go since a branch needs them."""
    level: Level
    barred: tuple[str, ...]
    """Every episode of the log that may not leave at this level, whether it fits or not."""
    whole: bool
    """Whether all of the log was asked for."""


@dataclass(frozen=True, slots=True)
class Held:
    """What stays of what belongs to episodes that go, since whoever gave it agreed to less."""

    candidates: int = 0
    judgements: int = 0
    """Theirs, and those that speak of a candidate or an episode that stays."""
    participants: int = 0
    """People who took part in studies, with their answers."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote."""

    path: Path
    episodes: int
    withheld: int
    files: int = 1
    notes: tuple[str, ...] = ()
    """Sentences about what is not there, or not as one might think."""
    held: Held | None = None
    """None of forms that hold neither candidates nor judgements."""


def choose(log: Log, filters: Filters, level: Level = LEAVING) -> Chosen:
    """The episodes that fit and may leave at this level. Raises as `Queries.count` does."""
    wanted = log.queries.ids(filters)
    free = set(log.queries.ids(Filters(consent=level, trash="either")))
    above = _parents(log.reader())
    found: dict[str, None] = {}
    withheld = 0
    for id in wanted:
        line = [id]
        while (parent := above.get(line[-1])) is not None:
            line.append(parent)
        if free.issuperset(line):
            found.update(dict.fromkeys(line))
        else:
            withheld += 1
    every = (id for (id,) in log.reader().execute("SELECT id FROM episodes"))
    barred = tuple(id for id in every if id not in free)
    return Chosen(
        tuple(sorted(found)), withheld, len(found) - (len(wanted) - withheld), level, barred, whole=not filters
    )


def only(filters: Filters, level: Level) -> Filters:
    """The filters with the level of consent."""
    return replace(filters, consent=level)


def _parents(reader: sqlite3.Connection) -> dict[str, str]:
    return dict(reader.execute("SELECT id, parent_id FROM episodes WHERE parent_id IS NOT NULL"))


def allowed(level: Level) -> Sequence[str]:
    """The levels that are at least this one."""
    return LEVELS[LEVELS.index(level) :]


def new_file(path: Path) -> Path:
    """The path, where a new file can be written. Raises FileExists, NoFolder."""
    if not path.absolute().parent.is_dir():
        raise NoFolder(f"there is no folder {path.absolute().parent} for the export; create it first")
    if path.exists() or path.is_symlink():
        raise FileExists(f"{path} exists, and an export overwrites nothing; choose another name with --out")
    return path


def new_folder(path: Path) -> Path:
    """The path, made where it was not; an empty folder will do. Raises FileExists, NoFolder, LogError."""
    if not path.absolute().parent.is_dir():
        raise NoFolder(f"there is no folder {path.absolute().parent} for the export; create it first")
    if path.is_dir() and not any(path.iterdir()):
        return path
    if path.exists() or path.is_symlink():
        raise FileExists(f"{path} is not empty, and an export overwrites nothing; choose another folder with --out")
    try:
        path.mkdir()
    except OSError as error:
        raise LogError(f"{path} cannot be made ({error.strerror}); choose another place with --out") from error
    return path


def file_name(text: str, most: int = 120) -> str:
    """A text as one part of a path: nothing that a file system or a shell would take for something else."""
    plain = re.sub(r"[^\w.+=@,~-]", "_", text)[:most]
    return plain if plain.strip(".") else "_" + plain


def pretty(value: Any) -> bytes:
    """JSON for a file, indented as clembench does; NaN stays bare, as it does there."""
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
