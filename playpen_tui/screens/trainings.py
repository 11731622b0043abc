"""The trainings of the log: who was trained on whom, how each stands, and how far it is."""

from __future__ import annotations

import asyncio

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Footer, OptionList, Static
from textual.widgets.option_list import Option

from playpen_tui import trainings
from playpen_tui.actions import bindings
from playpen_tui.figures import many
from playpen_tui.listing import fit
from playpen_tui.messages import Go, NewTraining, OpenTraining, Overlay
from playpen_tui.screens.faults import Telling
from playpen_tui.text import one_line
from playpen_tui.trainings import WORDS, Item
from playpen_tui.widgets.chart import number
from playpen_tui.workbench import Workbench, expected

EVERY = 1.5
"""Seconds between two looks at the log."""
NOTHING = (
    "Nothing was trained yet. n begins one; it needs episodes to learn from, such as those of"
    " `playpen-tui selfplay taboo --player bot`."
)


class TrainingsScreen(Telling):
    """The list."""

    BINDINGS = bindings("trainings")
    CSS_PATH = "training.tcss"

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self.bench = bench
        self._items: list[Item] | None = None
        self._trouble = ""

    def compose(self) -> ComposeResult:
        """Title, columns, rows, keys."""
        with Horizontal(id="head"):
            yield Static("Train", id="title")
            yield Static("", id="state")
        yield Static("", id="names")
        yield OptionList(id="list")
        yield Static("", id="none")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Read the log, and again and again."""
        self.query_one(OptionList).focus()
        self.action_look()
        self.set_interval(EVERY, self.action_look)

    def on_screen_resume(self) -> None:
        """Back from a training."""
        self.action_look()

    def on_resize(self) -> None:
        """Other widths have other columns."""
        self.call_after_refresh(self._fill)

    @work(group="look", exclusive=True, exit_on_error=False)
    async def action_look(self) -> None:
        """Read the log again."""
        try:
            log = await self.bench.log()
            items, trouble = await asyncio.to_thread(trainings.listed, log), ""
        except expected() as error:
            items, trouble = [], str(error)
        self._items, self._trouble = items, trouble
        self._fill()

    def _fill(self) -> None:
        if self._items is None or not self.is_attached or not self.query("#list"):
            return
        box, before = self.query_one(OptionList), self.chosen
        width = max(60, self.size.width - 5)
        self.query_one("#names", Static).update(Content(_titles(width)))
        going = sum(item.now in trainings.GOING for item in self._items)
        state = many(len(self._items), "training") + (f" · {going:,} going on" if going else "")
        self.query_one("#state", Static).update(Content(state if self._items else ""))
        top = box.scroll_y
        box.clear_options()
        box.add_options([Option(Content("").join([line(item, width)]), id=item.row.id) for item in self._items])
        ids = [item.row.id for item in self._items]
        if ids:
            box.highlighted = ids.index(before) if before in ids else 0
            box.scroll_to(y=top, animate=False, force=True)
        none = self.query_one("#none", Static)
        none.display, box.display = not ids, bool(ids)
        if ids and self.focused is None:
            box.focus()
        text = Content.styled(f"⊘ {one_line(self._trouble, 600)}", "$error") if self._trouble else Content(NOTHING)
        none.update(text)
        self.refresh_bindings()

    @property
    def chosen(self) -> str | None:
        """The training under the cursor."""
        box = self.query_one(OptionList)
        at = box.highlighted
        return box.get_option_at_index(at).id if at is not None and at < box.option_count else None

    # keys

    def on_option_list_option_selected(self) -> None:
        """Enter, or a click."""
        self.action_open()

    def action_open(self) -> None:
        """Its dashboard."""
        if (chosen := self.chosen) is not None:
            self.app.post_message(OpenTraining(chosen))

    def action_new(self) -> None:
        """The wizard."""
        self.app.post_message(NewTraining())

    def action_overlay(self) -> None:
        """Its curves beside another's."""
        if (chosen := self.chosen) is not None:
            self.app.post_message(Overlay(chosen))

    def action_copy(self) -> None:
        """The id, onto the clipboard."""
        if (chosen := self.chosen) is not None:
            self.app.copy_to_clipboard(chosen)
            self.notify(f"copied {chosen}", markup=False, timeout=3)

    def action_back(self) -> None:
        """Home."""
        self.app.post_message(Go("home"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What is done with a training needs one."""
        if action in ("open", "copy"):
            return bool(self._items)
        return len(self._items or ()) > 1 if action == "overlay" else True


def _columns(width: int) -> list[tuple[str, int, bool]]:
    """Title, size and side of each column. Where it is narrow, one says what is left, or else when it began."""
    fixed = [("state", 11, False), ("method", 6, False)]
    end = [("step", 18, True), ("left", 11, True), ("measure", 14, True), ("when", 10, True)]
    if width < 90:
        end = [("step", 11, True), ("measure", 13, True), ("left, when", 10, True)]
    rest = width - sum(size + 1 for _, size, _ in (*fixed, *end))
    return [*fixed, ("base → result", max(8, rest), False), *end]


def _titles(width: int) -> str:
    return " ".join(fit(title, size, right) for title, size, right in _columns(width))


def line(item: Item, width: int) -> Content:
    """One training in so many cells."""
    row = item.row
    glyph, word, style = WORDS[item.now]
    measured = "–" if item.measured is None else f"{item.measured[0].split('/')[-1]} {number(item.measured[1])}"
    values = {
        "state": (f"{glyph} {word}", style),
        "method": (row.method.upper(), "$secondary"),
        "base → result": (f"{one_line(row.base, 60)} → {one_line(trainings.name_of(row), 60)}", ""),
        "step": (trainings.step_of(row) if width >= 90 else trainings.step_of(row).replace(" of ", "/"), ""),
        "left": ("" if item.eta is None else trainings.span(item.eta), "$secondary"),
        "measure": (measured, ""),
        "left, when": (trainings.started(row) if item.eta is None else trainings.span(item.eta), "$secondary"),
        "when": (trainings.started(row), "$secondary"),
    }
    cells = [Content.styled(fit(values[title][0], size, right), values[title][1] or "$foreground")
             for title, size, right in _columns(width)]  # fmt: skip
    return Content(" ").join(cells)
