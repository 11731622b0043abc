"""Tables of results: clembench's formula and rounding, honest names, and what stands behind each figure."""

from __future__ import annotations

import pytest
from finished import row
from hypothesis import given
from hypothesis import strategies as st

from evaluation.results import line, product, score_interval, table, vectors
from store.scored import Requests


def game(name, model, mains, **changes):
    return [row(f"{name}-{n}", main, model, name, **changes) for n, main in enumerate(mains)]


def test_the_product_is_clembenchs_with_its_rounding():
    """2 of 3 is 66.67, so that the mean is 83.34 where it would be 83.33 else. The means over games are rounded, too:
    only so does the official table have 64.34 for qwen3.5-27b, from 91.56 and 70.27."""
    assert product([(3, 2, 2, 100.0), (7, 7, 7, 333.0)], 2) == (83.34, 48.78, 40.65)
    assert product([(3, 2, 2, 100.0), (7, 7, 7, 333.0)])[2] == pytest.approx(250 / 3 * (50 + 333 / 7) / 200)


def test_quality_is_of_those_played_and_its_mean_of_the_games_that_have_one():
    rows = game("g", "a", [100.0, None, 50.0, None]) + game("h", "a", [None] * 5) + game("k", "a", [10.0] * 5)
    found = table(rows)
    assert [(one.game, one.played.value) for one in found.lines] == [("g", 50.0), ("h", 0.0), ("k", 100.0)]
    assert [one.quality and one.quality.value for one in found.lines] == [75.0, None, 10.0]
    (whole,) = found.overall
    assert (whole.played, whole.quality, whole.clemscore.value) == (50.0, 42.5, 21.25)
    assert whole.games == ("g", "h", "k") and whole.clemscore.low is None  # g has four instances
    assert found.lines[1].clemscore is None


def test_a_model_that_never_played_has_no_score():
    (whole,) = table(game("g", "a", [None] * 6)).overall
    assert (whole.played, whole.quality, whole.clemscore) == (0.0, None, None)


def test_the_name_is_bare_for_clembenchs_games_alone_and_never_of_both():
    rows = game("clem:g", "a", [100.0] * 5) + game("g", "a", [0.0] * 5)
    found = table(rows)
    assert {(one.score, one.games, one.clemscore.value) for one in found.overall} == {
        ("clemscore", ("clem:g",), 100.0),
        ("clemscore[native-1.0]", ("g",), 0.0),
    }
    assert {one.game: one.score for one in found.lines} == {"clem:g": "clemscore", "g": "clemscore[native-1.0]"}


def test_whose_episode_it_is():
    both = {"describer": "a", "guesser": "a"}
    assert row("k", 1.0, players=both).model == "a"
    assert row("k", 1.0, players={"describer": "b", "guesser": "a"}).model == "b--a"
    programs = {"kinds": {"Player 1": "model", "Player 2": "bot"}}
    seats = {"Player 1": "a", "Player 2": "programmatic"}
    assert row("k", 1.0, game="clem:g", players=seats, **programs).model == "a"
    assert row("k", 1.0, game="g", players=seats, **programs).model == "a--programmatic"
    assert row("k", 1.0, players={"describer": "a+assist", "guesser": "a"}).model == "a+assist--a"


def test_by_experiment_and_by_role():
    seats = {"describer": "a", "guesser": "b"}
    asked = {"describer": Requests(3, 2, 1), "guesser": Requests(2, 2, 0)}
    rows = [
        row(str(n), 100.0, game="g", players=seats, experiment=experiment, requests=Requests(5, 4, 1), by_role=asked)
        for n, experiment in enumerate(["easy", "hard"] * 5)
    ]
    by = table(rows, "experiment")
    assert [(one.model, one.experiment, len(one.episodes)) for one in by.lines] == [
        ("a--b", "easy", 5),
        ("a--b", "hard", 5),
    ]
    by = table(rows, "role")
    assert [(one.model, one.role, one.requests) for one in by.lines] == [
        ("a", "describer", Requests(30, 20, 10)),
        ("b", "guesser", Requests(20, 20, 0)),
    ]
    assert by.overall == table(rows).overall


def test_requests_aborts_and_episodes():
    rows = [row(str(n), 50.0, requests=Requests(4, 3, 1)) for n in range(6)]
    rows += [row("x", None, requests=Requests(2, 0, 2), reason="format"), row("y", None, requests=Requests(0, 0, 0))]
    found = line(rows, "a", "g")
    assert found.requests == Requests(26, 18, 8) and found.instances == 8
    assert found.violated.value == pytest.approx(8 / 7) and found.request_success.value == pytest.approx(75 * 6 / 7)
    assert found.aborts == {"format": 1, "no reason given": 1}
    assert found.episodes == tuple(one.episode for one in rows)
    assert line([row("k", None, outcome="failure")], "a", "g").unscored == 1
    with pytest.raises(ValueError, match="no rate of nothing"):
        line([], "a", "g")


def test_quality_of_right_or_wrong_is_a_rate():
    found = line([row(str(n), 100.0) for n in range(10)], "a", "g")
    assert found.quality.value == 100 and found.quality.low == pytest.approx(72.25, abs=0.01)


def test_the_same_episodes_give_the_same_figures_in_any_order():
    rows = game("g", "a", [10.0, 20.0, 35.0, None, 60.0, 80.0]) + game("h", "a", [1.0, 5.0, 7.0, 9.0, 22.0])
    forwards, backwards = table(rows), table(rows[::-1])
    assert forwards.overall == backwards.overall
    assert [one.quality for one in forwards.lines] == [one.quality for one in backwards.lines]
    low, high = score_interval({"g": vectors(rows[:6]), "h": vectors(rows[6:])})
    assert low < forwards.overall[0].clemscore.value < high


@given(st.lists(st.tuples(st.integers(0, 3), st.none() | st.integers(0, 100)), min_size=1, max_size=30))
def test_figures_stay_in_their_bounds(episodes):
    rows = [row(str(key), main, outcome=None if main is None else "success") for key, main in episodes]
    rows = [one if one.main is None else row(one.key, float(one.main)) for one in rows]
    (found,) = table(rows).lines
    for estimate in (found.played, found.success, found.quality):
        if estimate is not None:
            assert 0 <= estimate.value <= 100
            assert estimate.low is None or 0 <= estimate.low <= estimate.value + 1e-9 <= estimate.high + 1e-9 <= 101
    assert sum(found.aborts.values()) == sum(one.main is None for one in rows)
