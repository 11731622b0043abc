"""The pre-flight table of TRL's trainers: sizes, estimates, and a dry step that leaves no trace."""

from __future__ import annotations

import copy
import random

import pytest

from training import preflight

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("torch")]

SHARED = {
    "per_device_train_batch_size": 2,
    "max_steps": 2,
    "logging_steps": 1,
    "use_cpu": True,
    "bf16": False,
    "report_to": "none",
    "save_strategy": "no",
    "disable_tqdm": True,
}


def said(text):
    return [{"role": "assistant", "content": text}]


PROMPT = [{"role": "user", "content": "CLUE: round and red"}]


def trainer_of(method, folder, tmp_path):
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    lora = LoraConfig(r=4, lora_dropout=0.2, target_modules="all-linear", task_type="CAUSAL_LM")
    texts = [f"GUESS: {'apple' * n}" for n in range(1, 9)]
    if method == "dpo":
        rows = [{"prompt": PROMPT, "chosen": said(text), "rejected": said("no")} for text in texts]
        kind, settings = DPOTrainer, DPOConfig(output_dir=str(tmp_path), **SHARED)
    else:
        rows = [{"prompt": PROMPT, "completion": said(text), "label": n % 2 == 0} for n, text in enumerate(texts)]
        kind, settings = KTOTrainer, KTOConfig(output_dir=str(tmp_path), **SHARED)
    return kind(
        model=model,
        args=settings,
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(folder),
        peft_config=lora,
    )


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_a_dry_step_of_pairs_and_labels_leaves_no_trace(method, tiny_model, tmp_path):
    import torch

    trainer = trainer_of(method, tiny_model, tmp_path)
    sizes = preflight._sizes(trainer.train_dataset)
    assert len(set(sizes)) > 1 and max(sizes) > 60
    weights = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    counts = copy.deepcopy({name: vars(trainer)[name] for name in preflight.COUNTERS if name in vars(trainer)})
    chance = (random.getstate(), torch.get_rng_state())
    seconds = preflight.dry_step(trainer, method, 2, 256)
    assert seconds > 0
    assert all(torch.equal(value, weights[name]) for name, value in trainer.model.state_dict().items())
    assert all(one.grad is None for one in trainer.model.parameters())
    assert {name: vars(trainer)[name] for name in counts} == counts
    assert random.getstate() == chance[0] and torch.equal(torch.get_rng_state(), chance[1])
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    straight = trainer_of(method, tiny_model, tmp_path)
    straight.train()
    assert losses == [entry["loss"] for entry in straight.state.log_history if "loss" in entry]


def test_the_table_in_words(begin):
    from training.job import Job

    out = begin()
    table = Job(out).run()["preflight"]
    lines = list(preflight.lines(table))
    assert lines[0].startswith("cpu, 1 threads of ") and "float32" in lines[0]
    assert any(line.startswith("32 rows, ") for line in lines)
    assert any("prompts have the same tokens as when played" in line for line in lines)
    assert lines[-1].startswith("4 steps of at most about ")


def test_without_the_model(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"x" * 1000)
    found = preflight.light(tmp_path, {"leaks": [{"perspectives": 3}]}, tmp_path / "not" / "there")
    assert found["weights_on_disk"] == 1000 and found["disk_free"] > 0
    assert found["leakage"] == {"instances": 1, "held_back": 3}
