"""What the screen of results shows, without a screen: bars, words, exports."""

from __future__ import annotations

import json

import pytest
from finished import Played, put
from hypothesis import given
from hypothesis import strategies as st

from evaluation.intervals import Estimate
from playpen_tui import figures
from playpen_tui.figures import Asked, CannotCompare, bar, called
from store.filters import Filters
from store.log import Log


@pytest.fixture
def log(tmp_path):
    with Log.open(tmp_path / "episodes.sqlite") as opened:
        put(
            opened,
            [
                Played("clem:taboo", f"i{n}", {"Player 1": model}, "success", 10.0 * n + more)
                for n in range(6)
                for model, more in (("a", 40.0), ("b", 0.0))
            ],
        )
        yield opened


def test_bars():
    assert bar(Estimate(50, 25, 75, 9), 11) == "▕  ──●──  ▏"
    assert bar(Estimate(0, None, None, 2), 11) == "▕●        ▏"
    assert bar(Estimate(100, 90, 100, 9), 11) == "▕       ─●▏"
    assert bar(None, 11) == "▕         ▏"
    assert bar(Estimate(40, 20, 60, 9), 11, -100, 100) == "▕    ┊─●  ▏" or "●" in bar(Estimate(40, 20, 60, 9), 11, -100)


@given(st.floats(-100, 100), st.floats(0, 50), st.integers(1, 60))
def test_bars_keep_their_width_and_their_middle(value, half, width):
    found = bar(Estimate(value, value - half, value + half, 9), width, -100, 100)
    assert len(found) == max(5, width) and found[0] == "▕" and found[-1] == "▏" and found.count("●") == 1
    dot = found.index("●")
    assert all(mark in "─ ┊" for mark in found[1:dot] + found[dot + 1 : -1])


def test_names_without_what_all_begin_with():
    assert called(["clem:taboo", "clem:map"]) == ("clembench", {"clem:taboo": "taboo", "clem:map": "map"})
    assert called(["clem:taboo", "taboo"])[0] == "" and called([]) == ("", {})


def test_table_and_head_to_head(log):
    found = figures.read(log, Asked())
    assert found.models == ["a", "b"] and found.games == ["clem:taboo"] and not found.pairs
    assert figures.turned(found).asked.by == "experiment" and figures.turned(figures.turned(found)).asked.by == "role"
    pair = figures.opposed(found, ("a", "b"))
    assert pair.pairs[0].games[0].differences["quality"].word == "higher"
    assert figures.opposed(pair, ()).pairs == ()
    first, second = figures.about_game(pair.pairs[0].games[0], "quality")
    assert "quality +40.0" in first and "higher" in first and "6 pairs on 6 instances" in second
    assert "McNemar" in second
    with pytest.raises(CannotCompare, match="'z'"):
        figures.read(log, Asked(names=("a", "z")))


def test_what_is_told_of_a_line(log):
    found = figures.read(log, Asked(Filters(models=("a",))))
    first, second = figures.about_line(found.table.lines[0])
    assert first.startswith("played 100.0 (") and "clemscore 65.0" in first and second.endswith("aborted: none")
    first, second = figures.about_overall(found.table.overall[0])
    assert first.startswith("clemscore 65.00 (") and second == "means over 1 game of clembench: taboo"


def test_the_episodes_behind_a_row_are_exactly_those(log):
    found = figures.read(log, Asked())
    line = found.table.lines[1]
    rows = log.queries.matching(figures.behind(found.asked.filters, line.episodes))
    assert sorted(row.id for row in rows) == sorted(line.episodes)


@pytest.mark.parametrize("names", [(), ("a", "b")])
def test_exports_are_new_files_in_three_forms(log, tmp_path, names):
    found = figures.read(log, Asked(names=names))
    paths = [figures.export(log, found, form, tmp_path) for form in ("json", "csv", "markdown", "json")]
    assert len(set(paths)) == 4 and [path.suffix for path in paths] == [".json", ".csv", ".md", ".json"]
    data = json.loads(paths[0].read_text())
    assert data["database"] == log.queries.content_hash() and data == json.loads(paths[3].read_text())
    with pytest.raises(OSError, match="no-such-folder"):
        figures.export(log, found, "csv", tmp_path / "no-such-folder")
