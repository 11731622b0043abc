"""Published tables: three forms that name their episodes, and the check that finds what was changed."""

from __future__ import annotations

import copy
import csv
import io
import json
from dataclasses import replace
from random import Random

import pytest
from finished import row

from evaluation import compare_report, report
from evaluation.compare import compare
from evaluation.results import table
from evaluation.verify import NotATable, verify
from store.filters import Filters
from store.scored import LeftOut

SOURCE = report.Source("f" * 64, Filters(games=("clem:*",), since="2026-11-01"), LeftOut(2, 0, 1))


@pytest.fixture
def rows():
    luck = Random(1)
    found = [
        row(f"{game}-{n}", None if luck.random() < 0.2 else luck.choice([0.0, 50.0, 100.0]), model, game)
        for game in ("clem:taboo", "clem:wordle", "taboo")
        for model in ("a", "=b|c", "d--e")
        for n in range(12)
    ]
    return [replace(one, reason="" if one.played else "format") for one in found]


def published(rows, by="game"):
    return json.loads(report.to_json(report.document(table(rows, by), SOURCE)))


def test_json_has_the_contract_the_ids_the_filters_and_the_hash(rows):
    found = published(rows)
    assert found["database"] == SOURCE.database and found["left_out"] == {
        "unfinished": 2,
        "branches": 0,
        "changed_hands": 1,
    }
    assert found["filters"] == {"games": ["clem:*"], "since": "2026-11-01"}
    assert sorted(id for one in found["rows"] for id in one["episode_ids"]) == sorted(one.episode for one in rows)
    for one in found["rows"]:
        assert one["episodes"] == len(one["episode_ids"]) == 12 and 0 <= one["played"] <= 100
        native = one["game"] == "taboo"
        assert (one["clemscore"] is None) == native and ("clemscore[native-1.0]" in one) == native
    for one in found["overall"]:
        assert one["score"] in one and (one["clemscore"] is None) == (one["score"] != "clemscore")
        assert one["played"] is not None and one["quality"] is not None and one["games"]


def test_csv_has_every_figure_counts_and_hashes_and_no_formula(rows):
    found = table(rows)
    lines = list(csv.DictReader(io.StringIO(report.csv_text(found, SOURCE))))
    assert len(lines) == len(found.lines) + len(found.overall)
    first = lines[0]
    assert first["model"] == "'=b|c" and first["game"] == "clem:taboo" and first["episodes"] == "12"
    assert float(first["played_low"]) <= float(first["played"]) <= float(first["played_high"])
    assert first["episodes_hash"] == report.hash_of(found.lines[0].episodes)
    assert first["database"] == SOURCE.database and first["filters"] == "games=clem:*; since=2026-11-01"
    assert lines[-1]["game"].startswith("all: ") and lines[-1]["score"] == "clemscore[native-1.0]"


def test_markdown_keeps_its_columns_whatever_names_hold(rows):
    text = report.markdown_text(table(rows, "experiment"), SOURCE)
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in tables} == {8, 12}
    assert "=b\\|c" in text and SOURCE.database in text and "2 unfinished, 1 whose seats changed hands" in text


@pytest.mark.parametrize("by", ["game", "experiment", "role"])
def test_a_table_holds_against_the_episodes_that_it_names(rows, by):
    found = verify(published(rows, by), rows)
    assert {cell.word for cell in found.cells} == {"holds"} and found.beyond == 0
    extra = [row("new", 0.0, "a", "taboo")]
    assert verify(published(rows, by), [*rows, *extra]).beyond == 1


def test_100_cells_that_were_changed_are_found_and_no_other(rows):
    luck, wrong = Random(3), published(rows)
    places = {f"{one['model']}, {one.get('game', one['score'])}": one for one in [*wrong["rows"], *wrong["overall"]]}
    cells = [
        (place, column)
        for place, one in places.items()
        for column in one
        if column not in ("model", "game", "score", "episode_ids", "games")
    ]
    changed = luck.sample(cells, 100)
    for place, column in changed:
        value = places[place][column]
        if isinstance(value, list):
            places[place][column] = [value[0] + 0.02, value[1]]
        elif isinstance(value, dict):
            places[place][column] = {**value, "weather": 1}
        else:
            places[place][column] = 0.5 if value is None else value + 0.02
    found = [cell for cell in verify(wrong, rows).cells if cell.word != "holds"]
    assert {(cell.row, cell.column) for cell in found} == set(changed) and {cell.word for cell in found} == {"differs"}


