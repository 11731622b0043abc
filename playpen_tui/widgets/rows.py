"""A list of any length of which only the lines on the screen are drawn and only their pages are read.

It asks a `Source` for rows by position. What is not there yet is drawn as an ellipsis and asked for by a message; the
source says when it has come. Whoever holds the source keeps the number of lines up to date.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from playpen_tui.actions import bindings
from playpen_tui.listing import Cell


class Source(Protocol):
    """Where lines come from."""

    def line(self, position: int, width: int) -> list[Cell] | None:
        """The line at a position in exactly so many columns; None where it is not here yet."""
        ...


class Rows(ScrollView, inherit_bindings=False, can_focus=True):
    """Lines with a cursor."""

    BINDINGS = bindings("rows")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *("rows--plain", "rows--good", "rows--bad", "rows--warn", "rows--dim", "rows--mark", "rows--hit"),
        "rows--cursor",
    }
    DEFAULT_CSS = """
    Rows { height: 1fr; background: $background; scrollbar-size-vertical: 1; overflow-x: hidden; }
    Rows .rows--plain { color: $foreground; }
    Rows .rows--good { color: $success; }
    Rows .rows--bad { color: $error; }
    Rows .rows--warn { color: $warning; }
    Rows .rows--dim { color: $secondary; }
    Rows .rows--mark { color: $accent; }
    Rows .rows--hit { color: $accent; text-style: bold; }
    Rows .rows--cursor { background: $panel; text-style: bold; }
    """

    cursor = reactive(0, repaint=False)

    class Moved(Message):
        """The cursor stands on another line, or other lines are in view."""

    class Chosen(Message):
        """The line under the cursor was clicked once more."""

    def __init__(self, source: Source, id: str | None = None) -> None:
        super().__init__(id=id)
        self._source = source
        self.count = 0

    def fill(self, count: int) -> None:
        """There are so many lines, and what they say may have changed."""
        self.count = count
        self.virtual_size = Size(max(1, self.size.width), count)
        if count:
            self.cursor = min(self.cursor, count - 1)
        self.refresh()

    def on_resize(self) -> None:
        """Lines are as wide as there is room."""
        self.virtual_size = Size(max(1, self.size.width), self.count)
        self._show_cursor()

    @property
    def in_view(self) -> tuple[int, int]:
        """First and last position on the screen."""
        top = self.scroll_offset.y
        return top, min(self.count - 1, top + max(1, self.size.height) - 1)

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        width, position = self.size.width, self.scroll_offset.y + y
        base = self.rich_style
        if position >= self.count:
            return Strip.blank(width, base)
        found = self._source.line(position, width)
        if found is None:
            found = [(f"  … {position + 1:,}", "dim")]
        if position == self.cursor:
            base += self.get_component_rich_style("rows--cursor", partial=True)
        styles = {
            name: base + self.get_component_rich_style(f"rows--{name}", partial=True) for _, name in found if name
        }
        segments = [Segment(text, styles.get(name, base)) for text, name in found]
        return Strip(segments).adjust_cell_length(width, base)

    # moving

    def watch_cursor(self, before: int, now: int) -> None:
        """Draw the two lines, and keep the cursor in view."""
        for position in (before, now):
            self.refresh(Region(0, position - self.scroll_offset.y, self.size.width, 1))
        self._show_cursor()
        self.post_message(self.Moved())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Other lines are in view."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(self.Moved())

    def _show_cursor(self) -> None:
        top, height = self.scroll_offset.y, max(1, self.size.height)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, immediate=True)

    def go(self, position: int) -> None:
        """Put the cursor on a line, or the one nearest to it."""
        self.cursor = max(0, min(position, self.count - 1))

    def action_up(self) -> None:
        """The line above."""
        self.go(self.cursor - 1)

    def action_down(self) -> None:
        """The line below."""
        self.go(self.cursor + 1)

    def action_page_up(self) -> None:
        """A page up."""
        self.go(self.cursor - max(1, self.size.height - 1))

    def action_page_down(self) -> None:
        """A page down."""
        self.go(self.cursor + max(1, self.size.height - 1))

    def action_first(self) -> None:
        """The first line."""
        self.go(0)

    def action_last(self) -> None:
        """The last line."""
        self.go(self.count - 1)

    def on_click(self, event: events.Click) -> None:
        """A click goes to a line, another one opens it."""
        position = self.scroll_offset.y + event.y
        if position >= self.count:
            return
        if position == self.cursor:
            self.post_message(self.Chosen())
        else:
            self.go(position)
