"""The query language: chips and lines are inverse to each other, wrong ones are told in one sentence."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.filters import KINDS, OUTCOMES, SPEAKERS, SPLITS, Filters, match
from store.query import KEYS, SORTS, BadQuery, Chip, Query, nearest, parse, suggest, write

BRIEF = (
    "game:taboo outcome:failure,aborted role:guesser model:smollm2 partner:human split:train since:2026-11-01 "
    'tag:odd score>50 plies>3 run:01JD "exact words" word -tag:seen'
)

printable = st.characters(exclude_categories=["C", "Z"], exclude_characters='"')
spoken = st.lists(st.text(printable, min_size=1, max_size=8), min_size=1, max_size=3).map(" ".join)
values = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters='"'), min_size=1, max_size=12)


def several(of):
    return st.lists(of, min_size=1, max_size=3).map(tuple)


def one(of):
    return of.map(lambda value: (value,))


either = st.booleans()


def chip(keys, values, negated=either):
    return st.builds(Chip, st.sampled_from(keys), values, negated)


number = st.floats(0, 1000, allow_nan=False).map(lambda value: (f"{value:g}",)).filter(lambda v: "e" not in v[0])
chips = st.one_of(
    st.builds(Chip, st.just(""), one(spoken.filter(lambda text: text.strip("* "))), st.booleans()),
    chip(["game", "experiment", "lang", "role", "model", "partner", "tag"], several(values)),
    chip(["outcome"], several(st.sampled_from(OUTCOMES))),
    chip(["split"], several(st.sampled_from(SPLITS))),
    chip(["kind"], several(st.sampled_from(KINDS))),
    chip(["speaker"], one(st.sampled_from(SPEAKERS))),
    chip(["run"], several(st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=1, max_size=26))),
    chip(["since", "until"], one(st.dates().map(str))),
    st.builds(
        Chip, st.sampled_from(["score", "plies"]), number, st.booleans(), st.sampled_from([">", ">=", "<", "<=", "="])
    ),
    chip(["in"], one(st.sampled_from(["trash", "all"])), st.just(False)),
    chip(["sort"], one(st.sampled_from(list(SORTS))), st.just(False)),
)


@given(st.lists(chips, max_size=6))
def test_chips_come_back_from_their_line(some):
    query = parse(write(some))
    assert list(query.chips) == some
    assert parse(str(query)) == query


@given(st.text())
def test_any_line_is_a_query_or_is_refused_in_a_sentence(line):
    try:
        query = parse(line)
    except BadQuery as error:
        assert str(error) and "\n" not in str(error)
        return
    assert parse(str(query)) == query
    condition, some = query.filters.sql()
    assert condition.count("?") == len(some)


def test_the_line_of_the_manual_becomes_filters():
    query = parse(BRIEF)
    assert str(query) == BRIEF
    assert query.filters == Filters(
        games=("taboo",),
        outcomes=("failure", "aborted"),
        roles=("guesser",),
        models=("smollm2",),
        partners=("human",),
        splits=("train",),
        since="2026-11-01",
        tags=("odd",),
        bounds=(("score", ">", 50.0), ("plies", ">", 3.0)),
        runs=("01JD*",),
        text='"exact words" word',
        nor=(Filters(tags=("seen",)),),
    )
    assert parse("run:01JD… outcome:won").filters == Filters(runs=("01JD*",), outcomes=("success",))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("gaem:taboo", "there is no gaem: to ask for; did you mean game:?"),
        ("zzz:1", "there is no zzz: to ask for; there are game, outcome"),
        ("outcome:faliure", "there is no outcome faliure; did you mean outcome:failure?"),
        ("split:tets", "did you mean split:test?"),
        ("in:attic", "there is no in attic; there are trash, all"),
        ("sort:best", "there is no sort best; did you mean sort:oldest?"),
        ("score>high", "score takes a number, such as score>50"),
        ("plies:", "plies takes a number, such as plies>3"),
        ("tag>3", "tag has no more or less; write tag:3"),
        ("game:", "game: wants something behind it"),
        ("speaker:human,synthetic", "speaker takes one of its values at a time"),
        ("since:yesterday", "yesterday is no day or time; write since:2026-11-01"),
        ("-in:trash", "in cannot be turned round; write in:trash"),
        ('game:taboo "half', "a quotation mark is left open"),
    ],
)
def test_what_is_no_query_is_told_with_the_nearest_right_one(line, told):
    with pytest.raises(BadQuery) as error:
        parse(line)
    assert told in str(error.value)


def test_a_word_with_a_colon_is_searched_for_in_quotes():
    assert parse('"CLUE: zebra"').filters.text == '"CLUE: zebra"'
    assert parse("-volc*").filters.nor == (Filters(text="volc*"),)


@pytest.mark.parametrize(
    ("words", "query"),
    [
        ("a b", '"a" "b"'),
        ('"a  b" c', '"a b" "c"'),
        ('"a b"* c*', '"a b"* "c"*'),
        ('a"b', '"ab"'),
        ("* ** \0", ""),
        ('""', ""),
    ],
)
def test_phrases_hold_words_together(words, query):
    assert match(words) == query


def test_a_phrase_is_found_only_in_its_order():
    with sqlite3.connect(":memory:") as db:
        db.execute("CREATE VIRTUAL TABLE f USING fts5(text)")
        db.execute("INSERT INTO f VALUES ('it never forgets')")
        found = [
            bool(db.execute("SELECT 1 FROM f WHERE f MATCH ?", (match(w),)).fetchone())
            for w in ('"never forgets"', '"forgets never"', "forgets never", '"never for"*')
        ]
    assert found == [True, False, True, True]


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("ga", "game:"),
        ("game:taboo ou", "game:taboo outcome:"),
        ("-ta", "-tag:"),
        ("sc", "score>"),
        ("outcome:ab", "outcome:aborted"),
        ("outcome:failure,ab", "outcome:failure,aborted"),
        ("model:smo", "model:smollm2"),
        ("model:my", 'model:"my model"'),
        ("model:smollm2", None),
        ("model:", None),
        ("zebra", None),
        ("", None),
        ('"ga', None),
    ],
)
def test_the_last_word_is_completed(line, completed):
    assert suggest(line, {"model": ["smollm2", "my model"]}) == completed


def test_orders():
    query = parse("game:taboo sort:score sort:-plies")
    assert query.sort == "-plies"
    assert str(query.sorted("oldest")) == "game:taboo sort:oldest"
    assert str(query.sorted("newest")) == "game:taboo"
    assert Query().sort == "newest"


def test_the_nearest():
    assert nearest("out", tuple(KEYS)) == "outcome" and nearest("qqq", tuple(KEYS)) is None
