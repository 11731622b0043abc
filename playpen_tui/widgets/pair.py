"""What a judge sees of two candidates: the dialogue before them once, and each of the two in a pane of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from playpen_tui.listing import fit
from playpen_tui.text import clean, one_line
from playpen_tui.widgets.page import wrapped
from playpen_tui.widgets.put import put
from playpen_tui.worddiff import Part, differing

if TYPE_CHECKING:
    from playpen_tui.judging import Side

NAME = 14
"""Columns of a name at most."""
LIMIT = 20_000
"""Characters of a reply that are shown: whoever judges has to see it whole, or nearly."""


def told(lines: Sequence[tuple[str, str]], width: int, style: str = "") -> list[Content]:
    """Who said what: names on the left, words hanging beside them, in so many columns."""
    names = [one_line(who, 60) for who, _ in lines]
    indent = min(NAME, max((cell_len(name) for name in names), default=0)) + 2
    drawn: list[Content] = []
    for name, (_, text) in zip(names, lines, strict=True):
        rows = wrapped(text, max(10, width - indent))
        label = Content.styled(fit(name, indent - 2) + "  ", "$primary")
        drawn.append(label + Content.styled(rows[0], style))
        drawn += [Content(" " * indent) + Content.styled(row, style) for row in rows[1:]]
    return drawn


def marked(parts: Sequence[Part]) -> Content:
    """A text in which what the other one lacks stands out, underlined for those who see no colour."""
    return Content("").join([Content.styled(text, "bold underline $accent" if new else "$secondary")
                             for text, new in parts])  # fmt: skip


def both(left: Side, right: Side, diff: bool) -> tuple[Content, Content]:
    """The two replies, with their differing words marked if `diff`."""
    texts = clean(left.text, LIMIT), clean(right.text, LIMIT)
    if diff:
        one, other = differing(*texts)
        return marked(one), marked(other)
    return Content(texts[0]), Content(texts[1])


class Pane(Vertical):
    """One candidate: which key is for it, what it says, and how it went on where that is judged."""

    DEFAULT_CSS = """
    Pane { height: 1fr; width: 1fr; }
    Pane > .label { height: 1; padding: 0 2; color: $secondary; }
    Pane.-at > .label { color: $accent; text-style: bold; }
    Pane > VerticalScroll { height: 1fr; padding: 0 2; scrollbar-size-vertical: 1; }
    Pane > VerticalScroll > Static { width: 1fr; height: auto; }
    """

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.read = False
        """Whether its end has been in view since `show`."""
        self._empty = True

    def compose(self) -> ComposeResult:
        """A label over a scroll."""
        yield Static("", classes="label")
        with VerticalScroll(can_focus=False):
            yield Static("", classes="text")

    @property
    def box(self) -> VerticalScroll:
        """What scrolls."""
        return self.query_one(VerticalScroll)

    def show(self, text: Content, goes_on: Sequence[tuple[str, str]], *, new: bool) -> None:
        """This candidate; from its top where it is a `new` one."""
        if new:
            self.read, self._empty = False, False
            self.box.scroll_home(animate=False, immediate=True)
        parts = [text]
        if goes_on:
            width = max(20, self.box.scrollable_content_region.width or self.size.width - 5)
            parts += [Content(""), *told(goes_on, width)]
        put(self.query_one(".text", Static), Content("\n").join(parts))

    def name_it(self, key: str, word: str, at: bool, *, alone: bool = False) -> None:
        """Which key is for it; `at` where keys scroll it, `alone` where the other one is hidden."""
        self.set_class(at, "-at")
        more = "" if self.read or self._empty else "  more below ↓"
        more += "  tab shows the other" if alone else ""
        label = Content(f"{'▸' if at else ' '} {key}  {word}") + Content.styled(more, "$secondary")
        put(self.query_one(".label", Static), label, layout=False)

    def note(self) -> bool:
        """Look whether its end is in view; returns `read`."""
        box = self.box
        if self.is_on_screen and box.size.height > 0 and box.scroll_offset.y >= box.max_scroll_y:
            self.read = True
        return self.read

    def move(self, lines: int) -> None:
        """Scroll."""
        self.box.scroll_relative(y=lines, animate=False, immediate=True)
