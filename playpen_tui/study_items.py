"""So many items of a queue, and no more: the judging that a study asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from playpen_tui.judging import Judging, Revealed, Shown, open_judging
from playpen_tui.workbench import Workbench


class SomeItems(Judging):
    """A judge who is shown items until so many votes were given (and not taken back)."""

    wanted = 0
    given = 0
    nothing_left = False
    """Whether the queue has no more for this judge."""

    @property
    def done(self) -> bool:
        """Whether they have judged what they were asked for, or all there is."""
        return self.given >= self.wanted or self.nothing_left

    async def next(self, but: Collection[str] = ()) -> Shown | None:
        """The next item, while some are still asked for."""
        if self.given >= self.wanted:
            return None
        shown = await super().next(but)
        self.nothing_left = shown is None and not but
        return shown

    async def vote(self, verdict: str, *, much: bool = False, early: bool = False) -> Revealed:
        """Write a vote, and count it."""
        told = await super().vote(verdict, much=much, early=early)
        self.given += 1
        return told

    async def undo(self) -> Shown | None:
        """Take the last vote back."""
        shown = await super().undo()
        if shown is not None:
            self.given = max(0, self.given - 1)
        return shown


async def some_items(bench: Workbench, queue: str, person: str, wanted: int) -> SomeItems:
    """So many items of a queue for this person. Raises what `open_judging` raises."""
    plain = await open_judging(bench, queue, person)
    items = await asyncio.to_thread(lambda: SomeItems(plain._log, plain.queue, plain._judge))
    items.wanted = wanted
    return items
