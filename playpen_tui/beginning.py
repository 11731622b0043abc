"""What a new training would be made of, counted in a process of its own, and the start of it.

The log may be large: a process leaves the screen its time, can be ended where the wish has changed, and what it starts
belongs to nobody, so that it is gone from the list of processes when it ends. `python -m playpen_tui.beginning` takes
one JSON document on stdin and gives one on stdout.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from playpen_tui.plain_text import plain
from playpen_tui.training_wish import Wish

Task: TypeAlias = Literal["choose", "begin", "resume"]


class CannotCount(ValueError):
    """The training cannot be counted or begun; the message says why and what to do."""


async def ask(task: Task, db: Path, wish: Wish, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the process answers; it is ended where the caller is cancelled. Raises CannotCount."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "playpen_tui.beginning"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=_surroundings(),
    )
    told = {"task": task, "db": str(db), "wish": asdict(wish), **(more or {})}
    try:
        out, words = await process.communicate(json.dumps(told).encode())
    except asyncio.CancelledError:
        if process.returncode is None and task == "choose":
            process.kill()
            await process.wait()
        raise
    try:
        answer: dict[str, Any] = json.loads(out)
    except ValueError as error:
        raise CannotCount(f"the process that counts has ended: {_last(words)}") from error
    if "wrong" in answer:
        raise CannotCount(str(answer["wrong"]))
    return answer


async def evaluate(db: Path, training: str, instances: int | None = None) -> None:
    """Let base and result of a training play the same validation instances, in a process that goes on by itself.

    `instances` of each game and role; None for as many as `trainings evaluate` takes.

    Raises CannotCount with what the process said where it failed.
    """
    with tempfile.TemporaryFile() as said:  # not a pipe, which would break under it where this app is left
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "playpen_tui", "trainings", "evaluate", training, "--db", str(db), "--json"),
            *(() if instances is None else ("--instances", str(instances))),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=said,
            env=_surroundings(),
            start_new_session=True,
        )
        if await process.wait():
            said.seek(0)
            raise CannotCount(f"the evaluation has ended: {_last(said.read())}")


def _surroundings() -> dict[str, str]:
    """The environment of a process that finds this project wherever it starts."""
    here = str(Path(__file__).resolve().parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])}


def _last(words: bytes) -> str:
    """The last line of what a process said."""
    return plain((words.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"])[-1])


def answer(told: Mapping[str, Any]) -> dict[str, Any]:
    """Do one task. Raises whatever has a sentence for people."""
    from players.registry import Registry
    from playpen_tui import __version__
    from store.log import Log
    from store.query import parse
    from training import launch, recipe

    if told["task"] == "resume":
        return _resume(told)
    wish = Wish(**told["wish"])
    made = recipe.load(wish.recipe, cast(recipe.Method, wish.method), wish.changes())
    if made.method != wish.method:
        raise CannotCount(
            f"the recipe {wish.recipe} is for {made.method}, not for {wish.method}: choose {made.method} above, or "
            "another recipe"
        )
    registry = Registry.load()
    base = launch.base_of(wish.learner, registry)
    filters = parse(wish.query).filters
    filters = replace(filters, splits=filters.splits or ("train",))
    with Log.open(told["db"], readonly=told["task"] == "choose") as log:
        if told["task"] == "choose":
            built = launch.choose(log, made, filters, base.name)
            light = launch.light(base, built, wish.out)
            return {"facts": built.facts, "light": light, "recipe": made.model_dump(mode="json")}
        if wish.name in registry.entries or wish.name == base.name:
            raise CannotCount(f"there is a model {wish.name} already; take another name")
        begun = launch.begin(log, made, filters, base, wish.name, wish.out.absolute(), version=__version__)
        return {"training": begun.id}


def _resume(told: Mapping[str, Any]) -> dict[str, Any]:
    from store import trainings
    from store.log import Log
    from training import launch

    with Log.open(told["db"]) as log:
        launch.resume(log, trainings.get(log, str(told["training"])), Path(str(told["out"])))
    return {"training": told["training"]}


def main() -> int:
    """The process."""
    try:
        found = answer(json.load(sys.stdin))
    except Exception as error:
        from playpen_tui.cli.errors import sentence

        known = isinstance(error, CannotCount | ValueError | LookupError)
        found = {"wrong": plain(str(error)) if known and str(error) else sentence(error)[0]}
    json.dump(found, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
