"""Intervals: against published figures, and against what they promise."""

from __future__ import annotations

import math
from random import Random
from statistics import NormalDist, fmean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.intervals import (
    LEAST,
    MANY,
    clustered_mean,
    clustered_rate,
    percentiles,
    student,
    student_cdf,
    sums,
    wilson,
)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [  # R's prop.test without correction, and Newcombe's 1998 examples of the score method
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
    ],
)
def test_wilson_is_the_published_score_interval(successes, n, low, high):
    found = wilson(successes, n)
    assert found.value == successes / n and found.n == n
    assert found.low == pytest.approx(low, abs=1e-4) and found.high == pytest.approx(high, abs=1e-4)


def test_too_few_have_no_interval():
    assert wilson(2, LEAST - 1).low is None
    assert clustered_mean({str(n): [1.0] * 50 for n in range(LEAST - 1)}).high is None
    with pytest.raises(ValueError, match="no rate"):
        wilson(0, 0)
    with pytest.raises(ValueError, match="nothing"):
        clustered_mean({"a": []})


def test_repeats_of_an_instance_are_no_new_observations():
    luck = Random(1)
    once = {str(n): [luck.random()] for n in range(20)}
    often = {key: values * 50 for key, values in once.items()}
    one, many = clustered_mean(once), clustered_mean(often)
    assert many.value == pytest.approx(one.value) and many.n == 50 * one.n
    assert many.high - many.low == pytest.approx(one.high - one.low, rel=0.02)


def test_the_interval_does_not_depend_on_the_order_and_repeats_with_its_seed():
    clusters = {str(n): [float(n % 7)] for n in range(30)}
    shuffled = dict(sorted(clusters.items(), key=lambda item: item[1]))
    assert clustered_mean(clusters) == clustered_mean(shuffled)
    assert clustered_mean(clusters, seed=2) != clustered_mean(clusters, seed=1)
    assert percentiles([float(n) for n in range(1001)]) == (25.0, 975.0)


@pytest.mark.parametrize(
    ("share", "free", "point"),
    [
        (0.975, 1, 12.706204736),
        (0.975, 2, 4.302652730),
        (0.975, 5, 2.570581836),
        (0.975, 30, 2.042272456),
        (0.975, 3000, 1.960755055),
        (0.8, 7, 0.896029644),
    ],
)
def test_students_points_are_those_of_the_tables(share, free, point):
    assert student(share, free) == pytest.approx(point, abs=2e-6)


@pytest.mark.parametrize("share", [0.6, 0.8, 0.975, 0.9982, 0.9999])
@pytest.mark.parametrize("free", [201, 500, 1999])
def test_students_points_for_many_degrees_of_freedom_lie_where_the_distribution_says(share, free):
    assert student_cdf(student(share, free), free) == pytest.approx(share, abs=1e-9)


def test_students_distribution():
    assert student_cdf(1.5, 4) == pytest.approx(0.896) and student_cdf(-0.7, 3) == pytest.approx(0.267163499)
    assert student_cdf(0.0, 9) == 0.5


def test_the_bootstrap_of_the_mice():
    """Efron and Tibshirani (1993), table 2.2: seven mice, standard error of the mean 23.36 for endless resamples."""
    mice = [(float(days), 1.0) for days in (94, 197, 16, 38, 99, 141, 23)]
    means = [total / count for total, count in sums(mice, seed=3, resamples=20_000)]
    middle = math.fsum(means) / len(means)
    error = math.sqrt(math.fsum((mean - middle) ** 2 for mean in means) / len(means))
    assert middle == pytest.approx(86.857, abs=0.6) and error == pytest.approx(23.36, abs=0.35)


def test_a_bootstrap_of_normal_values_comes_to_students_interval():
    values = [NormalDist(50, 10).inv_cdf((n + 0.5) / 12) for n in range(12)]
    found = clustered_mean({str(n): [value] for n, value in enumerate(values)}, resamples=20_000)
    mean, deviation = fmean(values), stdev(values)
    half = student(0.975, 11) * deviation / math.sqrt(12)
    assert found.low == pytest.approx(mean - half, abs=0.5) and found.high == pytest.approx(mean + half, abs=0.5)


@given(st.lists(st.sampled_from([0.0, 1.0, 2.5]), min_size=1, max_size=40), st.integers(1, 60))
def test_many_kinds_of_clusters_are_summed_like_few(values, shift):
    """Few different clusters are counted, many are added up: both draw the same clusters."""
    few = [(value, 1.0) for value in values]
    many = [(value, 1.0, float(n)) for n, value in enumerate(values)]
    totals = {round(total, 6) for total, _ in sums(few, shift, 20)}
    assert all(0 <= total <= max(values) * len(values) for total in totals)
    for total, count, places in sums(many, shift, 20):
        assert count == len(values) and 0 <= total <= max(values) * len(values)
        assert places <= (len(values) - 1) * len(values)


def test_every_cluster_is_drawn_as_often():
    n = 100
    clusters = [(*(float(at == n) for at in range(100)), 1.0) for n in range(n)]
    totals = [sum(column) for column in zip(*sums(clusters, 5, 2000), strict=True)]
    assert totals[-1] == n * 2000
    chi = sum((count - 2000) ** 2 / 2000 for count in totals[:-1])
    assert 50 < chi < 160  # 99 degrees of freedom


def test_large_logs_are_drawn_from_the_normal_distribution():
    luck = Random(4)
    values = [(float(luck.random() < 0.3), luck.random(), 1.0) for _ in range(MANY + 500)]
    drawn = list(sums(values, 1, 4000))
    assert {round(row[2], 6) for row in drawn} == {float(MANY + 500)}
    for column in (0, 1):
        some, real = [row[column] for row in drawn], [row[column] for row in values]
        assert fmean(some) == pytest.approx(sum(real), rel=0.01)
        assert stdev(some) == pytest.approx(stdev(real) * math.sqrt(len(real)), rel=0.06)


def test_rates_count_repeats_for_what_they_are_worth():
    once = clustered_rate({str(n): [n < 7] for n in range(10)})
    assert once == wilson(7, 10) and once.low == pytest.approx(0.39677815) and once.high == pytest.approx(0.89220873)
    often = clustered_rate({str(n): [n < 7] * 50 for n in range(10)})
    assert often.n == 500 and often.low < once.low and often.high > once.high  # Student's, for ten instances
    even = clustered_rate({str(n): [True] * 8 for n in range(10)})
    assert even.value == even.high == 1 and even.low < 0.73
    assert clustered_rate({str(n): [True] * 8 for n in range(4)}).low is None
    with pytest.raises(ValueError, match="nothing"):
        clustered_rate({"a": []})


@given(
    st.dictionaries(st.text(max_size=3), st.lists(st.booleans(), min_size=1, max_size=6), min_size=5, max_size=12),
)
def test_rates_stay_between_their_bounds_and_their_complement_mirrors_them(clusters):
    found = clustered_rate(clusters)
    assert 0 <= found.low <= found.value <= found.high <= 1
    other = clustered_rate({name: [not value for value in values] for name, values in clusters.items()})
    assert other.value == pytest.approx(1 - found.value)
    assert other.low == pytest.approx(1 - found.high) and other.high == pytest.approx(1 - found.low)
