"""Begin a training: choose and freeze its rows, write it down, and start its process, which then needs nobody.

Everything that can be said to be wrong without loading a model is said here, before a process is started.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from players import weights
from players.base import Identity
from players.entry import ModelEntry, check_name, file_revision
from players.registry import Registry
from players.spec import parse
from store import datasets, trainings
from store.filters import Filters
from store.ids import now
from store.log import Log
from training import grpo, guards
from training.bases import bases, unpacked
from training.build import Built, build_labels, build_pairs, build_sft, read_general
from training.decisions import build_decisions
from training.recipe import Recipe

ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 32),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 34),
    "MALLOC_TOP_PAD_": str(1 << 28),
}
"""glibc keeps what was freed: training steps on a CPU take a quarter less time, and memory does not shrink."""
WAITING = {"GOMP_SPINCOUNT": "500"}
"""How long threads spin before they sleep: more takes the core from whoever else computes, and then they wait for each
other; beside a busy program a training fell to a third of its speed."""
BEGUN = "== begun "
"""What stands in the log of a training's words where its process was started, before the moment."""
WORDS = 64_000
"""Bytes at the end of it that are read."""
LAST = 40
"""Lines of its words that stay in the log when a training has ended."""
NO_WEIGHTS = ("bot", "human", "replay", "judge")
"""Kinds of players that are no model."""
GOES_ON: tuple[trainings.Now, ...] = ("queued", "running", "paused", "stalled")
CONFIGS = Path(__file__).parent / "accelerate"
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


class CannotTrain(ValueError):
    """The training cannot begin; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Base:
    """Where a learner's weights lie: `path` is a folder or a GGUF file; an `adapter` is trained on."""

    name: str
    path: Path
    adapter: str = ""
    revision: str = ""
    template: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Arguments that its entry gives the chat template."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A training whose process has been started."""

    id: str
    run: str
    folder: Path
    dataset: datasets.Frozen
    facts: Mapping[str, Any]
    light: Mapping[str, Any]
    """The pre-flight table as far as it goes without the model."""
    process: subprocess.Popen[bytes]


def needs() -> None:
    """Raises CannotTrain where a library is missing."""
    missing = [
        name for name in ("torch", "transformers", "trl", "peft", "datasets") if not importlib.util.find_spec(name)
    ]
    if missing:
        raise CannotTrain(f"training needs {', '.join(missing)}: pip install 'playpen-tui[train]'")


def base_of(name: str, registry: Registry) -> Base:
    """The weights of a model by the name one types. Raises CannotTrain, RegistryError."""
    if name == weights.BUILT_IN and (file := weights.find(name)) is not None:
        return Base(name, file, revision=file_revision(file))
    head, _, rest = name.partition(":")
    straight = head == "transformers" and rest
    if not straight and head in NO_WEIGHTS:
        raise CannotTrain(f"{name} has no weights to train; name a model of yours, smollm2, or transformers:FOLDER")
    spec = parse(name) if straight else None  # may name an adapter, such as that of a checkpoint
    if spec is not None:
        name, adapter = spec.head, str(spec.settings.get("adapter", ""))
        entry = ModelEntry(name, "transformers", spec.name, adapter=adapter)
    else:
        entry = registry.get(name)
    if entry.backend not in ("transformers", "vllm", "llamacpp"):
        raise CannotTrain(f"{name} is reached over {entry.backend}; to train a model its weights must lie here")
    path = Path(entry.model).expanduser()
    if not (path / "config.json").is_file() and not (path.suffix == ".gguf" and path.is_file()):
        raise CannotTrain(f"{entry.model} holds no weights: name a folder with config.json, or a GGUF file")
    return Base(name, path, entry.adapter, entry.revision, entry.extra_body.get("chat_template_kwargs") or {})


NAME = 80
"""Letters of a result's name at most: it is a folder's name as well."""


def free_name(name: str, registry: Registry, base: str) -> str:
    """The name, if what comes out can be called so: a player's name that nobody has. Raises CannotTrain, BadField."""
    if not all(c.isascii() and (c.isalnum() or c in "._-") for c in name) or name.startswith("."):
        raise CannotTrain(f"a name has letters, digits and . _ - in it (a to z, 0 to 9), and {name!r} has others")
    if len(name) > NAME:
        raise CannotTrain(f"a name has at most {NAME} letters, and this one has {len(name)}")
    if check_name(name) in registry.entries or name == base:
        raise CannotTrain(f"there is a model {name} already; take another name, or remove it first")
    return name


