"""How fast somebody judges: the clock of a sitting, which stands still while nobody looks. No screen."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

LAST = 20
"""Verdicts that the pace is taken over."""
FEW = 3
"""Verdicts below which there is no pace yet."""


class Pace:
    """Counts verdicts against the time that was spent looking. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._gone = 0.0
        self._since: float | None = clock()
        self._marks: deque[float] = deque([0.0], LAST + 1)

    @property
    def spent(self) -> float:
        """Seconds of looking so far."""
        return self._gone + (0.0 if self._since is None else self._clock() - self._since)

    @property
    def paused(self) -> bool:
        """Whether the clock stands still."""
        return self._since is None

    def pause(self) -> None:
        """Nobody looks."""
        self._gone, self._since = self.spent, None

    def go_on(self) -> None:
        """Somebody looks again."""
        if self._since is None:
            self._since = self._clock()

    def mark(self) -> None:
        """A verdict."""
        self._marks.append(self.spent)

    def unmark(self) -> None:
        """The last verdict was taken back; the time it took stays spent."""
        if len(self._marks) > 1:
            self._marks.pop()

    @property
    def per_minute(self) -> int | None:
        """Verdicts a minute over the last ones; None while there are too few to say."""
        count, seconds = len(self._marks) - 1, self.spent - self._marks[0]
        return None if count < FEW or seconds <= 0 else round(60 * count / seconds)
