"""One judge at one queue: what is shown and what is not, votes, undo with comment and flag, a crash, the time."""

from __future__ import annotations

import asyncio
import json

import pytest
from judged_log import played, queue_of

from playpen_tui import judging
from playpen_tui.workbench import Workbench
from store import queues
from store.errors import Unknown, UnknownQueue
from store.log import Log
from store.queues import BadQueue


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "e.sqlite"
    with played(path) as log:
        queue_of(log, repeats=0.0, judges=2)
    return path


def rows(path, sql, *values):
    with Log.open(path, readonly=True) as log:
        return log.reader().execute(sql, values).fetchall()


async def test_what_is_shown_gives_nobody_away(path):
    async with Workbench(path) as bench:
        sitting = await judging.open_judging(bench, "first")
        shown = await sitting.next()
        assert shown is not None and (shown.number, shown.of, shown.kind, shown.game) == (1, 12, "pair", "taboo")
        assert shown.left.text != shown.right.text and shown.left.goes_on == ()
        words = f"{shown.context} {shown.left} {shown.right}"
        assert "bot" not in words and "CLUE:" not in words and "GUESS:" not in words
        (board, *_) = shown.context
        assert board[0] == "board" and board[1]
        told = await sitting.vote("left", much=True)
        assert "bot:" in told.left and "characters" in told.right
        assert "won" in told.left + told.right or "lost" in told.left + told.right
    value, blind, order, ms = rows(path, "SELECT value, blind, shown_order, ms FROM annotations")[0]
    picked = {shown.left.candidate: "left", shown.right.candidate: "right"}
    (chosen,) = rows(path, "SELECT chosen_id FROM annotations")[0]
    assert picked[chosen] == "left" and blind == 1 and ms >= 0
    assert json.loads(order) == [shown.left.candidate, shown.right.candidate]
    assert json.loads(value)["verdict"] in ("a", "b")


async def test_undo_brings_comment_and_flag_back(path):
    async with Workbench(path) as bench:
        sitting = await judging.open_judging(bench, "first")
        assert await sitting.undo() is None
        first = await sitting.next()
        await sitting.comment("unsure")
        assert await sitting.flag() is True
        await sitting.vote("right")
        second = await sitting.next()
        await sitting.vote("skip", much=True)
        for expected in (second, first):
            assert await sitting.undo() == expected
        assert await sitting.draft() == "unsure" and await sitting.undo() is None
        assert await sitting.flag() is False
        await sitting.vote("tie")
        (vote,) = await sitting.history()
        assert (vote.verdict, vote.comment, vote.flag, vote.item) == ("tie", "unsure", False, first.item)
        assert (await sitting.next()).item == second.item
    assert rows(path, "SELECT blind FROM annotations ORDER BY id DESC LIMIT 1") == [(0,)], (
        "who wrote it was told before"
    )


async def test_an_item_of_the_history_is_judged_anew_and_then_it_goes_on(path):
    async with Workbench(path) as bench:
        sitting = await judging.open_judging(bench, "first")
        for _ in range(3):
            await sitting.next()
            await sitting.vote("left")
        here = await sitting.next()
        old = (await sitting.history())[2]
        shown = await sitting.show(old.item)
        assert (shown.item, shown.number) == (old.item, 1)
        await sitting.vote("bad")
        assert [one.verdict for one in await sitting.history()] == ["bad", "left", "left"]
        assert (await sitting.next()) == here


async def test_a_crash_loses_nothing_and_what_was_written_is_there(path):
    bench = Workbench(path)
    sitting = await judging.open_judging(bench, "first")
    shown = await sitting.next()
    await sitting.comment("half a thou")
    log = await bench.log()
    await asyncio.to_thread(log.close)  # nothing is let go
    async with Workbench(path) as again:
        sitting = await judging.open_judging(again, "first")
        assert await sitting.next() == shown and await sitting.draft() == "half a thou"
        await sitting.vote("right")
        assert (await sitting.history())[0].comment == "half a thou"


async def test_time_away_does_not_count(path, monkeypatch):
    clock = iter([0.0, 1.0, 61.0, 62.0])
    async with Workbench(path) as bench:
        sitting = await judging.open_judging(bench, "first")
        shown = await sitting.next()
        assert shown is not None
        monkeypatch.setattr(judging.time, "monotonic", lambda: next(clock, 62.0))
        sitting._shown_at = judging.time.monotonic()
        sitting.away()
        sitting.back()
        await sitting.vote("tie")
    assert rows(path, "SELECT ms FROM annotations") == [(2000.0,)]


async def test_a_queue_may_stay_blind(path):
    with Log.open(path) as log:
        log.write(lambda db: db.execute("UPDATE queues SET config = '{\"reveal\": false}'").rowcount)
    async with Workbench(path) as bench:
        sitting = await judging.open_judging(bench, "first")
        await sitting.next()
        assert await sitting.vote("left") == judging.Revealed("", "")
        await sitting.undo()
        await sitting.vote("right")
    assert rows(path, "SELECT DISTINCT blind FROM annotations WHERE supersedes IS NOT NULL") == [(1,)]


