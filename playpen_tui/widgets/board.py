"""Draws a board: cards, tiles, keyboards, grids, facts and lines, as styled text.

Every mark is a letter, a glyph and a colour at once. Panels that only one seat may see get a thin frame titled
"only you see this"; the rest has no boxes at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from games.boards import Board, Card, Facts, Grid, Keys, Lines, Mark, Panel, Tile, Tiles
from playpen_tui.text import clean, one_line
from playpen_tui.widgets.put import put

MARKS: dict[Mark, tuple[str, str, str]] = {
    "here": ("●", "bold $background on $success", "here"),
    "elsewhere": ("◐", "bold $background on $warning", "elsewhere"),
    "absent": ("○", "$foreground 60% on $panel", "not in it"),
    "empty": (" ", "$foreground 40% on $surface", ""),
}
"""Glyph, style and word of each mark."""


TALL = 21
"""Rows from which tiles stand apart."""


def _spaced(word: str) -> str:
    return " ".join(word.upper()) if len(word) <= 14 else word.upper()


def _card(card: Card) -> Content:
    parts: list[Content] = [Content.styled(f"{one_line(card.title)}  ", "$secondary")]
    head = one_line(card.head, 400)
    parts.append(Content.styled(_spaced(head) if " " not in head else head, "bold $accent"))
    if card.items:
        parts.append(Content("\n\n"))
        title = one_line(card.label)
        for number, item in enumerate(card.items):
            label = title if number == 0 else " " * len(title)
            parts += [Content.styled(f"{label}  ", "$secondary"), Content(one_line(item)), Content("\n")]
    return Content("").join(parts).rstrip()


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


def _facts(facts: Facts) -> Content:
    pad = max((len(label) for label, _ in facts.items), default=0)
    rows = [
        Content.styled(f"{one_line(label):<{pad}}  ", "$secondary") + Content(one_line(value, 400))
        for label, value in facts.items
    ]
    head = [Content.styled(one_line(facts.title), "$secondary")] if facts.title else []
    return Content("\n").join([*head, *rows])


def _lines(lines: Lines) -> Content:
    head = [Content.styled(one_line(lines.title), "$secondary")] if lines.title else []
    return Content("\n").join([*head, *(Content("  " + clean(line, 600)) for line in lines.lines)])


def _grid(grid: Grid) -> list[Content]:
    mark = Content.styled("▸ ", "bold $accent") if grid.target else Content("")
    style = "bold $accent" if grid.target else "$secondary"
    width = max((len(row) * 2 - 1 for row in grid.rows), default=0)
    name = one_line(grid.title)
    if mark.cell_length + len(name) > width:  # three pictures fit beside each other only under short names
        name = name.split(" ")[0]
    title = mark + Content.styled(name, style)
    body = [Content(" ".join(clean(cell) for cell in row)) for row in grid.rows]
    return [line.pad_right(max(0, width - line.cell_length)) for line in (title, *body)]


def _grids(grids: list[Grid]) -> Content:
    columns = [_grid(grid) for grid in grids]
    height = max(len(column) for column in columns)
    rows = [
        Content("   ").join(column[number] if number < len(column) else Content("") for column in columns)
        for number in range(height)
    ]
    return Content("\n").join([rows[0], Content(""), *rows[1:]])


def draw(panels: Iterable[Panel], compact: bool = False) -> list[tuple[bool, Content]]:
    """Panels as (private, styled text); neighbouring grids stand side by side. `compact` saves rows."""
    drawn: list[tuple[bool, Content]] = []
    for kind, some in groupby(panels, key=lambda panel: (type(panel), panel.private)):
        group = list(some)
        if kind[0] is Grid:
            drawn.append((kind[1], _grids([panel for panel in group if isinstance(panel, Grid)])))
            continue
        for panel in group:
            match panel:
                case Card():
                    content = _card(panel)
                case Tiles():
                    content = _tiles(panel, compact)
                case Keys():
                    content = _keys(panel)
                case Facts():
                    content = _facts(panel)
                case Lines():
                    content = _lines(panel)
                case Grid():
                    continue
            drawn.append((panel.private, content))
    return drawn


class BoardView(VerticalScroll):
    """The board of one seat. `show(board)` redraws it in place."""

    can_focus = False

    DEFAULT_CSS = """
    BoardView { padding: 0 1; scrollbar-size-vertical: 1; }
    BoardView .panel { width: 1fr; height: auto; margin: 1 0 0 1; }
    BoardView .private { border: round $border; border-title-color: $accent; border-title-align: right;
                         padding: 0 1; margin: 0; }
    BoardView.-low .panel { margin: 0 0 0 1; }
    """

    def __init__(self, board: Board | None = None, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._board = board or Board()

    def compose(self) -> ComposeResult:
        """One box that holds the panels."""
        yield Vertical(id="panels")

    async def on_mount(self) -> None:
        """Draw what was given before there was a screen."""
        await self.show(self._board)

    async def on_resize(self) -> None:
        """Fit the tiles to the height."""
        await self.show(self._board)

    async def show(self, board: Board) -> None:
        """Draw this board; keeps the widgets when the panels are of the same kinds."""
        self._board = board
        if not self.is_attached:
            return
        drawn = draw(board.panels, compact=self.size.height < TALL)
        box = self.query_one("#panels", Vertical)
        old = list(box.query(Static))
        same = len(old) == len(drawn) and all(w.has_class("private") == p for w, (p, _) in zip(old, drawn, strict=True))
        if same:
            for widget, (_, content) in zip(old, drawn, strict=True):
                put(widget, content)
            return
        async with self.batch():
            await box.remove_children()
            await box.mount_all([self._panel(private, content) for private, content in drawn])

    @staticmethod
    def _panel(private: bool, content: Content) -> Static:
        widget = Static(content, classes="panel private" if private else "panel")
        if private:
            widget.border_title = "only you see this"
        return widget
