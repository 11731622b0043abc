"""Pages: every order, from any place, in both directions, is one list cut into pieces; and what the trash hides."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_game import Script, new_match

from bench.big_log import COMMON, RARE, make
from players.base import Identity, Reply
from players.driver import drive
from players.ports import Place
from store import browse, curate
from store.browse import MARKS, Browser
from store.curate import BadTag
from store.filters import Filters
from store.keep import check
from store.log import Log
from store.query import SORTS, BadQuery, parse

EPISODES = 240


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A log of many episodes; tests of this module only read it."""
    path = tmp_path_factory.mktemp("browse") / "made.sqlite"
    make(path, EPISODES)
    return path


@pytest.fixture(scope="module")
def many(made):
    with Log.open(made, readonly=True) as log:
        yield Browser(log.reader)


QUERIES = ["", "game:taboo", "outcome:success,unfinished", "-outcome:aborted", COMMON, "split:test plies>8", "score>0"]


@pytest.mark.parametrize("line", QUERIES)
@pytest.mark.parametrize("sort", SORTS)
def test_pages_in_both_directions_make_up_one_list(many, line, sort):
    query = parse(line).sorted(sort)
    whole = many.page(query, -1)
    ids = [found.id for found in whole]
    assert len(ids) == len(set(ids)) == many.count(query) > 0
    forward, key = [], None
    while page := many.page(query, 37, after=key):
        forward += page
        key = page[-1].key
    assert [found.id for found in forward] == ids
    backward, key = [], ()
    while page := many.page(query, 41, before=key):
        backward = page + backward
        key = page[0].key
    assert [found.id for found in backward] == ids


@given(data=st.data())
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_place_is_reached_from_any_other(many, data):
    query = parse(data.draw(st.sampled_from(QUERIES))).sorted(data.draw(st.sampled_from(list(SORTS))))
    whole = many.page(query, -1)
    at = data.draw(st.integers(0, len(whole) - 1))
    skip, limit = data.draw(st.integers(0, 60)), data.draw(st.integers(1, 60))
    ids = [found.id for found in whole]
    assert [f.id for f in many.page(query, limit, after=whole[at].key, skip=skip)] == ids[at + 1 + skip :][:limit]
    above = ids[: max(0, at - skip)]
    assert [f.id for f in many.page(query, limit, before=whole[at].key, skip=skip)] == above[-limit:]
    assert many.position(query, whole[at].key) == at
    assert many.key(query.sort, whole[at].id) == whole[at].key


def sort_key(sort):
    def key(found):
        row = found.row
        none = row.main is None
        return {
            "newest": row.id,
            "oldest": row.id,
            "score": (-1 if none else row.main, row.id),
            "-score": (101 if none else row.main, row.id),
            "plies": (row.plies, row.id),
            "-plies": (row.plies, row.id),
            "game": (row.game, row.id),
            "-game": (row.game, row.id),
        }[sort]

    return key


@pytest.mark.parametrize("sort", SORTS)
def test_orders_are_what_they_say(many, sort):
    whole = many.page(parse(f"sort:{sort}"), -1)
    assert whole == sorted(whole, key=sort_key(sort), reverse=sort in ("newest", "score", "plies", "-game"))
    if sort.endswith("score"):
        assert whole[0].row.main is not None and whole[-1].row.main is None  # no score comes last either way


def test_words_are_found_and_shown(many, monkeypatch):
    rare = many.page(parse(RARE), 50)
    assert len(rare) == many.count(parse(RARE)) == 3
    assert all(f"{MARKS[0]}{RARE}{MARKS[1]}" in found.excerpt for found in rare)
    whole = [found.id for found in many.page(parse(COMMON), -1)]
    monkeypatch.setattr(browse, "MOST_HITS", 5)
    for patience in (1, 100):  # given up, and row by row
        monkeypatch.setattr(browse, "PATIENCE", patience)
        many.forget()
        assert [found.id for found in many.page(parse(COMMON), 30)] == whole[:30]
        many.forget()
        assert [found.id for found in many.page(parse(COMMON), 30, before=())] == whole[-30:]
        many.forget()
        both = f"{COMMON} {RARE}"
        assert [found.id for found in many.page(parse(both), 30)] == [
            found.id for found in rare if found.id in {f.id for f in many.page(parse(both), -1)}
        ]
    without = many.page(parse(f"-{COMMON}"), -1)
    assert {found.id for found in without}.isdisjoint(whole) and len(without) + len(whole) == EPISODES


