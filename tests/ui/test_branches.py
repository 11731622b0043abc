"""The screen of branches: it grows while one looks, by keys alone, and stays where one was."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from players.plan import Plan
from playpen_tui.branching import BranchWish
from playpen_tui.messages import Fork
from playpen_tui.screens.branches import BranchesScreen
from playpen_tui.selfplay import Wish, open_selfplay
from store import branches


@pytest.fixture
def played(stage):
    """A taboo episode between random bots, and the screen of its second turn."""

    async def play(games=("taboo",)) -> str:
        await (await open_selfplay(stage.bench, Wish(Plan(games, ("bot:random",), episodes=1, seed=4)))).run()
        return (await stage.bench.log()).queries.recent(1)[0].id

    return play


async def grown(stage, count: int) -> None:
    await stage.until(
        lambda: stage.screen.grown is not None and stage.screen.grown.rollouts >= count and not stage.screen._runs,
        f"{count} rollouts",
    )
    await stage.settle()


async def test_it_grows_from_keys_and_opens_a_rollout(stage, played):
    async with stage.open():
        episode = await played()
        stage.app.push_screen(BranchesScreen(stage.bench, episode, 1))
        await stage.to("BranchesScreen")
        await stage.sees("No candidates yet", "turn 2, of the guesser")
        stage.press("n")
        await stage.to("Choose")
        stage.press("enter")
        await stage.to("Prompt")
        await stage.settle()
        stage.line("3 x 5")
        await stage.to("BranchesScreen")
        await grown(stage, 15)
        await stage.sees("3 candidates · 15 rollouts", "bot:random", "5 rollouts")
        stage.press("space")
        await stage.sees("turns   reward")
        stage.press("down", "enter")
        await stage.to("EpisodeScreen")
        stage.press("escape")
        await stage.to("BranchesScreen")
        first = stage.screen.grown.branches[0].candidate
        stage.press("home", "m")
        await stage.to("Prompt")
        await stage.settle()
        stage.press("enter")
        await stage.to("BranchesScreen")
        await grown(stage, 19)
        assert len(next(one for one in stage.screen.grown.branches if one.candidate == first).rewards) == 9
        stage.press("escape")
        await stage.to("HomeScreen")


async def test_one_writes_a_candidate_and_is_asked_before_an_illegal_one(stage, played):
    async with stage.open():
        episode = await played()
        stage.app.push_screen(BranchesScreen(stage.bench, episode, 0))
        await stage.sees("nothing was said before")
        stage.press("w")
        await stage.to("Prompt")
        await stage.settle()
        stage.line("it is a thing one can [b]hold[/b]")
        await stage.to("BranchesScreen")
        await grown(stage, 4)
        await stage.sees("it is a thing one can [b]hold[/b]", "a person")
        log = await stage.bench.log()
        match = branches.point(log, episode, 0).match
        stage.press("w")
        await stage.to("Prompt")
        await stage.settle()
        stage.line(match.instance.target)
        await stage.to("Choose")
        await stage.sees("would not accept this")
        stage.press("down", "enter")
        await stage.to("BranchesScreen")
        await stage.until(lambda: len(stage.screen.grown.branches) == 2, "the illegal one")
        await grown(stage, 8)
        await stage.sees("breaks a rule")


async def test_it_goes_on_when_one_leaves_and_stops_by_key(stage, played):
    async with stage.open():
        episode = await played()
        wish = BranchWish(((episode, 1),), 4, 400, everybody="bot:random", concurrency=2)
        stage.app.post_message(Fork(episode, 1, wish))
        await stage.to("BranchesScreen")
        await stage.sees("running")
        stage.press("escape")
        await stage.to("HomeScreen")
        (running,) = stage.bench.branches.at(episode, 1)
        done = running.scheduler.tally.done
        await stage.until(lambda: running.scheduler.tally.done > done, "it goes on")
        stage.app.post_message(Fork(episode, 1))
        await stage.to("BranchesScreen")
        await stage.until(lambda: stage.screen._runs and stage.screen.grown, "what goes on here")
        stage.press("x")
        await stage.until(lambda: not stage.screen._runs, "stopped")
        await stage.sees("candidates ·")
    with closing(sqlite3.connect(stage.bench.path)) as db:
        assert db.execute("SELECT state FROM progress WHERE run_id = ?", (running.run_id,)).fetchone() == ("stopped",)


async def test_the_cursor_and_open_rollouts_stay_while_it_grows(stage, played):
    async with stage.open():
        episode = await played()
        stage.app.post_message(Fork(episode, 1, BranchWish(((episode, 1),), 3, 3, everybody="bot:random")))
        await stage.to("BranchesScreen")
        await grown(stage, 9)
        stage.press("down", "space", "down", "down")
        await stage.settle()
        before = stage.screen._chosen
        assert before.rollout is not None
        await stage.bench.branches.start(
            BranchWish(
                ((episode, 1),), 0, 3, chosen=(stage.screen.grown.branches[0].candidate,), everybody="bot:random"
            )
        )
        await grown(stage, 12)
        assert stage.screen._chosen.rollout.episode == before.rollout.episode


async def test_what_cannot_be_branched_is_one_sentence(stage, played):
    async with stage.open():
        episode = await played()
        log = await stage.bench.log()
        log.write(lambda db: db.execute("UPDATE episodes SET game_version = 0, game = 'clem:taboo'").rowcount)
        stage.app.push_screen(BranchesScreen(stage.bench, episode, 0))
        await stage.sees("was imported", "not resumed or branched")
        stage.press("n", "w", "m", "x", "enter", "space")
        await stage.settle()
        assert stage.at == "BranchesScreen"


async def test_a_person_in_a_seat_is_asked_for(stage, taboo):
    async with stage.open(taboo(partner="bot")):
        await stage.my_turn()
        await stage.say("a house of paper")
        episode = stage.sitting.episode
        stage.app.push_screen(BranchesScreen(stage.bench, episode, 1))
        await stage.to("BranchesScreen")
        await stage.until(lambda: stage.screen.grown is not None, "the tree")
        stage.press("n")
        await stage.to("Choose")
        stage.press("enter")
        await stage.to("Prompt")
        await stage.settle()
        stage.press("enter")
        await stage.until(lambda: stage.at == "Choose", "who plays on")
        await stage.sees("A person sat at describer")
        stage.press("enter")
        await stage.until(lambda: stage.at == "BranchesScreen", "back")
