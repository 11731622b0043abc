"""A training as a process of its own: `python -m training.job FOLDER`, told by `FOLDER/job.json` what to do.

It reads its rows from the log, writes its curves and its heartbeat there, and listens to `FOLDER/orders`, a file that
holds `stop`, `pause` or `save`. Nothing else ties it to whoever started it: a screen may close and come back. What
libraries print goes to `FOLDER/job.log`; how it ended stands in `FOLDER/ended.json` and in the log. Where several
processes train together, the first alone writes and listens.
"""

from __future__ import annotations

import errno
import importlib
import json
import logging
import os
import shutil
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from store import datasets, trainings
from store.errors import LogError
from store.ids import now
from store.log import Log
from store.records import Progress
from training import card, checkpoints, common, guards, preflight
from training.diary import Diary
from training.guards import Diverged, Refused, finite
from training.launch import LAST, last_words, result
from training.machine import machine, rank, versions
from training.recipe import Method, Recipe, checked

__all__ = ["METHODS", "Job", "Refused", "finite", "load", "machine", "main"]

METHODS: Mapping[Method, str] = {
    "sft": "training.sft",
    "dpo": "training.dpo",
    "kto": "training.kto",
    "grpo": "training.grpo",
}
"""The module of each method; its `prepare(job, model, tokenizer, here)` gives trainer, callback and facts."""

NO_MEMORY = ("not enough memory", "out of memory", "failed to map segment", "annot allocate memory", "bad_alloc")
"""How libraries say that memory is short."""
LITTLE = 1 << 20
"""A disk with fewer bytes free is full."""


