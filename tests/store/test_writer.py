"""One thread writes for all: shared commits, each one's own errors, nothing lost at the end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import weakref

import pytest

from store.connection import connect, open_writer
from store.errors import LogClosed, LogError, Taken
from store.writer import Work, Writer, insert_sql


@pytest.fixture
def writer(path):
    with contextlib.closing(Writer(open_writer(path).connection, path)) as opened:
        yield opened


@pytest.fixture
def commits(writer, monkeypatch):
    """Sizes of the transactions, in order."""
    sizes = []
    transact = writer._transact

    def counted(piece):
        sizes.append(len(piece))
        transact(piece)

    monkeypatch.setattr(writer, "_transact", counted)
    return sizes


def hashes(path):
    with contextlib.closing(connect(path)) as db:
        return [name for (name,) in db.execute("SELECT hash FROM messages ORDER BY 1")]


def message(name, parent=None):
    return {"messages": [(name, parent, "user", "x")]}


async def block(writer):
    """Keep the writer busy until the event is set, so that work piles up behind."""
    started, free = threading.Event(), threading.Event()

    def hold(db):
        started.set()
        free.wait(10)

    writer.submit(Work({}, call=hold, loop=asyncio.get_running_loop()))
    await asyncio.to_thread(started.wait)
    return free


async def test_what_waits_shares_a_commit(writer, commits, path):
    free = await block(writer)
    works = [writer.write(message(f"m{n}")) for n in range(20)]
    free.set()
    for work in works:
        await work
    assert commits == [1, 20]
    assert len(hashes(path)) == 20


async def test_when_it_returns_others_can_read_it(writer, path):
    for n in range(5):
        await writer.write(message(f"m{n}"))
        assert hashes(path) == [f"m{i}" for i in range(n + 1)]


async def test_one_bad_piece_does_not_spoil_the_others(writer, commits, path):
    free = await block(writer)
    works = [writer.write(message("a")), writer.write(message("b", "no-such-parent")), writer.write(message("c"))]
    free.set()
    results = await asyncio.gather(*[one(work) for work in works], return_exceptions=True)
    assert [type(result) for result in results] == [type(None), LogError, type(None)]
    assert commits == [1, 3, 1, 1, 1]
    assert hashes(path) == ["a", "c"]


async def one(work):
    await work


async def test_a_piece_is_whole_or_absent(writer, path):
    rows = {"messages": [("a", None, "user", "x"), ("b", "no-such-parent", "user", "x")]}
    with pytest.raises(LogError):
        await writer.write(rows)
    assert hashes(path) == []


async def test_many_rows_of_one_table_in_order(writer, path):
    names = [f"{n:04}" for n in range(201)]
    rows = [(name, parent, "user", "x") for name, parent in zip(names, [None, *names], strict=False)]
    await writer.write({"messages": rows})
    await writer.write({"messages": rows})
    assert hashes(path) == names
    with pytest.raises(LogError):
        await writer.write({"messages": [*rows, ("late", "later", "user", "x")]})


def test_one_statement_inserts_many_rows():
    assert insert_sql("heard") == "INSERT INTO heard (episode_id, role, hash) VALUES (?, ?, ?)"
    assert insert_sql("heard", 2).endswith("VALUES (?, ?, ?), (?, ?, ?)")
    assert insert_sql("messages", 2).endswith("(?, ?, ?, ?), (?, ?, ?, ?) ON CONFLICT(hash) DO NOTHING")


def test_functions_run_one_by_one_and_give_back_a_value(writer):
    insert = "INSERT INTO messages VALUES (?, NULL, 'user', 'x')"
    assert writer.do(lambda db: db.execute(insert, ("a",)).rowcount) == 1
    with pytest.raises(Taken) as raised:
        writer.do(lambda db: db.execute(insert, ("a",)).rowcount)
    assert "UNIQUE" in str(raised.value.__cause__)
    with pytest.raises(LogError, match="ZeroDivisionError"):
        writer.do(lambda db: 1 // 0)
    assert writer.do(lambda db: db.execute("SELECT count(*) FROM messages").fetchone()) == (1,)


def test_what_was_written_is_let_go_of(writer):
    class Rows:
        """So many that nobody wants them to be kept until somebody writes again."""

    rows = Rows()
    gone = weakref.ref(rows)
    writer.do(lambda db, held=rows: None)
    del rows
    for _ in range(200):  # the writer's thread wakes the caller first and lets go then
        if gone() is None:
            return
        time.sleep(0.01)
    raise AssertionError("the writer holds what it wrote")


def test_threads_and_loops_together(writer, path):
    async def lane(n):
        for k in range(10):
            await writer.write(message(f"{n:02}-{k}"))

    async def many(first):
        await asyncio.gather(*[lane(n) for n in range(first, first + 5)])

    threads = [threading.Thread(target=asyncio.run, args=(many(first),)) for first in (0, 5, 10)]
    for thread in threads:
        thread.start()
    for n in range(20):
        writer.do(lambda db, n=n: db.execute("INSERT INTO messages VALUES (?, NULL, 'user', 'x')", (f"t{n}",)).rowcount)
    for thread in threads:
        thread.join()
    assert len(hashes(path)) == 170


async def test_closing_writes_what_waits(writer, path):
    free = await block(writer)
    works = [writer.write(message(f"m{n}")) for n in range(3)]
    closing = asyncio.create_task(asyncio.to_thread(writer.close))
    await asyncio.sleep(0.01)
    with pytest.raises(LogClosed):
        writer.write(message("late"))
    free.set()
    await closing
    for work in works:
        await work
    assert hashes(path) == ["m0", "m1", "m2"]
    writer.close()


async def test_a_waiter_whose_loop_is_gone_harms_nobody(writer, path):
    free = await block(writer)

    async def leave():
        writer.write(message("orphan"))

    await asyncio.to_thread(asyncio.run, leave())
    free.set()
    await writer.write(message("z"))
    assert hashes(path) == ["orphan", "z"]
