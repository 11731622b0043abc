"""Ratings: known strengths come back, nothing depends on order or names, and what cannot be ranked is not."""

from __future__ import annotations

import math
from random import Random

import pytest

from evaluation.crossplay import frozen_curve, matrix
from evaluation.ratings import POINTS, CannotRate, Comparison, Disconnected, comparisons, components, fit, rate, solve
from store.records import OutcomeRow


def row(n=0, *, game="duo", key=None, first="a", second="b", main=100.0, winners=(), rewards=None, outcome=None):
    players = {"x": first, "y": second} if second else {"x": first}
    if outcome is None:
        outcome = "aborted" if main is None else "success" if main > 0 else "failure"
    shared = dict.fromkeys(players, (main or 0) / 100)
    return OutcomeRow(f"e{n}", game, key or f"k{n}", None, 0, players, outcome, main, rewards or shared, tuple(winners))


def played(strengths, advantage, tie, count, seed):
    """Games between random pairs by the very model, first seat first."""
    luck, names, found = Random(seed), sorted(strengths), []
    for n in range(count):
        i, j = luck.sample(names, 2)
        weights = [
            math.exp(strengths[i] + advantage),
            tie * math.exp((strengths[i] + strengths[j] + advantage) / 2),
            math.exp(strengths[j]),
        ]
        found.append(Comparison(i, j, luck.choices([1.0, 0.5, 0.0], weights)[0], f"k{n}", True))
    return found


def test_known_strengths_advantage_and_ties_come_back():
    strengths = {"a": 1.0, "b": 0.3, "c": -0.2, "d": -1.1}
    found = played(strengths, 0.5, 0.8, 6000, seed=1)
    theta, advantage, tie = fit(sorted(strengths), found, True)
    assert theta == pytest.approx([1.0, 0.3, -0.2, -1.1], abs=0.12) and sum(theta) == pytest.approx(0.0, abs=1e-9)
    assert advantage == pytest.approx(0.5, abs=0.1) and math.exp(tie) == pytest.approx(0.8, abs=0.1)


def test_two_players_without_ties_have_the_odds_of_their_wins():
    """With two players the fit is known: the difference of strengths is the logarithm of the odds."""
    found = [Comparison("a", "b", float(n < 75), f"k{n}") for n in range(100)]
    theta, _, tie = fit(["a", "b"], found, False)
    assert theta[0] - theta[1] == pytest.approx(math.log(3), abs=0.01) and math.exp(tie) < 1e-9


def test_baseball_as_agresti_has_it():
    """The 1987 American League East, home and away together: Agresti's table of wins, and the strengths he gives."""
    teams = ["Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore"]
    wins = {
        ("Milwaukee", "Detroit"): (7, 6),
        ("Milwaukee", "Toronto"): (9, 4),
        ("Milwaukee", "New York"): (7, 6),
        ("Milwaukee", "Boston"): (7, 6),
        ("Milwaukee", "Cleveland"): (9, 4),
        ("Milwaukee", "Baltimore"): (11, 2),
        ("Detroit", "Toronto"): (7, 6),
        ("Detroit", "New York"): (5, 8),
        ("Detroit", "Boston"): (11, 2),
        ("Detroit", "Cleveland"): (9, 4),
        ("Detroit", "Baltimore"): (9, 4),
        ("Toronto", "New York"): (7, 6),
        ("Toronto", "Boston"): (7, 6),
        ("Toronto", "Cleveland"): (8, 5),
        ("Toronto", "Baltimore"): (12, 1),
        ("New York", "Boston"): (6, 7),
        ("New York", "Cleveland"): (7, 6),
        ("New York", "Baltimore"): (10, 3),
        ("Boston", "Cleveland"): (7, 6),
        ("Boston", "Baltimore"): (12, 1),
        ("Cleveland", "Baltimore"): (6, 7),
    }
    found = [
        Comparison(a, b, float(n < won), f"{a}{b}{n}")
        for (a, b), (won, lost) in wins.items()
        for n in range(won + lost)
    ]
    theta, _, _ = fit(teams, found, False)
    against_baltimore = [value - theta[-1] for value in theta]
    assert against_baltimore[:6] == pytest.approx([1.58, 1.44, 1.29, 1.25, 1.11, 0.68], abs=0.06)


def test_nothing_depends_on_order_or_on_who_is_named_first():
    found = played({"a": 0.5, "b": 0.0, "c": -0.5}, 0.0, 0.5, 300, seed=2)
    plain = [one._replace(seated=False) for one in found]
    turned = [one._replace(first=one.second, second=one.first, result=1 - one.result) for one in plain]
    one, other = rate(plain, resamples=50), rate(list(reversed(turned)), resamples=50)
    assert [r.player for r in one.ratings] == [r.player for r in other.ratings]
    assert [r.points for r in one.ratings] == pytest.approx([r.points for r in other.ratings])
    assert [r.better for r in one.ratings] == [r.better for r in other.ratings]


def test_points_are_around_a_thousand_and_intervals_around_points():
    found = rate(played({"a": 1.0, "b": 0.0, "c": -1.0}, 0.3, 0.5, 400, seed=4), resamples=100)
    assert sum(one.points for one in found.ratings) / 3 == pytest.approx(1000)
    assert [one.player for one in found.ratings] == ["a", "b", "c"]
    assert all(one.low < one.points < one.high for one in found.ratings)
    assert found.ratings[0].ahead > 0.95 and found.ratings[-1].ahead is None
    assert found.advantage == pytest.approx(0.3 * POINTS, abs=60) and not found.warnings


