"""Recipes: everything that makes a training what it is, as TOML. Presets lie beside this file, `recipes/*.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from games import catalog
from games.catalog import nearest
from training.pairs import Mining
from training.selection import Selection

Method: TypeAlias = Literal["sft", "dpo", "kto", "grpo"]
FROZEN = "frozen"
"""As a partner: the learner as it was at the beginning."""


class BadRecipe(ValueError):
    """A recipe cannot be used; the message names the field and what to mend."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Lora(_Part):
    """The adapter. Embeddings are never trained with it: on tied embeddings that unties them and ruins the model."""

    rank: int = Field(default=16, ge=1, le=512)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: str | tuple[str, ...] = "all-linear"
    modules_to_save: tuple[str, ...] = ()
    """Modules that are trained whole beside the adapter, and saved with it."""
    quantize: Literal["nf4"] | None = None
    """Keep the frozen weights in four bits (QLoRA): needs bitsandbytes, and pays on a CUDA device."""


class Steps(_Part):
    """How long and how fast. `steps` wins over `epochs`."""

    learning_rate: float = Field(default=2e-4, gt=0, allow_inf_nan=False)
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    warmup: float = Field(default=0.03, ge=0, lt=1)
    """Share of the steps in which the rate rises."""
    batch: int = Field(default=4, ge=1)
    accumulate: int = Field(default=1, ge=1)
    epochs: float = Field(default=1.0, gt=0)
    steps: int | None = Field(default=None, ge=1)
    max_length: int = Field(default=1024, ge=8)
    """Tokens of a row; longer ones are cut at the end."""
    truncated: float = Field(default=0.05, ge=0, le=1)
    """Share of the rows that may be cut; above it the training is refused."""
    weight_decay: float = Field(default=0.0, ge=0)
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of a gradient."""
    save_every: int = Field(default=50, ge=1)
    keep: int = Field(default=2, ge=1)
    """How many checkpoints stay; older ones are removed."""
    seed: int = Field(default=0, ge=0, lt=2**32)


class Machine(_Part):
    """Where it runs; `auto` takes what this machine does best, and the job says what that was."""

    threads: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    processes: int = Field(default=1, ge=1)
    """Several share the work, each with its own copy of the model; every one takes `steps.batch` rows."""
    accelerate: str = ""
    """A configuration file of accelerate, or `deepspeed` or `fsdp`, which lie beside this program."""


class Guards(_Part):
    """When a training is refused, or ended by itself."""

    diverged: float = Field(default=3.0, gt=1)
    """It ends where the loss stays above so many times the first loss …"""
    patience: int = Field(default=8, ge=1)
    """… for so many steps."""
    memory: float = Field(default=0.95, ge=0)
    """Share of the free memory that it may be estimated to need; 0 lets it begin whatever the estimate."""
    dry_step: bool = True
    """Measure one forward and backward pass before the first step."""


class Rehearsal(_Part):
    """General dialogues beside those of the log."""

    path: str
    share: float = Field(gt=0, lt=1)


class Preference(_Part):
    """What DPO and KTO make of pairs and labels."""

    beta: float = Field(default=0.1, gt=0)
    """How dear it is to leave the model one began with."""
    loss: Literal["sigmoid", "ipo", "hinge", "kto", "apo_zero_unpaired"] | None = None
    """None takes the method's own: sigmoid for DPO, kto for KTO."""
    sft_weight: float = Field(default=0.0, ge=0)
    """DPO: weight of the likelihood of the preferred side beside the preference, against likelihood displacement."""
    judged: Literal["with", "only", "without"] = "with"
    """Pairs, corrections and labels by people: beside what the games say themselves, alone, or not at all."""
    judges: Literal["people", "models", "all"] = "people"
    """Whose judgements: models that judge count only where they are asked for."""
    held_out: float = Field(default=0.1, ge=0, lt=1)
    """Share of the instances whose rows only measure margins and are not trained on."""


class Check(_Part):
    """What every checkpoint plays, on validation instances, each role beside somebody else."""

    instances: int = Field(default=4, ge=0)
    """Of each game and role; 0 plays nothing."""
    games: tuple[str, ...] = ()
    """Empty takes the games of the rows."""
    held_out: tuple[str, ...] | None = None
    """Games that are not trained; None takes one of another family."""
    opponent: Literal["bot", "frozen"] = "bot"
    """`frozen` is the model one began with, its adapter included where it had one."""
    max_tokens: int = Field(default=64, ge=1)
    """Of a reply."""


