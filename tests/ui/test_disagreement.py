"""Where people and games disagree: the list, a pair in full, and the ways from there to episodes and branches."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import pytest
from differing import played_on
from textual.content import Content

from playpen_tui import disagreeing
from playpen_tui.app import PlaypenApp
from playpen_tui.messages import Differ, Go
from playpen_tui.screens.disagreed import DisagreedScreen
from store.adjudication import adjudicate
from store.errors import LogLocked

spec = importlib.util.spec_from_file_location("queued", Path(__file__).with_name("queued.py"))
queued = importlib.util.module_from_spec(spec)
spec.loader.exec_module(queued)

BOTH = [(120, 36), (80, 24)]
SIZES = pytest.mark.parametrize("size", BOTH)


def judged(stage) -> None:
    """Of four items people prefer what came to less; one was played on, one decided the other way. A fifth is a tie."""

    async def make() -> None:
        log = await queued.played(stage.bench)
        made = queued.queue(log, "clues", 6, judges=3)
        stage.items = queued.against(log, made, "amber-otter-417", 4, "says [b]more[/b] with less")
        queued.against(log, made, "merry-mole-221", 2)
        assert len(stage.items) == 4
        for item in stage.items[:1]:
            low = queued.judging.standing(log.reader(), queued.Judge("amber-otter-417"), item).verdict
            played_on(log, item, low, [0.0, 0.0, 1.0, 0.0, 0.0])
            played_on(log, item, "b" if low == "a" else "a", [1.0, 1.0, 1.0, 0.0, 1.0, 1.0])
        low = queued.judging.standing(log.reader(), queued.Judge("amber-otter-417"), stage.items[3]).verdict
        adjudicate(log, made, stage.items[3], "b" if low == "a" else "a", "it won", "merry-mole-221")
        rest = [item for item in queued.judging.items(log.reader(), made) if item.id not in stage.items]
        said = queued.Ballot(rest[0].id, "tie", rest[0].a, rest[0].b)
        queued.judging.vote(log, made, queued.Judge("merry-mole-221"), said)
        queued.queue(log, "more of them", 1)
        await stage.bench.people.give_consent("local")
        await stage.bench.close()

    asyncio.run(make())


@pytest.fixture
def stand(stage):
    judged(stage)
    return stage


@SIZES
async def test_from_a_queue_to_a_pair_its_episode_and_its_branches(stand, size):
    async with stand.open(size=size) as stage:
        stage.app.post_message(Go("queues"))
        await stage.sees("clues")
        stage.press("down", "g")
        await stage.to("DisagreementScreen")
        await stage.sees("Disagreement · clues", "1 agree · 3 disagree · 1 undecided", "3 of 4 pairs that can be told")
        await stage.sees("people say ", "0.20 [0.04, 0.62] of 5", "0.83 [0.44, 0.97] of 6", "b branch")
        assert "bot" not in stage.text
        stage.press("enter")
        await stage.to("DisagreedScreen")
        await stage.sees("people against games · 1/3", "amber-otter-417", "merry-mole-221", "[b]more[/b]")
        await stage.sees(
            "people's choice · 0.20 [0.04, 0.62] of 5",
            "game's choice · 0.83",
            "preferred by 2 of 2 people",
            "may be chance",
        )
        stage.press("tab", "e")
        await stage.to("EpisodeScreen")
        stage.press("escape")
        await stage.to("DisagreedScreen")
        stage.press("b")
        await stage.to("BranchesScreen")
        await stage.sees("5 rollouts")
        stage.press("escape")
        await stage.to("DisagreedScreen")
        stage.press("p", "d", "j", "k", "pagedown", "pageup")
        await stage.sees("people against games · 3/3")
        await stage.until(lambda: "b branch" not in stage.text, "no branches of what was not played on")
        stage.press("b", "escape")
        await stage.to("DisagreementScreen")
        stage.press("e")
        await stage.to("EpisodeScreen")
        stage.press("escape")
        await stage.to("DisagreementScreen")
        stage.press("y")
        await stage.until(lambda: "  people  " in stage.app.clipboard, "the copy")
        stage.press("escape")
        await stage.to("QueuesScreen")
        stage.press("t")
        await stage.to("AgreementScreen")
        stage.press("g")
        await stage.to("DisagreementScreen")
        await stage.sees("Disagreement · clues")


async def test_filters_and_orders_and_a_decision_that_turns_up_meanwhile(stand):
    async with stand.open() as stage:
        await stage.to("HomeScreen")
        stage.press("d")
        await stage.to("DisagreementScreen")
        await stage.sees("3 disagree", "strongest first")
        stage.press("o")
        await stage.sees("newest first")
        stage.press("q")
        await stage.to("Choose")
        stage.press("down", "enter")
        await stage.sees("Disagreement · more of them", "Nobody has judged a pair here yet")
        assert "enter open" not in stage.text
        stage.press("enter", "e", "b")
        await stage.settle()
        stage.press("q")
        await stage.to("Choose")
        stage.press("enter")
        await stage.sees("3 disagree")
        stage.press("g")
        await stage.to("Choose")
        stage.press("down", "enter")
        await stage.sees("Disagreement · taboo", "3 disagree")
        log = await stage.bench.log()
        pair = stage.screen.chosen
        made = queued.queues.find_queue(log.reader(), "clues")
        adjudicate(log, made, pair.item, pair.favoured, "the game is right", "merry-mole-221")
        stage.press("ctrl+r")
        await stage.sees("2 agree · 2 disagree")
        adjudicate(log, made, pair.item, pair.preferred, "the game is wrong", "merry-mole-221")
        stage.press("ctrl+r")
        await stage.sees("1 agree · 3 disagree", "; adjudicated: ", ", with the votes")


async def test_a_queue_that_is_not_there_and_a_log_that_cannot_be_read_say_so(stand, monkeypatch):
    async with stand.open(size=(80, 24)) as stage:
        stage.app.post_message(Differ("pears"))
        await stage.to("DisagreementScreen")
        await stage.sees("⊘ no queue is called 'pears'; there is")
        stage.press("q", "g", "y", "enter", "escape")
        await stage.to("HomeScreen")

        async def refuse(*how):
            raise LogLocked("another process keeps the log; wait, or stop it")

        monkeypatch.setattr(disagreeing, "look", refuse)
        stage.press("d")
        await stage.sees("⊘ another process keeps the log")


async def the_list(stage) -> None:
    stage.app.post_message(Differ("clues"))
    await stage.sees("3 disagree")


async def in_full(stage) -> None:
    await the_list(stage)
    stage.press("enter")
    await stage.sees("people against games · 1/3")


SHOTS = [(scene, size) for scene in (the_list, in_full) for size in BOTH]


@pytest.mark.parametrize(
    ("scene", "size"), SHOTS, ids=[f"{scene.__name__}-{width}x{height}" for scene, (width, height) in SHOTS]
)
def test_looks_as_it_did(stand, snap_compare, monkeypatch, scene, size):
    episodes = "episodes  01M8ENWKCJ75PNBCKH6X47C0YP  01M8ENWKSCCNS44SP0X3AYCKNQ"
    monkeypatch.setattr(DisagreedScreen, "line", lambda self, width: Content(episodes))  # ids are never the same
    stand.app = PlaypenApp(stand.bench)
    stand.app.animation_level = "none"

    async def before(pilot) -> None:
        stand.pilot = pilot
        await scene(stand)
        await stand.still()

    assert snap_compare(stand.app, terminal_size=size, run_before=before)
