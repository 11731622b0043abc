"""From the log to a frozen data set: rows a CPU second of reading with selection, of writing down, and of both.

The log is made anew in a temporary folder: dialogues of ten turns of models with Zipf's words, half of them training
material. A row is one reply with all that stood before it (`turn`), or the whole dialogue of a seat (`episode`); of a
log as self-play leaves it, with prompts that matches share, again one reply (`self_play`). The goal is for the whole
way, in CPU seconds of the process, and for rows of one reply of either log.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any, Literal

from bench.big_log import make
from bench.common import Measured, digits, document, measure, summary
from store.datasets import DatasetRow, freeze
from store.filters import Filters
from store.log import Log
from training.build import build_sft
from training.selection import Selection

EPISODES, REPEATS = 20_000, 5
SMOKE = (400, 1)
GOAL = 50_000
AT_ONCE = 16
"""Matches under way at once where a self-play run wrote the log: their messages lie among each other."""


def run(smoke: bool = False, episodes: int | None = None) -> dict[str, Any]:
    """The whole benchmark."""
    count, repeats = SMOKE if smoke else (EPISODES, REPEATS)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="playpen-bench-") as folder:
        path = Path(folder) / "episodes.sqlite"
        make(path, episodes or count)
        with Log.open(path) as log:
            for unit in ("turn", "episode"):
                found[unit] = timed(log, unit, repeats)
        path = Path(folder) / "self-play.sqlite"
        make(path, episodes or count, at_once=AT_ONCE)
        with Log.open(path) as log:
            found["self_play"] = timed(log, "turn", repeats)
    rate = min(found[log]["whole"]["median"] for log in ("turn", "self_play"))
    goal = {"rows_per_cpu_s": GOAL, "met": rate >= GOAL}
    return document(
        "dataset", smoke, unit="rows a CPU second", episodes=episodes or count, repeats=repeats, **found, goal=goal
    )


def timed(log: Log, unit: Literal["turn", "episode"], repeats: int) -> dict[str, Any]:
    """Rates of both parts and of the whole, for rows of this unit."""
    wish = Selection(keep="all", unit=unit)
    parts: list[tuple[Measured, Measured]] = []
    for _ in range(repeats):
        rows: list[DatasetRow] = []

        def read(rows: list[DatasetRow] = rows) -> int:
            rows += build_sft(log.reader(), Filters(splits=("train",)), wish).rows
            return len(rows)

        reading = measure(read)
        writing = measure(lambda rows=rows: freeze(log, "sft", rows, {}).rows)
        parts.append((reading, writing))
    return {
        "rows": parts[0][0].count,
        "reading_and_selecting": summary([reading.per_cpu_s for reading, _ in parts]),
        "freezing": summary([writing.per_cpu_s for _, writing in parts]),
        "whole": summary([reading.count / (reading.cpu_s + writing.cpu_s) for reading, writing in parts]),
        "wall_s": digits(sum(reading.wall_s + writing.wall_s for reading, writing in parts) / len(parts)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.dataset", description="From the log to a frozen data set.")
    parser.add_argument("--smoke", action="store_true", help="a small log, to see that it runs")
    parser.add_argument("--episodes", type=int, help="another number of episodes")
    options = parser.parse_args()
    found = run(options.smoke, options.episodes)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
