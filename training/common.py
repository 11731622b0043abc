"""What every method shares: the trainer's arguments from a recipe, the adapter, and the run with its callback."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from training import guards
from training.guards import Diverged, Watchdog, finite
from training.machine import Hoard, held

if TYPE_CHECKING:
    from collections.abc import Mapping

    from training.job import Job
    from training.recipe import Recipe

PAUSE = 0.5
"""Seconds between two looks at the orders of a paused training."""


def arguments(job: Job, rows: int, here: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments that every TRL configuration takes, from the recipe and this machine; sets how many steps there are."""
    steps = job.recipe.steps
    together = steps.batch * steps.accumulate * here.get("processes", 1)
    job.steps = steps.steps or max(1, round(steps.epochs * rows / together))
    return {
        "output_dir": str(job.folder / "checkpoints"),
        "per_device_train_batch_size": steps.batch,
        "gradient_accumulation_steps": steps.accumulate,
        "max_steps": job.steps,
        "learning_rate": steps.learning_rate,
        "lr_scheduler_type": "constant_with_warmup" if steps.schedule == "constant" else steps.schedule,
        "warmup_steps": round(steps.warmup * job.steps),
        "weight_decay": steps.weight_decay,
        "max_grad_norm": steps.clip,
        "seed": steps.seed,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # it would hide what the guards look for
        "save_steps": steps.save_every,
        "save_total_limit": steps.keep,
        "use_cpu": here["device"] == "cpu",
        "bf16": here["dtype"] == "bfloat16",
        "gradient_checkpointing": False,
        "dataloader_pin_memory": here["device"] != "cpu",
        "report_to": list(job.recipe.report_to) or "none",
        "run_name": str(job.told["name"]),
        "disable_tqdm": True,
    }


def adapter(recipe: Recipe, model: Any) -> Any:
    """The LoRA to begin with; None where all weights are trained, or where the model has one that goes on.

    Raises Refused where it names modules that the model lacks or that must not be trained so.
    """
    from peft import LoraConfig, PeftModel

    lora = recipe.lora
    if lora is None or isinstance(model, PeftModel):
        return None
    guards.adapter(recipe, model)
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.targets if isinstance(lora.targets, str) else list(lora.targets),
        modules_to_save=list(lora.modules_to_save) or None,
        task_type="CAUSAL_LM",
    )


def last_checkpoint(folder: Path) -> Path | None:
    """The last checkpoint that was written to its end; one that was not is removed. None where there is none."""
    found: Path | None = None
    numbered = sorted((int(path.name.rpartition("-")[2]), path) for path in folder.glob("checkpoint-*"))
    for step, path in numbered:
        try:  # the trainer writes its state last
            whole = json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))["global_step"] == step
        except (OSError, ValueError, KeyError):
            whole = False
        if whole:
            found = path
        else:
            shutil.rmtree(path)
    return found


def run(job: Job, trainer: Any, watch: Any) -> dict[str, Any]:
    """Train, from the last checkpoint where there is one, and save. Raises Diverged and what TRL raises."""
    last = last_checkpoint(Path(trainer.args.output_dir))
    trainer.train(resume_from_checkpoint=None if last is None else str(last))
    if watch.broken:
        raise Diverged(watch.broken)
    trainer.save_model(str(job.folder))
    if job.main:
        shutil.rmtree(job.folder / "ref", ignore_errors=True)  # the frozen copy of an adapter that went on
        (job.folder / "training_args.bin").unlink(missing_ok=True)  # a pickle, which nobody should load
        job.tokenizer.save_pretrained(str(job.folder))  # as it plays: trainers may save their own chat template
    losses: list[float] = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    found = {"losses": losses, "first_loss": losses[0] if losses else None, "last_loss": losses[-1] if losses else None}
    rewards: list[float] = [entry["reward"] for entry in trainer.state.log_history if "reward" in entry]
    return {**found, "first_reward": rewards[0], "last_reward": rewards[-1]} if rewards else found


class Orders(NamedTuple):
    """What somebody wants of a training now."""

    stop: bool = False
    save: bool = False
    pause: bool = False


