"""When a training is ended or refused, by plain numbers."""

from __future__ import annotations

import pytest

from training import guards
from training.guards import Watchdog
from training.recipe import Guards, Recipe


def said(method, losses, **more):
    dog = Watchdog(Guards(diverged=3.0, patience=3), method)
    return next((why for at, loss in enumerate(losses, 1) if (why := dog.look(at, {"loss": loss, **more}))), "")


@pytest.mark.parametrize(
    ("losses", "told"),
    [
        ([2.0, 1.5, 1.0], ""),
        ([2.0, 7.0, 7.0, 1.0, 7.0, 7.0], ""),  # it came back
        ([2.0, 7.0, 7.0, 7.0], "above 6.00 for 3 steps at step 4, it began at 2.00"),
        ([0.01, 0.2, 0.3, 0.4, 0.5], ""),  # small losses multiply by chance
        ([2.0, float("nan")], "the loss is no number at step 2"),
        ([float("inf")], "the loss is no number at step 1"),
    ],
)
def test_what_runs_away(losses, told):
    assert told in said("sft", losses) and bool(told) == bool(said("sft", losses))


def test_the_loss_of_grpo_is_no_measure_but_must_be_a_number():
    assert said("grpo", [0.0, 9.0, 9.0, 9.0, 9.0]) == ""
    assert "no number at step 2" in said("grpo", [0.0, float("nan")])
    assert "the gradient is no number at step 1" in said("grpo", [0.0], grad_norm=float("inf"))


def test_a_reporter_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(guards.importlib.util, "find_spec", lambda name: None if name == "wandb" else object())
    guards.reporters(Recipe(report_to=("tensorboard",)))
    with pytest.raises(guards.Refused, match="wandb is not installed: pip install wandb"):
        guards.reporters(Recipe(report_to=("tensorboard", "wandb")))


def test_only_what_is_a_number_becomes_a_curve():
    assert guards.finite({"loss": 1, "kl": None, "text": "x"}) == {"loss": 1.0}
