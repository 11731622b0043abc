"""The list as somebody reads it: every row is that of the whole list, few pages are kept, old queries are given up."""

from __future__ import annotations

import asyncio
import random

import pytest

from bench.big_log import make
from playpen_tui import browsing as module
from playpen_tui.browsing import Browsing, Superseded
from store import curate
from store.browse import Browser
from store.errors import LogError
from store.log import Log
from store.query import SORTS, parse


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("browsing") / "made.sqlite"
    make(path, 500)
    return path


@pytest.fixture
def log(made):
    with Log.open(made) as log:
        yield log


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(module, "PAGE", 10)
    monkeypatch.setattr(module, "KEPT", 4)


@pytest.mark.parametrize("sort", SORTS)
async def test_every_row_is_that_of_the_whole_list_from_wherever_one_comes(log, sort):
    browsing = Browsing(log)
    query = parse("-outcome:aborted").sorted(sort)
    whole = [found.id for found in Browser(log.reader).page(query, -1)]
    await browsing.open(query)
    assert browsing.total == len(whole) and browsing.peek(0).id == whole[0]
    luck = random.Random(1)
    places = [len(whole) - 1, 0, 11, len(whole) // 2, *(luck.randrange(len(whole)) for _ in range(40))]
    for position in places:
        assert (await browsing.at(position)).id == whole[position]
        assert len(browsing._pages) <= 4 + 1
    assert await browsing.find(whole[77]) == 77
    assert await browsing.at(len(whole)) is None and await browsing.at(-1) is None
    browsing.close()


async def test_the_same_list_read_again_stays_until_its_first_page_is_there(log):
    browsing = Browsing(log)
    await browsing.open(parse(""))
    first, known = browsing.peek(0).id, browsing.known
    again = asyncio.ensure_future(browsing.reload())
    late = asyncio.ensure_future(browsing.fetch(2))
    await asyncio.sleep(0)
    assert browsing.known == known and browsing.peek(0).id == first
    await asyncio.gather(again, late)
    assert browsing.known == known and browsing.peek(0).id == first and (await browsing.at(25)) is not None
    other = asyncio.ensure_future(browsing.open(parse("game:taboo")))
    await asyncio.sleep(0)
    assert browsing.known == 0 and browsing.total is None, "another list does not show the rows of the one before"
    await other
    browsing.close()


async def test_a_page_that_is_on_its_way_is_waited_for_and_not_asked_for_twice(log):
    browsing = Browsing(log)
    await browsing.open(parse(""))
    assert browsing.lacking(0, 35) == [1, 2, 3]
    one, other = await asyncio.gather(browsing.at(25), browsing.at(26))
    assert one is not None and other is not None and browsing.lacking(0, 35) == [1, 3]
    browsing.close()


async def test_a_list_that_is_opened_gives_up_the_one_before(log):
    browsing = Browsing(log)
    first = asyncio.ensure_future(browsing.open(parse("the bako")))
    await asyncio.sleep(0)
    await browsing.open(parse("game:taboo"))
    with pytest.raises(Superseded):
        await first
    assert str(browsing.query) == "game:taboo" and browsing.peek(0).row.game == "taboo"
    browsing.close()


async def test_what_comes_in_is_counted_and_read_when_one_asks_for_it(log):
    browsing = Browsing(log)
    await browsing.open(parse(""))
    total = browsing.total
    log.write(
        lambda db: (
            db.execute(
                "INSERT INTO episodes (id, instance_id, game, game_version, seed, started_at) "
                "SELECT '7ZZZZZZZZZZZZZZZZZZZZZZZZZ', instance_id, game, 1, 1, '2027' FROM episodes LIMIT 1"
            ).rowcount
        )
    )
    await browsing.look()
    assert browsing.news == 1 and browsing.total == total
    await browsing.reload()
    assert browsing.news == 0 and browsing.total == total + 1 and browsing.peek(0).id.startswith("7Z")
    log.write(lambda db: db.execute("DELETE FROM episodes WHERE id LIKE '7Z%'").rowcount)
    browsing.close()


async def test_marks_and_what_is_done_with_them_can_be_taken_back(log):
    browsing = Browsing(log)
    await browsing.open(parse("game:wordle"))
    assert await browsing.mark_all() == browsing.total
    assert await browsing.mark_all() == 0
    ids = [browsing.peek(at).id for at in (3, 1)]
    assert [browsing.mark(id) for id in ids] == [True, True] and list(browsing.marked) == ids
    await browsing.change(lambda log: curate.tag(log, ids, "mine"))
    assert "mine" in await browsing.tags(ids)
    await browsing.change(lambda log: curate.trash(log, ids))
    await browsing.reload()
    assert all(browsing.peek(at).id not in ids for at in range(5))
    assert (await browsing.undo()).kind == "restore"
    assert (await browsing.undo()).kind == "untag" and "mine" not in await browsing.tags(ids)
    assert await browsing.undo() is None
    browsing.close()


async def test_views(log):
    browsing = Browsing(log)
    await browsing.open(parse("game:taboo score>50"))
    given = len(await browsing.views())
    await browsing.save_view("best")
    views = await browsing.views()
    assert (views[0].name, views[0].query) == ("best", "game:taboo score>50") and len(views) == given + 1
    with pytest.raises(LogError, match="everybody has"):
        await browsing.save_view("trash")
    await browsing.drop_view("best")
    assert len(await browsing.views()) == given
    browsing.close()


async def test_an_error_of_the_file_is_a_sentence(log, monkeypatch):
    browsing = Browsing(log)
    await browsing.open(parse(""))
    with pytest.raises(LogError, match="see what `playpen-tui db check` says"):
        await browsing._ask(lambda: log.reader().execute("SELECT * FROM nothing"))
    browsing.close()
