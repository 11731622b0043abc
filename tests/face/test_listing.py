"""Lines of a list fill exactly their columns, whatever stands in them and however wide they are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from playpen_tui.listing import cells, excerpt, fit, head, moment, players
from store.browse import Found
from store.records import EpisodeRow

ROW = EpisodeRow(
    *("01J", "01R", "play", "taboo", 1, "high-en-004", "en"),
    {"describer": "human", "guesser": "smollm2?temperature=0"},
    ("amber-otter-417",),
    *(6, "failure", "not guessed", 0.0, "2026-11-22T10:00:00.000Z", "2026-11-22T10:05:00.000Z"),
)
NOW = datetime(2026, 11, 26, 14, tzinfo=UTC)


def found(**changes):
    from dataclasses import replace

    more = {name: changes.pop(name) for name in ("tags", "excerpt") if name in changes}
    return Found(replace(ROW, **changes), ("01J",), **more)


def text(line):
    return "".join(part for part, _ in line)


@given(st.text(max_size=60), st.integers(60, 220))
def test_every_line_has_the_width_of_the_list(words, width):
    row = found(game=words, reason=words, seats={"a": words, "b": words}, tags=(words,), people=())
    assert cell_len(text(cells(row, width, now=NOW))) == width
    assert cell_len(text(cells(found(excerpt=f"x \x01{words}\x02 {words}"), width, now=NOW))) == width


@pytest.mark.parametrize("width", [78, 117])
def test_the_head_stands_above_its_columns(width):
    line = text(cells(found(), width, now=NOW))
    assert head(width).index("game") == line.index("taboo") and head(width).index("players") == line.index("a person")
    assert "✗ failure" in line and "a person · smollm2" in line
    assert ("not guessed" in line) == (width > 100)


def test_marks_scores_and_those_that_are_not_over():
    assert text(cells(found(), 80, marked=True, now=NOW)).startswith("● ")
    line = text(cells(found(outcome=None, main=None), 80, now=NOW))
    assert "… unfinished" in line and " – " in line


def test_an_excerpt_keeps_hits_apart_from_the_rest():
    assert excerpt("…it \x01never\x02 forgets \x01it\x02") == [
        ("…it ", "dim"),
        ("never", "hit"),
        (" forgets ", "dim"),
        ("it", "hit"),
    ]


def test_hits_and_tags_stand_apart_from_their_neighbours():
    assert "it never forgets" in text(cells(found(excerpt="it \x01never\x02 forgets"), 117, now=NOW))
    assert "#odd #seen  not guessed" in text(cells(found(tags=("odd", "seen")), 117, now=NOW))
    far = text(cells(found(excerpt="a long way off, so far that it would be cut, \x01never\x02"), 110, now=NOW))
    assert "never" in far and "…" in far


def test_players_once_each_and_people_as_people():
    assert players(found()) == "a person · smollm2"
    assert players(found(seats={"a": "x", "b": "x"}, people=())) == "x"
    assert players(found(seats={"a": "amber-otter-417", "b": "bot"})) == "a person · bot"


def test_moments(monkeypatch):
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    assert moment("2026-11-26T10:41:00.000Z", NOW) == "10:41"
    assert moment("2026-11-22T10:41:00.000Z", NOW) == "11-22 10:41"
    assert moment("2025-11-22T10:41:00.000Z", NOW) == "2025-11-22"
    assert moment("yesterday", NOW) == "yesterday"


def test_fit():
    assert fit("abc", 5) == "abc  " and fit("abc", 5, right=True) == "  abc" and fit("abcdef", 4) == "abc…"
    assert cell_len(fit("漢字かな", 5)) == 5
