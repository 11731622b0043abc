"""What ends a training by itself, and what is refused before it begins: rules over plain numbers and names."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping
from typing import Any

from training.recipe import Guards, Method, Recipe

FLOOR = 0.5
"""A first loss below this counts as this: small losses multiply by chance."""
PACKAGES: Mapping[str, str] = {"tensorboard": "tensorboard", "trackio": "trackio", "wandb": "wandb"}


class Refused(ValueError):
    """The training cannot begin, or must end; the message says why and what to do."""


class Diverged(RuntimeError):
    """The loss or its gradient went where no training comes back from; the message names the step."""


def finite(values: Mapping[str, Any]) -> dict[str, float]:
    """Those of a trainer's values that are numbers, by name; what is not finite stays, to be seen."""
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}


class Watchdog:
    """Looks at every line of the curves. The loss of `grpo` is no measure of progress, so only its being a number
    counts there.
    """

    def __init__(self, guards: Guards, method: Method) -> None:
        self.guards = guards
        self.rises = method != "grpo"
        self.first: float | None = None
        self.above = 0

    def look(self, step: int, values: Mapping[str, float]) -> str:
        """Why the training must end at this step, as a sentence; empty where it may go on."""
        for name, called in (("loss", "the loss"), ("grad_norm", "the gradient")):
            if name in values and not math.isfinite(values[name]):
                return f"{called} is no number at step {step}; lower steps.learning_rate or steps.clip, and train anew"
        loss = values.get("loss")
        if loss is None or not self.rises:
            return ""
        if self.first is None:
            self.first = loss
        most = self.guards.diverged * max(self.first, FLOOR)
        self.above = self.above + 1 if loss > most else 0
        if self.above < self.guards.patience:
            return ""
        return (
            f"the loss has been above {most:.2f} for {self.above} steps at step {step}, it began at {self.first:.2f}; "
            "lower steps.learning_rate, or raise guards.diverged"
        )


def reporters(recipe: Recipe) -> None:
    """Raises Refused where a package that the curves shall go to is missing."""
    for name in recipe.report_to:
        if importlib.util.find_spec(PACKAGES[name]) is None:
            raise Refused(f"{name} is not installed: pip install {PACKAGES[name]}, or leave --report-to {name} out")


def adapter(recipe: Recipe, model: Any) -> None:
    """Raises Refused where the adapter of a recipe names modules that this model lacks, or that it must not train."""
    lora = recipe.lora
    if lora is None:
        return
    names = [name for name, _ in model.named_modules() if name]
    wished = [] if isinstance(lora.targets, str) else list(lora.targets)
    for field, listed in (("lora.targets", wished), ("lora.modules_to_save", list(lora.modules_to_save))):
        for wish in listed:
            if not any(name == wish or name.endswith(f".{wish}") for name in names):
                last = sorted({name.rpartition(".")[2] for name in names if not name.rpartition(".")[2].isdigit()})
                raise Refused(f"{field}: the model has no module {wish!r}; it has {', '.join(last[:12])}")
    if not getattr(model.config, "tie_word_embeddings", False):
        return
    ends = {id(model.get_input_embeddings()), id(model.get_output_embeddings())}
    for wish in (*lora.modules_to_save, *wished):
        if any(
            id(module) in ends for name, module in model.named_modules() if name == wish or name.endswith(f".{wish}")
        ):
            raise Refused(
                f"{wish!r} cannot be trained with an adapter: input and output of this model share one matrix, which "
                "training a copy of one would tear apart; leave it out of lora.modules_to_save and lora.targets"
            )