def ordered(job: Job, pausing: bool) -> Orders:
    """What somebody ordered since the last look, the same in all processes: the first reads it and tells the others.

    A pause lasts until it is told to go on, whatever else is ordered meanwhile.
    """
    import torch

    stop = save = False
    for one in job.orders() if job.main else ():
        stop, save = stop or one == "stop", save or one == "save"
        pausing = one == "pause" or (pausing and one != "go")
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return Orders(stop, save, pausing)
    device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
    told = torch.tensor([stop, save, pausing], dtype=torch.int64, device=device)
    torch.distributed.broadcast(told, 0)
    return Orders(*[bool(one) for one in told.tolist()])


def watching(job: Job) -> Any:
    """The callback that keeps the log, obeys orders, and stops what has broken."""
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        """Curves into the log; orders from the folder; an end where the loss is no number or runs away.

        What all of this costs, in this thread and those that write, is itself a curve: `ours/cpu_share`.
        """

        broken = ""

        def __init__(self) -> None:
            self.dog = Watchdog(job.recipe.guards, job.recipe.method)
            self.ours = 0.0
            self.before: tuple[float, float] | None = None
            self.pausing = False
            self.read = 0
            """Tokens that earlier processes read up to the checkpoint and the trainer does not count."""
            self.hoard = Hoard()

        def on_substep_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            """Between two micro-batches."""
            self._give_back(args)

        def _give_back(self, args: Any) -> None:
            began = time.thread_time()
            if args.device.type == "cpu":
                self.hoard.look()
            self.ours += time.thread_time() - began

        def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            """Where a resumed training began: its curves up to the checkpoint are the trainer's own, since a process
            that was killed may not have written its last ones.
            """
            told = [entry["loss"] for entry in state.log_history if "loss" in entry]
            self.dog.first = told[0] if told else None
            job.done = int(state.global_step)
            job.take_back()
            counted = [int(entry["num_tokens"]) for entry in state.log_history if "num_tokens" in entry]
            job.tokens = counted[-1] if counted else 0
            # where TRL counts in the state, as for GRPO, the count goes on by itself; else it begins at nothing again
            self.read = 0 if state.num_input_tokens_seen else job.tokens
            for entry in state.log_history:
                job.measure({key: value for key, value in finite(entry).items() if key != "step"}, entry["step"])
            for path in Path(args.output_dir).glob("checkpoint-*"):
                job.saved(int(path.name.rpartition("-")[2]), path)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
            """A line of the curves."""
            began = time.thread_time()
            values = finite(logs or {})
            job.done = int(state.global_step)
            if "num_tokens" in values:
                job.tokens = self.read + int(values["num_tokens"])
                # the history is what the next process counts on from
                values["num_tokens"] = state.log_history[-1]["num_tokens"] = job.tokens
            if "loss" in values:
                values = {**values, **self._cost(), "memory_gb": round(held(args.device.type) / 2**30, 3)}
            job.measure(values)
            self.broken = self.broken or self.dog.look(job.done, values)
            if self.broken:  # what is broken would take the place of a checkpoint that is whole
                control.should_training_stop, control.should_save = True, False
            self.ours += time.thread_time() - began

        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            """What somebody ordered."""
            self._give_back(args)
            began = time.thread_time()
            job.done = int(state.global_step)
            self._obey(control, saved=False)
            self.ours += time.thread_time() - began

        def _obey(self, control: Any, *, saved: bool) -> None:
            """Do what was ordered, and wait while it shall pause; a checkpoint that is wanted then is made first."""
            wish = ordered(job, self.pausing)
            while wish.pause and not wish.stop and (saved or not wish.save):
                job.hold(paused=True, seconds=PAUSE)
                time.sleep(PAUSE)
                wish = ordered(job, wish.pause)
            self.pausing = wish.pause
            job.hold(paused=wish.pause and not wish.stop)
            if wish.stop:
                job.why = f"stopped at step {job.done} of {job.steps}"
                control.should_training_stop = True
            if not saved:
                control.should_save = control.should_save or wish.stop or wish.save

        def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            """A checkpoint lies there."""
            began = time.thread_time()
            job.saved(int(state.global_step), Path(args.output_dir) / f"checkpoint-{state.global_step}")
            if self.pausing:  # it was made in a pause, which goes on
                self._obey(control, saved=True)
            self.ours += time.thread_time() - began

        def _cost(self) -> dict[str, float]:
            """Our share of the CPU time since the line before; nothing at the first."""
            now = (self.ours + job.writing(), time.process_time())
            before, self.before = self.before, now
            if before is None or now[1] <= before[1]:
                return {}
            return {"ours/cpu_share": round((now[0] - before[0]) / (now[1] - before[1]), 6)}

    return Watch()
