"""Keys on the real screen without a terminal, each timed until the frame that answers it is drawn.

Two clocks: the wall's, which says what a person waits, and CPU time of the process, since the wall's says little where
other programs keep the processor busy.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from bench.common import digits

Taken = tuple[float, float]
"""Milliseconds by the clock, and of CPU time."""


def spread(times: Sequence[float]) -> dict[str, float]:
    """Median, 99th percentile (the highest of fewer than a hundred) and highest."""
    order = sorted(times)
    at = min(len(order) - 1, int(0.99 * len(order)))
    return {"median": digits(median(order)), "p99": digits(order[at]), "high": digits(order[-1])}


def both(taken: Sequence[Taken]) -> dict[str, dict[str, float]]:
    """The spread by either clock."""
    return {"wall": spread([wall for wall, _ in taken]), "cpu": spread([cpu for _, cpu in taken])}


class Keys:
    """Presses keys in an app that a Pilot drives. Frames are counted where the app hands them to its driver."""

    def __init__(self, app: Any, pilot: Any) -> None:
        self._app, self._pilot, self._frame = app, pilot, asyncio.Event()
        display = app._display

        def show(*what: Any) -> None:
            display(*what)
            self._frame.set()

        app._display = show

    async def press(self, key: str, there: Callable[[], bool]) -> Taken:
        """Press it and wait for the first frame by which `there()` holds. What else follows is drawn, not counted."""
        from textual import events

        self._frame.clear()
        began, busy = time.perf_counter(), time.process_time()
        self._app.post_message(events.Key(key, None))
        while True:
            await self._frame.wait()
            if there():
                break
            self._frame.clear()
        took = (time.perf_counter() - began) * 1000, (time.process_time() - busy) * 1000
        await self._pilot.pause(0)
        return took
