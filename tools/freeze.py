"""Freeze the benchmark instances of a game: write what its material says today to `instances/benchmark_LANG.jsonl`.

    python tools/freeze.py taboo            write files that are not there yet
    python tools/freeze.py taboo --check    compare frozen files with the material, exit 1 where they differ
    python tools/freeze.py taboo --force    write them again: scores measured before are then no longer comparable

Works for every game that has a method `draft(language)`, which builds its benchmark instances from its material.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from games import catalog
from games.engine import Instance


class Drafting(Protocol):
    """A game that can draw up its benchmark."""

    languages: tuple[str, ...]

    def draft(self, language: str) -> Sequence[Instance]:
        """The benchmark instances as its material has them now."""
        ...


def lines(instances: Iterable[Instance]) -> str:
    """The file: one instance a line, as JSON."""
    return "".join(f"{instance.model_dump_json()}\n" for instance in instances)


def files(game: Drafting, folder: Path) -> Iterator[tuple[Path, str]]:
    """Where each language goes and what should stand there."""
    for language in game.languages:
        yield folder / f"benchmark_{language}.jsonl", lines(game.draft(language))


def folder_of(game: object) -> Path:
    """`instances/` beside the module of the game."""
    source = sys.modules[type(game).__module__].__file__
    if source is None:
        raise SystemExit(f"{type(game).__module__} is not a file: nowhere to write to")
    return Path(source).parent / "instances"


def freeze(game: Drafting, folder: Path, *, check: bool = False, force: bool = False) -> int:
    """Write or compare every file, saying what happened; returns the exit status."""
    status = 0
    folder.mkdir(exist_ok=True)
    for path, text in files(game, folder):
        there = path.read_text(encoding="utf-8") if path.exists() else None
        if there == text:
            print(f"{path.name}: {text.count(chr(10))} instances, as the material has them")
        elif check or (there is not None and not force):
            print(f"{path.name}: {'not there' if there is None else 'differs from the material'}", file=sys.stderr)
            status = 1
        else:
            path.write_text(text, encoding="utf-8")
            print(f"{path.name}: {text.count(chr(10))} instances written")
    return status


def main() -> int:
    """Parse the command line and freeze."""
    parser = argparse.ArgumentParser(description="Freeze the benchmark instances of a game.")
    parser.add_argument("game", choices=catalog.names())
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 where files differ")
    parser.add_argument("--force", action="store_true", help="replace frozen files")
    options = parser.parse_args()
    game = catalog.get(options.game)
    if not hasattr(game, "draft"):
        parser.error(f"{options.game} has no method draft(language), so there is nothing to freeze from")
    return freeze(game, folder_of(game), check=options.check, force=options.force)  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main())
