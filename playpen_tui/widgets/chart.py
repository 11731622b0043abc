"""A chart of one quantity in braille dots: axes, several series apart by dashes and end marks, gaps where it broke.

Drawn here and not by a library: those for this terminal drop what is no number, which is what one looks for in a
training, or have no dashes, no theme colours, or need an array library for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from playpen_tui.curves import Curve, smoothed
from playpen_tui.text import one_line, short

MARKS = "●◆▲■"
"""End marks of series, in order; dashes grow wider with them."""
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of the dots of a braille cell, by row and column."""
SMOOTH = (0.0, 0.6, 0.9)
"""Weights of smoothing that can be chosen."""

Cell = tuple[str, str]
"""A character and its style: a name of `Chart.COMPONENT_CLASSES` behind `chart--`."""


@dataclass(frozen=True, slots=True)
class View:
    """How a chart is drawn. `cursor` is a column of the plot with cross-hair, None for none."""

    log: bool = False
    smooth: float = 0.0
    cursor: int | None = None


def number(value: float | None) -> str:
    """A figure in at most seven characters."""
    if value is None:
        return "–"
    size = abs(value)
    if size and (size >= 1e6 or size < 1e-3):
        return f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    return f"{value:,.0f}" if size >= 1000 else f"{value:.3g}"


@dataclass(frozen=True, slots=True)
class _Frame:
    """From steps and values to dots: `width` and `height` in cells."""

    left: float
    right: float
    bottom: float
    top: float
    width: int
    height: int

    def x(self, step: float) -> int:
        share = (step - self.left) / (self.right - self.left) if self.right > self.left else 0.0
        return round(share * (2 * self.width - 1))

    def y(self, value: float) -> int:
        return round((self.top - value) / (self.top - self.bottom) * (4 * self.height - 1))

    def step(self, column: int) -> float:
        """The step in the middle of a column."""
        return self.left + (self.right - self.left) * (2 * column + 0.5) / max(1, 2 * self.width - 1)


def _frame(curves: Sequence[Curve], scale: Callable[[float], float | None], width: int, height: int) -> _Frame | None:
    """Where the axes begin and end; None where there is nothing that can be drawn."""
    bins = [one for curve in curves for one in curve.bins if one.number]
    ends = [end for one in bins for value in (one.low, one.high) if (end := scale(value)) is not None]
    if not ends:
        return None
    low, high = min(ends), max(ends)
    if high - low < 1e-12:
        low, high = low - (abs(low) * 0.1 or 0.5), high + (abs(high) * 0.1 or 0.5)
    known = [curve for curve in curves if curve.bins]
    return _Frame(
        min(curve.bins[0].start for curve in known), max(curve.last for curve in known), low, high, width, height
    )


