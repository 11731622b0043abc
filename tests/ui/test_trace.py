"""Tracing on the screen: forth with enter, back with escape, and to the stands."""

from __future__ import annotations

import asyncio

import pytest
from textual.widgets import OptionList

from players.plan import Plan
from playpen_tui.messages import Follow, Read
from playpen_tui.selfplay import Wish, open_selfplay
from store.trace import Trace


@pytest.fixture
async def episode(stage):
    run = await open_selfplay(stage.bench, Wish(Plan(("taboo",), ("bot",), episodes=2, seed=3)))
    await run.run()
    log = await stage.bench.log()
    return Trace(log.reader).find(log.queries.recent(1)[0].id)


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_forth_and_back(stage, episode, size):
    async with stage.open(size=size):
        stage.app.post_message(Follow(episode))
        await stage.to("TraceScreen")
        await stage.sees("comes from", "played in", "bot:competent", "what came of it", "GUESS:")
        stage.press("enter")  # the first line: the run
        await stage.sees("run", "step 2", "nothing in this log")
        await stage.until(lambda: stage.screen.node.kind == "run", "the run")
        stage.press("down", "enter")
        await stage.until(
            lambda: stage.screen.node.kind == "episode" and len(stage.screen.path) == 3, "its other episode"
        )
        stage.press("backspace")
        await stage.until(
            lambda: stage.screen.node.kind == "run" and stage.screen.traced.node.kind == "run", "a step back"
        )
        stage.press("y")
        await stage.until(lambda: stage.app.clipboard == stage.screen._chosen.id, "the id copied")
        stage.press("escape")
        await stage.until(lambda: stage.screen.node == episode, "the first step")
        stage.press("escape")
        await stage.to("HomeScreen")


async def test_the_episode_can_be_watched(stage, episode):
    async with stage.open():
        stage.app.post_message(Follow(episode))
        await stage.to("TraceScreen")
        await stage.sees("GUESS:")
        stage.press("w")
        await stage.to("SpectateScreen")
        stage.press("escape")
        await stage.to("TraceScreen")


async def test_from_the_page_of_an_episode_and_back_to_one(stage, episode):
    async with stage.open():
        stage.app.post_message(Read(episode.id))
        await stage.to("EpisodeScreen")
        await stage.sees("GUESS:")
        stage.press("f")
        await stage.to("TraceScreen")
        await stage.sees("comes from", "played in", "what came of it")
        stage.press("r")
        await stage.to("EpisodeScreen")
        stage.press("escape")
        await stage.to("TraceScreen")
        stage.press("escape")
        await stage.to("EpisodeScreen")


async def test_without_an_episode_there_is_nothing_to_watch(stage, episode):
    log = await stage.bench.log()
    player = await asyncio.to_thread(lambda: Trace(log.reader).around(episode).sources[-1].nodes[0])
    async with stage.open():
        stage.app.post_message(Follow(player))
        await stage.to("TraceScreen")
        await stage.until(lambda: stage.screen.traced is not None, "what is around")
        stage.screen.query_one(OptionList).highlighted = None
        stage.press("w")
        await stage.sees("no episode is chosen")
