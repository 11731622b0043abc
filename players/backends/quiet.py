"""Where libraries make their noise: log files in the user's log directory, never a screen.

llama.cpp and others write to file descriptor 2, past everything that Python could redirect. So a process that loads
such a library is started with a file in place of it: `open_log`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

LARGEST = 2_000_000
"""Bytes; a larger file is put aside as `NAME.log.old` when it is opened the next time."""


def log_dir() -> Path:
    """The user's log directory of this program; `$XDG_STATE_HOME` holds on every system."""
    if home := os.environ.get("XDG_STATE_HOME"):
        return Path(home) / "playpen-tui" / "log"
    import platformdirs

    return platformdirs.user_log_path("playpen-tui")


def log_path(name: str) -> Path:
    """The log file of this library or worker."""
    return log_dir() / f"{name}.log"


def open_log(name: str) -> BinaryIO:
    """The log file, unbuffered and at its end; readable by this user only, since prompts may be quoted in it.

    Where it cannot be written (a full disk, a directory without rights) the noise goes nowhere.
    """
    path = log_path(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > LARGEST:
            path.replace(path.with_suffix(".log.old"))
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "wb", buffering=0)
    except OSError:
        return Path(os.devnull).open("wb", buffering=0)


def tail(name: str, marks: tuple[str, ...] = ("error", "fail"), since: int = 0) -> str:
    """The first line after byte `since` of the log that has one of these marks; empty where none has."""
    try:
        with log_path(name).open("rb") as file:
            file.seek(since)
            lines = file.read(100_000).decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in lines if any(mark in line.lower() for mark in marks)), "")


def size(name: str) -> int:
    """Bytes in the log now."""
    try:
        return log_path(name).stat().st_size
    except OSError:
        return 0
