"""Following a training to its end in plain lines: what `train`, `train --resume` and `trainings attach` share."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from playpen_tui.cli.common import print_json
from playpen_tui.cli.progress import Told
from playpen_tui.plain_text import plain

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

    from store.log import Log
    from store.trainings import Kind

LOOK = 0.5
"""Seconds between two looks at how far it is."""
NEWS: tuple[Kind, ...] = ("preflight", "warning")
"""Events that are printed as they come."""


def read(out: Path) -> dict[str, Any]:
    """What the training in this folder was told. Raises click.UsageError."""
    try:
        return json.loads((out / "job.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise click.UsageError(
            f"{out} holds no training (no job.json); `playpen-tui train --name …` begins one"
        ) from error


def follow(out: Path, process: subprocess.Popen[bytes] | None = None, *, resume: bool = True) -> dict[str, Any]:
    """Wait for the end of a training and make its result a player; the document of how it ended.

    Without its `process` the training is resumed, or with `resume` off only watched. Raises LogError, RegistryError,
    CannotTrain.
    """
    from players.registry import Registry
    from store import datasets, trainings
    from store.log import Log
    from training import launch

    told = read(out)
    with Log.open(told["db"]) as log:
        row = trainings.get(log, told["training"])
        seen = 0
        if process is None and resume:
            seen = len(trainings.events(log, row.id, NEWS))
            process = launch.resume(log, row, out)
        frozen = datasets.get(log.reader(), told["dataset"])
        ended = _wait(log, row.id, out, process, seen)
    document = {
        "training": row.id,
        "run": row.run,
        "dataset": {"id": frozen.id, "rows": frozen.rows, "content_hash": frozen.content_hash},
        "folder": str(out),
        **ended,
    }
    if ended["state"] in ("done", "stopped") and ended.get("steps"):
        launch.settle(Registry.load(), told, out)
        document["player"] = told["name"]
    return document


def outcome(document: Mapping[str, Any], as_json: bool) -> int:
    """Say how it ended; the exit code. Raises click.ClickException."""
    from playpen_tui.figures import many

    state = document["state"]
    if as_json:
        print_json(document)
    elif state in ("failed", "diverged"):
        raise click.ClickException(plain(f"the training {state}: {document['why']}"))
    else:
        name = "reward" if document.get("first_reward") is not None else "loss"
        change = ""
        if document.get("losses"):
            change = f"{name} {document[f'first_{name}']:.3f} to {document[f'last_{name}']:.3f}, "
        folder = document["folder"]
        if "steps" in document:
            word, steps = "finished" if state == "done" else state, many(document["steps"], "step")
            print(plain(f"{word}: {steps} in {document['seconds']:.0f} s, {change}{folder}"))
        else:
            print(plain(f"{state}: {document['why']}; playpen-tui train --resume {folder} goes on"))
        if "player" in document:
            print(plain(f"play it: playpen-tui play taboo --vs {document['player']}"))
    return 1 if state in ("failed", "diverged") else 0


def _wait(log: Log, id: str, out: Path, process: subprocess.Popen[bytes] | None, seen: int) -> dict[str, Any]:
    """Wait, with the pre-flight table, warnings and a bar; `seen` events are old. Ctrl-C asks it to stop and save, a
    second one ends it.
    """
    from store import trainings
    from training import launch

    bar, asked = Told("steps"), 0
    while True:
        try:
            row = trainings.get(log, id)
            seen = _news(log, id, seen)
            if row.progress and row.progress.planned and row.progress.done:
                bar(row.progress.done, row.progress.planned)
            if process.poll() is not None if process else trainings.state_of(log, row) not in launch.GOES_ON:
                break
            time.sleep(LOOK)
        except KeyboardInterrupt:
            asked += 1
            if asked > 1:
                _end(log, id, process)
                break
            print("\nit stops after this step and saves; ctrl-c again ends it at once", file=sys.stderr)
            launch.order(out, "stop")
    _news(log, id, seen)
    ended = launch.ended(out)
    if ended is None and trainings.get(log, id).state != "running":  # somebody wrote it down who is not the process
        ended = dict(trainings.events(log, id, ("end",))[-1].value)
    if ended is None:
        why = f"its process ended without a word; {out / 'job.log'} has what it printed"
        ended = {"state": "failed", "why": why, "log": launch.last_words(out)}
        trainings.end(log, id, "failed", about=ended)
    return ended


def _news(log: Log, id: str, seen: int) -> int:
    """Print what happened since; how many events there are."""
    from store import trainings
    from training import launch

    found = trainings.events(log, id, NEWS)
    for event in found[seen:]:
        told = launch.told(event.value) if event.kind == "preflight" else [f"warning: {event.value['sentence']}"]
        for line in told:
            print(plain(line), file=sys.stderr, flush=True)
    return len(found)


def _end(log: Log, id: str, process: subprocess.Popen[bytes] | None) -> None:
    from store import trainings
    from training import launch

    row = trainings.get(log, id)
    if row.progress is not None or process is None:
        launch.kill_row(log, row)
    else:  # it has not said which process it is
        process.kill()
    if process is not None:
        process.wait()
