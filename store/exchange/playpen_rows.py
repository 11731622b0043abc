"""Rows of a data set from files: JSON, JSON lines, parquet, a folder of them, or a data set on the hub.

Parquet needs pyarrow and the hub needs datasets; both come with the extra `train` and are imported only then.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from store.errors import LogError
from store.exchange.intake import NothingThere, Refused, Unreadable, deep, mapping, parse, read, shown

LONGEST = 64 << 20
"""Bytes of a line that is read."""
LARGEST = 2 << 30
"""Bytes of a JSON file that is one list: it is read at once."""
SPLIT = re.compile(r"(?:^|[^a-z])(train|validation|test)(?:[^a-z]|$)")
HUB = re.compile(r"[\w.-]+/[\w.-]+")
CONFIGS = ("interactions", "instances", "instances-static")
"""Parts of the data set as the field publishes it; of one that names its parts otherwise, all are read."""
ENDINGS = (".json", ".jsonl", ".parquet")


class Missing(LogError):
    """A package that is needed for this is not installed."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row, where it stands, and the split that its file is called by; empty where it is not."""

    where: str
    told: Mapping[str, Any]
    split: str


def rows(source: str, refused: list[Refused]) -> Iterator[Row]:
    """Every row; what cannot be read is added to `refused`. Raises NothingThere, Missing."""
    path = Path(source)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in ENDINGS and file.is_file())
        if not files:
            raise NothingThere(
                f"{source} holds no .json, .jsonl or .parquet file; name the data set's folder or a file"
            )
        for file in files:
            yield from _file(file, str(file.relative_to(path)), refused)
    elif path.is_file():
        yield from _file(path, path.name, refused)
    elif HUB.fullmatch(source):
        yield from _hub(source)
    else:
        raise NothingThere(f"there is no file or folder {source}; name one, or a data set on the hub as OWNER/NAME")


def split_of(name: str) -> str:
    """The split that a file is called by."""
    found = SPLIT.search(name.lower())
    return found[1] if found else ""


def _file(path: Path, name: str, refused: list[Refused]) -> Iterator[Row]:
    told = shown(name)
    split = split_of(name)
    try:
        if path.is_symlink() and not path.resolve().is_file():
            raise Unreadable("is a link that leads nowhere")
        if path.suffix == ".parquet":
            found: Iterable[tuple[str, Any]] = _parquet(path, told)
        elif path.suffix == ".json" and _first(path) == b"[":
            listed: list[Any] = parse(read(path.resolve(), LARGEST))
            found = ((f"{told}:{number}", entry) for number, entry in enumerate(listed, 1))
        else:
            found = _lines(path, told, refused)
        for where, entry in found:
            if not isinstance(entry, dict) or deep(cast(Any, entry)):
                refused.append(Refused(where, "is no object, or is nested too deeply"))
                continue
            yield Row(where, cast(Mapping[str, Any], entry), split)
    except Unreadable as error:
        refused.append(Refused(told, str(error)))


def _first(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(1000).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]


def _lines(path: Path, name: str, refused: list[Refused]) -> Iterator[tuple[str, Any]]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LONGEST + 1):
            number += 1
            where = f"{name}:{number}"
            if len(line) > LONGEST:
                while line and not line.endswith(b"\n"):
                    line = file.readline(LONGEST)
                refused.append(Refused(where, f"is longer than {LONGEST >> 20} MB"))
                continue
            if not line.strip():
                continue
            try:
                yield where, parse(line)
            except Unreadable as error:
                refused.append(Refused(where, str(error)))


def _parquet(path: Path, name: str) -> Iterator[tuple[str, Any]]:
    module = _need("pyarrow.parquet", "a parquet file")
    number = 0
    try:
        for batch in module.ParquetFile(path).iter_batches(batch_size=256):
            for entry in batch.to_pylist():
                number += 1
                yield f"{name}:{number}", entry
    except (OSError, ValueError) as error:  # pyarrow's own errors are of these kinds
        raise Unreadable(f"is no parquet file, or is damaged ({error})") from error


def _hub(name: str) -> Iterator[Row]:
    datasets = _need("datasets", "a data set on the hub")
    parts = _asked(name, lambda: datasets.get_dataset_config_names(name))
    for config in [part for part in CONFIGS if part in parts] or parts:
        found = _asked(f"{config} of {name}", partial(datasets.load_dataset, name, config))
        for split, part in mapping_of(found).items():
            for number, entry in enumerate(part, 1):
                yield Row(f"{config}/{split}:{number}", mapping(entry), split_of(split))


def _asked(what: str, ask: Callable[[], Any]) -> Any:
    """What the hub answers. Raises NothingThere, in one sentence."""
    try:
        return ask()
    except Exception as error:  # whatever the network, the hub or the library says
        told = shown(str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__)
        raise NothingThere(
            f"{what} could not be had from the hub: {told}; download its files and name their folder instead"
        ) from error


def mapping_of(found: Any) -> Mapping[str, Any]:
    """Splits by name, as `load_dataset` gives them."""
    return {str(split): found[split] for split in found}


def _need(module: str, what: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise Missing(
            f"reading {what} needs {package}; install it (pip install 'playpen-tui[train]'), or bring JSON lines"
        ) from error