def test_tables_of_words_are_few(many):
    for word in ("a", "b", "c", "d", "e", "f"):
        many.count(parse(word))
    names = many._reader().execute("SELECT count(*) FROM temp.sqlite_master WHERE name LIKE 'hits_%'").fetchone()
    assert names == (browse.KEPT,)
    many.forget()
    assert many._reader().execute("SELECT count(*) FROM temp.sqlite_master").fetchone() == (0,)


@pytest.mark.parametrize(
    ("line", "index"),
    [
        ("", "sqlite_autoindex_episodes_1"),
        ("sort:oldest", "sqlite_autoindex_episodes_1"),
        ("sort:game", "episodes_game"),
        ("game:taboo", "episodes_game"),
        ("sort:score", "sqlite_autoindex_results_1"),
        ("outcome:failure", "sqlite_autoindex_results_1"),
    ],
)
def test_lists_are_read_off_indexes(many, line, index):
    """What the speed at 100,000 episodes rests on: no table is read for what is not shown."""
    plans = []
    reader = many._reader()

    class Explained:
        def execute(self, sql, values=()):
            if "ORDER BY e." in sql or "ORDER BY coalesce" in sql:
                plans.extend(row[3] for row in reader.execute(f"EXPLAIN QUERY PLAN {sql}", values))
            return reader.execute(sql, values)

    Browser(lambda: Explained()).page(parse(line), 50)  # type: ignore[arg-type, return-value]
    told = " / ".join(plans)
    assert f"COVERING INDEX {index}" in told or f"USING INDEX {index}" in told, told
    if not line.startswith("sort:") or line == "sort:game":
        assert "TEMP B-TREE" not in told, told


def test_what_the_log_knows(many):
    words = many.vocabulary()
    assert words["game"] == ["referencegame", "taboo", "wordle"] and "smollm2" in words["model"]
    assert words["lang"] == ["en"] and set(words["tag"]) <= {"odd", "seen", "bookmark"}


# a log that changes


@pytest.fixture
def log_of_ten(path):
    make(path, 10)
    with Log.open(path) as log:
        yield log


def test_the_trash_hides_and_gives_back(log_of_ten):
    log, browser = log_of_ten, Browser(log_of_ten.reader)
    ids = [found.id for found in browser.page(parse(""), 50)]
    change = curate.trash(log, [*ids[:3], "nobody"])
    assert change.episodes == tuple(sorted(ids[:3])) and str(change) == "moved 3 episodes to the trash"
    assert (
        browser.count(parse("")) == 7 and browser.count(parse("in:trash")) == 3 and browser.count(parse("in:all")) == 10
    )
    assert all(found.trashed for found in browser.page(parse("in:trash"), 9))
    assert log.queries.count(Filters()) == 7 and {row.id for row in log.queries.recent(50)} == set(ids[3:])
    assert set(ids[:3]).isdisjoint(row.episode for row in log.queries.outcomes())
    assert browser.count(parse("-tag:nothing")) == 7  # what is turned round does not bring the trash back
    assert curate.trash(log, ids[:4]).episodes == (ids[3],)
    assert curate.undo(log, change).kind == "restore"
    assert browser.count(parse("")) == 9
    assert check(log, sample=0).ok


def test_tags_in_bulk_are_taken_back_exactly(log_of_ten):
    log, browser = log_of_ten, Browser(log_of_ten.reader)
    ids = browser.ids(parse(""))
    first = curate.tag(log, ids[:2], "  very   odd ")
    assert first.tag == "very odd" and browser.count(parse('tag:"very odd"')) == 2
    second = curate.tag(log, ids[:5], "very odd")
    assert len(second.episodes) == 3
    curate.undo(log, second)
    assert "very odd" in browser.tags_of(ids[:2]) and browser.count(parse('tag:"very odd"')) == 2
    off = curate.untag(log, ids, "very odd")
    assert len(off.episodes) == 2 and str(off) == "took very odd off 2 episodes"
    assert len(curate.undo(log, off).episodes) == 2
    for word in ("", " ", 'a"b', "a,b", "x" * 61, "a\x1bb"):
        with pytest.raises(BadTag, match="a tag is up to 60 characters"):
            curate.tag(log, ids, word)


