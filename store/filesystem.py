"""What the operating system knows about the file: whether it lies on a network, and which process keeps it locked.

Both are read from /proc and are simply unknown where there is none.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

_PLAIN = ("9p", "afs", "ceph", "cifs", "coda", "gfs", "gfs2", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2")
_MORE = ("panfs", "smb", "smb2", "smb3", "smbfs", "sshfs")
_FUSE = ("ceph", "davfs", "davfs2", "glusterfs", "lustre", "nfs", "rclone", "s3fs", "smb", "sshfs")
NETWORK = frozenset([*_PLAIN, *_MORE, *(f"fuse.{kind}" for kind in _FUSE)])
"""File system types whose locks or shared memory SQLite's write-ahead log cannot trust."""


@dataclass(frozen=True, slots=True)
class NetworkFileSystem:
    """The log lies on a file system shared over a network. `str` is the sentence to show."""

    path: Path
    kind: str
    mount: Path

    def __str__(self) -> str:
        return (
            f"{self.path} lies on a network file system ({self.kind} at {self.mount}), so it is written without "
            "write-ahead log: slower, and by one process at a time; a path on a local disk is better (--db PATH)"
        )


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that keeps the file open or locked."""

    pid: int
    command: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command})"


def network_of(path: Path, mounts: Path = Path("/proc/mounts")) -> NetworkFileSystem | None:
    """The network file system that holds this path, or None where it is local or cannot be known."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    there = path.resolve()
    best: tuple[int, Path, str] | None = None
    for line in lines:
        parts = line.split()
        if len(parts) < 3:
            continue
        mount = Path(_unescape(parts[1]))
        # later lines cover earlier ones mounted on the same folder
        if there.is_relative_to(mount) and (best is None or len(mount.parts) >= best[0]):
            best = (len(mount.parts), mount, parts[2])
    if best is None or best[2] not in NETWORK:
        return None
    return NetworkFileSystem(path, best[2], best[1])


def _unescape(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), field)


def holders(path: Path, proc: Path = Path("/proc")) -> list[Holder]:
    """Other processes that hold a write lock on the log, or else those that have it open; [] where unknown."""
    files = [path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")]
    locking = _locking(files, proc)
    pids = locking or _opening(files, proc)
    return [Holder(pid, _command(pid, proc)) for pid in sorted(pids - {os.getpid()})]


def opening(path: Path, proc: Path = Path("/proc")) -> list[Holder]:
    """Other processes that have the log open; [] where unknown."""
    files = [path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")]
    return [Holder(pid, _command(pid, proc)) for pid in sorted(_opening(files, proc) - {os.getpid()})]


def _locking(files: list[Path], proc: Path) -> set[int]:
    inodes = {str(file.stat().st_ino) for file in files if file.exists()}
    try:
        lines = (proc / "locks").read_text().splitlines()
    except OSError:
        return set()
    pids: set[int] = set()
    for line in lines:  # 1: POSIX  ADVISORY  WRITE 4242 fe:00:1234 120 120; a waiting one has an arrow before POSIX
        parts = line.split()
        if len(parts) >= 8 and parts[3] == "WRITE" and parts[5].rpartition(":")[2] in inodes and parts[4].isdigit():
            pids.add(int(parts[4]))
    return {pid for pid in pids if pid > 0}


def _opening(files: list[Path], proc: Path) -> set[int]:
    wanted = {str(file.resolve()) for file in files}
    pids: set[int] = set()
    for folder in proc.glob("[0-9]*/fd"):
        try:
            if any(str(entry.readlink()) in wanted for entry in folder.iterdir()):
                pids.add(int(folder.parent.name))
        except OSError:  # it ended meanwhile, or belongs to somebody else
            continue
    return pids


def _command(pid: int, proc: Path) -> str:
    try:
        words = (proc / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return "ended meanwhile"
    text = " ".join(word.decode("utf-8", "replace") for word in words if word)
    return text[:80] + ("…" if len(text) > 80 else "")