def choose(log: Log, recipe: Recipe, filters: Filters, learner: str = "") -> Built:
    """The rows of a recipe, for its method. Raises NothingToTrain, ValueError, LogError, OSError.

    Without a level of consent in the filters it is `local`: who agreed to nothing, or took it back, is left out.
    """
    asked = agreed(filters)
    if kept := [split for split in asked.splits if split != "train"]:
        raise CannotTrain(f"instances of {' and '.join(kept)} are kept from training; leave --split out, or say train")
    withheld = log.queries.count(replace(asked, consent=None)) - log.queries.count(asked)
    built = _choose(log, seats_of(recipe, asked), asked, learner)
    if withheld:
        built.facts["left_out"]["episodes of people who did not agree"] = withheld
    return built


def seats_of(recipe: Recipe, filters: Filters) -> Recipe:
    """The recipe for the seats that the filters name: who asks for a role's episodes means to train that role.

    Raises CannotTrain where the recipe wants other seats.
    """
    wanted = recipe.selection.roles
    roles = tuple(role for role in filters.roles if not wanted or role in wanted)
    if not filters.roles:
        return recipe
    if not roles:
        raise CannotTrain(
            f"the recipe trains {' and '.join(wanted)}, and --role says {' and '.join(filters.roles)}; name one of them"
        )
    return recipe.model_copy(update={"selection": recipe.selection.model_copy(update={"roles": roles})})


def agreed(filters: Filters) -> Filters:
    """The filters with the least consent that training asks for."""
    return filters if filters.consent is not None else replace(filters, consent="local")


def _choose(log: Log, recipe: Recipe, filters: Filters, learner: str) -> Built:
    if recipe.method == "dpo":
        judged, judges = recipe.preference.judged, recipe.preference.judges
        return build_pairs(log.reader(), filters, recipe.mining, learner, recipe.selection.roles, judged, judges)
    if recipe.method == "grpo":
        grpo.check(recipe)
        return build_decisions(log.reader(), filters, recipe, learner)
    if recipe.method == "kto":
        wish = recipe.preference
        return build_labels(log.reader(), filters, recipe.selection, wish.judged, wish.judges)
    general = read_general(Path(recipe.rehearsal.path)) if recipe.rehearsal else []
    return build_sft(
        log.reader(), filters, recipe.selection, general, recipe.rehearsal.share if recipe.rehearsal else 0
    )