def test_views_are_saved_replaced_and_forgotten(log_of_ten):
    log = log_of_ten
    curate.save_view(log, "mine", "game:taboo    score>5")
    curate.save_view(log, "mine", "game:wordle")
    curate.save_view(log, "also", "")
    assert [(view.name, view.query) for view in curate.saved_views(log)] == [("also", ""), ("mine", "game:wordle")]
    curate.drop_view(log, "mine")
    assert [view.name for view in curate.saved_views(log)] == ["also"]
    with pytest.raises(BadQuery):
        curate.save_view(log, "bad", "gaem:x")
    log.write(lambda db: db.execute("UPDATE saved_views SET query = 'gaem:x'").rowcount)
    (problem,) = check(log, sample=0).problems
    assert problem.kind == "view" and "did you mean game:?" in problem.message


def test_a_list_stands_still_while_episodes_come_in(log_of_ten):
    log, browser = log_of_ten, Browser(log_of_ten.reader)
    horizon = browser.horizon()
    before = [found.id for found in browser.page(parse(""), 50, horizon=horizon)]
    log.write(
        lambda db: (
            db.execute(
                "INSERT INTO episodes (id, instance_id, game, game_version, seed, started_at) "
                "SELECT '7ZZZZZZZZZZZZZZZZZZZZZZZZZ', instance_id, game, 1, 1, '2027' FROM episodes LIMIT 1"
            ).rowcount
        )
    )
    assert [found.id for found in browser.page(parse(""), 50, horizon=horizon)] == before
    assert browser.count(parse(""), horizon=horizon) == 10 and browser.count(parse("")) == 11
    assert browser.horizon() == horizon + 1


async def test_who_sat_in_for_somebody_is_found_in_either_role(log):
    """A seat that changed hands belongs to both; the filters read it off `substitutes`, which a trigger keeps."""
    run = log.new_run("play", {})
    ada, bob, eve = (Identity("model", name) for name in ("ada", "bob", "eve?temperature=0"))
    match = new_match()
    episode = await log.recorder.begin(match, {"asker": ada, "teller": bob}, Place(run=run))
    for text, who in (("one", ada), ("two", bob), ("three", eve)):
        match = match.play(text)
        await log.recorder.turn(episode, match, match.steps[-1], who, Reply(text))
    browser = Browser(log.reader)
    rows = (
        log.reader().execute("SELECT role, p.name FROM substitutes s JOIN players p ON p.id = s.player_id").fetchall()
    )
    assert rows == [("asker", "eve?temperature=0")]
    for line, fits in (
        ("model:ada", 1),
        ("model:eve", 1),
        ("model:e*", 1),
        ("model:ev", 0),
        ("role:asker model:eve partner:bob", 1),
        ("role:teller model:eve", 0),
        ("model:eve partner:ada", 0),
        ("-model:eve", 0),
        ("plies>2 plies<4", 1),
        ("plies=3 kind:play", 1),
        (f"run:{run[:12]}", 1),
        ("run:0000", 0),
        ("score>0", 0),
    ):
        assert browser.count(parse(line)) == fits, line
    assert check(log, sample=0).ok


async def test_people_are_found_as_people(log):
    me = log.people.add(consent="research").id
    seats = {"asker": Script("win", kind="human", name=me, person=me), "teller": Script("yes", name="ada")}
    await drive(new_match(), seats, log.recorder, place=Place(run=log.new_run("play", {})))
    browser = Browser(log.reader)
    for line, fits in (
        ("model:human", 1),
        ("partner:human role:teller", 1),
        ("speaker:human", 1),
        (f"model:{me}", 1),
        ("role:teller speaker:human", 0),
        ("outcome:success score=100", 1),
    ):
        assert browser.count(parse(line)) == fits, line