async def test_an_item_whose_words_were_erased_is_passed_over(path, monkeypatch):
    erased = []
    compare = judging.compared

    def compared(log, item):
        if not erased or item.id in erased:
            erased.append(item.id)
            raise Unknown("the reply was erased meanwhile")
        return compare(log, item)

    monkeypatch.setattr(judging, "compared", compared)
    async with Workbench(path) as bench:
        sitting = await judging.open_judging(bench, "first")
        shown = await sitting.next()
        assert shown is not None and len(erased) == 1 and shown.item != erased[0]
        await sitting.vote("tie")
        following = await sitting.next()
        assert following is not None and following.item != erased[0] and len(erased) == 1
    assert rows(path, "SELECT count(*) FROM reservations WHERE item_id = ?", erased[0]) == [(0,)]


async def test_a_reservation_is_renewed_while_somebody_looks(path, monkeypatch):
    monkeypatch.setattr(judging, "RENEW", 0.01)
    async with Workbench(path) as bench:
        sitting = await judging.open_judging(bench, "first")
        await sitting.next()
        log = await bench.log()
        log.write(lambda db: db.execute("UPDATE reservations SET until = '2000'").rowcount)
        for _ in range(500):
            if rows(path, "SELECT until > '2001' FROM reservations") == [(1,)]:
                break
            await asyncio.sleep(0.01)
        else:
            raise AssertionError("nobody renewed it")
        await sitting.close()
    assert rows(path, "SELECT count(*) FROM reservations") == [(0,)]


async def test_two_people_and_what_is_left(path):
    async with Workbench(path) as bench:
        one = await judging.open_judging(bench, "first", "kind-owl-1")
        two = await judging.open_judging(bench, "first", "shy-fox-2")
        three = await judging.open_judging(bench, "first", "calm-hen-3")
        a, b = await one.next(), await two.next()
        assert a is not None and b is not None and a.item == b.item
        c = await three.next()
        assert c is not None and c.item != a.item, "both places are held"
        await one.vote("left")
        await one.close()
        (line,) = await judging.queue_lines(bench)
        assert (line.name, line.kind, line.items, line.votes, line.mine, line.open) == ("first", "pair", 12, 1, 0, True)
        assert await bench.people.pseudonym()
        await two.close(), await two.close(), await three.close()


async def test_disputes_are_decided_with_a_reason(path):
    with Log.open(path) as log:
        queue_of(log, 1, "one", judges=2)
    async with Workbench(path) as bench:
        for name, verdict in (("kind-owl-1", "a"), ("shy-fox-2", "b")):
            sitting = await judging.open_judging(bench, "one", name)
            shown = await sitting.next()
            (a,) = rows(path, "SELECT a_id FROM items WHERE id = ?", shown.item)[0]
            sides = {"a": "left", "b": "right"} if shown.left.candidate == a else {"a": "right", "b": "left"}
            await sitting.vote(sides[verdict])
            await sitting.close()
        ((dispute, shown),) = await judging.disputed(bench, "one")
        assert [one.verdict for one in dispute.opinions] == ["a", "b"] and dispute.decided is None
        assert shown.item == dispute.item.id and shown.left.candidate == dispute.item.a
        with pytest.raises(BadQueue, match="reason"):
            await judging.decide(bench, "one", shown.item, "b", " ")
        await judging.decide(bench, "one", shown.item, "b", "it gives nothing away")
        await judging.decide(bench, "one", shown.item, "tie", "on second thoughts")
        ((dispute, _),) = await judging.disputed(bench, "one")
        assert (dispute.decided, dispute.reason, dispute.by) == (
            "tie",
            "on second thoughts",
            await bench.people.pseudonym(),
        )
    kept = rows(path, "SELECT verdict, adjudicated FROM verdicts ORDER BY at")
    assert kept == [("a", 0), ("b", 0), ("tie", 1)]


async def test_what_cannot_be_is_a_sentence(path):
    async with Workbench(path) as bench:
        with pytest.raises(UnknownQueue, match="did you mean 'first'"):
            await judging.open_judging(bench, "frist")
        sitting = await judging.open_judging(bench, "first")
        with pytest.raises(BadQueue, match="no item is shown"):
            await sitting.vote("left")
        await sitting.next()
        with pytest.raises(BadQueue, match="no verdict"):
            await sitting.vote("middle")
        log = await bench.log()
        queues.close_queue(log, sitting.queue)
        with pytest.raises(BadQueue, match="closed"):
            await sitting.vote("left")
        with pytest.raises(BadQueue, match="closed"):
            await judging.open_judging(bench, "first")
