"""The pre-flight table: what a training will take, and whether what it teaches is what will be asked for, before it
begins. A dry step takes the longest rows forward and backward and leaves no trace.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import math
import random
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from store import datasets
from training import machine
from training.guards import Refused
from training.tokens import IGNORED, Template, TemplateMismatch

if TYPE_CHECKING:
    from training.job import Job

DIALOGUES = 32
"""Dialogues whose rendering is compared."""
BALANCE = ("speakers", "general", "cells", "kinds", "labels")
"""Facts of a data set that say how its rows are spread."""
COUNTERS = ("_metrics", "_total_train_tokens", "_logs", "_step")
"""What TRL's trainers count while they compute a loss."""


def table(job: Job, trainer: Any, here: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Everything known before the first step. Raises Refused, TemplateMismatch, MemoryError."""
    model = trainer.model
    found: dict[str, Any] = {"machine": dict(here), **facts, "steps": job.steps}
    chosen = job.chosen()
    found["balance"] = {name: chosen[name] for name in BALANCE if name in chosen}
    if job.recipe.method == "sft":
        found["spoken"] = spoken(job, trainer.train_dataset["labels"])
    found["leakage"] = held_back(chosen)
    found["template"] = {"same_as_when_played": same_tokens(job, trainer.processing_class)}
    found["weights"] = counted(model)
    found["memory"] = memory(job, model, here, longest(trainer, job.recipe.steps.max_length))
    found["disk"] = disk(job, found["weights"])
    if job.recipe.guards.dry_step and not (trainer.is_deepspeed_enabled or trainer.is_fsdp_enabled):
        seconds = dry_step(trainer, job.recipe.method, job.recipe.steps.batch, job.recipe.steps.max_length)
        step = seconds * job.recipe.steps.accumulate
        without = "rollouts" if job.recipe.method == "grpo" else ""
        times = {"dry_step": round(seconds, 3), "step": round(step, 3), "all": round(step * job.steps, 1)}
        found["time"] = {**times, "without": without}
    found["memory"]["peak"] = machine.peak()
    return found


def spoken(job: Job, labels: Sequence[Sequence[int]]) -> dict[str, int]:
    """Tokens with loss by who spoke them: `human`, `synthetic`, and those of `general` data. `labels` are those of the
    rows that are trained, in the order of the data set.
    """
    reader, dataset = job.log.reader(), str(job.told["dataset"])
    sql = """SELECT d.position, p.kind FROM dataset_row_turns d JOIN turns t ON t.id = d.turn_id
    JOIN players p ON p.id = t.player_id WHERE d.dataset_id = ? AND d.side = 'trained' ORDER BY d.position, t.ply"""
    speakers: dict[int, list[str]] = {}
    for position, kind in reader.execute(sql, (dataset,)):
        speakers.setdefault(position, []).append("human" if kind == "human" else "synthetic")
    places: Sequence[int] = range(datasets.get(reader, dataset).rows)
    if len(places) != len(labels):
        places = _kept(job)
    found = {"human": 0, "synthetic": 0, "general": 0}
    for position, row in zip(places, labels, strict=True):
        who = speakers.get(position, ())
        replies = (sum(1 for _ in run) for trained, run in groupby(row, lambda label: label != IGNORED) if trained)
        for at, tokens in enumerate(replies):  # a row that was cut has fewer of them than were spoken
            found[who[at] if who else "general"] += tokens
    return {name: tokens for name, tokens in found.items() if tokens}


def _kept(job: Job) -> list[int]:
    """Rows whose first trained token is not cut off; the others are left out."""
    template, limit = Template(job.tokenizer, **job.template), job.recipe.steps.max_length
    records = enumerate(datasets.records(job.log.reader(), str(job.told["dataset"])))
    return [
        at for at, record in records if len(template.ids(record["messages"][: min(record["loss"])], ask=True)) < limit
    ]


def counted(model: Any) -> dict[str, int]:
    """How many weights there are and are trained, and the bytes of all of them; TRL's frozen copy of an adapter that
    goes on counts for nothing.
    """
    weights = [one for name, one in model.named_parameters() if ".ref." not in name]
    return {
        "all": sum(one.numel() * (2 if hasattr(one, "quant_state") else 1) for one in weights),  # four bits: two a byte
        "trained": sum(one.numel() for one in weights if one.requires_grad),
        "bytes": sum(one.numel() * one.element_size() for one in weights),
    }


def memory(job: Job, model: Any, here: Mapping[str, Any], length: int) -> dict[str, Any]:
    """Bytes that the training will still take, of those that are free. Raises Refused where they are not enough.

    Gradients and Adam's two moments are as large as the trained weights; activations are counted as 34 numbers of the
    hidden size per layer and token, with attention over the length, and three copies of the logits.
    """
    config, steps = model.config, job.recipe.steps
    trained = [one for one in model.parameters() if one.requires_grad]
    own = sum(one.numel() * one.element_size() for one in trained)
    size = 2 if here["dtype"] == "bfloat16" else 4
    rows = steps.batch * (2 if job.recipe.method in ("dpo", "kto") else 1)
    tokens = rows * length
    hidden, layers = int(config.hidden_size), int(config.num_hidden_layers)
    heads = int(getattr(config, "num_attention_heads", 1))
    activations = tokens * layers * (34 * hidden + 2 * heads * length) * size
    logits = 3 * tokens * int(config.vocab_size) * 4
    need = 3 * own + activations + logits
    free, allowed = machine.available(here["device"]), job.recipe.guards.memory
    if allowed and need > allowed * free:
        raise Refused(
            f"the training would need about {_gigabytes(need)} more memory and {_gigabytes(free)} is free; lower "
            "steps.batch and raise steps.accumulate, lower steps.max_length, or set guards.memory = 0 to try it"
        )
    return {
        "weights": sum(one.numel() * one.element_size() for one in model.parameters()),
        "gradients": own,
        "optimiser": 2 * own,
        "activations": activations + logits,
        "needed": need,
        "free": free,
    }


def disk(job: Job, weights: Mapping[str, int]) -> dict[str, int]:
    """Bytes of the checkpoints and the result, of those that are free. Raises Refused where they are not enough."""
    saved = weights["trained"] * 4
    need = saved * (3 * (job.recipe.steps.keep + 1) + 1)
    free = shutil.disk_usage(job.folder).free
    if need > free:
        raise Refused(
            f"checkpoints would take {_gigabytes(need)} and {_gigabytes(free)} is free in {job.folder}; make room, "
            "lower steps.keep, or name another folder (--out)"
        )
    return {"needed": need, "free": free}


def same_tokens(job: Job, ours: Any) -> int:
    """How many prompts were rendered as they will be when the model plays: with the tokenizer as it lies beside the
    weights, and the arguments the player's entry has. Raises TemplateMismatch.
    """
    from transformers import AutoTokenizer

    arguments = dict(job.told["base"].get("template") or {})
    theirs: Any = AutoTokenizer.from_pretrained(str(job.weights))
    compared = 0
    for messages in islice(_prompts(job), DIALOGUES):
        asked, trained = (
            list(
                one.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False, **args)
            )
            for one, args in ((theirs, arguments), (ours, job.template))
        )
        if asked != trained:
            at = next((n for n, (a, b) in enumerate(zip(asked, trained, strict=False)) if a != b), len(trained))
            raise TemplateMismatch(
                f"a prompt has other tokens in training than when the model plays, from token {at} on; give the chat "
                "template back its own form, or make the player's chat_template_kwargs those of its base"
            )
        compared += 1
    return compared


def _prompts(job: Job) -> Iterator[list[dict[str, str]]]:
    for record in datasets.records(job.log.reader(), job.told["dataset"]):
        found = record["prompt"] if "prompt" in record else record["messages"][: max(record["loss"], default=0)]
        if found:  # a seat that is told nothing before others have spoken
            yield found


def longest(trainer: Any, most: int) -> int:
    """Tokens of the longest row, at most so many; of a method that plays first, as many."""
    sizes = _sizes(trainer.train_dataset)
    return min(most, max(sizes)) if sizes and max(sizes) else most


def _sizes(rows: Any) -> list[int]:
    """Tokens of every row: of the longer side where there are two."""
    if rows is None:
        return []
    names = [name for name in rows.column_names if name.endswith("ids")]
    sides = [name for name in names if name != "prompt_ids"]
    columns = {name: [len(value or ()) for value in rows[name]] for name in names}
    before = columns.get("prompt_ids", [0] * len(rows))
    return [before[at] + max((columns[side][at] for side in sides), default=0) for at in range(len(rows))]


def dry_step(trainer: Any, method: str, batch: int, length: int) -> float:
    """Seconds that one forward and backward pass over the longest micro-batch takes; nothing is changed by it.

    Of grpo it is over as many tokens as a micro-batch may have, since its rows are yet to be played.
    """
    import torch

    model = trainer.model
    device = next(model.parameters()).device
    kept = {name: copy.deepcopy(vars(trainer)[name]) for name in COUNTERS if name in vars(trainer)}
    training = model.training
    mixed = torch.autocast(device.type, torch.bfloat16) if trainer.args.bf16 else contextlib.nullcontext()
    with _same_chance(torch):
        model.train()
        if method == "grpo":
            ids = torch.full((batch, length), int(trainer.processing_class.eos_token_id), device=device)
            inputs: dict[str, Any] = {"input_ids": ids, "labels": ids}
        else:
            sizes = _sizes(trainer.train_dataset)
            chosen = sorted(range(len(sizes)), key=sizes.__getitem__)[-batch:]
            made: Mapping[str, Any] = trainer.data_collator(_rows(trainer, chosen, batch))
            inputs = {name: value.to(device) if torch.is_tensor(value) else value for name, value in made.items()}
        began = time.perf_counter()
        with mixed:
            loss = model(**inputs).loss if method == "grpo" else trainer.compute_loss(model, inputs)
        loss.backward()
        seconds = time.perf_counter() - began
        del loss, inputs
        model.zero_grad(set_to_none=True)
    model.train(training)
    vars(trainer).update(kept)
    gc.collect()
    return seconds


def _rows(trainer: Any, chosen: Sequence[int], batch: int) -> list[dict[str, Any]]:
    rows = [dict(trainer.train_dataset[at]) for at in chosen]
    return (rows * math.ceil(batch / len(rows)))[:batch]


@contextlib.contextmanager
def _same_chance(torch: Any) -> Iterator[None]:
    """Every random generator goes on afterwards as if nothing had happened."""
    import numpy

    plain, array, state = random.getstate(), numpy.random.get_state(), torch.get_rng_state()
    cards = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    try:
        yield
    finally:
        random.setstate(plain)
        numpy.random.set_state(array)
        torch.set_rng_state(state)
        if cards:
            torch.cuda.set_rng_state_all(cards)


def light(weights: Path, rows: Mapping[str, Any], out: Path) -> dict[str, Any]:
    """What can be said without loading the model: the rows' own facts, and how much there is to load and free."""
    files = [weights] if weights.is_file() else list(weights.glob("*.safetensors"))
    place = next(one for one in (out.absolute(), *out.absolute().parents) if one.exists())
    return {
        "weights_on_disk": sum(file.stat().st_size for file in files),
        "disk_free": shutil.disk_usage(place).free,
        "leakage": held_back(rows),
    }


def held_back(facts: Mapping[str, Any]) -> dict[str, int]:
    """Validation and test material that was met while rows were chosen, and kept out: instances and dialogues."""
    leaks = facts.get("leaks", ())
    return {"instances": len(leaks), "held_back": sum(leak["perspectives"] for leak in leaks)}


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The table for people, one line each."""
    here = found["machine"]
    name = here.get("device_name") or here["device"]
    yield (
        f"{name}, {here['threads']} threads of {here['cores']} cores (load {here['load']}), {here['dtype']}, "
        + (f"{here['processes']} processes, " if here.get("processes", 1) > 1 else "")
        + f"memory allocator {here['allocator']}"
    )
    if "tokens" in found:
        trained = f", {found['trained_tokens']:,} of them trained" if "trained_tokens" in found else ""
        yield f"{found['rows']:,} rows, {found['tokens']:,} tokens{trained}, {found.get('truncated', 0):.1%} cut"
    yield from _balance(found.get("balance", {}))
    if who := found.get("spoken"):
        whole = sum(who.values())
        parts = (f"{tokens:,} {name} ({tokens / whole:.1%})" for name, tokens in who.items())
        yield f"of the trained tokens {', '.join(parts)}"
    if held := found.get("held_out", {}).get("rows"):
        yield f"{held:,} of the rows are held out, to measure by; the others are trained"
    if leaks := found.get("leakage"):
        held, instances = leaks["held_back"], leaks["instances"]
        some = f"held back as validation or test: {held:,} dialogues of {instances:,} instances"
        yield some if held else "nothing kept for validation or test is in it"
    weights = found["weights"]
    yield f"{weights['trained']:,} of {weights['all']:,} weights are trained"
    need = found["memory"]
    needed, free, peak = (_gigabytes(need[name]) for name in ("needed", "free", "peak"))
    yield f"memory: {needed} more needed, {free} free, peak so far {peak}"
    yield f"chat template: {found['template']['same_as_when_played']} prompts have the same tokens as when played"
    if "time" in found:
        after = f", without {found['time']['without']}" if found["time"]["without"] else ""
        step, whole = found["time"]["step"], found["time"]["all"] / 60
        yield f"{found['steps']:,} steps of at most about {step:.1f} s: {whole:.1f} min{after}"


def _balance(found: Mapping[str, Any]) -> Iterator[str]:
    if general := found.get("general"):
        yield f"{general:,} of the rows are general data, against forgetting"
    for name in ("cells", "kinds", "labels"):
        if counts := found.get(name):
            yield f"rows by {name.removesuffix('s')}: {', '.join(f'{one} ({rows:,})' for one, rows in counts.items())}"


def _gigabytes(number: int) -> str:
    return f"{number / 2**30:.1f} GB"
