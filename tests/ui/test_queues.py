"""The queues, and what is disputed in one of them."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from pathlib import Path

import pytest

from playpen_tui.messages import Adjudicate, Go
from playpen_tui.widgets.pair import Pane
from store import queues

spec = importlib.util.spec_from_file_location("queued", Path(__file__).with_name("queued.py"))
queued = importlib.util.module_from_spec(spec)
spec.loader.exec_module(queued)

SIZES = pytest.mark.parametrize("size", [(120, 36), (80, 24)])


@pytest.fixture
def stand(stage):
    """A stage with two queues: of the first, two people judged all items, two of them differently."""
    log = asyncio.run(queued.played(stage.bench))
    stage.queue = queued.queue(log, "pairs", judges=3)
    queued.says(log, stage.queue, "amber-otter-417", "a", 6, "it is [/true]")
    queued.says(log, stage.queue, "merry-mole-221", "a", 4)
    queued.says(log, stage.queue, "merry-mole-221", "b", 2)
    queued.queue(log, "more of them", 4, guidelines="")
    asyncio.run(stage.bench.close())
    return stage


@SIZES
async def test_from_home_to_a_queue_and_back(stand, size):
    async with stand.open(size=size) as stage:
        await stage.sees("Recent")
        stage.press("a")
        await stage.to("QueuesScreen")
        await stage.sees("10 wait for you", "more of them", "pairs", "12/18", "0/4", "open", "enter judge")
        assert "d disputed" not in stage.text, "nothing is disputed in the first one"
        stage.press("down")
        await stage.sees("d disputed")
        stage.press("i")
        await stage.sees("Guidelines of pairs, version 1")
        stage.press("escape")
        await stage.to("QueuesScreen")
        stage.press("enter")
        await stage.to("AnnotateScreen")
        await stage.until(lambda: stage.screen._ready, "an item")
        stage.press("1")
        await stage.sees("2/6")
        stage.press("escape")
        await stage.to("QueuesScreen")
        await stage.sees("1/6", "13/18", "9 wait for you")
        assert stage.screen.chosen.name == "pairs"
        stage.press("d")
        await stage.to("AdjudicateScreen")
        stage.press("escape")
        await stage.to("QueuesScreen")
        stage.press("escape")
        await stage.to("HomeScreen")


async def test_without_queues_it_says_how_to_make_one(stage):
    async with stage.open(size=(80, 24)):
        stage.app.post_message(Go("queues"))
        await stage.to("QueuesScreen")
        await stage.sees("n makes a queue", "annotate queue new NAME", "n new")
        stage.press("enter", "d", "t", "i", "x")
        await stage.settle()
        assert stage.at == "QueuesScreen"


async def test_a_log_that_cannot_be_read_says_why(stage):
    async with stage.open():
        stage.app.post_message(Go("queues"))
        await stage.to("QueuesScreen")
        await stage.sees("n makes a queue")

        async def refuse():
            from store.errors import LogLocked

            raise LogLocked("another process keeps the log; wait, or stop it")

        stage.bench.log = refuse
        stage.press("ctrl+r")
        await stage.sees("⊘ another process keeps the log")


async def test_a_queue_is_closed_and_opened_again(stand):
    async with stand.open() as stage:
        stage.app.post_message(Go("queues"))
        await stage.sees("10 wait for you")
        name = stage.screen.chosen.name
        stage.press("x")
        await stage.sees("closed")
        await stage.until(lambda: not next(q for q in stage.screen._lines if q.name == name).open, "closed")
        stage.press("enter")
        await stage.until(lambda: "this queue is closed; x opens it again" in stage.notes, "the note")
        assert stage.at == "QueuesScreen" and stage.screen.chosen.name == name
        stage.press("x")
        await stage.until(lambda: "closed" not in stage.text.replace("is closed", ""), "open again")


@SIZES
async def test_disputed_items_are_decided_with_a_reason(stand, size):
    async with stand.open(size=size) as stage:
        stage.app.post_message(Adjudicate("pairs"))
        await stage.to("AdjudicateScreen")
        await stage.sees("disputed · 1/2 · 0 decided", "amber-otter-417", "merry-mole-221", "“it is [/true]”")
        item = stage.screen.found[0][1].item
        assert "bot:" not in stage.text
        stage.press("n")
        await stage.sees("disputed · 2/2")
        stage.press("p")
        await stage.sees("disputed · 1/2")
        stage.press("2")
        await stage.to("Prompt")
        stage.press("enter")
        await stage.sees("✗ say in a few words why")
        stage.type("the other one is false")
        stage.press("enter")
        await stage.to("AdjudicateScreen")
        await stage.sees("disputed · 2/2 · 1 decided")
        rows = stage.bench.rows("SELECT value FROM annotations WHERE item_id = ? ORDER BY id DESC LIMIT 1", item)
        assert json.loads(rows[0][0]) == {"verdict": "b", "adjudicated": True, "reason": "the other one is false"}
        stage.press("t")
        await stage.to("Prompt")
        stage.press("escape")
        await stage.to("AdjudicateScreen")
        stage.press("4")
        await stage.to("Prompt")
        stage.type("neither")
        stage.press("enter")
        await stage.sees("2 decided", "✓ decided: both bad", "neither")
        stage.press("p")
        await stage.sees("disputed · 1/2", "the other one is false")
        stage.press("1")  # another decision takes its place
        await stage.to("Prompt")
        await stage.until(
            lambda: stage.screen.query_one("Input").value == "the other one is false", "the reason so far"
        )
        stage.press("enter")
        await stage.to("AdjudicateScreen")
        await stage.sees("✓ decided")
        standing = stage.bench.rows("SELECT verdict FROM verdicts WHERE item = ? AND adjudicated", item)
        assert standing == [("a",)]


async def test_long_candidates_and_many_votes_scroll(stand):
    log = await stand.bench.log()
    log.write(lambda db: db.execute("UPDATE candidates SET text = 'GUESS: ' || text || ?", ("\nmore" * 60,)).rowcount)
    for number in range(9):
        queued.says(log, stand.queue, f"misty-moth-{number}00", "tie", 2)
    async with stand.open(size=(80, 24)) as stage:
        stage.app.post_message(Adjudicate("pairs"))
        await stage.to("AdjudicateScreen")
        await stage.sees("more below ↓")
        pane = stage.screen.query_one("#left", Pane)
        stage.press(*["down"] * 3, "k")
        await stage.until(lambda: pane.box.scroll_offset.y == 2, "two lines down")
        stage.press("tab", "j")
        await stage.until(lambda: stage.screen.query_one("#right", Pane).box.scroll_offset.y == 1, "the other one")
        stage.press("d", "pagedown", "pageup", "tab")
        await stage.until(lambda: stage.screen._at == 0, "the first again")


async def test_where_all_agree_nothing_is_opened(stage):
    log = await queued.played(stage.bench)
    made = queued.queue(log)
    queued.says(log, made, "amber-otter-417", "a")
    async with stage.open():
        stage.app.post_message(Adjudicate("pairs"))
        await stage.until(lambda: "nothing is disputed here" in stage.notes, "the note")
        stage.app.post_message(Adjudicate("pears"))
        await stage.until(lambda: "did you mean 'pairs'?" in stage.notes, "the sentence")
        assert stage.at == "HomeScreen"


def test_the_queue_of_the_fixture_is_what_it_says(stand):
    async def look():
        log = await stand.bench.log()
        return queues.tally(log.reader(), stand.queue)

    told = asyncio.run(look())
    assert (told.items, told.votes, told.disputed) == (6, 12, 2)


async def test_a_queue_is_made_from_a_query(stage):
    await queued.played(stage.bench)
    async with stage.open():
        stage.app.post_message(Go("queues"))
        await stage.to("QueuesScreen")
        await stage.sees("n makes a queue")
        stage.press("n")
        await stage.to("Prompt")
        stage.line("clever clues")
        await stage.sees("Pairs from which episodes?")
        stage.line("gaem:taboo")
        await stage.sees("✗", "did you mean game:?")
        line = stage.screen.query_one("Input")
        line.value = "game:taboo"
        await stage.settle()
        stage.press("enter")
        await stage.sees("How many people should judge each item?")
        stage.press("down", "enter")
        await stage.to("QueuesScreen")
        await stage.sees("clever clues", "open")
        (items,) = stage.bench.rows("SELECT count(*) FROM items")[0]
        assert items and stage.bench.rows("SELECT name, judges FROM queues") == [("clever clues", 2)]
        await stage.until(lambda: f"clever clues: {items} pairs" in stage.notes, "what is in it")
        await stage.sees(f"0/{2 * items}", " wait for you")  # how many that are depends on the seed: some come twice
        stage.press("n")
        await stage.to("Prompt")
        stage.press("escape")
        await stage.to("QueuesScreen")
        for name, query, why in (("clever clues", "", "there is a queue"), ("none", "game:wordle", "no two different")):
            stage.press("n")
            await stage.sees("A name for the queue")
            stage.line(name)
            await stage.sees("Pairs from which episodes?")
            stage.line(query)
            await stage.sees("How many people")
            stage.press("enter")
            await stage.to("QueuesScreen")
            await stage.until(lambda why=why: why in stage.notes, why)
        assert stage.bench.rows("SELECT count(*) FROM queues") == [(1,)]


@SIZES
async def test_the_table_of_agreement(stand, size):
    async with stand.open(size=size) as stage:
        stage.app.post_message(Go("queues"))
        await stage.sees("pairs")
        stage.press("down", "t")
        await stage.to("AgreementScreen")
        await stage.sees("amber-otter-417", "merry-mole-221")
        stage.press("y")
        await stage.until(lambda: "amber-otter-417" in stage.app.clipboard, "the copy")
        stage.press("escape")
        await stage.to("QueuesScreen")
