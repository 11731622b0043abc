"""Reading a folder that somebody else wrote: nothing outside it, no links, nothing endless, and a reason for each no.

What comes in from a tree is bytes of ordinary files below a limit. JSON is read as clembench writes it, bare `NaN`
included. A file that cannot be read is listed with a reason and does not stop the others.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from store.errors import LogError
from store.ids import clean

LARGEST = 64 << 20
"""Bytes of a file that is read at most."""
DEPTH = 16
"""Folders below folders that are looked into."""
NESTED = 200
"""Levels of JSON that are kept as JSON: SQLite itself reads no more than a thousand."""


class NothingThere(LogError):
    """The named folder or file is not there, or holds nothing that could be imported."""


class Unreadable(Exception):
    """A file that cannot be taken; the message says why, and goes after the file's name."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that did not come in (or an episode: then `path` is its folder), and why."""

    path: str
    reason: str


@dataclass(slots=True)
class Tree:
    """What a folder holds: per folder its ordinary files, and entries that are not to be read with a reason each."""

    root: Path
    files: dict[Path, dict[str, Path]] = field(default_factory=dict[Path, dict[str, Path]])
    odd: dict[Path, dict[str, str]] = field(default_factory=dict[Path, dict[str, str]])

    def name(self, path: Path) -> str:
        """The path as it is told to people: from the imported folder on."""
        return shown(str(path.relative_to(self.root)) if path != self.root else path.name)


def shown(path: str) -> str:
    """A path without bytes that are no text, for messages."""
    return path.encode("utf-8", "replace").decode("utf-8")


def walk(root: Path) -> Tree:
    """Every file below a folder, in order of names. Raises NothingThere where there is no such folder."""
    try:
        root = root.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise NothingThere(f"there is no folder {shown(str(root))}; name the folder of a results tree") from error
    if not root.is_dir():
        raise NothingThere(f"{shown(str(root))} is a file; name the folder of a results tree")
    tree = Tree(root)
    waiting = [(root, 0)]
    while waiting:
        folder, depth = waiting.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            tree.odd.setdefault(folder.parent, {})[folder.name] = f"cannot be opened ({error.strerror})"
            continue
        tree.files[folder] = {}
        below: list[tuple[Path, int]] = []
        for entry in entries:
            reason = _odd(entry, depth)
            if reason:
                tree.odd.setdefault(folder, {})[entry.name] = reason
            elif entry.is_dir(follow_symlinks=False):
                below.append((Path(entry.path), depth + 1))
            else:
                tree.files[folder][entry.name] = Path(entry.path)
        waiting += reversed(below)
    return tree


def _odd(entry: os.DirEntry[str], depth: int) -> str:
    """Why an entry of a folder is not read; nothing where it is."""
    if not _text(entry.name):
        return "has a name that is not UTF-8"
    if entry.is_symlink():
        return "is a link, and links are not followed"
    if entry.is_dir(follow_symlinks=False):
        if entry.name.endswith(".json"):
            return "is a folder"
        return f"lies more than {DEPTH} folders deep" if depth >= DEPTH else ""
    return "" if entry.is_file(follow_symlinks=False) else "is no ordinary file"


def _text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def read(path: Path, largest: int = LARGEST) -> bytes:
    """The content of an ordinary file. Raises Unreadable."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
        with os.fdopen(number, "rb") as file:
            about = os.fstat(number)
            if not stat.S_ISREG(about.st_mode):
                raise Unreadable("is no ordinary file")
            if about.st_size > largest:
                raise Unreadable(f"is larger than {largest >> 20} MB")
            data = file.read(largest + 1)
    except OSError as error:
        raise Unreadable(f"cannot be read ({error.strerror})") from error
    if len(data) > largest:
        raise Unreadable(f"is larger than {largest >> 20} MB")
    return data


def parse(data: bytes) -> Any:
    """JSON, `NaN` and `Infinity` as floats. Raises Unreadable."""
    try:
        return json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Unreadable(f"is not UTF-8 (byte {error.start})") from error
    except json.JSONDecodeError as error:
        if not data.strip():
            raise Unreadable("is empty") from error
        raise Unreadable(f"is no JSON, or was cut off ({error.msg}, line {error.lineno})") from error
    except RecursionError as error:
        raise Unreadable("is nested too deeply") from error
    except ValueError as error:  # Python refuses to read a number of thousands of digits
        raise Unreadable("holds a number that is too long") from error


def parse_object(data: bytes, most: int = NESTED) -> dict[str, Any]:
    """A JSON object that is not nested too deeply for the log. Raises Unreadable."""
    found = parse(data)
    if not isinstance(found, dict):
        raise Unreadable("is JSON, but no object")
    if deep(cast(Any, found), most):
        raise Unreadable("is nested too deeply")
    return cast(dict[str, Any], found)


def deep(value: Any, most: int = NESTED) -> bool:
    """Whether a JSON value has more than so many levels."""
    level: list[Any] = [value]
    for _ in range(most):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += cast(dict[str, Any], item).values()
            elif isinstance(item, list):
                below += cast(list[Any], item)
        if not below:
            return False
        level = [item for item in below if isinstance(item, dict | list)]
    return bool(level)


def moment(text: object) -> int | None:
    """Milliseconds since 1970 of a time as clembench writes it (local, without a zone: taken as UTC); None if not."""
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            time = time.replace(tzinfo=UTC)
        found = int(time.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
    return found if found >= 0 else None


def mapping(value: object) -> Mapping[str, Any]:
    """The value where it is a JSON object, else an empty one."""
    return cast(Mapping[str, Any], value) if isinstance(value, dict) else {}


def text_of(*told: object, most: int = 200) -> str:
    """The first of these that is a text with something in it, as the log can hold it; else nothing."""
    return next((clean(text)[:most] for text in told if isinstance(text, str) and text.strip()), "")
