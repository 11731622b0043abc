"""A list that is read from the log whenever it comes up: its title and what it comes to, columns, lines, keys.

A screen that is one says what it reads (`action_look`) and how it is drawn (`fill`); the cursor stays on its line.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from playpen_tui.screens.faults import Telling
from playpen_tui.text import one_line
from playpen_tui.widgets.keys import KeyLine
from playpen_tui.widgets.put import put
from playpen_tui.workbench import Workbench


class ListScreen(Telling):
    """The list."""

    CSS_PATH = "lists.tcss"
    HEADING = ""

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self.bench = bench
        self._trouble = ""

    def compose(self) -> ComposeResult:
        """Title, columns, rows, keys."""
        with Horizontal(id="head"):
            yield Static(Content(self.HEADING), id="where")
            yield Static("reading …", id="what")
        yield Static("", id="names")
        yield OptionList(id="list")
        yield Static("", id="nothing")
        yield KeyLine()

    def on_mount(self) -> None:
        """Keys go to the list."""
        self.query_one(OptionList).focus()

    def on_screen_resume(self) -> None:
        """Also when one is back from what opened over it."""
        self.action_look()

    def on_resize(self) -> None:
        """Other widths have other columns."""
        self.call_after_refresh(self._fill)

    def action_look(self) -> object:
        """Read the log again, then draw."""
        raise NotImplementedError

    def fill(self) -> None:
        """Draw what was read, by `put_lines`."""
        raise NotImplementedError

    @property
    def width(self) -> int:
        """Columns of a line."""
        return max(60, self.size.width - 5)

    def _fill(self) -> None:
        if self.is_attached and self.query("#list"):
            self.fill()

    def put_lines(self, what: str, names: str, lines: Sequence[tuple[str, Content]], nothing: str) -> None:
        """What it comes to, the names of columns, and the lines by their ids; `nothing` where there are none."""
        box, before = self.query_one(OptionList), self.at
        top = box.scroll_y
        put(self.query_one("#names", Static), Content(names))
        put(self.query_one("#what", Static), Content(what))
        box.clear_options()
        box.add_options([Option(Content("").join([content]), id=id) for id, content in lines])
        ids = [id for id, _ in lines]
        if ids:
            box.highlighted = ids.index(before) if before in ids else 0
            box.scroll_to(y=top, animate=False, force=True)
        empty = self.query_one("#nothing", Static)
        empty.display, box.display = not ids, bool(ids)
        if ids and self.focused is None:
            box.focus()
        text = Content.styled(f"⊘ {one_line(self._trouble, 600)}", "$error") if self._trouble else Content(nothing)
        empty.update(text)
        self.refresh_bindings()

    @property
    def at(self) -> str | None:
        """The id of the line under the cursor."""
        box = self.query_one(OptionList)
        at = box.highlighted
        return box.get_option_at_index(at).id if at is not None and at < box.option_count else None

    def on_option_list_option_highlighted(self) -> None:
        """Not every line can have everything done to it."""
        self.refresh_bindings()
