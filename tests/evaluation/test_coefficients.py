"""Coefficients of agreement: against published worked examples, another implementation, and what they promise."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.coefficients import LEAST, NO_VARIATION, ac1, alpha, estimated, kappa, prevalence, raw

EXAMPLE = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]
"""Krippendorff 2011, section C: four observers, twelve units, five values, data missing."""


def units_of(ratings):
    return [tuple(value - 1 for value in column if value is not None) for column in zip(*ratings, strict=True)]


def table(counts):
    """A square table of (first, second) as units."""
    return [(i, j) for i, row in enumerate(counts) for j, n in enumerate(row) for _ in range(n)]


def test_alpha_of_krippendorffs_worked_example():
    units = units_of(EXAMPLE)
    assert alpha(5).of(units) == pytest.approx(0.743, abs=5e-4)
    assert alpha(5, ordinal=True).of(units) == pytest.approx(0.815, abs=5e-4)


def test_alpha_of_krippendorffs_example_of_two_observers():
    """Krippendorff 2011, sections A and B: ten units with two values, twelve with five."""
    a = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    b = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    assert alpha(2).of(list(zip(a, b, strict=True))) == pytest.approx(0.095, abs=5e-4)
    a, b = (
        ["a", "a", "b", "b", "d", "c", "c", "c", "e", "d", "d", "a"],
        ["b", "a", "b", "b", "b", "c", "c", "c", "e", "d", "d", "d"],
    )
    units = [("abcde".index(x), "abcde".index(y)) for x, y in zip(a, b, strict=True)]
    assert alpha(5).of(units) == pytest.approx(0.692, abs=5e-4)


def test_kappa_of_cohens_example():
    """Cohen 1960, table 2: 200 diagnoses by two judges, kappa .492."""
    units = table([[88, 10, 2], [14, 40, 6], [18, 10, 12]])
    assert raw().of(units) == pytest.approx(0.70) and kappa(3).of(units) == pytest.approx(0.492, abs=5e-4)


def test_ac1_where_nearly_all_is_one_value():
    """Gwet's example of the paradox (2002): 125 subjects, raw .944, kappa -.0234, AC1 .9408."""
    units = table([[118, 5], [2, 0]])
    assert raw().of(units) == pytest.approx(0.944)
    assert kappa(2).of(units) == pytest.approx(-0.0234, abs=5e-5)
    assert ac1(2, 2).of(units) == pytest.approx(0.9408, abs=5e-5)
    assert prevalence(units) == pytest.approx(243 / 250)


def test_ac1_of_many_judges_with_missing_values():
    """Gwet 2014 on the same data as Krippendorff's: raw .81818, AC1 .77544."""
    units = units_of(EXAMPLE)
    assert raw().of(units) == pytest.approx(0.81818, abs=5e-6)
    assert ac1(5, 5).of(units) == pytest.approx(0.77544, abs=5e-6)


some_units = st.lists(st.lists(st.integers(0, 3), max_size=5).map(tuple), min_size=2, max_size=40)


@given(some_units, st.booleans())
@settings(max_examples=60, deadline=None)
def test_alpha_is_what_the_library_says(units, ordinal):
    krippendorff = pytest.importorskip("krippendorff")
    seen = {value for unit in units if len(unit) > 1 for value in unit}
    found = alpha(4, ordinal=ordinal).of(units)
    if len(seen) < 2:
        assert found is None
        return
    counts = [[unit.count(value) for value in range(4)] for unit in units]
    level = "ordinal" if ordinal else "nominal"
    assert found == pytest.approx(krippendorff.alpha(value_counts=counts, level_of_measurement=level), abs=1e-9)


pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


@given(pairs)
def test_kappa_is_its_definition(units):
    n = len(units)
    seen = sum(a == b for a, b in units) / n
    chance = sum(
        sum(a == value for a, _ in units) / n * sum(b == value for _, b in units) / n for value in range(4)
    )  # fmt: skip
    found = kappa(4).of(units)
    if chance == 1:
        assert found is None
    else:
        assert found == pytest.approx((seen - chance) / (1 - chance))


@given(pairs, st.permutations(range(4)), st.randoms())
def test_nominal_coefficients_know_no_order_of_items_or_names_of_values(units, names, luck):
    other = [(names[a], names[b]) for a, b in units]
    luck.shuffle(other)
    for measure in (raw(), kappa(4), alpha(4), ac1(4, 4)):
        first, second = measure.of(units), measure.of(other)
        assert (first is None) == (second is None)
        if first is not None:
            assert first == pytest.approx(second) and first <= 1 + 1e-12


@given(st.lists(st.integers(0, 3), min_size=LEAST, max_size=60))
@settings(deadline=None, max_examples=30)
def test_those_who_always_agree_have_one_or_no_variation(values):
    units = [(value, value, value) for value in values]
    for measure in (alpha(4), alpha(4, ordinal=True), ac1(4, len(set(values)))):
        found = estimated(measure, units, resamples=200)
        if len(set(values)) < 2:
            assert found.value is None and found.why == NO_VARIATION
        else:
            assert found.value == pytest.approx(1.0) and found.low == pytest.approx(1.0)


def test_too_few_items_that_two_judged_are_a_word_and_no_number():
    units = [(0, 1)] * (LEAST - 1) + [(0,)] * 50
    found = estimated(raw(), units)
    assert (found.value, found.low, found.high) == (None, None, None)
    assert found.items == LEAST + 49 and found.overlaps == LEAST - 1 and str(found) == "too few (n<30)"
    assert estimated(raw(), [*units, (1, 1)]).value == pytest.approx(1 / LEAST)
    assert estimated(alpha(4), []).why.startswith("too few")


def simulated(luck, n, agree=0.7):
    """Two judges: the second says what the first says this often, and else anything."""
    found = []
    for _ in range(n):
        first = luck.choices(range(4), (40, 35, 15, 10))[0]
        found.append((first, first if luck.random() < agree else luck.randrange(4)))
    return found


@pytest.mark.parametrize("n", [60, 400])
def test_intervals_repeat_with_their_seed_and_lie_around_the_value(n):
    units = simulated(Random(1), n)
    for measure in (raw(), kappa(4), alpha(4), ac1(4, 4)):
        found = estimated(measure, units)
        assert found == estimated(measure, units)
        assert found.low < found.value < found.high < found.low + (0.4 if n == 60 else 0.2)


@pytest.mark.slow
@pytest.mark.parametrize("n", [40, 300])
def test_the_interval_of_kappa_covers_as_often_as_it_says(n):
    """In the long run the value is that of very many items."""
    truth = kappa(4).of(simulated(Random(0), 200_000))
    runs = [estimated(kappa(4), simulated(Random(seed), n), resamples=300) for seed in range(1, 151)]
    covered = sum(found.low <= truth <= found.high for found in runs) / len(runs)
    assert 0.89 <= covered <= 0.995