def begin(log: Log, recipe: Recipe, filters: Filters, base: Base, name: str, out: Path, *, version: str = "") -> Begun:
    """Freeze the rows and start the process. Raises CannotTrain and what `choose` raises; then nothing is written."""
    needs()
    filters = agreed(filters)
    recipe = seats_of(recipe, filters)
    guards.reporters(recipe)
    if taken(out):
        raise CannotTrain(f"{out} holds a training already; resume it, or name another folder (--out)")
    command(recipe.machine.model_dump())
    built = choose(log, recipe, filters, base.name)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotTrain(f"{out} cannot be made ({error.strerror}); name another folder (--out)") from error
    dataset = datasets.freeze(log, recipe.method, built.rows, {**_chosen(filters), **built.facts})
    settings = {
        "folder": str(out.absolute()),
        "recipe": recipe.model_dump(mode="json"),
        "filters": _chosen(filters),
        "dataset": dataset.id,
        "name": name,
    }
    run = log.new_run("train", settings, recipe.steps.seed, version)
    training = trainings.begin(
        log, run, recipe.method, Identity("model", base.name, base.revision, base.adapter, {}), dataset.id
    )
    told = {
        **settings,
        "training": training,
        "run": run,
        "db": str(log.path.absolute()),
        "base": {**asdict(base), "path": str(base.path), "template": dict(base.template)},
        "unpacked": str(unpacked(base.path)),
    }
    for left in ("ended.json", "preflight.json", "warnings.jsonl"):  # of one that was refused before its first step
        (out / left).unlink(missing_ok=True)
    (out / "job.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    return Begun(training, run, out, dataset, built.facts, light(base, built, out), start(out))


def taken(out: Path) -> bool:
    """Whether the folder holds a training that is to be kept: not one that was refused before its first step."""
    if not (out / "job.json").exists():
        return False
    end = ended(out)
    return end is None or end["state"] != "failed" or bool(end.get("steps"))


def light(base: Base, built: Built, out: Path) -> dict[str, Any]:
    """The pre-flight table as far as it goes without the model."""
    from training import preflight

    return preflight.light(base.path, built.facts, out)


def told(found: Mapping[str, Any]) -> list[str]:
    """The pre-flight table as lines for people."""
    from training import preflight

    return list(preflight.lines(found))


def resume(log: Log, row: trainings.TrainingRow, out: Path) -> subprocess.Popen[bytes]:
    """Start the process of a training again, which goes on from its last whole checkpoint. Raises CannotTrain."""
    needs()
    state = trainings.state_of(log, row)
    told = row.progress
    if state == "done":
        raise CannotTrain(
            f"the training {row.id} is finished, and nothing of it is left to do; `train --model "
            f"{row.config.get('name') or row.result} --name …` goes on from what came out"
        )
    if state in GOES_ON and told is not None and told.state == "running":
        raise CannotTrain(
            f"the training {row.id} is {state} already; follow it with playpen-tui trainings attach {row.id}"
        )
    (out / "ended.json").unlink(missing_ok=True)
    return start(out)


def start(out: Path) -> subprocess.Popen[bytes]:
    """Start the process of a training that is written down, in a session of its own."""
    bases().mkdir(parents=True, exist_ok=True)
    (out / "orders").unlink(missing_ok=True)
    told = json.loads((out / "job.json").read_text(encoding="utf-8"))
    with (out / "job.log").open("ab") as file:
        file.write(f"{BEGUN}{now()}\n".encode())
        file.flush()
        return subprocess.Popen(
            [sys.executable, *command(told["recipe"]["machine"]), "training.job", str(out)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env={
                **WAITING,
                **os.environ,
                **ALLOCATOR,
                **OFFLINE,
                "TOKENIZERS_PARALLELISM": "false",
                "TQDM_DISABLE": "1",
                "PYTHONWARNINGS": "ignore::FutureWarning",
                "PYTHONPATH": _path(),
            },
            start_new_session=True,
        )


def command(wish: Mapping[str, Any]) -> list[str]:
    """What Python is told before the module: several processes go through accelerate, or on CPUs, which accelerate
    starts by MPI alone, through torch's own launcher. Raises CannotTrain.
    """
    number, config = int(wish.get("processes", 1)), str(wish.get("accelerate", ""))
    if config:
        file = CONFIGS / f"{config}.yaml" if config in ("deepspeed", "fsdp") else Path(config)
        if not file.is_file():
            raise CannotTrain(f"there is no accelerate configuration {config}; name a file, or deepspeed, or fsdp")
        if config == "deepspeed" and importlib.util.find_spec("deepspeed") is None:
            raise CannotTrain("machine.accelerate = deepspeed needs it: pip install deepspeed, or leave it out")
        return ["-m", "accelerate.commands.launch", f"--config_file={file}", f"--num_processes={number}", "-m"]
    if number == 1:
        return ["-m"]
    if wish.get("device") == "cpu" or not _cards():
        return ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={number}", "-m"]
    return ["-m", "accelerate.commands.launch", "--multi_gpu", f"--num_processes={number}", "-m"]


def _cards() -> bool:
    """Whether an NVIDIA driver is here, without loading torch."""
    return Path("/proc/driver/nvidia").exists() or Path("/dev/nvidia0").exists()


def order(out: Path, what: str) -> None:
    """Tell a running training to `stop`, `pause`, `save` or `go` on; it obeys all of them in turn."""
    with (out / "orders").open("a", encoding="utf-8") as file:
        file.write(f"{what}\n")


def kill(begun: Begun) -> None:
    """End the process at once; where several train together their launcher is told to end them."""
    told = json.loads((begun.folder / "job.json").read_text(encoding="utf-8"))
    if command(told["recipe"]["machine"]) == ["-m"]:
        _kill(begun.process.pid)
    else:  # each has a session of its own, which only the launcher knows
        begun.process.terminate()
    begun.process.wait()


def kill_row(log: Log, row: trainings.TrainingRow) -> None:
    """End the process of a training that somebody else started, and write that down. Raises CannotTrain."""
    told = row.progress
    if row.state != "running" or told is None:
        raise CannotTrain(f"the training {row.id} does not run, so there is nothing to end")
    if told.host != socket.gethostname():
        raise CannotTrain(f"the training {row.id} runs on {told.host}; end it there")
    if trainings.state_of(log, row) == "crashed":
        raise CannotTrain(f"the process of training {row.id} is gone already; go on with train --resume {row.folder}")
    if told.pid and trainings.alive(told.pid):
        _kill(told.pid)
    about = {
        "state": "stopped",
        "why": f"ended on request at step {told.done}: what came after its last checkpoint is lost",
        "log": last_words(row.folder, LAST) if row.folder else "",
    }
    trainings.end(log, row.id, "stopped", step=told.done, about=about)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(os.getpgid(pid), signal.SIGKILL)


def tell(log: Log, row: trainings.TrainingRow, what: Literal["stop", "pause", "go", "save"]) -> None:
    """Give a training an order, which it obeys after the step it is at. Raises CannotTrain, LogError, OSError."""
    state = trainings.state_of(log, row)
    if state not in GOES_ON:
        way = "" if state == "done" else f"; go on with train --resume {row.folder}"
        raise CannotTrain(f"the training {row.id} is {state} and obeys no orders{way}")
    if row.folder is None or not row.folder.is_dir():
        raise CannotTrain(f"the folder of the training {row.id} is not on this machine: {row.folder}")
    order(row.folder, what)
    step = row.progress.done if row.progress else 0
    log.write(lambda db: trainings.event(db, row.id, "order", step, {"order": what}))


def hint(row: trainings.TrainingRow, state: trainings.Now) -> str:
    """What to do about a training that stands so, in one sentence; empty where nothing need be done."""
    resume = f"playpen-tui train --resume {row.folder}"
    began = row.progress is not None and row.progress.done
    again = resume if began else "begin it anew, under the same name if you like: nothing of it is trained yet"
    return {
        "paused": f"it waits; go on with playpen-tui trainings go {row.id}",
        "stalled": "its process lives and is silent: a long step, or a machine under load; wait, or end it",
        "crashed": f"its process is gone without a word, killed or out of memory; go on with {resume}",
        "failed": f"mend what its last lines say, then {again}",
        "diverged": "lower steps.learning_rate in the recipe, then begin anew under another name",
        "stopped": f"go on with {resume}",
    }.get(state, "")


def ended(out: Path) -> dict[str, Any] | None:
    """How a training ended; None while it goes on."""
    try:
        return json.loads((out / "ended.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def last_words(out: Path, lines: int = 12) -> str:
    """The end of what its process printed since it was started last; of a large file only the end is read."""
    try:
        with (out / "job.log").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - WORDS))
            _, begun, text = file.read().decode("utf-8", "replace").rpartition(BEGUN)
    except OSError:
        return ""
    text = text.partition("\n")[2] if begun else text  # the moment stands behind it
    shown = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))  # a bar writes over itself
    return "\n".join([line for line in shown if line.strip()][-lines:])


