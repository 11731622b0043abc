"""Trainings on the screen: the list, the dashboard with its orders, two in one picture, the wizard."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from pathlib import Path

import pytest
from textual.widgets import OptionList

from games import catalog
from games.engine import Match
from players.base import Identity
from players.driver import drive
from players.plan import Plan
from players.registry import ModelEntry
from players.scripted import BotPlayer
from playpen_tui import beginning, trainings
from playpen_tui.beginning import CannotCount
from playpen_tui.messages import NewTraining, OpenTraining
from playpen_tui.screens.train_wizard import table
from playpen_tui.selfplay import Wish as Play
from playpen_tui.selfplay import open_selfplay
from playpen_tui.training_wish import Wish
from store import trainings as stored
from store.records import Progress

spec = importlib.util.spec_from_file_location("trained", Path(__file__).with_name("trained.py"))
trained = importlib.util.module_from_spec(spec)
spec.loader.exec_module(trained)

SIZES = [(120, 36), (80, 24)]


@pytest.fixture
async def log(stage):
    return await stage.bench.log()


def orders(tmp_path) -> str:
    try:
        return (tmp_path / "trainings/bars/orders").read_text().split()[-1]
    except OSError:
        return ""


async def dashboard(stage, id: str) -> None:
    stage.app.post_message(OpenTraining(id))
    await stage.to("TrainingScreen")
    await stage.until(lambda: stage.screen.sight is not None, "the training")


@pytest.mark.parametrize("size", SIZES)
async def test_from_home_to_the_list_to_one_and_back(stage, log, tmp_path, size):
    trained.train(log, tmp_path, "old", "grpo", host=trained.here(), pid=2**22 + 1)
    trained.train(log, tmp_path)
    async with stage.open(size=size):
        await stage.sees("training bars · step 40 of 60 · running")
        stage.press("t")
        await stage.to("TrainingsScreen")
        await stage.sees(
            "● running", "SFT", "smollm2 → bars", "⊘ crashed", "GRPO", "reward", "2 trainings · 1 going on"
        )
        stage.press("enter")
        await stage.to("TrainingScreen")
        await stage.sees("bars · SFT on smollm2", "step 40 of 60", "loss", "gradient", "grad_norm", "● running")
        stage.press("escape")
        await stage.to("TrainingsScreen")
        stage.press("down", "enter")
        await stage.to("TrainingScreen")
        await stage.sees("⊘ crashed", "what helps")
        stage.press("escape")
        await stage.to("TrainingsScreen")
        stage.press("escape")
        await stage.to("HomeScreen")
        stage.press("1")
        await stage.to("TrainingScreen")


async def test_an_empty_list_says_how_to_begin(stage):
    async with stage.open():
        stage.press("t")
        await stage.to("TrainingsScreen")
        await stage.sees("Nothing was trained yet. n begins one")


async def test_new_steps_come_by_themselves(stage, log, tmp_path):
    id = trained.train(log, tmp_path)
    async with stage.open():
        await dashboard(stage, id)
        await stage.sees("step 40 of 60")
        trained.measure(log, id, trained.curve("sft"), 41, 47)
        trained.beat(log, id, 47)
        await stage.sees("step 47 of 60")
        await stage.until(lambda: stage.screen.sight.curves["loss"].last == 47, "the new points")


async def test_a_resumed_training_forgets_what_came_after_its_checkpoint(stage, log, tmp_path):
    id = trained.train(log, tmp_path, steps=40)
    async with stage.open():
        await dashboard(stage, id)
        before = stage.screen.sight.curves["loss"]
        log.write(lambda db: db.execute("DELETE FROM metrics WHERE step > 20").rowcount)
        trained.beat(log, id, 20)
        await stage.until(lambda: stage.screen.sight.curves["loss"] is not before, "the curve read anew")
        await stage.until(lambda: stage.screen.sight.curves["loss"].last == 20, "its last step")


async def test_orders(stage, log, tmp_path):
    id = trained.train(log, tmp_path)
    async with stage.open():
        await dashboard(stage, id)
        stage.press("space")
        await stage.until(lambda: orders(tmp_path) == "pause", "the order to pause")
        await stage.sees("a pause asked for")
        trained.beat(log, id, 41, running=0)
        await stage.sees("‖ paused")
        stage.press("space")
        await stage.until(lambda: orders(tmp_path) == "go", "the order to go on")
        trained.beat(log, id, 41)
        await stage.sees("● running")
        stage.press("k")
        await stage.until(lambda: orders(tmp_path) == "save", "the order to save")
        stage.press("x")
        await stage.until(lambda: orders(tmp_path) == "stop", "the order to stop")
        told = [event.value["order"] for event in stored.events(log, id, ("order",))]
        assert told == ["pause", "go", "save", "stop"]


async def test_an_order_that_cannot_reach_it_is_said(stage, log, tmp_path):
    id = trained.train(log, tmp_path)
    async with stage.open():
        await dashboard(stage, id)
        (tmp_path / "trainings/bars").rename(tmp_path / "gone")
        stage.press("x")
        await stage.until(lambda: "not on this machine" in stage.notes, "why not")


async def test_leaving_stops_nothing_and_coming_back_finds_it(stage, log, tmp_path):
    id = trained.train(log, tmp_path)
    async with stage.open():
        await dashboard(stage, id)
        stage.press("escape")
        await stage.to("HomeScreen")
        assert orders(tmp_path) == ""
        trained.beat(log, id, 55)
        await dashboard(stage, id)
        await stage.sees("step 55 of 60")


async def test_killing_asks_first(stage, log, tmp_path):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import time; time.sleep(60)", "training.job", start_new_session=True
    )
    id = trained.train(log, tmp_path, host=trained.here(), pid=process.pid)
    async with stage.open():
        await dashboard(stage, id)
        await stage.sees("● running")
        stage.press("X")
        await stage.sees("End the training bars at once?", "no, let it run")
        stage.press("enter")
        await stage.to("TrainingScreen")
        assert process.returncode is None
        stage.press("X")
        await stage.sees("yes, end it now")
        stage.press("down", "enter")
        await stage.until(lambda: process.returncode is not None, "its end")
        await stage.sees("■ stopped", "ended on request at step", "r resume")


async def test_resume_starts_its_process_again(stage, log, tmp_path, monkeypatch):
    id = trained.train(log, tmp_path)
    stored.end(log, id, "stopped")
    asked = []

    async def ask(task, db, wish, more=None):
        asked.append((task, db, more))
        return {"training": id}

    monkeypatch.setattr(beginning, "ask", ask)
    async with stage.open():
        await dashboard(stage, id)
        await stage.sees("■ stopped", "r resume")
        stage.press("r")
        await stage.until(lambda: asked, "the process")
        assert asked == [("resume", stage.bench.path, {"out": str(tmp_path / "trainings/bars"), "training": id})]


async def test_one_that_diverged_says_when_and_what_helps(stage, log, tmp_path):
    def curve(step: int) -> dict[str, float]:
        return {"loss": 1.0 if step < 30 else float("nan")}

    id = trained.train(log, tmp_path, curve=curve)
    why = "the loss is no number at step 30; lower steps.learning_rate or steps.clip, and train anew"
    stored.end(log, id, "failed", step=30, about={"state": "diverged", "why": why, "log": "last words"})
    async with stage.open():
        await dashboard(stage, id)
        await stage.sees("↗ diverged", why, "no number since step 30", "×", "r resume")


async def test_curves_are_filtered_scaled_smoothed_and_zoomed(stage, log, tmp_path):
    id = trained.train(log, tmp_path, method="grpo")
    async with stage.open():
        await dashboard(stage, id)
        await stage.sees("1 of 5 curves", "reward", "zero spread")
        stage.press("/")
        stage.type("grad")
        await stage.sees("curves ▸ grad")
        stage.press("enter")
        await stage.sees("1 of 1 curves")
        stage.press("escape")
        await stage.sees("1 of 5 curves")
        stage.press("l", "s", "right", "z")
        await stage.sees("log scale", "smooth 0.6", "2 of 5 curves", "← → read values")
        assert stage.screen.charts.chosen == "reward"
        stage.press("right", "right")
        await stage.until(lambda: "step 1" in stage.text or "step 2" in stage.text, "the values")
        stage.press("escape")
        await stage.until(lambda: not stage.screen.charts.zoomed, "all curves")


async def test_two_in_one_picture(stage, log, tmp_path):
    trained.train(log, tmp_path, "other", "sft", 20)
    trained.train(log, tmp_path)
    async with stage.open():
        stage.press("t")
        await stage.to("TrainingsScreen")
        await stage.sees("smollm2 → bars")
        stage.press("=")
        await stage.sees("Its curves beside those of", "other")
        stage.press("enter")
        await stage.to("TraincompareScreen")
        await stage.sees("● bars SFT", "◆ other SFT", "loss  ● ")
        stage.press("escape")
        await stage.to("TrainingsScreen")


@pytest.mark.parametrize("size", SIZES)
async def test_the_preflight_table_stands_there_before_the_first_step_and_on_a_key(stage, log, tmp_path, size):
    id = trained.train(log, tmp_path, steps=0)
    log.write(lambda db: stored.measured(db, id, 0, {"eval/rewards/margins": 0.0}))
    table = (
        *("2 threads of 2 cores", "240 rows, 31,200 tokens, 4,100 of them trained, 0.4% cut"),
        *("rows by cell: taboo · describer · 1 (120)", "740 human (18.0%), 3,360 synthetic (82.0%)"),
    )
    async with stage.open(size=size):
        await dashboard(stage, id)
        await stage.sees("before the first step", *table)
        await stage.sees("truncated 0.4%", "rows 240 = 42 human + 198 synthetic")
        trained.measure(log, id, trained.curve("sft"), 1, 1)
        trained.beat(log, id, 1)
        await stage.until(lambda: "before the first step" not in stage.text, "the curves in its place")
        stage.press("i")
        await stage.to("TextDialog")
        await stage.sees("Before the first step", *table, "15 dialogues of 2", "60 steps of at most about 3.2 s")
        stage.press("escape")
        await stage.to("TrainingScreen")


async def test_a_training_that_has_no_preflight_table_yet_offers_none(stage, log, tmp_path):
    id = trained.train(log, tmp_path, steps=0, planned=0)
    log.write(lambda db: db.execute("DELETE FROM training_events WHERE kind = 'preflight'").rowcount)
    async with stage.open():
        await dashboard(stage, id)
        await stage.sees("it loads the model and reads its rows", "no curve yet")
        stage.press("i")
        await stage.settle()
        assert stage.at == "TrainingScreen"


async def test_memory_and_speed_are_figures(stage, log, tmp_path):
    id = trained.train(log, tmp_path, curve=lambda step: {"loss": 1.0, "memory_gb": 2.25})
    async with stage.open():
        await dashboard(stage, id)
        await stage.sees("memory 2.25 GB")
        assert "tokens/s" not in stage.text, "nobody has seen it read anything"
        for done in (41, 42):
            trained.beat(log, id, done)
            await stage.until(lambda done=done: stage.screen.sight.row.progress.done == done, "the step")
        await stage.sees("tokens/s 650")


def test_speed_is_that_of_steps_and_not_of_what_is_between_them():
    reads = [(30.0, 1000), (32.0, 2000), (34.0, 3000), (74.0, 4000), (76.0, 5000)]  # 40 s: a checkpoint played
    assert trainings.speed(reads) == 500.0
    assert trainings.speed(reads[:1]) is None


async def test_rollouts_do_not_crowd_out_the_games_of_checkpoints(stage, log, tmp_path):
    id = trained.train(log, tmp_path, method="grpo")
    row = stored.get(log, id)
    run = await open_selfplay(stage.bench, Play(Plan(("taboo",), ("bot",), episodes=60, seed=3)))
    await run.run()

    def write(db) -> None:
        db.execute("UPDATE episodes SET run_id = ?, slot = NULL", (row.run,))
        episodes = [id for (id,) in db.execute("SELECT id FROM episodes ORDER BY id")]
        for step, games in ((20, episodes[:2]), (30, episodes[4:7])):
            stored.checkpoint(db, id, step, tmp_path, who := Identity("model", f"bars@{step}", "r", "x", {}))
            player = stored.player(db, Identity(*(who.kind, who.name, who.revision, who.adapter), {"temperature": 0.0}))
            for episode in games:
                sql = "UPDATE seats SET player_id = ? WHERE role = 'guesser' AND episode_id = ?"
                db.execute(sql, (player, episode))

    log.write(write)
    found = [one.step for one in trainings.samples(log, row, stored.checkpoints(log, id))]
    assert found == [30] * 3 + [20] * 2 + [None] * trainings.ROLLOUTS


async def test_games_of_checkpoints_are_read_and_watched(stage, log, tmp_path):
    id = trained.train(log, tmp_path)
    run = await open_selfplay(stage.bench, Play(Plan(("taboo",), ("bot",), episodes=2, seed=3)))
    await run.run()
    row = stored.get(log, id)
    made = tmp_path / "trainings/bars/checkpoints/checkpoint-20"
    made.mkdir(parents=True)

    def write(db) -> None:
        stored.checkpoint(db, id, 20, made, Identity("model", "bars@20", "r", str(made), {}))
        who = stored.player(db, Identity("model", "bars@20", "r", str(made), {}))
        db.execute("UPDATE episodes SET run_id = ?", (row.run,))
        db.execute("UPDATE seats SET player_id = ? WHERE role = 'guesser'", (who,))

    log.write(write)
    async with stage.open():
        await dashboard(stage, id)
        await stage.sees("checkpoints", "step 20", "taboo · guessed")
        await stage.until(lambda: stage.screen.episode, "a game under the cursor")
        assert {one.step for one in stage.screen.sight.samples} == {20}
        stage.press("w")
        await stage.to("SpectateScreen")
        stage.press("escape")
        await stage.to("TrainingScreen")
        stage.press("enter")
        await stage.to("EpisodeScreen")


async def test_what_came_out_becomes_a_player(stage, log, tmp_path):
    id = trained.train(log, tmp_path, steps=60)
    out = tmp_path / "trainings/bars"
    (tmp_path / "base").mkdir()
    base = {"name": "smollm2", "path": str(tmp_path / "base"), "adapter": ""}
    (out / "job.json").write_text(json.dumps({"training": id, "name": "bars", "base": base}))
    (out / "adapter_model.safetensors").write_bytes(b"weights")
    stored.end(log, id, "done", Identity("model", "bars", "r", str(out), {}))
    async with stage.open():
        await dashboard(stage, id)
        await stage.sees("✓ finished", "e evaluate")
        await stage.until(lambda: "bars" in stage.bench.registry.entries, "the entry")
        assert stage.bench.registry.entries["bars"].adapter == str(out)
        stage.press("e")
        await stage.sees("have not played the same validation instances yet")
        assert "so far" not in stage.text, "nothing was played, so there is nothing to show"
        stage.press("escape")
        game = catalog.get("taboo")
        seats = {role: BotPlayer(game, "competent", game.bots()["competent"]) for role in game.roles}
        seats["guesser"].identity = Identity("model", "bars", "r", str(out), {})
        await drive(Match.new(game, catalog.instances(game)[0], 1), seats, log.recorder)
        await stage.to("TrainingScreen")
        stage.press("e")
        await stage.sees("show what was played so far")
        stage.press("down", "enter")
        await stage.to("ResultsScreen")
        stage.press("escape")
        await stage.to("TrainingScreen")


async def test_the_dashboard_says_how_far_an_evaluation_is(stage, log, tmp_path):
    id = trained.train(log, tmp_path, steps=60)
    stored.end(log, id, "done", Identity("model", "bars", "r", "", {}))
    plan = Plan(("taboo",), ("bars?temperature=0.0", "smollm2"), split="validation")
    run = log.new_run("eval", {"plan": plan.as_json()}, 0, "0.1.0")

    def beat(state, done):
        told = Progress(state, 120, done, 0, 1, 0, 0, None, 1.0, "elsewhere", 1)
        log.write(lambda db: stored.beat(db, run, told))

    beat("running", 7)
    async with stage.open():
        await dashboard(stage, id)
        await stage.sees("base and result play taboo: 7 of 120 matches")
        beat("done", 120)
        await stage.until(lambda: "base and result play" not in stage.text, "that it is over")


async def test_one_key_lets_base_and_result_play_and_opens_the_comparison(stage, log, tmp_path, monkeypatch):
    id = trained.train(log, tmp_path, steps=60)
    stored.end(log, id, "done", Identity("model", "bars", "r", "", {}))
    go, asked = asyncio.Event(), []

    async def evaluate(db, training, instances):
        asked.append((db, training, instances))
        await go.wait()
        if len(asked) == 2:
            raise CannotCount("the evaluation has ended: no memory")

    monkeypatch.setattr(beginning, "evaluate", evaluate)
    async with stage.open():
        await dashboard(stage, id)
        await stage.sees("e evaluate")
        stage.press("e")
        await stage.sees("have not played the same validation instances yet")
        stage.press("enter")
        await stage.until(lambda: asked == [(stage.bench.path, id, 60)], "the process")
        stage.press("e")
        await stage.until(lambda: "the comparison opens when they have" in stage.notes, "that it goes on")
        go.set()
        await stage.to("ResultsScreen")
        stage.press("escape")
        await stage.to("TrainingScreen")
        stage.press("e")
        await stage.sees("have not played")
        stage.press("enter")
        await stage.until(lambda: "no memory" in stage.notes, "why it failed")


async def test_whoever_asked_for_an_evaluation_gets_it_when_the_training_ends(stage, log, tmp_path, monkeypatch):
    id = trained.train(log, tmp_path, steps=60)
    asked = []

    async def evaluate(db, training, instances):
        asked.append((training, instances))

    monkeypatch.setattr(beginning, "evaluate", evaluate)
    async with stage.open():
        stage.app.post_message(OpenTraining(id, evaluate=7))
        await stage.to("TrainingScreen")
        await stage.sees("running")
        assert not asked
        stored.end(log, id, "done", Identity("model", "bars", "r", "", {}))
        await stage.to("ResultsScreen")
    assert asked == [(id, 7)]


async def test_hostile_names_are_harmless(stage, log, tmp_path):
    evil = "[/x]\x1b[31m漢字漢字\u202e" + "a" * 300
    id = trained.train(log, tmp_path)
    row = stored.get(log, id)
    told = json.dumps({**dict(row.config), "name": evil})
    log.write(lambda db: db.execute("UPDATE runs SET config = ? WHERE id = ?", (told, row.run)).rowcount)
    log.write(lambda db: stored.measured(db, id, 3, {"[/loss]\x1b[2J": 1.0}))
    log.write(lambda db: stored.event(db, id, "warning", 3, {"sentence": evil}))
    (tmp_path / "trainings/bars/job.log").write_text(evil)
    async with stage.open(size=(80, 24)):
        stage.press("t")
        await stage.to("TrainingsScreen")
        await stage.sees("[/x]")
        stage.press("enter")
        await stage.to("TrainingScreen")
        await stage.sees("[/x]", "step 40 of 60")
        assert "\x1b" not in stage.text


# the wizard


@pytest.fixture
async def learner(stage, log, tmp_path):
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    stage.bench.registry.add(ModelEntry("tiny", "transformers", str(folder)))
    run = await open_selfplay(stage.bench, Play(Plan(("taboo",), ("bot",), episodes=6, seed=3)))
    await run.run()
    return "tiny"


@pytest.mark.parametrize("size", SIZES)
async def test_the_wizard_counts_while_one_types_and_begins(stage, learner, log, tmp_path, size, monkeypatch):
    began = []
    real = beginning.ask

    async def ask(task, db, wish, more=None):
        if task == "choose":
            return await real(task, db, wish, more)
        began.append(wish)
        return {"training": trained.train(log, tmp_path, wish.name, steps=1)}

    monkeypatch.setattr(beginning, "ask", ask)
    async with stage.open(size=size):
        stage.app.post_message(NewTraining(Wish(learner=learner, recipe="smoke")))
        await stage.to("TrainwizardScreen")
        await stage.sees("12 rows from 6 episodes", "a name is missing")
        stage.press("down", "down")
        stage.type("bars")
        stage.press("down", "down")
        stage.type("game:wordle")
        await stage.sees("nothing is left to train on")
        await stage.until(lambda: "ctrl+s" not in stage.text, "nothing to begin")
        stage.press(*["backspace"] * 6)
        stage.type("taboo")
        await stage.sees("12 rows from 6 episodes", "game:taboo", "taboo · describer", "ctrl+s begin")
        stage.press("ctrl+s")
        await stage.to("TrainingScreen")
        assert began == [Wish("sft", learner, "bars", "smoke", "game:taboo", "", "")]
        stage.press("escape")
        await stage.to("HomeScreen")


async def test_what_will_not_do_is_one_sentence(stage, learner):
    async with stage.open():
        stage.app.post_message(NewTraining(Wish(learner=learner, name="../x", mix="human=2", query="nokey:x")))
        await stage.to("TrainwizardScreen")
        await stage.sees("✗", "nokey", "a name has letters, digits and . _ - in it")
        stage.press("down", "down", "down", "down", *["backspace"] * 7)
        await stage.sees("the shares of a mix must add up")
        stage.press("up", "up", *["backspace"] * 4)
        stage.type("tiny")
        await stage.sees("there is a model tiny already")


async def test_a_recipe_of_another_method_is_refused_and_a_folder_may_be_named(stage, learner, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there/job.json").write_text("{}")
    async with stage.open():
        stage.app.post_message(NewTraining(Wish("dpo", learner, "bars", "smoke-sft", folder=str(tmp_path / "there"))))
        await stage.to("TrainwizardScreen")
        await stage.sees("the recipe smoke-sft is for sft, not for dpo: choose", "already; take another name or")
        stage.press("left")
        await stage.sees("12 rows from 6 episodes")
        await stage.until(lambda: "ctrl+s" not in stage.text, "nothing to begin")
        stage.press("up", *["backspace"] * 6, "x")
        await stage.sees("ctrl+s begin", "where its files go")


async def test_what_is_written_in_the_wizard_comes_back_with_it(stage, learner):
    async with stage.open():
        stage.app.post_message(NewTraining(Wish(learner=learner, recipe="smoke")))
        await stage.to("TrainwizardScreen")
        await stage.sees("? help")
        stage.press("down", "down")
        stage.type("what?")
        await stage.sees("what?", "F1 help")
        stage.press("escape")
        await stage.to("HomeScreen")
        stage.app.post_message(NewTraining())
        await stage.to("TrainwizardScreen")
        await stage.until(lambda: stage.screen.wish == Wish(learner=learner, recipe="smoke", name="what?"), "all of it")


async def test_the_learner_is_chosen_from_a_list(stage, learner):
    async with stage.open():
        stage.app.post_message(NewTraining(Wish(learner="nobody")))
        await stage.to("TrainwizardScreen")
        await stage.sees("no player 'nobody'")
        stage.press("down", "ctrl+o")
        await stage.sees("Who learns", "tiny ")
        box = stage.screen.query_one(OptionList)
        box.highlighted = next(
            at for at in range(box.option_count) if str(box.get_option_at_index(at).prompt).startswith("tiny ")
        )
        stage.press("enter")
        await stage.to("TrainwizardScreen")
        await stage.until(lambda: stage.screen.wish.learner == "tiny", "the learner")
        await stage.sees("rows from 6 episodes")


async def test_counting_that_is_not_wanted_any_more_is_ended(stage, learner, monkeypatch):
    made = []
    real = asyncio.create_subprocess_exec

    async def start(*words, **more):
        made.append(await real(*words, **more))
        return made[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    task = asyncio.create_task(beginning.ask("choose", stage.bench.path, Wish(learner=learner)))
    while not made:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert made[0].returncode is not None and made[0].returncode < 0


async def test_a_name_that_is_taken_meanwhile_is_said(stage, learner):
    with pytest.raises(CannotCount, match="there is a model tiny already"):
        await beginning.ask("begin", stage.bench.path, Wish(learner=learner, name="tiny"))


def test_the_table_of_the_wizard_adds_up_with_general_data():
    speakers = {"synthetic": {"turns": 48, "turns_share": 1.0, "rows": 48}}
    facts = {"rows": 60, "episodes": 24, "speakers": speakers, "general": 12, "leaks": ()}
    lines = [line.plain for line in table({"facts": facts}, 60)]
    assert "  general    12 rows, against forgetting" in lines


def test_every_state_has_a_glyph_a_word_and_where_it_went_wrong_a_hint():
    assert len({word for _, word, _ in trainings.WORDS.values()}) == len(trainings.WORDS)
    assert len({glyph for glyph, _, _ in trainings.WORDS.values()}) == len(trainings.WORDS)
    for now in ("stalled", "crashed", "failed", "diverged"):
        assert trainings.hint(now, "", ())
    assert "steps.batch" in trainings.hint("failed", "", ["RuntimeError: not enough memory"])
    assert not trainings.hint("running", "", ["out of memory"])
    quiet = ["Failed to load CPU gemm_4bit_forward from kernels-community: No module named 'kernels'"]
    assert "install" not in trainings.hint("crashed", "", quiet) and "r goes on" in trainings.hint("crashed", "", quiet)
    assert "install" in trainings.hint("failed", "training needs trl: pip install it", ())


def test_what_is_left_follows_the_pace(tmp_path):
    from store.records import Progress

    row = stored.TrainingRow(
        *("a", "b", "sft", "running", "x", None, None, {}, "2026-11-01"),
        Progress("running", 60, 40, 0, 1, seconds=80.0),
    )
    assert trainings.left(row) == 40.0
    assert trainings.left(row, (30, 10.0)) == 140.0
    assert trainings.left(row, (40, 80.0)) is None
