"""What a training writes into the log while it goes on, from a thread beside the trainer's: a step never waits for the
disk, nor for another process that has the log locked.
"""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import TypeAlias

from store.errors import LogClosed, LogError
from store.log import Log

Entry: TypeAlias = Callable[[sqlite3.Connection], object]
BEAT = 2.0
"""Seconds between two heartbeats, and at most between an entry and its being written."""


class Diary:
    """Entries in the order they came, written together at every heartbeat; what the log refuses waits for the next."""

    def __init__(self, log: Log, beat: Entry) -> None:
        self.log = log
        self._beat = beat
        self._waiting: list[Entry] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._own = self._writer = 0.0
        self._thread = threading.Thread(target=self._run, name="playpen-diary", daemon=True)

    def start(self) -> None:
        """Begin to write and to beat. The first beat is waited for. Raises LogError."""
        self._write([self._beat])
        self._thread.start()

    def note(self, entry: Entry) -> None:
        """Let this be written soon; from any thread, and at once."""
        with self._lock:
            self._waiting.append(entry)

    def seconds(self) -> float:
        """CPU time that writing took so far, in this thread and the log's own."""
        return self._own + self._writer

    def close(self) -> None:
        """Write what waits. Raises LogError where that cannot be written either."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        self._write(self._take())

    def _take(self) -> list[Entry]:
        with self._lock:
            found, self._waiting = self._waiting, []
        return found

    def _run(self) -> None:
        while not self._over.wait(BEAT):
            entries = self._take()
            try:
                self._write([self._beat, *entries])
            except LogClosed:  # whoever closes the log before the diary has said all there was to say
                return
            except LogError as error:  # locked, or full: said in the job's own words, and tried again
                print(f"the log: {error}", file=sys.stderr, flush=True)
                with self._lock:
                    self._waiting[:0] = entries
            self._own = time.thread_time()

    def _write(self, entries: Iterable[Entry]) -> None:
        def write(db: sqlite3.Connection) -> None:
            for entry in entries:
                entry(db)
            self._writer = time.thread_time()

        self.log.write(write)