def result(name: str, out: Path) -> Identity | None:
    """Who came out of a training, as it will be named when it plays; None where nothing was saved."""
    for file, adapter in (("adapter_model.safetensors", str(out.absolute())), ("model.safetensors", "")):
        if (out / file).is_file():
            return Identity("model", name, file_revision(out / file), adapter, {})
    return None


def settle(registry: Registry, told: Mapping[str, Any], out: Path) -> str:
    """Make what came out of a training a player, or the player it is already the one that came out last.

    `told` is its `job.json`. Returns its name, empty where nothing was done: somebody else has the name, or nothing is
    new. Raises CannotTrain where nothing came out, RegistryError, OSError.
    """
    name = str(told["name"])
    there, who = registry.entries.get(name), result(name, out)
    if there is not None:
        if who is None or there.revision == who.revision or str(out.absolute()) not in (there.adapter, there.model):
            return ""
        registry.add(replace(there, revision=who.revision))
        return name
    about = told["base"]
    base = Base(about["name"], Path(about["path"]), about["adapter"], template=about.get("template", {}))
    register(registry, name, base, out)
    return name


def register(registry: Registry, name: str, base: Base, out: Path) -> ModelEntry:
    """Make what came out a player. Raises CannotTrain where nothing did, RegistryError."""
    who = result(name, out)
    if who is None:
        raise CannotTrain(f"{out} holds no weights, so nothing can be registered as {name}")
    model = out.absolute() if not who.adapter else unpacked(base.path)
    about = f"trained from {base.name}"
    entry = ModelEntry(name, "transformers", str(model), revision=who.revision, adapter=who.adapter, description=about)
    if base.template:
        entry = replace(entry, extra_body={"chat_template_kwargs": dict(base.template)})
    registry.add(entry)
    return entry


def _chosen(filters: Filters) -> dict[str, Any]:
    return {name: value for name, value in asdict(filters).items() if value}


def _path() -> str:
    """Where this project lies, for a process that starts elsewhere."""
    here = str(Path(__file__).resolve().parents[1])
    return os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
