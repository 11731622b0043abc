"""Recipes: presets load, changes lie over them, and what will not do is named."""

from __future__ import annotations

import pytest

from training.recipe import BadRecipe, checked, load, names


@pytest.mark.parametrize("name", names())
def test_every_preset_loads_and_says_what_it_is_for(name):
    recipe = load(name, "sft")
    assert len(recipe.about) > 20 and recipe.steps.learning_rate > 0


def test_short_names_and_changes():
    assert load("smoke", "sft") == load("smoke-sft", "sft")
    changed = load("smoke", "sft", {"steps": {"steps": 3}, "selection": {"keep": "all"}})
    assert changed.steps.steps == 3 and changed.steps.batch == 4 and changed.selection.keep == "all"


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[steps]\nbatch = 2\n[lora]\nrank = 4\n")
    assert load(str(path), "sft").steps.batch == 2
    path.write_text("not toml")
    with pytest.raises(BadRecipe, match="is no TOML"):
        load(str(path), "sft")
    with pytest.raises(BadRecipe, match="cannot be read"):
        load(str(tmp_path / "none.toml"), "sft")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"steps": {"batch": 0}}, "steps.batch"),
        ({"lora": {"embeddings": True}}, "lora.embeddings"),
        ({"selection": {"mix": {"human": 0.5}}}, "must add up to 1"),
        ({"selection": {"mix": {"human": float("nan"), "synthetic": 1.0}}}, "must add up to 1"),
        ({"method": "ppo"}, "method"),
        ({"method": "dpo", "selection": {"limit": 2}}, "selection.limit is not for dpo: leave it out; mining has"),
        ({"method": "grpo", "selection": {"balance": ["role"]}}, "selection.balance is not for grpo"),
        ({"method": "kto", "selection": {"unit": "turn"}}, "selection.unit is not for kto"),
        ({"method": "kto", "selection": {"keep": "all"}}, "leaves kto nothing bad to learn from"),
        ({"steps": {"learnin_rate": 1}}, "steps.learnin_rate: there is no such field; did you mean learning_rate"),
        ({"stepz": {}}, "stepz: there is no such field; did you mean steps"),
        ({"steps": {"seed": -1}}, "steps.seed"),
        ({"steps": {"learning_rate": float("inf")}}, "steps.learning_rate"),
        ({"machine": {"threads": 0}}, "machine.threads"),
        ({"check": {"held_out": ["tabo"]}}, "check: no game 'tabo'; did you mean taboo"),
        ({"method": "dpo", "selection": {"mix": {"human": 1.0}}}, r"a mix .* chooses turns for sft, and this is dpo"),
    ],
)
def test_what_will_not_do_is_named(data, told):
    with pytest.raises(BadRecipe, match=told):
        checked(data)
    with pytest.raises(BadRecipe, match="no recipe 'smok'; did you mean smoke-sft"):
        load("smok", "sft")


def test_all_weights_are_trained_where_the_adapter_is_switched_off():
    assert checked({"lora": False}).lora is None and checked({}).lora is not None
