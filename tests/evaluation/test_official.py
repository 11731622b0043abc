"""Real results: two models' clembench episodes against the official table, and against arithmetic of another kind."""

from __future__ import annotations

import csv
import json
import math
from collections import defaultdict

import pytest
from finished import DATA, MODELS, official, put

from evaluation import compare_report, report
from evaluation.compare import compare
from evaluation.results import table
from evaluation.verify import verify
from store.filters import Filters
from store.log import Log
from store.scored import LeftOut

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here: real clembench results"),
]
SAME = ["ifeval", "wordle"]
"""Games in which the two do not differ beyond luck."""


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """The episodes of both trees."""
    folder = tmp_path_factory.mktemp("trees")
    return [one for model in MODELS for one in official(folder, model)]


@pytest.fixture(scope="module")
def rows(played, tmp_path_factory):
    with Log.open(tmp_path_factory.mktemp("log") / "episodes.sqlite") as log:
        put(log, played)
        return log.queries.scored(Filters())


def test_figures_per_game_are_the_official_ones(rows):
    with (DATA / "playschool-2026-indomain.csv").open() as file:
        official_rows = {line[""]: line for line in csv.DictReader(file)}
    lines = table(rows).lines
    assert len(lines) == 28 and len(rows) == 1496
    for line in lines:
        game = line.game.removeprefix("clem:")
        assert round(line.played.value, 2) == float(official_rows[line.model][f"{game}, % Played"])
        assert round(line.quality.value, 2) == float(official_rows[line.model][f"{game}, Quality Score"])


def test_the_clemscore_is_the_formula_over_the_games_that_are_there(rows):
    for one in table(rows).overall:
        with (DATA / "playschool-2026-indomain.csv").open() as file:
            line = next(line for line in csv.DictReader(file) if line[""] == one.model)
        games = [game.removeprefix("clem:") for game in one.games]
        played = round(math.fsum(float(line[f"{game}, % Played"]) for game in games) / len(games), 2)
        quality = round(math.fsum(float(line[f"{game}, Quality Score"]) for game in games) / len(games), 2)
        assert len(games) == 14 and (one.played, one.quality) == (played, quality)
        assert one.clemscore.value == round(played / 100 * quality, 2) and one.score == "clemscore"
        assert one.clemscore.low < one.clemscore.value < one.clemscore.high


@pytest.fixture(scope="module")
def pair(rows):
    return compare(rows, MODELS)[0]


def test_the_games_that_differ_are_named(pair):
    words = {game.game.removeprefix("clem:"): game.differences["quality"].word for game in pair.games}
    assert [game for game, word in words.items() if word == "not significant"] == SAME
    assert {word for game, word in words.items() if game not in SAME} == {"higher"}
    told = compare_report.summary(pair)
    assert told[0].startswith("qwen3.5-27b better in quality: clem:clean_up, clem:codenames")
    assert told[1].startswith("qwen3.5-27b not significant: clem:ifeval (") and pair.apart == {}
    (score,) = pair.scores
    assert (score.first, score.second, score.difference.word) == (63.9, 28.3, "higher")


def by_hand(played):
    """Per game and instance, each model's outcome and main score, straight from the trees."""
    found = defaultdict(lambda: defaultdict(dict))
    for one in played:
        model = next(iter(one.seats.values()))
        found[one.game][one.instance][model] = (one.outcome, one.main)
    return found


def test_differences_are_those_of_another_computation(played, pair):
    for game in pair.games:
        some = [tuple(sides[model] for model in MODELS) for sides in by_hand(played)[game.game].values()]
        scores = [[0.0 if main is None else main for _, main in sides] for sides in some]
        quality = math.fsum(one - other for one, other in scores) / len(some)
        assert game.differences["quality"].value == pytest.approx(quality, abs=1e-9)
        kept = [[outcome != "aborted" for outcome, _ in sides] for sides in some]
        assert game.differences["played"].value == pytest.approx(
            100 * (sum(one for one, _ in kept) - sum(other for _, other in kept)) / len(some)
        )
        won = [[outcome == "success" for outcome, _ in sides] for sides in some]
        first, second = (sum(w == pattern for w in won) for pattern in ([True, False], [False, True]))
        assert (game.discordant.first, game.discordant.second) == (first, second)
        tail = math.fsum(math.comb(first + second, k) / 2 ** (first + second) for k in range(min(first, second) + 1))
        assert game.differences["success"].p == pytest.approx(min(1, 2 * tail), rel=1e-9)


def test_intervals_of_differences_are_those_of_students_distribution(played, pair):
    """The bootstrap of many instances and Student's interval say nearly the same."""
    for game in pair.games:
        found = game.differences["quality"]
        values = [
            (a or 0.0) - (b or 0.0)
            for sides in by_hand(played)[game.game].values()
            for (_, a), (_, b) in [tuple(sides[model] for model in MODELS)]
        ]
        n = len(values)
        mean = math.fsum(values) / n
        half = 2.0 * math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1) / n)
        assert found.low == pytest.approx(mean - half, abs=0.25 * half)
        assert found.high == pytest.approx(mean + half, abs=0.25 * half)


def test_the_published_table_holds(rows):
    found = json.loads(report.to_json(report.document(table(rows), report.Source("", Filters(), LeftOut(0, 0, 0)))))
    assert {cell.word for cell in verify(found, rows).cells} == {"holds"}
