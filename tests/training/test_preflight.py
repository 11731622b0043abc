"""The pre-flight table of TRL's trainers: sizes, estimates, and a dry step that leaves no trace."""

from __future__ import annotations

import asyncio
import copy
import json
import random

import pytest
from tiny import laid

from games import catalog
from games.engine import Match
from players.base import Identity, Reply
from players.ports import Place
from store import datasets
from store.log import Log
from training import preflight
from training.job import Job
from training.tokens import Template

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
    out = begin()
    table = Job(out).run()["preflight"]
    lines = list(preflight.lines(table))
    assert lines[0].startswith("cpu, 1 threads of ") and "float32" in lines[0]
    assert any(line.startswith("32 rows, ") for line in lines)
    assert any("prompts have the same tokens as when played" in line for line in lines)
    assert "rows by cell: taboo · describer · 1 (16), taboo · guesser · 1 (16)" in lines
    assert "nothing kept for validation or test is in it" in lines
    assert f"of the trained tokens {table['trained_tokens']:,} synthetic (100.0%)" in lines
    assert lines[-1].startswith("4 steps of at most about ")


@pytest.fixture
def by_hand(tmp_path):
    """A log in which a person said every third turn of some long matches, so that one seat is of both."""
    path, game = tmp_path / "hand.sqlite", catalog.get("taboo")
    bot, patient = game.bots()["patient"], Identity("bot", "bot:patient")
    human = Identity("human", "human", person="kind-owl-1")

    async def play():
        async with Log.open(path) as log:
            log.people.add("local", human.person)
            for instance in catalog.instances(game, split="train")[:8]:
                match = Match.new(game, instance, 1)
                episode = await log.recorder.begin(match, dict.fromkeys(game.roles, patient), Place())
                while not match.over:
                    role, who = match.turn, patient if match.ply % 3 else human
                    reply = Reply(bot(match.view(role), random.Random(match.ply)))
                    match = match.play(reply.text)
                    await log.recorder.turn(episode, match, match.steps[-1], who, reply)
                await log.recorder.result(episode, match, match.scores())

    asyncio.run(play())
    return path


def counted_again(job, length):
    """Tokens with loss by speaker, turn by turn."""
    tokenizer = pytest.importorskip("transformers").AutoTokenizer.from_pretrained(str(job.weights))
    template, reader, dataset = Template(tokenizer), job.log.reader(), job.told["dataset"]
    found = {"human": 0, "synthetic": 0, "general": 0}
    for record, places in zip(datasets.records(reader, dataset), turns_of(reader, dataset), strict=True):
        for at, place in enumerate(record["loss"]):
            alone = template.encode(record["messages"], [place])
            who = "general" if not places else "human" if places[at] % 3 == 0 else "synthetic"
            found[who] += sum(label >= 0 for label in alone.labels[:length])
    return {who: tokens for who, tokens in found.items() if tokens}


def turns_of(reader, dataset):
    """The plies of each row's trained turns."""
    found = [[] for _ in range(datasets.get(reader, dataset).rows)]
    sql = """SELECT d.position, t.ply FROM dataset_row_turns d JOIN turns t ON t.id = d.turn_id
    WHERE d.dataset_id = ? ORDER BY t.ply"""
    for position, ply in reader.execute(sql, (dataset,)):
        found[position].append(ply)
    return found


@pytest.mark.parametrize("length", [2048, 545])
def test_tokens_with_loss_are_counted_by_who_spoke_them(begin, by_hand, tmp_path, length):
    general = tmp_path / "general.jsonl"
    talk = [("user", "say yes"), ("assistant", "yes"), ("user", "and no"), ("assistant", "no")]
    row = json.dumps({"messages": [{"role": role, "content": text} for role, text in talk]})
    general.write_text("\n".join([row] * 9))
    recipe = laid(
        selection={"keep": "all"},
        rehearsal={"path": str(general), "share": 0.2},
        steps={"max_length": length, "truncated": 1.0, "steps": 1},
    )
    out = begin(recipe, log=by_hand)
    job = Job(out)
    wanted = counted_again(job, length)
    job.log.close()
    table = Job(out).run()["preflight"]
    assert table["dropped"] == (8 if length == 545 else 0), "rows whose first reply is cut off are left out"
    assert table["spoken"] == wanted and set(wanted) == {"human", "synthetic", "general"}
    assert sum(wanted.values()) == table["trained_tokens"]
    assert table["balance"]["general"] == 4


def test_a_frozen_copy_of_an_adapter_counts_for_nothing(tiny_model):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    lora = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(tiny_model), lora)
    before = preflight.counted(model)
    model.add_adapter("ref", lora)
    assert preflight.counted(model) == before


def test_without_the_model(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"x" * 1000)
    found = preflight.light(tmp_path, {"leaks": [{"perspectives": 3}]}, tmp_path / "not" / "there")
    assert found["weights_on_disk"] == 1000 and found["disk_free"] > 0
    assert found["leakage"] == {"instances": 1, "held_back": 3}
