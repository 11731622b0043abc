"""How a training's process is begun, found again and ended."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from players.entry import ModelEntry
from players.registry import Registry
from store import trainings
from store.filters import Filters
from store.log import Log
from training import launch
from training.recipe import Recipe, load


def test_one_process_or_several(monkeypatch):
    monkeypatch.setattr(launch, "_cards", lambda: True)
    assert launch.command({}) == ["-m"]
    assert launch.command({"processes": 2, "device": "cpu"})[:2] == ["-m", "torch.distributed.run"]
    assert launch.command({"processes": 2})[1:3] == ["accelerate.commands.launch", "--multi_gpu"]
    assert launch.command({"processes": 4, "accelerate": "fsdp"})[2].endswith("fsdp.yaml")
    monkeypatch.setattr(launch, "_cards", lambda: False)
    assert launch.command({"processes": 2})[1] == "torch.distributed.run"
    with pytest.raises(launch.CannotTrain, match="there is no accelerate configuration"):
        launch.command({"accelerate": "other.yaml"})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fsdp", "deepspeed"])
def test_accelerate_reads_its_configurations(name):
    from accelerate.commands.config.config_args import load_config_from_file

    found = load_config_from_file(str(launch.CONFIGS / f"{name}.yaml"))
    assert found.distributed_type.value.lower() == name and getattr(found, f"{name}_config")


def test_a_missing_library_is_named(monkeypatch):
    real = launch.importlib.util.find_spec
    monkeypatch.setattr(
        launch.importlib.util, "find_spec", lambda name: None if name in ("trl", "peft") else real(name)
    )
    with pytest.raises(launch.CannotTrain, match=r"training needs trl, peft: pip install 'playpen-tui\[train\]'"):
        launch.needs()


def test_the_base_keeps_what_its_player_tells_the_template(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    told = {"chat_template_kwargs": {"enable_thinking": False}}
    entry = ModelEntry("mine", "transformers", str(tmp_path), extra_body=told)
    registry = Registry.load()
    registry.entries["mine"] = entry
    base = launch.base_of("mine", registry)
    assert base.template == {"enable_thinking": False}


@pytest.mark.slow
@pytest.mark.xdist_group("torch")
def test_orders_go_only_to_those_that_go_on(begin, played):
    out = begin()
    with Log.open(played) as log:
        (row,) = trainings.recent(log)
        assert json.loads((out / "job.json").read_text())["folder"] == str(out) == str(row.folder)
        with pytest.raises(launch.CannotTrain, match="nothing to end"):
            launch.kill_row(log, row)
        launch.tell(log, row, "save")
        launch.tell(log, row, "stop")
        assert (out / "orders").read_text().split() == ["save", "stop"], "the second does not take the first's place"
        assert [event.value["order"] for event in trainings.events(log, row.id, ("order",))] == ["save", "stop"]
        trainings.end(log, row.id, "done")
        with pytest.raises(launch.CannotTrain, match="is done and obeys no orders"):
            launch.tell(log, trainings.get(log, row.id), "stop")


def test_a_role_that_is_asked_for_is_the_one_that_is_trained():
    plain, guesser = load("smoke", "sft"), load("smoke", "sft", {"selection": {"roles": ["guesser"]}})
    asked = Filters(roles=("describer",))
    assert launch.seats_of(plain, asked).selection.roles == ("describer",)
    assert launch.seats_of(guesser, Filters()) is guesser
    assert launch.seats_of(guesser, Filters(roles=("describer", "guesser"))).selection.roles == ("guesser",)
    with pytest.raises(launch.CannotTrain, match="the recipe trains guesser, and --role says describer"):
        launch.seats_of(guesser, asked)


@pytest.mark.slow
@pytest.mark.xdist_group("torch")
def test_what_is_finished_is_not_begun_again(begin, played):
    out = begin()
    with Log.open(played) as log:
        (row,) = trainings.recent(log)
        trainings.end(log, row.id, "done")
        with pytest.raises(launch.CannotTrain, match=r"is finished.* `train --model bars --name …` goes on"):
            launch.resume(log, trainings.get(log, row.id), out)


@pytest.fixture
def registry(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return Registry.load()


TAKEN = ["bot", "human", "../x", "a/b", "x y", "s1@6", ".x", "x?temperature=0", "taken", "base"]


@pytest.mark.parametrize("name", TAKEN)
def test_a_name_must_be_free_and_mean_nobody_else(registry, name):
    registry.entries["taken"] = ModelEntry("taken", "transformers", "/somewhere")
    with pytest.raises(ValueError, match=r"already|letters, digits"):
        launch.free_name(name, registry, "base")
    assert launch.free_name("taboo-sft.2", registry, "base") == "taboo-sft.2"


def test_what_came_out_later_becomes_the_player(registry, tmp_path):
    """A training that was stopped, registered and resumed: the player is who came out last, and keeps what was set."""
    told = {"name": "bars", "base": {"name": "tiny", "path": str(tmp_path), "adapter": ""}}
    out = tmp_path / "out"
    out.mkdir()
    (out / "adapter_model.safetensors").write_bytes(b"first")
    assert launch.settle(registry, told, out) == "bars" and launch.settle(registry, told, out) == ""
    first = registry.entries["bars"].revision
    registry.add(replace(registry.entries["bars"], description="my own words"))
    (out / "adapter_model.safetensors").write_bytes(b"second")
    assert launch.settle(registry, told, out) == "bars"
    entry = Registry.load().entries["bars"]
    assert entry.revision != first and entry.description == "my own words"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "adapter_model.safetensors").write_bytes(b"third")
    assert launch.settle(registry, told, tmp_path / "other") == ""  # somebody else has the name


def test_the_last_words_are_those_since_it_was_started_last(tmp_path):
    file = tmp_path / "job.log"
    file.write_text(f"{launch.BEGUN}1\nMemoryError\n{launch.BEGUN}2\nbar 10%\rbar 100%\nfine\n")
    assert launch.last_words(tmp_path) == "bar 100%\nfine"
    assert launch.last_words(tmp_path / "none") == ""


@pytest.mark.parametrize("name", ["bot", "bot:random", "human"])
def test_who_has_no_weights_is_told_so(registry, name):
    with pytest.raises(launch.CannotTrain, match="has no weights to train"):
        launch.base_of(name, registry)


def test_every_state_that_needs_something_has_a_hint():
    row = trainings.TrainingRow("T", "R", "sft", "running", "b", None, None, {"folder": "/f"}, "", None)
    for now in ("paused", "stalled", "crashed", "failed", "diverged", "stopped"):
        assert launch.hint(row, now)
    assert launch.hint(row, "running") == launch.hint(row, "done") == "" and Recipe().machine.processes == 1


def test_what_the_recipe_says_reaches_the_trainer():
    from types import SimpleNamespace
    from typing import Any

    from training import common

    recipe = Recipe.model_validate(
        {"report_to": ["wandb"], "steps": {"epochs": 2, "batch": 4, "accumulate": 2, "keep": 5}}
    )
    job: Any = SimpleNamespace(recipe=recipe, folder=launch.CONFIGS, told={"name": "bars"}, steps=0)
    found = common.arguments(job, 160, {"device": "cpu", "dtype": "float32", "processes": 2})
    assert found["report_to"] == ["wandb"] and found["run_name"] == "bars" and found["save_total_limit"] == 5
    assert job.steps == found["max_steps"] == 20  # two processes take sixteen rows a step
    assert found["use_cpu"] and not found["bf16"] and not found["logging_nan_inf_filter"]
