"""GRPO by TRL: the learner plays while it learns, several rollouts of each decision point, through the games' engine.

All that touches TRL's rollout hook, which is marked experimental, is here. Rollouts land in the log as episodes of the
training's run.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any

from players.base import Identity
from players.batch import Waiting
from players.opening import Table
from players.ports import Place
from players.registry import Registry
from store.ids import new_id
from training import common
from training.decisions import Decision, load
from training.generation import Beginning
from training.guards import Refused, finite
from training.partners import Frozen, Loop, Partner, Sampled, Seated
from training.recipe import FROZEN
from training.rewards import Trends
from training.rollouts import Playing, Rollout, counted, flat, record
from training.tokens import Template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from training.job import Job
    from training.recipe import Recipe


def check(recipe: Recipe) -> None:
    """Raises Refused, in one sentence, for a recipe that cannot be rolled out; loads no model."""
    steps, wish = recipe.steps, recipe.rollouts
    rollouts = steps.batch * steps.accumulate
    if rollouts % wish.group:
        raise Refused(
            f"steps.batch times steps.accumulate are {rollouts} rollouts a step, which makes no whole groups of "
            f"{wish.group}; change one of them, or rollouts.group"
        )
    if recipe.lora is not None and recipe.lora.dropout:
        raise Refused("lora.dropout must be 0 with grpo, since the learner plays with the very weights that learn")
    if wish.engine == "transformers":
        return
    if importlib.util.find_spec("vllm") is None:
        raise Refused(f"rollouts.engine = {wish.engine} needs vllm: make train-gpu, or take transformers")
    if wish.partner == FROZEN:
        raise Refused(f"a frozen partner plays in transformers alone, not in {wish.engine}; name another partner")
    if wish.engine == "vllm-server" and not wish.server:
        raise Refused("rollouts.server is missing: the address of the server that trl vllm-serve started")


class Weights:
    """Samples with the trainer's own model, or with the weights as they were when this was made."""

    def __init__(self, trainer: Any, partner_tokens: int) -> None:
        self.trainer = trainer
        self.partner_tokens = partner_tokens
        self.beginning: Beginning | None = None

    def keep(self) -> None:
        """Remember the trained weights as they are now."""
        self.beginning = Beginning(self.trainer.model)

    def sample(self, wave: Sequence[Waiting], prompts: Sequence[Sequence[int]], seed: int, *, frozen: bool) -> Sampled:
        """One batched call; the process's own random generators go on as if it had not been."""
        import torch

        with torch.random.fork_rng(), self._past() if frozen else _nothing():
            torch.manual_seed(seed)
            rows = [list(one) for one in prompts]
            return self.trainer._generate_single_turn(rows, None, {}, num_generations=1)

    @contextmanager
    def _past(self) -> Iterator[None]:
        assert self.beginning is not None
        config = self.trainer.generation_config
        tokens, config.max_new_tokens = config.max_new_tokens, self.partner_tokens
        try:
            with self.beginning.back():
                yield
        finally:
            config.max_new_tokens = tokens

    def text(self, ids: Sequence[int]) -> str:
        """What a reply says, without the tokens that end it."""
        return self.trainer.processing_class.decode(list(ids), skip_special_tokens=True)


SPOILED = 3
"""Steps in a row of which partners leave nothing, after which a training ends."""


@contextmanager
def _nothing() -> Iterator[None]:
    yield


