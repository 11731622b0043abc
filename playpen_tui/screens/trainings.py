"""The trainings of the log: who was trained on whom, how each stands, and how far it is."""

from __future__ import annotations

import asyncio

from textual import work
from textual.content import Content

from playpen_tui import trainings
from playpen_tui.actions import bindings
from playpen_tui.figures import many
from playpen_tui.listing import fit
from playpen_tui.messages import Go, NewTraining, OpenTraining, Overlay
from playpen_tui.screens.lists import ListScreen
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


class TrainingsScreen(ListScreen):
    """The list."""

    BINDINGS = bindings("trainings")
    HEADING = "Train"

    def __init__(self, bench: Workbench) -> None:
        super().__init__(bench)
        self._items: list[Item] | None = None

    def on_mount(self) -> None:
        """Read the log, and again and again."""
        super().on_mount()
        self.set_interval(EVERY, self.action_look)

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

    def fill(self) -> None:
        """One line a training."""
        if self._items is None:
            return
        going = sum(item.now in trainings.GOING for item in self._items)
        state = many(len(self._items), "training") + (f" · {going:,} going on" if going else "")
        lines = [(item.row.id, line(item, self.width)) for item in self._items]
        self.put_lines(state if lines else "", _titles(self.width), lines, NOTHING)

    # keys

    def on_option_list_option_selected(self) -> None:
        """Enter, or a click."""
        self.action_open()

    def action_open(self) -> None:
        """Its dashboard."""
        if (chosen := self.at) is not None:
            self.app.post_message(OpenTraining(chosen))

    def action_new(self) -> None:
        """The wizard."""
        self.app.post_message(NewTraining())

    def action_overlay(self) -> None:
        """Its curves beside another's."""
        if (chosen := self.at) is not None:
            self.app.post_message(Overlay(chosen))

    def action_copy(self) -> None:
        """The id, onto the clipboard."""
        if (chosen := self.at) is not None:
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
    if width < 72:  # whose it is goes before how well it does, which its dashboard tells
        end = [("step", 9, True), ("left, when", 10, True)]
    rest = width - sum(size + 1 for _, size, _ in (*fixed, *end))
    return [*fixed, ("base → result" if width >= 72 else "result", max(8, rest), False), *end]


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
        "result": (one_line(trainings.name_of(row), 60), ""),
        "step": (trainings.step_of(row) if width >= 90 else trainings.step_of(row).replace(" of ", "/"), ""),
        "left": ("" if item.eta is None else trainings.span(item.eta), "$secondary"),
        "measure": (measured, ""),
        "left, when": (trainings.started(row) if item.eta is None else trainings.span(item.eta), "$secondary"),
        "when": (trainings.started(row), "$secondary"),
    }
    cells = [Content.styled(fit(values[title][0], size, right), values[title][1] or "$foreground")
             for title, size, right in _columns(width)]  # fmt: skip
    return Content(" ").join(cells)
