"""What this machine offers, as the recipe leaves it open."""

from __future__ import annotations

import pytest

from training import machine
from training.guards import Refused
from training.recipe import Recipe


@pytest.mark.slow
@pytest.mark.xdist_group("torch")
def test_threads_and_numbers(monkeypatch):
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(machine.os, "getloadavg", lambda: (2.2, 0, 0))
    wish = {"device": "cpu"}
    assert machine.machine(Recipe.model_validate({"machine": wish}))["threads"] == 6  # busy cores are left alone
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert machine.machine(Recipe.model_validate({"machine": wish}))["threads"] == 3
    monkeypatch.setattr(machine.os, "getloadavg", lambda: (90.0, 0, 0))
    found = machine.machine(Recipe.model_validate({"machine": {**wish, "dtype": "float32"}}))
    assert (found["threads"], found["dtype"], found["device"]) == (1, "float32", "cpu")
    assert machine.machine(Recipe.model_validate({"machine": {**wish, "threads": 5}}))["threads"] == 5
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(Refused, match="no CUDA device here"):
        machine.machine(Recipe.model_validate({"machine": {"device": "cuda"}}))


@pytest.mark.slow
@pytest.mark.xdist_group("torch")
def test_memory_is_what_the_group_leaves(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    free = machine.available("cpu")
    assert free > 2**20
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("400000\n")
    assert machine.available("cpu") == 600000
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.available("cpu") > 2**20
    assert machine.peak() > 2**20


def test_which_process_this_is(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert (machine.rank(), machine.processes()) == (0, 1)
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert (machine.rank(), machine.processes()) == (3, 4)