def test_a_cell_cannot_be_told_where_episodes_are_missing_and_episodes_cannot_be_swapped(rows):
    right = published(rows)
    found = verify(right, rows[1:])
    assert {cell.word for cell in found.cells} == {"holds", "missing"}
    assert {cell.row for cell in found.cells if cell.word == "missing" and "clemscore" not in cell.row} == {
        "a, clem:taboo"
    }
    swapped = copy.deepcopy(right)
    one, other = (next(r for r in swapped["rows"] if r["model"] == m) for m in ("a", "=b|c"))
    one["episode_ids"][0], other["episode_ids"][0] = other["episode_ids"][0], one["episode_ids"][0]
    assert any(cell.word == "differs" for cell in verify(swapped, rows).cells)


def test_a_name_is_known_again_where_it_need_not_be_told_apart(rows):
    """A bundle may hold one player of a name where the log had two."""
    twice = [replace(one, players={"player": "a#12ab34"}) if one.players["player"] == "a" else one for one in rows]
    assert {cell.word for cell in verify(published(twice), rows).cells} == {"holds"}


@pytest.mark.parametrize(
    "broken", [[], {}, {"format": "x"}, {"format": report.FORMAT, "by": "game"}, 7, None, "rows", "ids", "unhashable"]
)
def test_what_is_no_table_is_refused(rows, broken):
    if broken == "rows":
        broken = published(rows) | {"rows": 5}
    elif broken == "ids":
        broken = published(rows)
        del broken["rows"][0]["episode_ids"]
    elif broken == "unhashable":
        broken = published(rows)
        broken["rows"][0]["episode_ids"] = [["a"]]
    with pytest.raises(NotATable, match="results --json"):
        verify(broken, rows)


# comparisons


@pytest.fixture
def compared(rows):
    return compare(rows, ("a", "=b|c", "d--e"), resamples=50)


def test_comparisons_in_three_forms(compared):
    found = json.loads(report.to_json(compare_report.document(compared, SOURCE, "zero")))
    assert found["database"] == SOURCE.database and [len(pair["games"]) for pair in found["pairs"]] == [3, 3, 3]
    game = found["pairs"][0]["games"][0]
    assert game["first"]["episodes"] == len(game["first"]["episode_ids"]) == game["instances"] == 12
    assert set(game["differences"]) == {"quality", "played", "success"} and game["differences"]["quality"]["word"]
    lines = list(csv.DictReader(io.StringIO(compare_report.csv_text(compared, SOURCE))))
    assert len(lines) == 3 * (3 * 3 + 2) and lines[0]["b"] == "'=b|c" and lines[0]["first_hash"]
    assert {line["measure"] for line in lines} >= {"quality", "played", "success", "clemscore"}
    text = compare_report.markdown_text(compared, SOURCE, "omit")
    assert "## a against =b" in text and "only where both played" in text and SOURCE.database in text
    assert len({line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("|")}) == 1


def test_what_differs_is_said_in_sentences():
    some = [
        row(f"{game}{n}", main, model, game)
        for game, firsts, number in (("far", 90.0, 8), ("near", 50.0, 8), ("few", 9.0, 3))
        for n in range(number)
        for model, main in (("a", firsts + n), ("b", 50.0 + n % 3))
    ]
    lines = compare_report.summary(compare([*some, row("x", 1.0, "a", "far")], ("a", "b"), resamples=50)[0])
    assert lines[0] == "a better in quality: far" and lines[1].startswith("a not significant: near (")
    assert "more instances would separate them)" in lines[1]
    assert lines[2] == "a too few instances (below 5): few"
    assert lines[3] == "without a counterpart, left out: far 1 and 0"
