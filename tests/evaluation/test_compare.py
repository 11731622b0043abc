"""Comparisons: what is paired with what, what is said of it, and that it does not depend on who is named first."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import cycle
from random import Random

import pytest
from finished import row
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.compare import ABORTED, CannotCompare, compare
from evaluation.results import table

FAST = {"resamples": 100}


def both(game, firsts, seconds, one="a", other="b"):
    rows = [row(f"{game}{n}", main, one, game) for n, main in enumerate(firsts)]
    return rows + [row(f"{game}{n}", main, other, game) for n, main in enumerate(seconds)]


def only(rows, *names, **changes):
    (found,) = compare(rows, names or ("a", "b"), **{**FAST, **changes})
    return found


def test_instances_are_paired_and_the_rest_is_named():
    rows = both("g", [100.0] * 8, [0.0] * 6) + both("h", [], [1.0] * 3)
    found = only(rows)
    (game,) = found.games
    assert (game.game, game.pairs, game.instances) == ("g", 6, 6)
    assert found.apart == {"g": (2, 0), "h": (0, 3)}
    assert game.differences["quality"].value == 100 and len(game.first.episodes) == 6
    assert (game.discordant.first, game.discordant.second, game.discordant.p) == (6, 0, 2 / 64)


def test_an_aborted_episode_counts_as_zero_or_its_pair_is_left_out():
    rows = both("g", [80.0] * 6, [60.0] * 4 + [None] * 2)
    zero, omit = (only(rows, aborted=way).games[0].differences for way in ABORTED)
    assert zero["quality"].value == pytest.approx((4 * 20 + 2 * 80) / 6) and zero["quality"].pairs == 6
    assert omit["quality"].value == 20 and omit["quality"].pairs == 4 and omit["quality"].word == "too few"
    assert zero["played"].value == omit["played"].value == pytest.approx(100 * 2 / 6)
    assert only(both("g", [None] * 6, [1.0] * 6), aborted="omit").games[0].differences["quality"] is None


def test_repeats_count_by_their_mean_and_an_instance_is_one_observation():
    rows = [row(str(n % 6), float(10 * (n % 6) + n // 6), "a") for n in range(24)]
    rows += [row(str(n), float(10 * n), "b") for n in range(6)]
    game = only(rows).games[0]
    assert game.differences["quality"].value == pytest.approx(1.5)
    assert (game.pairs, game.instances, len(game.first.episodes)) == (6, 6, 24)
    assert game.differences["quality"].p == 2 / 64


def test_content_that_instances_share_is_one_cluster():
    """Two instances of one key are two pairs, and one observation."""
    rows = []
    for n in range(6):
        for model, main in (("a", 50.0), ("b", 0.0)):
            one = row(f"key-{n // 2}", main, model)
            rows.append(type(one)(**{name: getattr(one, name) for name in one.__slots__} | {"instance": f"i{n}"}))
    game = only(rows).games[0]
    assert (game.pairs, game.instances) == (6, 3) and game.differences["quality"].word == "too few"


def test_the_same_seat_beside_the_same_partner():
    def at(key, describer, guesser, main):
        return row(key, main, players={"describer": describer, "guesser": guesser})

    rows = [at(str(n), who, "bot", main) for n in range(6) for who, main in (("a", 90.0), ("b", 40.0))]
    rows += [at(str(n), "bot", who, main) for n in range(6) for who, main in (("a", 30.0), ("b", 20.0))]
    rows += [at(str(n), "a", "a", 0.0) for n in range(6)] + [at(str(n), "b", "other", 0.0) for n in range(6)]
    found = only(rows)
    (game,) = found.games
    assert (game.pairs, game.instances) == (12, 6)
    assert game.differences["quality"].value == pytest.approx((50 + 10) / 2)
    assert found.apart == {"g": (6, 6)}
    labels = only(rows, "a--bot", "b--bot").games[0]
    assert labels.pairs == 6 and labels.differences["quality"].value == 50


def test_words_after_holm_and_how_many_more():
    luck = Random(5)
    rows = both("clear", [100.0] * 20, [0.0] * 20)
    firsts = [luck.gauss(55, 25) for _ in range(20)]
    rows += both("open", firsts, [luck.gauss(50, 25) for _ in range(20)])
    rows += both("equal", [50.0] * 20, [50.0] * 20) + both("few", [100.0] * 4, [0.0] * 4)
    words = {game.game: game.differences["quality"] for game in only(rows).games}
    assert {name: one.word for name, one in words.items()} == {
        "clear": "higher",
        "open": "not significant",
        "equal": "not significant",
        "few": "too few",
    }
    assert words["clear"].more is None and words["open"].more > 0 and words["few"].low is None
    assert str(words["open"]) == f"not significant, {words['open'].more:,} more instances would separate them"
    assert str(words["equal"]) == "not significant, no difference seen"
    assert words["clear"].short == "▲ higher" and words["few"].short == "· too few"
    assert words["open"].adjusted == pytest.approx(min(1, 2 * words["open"].p))  # second of the three that were tested
    back = {game.game: game.differences["quality"] for game in only(rows, "b", "a").games}
    assert back["clear"].short == "▼ lower"


def test_all_pairs_are_corrected_together():
    rows = both("g", [60.0, 55.0, 70.0, 52.0, 58.0, 61.0], [40.0] * 6)
    rows += [row(f"g{n}", 41.0, "c", "g") for n in range(6)]
    found = compare(rows, ("a", "b", "c"), **FAST)
    assert [(one.first, one.second) for one in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    alone = only(rows).games[0].differences["quality"]
    together = found[0].games[0].differences["quality"]
    assert alone.adjusted == 2 / 64 and together.adjusted == pytest.approx(3 * 2 / 64)
    assert (alone.word, together.word) == ("higher", "not significant") and together.more


def test_the_clemscore_of_what_both_played():
    rows = both("clem:g", [100.0, 50.0, None, 70.0, 80.0], [40.0, 30.0, 20.0, None, 10.0])
    rows += both("clem:h", [30.0] * 6, [10.0, None, 30.0, 20.0, 15.0, 5.0]) + both("native", [1.0] * 5, [2.0] * 5)
    found = only(rows)
    assert [one.score for one in found.scores] == ["clemscore", "clemscore[native-1.0]"]
    score = found.scores[0]
    whole = {one.model: one.clemscore.value for one in table(rows).overall if one.score == "clemscore"}
    assert (score.first, score.second) == (whole["a"], whole["b"]) and score.games == ("clem:g", "clem:h")
    assert score.difference.value == round(whole["a"] - whole["b"], 2)
    assert score.difference.low < score.difference.value < score.difference.high and score.difference.instances == 11


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("a",), "two different models"),
        (("a", "a"), "two different models"),
        (("a", "z"), "no finished episodes of 'z' fit; there are: a, b, c"),
        (("a", "c"), "share no instance in the same seat"),
    ],
)
def test_what_cannot_be_compared_is_a_sentence(names, told):
    rows = [*both("g", [1.0] * 5, [2.0] * 5), row("elsewhere", 3.0, "c", "g")]
    with pytest.raises(CannotCompare, match=told):
        compare(rows, names)


def marked(rows, *marks):
    """Rows in which all sit beside a bot, and the players of `a` have these marks in turn."""
    turn = cycle(marks)
    beside = [
        replace(one, players={**one.players, "other": "bot"}, kinds={**one.kinds, "other": "bot"}) for one in rows
    ]
    return [
        replace(one, players={role: f"a{next(turn)}" if who == "a" else who for role, who in one.players.items()})
        for one in beside
    ]


def test_a_name_that_several_players_have_names_them():
    rows = marked(both("g", [1.0] * 6, [2.0] * 6), "#12ab", "#34cd")
    said = r"'a' played with several weights or settings: a#12ab \(3 episodes\), a#34cd \(3 episodes\)"
    with pytest.raises(CannotCompare, match=said):
        compare(rows, ("a", "b"))


def test_a_name_is_enough_where_only_one_of_its_players_sits_in_these_episodes():
    rows = marked(both("g", [1.0] * 6, [2.0] * 6), "#12ab")
    (by_name,), (by_label,) = compare(rows, ("a", "b")), compare(rows, ("a#12ab", "b"))
    assert by_name.first == "a" and by_name.games == by_label.games
    with pytest.raises(CannotCompare, match="a and a#12ab are one model"):
        compare(rows, ("a#12ab", "a"))


score = st.none() | st.integers(0, 4).map(lambda n: 25.0 * n)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(score, score), min_size=5, max_size=12))
def test_turned_round_it_says_the_opposite(pairs):
    rows = both("g", [one for one, _ in pairs], [other for _, other in pairs])
    there, back = only(rows), only(rows, "b", "a")
    for measure, one in there.games[0].differences.items():
        other = back.games[0].differences[measure]
        assert other.value == pytest.approx(-one.value) and other.p == one.p
        assert {one.word, other.word} in ({"higher", "lower"}, {"not significant"})
        assert one.low - 1e-9 <= one.value <= one.high + 1e-9
    assert there.games[0].discordant.first == back.games[0].discordant.second
    assert there.scores[0].difference.value == pytest.approx(-back.scores[0].difference.value)


def test_a_difference_is_the_one_of_the_table_when_nothing_is_aborted():
    luck = Random(6)
    rows = both("g", [luck.uniform(0, 100) for _ in range(9)], [luck.uniform(0, 100) for _ in range(9)])
    first, second = (one.quality.value for one in table(rows).lines)
    assert only(rows).games[0].differences["quality"].value == pytest.approx(first - second)
    assert not math.isnan(only(rows).scores[0].difference.p)
