"""Whole trainings of a tiny random model: what they leave in the log, what stops them, what they make of trouble."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import time

import pytest
from tiny import laid

from players.registry import Registry
from store import trainings
from store.log import Log
from training import card, common, launch
from training.job import Job, sentence
from training.recipe import checked

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("torch")]


def events(path, kind):
    with sqlite3.connect(path) as db:
        rows = db.execute("SELECT step, value FROM training_events WHERE kind = ? ORDER BY id", (kind,)).fetchall()
    return [(step, json.loads(value)) for step, value in rows]


def whole(path):
    """Whether the log is as it should be, and how its trainings ended."""
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        return [state for (state,) in db.execute("SELECT state FROM trainings ORDER BY id")]


def test_a_training_writes_everything_into_the_log(begin, played):
    out = begin()
    ended = Job(out).run()
    assert ended["state"] == "done" and len(ended["losses"]) == 4
    assert whole(played) == ["done"]
    with Log.open(played, readonly=True) as log:
        (row,) = trainings.recent(log)
        assert row.folder == out and row.result == "bars" and trainings.state_of(log, row) == "done"
        saved = trainings.checkpoints(log, row.id)
        assert [(one.step, one.player, one.there) for one in saved] == [(2, "bars@2", True), (4, "bars@4", True)]
        assert saved[0].revision == launch.result("x", saved[0].path).revision != saved[1].revision
        assert {"loss", "grad_norm", "learning_rate", "ours/cpu_share"} <= set(trainings.curves(log, row.id))
        shares = [value for _, value in trainings.curves(log, row.id)["ours/cpu_share"]]
    assert statistics.median(shares) < 0.02
    ((_, start),) = events(played, "start")
    assert {"torch", "trl", "peft"} <= set(start["versions"])
    ((_, table),) = events(played, "preflight")
    assert table == json.loads((out / "preflight.json").read_text())
    assert table["template"]["same_as_when_played"] == 32 and table["leakage"] == {"instances": 0, "held_back": 0}
    assert table["balance"]["cells"] == {"taboo · describer · 1": 16, "taboo · guesser · 1": 16}
    assert table["time"]["dry_step"] > 0 and table["memory"]["peak"] > 10**8
    ((step, end),) = events(played, "end")
    assert step == 4 and end["state"] == "done" and "log" in end
    assert not list(out.rglob("*.new")) and not (out / "training_args.bin").exists()


def test_the_dry_step_changes_nothing(begin):
    curves = []
    for name, dry in (("a", True), ("b", False)):
        out = begin(laid(guards={"dry_step": dry}), name=name)
        curves.append(Job(out).run()["losses"])
        assert ("time" in json.loads((out / "preflight.json").read_text())) is dry
    assert curves[0] == curves[1]


def child(out):
    return subprocess.Popen(
        [sys.executable, "-m", "training.job", str(out)], stdout=(out / "job.log").open("ab"), stderr=subprocess.STDOUT
    )


def until(condition, process, seconds=120):
    end = time.monotonic() + seconds
    while not condition() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def test_killed_in_the_middle_and_resumed_the_curve_is_the_same(begin, played):
    recipe = laid(steps={"steps": 20, "save_every": 5})
    straight = Job(begin(recipe, name="straight")).run()["losses"]
    with Log.open(played, readonly=True) as log:
        read = trainings.curves(log, trainings.recent(log)[0].id)["num_tokens"]
    out = begin(recipe, name="killed")
    process = child(out)
    assert until((out / "checkpoints" / "checkpoint-5" / "trainer_state.json").exists, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert whole(played) == ["done", "running"]
    with Log.open(played, readonly=True) as log:
        row = trainings.recent(log)[0]
        assert row.progress is not None and trainings.state_of(log, row) == "crashed"
        assert "--resume" in launch.hint(row, "crashed")
    last = common.last_checkpoint(out / "checkpoints")
    assert last is not None and last.name != "checkpoint-20"
    (out / "checkpoints" / "checkpoint-99").mkdir()  # as a process leaves it that dies while it saves
    with Log.open(played) as log:
        trainings.measure(log, row.id, 30, {"loss": 9.0})  # it came further than its checkpoint
    began = time.monotonic()
    ended = Job(out).run()
    assert 0 < ended["seconds"] - row.progress.seconds < time.monotonic() - began  # both pieces count
    assert ended["losses"] == pytest.approx(straight, rel=1e-5)
    assert whole(played) == ["done", "done"]
    with Log.open(played, readonly=True) as log:
        curve = trainings.curves(log, row.id)["loss"]
        assert trainings.curves(log, row.id)["num_tokens"] == read  # none lost with a process, none counted twice
        assert all(0.05 < value < 64 for _, value in trainings.curves(log, row.id)["memory_gb"])
        after = trainings.get(log, row.id).progress
    assert after is not None and after.seconds > row.progress.seconds and after.tokens_in == read[-1][1]
    assert f"read in training: {read[-1][1]:,.0f}\n" in (out / card.CARD).read_text()
    assert [step for step, _ in curve] == list(range(1, 21))
    assert [value for _, value in curve] == pytest.approx(straight, rel=1e-5)


def test_orders_are_obeyed(begin, played):
    out = begin(laid(steps={"steps": 4000, "save_every": 4000}))
    process = child(out)
    with Log.open(played) as log:
        row = trainings.recent(log)[0]

        def now():
            return trainings.state_of(log, trainings.get(log, row.id))

        assert until(lambda: now() == "running", process), launch.last_words(out)
        launch.tell(log, trainings.get(log, row.id), "pause")
        assert until(lambda: now() == "paused", process)
        launch.tell(log, trainings.get(log, row.id), "save")
        assert until(lambda: trainings.checkpoints(log, row.id), process)
        assert until(lambda: now() == "paused", process), "a checkpoint does not end a pause"
        step = trainings.checkpoints(log, row.id)[0].step
        launch.tell(log, trainings.get(log, row.id), "go")
        assert until(lambda: now() == "running", process)
        assert until(lambda: trainings.get(log, row.id).progress.done > step, process)
        launch.tell(log, trainings.get(log, row.id), "save")
        launch.tell(log, trainings.get(log, row.id), "stop")  # before the first was looked at: both are obeyed
        assert process.wait(60) == 0
        assert len(trainings.checkpoints(log, row.id)) >= 1
        assert now() == "stopped" and launch.ended(out)["state"] == "stopped"
        assert [event.value["order"] for event in trainings.events(log, row.id, ("order",))] == [
            *("pause", "save", "go", "save", "stop"),
        ]
        with pytest.raises(launch.CannotTrain, match="is stopped and obeys no orders"):
            launch.tell(log, trainings.get(log, row.id), "pause")
    assert (out / "adapter_model.safetensors").is_file()


def test_all_weights_learn_steps_that_half_precision_would_round_away(begin, played, tiny_model):
    from safetensors.torch import load_file

    small = {"learning_rate": 1e-6, "steps": 2}
    recipe = laid(machine={"dtype": "bfloat16"}, steps=small).model_copy(update={"lora": None})
    out = begin(recipe, name="full")
    assert Job(out).run()["state"] == "done"
    before, after = load_file(tiny_model / "model.safetensors"), load_file(out / "model.safetensors")
    moved = [(before[name] - after[name].float()).abs() for name in after if "proj" in name]
    assert statistics.mean([(one > 0).float().mean().item() for one in moved]) > 0.9, "nearly all of them have learned"
    assert max(one.max().item() for one in moved) < 1e-5, "and none was rounded"


def test_an_adapter_of_the_base_goes_on(begin, played, tiny_model):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    first = begin(name="first")
    Job(first).run()
    second = begin(laid(steps={"learning_rate": 3e-2}), name="second", adapter=first)
    assert Job(second).run()["state"] == "done"
    registry = Registry.load()
    base = launch.Base("first", tiny_model, str(first))
    entry = launch.register(registry, "second", base, second)
    assert (entry.model, entry.adapter) == (str(tiny_model), str(second.absolute()))
    ids = torch.arange(20)[None]

    def says(adapter=None):
        model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
        model = PeftModel.from_pretrained(model, adapter) if adapter else model
        with torch.no_grad():
            return model.eval()(ids).logits

    assert not torch.allclose(says(), says(second), atol=1e-4)
    assert not torch.allclose(says(first), says(second), atol=1e-5)
    names = [path.name for path in second.iterdir()]
    assert names.count("adapter_model.safetensors") == 1 and "ref" not in names


def test_what_runs_away_ends_with_its_step(begin, played):
    out = begin(laid(steps={"learning_rate": 1e12, "clip": 1e9, "steps": 60, "save_every": 60}, guards={"patience": 3}))
    ended = Job(out).run()
    assert ended["state"] == "diverged" and " at step " in ended["why"], ended
    assert whole(played) == ["failed"] and not (out / "adapter_model.safetensors").exists()
    with Log.open(played, readonly=True) as log:
        row = trainings.recent(log)[0]
        assert trainings.state_of(log, row) == "diverged" and row.result is None


def test_what_is_no_number_takes_no_checkpoints_place(begin, played):
    out = begin(laid(steps={"learning_rate": 1e30, "clip": 1e30, "steps": 9, "save_every": 1, "keep": 9}))
    ended = Job(out).run()
    assert ended["state"] == "diverged" and "is no number at step" in ended["why"], ended
    assert ended["steps"] > 1 and not (out / "checkpoints" / f"checkpoint-{ended['steps']}").exists()
    assert common.last_checkpoint(out / "checkpoints").name == f"checkpoint-{ended['steps'] - 1}"
    assert launch.taken(out), "it has trained, and can be resumed"


def test_what_other_weights_played_is_no_result_of_these(begin, played):
    out = begin(laid(steps={"steps": 6, "save_every": 6}))
    (out / "orders").write_text("stop")
    stopped = Job(out).run()
    assert stopped["state"] == "stopped"
    (out / "orders").unlink()
    (out / card.EVALUATION).write_text("{}")
    assert Job(out).run()["state"] == "done"
    assert not (out / card.EVALUATION).exists() and (out / f"evaluation-{stopped['steps']}.json").exists()


def test_what_was_refused_before_its_first_step_can_be_begun_again(begin, played):
    out = begin(laid(guards={"memory": 1e-6}))
    assert Job(out).run()["state"] == "failed" and not launch.taken(out)
    with Log.open(played, readonly=True) as log:
        row = trainings.recent(log)[0]
        assert "begin it anew" in launch.hint(row, "failed")
    assert begin(laid()) == out, "with another recipe, under its name"
    assert launch.taken(out) and not (out / "ended.json").exists()
    assert Job(out).run()["state"] == "done"
    with pytest.raises(launch.CannotTrain, match="holds a training already"):
        begin(laid())


def test_words_that_were_erased_since(begin, played):
    out = begin()
    with sqlite3.connect(played) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("INSERT INTO redactions VALUES ('X', NULL, 'test', '2026', NULL)")
        db.execute("DELETE FROM messages WHERE hash = (SELECT tip_hash FROM dataset_rows WHERE position = 7)")
        db.execute("UPDATE redactions SET closed_at = '2026'")
    ended = Job(out).run()
    assert ended["state"] == "failed" and "row 7 of data set" in ended["why"]


def test_a_full_disk_is_said_and_the_log_is_whole(begin, played, monkeypatch):
    from transformers import Trainer

    out = begin()
    real = Trainer._save_checkpoint
    monkeypatch.setattr(
        Trainer, "_save_checkpoint", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device"))
    )
    ended = Job(out).run()
    assert ended["state"] == "failed" and ended["why"].startswith("the disk is full") and whole(played) == ["failed"]
    monkeypatch.setattr(Trainer, "_save_checkpoint", real)
    assert Job(out).run()["state"] == "done" and whole(played) == ["done"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root mounts a small disk")
def test_a_really_full_disk(begin, played, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(small)], check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        recipe = laid(lora={"rank": 8}, steps={"keep": 1})
        out = begin(recipe, out=small / "out")
        ended = Job(out).run()
        assert ended["state"] == "failed" and ("the disk is full" in ended["why"] or "is free in" in ended["why"]), (
            ended
        )
        assert whole(played) == ["failed"]
    finally:
        subprocess.run(["umount", str(small)], check=False)


def test_no_memory_is_one_sentence(begin, played, monkeypatch):
    out = begin(laid(guards={"memory": 1e-6}))
    ended = Job(out).run()
    assert ended["state"] == "failed" and "more memory and" in ended["why"] and whole(played) == ["failed"]
    code = (
        "import resource, sys, psutil\n"
        "from training import common\n"
        "from training.job import main\n"
        "real = common.run\n"
        "def tight(*words):\n"
        "    most = psutil.Process().memory_info().vms + 50 * 2**20\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (most, most))\n"
        "    return real(*words)\n"
        "common.run = tight\n"
        "sys.exit(main())"
    )
    out = begin(laid(guards={"memory": 0, "dry_step": False}, steps={"batch": 32}), name="tight")
    words = [sys.executable, "-c", code, str(out)]
    ran = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert ran.returncode == 1, ran.stderr[-2000:]
    assert "not enough memory" in launch.ended(out)["why"], ran.stderr[-2000:]
    assert whole(played) == ["failed", "failed"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), "there is not enough memory; lower steps.batch"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried"),
            "there is not enough memory",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (PermissionError(errno.EACCES, "Permission denied", "out"), "out: Permission denied; what was saved"),
        (ModuleNotFoundError("No module named 'trl'", name="trl"), "training needs trl: pip install"),
        (KeyError("x"), "KeyError: 'x' (job.log has the rest)"),
    ],
)
def test_sentences(error, told):
    assert sentence(error).startswith(told) and "\n" not in sentence(error)


def test_a_changed_template_is_refused_and_the_original_is_saved(begin, played, tiny_model, monkeypatch):
    from training import sft

    real = sft.prepare

    def changed(job, model, tokenizer, here, *, much):
        found = real(job, model, tokenizer, here)
        found[0].processing_class.chat_template = much + tokenizer.chat_template
        return found

    monkeypatch.setattr(sft, "prepare", lambda *words: changed(*words, much="x"))
    ended = Job(begin(name="one")).run()
    assert (
        ended["state"] == "failed"
        and "other tokens in training than when the model plays, from token 0" in ended["why"]
    )
    monkeypatch.setattr(sft, "prepare", lambda *words: changed(*words, much="{# no change #}"))
    out = begin(name="two")
    assert Job(out).run()["state"] == "done"
    assert (out / "chat_template.jinja").read_text() == (tiny_model / "chat_template.jinja").read_text()


@pytest.mark.parametrize(
    ("lora", "told"),
    [
        ({"modules_to_save": ["lm_head"]}, "'lm_head' cannot be trained with an adapter"),
        ({"modules_to_save": ["embed_tokens"]}, "share one matrix"),
        ({"targets": ["q_proj", "c_attn"]}, "lora.targets: the model has no module 'c_attn'; it has"),
        ({"modules_to_save": ["head"]}, "lora.modules_to_save: the model has no module 'head'"),
    ],
)
def test_adapters_that_will_not_do(begin, lora, told):
    ended = Job(begin(laid(lora=lora))).run()
    assert ended["state"] == "failed" and told in ended["why"], ended["why"]


def test_frozen_weights_may_be_kept_in_four_bits(begin):
    """QLoRA, on the processor: what is frozen takes less room, and an adapter comes out as ever."""
    plain = Job(begin(name="plain")).run()
    four = Job(begin(laid(lora={"quantize": "nf4"}), name="four")).run()
    assert plain["state"] == four["state"] == "done", four
    weights, fewer = plain["preflight"]["weights"], four["preflight"]["weights"]
    assert (weights["all"], weights["trained"]) == (fewer["all"], fewer["trained"])
    assert fewer["bytes"] < weights["bytes"] and four["losses"] != plain["losses"]
    assert abs(four["losses"][0] - plain["losses"][0]) < 0.1


def test_four_bits_need_their_library(begin, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "bitsandbytes" else find(name))
    ended = Job(begin(laid(lora={"quantize": "nf4"}))).run()
    assert ended["state"] == "failed" and "lora.quantize needs bitsandbytes" in ended["why"]


def test_all_weights_may_be_trained(begin, played):
    recipe = laid()
    out = begin(checked({**recipe.model_dump(mode="json"), "lora": None}))
    ended = Job(out).run()
    assert ended["state"] == "done" and ended["preflight"]["weights"]["trained"] == ended["preflight"]["weights"]["all"]
    assert (out / "model.safetensors").is_file() and (out / "config.json").is_file()


def test_two_processes_share_the_work_and_stop_together(begin, played):
    recipe = laid(steps={"steps": 4000, "save_every": 4000}, machine={"processes": 2})
    out = begin(recipe)
    words = [sys.executable, *launch.command(recipe.model_dump(mode="json")["machine"]), "training.job", str(out)]
    process = subprocess.Popen(
        words, stdout=(out / "job.log").open("ab"), stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        with Log.open(played, readonly=True) as log:
            row = trainings.recent(log)[0]
            assert until(lambda: trainings.curves(log, row.id).get("loss"), process, 300), launch.last_words(out, 40)
            launch.order(out, "stop")
            assert process.wait(120) == 0, launch.last_words(out, 40)
            assert trainings.get(log, row.id).state == "stopped"
            assert [len(trainings.events(log, row.id, (kind,))) for kind in ("start", "preflight", "end")] == [1, 1, 1]
            (table,) = trainings.events(log, row.id, ("preflight",))
            assert table.value["machine"]["processes"] == 2
        assert whole(played) == ["stopped"] and (out / "adapter_model.safetensors").is_file()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def test_warnings_come_once(begin, played):
    job = Job(begin())
    job.done = 5
    job.warn("groups are equal", once="zero")
    job.warn("groups are still equal", once="zero")
    job.warn("replies grow")
    job._diary.close()
    job.log.close()
    assert [value["sentence"] for _, value in events(played, "warning")] == ["groups are equal", "replies grow"]
    lines = [json.loads(line) for line in (job.folder / "warnings.jsonl").read_text().splitlines()]
    assert [(line["step"], line["sentence"]) for line in lines] == [(5, "groups are equal"), (5, "replies grow")]
