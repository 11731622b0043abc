"""Charts side by side, as many as fit, with one chosen: filter, logarithm, smoothing, and one of them at full size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.widgets import Static

from playpen_tui.curves import Curve
from playpen_tui.text import one_line
from playpen_tui.trainings import ordered
from playpen_tui.widgets.chart import SMOOTH, Chart, View
from playpen_tui.widgets.put import put

WIDE, HIGH = 36, 8
"""Cells that a chart has at the least."""
MOST = 12
"""Charts at a time at most."""


class Charts(Container):
    """Curves by name; each name is a chart, each of its curves a series."""

    DEFAULT_CSS = """
    Charts { layout: grid; grid-gutter: 0 1; height: 1fr; background: $background; padding: 0 1; }
    Charts Chart { display: none; }
    Charts Chart.on { display: block; }
    Charts #charts-none { display: none; color: $secondary; content-align: center middle; height: 1fr; }
    Charts #charts-none.on { display: block; }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._curves: Mapping[str, Sequence[Curve]] = {}
        self.words = ""
        self.view = View()
        self.zoomed = False
        self._chosen = ""
        self._drawn: list[tuple[str, ...]] = []

    def compose(self) -> ComposeResult:
        """Places for charts."""
        yield Static("", id="charts-none")
        for _ in range(MOST):
            yield Chart()

    def show(self, curves: Mapping[str, Sequence[Curve]]) -> None:
        """Draw these, or draw them anew."""
        self._curves = curves
        self.draw()

    @property
    def names(self) -> list[str]:
        """Curves that pass the filter, in order."""
        return ordered(self._curves, self.words)

    @property
    def chosen(self) -> str:
        """The curve that z zooms; empty where there is none."""
        names = self.names
        return self._chosen if self._chosen in names else names[0] if names else ""

    def on_resize(self) -> None:
        """Other sizes have other charts."""
        self.draw()

    def draw(self) -> None:
        """Lay out and draw what is in view."""
        if not self.is_attached or not self.size.width:
            return
        names, chosen = self.names, self.chosen
        columns, rows = max(1, self.size.width // WIDE), max(1, self.size.height // HIGH)
        if self.zoomed:
            columns = rows = 1
        columns = min(columns, max(1, len(names)))
        rows = min(rows, max(1, -(-len(names) // columns)), max(1, MOST // columns))
        places = columns * rows
        at = names.index(chosen) if chosen in names else 0
        first = at if self.zoomed else at // places * places
        page = names[first : first + places]
        self.styles.grid_size_columns, self.styles.grid_size_rows = columns, rows
        charts = list(self.query(Chart))
        for number, chart in enumerate(charts):
            name = page[number] if number < len(page) else None
            chart.set_class(name is not None, "on")
            if name is not None:
                chart.set_class(name == chosen and len(names) > 1 and not self.zoomed, "chosen")
                chart.show(self._curves[name], self.view if self.zoomed else replace(self.view, cursor=None))
        none = self.query_one("#charts-none", Static)
        none.set_class(not page, "on")
        words = one_line(self.words, 60)
        put(none, Content(f"no curve has “{words}” in its name" if self._curves else "no curve yet"))

    # what can be done

    def move(self, by: int) -> None:
        """Choose another chart; where one is zoomed, move its cross-hair."""
        if self.zoomed:
            chart = self.query_one("Chart.on", Chart)
            at = self.view.cursor
            start = chart.columns if by < 0 else -1
            self.view = replace(self.view, cursor=max(0, min((start if at is None else at) + by, chart.columns - 1)))
        elif names := self.names:
            self._chosen = names[(names.index(self.chosen) + by) % len(names)]
        self.draw()

    def zoom(self, on: bool) -> None:
        """One chart at full size, or all again."""
        self._chosen, self.zoomed = self.chosen, on and bool(self.chosen)
        self.view = replace(self.view, cursor=None)
        self.draw()

    def turn_log(self) -> None:
        """Logarithmic, or not."""
        self.view = replace(self.view, log=not self.view.log)
        self.draw()

    def turn_smooth(self) -> None:
        """The next weight of smoothing."""
        at = SMOOTH.index(self.view.smooth)
        self.view = replace(self.view, smooth=SMOOTH[(at + 1) % len(SMOOTH)])
        self.draw()

    def narrow(self, words: str) -> None:
        """Only curves with these words in their names."""
        self.words = words
        self.draw()

    @property
    def state(self) -> str:
        """What is set, in words."""
        names = self.names
        said = [f"{names.index(self.chosen) + 1} of {len(names)} curves" if names else "no curve"]
        said += ["log scale"] if self.view.log else []
        said += [f"smooth {self.view.smooth:g}"] if self.view.smooth else []
        return " · ".join(said)
