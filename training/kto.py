"""KTO by TRL, on labelled replies that come as token ids with a mask over what the seat said.

The KL term wants the replies of a batch behind each other's prompts; they are turned by one place when the batch is
made, so it is the batch that decides, not the order of the file. Labels alternate as evenly as they can.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from training import common, preferences
from training.preferences import Row
from training.tokens import IGNORED, Encoded, NothingLeft

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from training.job import Job

LOSSES = ("kto", "apo_zero_unpaired")


def interleaved(rows: Sequence[Row]) -> list[Row]:
    """The rows, each kind in its order, with the rarer kind spread evenly among the other."""
    kinds = [[row for row in rows if row.good[0] is good] for good in (True, False)]
    placed = [((at + 0.5) / len(kind), n, row) for n, kind in enumerate(kinds) for at, row in enumerate(kind)]
    return [row for _, _, row in sorted(placed, key=lambda one: one[:2])]


def weights(good: int, bad: int) -> tuple[float, float]:
    """Weights of the good and the bad rows that make both kinds weigh the same; the larger kind keeps 1."""
    return (bad / good, 1.0) if good < bad else (1.0, good / bad)


def columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Rows as columns that a data set can hold."""
    return {
        "whole_ids": [list(row.sides[0].ids) for row in rows],
        "labels": [list(row.sides[0].labels) for row in rows],
        "prompt": [row.prompt for row in rows],
        "label": [row.good[0] for row in rows],
    }


def collate(examples: Sequence[Mapping[str, Any]], pad: int, length: int) -> dict[str, Any]:
    """A batch as TRL's loss takes it; with `KL_…`, each prompt before the reply of the row before it."""
    import torch

    sides = [Encoded(tuple(one["whole_ids"]), tuple(one["labels"])) for one in examples]
    before = [one["prompt"] for one in examples]
    turned: list[Encoded] = []
    for at, side in enumerate(sides):
        other, start = sides[at - 1], before[at - 1]
        prompt = side.ids[: before[at]]
        labels = (IGNORED,) * len(prompt) + other.labels[start:]
        turned.append(Encoded(prompt + other.ids[start:], labels).cut(length))
    label = torch.tensor([bool(one["label"]) for one in examples])
    return {**preferences.padded(sides, pad), **preferences.padded(turned, pad, "KL_"), "label": label}


def prepare(job: Job, model: Any, tokenizer: Any, here: Mapping[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    """The trainer, its callback and the facts of the pre-flight table. Raises ValueError, NothingLeft, TooLong."""
    from datasets import Dataset
    from trl import KTOConfig, KTOTrainer

    class Tokens(KTOTrainer):
        """KTO on rows that are tokens already: TRL's own preparation would tokenise them its own way."""

        def _prepare_dataset(self, dataset: Any, *rest: Any, **more: Any) -> Any:
            return dataset

    wish, steps = job.recipe.preference, job.recipe.steps
    loss = wish.loss or "kto"
    if loss not in LOSSES:
        raise ValueError(f"preference.loss {loss} is none of KTO's: take {', '.join(LOSSES)}")
    if loss == "kto" and steps.batch < 2:
        raise ValueError("KTO compares the replies of a batch with each other: set steps.batch to 2 or more")
    rows, facts = preferences.encode(job, tokenizer)
    trained, held = preferences.split(rows, wish.held_out, steps.seed)
    trained = interleaved(trained)
    good = sum(row.good[0] for row in trained)
    if not 0 < good < len(trained):
        only = "good" if good else "bad"
        raise NothingLeft(f"all {len(trained)} rows left for training are {only}; lower preference.held_out or widen")
    desirable, undesirable = weights(good, len(trained) - good)
    facts |= {
        "labels": {"good": good, "bad": len(trained) - good},
        "weights": {"good": round(desirable, 4), "bad": round(undesirable, 4)},
    }
    facts["held_out"] = told = {"rows": len(held), "instances": len({row.key for row in held})}
    pad = int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id)
    settings = KTOConfig(
        **common.arguments(job, len(trained), here),
        max_length=steps.max_length,
        beta=wish.beta,
        loss_type=loss,
        desirable_weight=desirable,
        undesirable_weight=undesirable,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
    )
    watch = common.watching(job)
    trainer = Tokens(
        model=model,
        # TRL would load it by its path, which knows nothing of an adapter that was merged
        ref_model=copy.deepcopy(model) if job.recipe.lora is None else None,
        args=settings,
        train_dataset=Dataset.from_dict(columns(trained)),
        data_collator=lambda examples: collate(examples, pad, steps.max_length),
        processing_class=tokenizer,
        peft_config=common.adapter(job.recipe, model),
        callbacks=[watch, preferences.measuring(job, held, pad, told)],
    )
    return trainer, watch, facts
