"""Paired tests: published worked examples, brute force, and how many instances it takes."""

from __future__ import annotations

import math
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation import paired
from evaluation.intervals import LEAST, MANY
from evaluation.paired import (
    holm,
    holm_factors,
    instances_needed,
    mcnemar,
    paired_mean,
    sign_p,
    spread_of,
    swap_p,
)

DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
"""Heights of cross- less those of self-fertilised maize, in eighths of an inch; Fisher (1935) tested their signs."""
SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
"""Hours of sleep gained by one drug over the other: Cushny and Peebles (1905), Student's own example."""


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [(121, 59, 4.434449e-06), (9, 2, 0.06542969), (7, 1, 0.0703125), (0, 0, 1.0), (1, 1, 1.0), (0, 6, 0.03125)],
)
def test_mcnemar_is_exact(first, second, p):
    """121 against 59 is the usual textbook table; the values are those of R's and statsmodels' exact test."""
    found = mcnemar(first, second)
    assert found.p == pytest.approx(p, rel=1e-5) and (found.first, found.second) == (first, second)
    assert mcnemar(second, first).p == found.p


def test_signs_as_fisher_and_student_had_them():
    assert sign_p(DARWIN) == 1726 / 32768
    assert sign_p(SLEEP) == 2 / 512  # of the nine that differ, all have the same sign
    assert sign_p([]) == sign_p([0.0, 0.0]) == 1.0


@given(st.lists(st.integers(-6, 6), max_size=9))
def test_signs_are_counted_as_by_hand(differences):
    observed = abs(sum(differences))
    signs = product((1, -1), repeat=len(differences))
    as_large = sum(abs(sum(s * d for s, d in zip(some, differences, strict=True))) >= observed for some in signs)
    assert sign_p([d / 7 for d in differences]) == pytest.approx(as_large / 2 ** len(differences))


@given(st.integers(0, 40), st.integers(0, 40))
def test_on_yes_and_no_the_signs_are_mcnemars(first, second):
    assert sign_p([100.0] * first + [-100.0] * second) == pytest.approx(mcnemar(first, second).p)


def test_where_sums_are_too_many_signs_are_drawn_and_above_that_they_are_normal(monkeypatch):
    luck = Random(2)
    some = [luck.gauss(0, 1) for _ in range(40)]
    some = [one - sum(some) / 40 + 0.25 for one in some]
    monkeypatch.setattr(paired, "DRAWN", 40_000)
    drawn = sign_p(some)
    t = sum(some) / math.sqrt(sum(one * one for one in some))
    assert drawn == pytest.approx(math.erfc(abs(t) / math.sqrt(2)), abs=0.01) and 0 < drawn < 0.2
    many = some * (MANY // 40 + 1)
    many = [value * (1 if at % 2 else -1) for at, value in enumerate(many)]
    t = sum(many) / math.sqrt(sum(one * one for one in many))
    assert sign_p(many) == pytest.approx(math.erfc(abs(t) / math.sqrt(2)), rel=1e-3)


def test_holm_as_published():
    """Holm's procedure on the values of Wikipedia's example, and on ties; statsmodels has the same."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.0001, 0.0401, 0.02, 0.5, 0.02]) == pytest.approx([0.0005, 0.0802, 0.08, 0.5, 0.08])
    assert holm_factors([0.3, 0.1, 0.2]) == [1, 3, 2] and holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.randoms())
def test_holm_never_lowers_keeps_the_order_and_forgets_the_places(values, luck):
    found = holm(values)
    assert all(before <= after <= 1 for before, after in zip(values, found, strict=True))
    assert all(after <= min(1.0, len(values) * before) + 1e-12 for before, after in zip(values, found, strict=True))
    order = list(range(len(values)))
    luck.shuffle(order)
    assert holm([values[at] for at in order]) == pytest.approx([found[at] for at in order])
    for one, other in zip(values, found, strict=True):
        assert all(b >= other for a, b in zip(values, found, strict=True) if a > one)


@pytest.mark.parametrize(("effect", "n"), [(1.0, 9.94), (0.5, 33.37), (0.3, 89.15), (0.2, 198.15)])
def test_how_many_instances_as_power_tables_have_it(effect, n):
    """Paired t test, 80% power, 5%: Cohen's d of 0.5 takes 34 pairs, 0.2 takes 199 (statsmodels' TTestPower)."""
    assert instances_needed(effect * 20, 20.0) == pytest.approx(n, abs=1.2)


def test_how_many_at_the_edges():
    assert instances_needed(0.0, 10.0) is None and instances_needed(0.01, 50.0) is None
    assert instances_needed(50.0, 0.0) == LEAST == instances_needed(1000.0, 1.0)
    assert instances_needed(10, 30, alpha=0.05 / 14) > instances_needed(10, 30)
    assert instances_needed(-10, 30) == instances_needed(10, 30)


def test_paired_means_and_their_spread():
    clusters = [(total, 2.0) for total in (4.0, 8.0, 0.0, 2.0, 6.0, 10.0)]
    found = paired_mean(clusters)
    assert found.value == 2.5 and found.n == 12 and found.low < 2.5 < found.high
    assert spread_of(clusters) == pytest.approx(math.sqrt(3.5)) and spread_of(clusters[:1]) == 0
    assert paired_mean(clusters[:4]).low is None


def gap(games):
    return sum(first - second for first, second in games)


def test_exchanging_the_models():
    rows = [(one, 0.0) for one in DARWIN]
    assert swap_p([rows], gap, resamples=20_000) == pytest.approx(1726 / 32768, abs=0.005)
    halves = [rows[:7], rows[7:]]
    assert swap_p(halves, gap, resamples=20_000) == pytest.approx(1726 / 32768, abs=0.005)
    assert swap_p([[(5.0, 5.0)] * 9], gap) == 1.0
    assert swap_p([[(9.0, 1.0)] * 20], gap) == 1 / 2001