class Rolling:
    """TRL's rollout function: plays a step's rollouts, writes them down, hands over tokens and what they are worth."""

    def __init__(self, job: Job, points: Sequence[Decision]) -> None:
        self.job, self.points = job, points
        self.loop = Loop()
        self.run = str(job.told["run"])
        sql = "SELECT slot FROM episodes WHERE run_id = ? AND slot IS NOT NULL"
        self.written = {slot for (slot,) in job.log.reader().execute(sql, (self.run,))}
        self.values: dict[str, float] = {}
        self.fault = ""
        """Why partners spoiled half of the last step's rollouts or more."""
        self.spoiled = 0
        """Steps up to now, one after the other, of which they left nothing."""
        self.flat = 0.0
        """Share of the last step's groups that teach nothing."""
        self.began = self.ours = 0.0
        self.playing: Playing | None = None
        self.partner: Partner | None = None

    def learner(self, step: int) -> Identity:
        """Who plays at this step: the weights change, so each has its own."""
        wish = self.job.recipe.rollouts
        sampling = {"temperature": wish.temperature, "max_tokens": wish.tokens}
        return Identity("model", str(self.job.told["name"]), f"{self.job.training} step {step}", "", sampling)

    def __call__(self, prompts: Sequence[str], trainer: Any) -> dict[str, Any]:
        """A rollout for each prompt, which is the number of a decision point."""
        playing = self.playing
        assert playing is not None
        self.began = time.perf_counter()
        generated = playing.generating
        step = int(trainer.state.global_step)
        rollouts = playing.begin([self.points[int(number)] for number in prompts], step)
        playing.play(rollouts, self.learner(step), step)
        columns = playing.columns(rollouts)
        if self.job.main:
            self.loop.run(self._record(rollouts, step))
        if self.job.recipe.rollouts.engine == "transformers":
            columns["logprobs"] = None
        generating = playing.generating - generated
        self.ours = time.perf_counter() - self.began - generating
        faults = [one.fault for one in rollouts if one.fault]
        self.fault = f"{len(faults)} of {len(rollouts)}: {faults[0]}" if 2 * len(faults) >= len(rollouts) else ""
        self.spoiled = self.spoiled + 1 if len(faults) == len(rollouts) else 0
        self.flat = flat(columns["worth"], self.job.recipe.rollouts.group)
        self.values = {**counted(rollouts, columns["worth"]), "rollouts/generating": generating}
        return columns

    async def _record(self, rollouts: Sequence[Rollout], step: int) -> None:
        """Side by side; what a killed process has written of this step already stays as it is."""
        wish, learner = self.job.recipe.rollouts, self.learner(step)
        groups: dict[tuple[int, int], str] = {}
        work: list[Coroutine[Any, Any, str]] = []
        for at, one in enumerate(rollouts):
            slot = step * len(rollouts) + at
            group = groups.setdefault((one.decision.number, one.number // wish.group), new_id())
            if slot not in self.written:
                self.written.add(slot)
                place = Place(self.run, slot, group)
                work.append(record(self.job.log.recorder, one, learner, self._seat(one), place))
        await asyncio.gather(*work)

    def _seat(self, one: Rollout) -> Any:
        partner = self.partner
        assert partner is not None
        return lambda role: partner.identity(Waiting(0, one.start, role))

    def close(self) -> None:
        """Close what partners hold."""
        if isinstance(self.partner, Seated):
            self.loop.run(self.partner.table.aclose())
        self.loop.close()


def order(points: int, many: int, seed: int) -> list[int]:
    """Which decision point comes when, for all steps: pass after pass over all of them, each in an order of its own.

    The trainer's own shuffling begins anew in a process that resumes, and would play other points than the one before.
    """
    found: list[int] = []
    while len(found) < many:
        numbers = list(range(points))
        Random(f"points:{seed}:{len(found)}").shuffle(numbers)
        found += numbers
    return found[:many]


def worth(prompts: Sequence[str], completions: Sequence[str], **more: Any) -> list[float | None]:
    """TRL's reward function: what the rollouts said they were worth; None leaves one out of its group's mean."""
    return list(more["worth"])


def prepare(job: Job, model: Any, tokenizer: Any, here: Mapping[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    """The trainer, its callback and the facts of the pre-flight table. Raises Refused, TemplateMismatch, LogError."""
    from datasets import Dataset

    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    from trl import GRPOConfig, GRPOTrainer

    recipe = job.recipe
    check(recipe)
    steps, wish = recipe.steps, recipe.rollouts
    points = load(job.log.reader(), job.told["dataset"], recipe.selection.seed)
    template = Template(tokenizer, **job.template)
    rolling = Rolling(job, points)
    together = steps.batch * steps.accumulate * here.get("processes", 1) // wish.group
    vllm: dict[str, Any] = {}
    if wish.engine != "transformers":
        vllm = {"use_vllm": True, "vllm_mode": wish.engine.removeprefix("vllm-")}
        vllm |= {"vllm_server_base_url": wish.server} if wish.server else {}
    arguments = common.arguments(job, len(points) * wish.group, here)
    data: Any = Dataset.from_dict(
        {"prompt": [str(one) for one in order(len(points), together * job.steps, steps.seed)]}
    )
    settings = GRPOConfig(
        **arguments,
        shuffle_dataset=False,
        num_generations=wish.group,
        max_completion_length=wish.tokens,
        temperature=wish.temperature,
        beta=wish.beta,
        loss_type=wish.loss,
        scale_rewards=wish.scale,
        **vllm,
    )
    watch = common.watching(job)
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=worth,
        args=settings,
        train_dataset=data,
        processing_class=tokenizer,
        peft_config=common.adapter(recipe, model),
        callbacks=[watch],
        rollout_func=rolling,
    )
    _no_dropout(trainer.model)
    sampler = Weights(trainer, wish.partner_tokens)
    if wish.partner == FROZEN:
        sampler.keep()
        rolling.partner = Frozen(sampler, template, _base(job))
    else:
        rolling.partner = seated = Seated(rolling.loop, Table(Registry.load(), history=job.log.history), wish.partner)
        for one in points:
            for role in one.game.roles:
                if role != one.role:
                    seated.sit(one.game, role)
    rolling.playing = Playing(sampler, template, rolling.partner, wish, steps.max_length, steps.seed)
    trainer.add_callback(_rounds(job, rolling, trainer))
    facts = {
        "rows": len(points),
        "groups": together,
        "rollouts": together * wish.group,
        "partner": wish.partner,
        "engine": wish.engine,
        "longest": _longest(template, rolling.playing, points, steps.max_length, wish.tokens),
    }
    return trainer, watch, facts


def _base(job: Job) -> Identity:
    """The base as it plays a partner's seat."""
    base, wish = job.told["base"], job.recipe.rollouts
    sampling = {"temperature": wish.temperature, "max_tokens": wish.partner_tokens}
    return Identity("model", base["name"], base.get("revision", ""), base["adapter"], sampling)


def _no_dropout(model: Any) -> None:
    """Raises Refused where something of the model is dropped by chance while it trains, and so while it plays."""
    for name, module in model.named_modules():
        if type(module).__name__ == "Dropout" and module.p > 0:
            raise Refused(
                f"{name} of the model has dropout {module.p:g}, and the learner plays with the very weights that "
                "learn; begin from an adapter without dropout"
            )


def _longest(template: Template, playing: Playing, points: Sequence[Decision], most: int, tokens: int) -> int:
    """Tokens of the longest prompt that is known before anybody plays. Raises Refused where none fits."""
    found: list[int] = []
    for one in playing.begin(points, 0):
        heard = one.start.heard[one.decision.role]
        if one.start.turn == one.decision.role:
            found.append(len(template.ids([{"role": m.role, "content": m.content} for m in heard], ask=True)))
    if found and min(found) + tokens > most:
        raise Refused(
            f"every prompt is longer than steps.max_length = {most} allows (the shortest has {min(found)} tokens, a "
            f"turn {tokens}); raise steps.max_length"
        )
    return max(found, default=0)


def _rounds(job: Job, rolling: Rolling, trainer: Any) -> Any:
    """The callback that adds what the rollouts say to the curves, warns, and closes partners at the end."""
    from transformers import TrainerCallback

    trends = Trends()

    class Rounds(TrainerCallback):
        """What rollouts say, beside what TRL says."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            """What a resumed training has seen."""
            for entry in state.log_history:
                list(trends.look(finite(entry)))

        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            """The rollouts of this step; our share is what neither generation nor optimisation took."""
            whole = time.perf_counter() - rolling.began
            values = {**rolling.values, "ours/rollout_share": rolling.ours / whole if whole > 0 else 0.0}
            for name, value in values.items():
                trainer._metrics["train"][name].append(value)
            if trainer.accelerator.num_processes == 1:  # TRL takes groups of which nobody is left for lively ones
                trainer._metrics["train"]["frac_reward_zero_std"][-1:] = [rolling.flat]
            if rolling.fault:
                job.warn(f"the partner spoiled most rollouts of a step ({rolling.fault})", once="partner")

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
            """What looks wrong."""
            for word, sentence in trends.look(finite(logs or {})):
                job.warn(sentence, once=word)
            if "loss" in (logs or {}) and rolling.spoiled >= min(SPOILED, job.steps):
                rolling.close()
                steps = f"{rolling.spoiled} steps in a row" if rolling.spoiled > 1 else "a step"
                raise Refused(
                    f"the partner {job.recipe.rollouts.partner} spoiled every rollout of {steps} "
                    f"({rolling.fault}); see that it answers in the form of the game, then resume"
                )

        def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            """Nobody plays any more."""
            rolling.close()

    return Rounds()