def load(
    base: Mapping[str, Any], kind: str, folder: Path, *, adapts: bool = True, quantize: str | None = None
) -> tuple[Any, Any]:
    """Model and tokenizer of a folder, or of a GGUF file, which is unpacked once into `folder`.

    An adapter of the base goes on being trained where the method `adapts`, so that what comes out is one adapter on the
    same weights; else it is merged into them.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it tells whoever loads anything what it could not load
    path = Path(base["path"])
    if path.suffix == ".gguf":
        _unpack(path, folder)
        path = folder
    more: dict[str, Any] = {}
    if quantize:
        from transformers import BitsAndBytesConfig

        four: Any = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=quantize,
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=getattr(torch, kind),
        )
        more["quantization_config"] = four
    tokenizer: Any = AutoTokenizer.from_pretrained(str(path))
    model: Any = AutoModelForCausalLM.from_pretrained(str(path), dtype=getattr(torch, kind), **more)
    if base.get("adapter"):
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, base["adapter"], is_trainable=adapts)
        model = model if adapts else model.merge_and_unload()
    elif quantize:
        from peft import prepare_model_for_kbit_training

        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    return model, tokenizer


def _unpack(path: Path, folder: Path) -> None:
    """Write the weights of a GGUF file as a folder; whoever is first does it, others wait or find it."""
    while rank() and not (folder / "config.json").is_file():
        time.sleep(1)
    if (folder / "config.json").is_file():
        return
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    made = folder.with_name(f"{folder.name}.{os.getpid()}")
    whole: Any = GgufConfig(dequantize=True)
    auto: Any = AutoModelForCausalLM
    model = auto.from_pretrained(str(path.parent), gguf_file=path.name, dtype=torch.float32, quantization_config=whole)
    model.save_pretrained(made)
    AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name).save_pretrained(made)
    try:
        made.rename(folder)
    except OSError:
        if not (folder / "config.json").is_file():
            raise
        shutil.rmtree(made)  # another training was faster


class Job:
    """One training, from its folder. `main` is whether this process is the one that writes and listens."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.main = rank() == 0
        self.told: dict[str, Any] = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        self.recipe: Recipe = checked(self.told["recipe"])
        self.training = str(self.told["training"])
        self.log = Log.open(self.told["db"], readonly=not self.main)
        self.began = time.monotonic()
        self.held = 0.0
        """Seconds that it paused."""
        self.before: Progress | None = None
        """How far an earlier process of it came."""
        self.steps = self.done = 0
        self.tokens = 0
        self.why = ""
        self.tokenizer: Any = None
        """As it lies beside the base's weights."""
        self.template: dict[str, Any] = dict(self.told["base"].get("template") or {})
        """Arguments that the player gives the chat template."""
        self._paused = False
        self._heard = 0
        self._warned: set[str] = set()
        self._diary = Diary(self.log, self._beat)

    @property
    def weights(self) -> Path:
        """The folder of the base's weights."""
        path = Path(self.told["base"]["path"])
        return Path(self.told["unpacked"]) if path.suffix == ".gguf" else path

    def orders(self) -> list[str]:
        """What somebody has wanted since the last look, in order: `stop`, `pause`, `go`, `save`."""
        try:
            told = (self.folder / "orders").read_text(encoding="utf-8").split()
        except OSError:
            return []
        new, self._heard = told[self._heard :], len(told)
        return new

    def hold(self, *, paused: bool, seconds: float = 0.0) -> None:
        """Say that it pauses, or goes on; and for how long it paused."""
        self._paused = paused
        self.held += seconds

    @property
    def seconds(self) -> float:
        """How long it has been at work, in earlier processes too; pauses do not count."""
        before = self.before.seconds if self.before is not None else 0.0
        return before + time.monotonic() - self.began - self.held

    def warn(self, sentence: str, *, once: str = "") -> None:
        """Say that something looks wrong, in one sentence: into `warnings.jsonl` and the log. The same warning comes
        once, and one of several that share the word `once`.
        """
        if not self.main or (once or sentence) in self._warned:
            return
        self._warned.add(once or sentence)
        step = self.done
        with (self.folder / "warnings.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "at": now(), "sentence": sentence}, ensure_ascii=False) + "\n")
        self._note("warning", {"sentence": sentence}, step)

    def measure(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Add to the curves, at this step or the one it is at; written soon, not now."""
        if self.main:
            at, kept = self.done if step is None else step, dict(values)
            self._diary.note(lambda db: trainings.measured(db, self.training, at, kept))

    def take_back(self) -> None:
        """What a process measured that came further than its last checkpoint is not so any more."""
        if self.main:
            at = self.done
            self._diary.note(lambda db: trainings.take_back(db, self.training, at))

    def saved(self, step: int, path: Path) -> None:
        """A checkpoint lies there: a player of its own in the log."""
        if not self.main:
            return
        who = result(f"{self.told['name']}@{step}", path)
        self._diary.note(lambda db: trainings.checkpoint(db, self.training, step, path.absolute(), who))

    def chosen(self) -> Mapping[str, Any]:
        """What the data set's own facts are: filters, balance, what was held back."""
        return datasets.get(self.log.reader(), self.told["dataset"]).filters

    def writing(self) -> float:
        """CPU seconds that writing into the log took so far."""
        return self._diary.seconds()

    def _note(self, kind: trainings.Kind, value: Mapping[str, Any], step: int = 0) -> None:
        if self.main:
            self._diary.note(lambda db: trainings.event(db, self.training, kind, step, value))

    def _beat(self, db: Any, state: Any = "running") -> None:
        active = int(state == "running" and not self._paused)
        left = (self.tokens, 0, None, self.seconds, socket.gethostname(), os.getpid())
        trainings.beat(db, self.told["run"], Progress(state, self.steps, self.done, 0, active, *left))

    def run(self) -> dict[str, Any]:
        """Train; how it ended. Raises LogError where the log cannot be written at all."""
        if self.main:
            self.before = trainings.get(self.log, self.training).progress
            if self.before is not None:
                self.steps, self.done, self.tokens = self.before.planned, self.before.done, self.before.tokens_in
            trainings.go_on(self.log, self.training)
            self._diary.start()
            about = {"versions": versions(), "pid": os.getpid(), "seed": self.recipe.steps.seed}
            self._note("start", {**about, "threads": os.environ.get("OMP_NUM_THREADS", "")})
        made: dict[str, Any] = {}
        try:
            made = self._train()
            state = "stopped" if self.why else "done"
        except Exception as error:  # whatever it was, how it ended must be written down
            traceback.print_exc()
            state, self.why = "diverged" if isinstance(error, Diverged) else "failed", sentence(error, self.folder)
        ended = {"state": state, "why": self.why, "steps": self.done, "seconds": self.seconds, **made}
        if self.main:
            self._end(ended)
        self.log.close()
        return ended

    def _end(self, ended: Mapping[str, Any]) -> None:
        state = ended["state"]
        good = state in ("done", "stopped")
        who = result(self.told["name"], self.folder) if good else None
        about = {key: value for key, value in ended.items() if key != "losses"}
        about["log"] = last_words(self.folder, LAST)
        try:
            _write(self.folder / "ended.json", ended)
        except OSError as error:  # a full disk: the log may lie on another
            print(f"{self.folder}: {error.strerror}", file=sys.stderr)
        self._diary.close()
        written: trainings.State = state if good else "failed"
        trainings.end(self.log, self.training, written, who, step=self.done, about=json.loads(_text(about)))
        self.log.write(lambda db: self._beat(db, "done" if state == "done" else "stopped"))
        if good:
            played = self.folder / card.EVALUATION
            if self.before is not None and self.before.done < self.done and played.is_file():  # by other weights
                played.rename(played.with_stem(f"{played.stem}-{self.before.done}"))
            card.write(self.log, self.training, self.folder)

    def _going_on(self, model: Any, rank: int) -> None:
        """Say where the base's own adapter, which is trained further, is another than the recipe would make."""
        there = next(iter(model.peft_config.values())).r
        if there != rank:
            self.warn(f"the base's adapter of rank {there} is trained further; lora.rank = {rank} is not used")

    def _train(self) -> dict[str, Any]:
        import torch

        here = machine(self.recipe)
        guards.reporters(self.recipe)
        torch.set_num_threads(here["threads"])
        torch.manual_seed(self.recipe.steps.seed)
        lora = self.recipe.lora
        model, tokenizer = load(
            self.told["base"],
            # weights that learn themselves are full ones, also where the arithmetic is not: half of them would lose
            # most steps to rounding
            "float32" if lora is None else here["dtype"],
            Path(self.told["unpacked"]),
            adapts=lora is not None,
            quantize=lora.quantize if lora else None,
        )
        if lora is not None and self.told["base"].get("adapter"):
            self._going_on(model, lora.rank)
        from transformers import AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(str(self.weights))
        method = importlib.import_module(METHODS[self.recipe.method])
        trainer, watch, facts = method.prepare(self, model, tokenizer, here)
        trainer.add_callback(checkpoints.watching(self, trainer))
        found = preflight.table(self, trainer, here, facts)
        if self.main:
            _write(self.folder / "preflight.json", found)
        self._note("preflight", json.loads(_text(found)))
        return {"machine": here, **facts, "preflight": found, **common.run(self, trainer, watch)}


def sentence(error: BaseException, folder: Path | None = None) -> str:
    """What went wrong, and the way out, for people. Some libraries say nothing of use where the disk of `folder` is
    full.
    """
    text = str(error).strip()
    if isinstance(error, MemoryError) or any(sign in text for sign in NO_MEMORY):
        return "there is not enough memory; lower steps.batch and raise steps.accumulate, or lower steps.max_length"
    full = os.strerror(errno.ENOSPC)
    none_left = isinstance(error, RuntimeError) and folder is not None and shutil.disk_usage(folder).free < LITTLE
    if (isinstance(error, OSError) and error.errno == errno.ENOSPC) or full in text or none_left:
        return f"the disk is full ({full}); make room, then resume it: the last whole checkpoint is safe"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the disk'}: {error.strerror}; what was saved before is safe, resume it"
    if isinstance(error, ModuleNotFoundError):
        return f"training needs {error.name}: pip install 'playpen-tui[train]'"
    first = text.splitlines()[0][:400] if text else ""
    if isinstance(error, Refused | Diverged | ValueError | LogError):
        return first
    return f"{type(error).__name__}: {first} (job.log has the rest)"


def _write(path: Path, value: Any) -> None:
    made = path.with_suffix(".new")
    made.write_text(_text(value), encoding="utf-8")
    made.rename(path)


def _text(value: Any) -> str:
    return json.dumps(value, indent=1, default=_number)


def _number(value: Any) -> Any:
    return asdict(value) if hasattr(value, "__dataclass_fields__") else float(value)


def main() -> int:
    """The process."""
    return 0 if Job(Path(sys.argv[1])).run()["state"] in ("done", "stopped") else 1


if __name__ == "__main__":
    sys.exit(main())
