"""Branch runs of this process: they go on whatever screen is open, and share their models.

A screen starts one, hears of changes, and reads the tree from the log; the workbench ends them when it closes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from players.opening import Table
from playpen_tui.branching import Branching, BranchWish, open_branching

if TYPE_CHECKING:
    from playpen_tui.workbench import Workbench


class BranchRuns:
    """Those that go on, and how the last ones ended."""

    def __init__(self, bench: Workbench) -> None:
        self.trouble = ""
        """Why the last one that failed did."""
        self._bench = bench
        self._table: Table | None = None
        self._running: dict[Branching, asyncio.Task[None]] = {}
        self._ears: list[Callable[[], None]] = []

    async def start(self, wish: BranchWish) -> Branching:
        """Open a run and let it go on in the background. Raises what `open_branching` raises."""
        if self._table is None:
            self._table = self._bench.table((await self._bench.log()).history)
        opened = await open_branching(self._bench, wish, table=self._table)
        opened.scheduler.listen(lambda lane, event: self._tell() if event is None else None)
        self._running[opened] = asyncio.ensure_future(self._follow(opened))
        return opened

    def at(self, episode: str, ply: int) -> list[Branching]:
        """Runs that go on at this point."""
        return [one for one in self._running if any(each.where.key == (episode, ply) for each in one.points)]

    def listen(self, hear: Callable[[], None]) -> Callable[[], None]:
        """Hear of every change; returns what ends it."""
        self._ears.append(hear)
        return lambda: self._ears.remove(hear) if hear in self._ears else None

    async def close(self) -> None:
        """Stop what goes on, and close the models."""
        running = list(self._running.items())
        for opened, _ in running:
            opened.stop()
        if running:
            await asyncio.wait([task for _, task in running])
        if self._table is not None:
            table, self._table = self._table, None
            await table.aclose()

    async def _follow(self, opened: Branching) -> None:
        try:
            tally = await opened.run()
            kinds = [*opened.unsampled, *tally.errors]
            self.trouble = f"some could not go on: {', '.join(dict.fromkeys(kinds))}" if kinds else ""
        except Exception as error:  # whoever looks is told; nobody awaits this
            self.trouble = str(error) or type(error).__name__
        finally:
            self._running.pop(opened, None)
            self._tell()

    def _tell(self) -> None:
        for hear in tuple(self._ears):
            with suppress(RuntimeError):  # its screen was closed meanwhile
                hear()
