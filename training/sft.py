"""Supervised training by TRL: rows come as token ids and labels, so that what carries loss is ours to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from store import datasets
from training import common
from training.tokens import Encoded, NothingLeft, Template, TooLong

if TYPE_CHECKING:
    from collections.abc import Mapping

    from training.job import Job


def encode(job: Job, tokenizer: Any) -> tuple[list[Encoded], dict[str, Any]]:
    """All rows as tokens, and the facts of the pre-flight table. Raises TooLong, NothingLeft, TemplateMismatch."""
    template, limits = Template(tokenizer, **job.template), job.recipe.steps
    rows: list[Encoded] = []
    cut = empty = 0
    for record in datasets.records(job.log.reader(), job.told["dataset"]):
        whole = template.encode(record["messages"], record["loss"])
        kept = whole.cut(limits.max_length)
        cut += kept is not whole
        if kept.trained:
            rows.append(kept)
        else:
            empty += 1
    if not rows:
        raise NothingLeft("every row is cut before its first trained token; raise steps.max_length")
    lengths = sorted(len(row.ids) for row in rows)
    facts = {
        "rows": len(rows),
        "tokens": sum(lengths),
        "trained_tokens": sum(row.trained for row in rows),
        "longest": lengths[-1],
        "median": lengths[len(lengths) // 2],
        "truncated": round(cut / (len(rows) + empty), 4),
        "dropped": empty,
    }
    if facts["truncated"] > limits.truncated:
        raise TooLong(facts["truncated"], limits.max_length, limits.truncated)
    return rows, facts


def prepare(job: Job, model: Any, tokenizer: Any, here: Mapping[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    """The trainer, its callback and the facts of the pre-flight table."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    rows, facts = encode(job, tokenizer)
    data: Any = Dataset.from_dict(
        {"input_ids": [list(row.ids) for row in rows], "labels": [list(row.labels) for row in rows]}
    )
    settings = SFTConfig(**common.arguments(job, len(rows), here), max_length=job.recipe.steps.max_length)
    watch = common.watching(job)
    trainer = SFTTrainer(
        model=model,
        args=settings,
        train_dataset=data,
        processing_class=tokenizer,
        peft_config=common.adapter(job.recipe, model),
        callbacks=[watch],
    )
    return trainer, watch, facts
