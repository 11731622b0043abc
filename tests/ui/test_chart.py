"""Charts as text: axes, gaps, series apart without colour, and curves of any length."""

from __future__ import annotations

import math

import pytest

from playpen_tui.curves import BINS, Curve, smoothed
from playpen_tui.trainings import ordered
from playpen_tui.widgets.chart import View, number, plot


def drawn(curves, width=50, height=10, view=None) -> list[str]:
    return ["".join(text for text, _ in line) for line in plot(curves, width, height, view or View())]


def curve(values, name="loss") -> Curve:
    made = Curve(name)
    for step, value in enumerate(values, 1):
        made.add(step, value)
    return made


def test_axes_say_where_they_begin_and_end():
    lines = drawn([curve([4.0, 3.0, 2.0])])
    assert len(lines) == 10
    assert lines[0].startswith("loss  2")
    assert lines[1].split("┤")[0].strip() == "4" and lines[7].split("┤")[0].strip() == "2"
    assert lines[-1].split() == ["1", "3"]
    assert "●" in lines[7]


def test_a_falling_line_falls():
    lines = drawn([curve([9 - step for step in range(9)])])
    first, last = ([line.ljust(50)[at] in " │┤" for line in lines[1:8]].index(False) for at in (9, 49))
    assert first < last


def test_what_is_no_number_is_a_gap_with_a_mark():
    whole, broken = (drawn([curve(values)]) for values in ([1.0] * 60, [1.0] * 20 + [None] * 20 + [1.0] * 20))
    assert "×" not in "".join(whole)
    row = next(line for line in broken if "⠒" in line or "⠤" in line or "⠉" in line)
    assert "   " in row[10:-3].strip("│┤ ")
    assert broken[7].count("×") > 5


def test_a_curve_that_broke_says_since_when():
    assert "no number since step 3" in drawn([curve([1.0, 1.0, math.nan])])[0]


def test_nothing_is_said_and_not_drawn():
    assert "no number yet" in "".join(drawn([Curve("loss")]))
    assert "nothing above 0" in "".join(drawn([curve([-1.0, 0.0])], view=View(log=True)))


def test_a_logarithm_is_straight_where_the_curve_is_not():
    lines = drawn([curve([10.0**-step for step in range(5)])], view=View(log=True))
    assert "log" in lines[0]
    assert lines[4].split("┤")[0].strip() == "0.01"


def test_series_are_apart_without_colour():
    one, two = curve([3.0] * 40), curve([1.0] * 40)
    lines = drawn([one, two])
    assert "● 3" in lines[0] and "◆ 1" in lines[0]
    assert "◆" in lines[7] and "●" in lines[1]
    assert " " not in lines[1][9:-1]
    assert " " in lines[7][9:-1], "the second is dashed"


def test_the_cross_hair_reads_values():
    head = drawn([curve(range(100))], view=View(cursor=0))[0]
    assert "step 1" in head or "step 2" in head
    assert "┊" in "".join(drawn([curve(range(100))], view=View(cursor=5)))


@pytest.mark.parametrize("size", [(5, 1), (12, 3), (36, 4), (200, 60)])
def test_any_size_is_filled(size):
    lines = drawn([curve(range(30))], *size)
    assert 0 < len(lines) <= size[1]


def test_a_long_curve_stays_small_and_right():
    long = curve([float(step % 7) for step in range(50_000)])
    assert len(long.bins) <= BINS
    assert sum(one.number for one in long.bins) == 50_000
    assert all(a.start + long.span <= b.start for a, b in zip(long.bins, long.bins[1:], strict=False))
    assert long.bins[0].low == 0 and long.bins[0].high == 6
    assert long.at(25_000).start <= 25_000 < long.at(25_000).start + long.span


def test_a_step_comes_once():
    one = curve([1.0, 2.0])
    one.add(2, 5.0)
    assert one.latest == 2.0


def test_smoothing_begins_at_the_first_value():
    assert list(smoothed(curve([2.0, 2.0, None, 2.0]).bins, 0.9)) == pytest.approx([2.0, 2.0, None, 2.0])
    assert list(smoothed(curve([0.0, 1.0]).bins, 0.5)) == pytest.approx([0.0, 2 / 3])


def test_order_and_filter_of_curves():
    names = ["learning_rate", "kl", "train_runtime", "loss", "eval_loss", "epoch"]
    assert ordered(names) == ["loss", "eval_loss", "kl", "epoch", "learning_rate"]
    assert ordered(names, "LOSS ev") == ["eval_loss"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0"), (1234.5, "1,234"), (1e-4, "1.0e-4"), (2.4e12, "2.4e12"), (-0.25, "-0.25")],
)
def test_numbers_are_short(value, text):
    assert number(value) == text
