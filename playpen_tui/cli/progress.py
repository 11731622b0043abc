"""How far something is, on stderr: in one line on a terminal, else at every tenth."""

from __future__ import annotations

import sys


class Told:
    """Says how far it is when it is called with how many are done, of how many."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._tenth = -1

    def __call__(self, at: int, total: int) -> None:
        """So many of so many."""
        if sys.stderr.isatty():
            end = "\n" if at >= total else ""
            print(f"\r{at:,} of {total:,} {self.what}", end=end, file=sys.stderr, flush=True)
            return
        tenth = at * 10 // max(total, 1)
        if tenth != self._tenth:
            self._tenth = tenth
            print(f"{at:,} of {total:,} {self.what}", file=sys.stderr, flush=True)
