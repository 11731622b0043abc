"""The curves of two trainings in one picture: told apart by dashes and end marks besides colour."""

from __future__ import annotations

import asyncio

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from playpen_tui import trainings
from playpen_tui.actions import bindings
from playpen_tui.curves import Curve
from playpen_tui.messages import Go
from playpen_tui.screens.faults import Telling
from playpen_tui.text import one_line
from playpen_tui.trainings import WORDS, Sight, Watcher
from playpen_tui.widgets.chart import MARKS
from playpen_tui.widgets.charts import Charts
from playpen_tui.widgets.keys import KeyLine
from playpen_tui.widgets.put import put
from playpen_tui.workbench import Workbench, expected

EVERY = 1.0
"""Seconds between two looks at the log."""
COLOURS = ("$primary", "$accent", "$success", "$error")
"""Of the series, as the charts draw them."""


class TraincompareScreen(Telling):
    """Two trainings, one over the other."""

    BINDINGS = bindings("traincompare")
    CSS_PATH = "training.tcss"

    def __init__(self, bench: Workbench, ids: tuple[str, ...]) -> None:
        super().__init__()
        self.bench = bench
        self.ids = ids
        self.sights: list[Sight] = []

    def compose(self) -> ComposeResult:
        """Who is who, curves, keys."""
        with Horizontal(id="head"):
            yield Static("Trainings side by side", id="title")
            yield Static("reading …", id="state")
        yield Charts(id="charts")
        yield Static("", id="line")
        yield KeyLine()

    def on_mount(self) -> None:
        """Look, and again and again."""
        self._follow()

    @work(group="follow", exclusive=True, exit_on_error=False)
    async def _follow(self) -> None:
        log = await self.bench.log()
        try:
            watchers = [await asyncio.to_thread(Watcher, log, id) for id in self.ids]
            while True:
                self.sights = [await asyncio.to_thread(watcher.look) for watcher in watchers]
                self._draw()
                await asyncio.sleep(EVERY)
        except expected() as error:
            self.notify(one_line(str(error), 500), severity="error", timeout=12, markup=False)

    def _draw(self) -> None:
        if not self.is_attached or not self.query("#charts"):
            return
        names = dict.fromkeys(name for sight in self.sights for name in sight.curves)
        charts = self.query_one(Charts)
        # the order says who is who, so one that lacks a curve keeps its place with an empty one
        charts.show({name: [sight.curves.get(name, Curve(name)) for sight in self.sights] for name in names})
        who: list[Content] = []
        for mark, colour, sight in zip(MARKS, COLOURS, self.sights, strict=False):
            glyph, word, style = WORDS[sight.now]
            name = f"{one_line(trainings.name_of(sight.row), 30)} {sight.row.method.upper()} "
            who.append(Content.styled(f"{mark} ", colour) + Content(name) + Content.styled(f"{glyph} {word}", style))
        put(self.query_one("#state", Static), Content("   ").join(who))
        self._say_line()

    def _say_line(self) -> None:
        put(self.query_one("#line", Static), Content(self.query_one(Charts).state), layout=False)

    def action_next_chart(self) -> None:
        """The next curve, or the cross-hair to the right."""
        self.query_one(Charts).move(1)
        self._say_line()

    def action_previous_chart(self) -> None:
        """The curve before, or the cross-hair to the left."""
        self.query_one(Charts).move(-1)
        self._say_line()

    def action_zoom(self) -> None:
        """One curve at full size, or all."""
        charts = self.query_one(Charts)
        charts.zoom(not charts.zoomed)
        self._say_line()

    def action_scale(self) -> None:
        """Logarithmic or not."""
        self.query_one(Charts).turn_log()
        self._say_line()

    def action_smooth(self) -> None:
        """More smoothing, or none."""
        self.query_one(Charts).turn_smooth()
        self._say_line()

    def action_back(self) -> None:
        """From one curve to all, else away."""
        if self.query_one(Charts).zoomed:
            self.action_zoom()
        else:
            self.app.post_message(Go("back"))
