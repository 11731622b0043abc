"""What the statistics promise, simulated: coverage, false positives, power. Slow, and with fixed seeds."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from statistics import fmean, stdev

import pytest
from finished import row

from evaluation import paired
from evaluation.compare import compare
from evaluation.intervals import clustered_mean, clustered_rate
from evaluation.paired import holm, instances_needed, paired_mean, sign_p, swap_p
from evaluation.results import product, score_interval, vectors
from store.scored import ScoredRow

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
FAST = 400
"""Resamples: fewer than in use, so that thousands of intervals can be made."""


def chance(logit: float, spread: float) -> Callable[[Random], float]:
    """How probable success is on an instance: instances differ."""
    return lambda luck: 1 / (1 + math.exp(-(logit + luck.gauss(0, spread))))


def covers(trials: int, make: Callable[[Random, int], bool], seed: int = 1) -> float:
    luck = Random(seed)
    return sum(make(luck, trial) for trial in range(trials)) / trials


@pytest.mark.parametrize("instances", [10, 30])
def test_means_of_8_repeats_are_covered_where_the_naive_interval_is_too_narrow(instances):
    naive = 0

    def one(luck: Random, trial: int) -> bool:
        nonlocal naive
        middles = [luck.gauss(50, 12) for _ in range(instances)]
        rows = {str(n): [middle + luck.gauss(0, 20) for _ in range(8)] for n, middle in enumerate(middles)}
        every = [value for values in rows.values() for value in values]
        naive += abs(fmean(every) - 50) < 1.96 * stdev(every) / math.sqrt(len(every))
        found = clustered_mean(rows, trial, FAST)
        return found.low <= 50 <= found.high

    assert 0.93 <= covers(1500, one) <= 0.97
    assert naive / 1500 < 0.85


@pytest.mark.parametrize(("logit", "spread"), [(0, 1), (2, 1), (2.5, 1.5), (1, 3)])
def test_rates_of_8_repeats_are_covered(logit, spread):
    draw = chance(logit, spread)
    truth = fmean(draw(luck) for luck in [Random(0)] for _ in range(200_000))

    def one(luck: Random, trial: int) -> bool:
        found = clustered_rate(
            {str(n): [luck.random() < p for _ in range(8)] for n in range(10) for p in (draw(luck),)}
        )
        return found.low <= truth <= found.high

    assert 0.93 <= covers(3000, one) <= 0.97


def test_rates_of_single_episodes_are_covered_at_60_instances():
    def one(luck: Random, trial: int) -> bool:
        found = clustered_rate({str(n): [luck.random() < 0.9] for n in range(60)})
        return found.low <= 0.9 <= found.high

    assert 0.93 <= covers(3000, one) <= 0.97


def episodes(luck: Random, games: int, instances: int, repeats: int, model: str = "a") -> list[ScoredRow]:
    """Of games whose instances are more or less hard: aborted by and by, scores in thirds."""
    return [
        row(f"{game}-{n}", None if luck.random() > kept else 100 / 3 * sum(luck.random() < well for _ in range(3)),
            model, f"clem:{game}")
        for game in range(games) for n in range(instances)
        for kept in (chance(1.5, 1)(luck),) for well in (chance(0, 1)(luck),) for _ in range(repeats)
    ]  # fmt: skip


@pytest.mark.parametrize("repeats", [1, 8])
def test_the_clemscore_is_covered_at_10_instances_a_game(repeats):
    luck = Random(0)
    kept = 100 * fmean(chance(1.5, 1)(luck) for _ in range(200_000))
    truth = kept / 100 * 50  # whether an instance is kept to the end says nothing of how well it is played

    def one(luck: Random, trial: int) -> bool:
        rows = episodes(luck, 4, 10, repeats)
        strata = {game: vectors(r for r in rows if r.game == game) for game in {r.game for r in rows}}
        low, high = score_interval(strata, FAST)
        return low <= truth <= high

    assert 0.93 <= covers(600, one) <= 0.97
    every = vectors(episodes(Random(2), 1, 2000, 8))
    assert product([tuple(map(sum, zip(*every, strict=True)))])[2] == pytest.approx(truth, abs=1.5)


def test_at_most_5_percent_of_1000_null_comparisons_find_anything():
    """Two models that are equally good, instance by instance, in two games: words after Holm, and the clemscore's."""
    found = {"quality": 0, "played": 0, "success": 0, "clemscore": 0}
    luck = Random(11)
    for _ in range(1000):
        rows: list[ScoredRow] = []
        for game in range(2):
            for n in range(12):
                kept, well = chance(1.5, 1)(luck), chance(0, 1.5)(luck)
                for model in ("a", "b"):
                    main = 100 / 3 * sum(luck.random() < well for _ in range(3)) if luck.random() < kept else None
                    rows.append(row(f"{game}-{n}", main, model, f"clem:{game}"))
        (pair,) = compare(rows, ("a", "b"), resamples=99)
        for measure in ("quality", "played", "success"):
            found[measure] += any(game.differences[measure].word in ("higher", "lower") for game in pair.games)
        found["clemscore"] += pair.scores[0].difference.word != "not significant"
    spare = 2 * math.sqrt(0.05 * 0.95 / 1000)
    assert all(number / 1000 <= 0.05 + spare for number in found.values()), found
    assert found["quality"] and found["clemscore"]  # the tests are not asleep


def test_intervals_of_differences_cover_nothing_where_there_is_nothing():
    def one(luck: Random, trial: int) -> bool:
        clusters = [(luck.gauss(0, 30), 1.0) for _ in range(12)]
        found = paired_mean(clusters, trial, FAST)
        return found.low <= 0 <= found.high

    assert 0.93 <= covers(1000, one) <= 0.97


@pytest.mark.parametrize(("difference", "spread"), [(10, 20), (6, 25)])
def test_a_planted_difference_is_found_at_the_promised_power(difference, spread, monkeypatch):
    monkeypatch.setattr(paired, "EXACT", 200)
    monkeypatch.setattr(paired, "DRAWN", 399)
    n = instances_needed(difference, spread)

    def one(luck: Random, trial: int) -> bool:
        return sign_p([luck.gauss(difference, spread) for _ in range(n)], trial) < 0.05

    assert 0.76 <= covers(1000, one) <= 0.84


def test_a_planted_difference_is_found_after_holm_over_14_games_too(monkeypatch):
    """The plan for a corrected level holds when that is what the test is held to."""
    monkeypatch.setattr(paired, "EXACT", 200)
    monkeypatch.setattr(paired, "DRAWN", 1_999)
    n = instances_needed(10, 20, alpha=0.05 / 14)

    def one(luck: Random, trial: int) -> bool:
        real = sign_p([luck.gauss(10, 20) for _ in range(n)], trial)
        return holm([real, *(1.0 for _ in range(13))])[0] < 0.05

    assert 0.75 <= covers(400, one) <= 0.86


def test_exchanging_finds_what_is_there():
    def one(luck: Random, trial: int) -> bool:
        rows = [(luck.gauss(12, 20), 0.0) for _ in range(24)]
        return swap_p([rows], lambda games: sum(a - b for a, b in games), trial, 199) < 0.05

    assert covers(300, one) > 0.7
