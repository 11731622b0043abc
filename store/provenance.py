"""What it takes to repeat a run: which program, which commit, which machine. Nothing that names a person or a host."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any


@lru_cache(maxsize=1)
def commit(root: Path | None = None) -> tuple[str | None, int | None]:
    """The commit this program runs from and whether files were changed since; (None, None) outside a checkout."""
    root = root or Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None, None
    head = _git(root, "rev-parse", "HEAD")
    if not head:
        return None, None
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    return head, None if changes is None else int(bool(changes))


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):  # no git here, or not our repository to read: then it is unknown
        return None
    return done.stdout.strip()


def hardware() -> dict[str, Any]:
    """Machine and versions: `system`, `machine`, `cpus`, `python`, `sqlite`."""
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
