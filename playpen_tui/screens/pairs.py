"""Pairs to look at, one by one: the dialogue before both once, the two candidates, and what is said of them.

Who looks at what for which reason is the business of the screens that are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Container, Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from playpen_tui.messages import Go
from playpen_tui.screens.annotate import BESIDE
from playpen_tui.screens.faults import Telling
from playpen_tui.text import one_line
from playpen_tui.verdicts import word
from playpen_tui.widgets.keys import KeyLine
from playpen_tui.widgets.pair import Pane, both, told
from playpen_tui.widgets.put import put
from playpen_tui.workbench import Workbench

if TYPE_CHECKING:
    from playpen_tui.judging import Shown

SIDES = ("left", "right")


class PairsScreen(Telling):
    """One pair of several; a stands left."""

    CSS_PATH = "annotate.tcss"
    AUTO_FOCUS = ""

    def __init__(self, bench: Workbench, shown: Sequence[Shown], place: int = 0) -> None:
        super().__init__()
        self.bench = bench
        self._shown = list(shown)
        self._place = place
        self._at = 0
        self._diff = True

    def compose(self) -> ComposeResult:
        """Head, what was said before, both, what is said of them, a line above the keys."""
        with Horizontal(id="head"):
            yield Static("", id="where")
            yield Static("", id="what")
        with VerticalScroll(id="before", can_focus=False):
            yield Static("", id="said")
        with Container(id="both"):
            yield Pane(id="left")
            yield Pane(id="right")
        with VerticalScroll(id="votes", can_focus=False):
            yield Static("", id="opinions")
        yield Static("", id="bar")
        yield KeyLine()

    def on_mount(self) -> None:
        """The first one."""
        self.draw_pair(new=True)

    def on_resize(self) -> None:
        """Other sizes have other places."""
        self.call_after_refresh(self.draw_pair)

    # what differs from screen to screen

    def heading(self) -> str:
        """Which of how many it is."""
        raise NotImplementedError

    def where(self) -> str:
        """Where it comes from."""
        shown = self.shown
        return f"{one_line(shown.game, 30)} · {one_line(shown.role, 20)}"

    def label(self, at: int) -> tuple[str, str]:
        """The key for a side, and its name."""
        return str(at + 1), word(SIDES[at], self.beside)

    def said_of_it(self) -> list[Content]:
        """What is said of the two."""
        raise NotImplementedError

    def line(self, width: int) -> Content:
        """What stands above the keys."""
        raise NotImplementedError

    # drawing

    @property
    def shown(self) -> Shown:
        """The pair that is open."""
        return self._shown[self._place]

    @property
    def beside(self) -> bool:
        """Whether the two stand side by side."""
        return self.size.width >= BESIDE

    def draw_pair(self, new: bool = False) -> None:
        """All of it; from the top where it is a `new` one."""
        if not self.is_attached or not self.query("#bar"):
            return
        self.set_class(self.beside, "-beside")
        shown, width = self.shown, max(40, self.size.width - 4)
        put(self.query_one("#where", Static), Content(self.heading()), layout=False)
        put(self.query_one("#what", Static), Content(self.where()))
        put(self.query_one("#said", Static), Content("\n").join(told(shown.context, width)))
        texts = both(shown.left, shown.right, self._diff)
        for at, (pane, text, side) in enumerate(zip(self._panes, texts, (shown.left, shown.right), strict=True)):
            pane.show(text, side.goes_on, new=new)
            pane.name_it(*self.label(at), at == self._at)
        put(self.query_one("#opinions", Static), Content("\n").join(self.said_of_it()))
        put(self.query_one("#bar", Static), self.line(width), layout=False)
        if new:
            self.query_one("#before", VerticalScroll).scroll_end(animate=False, immediate=True)
            self.query_one("#votes", VerticalScroll).scroll_home(animate=False, immediate=True)
        self.call_after_refresh(self._note)
        self.refresh_bindings()

    @property
    def _panes(self) -> tuple[Pane, Pane]:
        return self.query_one("#left", Pane), self.query_one("#right", Pane)

    def _note(self) -> None:
        if not self.is_attached:
            return
        for at, pane in enumerate(self._panes):
            pane.note()
            pane.name_it(*self.label(at), at == self._at)

    # looking

    def action_next(self) -> None:
        """The next one."""
        self._go(1)

    def action_previous(self) -> None:
        """The one before."""
        self._go(-1)

    def _go(self, way: int) -> None:
        self._place = (self._place + way) % len(self._shown)
        self.draw_pair(new=True)

    def action_diff(self) -> None:
        """Mark the words that differ, or do not."""
        self._diff = not self._diff
        self.draw_pair()

    def action_swap(self) -> None:
        """Keys scroll the other one."""
        self._at = 1 - self._at
        self._note()

    def action_up(self) -> None:
        """A line up."""
        self._panes[self._at].move(-1)
        self.call_after_refresh(self._note)

    def action_down(self) -> None:
        """A line down."""
        self._panes[self._at].move(1)
        self.call_after_refresh(self._note)

    def action_before_up(self) -> None:
        """Further up among the votes."""
        self.query_one("#votes", VerticalScroll).scroll_page_up(animate=False)

    def action_before_down(self) -> None:
        """Further down among the votes."""
        self.query_one("#votes", VerticalScroll).scroll_page_down(animate=False)

    def action_back(self) -> None:
        """Back."""
        self.app.post_message(Go("back"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """One alone has no next."""
        return len(self._shown) > 1 if action in ("next", "previous") else True