class Reward(_Part):
    """What a rollout is worth to the learner, 0 to 1: the mean of these, weighted. An aborted one is worth nothing."""

    score: float = Field(default=1.0, ge=0)
    """The game's own reward of the role."""
    credit: float = Field(default=0.0, ge=0)
    """What its turns were worth by the game's arithmetic, on average; the score where the game does not say."""
    format: float = Field(default=0.0, ge=0)
    """Share of its turns that were legal."""
    length: float = Field(default=0.0, ge=0)
    """Share of `rollouts.tokens` that its turns left unused, on average."""
    novelty: float = Field(default=0.0, ge=0)
    """Share of its turns that it had not said before."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.score + self.credit + self.format + self.length + self.novelty:
            raise ValueError("all weights are 0, so nothing would be worth anything")
        return self


class Rollouts(_Part):
    """How GRPO plays: `selection.roles` says which seats the learner takes, `steps.max_length` how many tokens a
    rollout has at most, and `steps.batch` times `steps.accumulate` how many rollouts a step has.
    """

    group: int = Field(default=8, ge=2)
    """Rollouts of one decision point, which are compared with each other."""
    partner: str = FROZEN
    """Who takes the other seats: `frozen`, the learner as it was at the beginning, or any player's spec."""
    source: Literal["auto", "log", "catalog", "branches"] = "auto"
    """Where decision points come from: episodes that fit the filters, instances for training of the games, the second
    where there are none of the first (`auto`), or turns of fitting episodes at which candidates were played on."""
    points: int | None = Field(default=None, ge=1)
    """How many there are at most."""
    unseen: bool = False
    """Leave out content that the learner, or whoever it was trained from, was trained on."""
    tokens: int = Field(default=64, ge=1)
    """Tokens of one turn of the learner, at most."""
    partner_tokens: int = Field(default=64, ge=1)
    """Tokens of one turn of a frozen partner, at most."""
    turns: int | None = Field(default=None, ge=1)
    """Turns of the learner, at most; a rollout that would be longer ends there and is worth nothing."""
    temperature: float = Field(default=1.0, gt=0)
    beta: float = Field(default=0.0, ge=0)
    """How dear it is to leave the model one began with."""
    loss: Literal["dapo", "grpo", "bnpo", "dr_grpo"] = "dapo"
    scale: Literal["group", "batch", "none"] = "group"
    """What advantages are divided by: the spread of the group, of the step, or nothing."""
    engine: Literal["transformers", "vllm-colocate", "vllm-server"] = "transformers"
    server: str = ""
    """Address of the server of `vllm-server`."""
    reward: Reward = Reward()


_ROWS = ("keep", "min_score", "unit", "illegal", "models", "balance", "grow", "dedupe", "limit")
_OTHERS: Mapping[Method, Sequence[str]] = {"kto": ("unit",), "dpo": _ROWS, "grpo": _ROWS}
"""Fields of the selection that a method has no use for: said, for who sets one expects something of it."""


class Recipe(_Part):
    """One way to train."""

    method: Method = "sft"
    about: str = ""
    selection: Selection = Selection()
    mining: Mining = Mining()
    """Of dpo: which pairs."""
    preference: Preference = Preference()
    rollouts: Rollouts = Rollouts()
    """Of grpo: who plays with whom, and what for."""
    rehearsal: Rehearsal | None = None
    lora: Lora | None = Lora()
    """None, in TOML `lora = false`, trains all weights."""
    steps: Steps = Steps()
    machine: Machine = Machine()
    guards: Guards = Guards()
    check: Check = Check()
    report_to: tuple[Literal["tensorboard", "trackio", "wandb"], ...] = ()
    """Who else gets the curves."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.selection.mix and self.method != "sft":
            raise ValueError(f"a mix (selection.mix, --mix) chooses turns for sft, and this is {self.method}")
        for name in _OTHERS.get(self.method, ()):
            if getattr(self.selection, name) != Selection.model_fields[name].get_default():
                instead = {"dpo": "mining", "grpo": "rollouts"}.get(self.method, "preference")
                raise ValueError(f"selection.{name} is not for {self.method}: leave it out; {instead} has its settings")
        if self.method == "kto" and self.selection.keep == "all":
            raise ValueError("selection.keep = all leaves kto nothing bad to learn from: take success or score")
        named = (*self.check.games, *(self.check.held_out or ()))
        if unknown := [game for game in named if game not in catalog.names()]:
            raise ValueError(f"check: no game {unknown[0]!r}; {nearest(unknown[0], catalog.names())}")
        return self

    @field_validator("lora", mode="before")
    @classmethod
    def _whole(cls, lora: Any) -> Any:
        return None if lora is False else lora


def names() -> list[str]:
    """The presets."""
    return sorted(file.name.removesuffix(".toml") for file in files("training").joinpath("recipes").iterdir())


def load(wish: str, method: Method, changes: Mapping[str, Any] | None = None) -> Recipe:
    """A preset (`smoke` means `smoke-sft` for sft) or a file, with `changes` laid over it. Raises BadRecipe."""
    path = Path(wish)
    try:
        if path.suffix == ".toml":
            text = path.read_text(encoding="utf-8")
        else:
            known = names()
            name = next((one for one in (f"{wish}-{method}", wish) if one in known), None)
            if name is None:
                raise BadRecipe(f"no recipe {wish!r}; {nearest(wish, known)} (the name of a file ends in .toml)")
            text = files("training").joinpath("recipes", f"{name}.toml").read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise BadRecipe(f"{wish} cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise BadRecipe(f"{wish} is no TOML: {error}") from error
    return checked(_laid({**data, "method": data.get("method", method)}, changes or {}), wish)


def checked(data: Mapping[str, Any], wish: str = "the recipe") -> Recipe:
    """The recipe of this table. Raises BadRecipe naming the first field that will not do."""
    try:
        return Recipe.model_validate(dict(data))
    except ValidationError as error:
        first = error.errors()[0]
        path = [str(part) for part in first["loc"]]
        said = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            said = f"there is no such field; {nearest(path[-1], _fields(path[:-1]))}"
        raise BadRecipe(": ".join(filter(None, (wish, ".".join(path), said)))) from error


def _fields(path: Sequence[str]) -> list[str]:
    """The fields of a part of a recipe."""
    part: Any = Recipe()
    for name in path:
        part = getattr(part, name, None)
    return list(type(part).model_fields) if isinstance(part, BaseModel) else []


def _laid(data: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(data)
    for key, value in changes.items():
        old: Any = found.get(key)
        found[key] = _laid(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return found
