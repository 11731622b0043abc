"""What DPO and KTO share: rows as tokens with a mask over what the seat itself said, and margins on held-out instances.

TRL would train everything behind the prompt. In a dialogue that holds the game master's words too, so rows come with
their own mask and TRL's own tokenising is left out. The reference is the model as it began: what it gave the held-out
rows is written down before the first step, and every later measure is against that.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from store import datasets
from training.tokens import IGNORED, Encoded, NothingLeft, Template, TooLong

if TYPE_CHECKING:
    from training.job import Job

DRAWS = 2000
"""Of the bootstrap over instances."""
REFERENCE = "held_out.json"
"""In the training's folder: log-probabilities of the held-out rows under the model one began with."""


@dataclass(frozen=True, slots=True)
class Row:
    """A pair (`sides` preferred, rejected), or one labelled continuation; `key` is the content of its instance."""

    key: str
    sides: tuple[Encoded, ...]
    good: tuple[bool, ...]
    prompt: int
    """How many tokens stand before the continuation."""


def encode(job: Job, tokenizer: Any) -> tuple[list[Row], dict[str, Any]]:
    """All rows as tokens, and facts about them. Raises TooLong, NothingLeft, TemplateMismatch."""
    template, limits = Template(tokenizer, **job.template), job.recipe.steps
    reader, dataset = job.log.reader(), str(job.told["dataset"])
    rows: list[Row] = []
    cut = empty = 0
    for record, key in zip(datasets.records(reader, dataset), datasets.keys(reader, dataset), strict=True):
        row = encoded(record, template, key)
        kept = Row(key, tuple(side.cut(limits.max_length) for side in row.sides), row.good, row.prompt)
        cut += kept != row
        if all(side.trained for side in kept.sides):
            rows.append(kept)
        else:
            empty += 1
    if not rows:
        raise NothingLeft("every row is cut before its first trained token; raise steps.max_length")
    lengths = sorted(len(side.ids) for row in rows for side in row.sides)
    share = round(cut / (len(rows) + empty), 4)
    if share > limits.truncated:
        raise TooLong(share, limits.max_length, limits.truncated)
    return rows, {
        "rows": len(rows),
        "tokens": sum(lengths),
        "trained_tokens": sum(side.trained for row in rows for side in row.sides),
        "longest": lengths[-1],
        "median": lengths[len(lengths) // 2],
        "truncated": share,
        "dropped": empty,
    }


def encoded(record: Mapping[str, Any], template: Template, key: str = "") -> Row:
    """One record of a data set (`store.datasets.records`) as tokens. Raises TemplateMismatch."""
    before: list[dict[str, str]] = record["prompt"]
    start = len(before)
    prompt = len(template.ids(before, ask=True))
    if "completion" in record:
        side = template.encode([*before, *record["completion"]], record["loss"])
        return Row(key, (side,), (bool(record["label"]),), prompt)
    chosen = template.encode([*before, *record["chosen"]], record["loss"])
    against = [start + at for at, message in enumerate(record["rejected"]) if message["role"] == "assistant"]
    rejected = template.encode([*before, *record["rejected"]], against)
    return Row(key, (chosen, rejected), (True, False), prompt)


def split(rows: Sequence[Row], share: float, seed: int) -> tuple[list[Row], list[Row]]:
    """Rows to train on, and those of the held-out instances: `share` of the instances, at least one of several."""
    keys = sorted({row.key for row in rows})
    many = min(len(keys) - 1, max(1, round(share * len(keys)))) if share > 0 else 0
    held = set(Random(f"held out:{seed}").sample(keys, many))
    return [row for row in rows if row.key not in held], [row for row in rows if row.key in held]


def padded(sides: Sequence[Encoded], pad: int, prefix: str = "") -> dict[str, Any]:
    """Tensors of shape (sides, longest): `input_ids`, `attention_mask`, `completion_mask`."""
    import torch

    longest = max(len(side.ids) for side in sides)
    ids = torch.full((len(sides), longest), pad, dtype=torch.long)
    seen, loss = torch.zeros_like(ids), torch.zeros_like(ids)
    for at, side in enumerate(sides):
        long = len(side.ids)
        ids[at, :long] = torch.tensor(side.ids)
        seen[at, :long] = 1
        loss[at, :long] = torch.tensor([int(label != IGNORED) for label in side.labels])
    return {f"{prefix}input_ids": ids, f"{prefix}attention_mask": seen, f"{prefix}completion_mask": loss}


def margins(rows: Sequence[Row], rewards: Sequence[Sequence[float]], seed: int = 0) -> dict[str, Any]:
    """Mean reward of the good and of the bad sides, their difference, and its 95% interval over instances.

    `rewards` has one number a side. The interval is None with fewer than two instances, and
    where one kind is missing.
    """
    import numpy as np

    by: dict[str, list[float]] = {}
    for row, some in zip(rows, rewards, strict=True):
        sums = by.setdefault(row.key, [0.0, 0.0, 0.0, 0.0])
        for good, reward in zip(row.good, some, strict=True):
            sums[0 if good else 2] += reward
            sums[1 if good else 3] += 1
    table = np.array(list(by.values()))

    def means(sums: Any) -> Any:
        with np.errstate(invalid="ignore"):
            return sums[..., 0] / sums[..., 1], sums[..., 2] / sums[..., 3]

    good, bad = means(table.sum(axis=0))
    told: dict[str, Any] = {"rewards/chosen": float(good), "rewards/rejected": float(bad)}
    told |= {"rewards/margins": float(good - bad), "instances": len(by), "interval": None}
    if len(by) > 1 and math.isfinite(good - bad):
        draws = table[np.random.default_rng(seed).integers(0, len(by), (DRAWS, len(by)))].sum(axis=1)
        one, two = means(draws)
        low, high = np.nanpercentile(one - two, [2.5, 97.5])
        told["interval"] = [float(low), float(high)]
    pairs = [some for some in rewards if len(some) == 2]
    if pairs:
        told["rewards/accuracies"] = sum(one > two for one, two in pairs) / len(pairs)
    return told


def measuring(job: Job, rows: Sequence[Row], pad: int, told: dict[str, Any]) -> Any:
    """A callback that measures held-out rows before the first step, at each save and at the end.

    Curves `eval/rewards/…` go into the log; `told`, which stands in the facts of the training, gets `before` and
    `after`.
    """
    from transformers import TrainerCallback

    class Measuring(TrainerCallback):
        """Margins of held-out rows."""

        at = -1

        def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **more: Any) -> None:
            """Write down what the model one began with gives them; a resumed training has it already."""
            if not rows or not state.is_world_process_zero:
                return
            if not (job.folder / REFERENCE).is_file():
                began = log_probabilities(model, rows, pad, job.recipe.steps.batch)
                (job.folder / REFERENCE).write_text(json.dumps(began), encoding="utf-8")
            told["before"] = self._measure(0, self._began())

        def on_save(self, args: Any, state: Any, control: Any, model: Any = None, **more: Any) -> None:
            """A checkpoint's margins."""
            if state.is_world_process_zero:
                self._now(model, int(state.global_step))

        def on_train_end(self, args: Any, state: Any, control: Any, model: Any = None, **more: Any) -> None:
            """Those of what came out."""
            if state.is_world_process_zero:
                self._now(model, int(state.global_step))

        def _now(self, model: Any, step: int) -> None:
            if rows and step != self.at:
                self.at = step
                told["after"] = self._measure(step, log_probabilities(model, rows, pad, job.recipe.steps.batch))

        def _began(self) -> list[list[float]]:
            return json.loads((job.folder / REFERENCE).read_text(encoding="utf-8"))

        def _measure(self, step: int, now: list[list[float]]) -> dict[str, Any]:
            beta = job.recipe.preference.beta
            rewards = [
                [beta * (new - old) for new, old in zip(one, two, strict=True)]
                for one, two in zip(now, self._began(), strict=True)
            ]
            found = margins(rows, rewards, job.recipe.steps.seed)
            pairs = [some for some in now if len(some) == 2]
            if pairs:
                found["likelier"] = sum(one > two for one, two in pairs) / len(pairs)
            curves = {f"eval/{name}": value for name, value in found.items() if isinstance(value, float)}
            job.measure(curves, step)
            return {name: None if isinstance(v, float) and math.isnan(v) else v for name, v in found.items()}

    return Measuring()


def log_probabilities(model: Any, rows: Sequence[Row], pad: int, batch: int) -> list[list[float]]:
    """Summed log-probability of what carries loss, for each side of each row, as the model is now."""
    import torch

    sides = [side for row in rows for side in row.sides]
    sums: list[float] = []
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            for at in range(0, len(sides), batch):
                made = {name: t.to(model.device) for name, t in padded(sides[at : at + batch], pad).items()}
                mask = made.pop("completion_mask")[:, 1:]
                logits = model(**made, use_cache=False).logits[:, :-1]
                # one side after the other: log-probabilities of a whole batch over the vocabulary take gigabytes
                for scores, ids, carries in zip(logits, made["input_ids"][:, 1:], mask, strict=True):
                    kept = carries.bool()
                    chosen = scores[kept].float().log_softmax(-1).gather(-1, ids[kept].unsqueeze(-1))
                    sums.append(float(chosen.sum()))
    finally:
        model.train(training)
    found = iter(sums)
    return [[next(found) for _ in row.sides] for row in rows]
