"""What came out of a training, for elsewhere: merged weights, a GGUF file, a repository of the Hugging Face hub.

What is pushed is a copy: weights, configuration, tokenizer and card, and nothing else. Pickles, optimiser states and
paths of this machine stay here.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from players.entry import ModelEntry
from players.registry import Registry
from training import bases, card, hub, launch
from training.hub import Pushed
from training.launch import CannotTrain

PUBLISHED = (
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "adapter_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "*.model",
    "chat_template.jinja",
    "README.md",
)
"""What a pushed model may consist of."""
CONVERT = "convert_hf_to_gguf.py"
VARIABLE = "PLAYPEN_LLAMA_CPP"


def merged(name: str, registry: Registry, out: Path) -> Path:
    """Write the whole model as safetensors with its tokenizer into a new folder. Raises CannotTrain, OSError.

    The weights are written in the format in which those of its base lie; an adapter is added to them.
    """
    launch.needs()
    base = launch.base_of(name, registry)
    if out.exists() and any(out.iterdir()):
        raise CannotTrain(f"{out} is not empty; name a new folder")
    from training.job import load

    folder = bases.unpacked(base.path)
    folder.parent.mkdir(parents=True, exist_ok=True)
    told = {"path": str(base.path), "adapter": base.adapter}
    with _quiet():
        model, tokenizer = load(told, "float32", folder, adapts=False)
        kind = _kind(folder)
        if kind in ("bfloat16", "float16"):
            import torch

            model = model.to(getattr(torch, kind))
        model.save_pretrained(out)
        tokenizer.save_pretrained(out)
    _public_config(out / "config.json", name)
    return out


@contextmanager
def _quiet() -> Generator[None]:
    """Keep the library's bars, and what it says to its own developers, from whoever waits for one sentence."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        if shown:
            logging.enable_progress_bar()


def gguf(name: str, registry: Registry, out: Path, kind: str = "q8_0") -> Path:
    """Write the whole model as a GGUF file with llama.cpp's own script. Raises CannotTrain, OSError."""
    script = converter()
    if out.exists():
        raise CannotTrain(f"{out} is there already; name a new file")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".gguf-") as place:
        whole, made = merged(name, registry, Path(place) / name.replace("/", "-")), Path(place) / "made.gguf"
        words = [sys.executable, str(script), str(whole), "--outtype", kind, "--outfile", str(made)]
        ran = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if ran.returncode or not made.is_file():
            last = (ran.stderr.strip() or ran.stdout.strip() or "it said nothing").splitlines()[-1]
            raise CannotTrain(f"{script.name} did not convert {name}: {last[:300]}")
        made.rename(out)
    return out


def converter() -> Path:
    """llama.cpp's script that makes GGUF files. Raises CannotTrain with the way to get it."""
    if named := os.environ.get(VARIABLE):
        path = Path(named).expanduser()
        path = path if path.suffix == ".py" else path / CONVERT
        if not path.is_file():
            raise CannotTrain(f"{VARIABLE} names {named}, and there is no {CONVERT}; name a checkout of llama.cpp")
    elif found := shutil.which(CONVERT):
        path = Path(found)
    else:
        raise CannotTrain(
            f"{CONVERT} of llama.cpp is not here: git clone https://github.com/ggml-org/llama.cpp, "
            f"pip install gguf sentencepiece, and set {VARIABLE} to the checkout"
        )
    missing = [name for name in ("gguf", "sentencepiece") if not importlib.util.find_spec(name)]
    if missing:
        raise CannotTrain(f"{CONVERT} needs {' and '.join(missing)}: pip install {' '.join(missing)}")
    return path


def push(name: str, registry: Registry, to: str, *, base: str = "", private: bool = False, dry: bool = False) -> Pushed:
    """Push what came out of a training with its card to `OWNER/NAME` of the hub; `base` is its base's name there.

    Raises CannotTrain where there is nothing to push and where an adapter's base has no public name, CannotPush where
    the hub refuses; OSError.
    """
    if not hub.REPOSITORY.fullmatch(to):
        raise CannotTrain(f"--to takes OWNER/NAME of the Hugging Face hub, not {to!r}")
    if base and not hub.REPOSITORY.fullmatch(base):
        raise CannotTrain(f"--base takes OWNER/NAME of the Hugging Face hub, not {base!r}")
    entry = registry.get(name)
    with staged(entry, base) as folder:
        files = hub.sizes(folder)
        if dry:
            return Pushed(to, files)
        api = hub.open_repository(to, "model", private)
        return Pushed(to, files, hub.upload(api, folder, to, "model", f"{name}, from playpen-tui"))


@contextmanager
def staged(entry: ModelEntry, base: str = "") -> Generator[Path]:
    """A folder with what may be published of a model, without any path of this machine. Raises CannotTrain, OSError."""
    source = Path(entry.adapter or entry.model).expanduser()
    if not any(source.glob("*.safetensors")):
        raise CannotTrain(f"{entry.name} has no safetensors here to push; only what came out of a training can be")
    with tempfile.TemporaryDirectory(prefix="playpen-push-") as place:
        folder = Path(place)
        for pattern in PUBLISHED:
            for path in source.glob(pattern):
                shutil.copyfile(path, folder / path.name)
        _public_config(folder / "config.json", entry.name)
        if (folder / "adapter_config.json").is_file():
            _public_adapter(folder / "adapter_config.json", base or _known(entry, source))
        if (folder / card.CARD).is_file():
            text = card.public((folder / card.CARD).read_text(encoding="utf-8"))
            text = re.sub(r"(?m)^base_model: .*$", f"base_model: {base}", text, count=1) if base else text
            (folder / card.CARD).write_text(text, encoding="utf-8")
        yield folder


def _known(entry: ModelEntry, source: Path) -> str:
    """The public name of an adapter's base. Raises CannotTrain."""
    try:
        told: dict[str, Any] = json.loads((source / "job.json").read_text(encoding="utf-8"))
        name = card.base_model(told)
    except (OSError, ValueError, KeyError):
        name = entry.model
    if not hub.REPOSITORY.fullmatch(name):
        raise CannotTrain(f"say under which name others find the base of {entry.name}: --base OWNER/NAME of the hub")
    return name


def _public_adapter(path: Path, base: str) -> None:
    settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    settings["base_model_name_or_path"] = base
    path.write_text(json.dumps(settings, indent=2), encoding="utf-8")


def _public_config(path: Path, name: str) -> None:
    """Models remember the folder they were loaded from."""
    if path.is_file():
        settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if "_name_or_path" in settings:
            settings["_name_or_path"] = name
        path.write_text(json.dumps(settings, indent=2), encoding="utf-8")


def _kind(folder: Path) -> str:
    """The number format in which weights lie."""
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "float32"
    return str(config.get("dtype") or config.get("torch_dtype") or "float32")