class Grid:
    """Dots and characters, cell by cell."""

    def __init__(self, frame: _Frame) -> None:
        self.frame = frame
        self.bits = [[0] * frame.width for _ in range(frame.height)]
        self.styles = [["axis"] * frame.width for _ in range(frame.height)]
        self.over: dict[tuple[int, int], Cell] = {}

    def dot(self, x: int, y: int, style: str) -> None:
        """A dot; the last style of a cell is its own."""
        row, column = min(max(0, y // 4), self.frame.height - 1), min(max(0, x // 2), self.frame.width - 1)
        self.bits[row][column] |= DOTS[y % 4][x % 2]
        self.styles[row][column] = style

    def line(self, points: Iterable[tuple[int, int] | None], style: str, dash: int = 0) -> tuple[int, int] | None:
        """Points joined up, but not over None; every other `dash` dots are left out. Returns the last point."""
        before: tuple[int, int] | None = None
        last: tuple[int, int] | None = None
        for point in points:
            if point is not None:
                for x, y in _between(before or point, point):
                    if not dash or (x // dash) % 2 == 0:
                        self.dot(x, y, style)
                last = point
            before = point
        return last

    def row(self, y: int) -> list[Cell]:
        """A line of cells."""
        plain = zip(self.bits[y], self.styles[y], strict=True)
        cells = [(chr(0x2800 + bits) if bits else " ", style) for bits, style in plain]
        for (row, column), cell in self.over.items():
            if row == y and (cell[0] != "┊" or cells[column][0] == " "):
                cells[column] = cell
        return cells


def _between(a: tuple[int, int], b: tuple[int, int]) -> Iterable[tuple[int, int]]:
    """Dots of a straight line from one to the other."""
    steps = max(abs(b[0] - a[0]), abs(b[1] - a[1]), 1)
    return [
        (round(a[0] + (b[0] - a[0]) * at / steps), round(a[1] + (b[1] - a[1]) * at / steps)) for at in range(steps + 1)
    ]


def plot(curves: Sequence[Curve], width: int, height: int, view: View) -> list[list[Cell]]:
    """The curves as `height` lines of `width` cells: first line what is shown, last the steps."""
    scale = _logarithm if view.log else _same
    gutter = 8
    frame = _frame(curves, scale, max(4, width - gutter - 1), max(1, height - 3))
    head = _head(curves, view, frame, width)
    if frame is None:
        some = any(curve.bins for curve in curves)
        why = "no number yet" if not some else "nothing above 0" if view.log else "no number in it"
        lines = [head, *([[(" " * width, "axis")]] * max(0, height - 1))]
        if height > 1:
            lines[min(len(lines) - 1, height // 2)] = [(f"{why:^{width}}"[:width], "axis")]
        return lines
    grid = Grid(frame)
    for order, curve in enumerate(curves):
        _draw(grid, curve, order, view, scale)
    if view.cursor is not None:
        for row in range(frame.height):
            grid.over[row, view.cursor] = ("┊", "cross")
    unscale: Callable[[float], float] = (lambda value: 10**value) if view.log else (lambda value: value)
    lines = [head]
    ticks = {0: frame.top, frame.height - 1: frame.bottom}
    if frame.height >= 5:
        ticks[frame.height // 2] = frame.top - (frame.top - frame.bottom) * (frame.height // 2) / (frame.height - 1)
    for row in range(frame.height):
        tick = f"{number(unscale(ticks[row])):>{gutter - 1}} " if row in ticks else " " * gutter
        lines.append([(f"{tick[:gutter]}{'┤' if row in ticks else '│'}", "axis"), *grid.row(row)])
    lines.append([(f"{'':{gutter}}└{'─' * frame.width}", "axis")])
    left, right = f"{frame.left:,.0f}", f"{frame.right:,.0f}"
    lines.append([(f"{'':{gutter + 1}}{left}{right:>{max(1, frame.width - len(left))}}"[:width], "axis")])
    return lines[:height]


def _same(value: float) -> float | None:
    return value


def _logarithm(value: float) -> float | None:
    return math.log10(value) if value > 0 else None


def _draw(grid: Grid, curve: Curve, order: int, view: View, scale: Callable[[float], float | None]) -> None:
    """One series: its spread pale below, the line over it, marks where it broke and where it ends."""
    frame = grid.frame
    style = f"line{order % len(MARKS)}"
    middles = [frame.x(min(one.start + (curve.span - 1) / 2, curve.last)) for one in curve.bins]

    def points(values: Iterable[float | None]) -> list[tuple[int, int] | None]:
        """One point a column of dots, the mean of what falls there."""
        found: list[tuple[int, int] | None] = []
        column, inside = -1, list[float]()
        for x, value in [*zip(middles, values, strict=True), (-1, None)]:
            if x != column:
                if inside:
                    found.append((column, frame.y(sum(inside) / len(inside))))
                column, inside = x, []
            scaled = None if value is None else scale(value)
            if scaled is not None:
                inside.append(scaled)
            elif x >= 0:
                found += [(column, frame.y(sum(inside) / len(inside))), None] if inside else [None]
                inside = []
        return found

    if view.smooth and order == 0:
        grid.line(points(one.mean for one in curve.bins), "raw")
    last = grid.line(points(smoothed(curve.bins, view.smooth)), style, dash=2 * order)
    for x, one in zip(middles, curve.bins, strict=True):
        if one.broken:
            grid.over[frame.height - 1, min(x // 2, frame.width - 1)] = ("×", "bad")
    if last is not None and (order or frame.height > 3):
        grid.over[last[1] // 4, min(last[0] // 2, frame.width - 1)] = (MARKS[order % len(MARKS)], style)


def _head(curves: Sequence[Curve], view: View, frame: _Frame | None, width: int) -> list[Cell]:
    """The name, and the values at the cross-hair or at the end."""
    name = one_line(curves[0].name, 60) if curves else ""
    cells: list[Cell] = [(short(name, width), "title")]
    step = frame.step(view.cursor) if frame is not None and view.cursor is not None else None
    if step is not None:
        cells.append((f"  step {step:,.0f}", "axis"))
    for order, curve in enumerate(curves):
        mark = f"{MARKS[order % len(MARKS)]} " if len(curves) > 1 else ""
        text = number(curve.latest)
        if step is not None and (found := curve.at(step)) is not None:
            text = number(found.mean) + ("" if found.broken == 0 else f", {found.broken} no number")
            text += f" ({number(found.low)} to {number(found.high)})" if found.number > 1 else ""
        elif curve.bins and curve.latest is None:
            text = f"no number since step {curve.broken_at:,}"
        cells.append((f"  {mark}{text}", f"line{order % len(MARKS)}"))
    if view.log:
        cells.append(("  log", "axis"))
    room, kept = width, list[Cell]()
    for text, style in cells:
        kept.append((text[:room], style))
        room -= min(room, cell_len(text))
    return kept


class Chart(Widget):
    """Curves of one name, one series a training."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"chart--{name}" for name in ("title", "axis", "raw", "cross", "bad", "line0", "line1", "line2", "line3")),
    }
    DEFAULT_CSS = """
    Chart { background: $background; }
    Chart .chart--title { color: $foreground; text-style: bold; }
    Chart.chosen .chart--title { color: $background; background: $accent; text-style: bold; }
    Chart .chart--axis, Chart .chart--raw { color: $secondary; }
    Chart .chart--raw { color: $secondary 60%; }
    Chart .chart--cross { color: $accent; }
    Chart .chart--bad { color: $error; text-style: bold; }
    Chart .chart--line0 { color: $primary; }
    Chart .chart--line1 { color: $accent; }
    Chart .chart--line2 { color: $success; }
    Chart .chart--line3 { color: $error; }
    """

    def __init__(self, curves: Sequence[Curve] = (), id: str | None = None) -> None:
        super().__init__(id=id)
        self._curves = tuple(curves)
        self._view = View()
        self._lines: list[list[Cell]] | None = None
        self._drawn: object = None

    @property
    def curves(self) -> tuple[Curve, ...]:
        """What is shown."""
        return self._curves

    @property
    def columns(self) -> int:
        """Columns of the plot, each of which the cross-hair can stand on."""
        return max(4, self.size.width - 9)

    def show(self, curves: Sequence[Curve], view: View) -> None:
        """Draw these, or draw them anew where they have grown; what is drawn already is left as it is."""
        now = (view, [(id(curve), curve.last) for curve in curves])
        if now != self._drawn:
            self._curves, self._view, self._lines, self._drawn = tuple(curves), view, None, now
            self.refresh()

    def on_resize(self) -> None:
        """Another size has other dots."""
        self._lines = None

    def render_line(self, y: int) -> Strip:
        """One line."""
        width = self.size.width
        if self._lines is None:
            self._lines = plot(self._curves, width, self.size.height, self._view)
        base = self.rich_style
        if y >= len(self._lines):
            return Strip.blank(width, base)
        segments = list[Segment]()
        text, style = "", ""
        for char, name in [*self._lines[y], ("", "end")]:
            if name != style and text:
                segments.append(Segment(text, base + self.get_component_rich_style(f"chart--{style}", partial=True)))
                text = ""
            text, style = text + char, name
        return Strip(segments).adjust_cell_length(width, base)
