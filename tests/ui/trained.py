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

GB = 2**30
PREFLIGHT = {
    "machine": {
        **{"device": "cpu", "threads": 2, "cores": 2, "load": 0.4, "dtype": "bfloat16", "processes": 1},
        "allocator": "glibc, keeps what was freed",
    },
    "rows": 240,
    "tokens": 31_200,
    "trained_tokens": 4_100,
    "truncated": 0.004,
    "steps": 60,
    "balance": {
        "speakers": {"human": {"rows": 42}, "synthetic": {"rows": 198}},
        "cells": {"taboo · describer · 1": 120, "taboo · guesser · 1": 120},
    },
    "spoken": {"human": 740, "synthetic": 3360},
    "leakage": {"instances": 2, "held_back": 15},
    "weights": {"all": 139_399_488, "trained": 4_884_480, "bytes": GB // 4},
    "memory": {"needed": 2 * GB, "free": 12 * GB, "peak": GB},
    "template": {"same_as_when_played": 32},
    "time": {"dry_step": 1.6, "step": 3.2, "all": 192.0, "without": ""},
}
"""The table that its process makes before the first step."""
BASE = Identity("model", "smollm2", "r", "", {})


def train(log: Log, folder, name: str = "bars", method: str = "sft", steps: int = 40, planned: int = 60, **more) -> str:
    """A training at a step, with its pre-flight table; `host` of its process, `pid`, and `curve(step)` with what is
    measured.
    """
    out = folder / "trainings" / name
    out.mkdir(parents=True, exist_ok=True)
    run = log.new_run("train", {"name": name, "folder": str(out), "recipe": {}}, 0, "0.1.0")
    id = trainings.begin(log, run, method, BASE, None)
    (out / "job.json").write_text(json.dumps({"training": id, "base": {"name": "smollm2", "path": "x", "adapter": ""}}))
    (out / "job.log").write_text("Loading weights:  50%\rLoading weights: 100%\n{'loss': '1.2'}\n")
    log.write(lambda db: trainings.event(db, id, "preflight", 0, PREFLIGHT))
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
