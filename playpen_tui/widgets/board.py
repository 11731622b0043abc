"""The board of a match beside its dialogue, or over it in a narrow terminal.

Panels that only one seat may see get a thin frame titled "only you see this"; the rest has no boxes at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from games.boards import Board, Panel
from playpen_tui.widgets.fitting import smaller
from playpen_tui.widgets.panels import Look, draw
from playpen_tui.widgets.put import put

TALL = 21
"""Rows from which tiles stand apart."""
STACKED = 76
"""Columns of a terminal below which the dialogue stands under the board."""
MARGIN, FRAME = 2, 5
"""Columns beside words without and with a frame, a scroll bar included."""


class BoardView(VerticalScroll):
    """The board of one seat. `show(board)` redraws it in place.

    In a narrow terminal it tells its container so, by the class `-stacked`, to let it stand over the dialogue; there
    it takes at most three fifths of the rows, and what matters less gives way.
    """

    can_focus = False

    DEFAULT_CSS = """
    BoardView { padding: 0 1; scrollbar-size-vertical: 1; }
    BoardView .panel { width: 1fr; height: auto; margin: 1 0 0 1; }
    BoardView .private { border: round $border; border-title-color: $accent; border-title-align: right;
                         padding: 0 1; margin: 0; }
    BoardView.-stacked #panels { height: auto; }
    BoardView.-stacked .panel { margin: 0 0 0 1; }
    BoardView.-stacked .private { margin: 0; }
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

    async def on_resize(self, event: events.Resize) -> None:
        """Fit the board to its place; sent also where only that of the container has changed."""
        stacked = self.screen.size.width < STACKED
        for widget in (self, self.parent):
            if isinstance(widget, Widget):
                widget.set_class(stacked, "-stacked")
        await self.show(self._board)

    async def show(self, board: Board) -> None:
        """Draw this board; keeps the widgets when the panels are of the same kinds."""
        self._board = board
        if not self.is_attached:
            return
        drawn = self._drawn(board.panels)
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

    def _drawn(self, panels: Sequence[Panel]) -> list[tuple[bool, Content]]:
        width = max(20, self.size.width - (FRAME if any(panel.private for panel in panels) else MARGIN))
        table = self.parent
        if not isinstance(table, Widget) or not table.has_class("-stacked"):
            return draw(panels, Look(self.size.height < TALL, width))
        found: list[tuple[bool, Content]] = []
        for some, look in [(panels, Look(True, width)), *smaller(panels, width)]:
            for framed in (some, [replace(panel, private=False) for panel in some]):
                found = draw(framed, look)
                rows = sum(content.plain.count("\n") + 1 + 2 * private for private, content in found)
                if rows < table.size.height * 3 // 5:
                    return found
        return found

    @staticmethod
    def _panel(private: bool, content: Content) -> Static:
        widget = Static(content, classes="panel private" if private else "panel")
        if private:
            widget.border_title = "only you see this"
        return widget