def test_few_instances_have_no_interval_and_who_only_wins_is_named():
    found = rate([Comparison("a", "b", 1.0, f"k{n}") for n in range(4)])
    assert [one.low for one in found.ratings] == [None, None]
    assert found.warnings == (
        "a has only won; how strong it is beyond that the data cannot say",
        "b has only lost; how strong it is beyond that the data cannot say",
    )
    assert all(math.isfinite(one.points) for one in found.ratings)


def test_players_who_never_met_are_not_ranked():
    apart = [Comparison("a", "b", 1.0, "k1"), Comparison("c", "d", 0.0, "k2"), Comparison("d", "e", 0.5, "k3")]
    with pytest.raises(Disconnected, match=r"c, d, e \| a, b") as caught:
        rate(apart)
    assert "--player c --player a --cross" in str(caught.value) and caught.value.groups[1] == ["a", "b"]
    with pytest.raises(CannotRate, match="nothing can be compared"):
        rate([])
    assert components(["a", "b", "z"], apart[:1]) == [["a", "b"], ["z"]]


def test_where_seats_compete_the_winner_is_better_and_equal_rewards_tie():
    rows = [
        row(1, winners=("x",)),
        row(2, winners=("y",)),
        row(3, winners=("x", "y")),
        row(4, rewards={"x": 0.2, "y": 0.7}),
    ]
    assert [(one.first, one.result, one.seated) for one in comparisons(rows)] == [
        ("a", 0.0, True),
        ("a", 0.0, True),
        ("a", 0.5, True),
        ("a", 1.0, True),
    ]


def test_where_seats_share_players_are_compared_in_one_seat_beside_one_partner():
    rows = [
        row(1, key="k", first="a", second="p", main=100),
        row(2, key="k", first="b", second="p", main=50),
        row(3, key="k", first="c", second="q", main=0),  # another partner: nobody to compare with
        row(4, key="other", first="b", second="p", main=0),  # another instance
        row(5, key="k", first="d", second="p", main=None),  # aborted: below every score
    ]
    found = {(one.first, one.second): one.result for one in comparisons(rows)}
    assert found == {("a", "b"): 1.0, ("a", "d"): 1.0, ("b", "d"): 1.0}


def test_players_with_themselves_are_compared_too_and_repeats_are_averaged():
    rows = [row(n, key="k", first="a", second="a", main=main) for n, main in enumerate((100, 0))]
    rows += [row(9, key="k", first="b", second="b", main=50), row(10, key="k", first="c", second="c", main=40)]
    found = {(one.first, one.second): one.result for one in comparisons(rows)}
    assert found == {("a", "b"): 0.5, ("a", "c"): 1.0, ("b", "c"): 1.0}


def test_a_matrix_has_every_pair_and_tells_self_from_cross():
    rows = [
        row(n, first=f, second=s, main=m)
        for n, (f, s, m) in enumerate([("a", "a", 100), ("a", "b", 0), ("b", "a", None)])
    ]
    found = matrix(rows)
    assert found.roles == ("x", "y") and found.players == ("a", "b")
    assert {place: cell.n for place, cell in found.cells.items()} == {("a", "a"): 1, ("a", "b"): 1, ("b", "a"): 1}
    assert found.self_play["a"].success.value == 1.0 and "b" not in found.self_play
    cross = found.cross_play["a"]
    assert cross.n == 2 and cross.played.value == 0.5 and cross.quality.value == 0.0 and cross.episodes == ("e1", "e2")
    alone = matrix([row(1, second="", main=30)])
    assert list(alone.cells) == [("a", "")] and alone.roles == ("x",)
    with pytest.raises(ValueError, match="one game"):
        matrix([row(1), row(2, game="other")])


def test_a_curve_counts_only_instances_that_all_have_played():
    rows = [
        row(1, key="easy", first="l@1", second="bot", main=100),
        row(2, key="hard", first="l@1", second="bot", main=0),
        row(3, key="hard", first="bot", second="l@2", main=100),
        row(4, key="hard", first="l@2", second="l@2", main=100),
    ]
    curve = frozen_curve(rows, ["l@1", "l@2"], "bot")
    assert [(name, cell.n, cell.success.value) for name, cell in curve] == [("l@1", 1, 0.0), ("l@2", 1, 1.0)]
    with pytest.raises(ValueError, match="l@3 never played with bot"):
        frozen_curve(rows, ["l@1", "l@3"], "bot")
    with pytest.raises(ValueError, match="same instances"):
        frozen_curve([rows[0], rows[2]], ["l@1", "l@2"], "bot")


def test_equations_are_solved():
    assert solve([[4.0, 1.0], [1.0, 3.0]], [1.0, 2.0]) == pytest.approx([1 / 11, 7 / 11])


@pytest.mark.slow
def test_intervals_cover_about_what_they_say():
    strengths, inside, of = {"a": 0.6, "b": 0.0, "c": -0.6}, 0, 0
    for seed in range(60):
        found = rate(played(strengths, 0.2, 0.6, 150, seed=100 + seed), seed=seed, resamples=120)
        for one in found.ratings:
            truth = 1000 + POINTS * strengths[one.player]
            inside += one.low <= truth <= one.high
            of += 1
    assert 0.87 <= inside / of <= 0.99
