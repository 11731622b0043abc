"""Filters: each keeps what it names and nothing else, those of a seat speak of one seat, and wrong ones are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_game import Script, new_match

from players.driver import drive
from players.ports import Place
from store.errors import BadCondition, BadFilter
from store.filters import Filters, match


@pytest.fixture
async def four(log):
    """Won by a person, aborted by a model, lost with seats swapped, unfinished; as ids by name."""
    run = log.new_run("self_play", {"game": "tiny"})
    me = log.people.add(consent="research").id
    person = {"kind": "human", "name": me, "person": me}
    ids = {}

    async def one(which, asker, teller, **match):
        await drive(new_match(**match), {"asker": asker, "teller": teller}, log.recorder, place=Place(run=run))
        ids[which] = log.queries.recent(1)[0].id

    await one("won", Script("volcano", "win", **person), Script("yes", name="ada"))
    await one("aborted", Script("!", "!", name="ada"), Script(name="bob"))
    await one("lost", Script("lose", name="bob"), Script(name="ada"), name="riddle-1", answer="sun")
    with pytest.raises(Exception, match=r"."):
        await one("unfinished", Script("half", name="ada"), Script(name="bob"))
    ids["unfinished"] = log.queries.recent(1)[0].id
    await log.tag(ids["lost"], "odd")
    return ids


@pytest.mark.parametrize(
    ("wish", "names"),
    [
        ({}, "won aborted lost unfinished"),
        ({"games": ("tiny",)}, "won aborted lost unfinished"),
        ({"games": ("t*", "other")}, "won aborted lost unfinished"),
        ({"games": ("other",)}, ""),
        ({"outcomes": ("success", "unfinished")}, "won unfinished"),
        ({"models": ("ada",)}, "won aborted lost unfinished"),
        ({"models": ("ada",), "roles": ("asker",)}, "aborted unfinished"),
        ({"models": ("ada",), "partners": ("bob",), "roles": ("teller",)}, "lost"),
        ({"speaker": "human"}, "won"),
        ({"speaker": "synthetic", "roles": ("asker",)}, "aborted lost unfinished"),
        ({"speaker": "human", "models": ("ada",)}, ""),
        ({"kinds": ("self_play",)}, "won aborted lost unfinished"),
        ({"kinds": ("play",)}, ""),
        ({"tags": ("odd", "none")}, "lost"),
        ({"since": "2020"}, "won aborted lost unfinished"),
        ({"until": "2020-01-01"}, ""),
        ({"min_score": 50}, "won"),
        ({"max_score": 50}, "lost"),
        ({"text": "VOLCANO"}, "won"),
        ({"text": "volc*"}, "won"),
        ({"text": 'no"body ('}, ""),
        ({"where": "r.plies > 1 -- a comment"}, "won aborted"),
        ({"consent": "research"}, "won aborted lost unfinished"),
        ({"consent": "public"}, "aborted lost unfinished"),
    ],
)
async def test_each_filter_keeps_what_it_names(log, four, wish, names):
    filters = Filters(**wish)
    rows = log.queries.matching(filters)
    assert {row.id for row in rows} == {four[name] for name in names.split()}
    assert [row.id for row in rows] == sorted((row.id for row in rows), reverse=True)
    assert log.queries.count(filters) == len(rows)
    assert bool(filters) == bool(wish)
    if len(rows) > 1:
        assert log.queries.matching(filters, 1, before=rows[0].id) == rows[1:2]


async def test_consent_taken_back_leaves_out(log, four):
    (me,) = log.queries.recent(1, before=four["aborted"])[0].people
    log.people.withdraw(me)
    assert four["won"] not in {row.id for row in log.queries.matching(Filters(consent="local"))}


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"outcomes": ("won",)}, "no outcome 'won'; there are success"),
        ({"since": "yesterday"}, "is no day or time; write it such as 2026-11-01"),
        ({"speaker": "dog"}, "no speaker 'dog'"),
    ],
)
def test_what_cannot_be_is_refused(wish, told):
    with pytest.raises(BadFilter, match=told):
        Filters(**wish).sql()


@pytest.mark.parametrize("where", ["nothing = 1", "1) OR (1", "1; DROP TABLE turns"])
async def test_a_condition_that_is_no_sql_is_named(log, four, where):
    with pytest.raises(BadCondition, match="is no condition that SQLite understands"):
        log.queries.matching(Filters(where=where + " )"))


@given(st.text())
def test_words_have_no_syntax_of_their_own(words):
    import sqlite3

    db = sqlite3.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE f USING fts5(text)")
    if query := match(words):
        db.execute("SELECT * FROM f WHERE f MATCH ?", (query,)).fetchall()
