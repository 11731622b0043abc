"""A board in as few lines as there are: what gives way first, so that whatever is shown is shown whole.

Half a picture is none: tiles and grids come before words, and are told smaller, or named, before they are cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from textual.content import Content

from games.boards import Card, Facts, Grid, Keys, Panel, Tiles
from playpen_tui.text import one_line
from playpen_tui.widgets.panels import Look, draw

LATEST = 3
"""Rows of tiles that words make room for."""


def fitted(panels: Sequence[Panel], width: int, height: int) -> list[Content]:
    """The board as at most `height` lines of at most `width` cells."""
    found: list[Content] = []
    for some, look in smaller(panels, width):
        found = lines(some, look, height)
        if fits(found, width, height):
            return found
    found = [row.truncate(width, ellipsis=True) for row in found]
    return [*found[: max(0, height - 1)], Content.styled("…", "$secondary")][: max(0, height)]


def fits(rows: Sequence[Content], width: int, height: int) -> bool:
    """Whether these lines have room there."""
    return len(rows) <= height and all(row.cell_length <= width for row in rows)


def lines(panels: Sequence[Panel], look: Look, height: int) -> list[Content]:
    """Panels as lines, with a gap between them where that fits."""
    rows: list[Content] = []
    for _, content in draw([replace(panel, private=False) for panel in panels], look):
        rows += [*content.split("\n"), Content("")]
    while rows and not rows[-1].plain.strip():
        rows.pop()
    return rows if len(rows) <= height else [row for row in rows if row.plain.strip()]


def gently(panels: Sequence[Panel], width: int) -> Iterator[tuple[Sequence[Panel], Look]]:
    """The panels, then ever less of them, as long as that leaves a good board.

    No keyboard, and no rows of tiles that nobody has filled but for the next; small grids; lists in one line; only the
    latest tiles; every fact in one line.
    """
    look = Look(compact=True, width=width)
    some: list[Panel] = [_short(panel) for panel in panels if not isinstance(panel, Keys)]
    yield some, look
    if any(isinstance(panel, Grid) for panel in some):
        look = replace(look, small=True)
        yield some, look
    some = listed(some)
    yield some, look
    while (fewer := [_latest(panel, LATEST) for panel in some]) != some:
        some = fewer
        yield some, look
    yield some, replace(look, wrap=False)


def smaller(panels: Sequence[Panel], width: int) -> Iterator[tuple[Sequence[Panel], Look]]:
    """The same, and still less: beside a picture no words; the latest row of tiles; the grid that matters; its name."""
    some: Sequence[Panel] = panels
    look = Look()
    for some, look in gently(panels, width):
        yield some, look
    if not any(isinstance(panel, Grid | Tiles) for panel in some):
        return
    some = [replace(panel, items=()) if isinstance(panel, Card) else panel for panel in some]
    yield some, look
    words = [panel for panel in some if not isinstance(panel, Grid | Tiles)]
    for panel in sorted(words, key=lambda panel: not isinstance(panel, Card)):
        some = [other for other in some if other is not panel]
        yield some, look
    while (fewer := [_latest(panel, 1) for panel in some]) != some:
        some = fewer
        yield some, look
    grids = [panel for panel in some if isinstance(panel, Grid)]
    if grids:
        yield [next((grid for grid in grids if grid.target), grids[0])], look
        yield [_named(grids)], look


def listed(panels: Sequence[Panel]) -> list[Panel]:
    """Cards whose list stands in one line."""
    return [
        replace(panel, items=(", ".join(panel.items),)) if isinstance(panel, Card) and panel.items else panel
        for panel in panels
    ]


def _short(panel: Panel) -> Panel:
    """Tiles without the rows that nobody has filled, but for the next."""
    if isinstance(panel, Tiles):
        return replace(panel, height=min(panel.height, len(panel.rows) + 1))
    return panel


def _latest(panel: Panel, least: int) -> Panel:
    """Tiles with a row less, as long as `least` are left: first the empty one, then the oldest."""
    if not isinstance(panel, Tiles) or panel.height <= least:
        return panel
    if panel.height > len(panel.rows):
        return replace(panel, height=panel.height - 1) if panel.rows else panel
    return replace(panel, rows=panel.rows[1:], height=len(panel.rows) - 1)


def _named(grids: Sequence[Grid]) -> Panel:
    """What the pictures are, where none can be shown."""
    rows = grids[0].rows
    what = f"{len(grids)} × {max((len(row) for row in rows), default=0)}×{len(rows)}"
    return Facts(((what, ", ".join(("▸ " if grid.target else "") + one_line(grid.title) for grid in grids)),))
