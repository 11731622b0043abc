"""Draws the panels of a board: cards, tiles, keyboards, grids, facts and lines, as styled text.

Every mark is a letter, a glyph and a colour at once.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest

from textual.content import Content

from games.boards import Card, Facts, Grid, Keys, Lines, Mark, Panel, Tile, Tiles
from playpen_tui.text import clean, one_line, short

MARKS: dict[Mark, tuple[str, str, str]] = {
    "here": ("●", "bold $background on $success", "here"),
    "elsewhere": ("◐", "bold $background on $warning", "elsewhere"),
    "absent": ("○", "$foreground 60% on $panel", "not in it"),
    "empty": (" ", "$foreground 40% on $surface", ""),
}
"""Glyph, style and word of each mark."""

BLANK = frozenset(" .·_□▢")
"""Cells of a picture that are empty."""
BLOCKS = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
"""Two cells of a picture in one."""
SHARE = 3
"""What part of the columns a label may take so that words which do not fit in one line stand beside it."""


@dataclass(frozen=True, slots=True)
class Look:
    """How panels are drawn: `compact` saves rows; grids in `small` form take half the rows and columns.

    What is longer than `width` cells is wrapped, and hangs beside its label; without `wrap` it is cut. None: it runs
    on as it is.
    """

    compact: bool = False
    width: int | None = None
    wrap: bool = True
    small: bool = False


def _spaced(word: str, room: int) -> str:
    return " ".join(word.upper()) if len(word) <= 14 and len(word) * 2 <= room else word.upper()


def _hanging(label: Content, text: str, look: Look, style: str = "") -> Content:
    """Text beside its label, further lines below its beginning; below the label where it leaves too little room."""
    room = len(text) if look.width is None else look.width - label.cell_length
    if len(text) <= room:
        return label + Content.styled(text, style)
    if not look.wrap:
        return label + Content.styled(short(text, max(1, room)), style)
    beside = label.cell_length * SHARE <= look.width if look.width else True
    room, indent = (room, " " * label.cell_length) if beside else (room + label.cell_length - 2, "  ")
    rows = [Content(indent) + Content.styled(row, style) for row in textwrap.wrap(text, max(8, room))]
    if not beside:
        return Content("\n").join([label.rstrip(), *rows])
    return Content("\n").join([label + rows[0][len(indent) :], *rows[1:]])


def _card(card: Card, look: Look) -> Content:
    label = Content.styled(f"{one_line(card.title)}  ", "$secondary")
    head = one_line(card.head, 400)
    if " " not in head:
        head = _spaced(head, (look.width or 80) - label.cell_length)
    parts = [_hanging(label, head, look, "bold $accent")]
    if len(card.items) > 1 or (card.items and not look.compact):
        parts.append(Content(""))
    title = one_line(card.label)
    for number, item in enumerate(card.items):
        label = title if number == 0 else " " * len(title)
        parts.append(_hanging(Content.styled(f"{label}  ", "$secondary"), one_line(item, 400), look))
    return Content("\n").join(parts)


def tile(cell: Tile) -> Content:
    """One tile, five cells wide."""
    glyph, style, _ = MARKS[cell.mark]
    letter = clean(cell.letter[:1]).upper() or "·"
    return Content.styled(f" {letter} {glyph} ", style)


def _tiles(tiles: Tiles, compact: bool) -> Content:
    empty = tuple(Tile("") for _ in range(tiles.width))
    rows = [*tiles.rows, *([empty] * (tiles.height - len(tiles.rows)))]
    drawn = [Content(" ").join(tile(cell) for cell in row) for row in rows]
    return Content("\n" if compact else "\n\n").join(drawn)


def _key(letter: str, mark: Mark | None) -> Content:
    """A key is three cells: the letter, the glyph of what is known of it, and a gap."""
    letter = clean(letter)
    if mark is None:
        return Content(f"{letter}  ")
    if mark == "absent":
        return Content.styled("·  ", "$secondary")
    glyph, style, _ = MARKS[mark]
    return Content.styled(f"{letter.upper()}{glyph}", style) + Content(" ")


def _keys(keys: Keys) -> Content:
    rows = [
        Content(" " * number) + Content("").join(_key(letter, keys.marks.get(letter)) for letter in row)
        for number, row in enumerate(keys.rows)
    ]
    known: tuple[Mark, ...] = ("here", "elsewhere", "absent")
    there = frozenset(keys.marks.values())
    used: list[Mark] = [mark for mark in known if mark in there]
    legend = Content.styled("  ".join(f"{MARKS[m][0]} {MARKS[m][2]}" for m in used), "$secondary")
    return Content("\n").join([*rows, Content(""), legend] if used else rows)


def _facts(facts: Facts, look: Look) -> Content:
    pad = max((len(label) for label, _ in facts.items), default=0)
    rows = [
        _hanging(Content.styled(f"{one_line(label):<{pad}}  ", "$secondary"), one_line(value, 400), look)
        for label, value in facts.items
    ]
    head = [Content.styled(one_line(facts.title), "$secondary")] if facts.title else []
    return Content("\n").join([*head, *rows])


def _lines(lines: Lines, look: Look) -> Content:
    head = [Content.styled(one_line(lines.title), "$secondary")] if lines.title else []
    rows = [_hanging(Content("  "), part, look) for line in lines.lines for part in clean(line, 600).split("\n")]
    return Content("\n").join([*head, *rows])


def _halves(rows: Sequence[Sequence[str]]) -> list[str]:
    """Two rows of a picture in one line of half blocks, where its cells are filled or empty and no more."""
    filled = [[cell not in BLANK for cell in row] for row in rows]
    wide = max((len(row) for row in filled), default=0)
    filled = [row + [False] * (wide - len(row)) for row in filled]
    if len(filled) % 2:
        filled.append([False] * wide)
    pairs = zip(filled[::2], filled[1::2], strict=True)
    return ["".join(BLOCKS[above, below] for above, below in zip(*both, strict=True)) for both in pairs]


def _grid(grid: Grid, small: bool) -> list[Content]:
    mark = Content.styled("▸ ", "bold $accent") if grid.target else Content("")
    style = "bold $accent" if grid.target else "$secondary"
    two = len({cell for row in grid.rows for cell in row if cell not in BLANK}) <= 1
    rows = [" ".join(clean(cell) for cell in row) for row in grid.rows]
    if small:
        rows = _halves(grid.rows) if two else ["".join(clean(cell) for cell in row) for row in grid.rows]
    width = max((len(row) for row in rows), default=0)
    name = one_line(grid.title)
    if mark.cell_length + len(name) > width:  # three pictures fit beside each other only under short names
        name = name.split(" ")[0]
    found = [mark + Content.styled(name, style), *(Content(row) for row in rows)]
    width = max(width, found[0].cell_length)
    return [line.pad_right(max(0, width - line.cell_length)) for line in found]


def _grids(grids: list[Grid], look: Look) -> Content:
    columns = [_grid(grid, look.small) for grid in grids]
    rows = [Content("   ").join(row) for row in zip_longest(*columns, fillvalue=Content(""))]
    return Content("\n").join([rows[0], *([] if look.small else [Content("")]), *rows[1:]])


def draw(panels: Iterable[Panel], look: Look) -> list[tuple[bool, Content]]:
    """Panels as (private, styled text); neighbouring grids stand side by side."""
    drawn: list[tuple[bool, Content]] = []
    for kind, some in groupby(panels, key=lambda panel: (type(panel), panel.private)):
        group = list(some)
        if kind[0] is Grid:
            drawn.append((kind[1], _grids([panel for panel in group if isinstance(panel, Grid)], look)))
            continue
        for panel in group:
            match panel:
                case Card():
                    content = _card(panel, look)
                case Tiles():
                    content = _tiles(panel, look.compact)
                case Keys():
                    content = _keys(panel)
                case Facts():
                    content = _facts(panel, look)
                case Lines():
                    content = _lines(panel, look)
                case Grid():
                    continue
            drawn.append((panel.private, content))
    return drawn
