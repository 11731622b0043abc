"""Flat tables: one row each, nothing lost, filters obeyed."""

from __future__ import annotations

import pytest
from tiny_game import Script, new_match

from players.base import PlayerError
from players.driver import drive
from store import frames
from store.filters import Filters


@pytest.fixture
async def two(log):
    await drive(new_match(), {"asker": Script("a", "!", "win"), "teller": Script("b", "c", calls=True)}, log.recorder)
    with pytest.raises(PlayerError):
        await drive(new_match(name="riddle-1"), {"asker": Script("x"), "teller": Script()}, log.recorder)
    return log


def rows(table):
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


async def test_an_episode_a_row(two):
    done, half = rows(frames.episodes(two.reader(), Filters()))
    assert done["players"] == {"asker": "script", "teller": "script"} and half["rewards"] is None
    assert (half["outcome"], half["plies"], half["score"]) == ("unfinished", 1, None)
    assert set(done) == set(frames.EPISODES) and done["violations"] == 1


async def test_a_turn_a_row_in_reading_order(two):
    found = rows(frames.turns(two.reader(), Filters(outcomes=("unfinished",))))
    assert [(row["ply"], row["role"], row["text"], row["assisted"]) for row in found] == [(0, "asker", "x", False)]
    every = rows(frames.turns(two.reader(), Filters()))
    assert [row["episode"] for row in every] == sorted(row["episode"] for row in every)
    assert len({row["turn"] for row in every}) == len(every)
    assert any(row["tokens_out"] for row in every)


async def test_a_filter_that_cannot_be(two):
    with pytest.raises(ValueError, match="no outcome"):
        frames.turns(two.reader(), Filters(outcomes=("x",)))
