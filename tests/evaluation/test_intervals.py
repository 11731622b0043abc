"""Intervals: against published figures, and against what they promise."""

from __future__ import annotations

from random import Random

import pytest

from evaluation.intervals import LEAST, clustered_mean, percentiles, wilson


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


@pytest.mark.slow
def test_the_bootstrap_covers_about_what_it_says():
    luck, covered = Random(3), 0
    for number in range(200):
        clusters = {
            str(n): [luck.gauss(mean, 1.0) for _ in range(4)]
            for n in range(20)
            if (mean := luck.gauss(5, 2)) is not None
        }
        found = clustered_mean(clusters, seed=number, resamples=400)
        covered += found.low <= 5 <= found.high
    assert 0.88 <= covered / 200 <= 0.98
