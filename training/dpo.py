"""DPO by TRL, on pairs that come as token ids with a mask over the seat's own replies."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from training import common, preferences
from training.preferences import Row
from training.tokens import Encoded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from training.job import Job

SIDES = ("chosen", "rejected")
LOSSES = ("sigmoid", "ipo", "hinge")


def columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Rows as columns that a data set can hold."""
    return {
        f"{name}_{part}": [list(getattr(row.sides[at], part)) for row in rows]
        for at, name in enumerate(SIDES)
        for part in ("ids", "labels")
    }


def collate(examples: Sequence[Mapping[str, Any]], pad: int) -> dict[str, Any]:
    """A batch as TRL's loss takes it: all preferred sides, then all rejected ones."""
    sides = [Encoded(tuple(one[f"{side}_ids"]), tuple(one[f"{side}_labels"])) for side in SIDES for one in examples]
    return preferences.padded(sides, pad)


def prepare(job: Job, model: Any, tokenizer: Any, here: Mapping[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    """The trainer, its callback and the facts of the pre-flight table. Raises ValueError, NothingLeft, TooLong."""
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    class Tokens(DPOTrainer):
        """DPO on rows that are tokens already: TRL's own preparation would tokenise them its own way."""

        def _prepare_dataset(self, dataset: Any, *rest: Any, **more: Any) -> Any:
            return dataset

    wish = job.recipe.preference
    loss = wish.loss or "sigmoid"
    if loss not in LOSSES:
        raise ValueError(f"preference.loss {loss} is none of DPO's: take {', '.join(LOSSES)}")
    rows, facts = preferences.encode(job, tokenizer)
    trained, held = preferences.split(rows, wish.held_out, job.recipe.steps.seed)
    facts["held_out"] = told = {"rows": len(held), "instances": len({row.key for row in held})}
    pad = int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id)
    settings = DPOConfig(
        **common.arguments(job, len(trained), here),
        max_length=job.recipe.steps.max_length,
        beta=wish.beta,
        loss_type=[loss, "sft"] if wish.sft_weight else [loss],
        loss_weights=[1.0, wish.sft_weight] if wish.sft_weight else None,
        remove_unused_columns=False,
    )
    watch = common.watching(job)
    adapter = common.adapter(job.recipe, model)
    trainer = Tokens(
        model=model,
        # TRL would load it by its path, which knows nothing of an adapter that was merged
        ref_model=copy.deepcopy(model) if job.recipe.lora is None else None,
        args=settings,
        train_dataset=Dataset.from_dict(columns(trained)),
        data_collator=lambda examples: collate(examples, pad),
        processing_class=tokenizer,
        peft_config=adapter,
        callbacks=[watch, preferences.measuring(job, held, pad, told)],
    )
    return trainer, watch, facts
