"""While the weights of a model load, a person is told so: what takes a moment says what it waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from playpen_tui.workbench import Workbench

T = TypeVar("T")

PATIENCE = 1.0
"""Seconds that nobody is told anything: the built-in model is mostly there by then."""


async def told(bench: Workbench, opening: Coroutine[Any, Any, T], tell: Callable[[str], None]) -> T:
    """What comes of `opening`. Where it takes longer, `tell` hears of each model once that it is loaded.

    Raises what `opening` raises; a cancellation reaches it.
    """
    task = asyncio.ensure_future(opening)
    last = ""
    try:
        while not (await asyncio.wait([task], timeout=PATIENCE))[0]:
            if (name := bench.loading) and name != last:
                tell(f"loading {name} …")
                last = name
        return task.result()
    finally:
        if task.cancel():
            await asyncio.wait([task])
