"""How the training screens look at 120×36 and 80×24. Moments, paths and ids are fixed; nothing moves meanwhile."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import pytest

from players.base import Identity
from playpen_tui import beginning, overview, trainings
from playpen_tui.app import PlaypenApp
from playpen_tui.beginning import CannotCount
from playpen_tui.messages import Go, NewTraining, OpenTraining
from playpen_tui.screens.train_compare import TraincompareScreen
from playpen_tui.training_wish import Wish
from store import trainings as stored

spec = importlib.util.spec_from_file_location("trained", Path(__file__).with_name("trained.py"))
trained = importlib.util.module_from_spec(spec)
spec.loader.exec_module(trained)

SIZES = [(120, 36), (80, 24)]
FACTS = {
    "facts": {
        "rows": 1204,
        "episodes": 2000,
        "speakers": {
            "human": {"turns": 212, "turns_share": 0.18, "rows": 212},
            "synthetic": {"turns": 992, "turns_share": 0.82, "rows": 992},
        },
        "cells": {"taboo · describer · 1": 400, "taboo · guesser · 1": 604, "wordle · guesser · 3": 200},
        "left_out": {"broke a rule": 120, "the same as another": 61},
        "leaks": [{"perspectives": 12}, {"perspectives": 3}],
    },
    "light": {"weights_on_disk": 2**27, "disk_free": 72 * 2**30},
    "recipe": {"about": "Supervised training of a 135M model within minutes on two cores."},
}


def several(log, folder) -> str:
    """One of each kind of state; the last one's id."""
    id = trained.train(log, folder, "wordle-grpo", "grpo", 34)
    stored.end(log, id, "stopped")
    id = trained.train(log, folder, "taboo-dpo", "dpo", 60)
    stored.end(log, id, "done", Identity("model", "taboo-dpo", "r", "x", {}))
    id = trained.train(
        log, folder, "broken", "sft", 30, curve=lambda step: {"loss": 1.0 if step < 20 else float("nan")}
    )
    why = "the loss is no number at step 20; lower steps.learning_rate or steps.clip, then resume"
    stored.end(log, id, "failed", step=20, about={"state": "diverged", "why": why})
    id = trained.train(log, folder, "taboo-sft")

    def write(db) -> None:
        for step in (20, 30):
            stored.checkpoint(db, id, step, folder, Identity("model", f"taboo-sft@{step}", "r", "x", {}))
        stored.event(db, id, "warning", 12, {"sentence": "replies grow longer: 40 to 90 tokens"})

    log.write(write)
    return id


def of(log, name: str) -> str:
    return next(row.id for row in stored.recent(log) if row.config["name"] == name)


async def the_list(stage, log) -> None:
    stage.app.post_message(Go("trainings"))
    await stage.sees("taboo-dpo"[:4], "diverged", "finished")


async def dashboard(stage, log, name="taboo-sft") -> None:
    stage.app.post_message(OpenTraining(of(log, name)))
    await stage.to("TrainingScreen")
    await stage.until(lambda: stage.screen.sight is not None and stage.screen._lines, "the training")
    stage.screen.workers.cancel_all()


async def zoomed(stage, log) -> None:
    await dashboard(stage, log)
    stage.press("s", "l", "z", *["right"] * 20)
    await stage.until(lambda: stage.screen.charts.view.cursor == 19, "the cross-hair in its place")
    await stage.sees("← → read values", "loss  step ")


async def diverged(stage, log) -> None:
    await dashboard(stage, log, "broken")


async def grpo(stage, log) -> None:
    await dashboard(stage, log, "wordle-grpo")


async def compare(stage, log) -> None:
    await stage.app.push_screen(TraincompareScreen(stage.bench, (of(log, "taboo-sft"), of(log, "wordle-grpo"))))
    await stage.sees("● taboo-sft SFT")
    stage.screen.workers.cancel_all()


async def wizard(stage, log) -> None:
    stage.app.post_message(NewTraining(Wish(name="bars", query="game:taboo,wordle outcome:success -tag:seen")))
    await stage.to("TrainwizardScreen")
    await stage.sees("1,204 rows from 2,000 episodes")


async def refused(stage, log) -> None:
    stage.app.post_message(NewTraining(Wish(method="kto", query="game:none")))
    await stage.to("TrainwizardScreen")
    await stage.sees("nothing is left to train on")


SCENES = {one.__name__: one for one in (the_list, dashboard, zoomed, diverged, grpo, compare, wizard, refused)}
SHOTS = [(scene, size) for scene in SCENES for size in SIZES]


@pytest.mark.parametrize(
    ("scene", "size"), SHOTS, ids=[f"{scene}-{width}x{height}" for scene, (width, height) in SHOTS]
)
def test_looks_as_it_did(stage, snap_compare, monkeypatch, tmp_path, scene, size):
    async def ask(task, db, wish, more=None):
        if wish.query == "game:none":
            raise CannotCount("nothing is left to train on: 0 episodes fit the filters; widen them, or play some")
        return FACTS

    monkeypatch.setattr(beginning, "ask", ask)
    monkeypatch.setattr(trainings, "started", lambda row: "10:41")
    monkeypatch.setattr(trainings, "heartbeat", lambda row: "heartbeat 2 s ago")
    monkeypatch.setattr(overview, "when", lambda moment: "10:41")
    monkeypatch.setattr(stored, "SILENCE", 1e9)
    monkeypatch.setattr(stored.state_of, "__defaults__", (1e9,))

    async def prepare():
        await stage.bench.people.give_consent("local")
        several(await stage.bench.log(), tmp_path)

    asyncio.run(prepare())
    stage.app = PlaypenApp(stage.bench)
    stage.app.animation_level = "none"

    async def before(pilot) -> None:
        stage.pilot = pilot
        await SCENES[scene](stage, await stage.bench.log())
        await stage.settle()
        await stage.still()

    assert snap_compare(stage.app, terminal_size=size, run_before=before)
