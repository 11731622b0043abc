"""Trainings for tests of screens, written into a log without a model: curves, heartbeat, checkpoints, games."""

from __future__ import annotations

import json
import math
import socket
from random import Random

from players.base import Identity
from store import trainings
from store.log import Log
from store.records import Progress

BASE = Identity("model", "smollm2", "r", "", {})


def train(log: Log, folder, name: str = "bars", method: str = "sft", steps: int = 40, planned: int = 60, **more) -> str:
    """A training at a step; `host` of its process, `pid`, and `curve(step)` with what is measured."""
    out = folder / "trainings" / name
    out.mkdir(parents=True, exist_ok=True)
    run = log.new_run("train", {"name": name, "folder": str(out), "recipe": {}}, 0, "0.1.0")
    id = trainings.begin(log, run, method, BASE, None)
    (out / "job.json").write_text(json.dumps({"training": id, "base": {"name": "smollm2", "path": "x", "adapter": ""}}))
    (out / "job.log").write_text("Loading weights:  50%\rLoading weights: 100%\n{'loss': '1.2'}\n")
    measure(log, id, more.pop("curve", curve(method)), 1, steps)
    beat(log, id, steps, planned, **more)
    return id


def curve(method: str):
    """What is measured at a step, the same every time."""

    def at(step: int) -> dict[str, float]:
        chance = Random(f"{method}{step}").random()
        found = {"loss": 3 * math.exp(-step / 15) + 0.4 + chance * 0.2, "grad_norm": 1 + chance}
        if method == "grpo":
            found |= {"reward": step / 60 + chance * 0.2, "kl": chance * 0.05, "frac_reward_zero_std": chance * 0.5}
        return found

    return at


def measure(log: Log, id: str, curve, first: int, last: int) -> None:
    def write(db) -> None:
        for step in range(first, last + 1):
            trainings.measured(db, id, step, curve(step))

    log.write(write)


def beat(
    log: Log, id: str, done: int, planned: int = 60, host: str = "elsewhere", pid: int = 1, running: int = 1
) -> None:
    """Its process says how far it is."""
    run = trainings.get(log, id).run
    told = Progress("running", planned, done, 0, running, done * 1300, 0, None, done * 2.0, host, pid)
    log.write(lambda db: trainings.beat(db, run, told))


def here() -> str:
    return socket.gethostname()
