"""The log as a place to look around in: 100,000 episodes with 1,000,000 turns, asked as the screen asks and through it.

The log is made anew in a temporary folder and deleted afterwards. Pages, filters and searches are timed below the
screen, each in a list of its own with nothing kept from the one before, as when somebody presses enter; then keys are
pressed on the real screen without a terminal, and the time until the frame that answers each is drawn is taken, on the
wall clock and in CPU time of the process, since the one says little where other programs keep the processor busy. The
first run of a query reads the file through the system's cache, which is warm, since the log was just written.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.big_log import COMMON, MIDDLING, RARE, make
from bench.common import digits, document
from bench.keys import Keys, Taken, both, spread

EPISODES, REPEATS, KEYS = 100_000, 7, 200
SMOKE = (2_000, 2, 20)
PAGE = 100
LIMITS = {"first_page_ms": 150, "filter_ms": 300, "search_ms": 300, "key_to_frame_ms": 50, "memory_mb": 250}
FILTERS = {
    "game": "game:wordle",
    "outcome": "outcome:failure,aborted",
    "player and seat": "role:guesser model:smollm2 partner:phi-4",
    "people": "speaker:human",
    "split, turns, score": "split:test plies>8 score>50",
    "turned round": "-outcome:success -tag:odd",
    "by score": "outcome:success sort:-score",
    "nothing fits": "game:taboo kind:eval",
}
SEARCHES = {
    "in 3 turns": RARE,
    "in every tenth turn": MIDDLING,
    "in every second turn": COMMON,
    "in every second turn, by score": f"{COMMON} sort:score",
    "phrase": f'"{COMMON} {MIDDLING}"',
    "with filters": f"{MIDDLING} game:taboo outcome:failure",
}
COUNTED = "the first page; how many fit in all is counted behind it and shown when it is known"


def timed(call: Callable[[], Any]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def below(path: Path, repeats: int) -> dict[str, Any]:
    """Pages below the screen."""
    from store.browse import Browser
    from store.log import Log
    from store.query import parse

    found: dict[str, Any] = {"first_page": {}, "filter": {}, "search": {}, "count": {}, "end": {}}
    with Log.open(path, readonly=True) as log:
        browser = Browser(log.reader)
        lists = [("first_page", "newest first", ""), *(("filter", name, line) for name, line in FILTERS.items())]
        lists += [("search", name, line) for name, line in SEARCHES.items()]
        for kind, name, line in lists:
            query = parse(line)
            pages: list[float] = []
            counts: list[float] = []
            for _ in range(repeats):
                browser.forget()
                horizon = browser.horizon()
                pages.append(timed(lambda q=query, h=horizon: browser.page(q, PAGE, horizon=h)))
                counts.append(timed(lambda q=query, h=horizon: browser.count(q, horizon=h)))
            found[kind][name] = spread(pages)
            found["count"][name] = {**spread(counts), "episodes": browser.count(query)}
        for sort in ("newest", "score", "plies", "game"):
            query = parse(f"sort:{sort}")
            times = [timed(lambda q=query: browser.page(q, PAGE, before=())) for _ in range(repeats)]
            found["end"][sort] = spread(times)
    return found


async def on_screen(path: Path, keys: int) -> dict[str, Any]:
    """Keys on the screen, each until the frame that answers it."""
    from playpen_tui.app import PlaypenApp
    from playpen_tui.messages import Find
    from playpen_tui.screens.browse import BrowseScreen
    from playpen_tui.widgets.rows import Rows
    from playpen_tui.workbench import Workbench

    async with Workbench(path) as bench:
        app = PlaypenApp(bench, first=Find())
        app.animation_level = "none"
        async with app.run_test(size=(120, 36)) as pilot:
            while not isinstance(app.screen, BrowseScreen) or app.screen.browsing.total is None:
                await pilot.pause(0.01)
            screen = app.screen
            rows = screen.query_one(Rows)
            press = Keys(app, pilot).press

            def drawn() -> bool:
                first, last = rows.in_view
                return all(screen.browsing.peek(at) is not None for at in range(first, last + 1))

            times: dict[str, list[Taken]] = {}
            marked = screen.browsing.marked
            for name, key, count in (
                ("down", "down", keys),
                ("page down", "pagedown", keys // 4),
                ("mark", "space", keys // 2),
                ("end, and back to the beginning", "", keys // 5),
            ):
                some = times[name] = []
                for number in range(count):
                    state = rows.cursor, len(marked)
                    some.append(
                        await press(
                            key or ("home" if number % 2 else "end"),
                            lambda state=state: (rows.cursor, len(marked)) != state and drawn(),
                        )
                    )
            episode = times["next episode"] = []
            await pilot.press("home", "enter")
            while not app.screen.query("#page"):
                await pilot.pause(0.01)
            one: Any = app.screen
            while one.dossier is None:
                await pilot.pause(0.01)
            for _ in range(keys // 5):
                before = one.dossier
                episode.append(await press("n", lambda before=before: one.dossier is not before))
            return {name: both(some) for name, some in times.items()}


def memory() -> float:
    """The most memory this process ever had, in MB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)


def screen_alone(path: Path, keys: int) -> dict[str, Any]:
    """The screen in a process of its own, which has made no log, so that its memory is its own."""
    import subprocess

    command = [sys.executable, "-m", "bench.browse", "--screen", str(path), "--keys", str(keys)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=dict(os.environ))
    return json.loads(done.stdout)


def run(smoke: bool, episodes: int | None) -> dict[str, Any]:
    """The whole benchmark as one document."""
    count, repeats, keys = SMOKE if smoke else (EPISODES, REPEATS, KEYS)
    count = episodes or count
    with tempfile.TemporaryDirectory(prefix="bench-browse-") as folder:
        path = Path(folder) / "episodes.sqlite"
        made = timed(lambda: make(path, count)) / 1000
        size = path.stat().st_size
        found = below(path, repeats)
        shown = screen_alone(path, keys)
    slowest = {clock: max(one[clock]["median"] for one in shown["keys"].values()) for clock in ("wall", "cpu")}
    worst = {
        "first_page_ms": max(one["median"] for one in found["first_page"].values()),
        "filter_ms": max(one["median"] for one in found["filter"].values()),
        "search_ms": max(one["median"] for one in found["search"].values()),
        "key_to_frame_ms": slowest["wall"],
        "key_to_frame_cpu_ms": slowest["cpu"],
        "memory_mb": shown["memory_mb"],
    }
    return document(
        "browse",
        smoke,
        unit="milliseconds; median, 99th percentile and highest of the repeats",
        episodes=count,
        made_in_s=digits(made),
        size_mb=round(size / 1e6, 1),
        repeats=repeats,
        timed=COUNTED,
        **found,
        key_to_frame=shown["keys"],
        memory_mb=shown["memory_mb"],
        worst=worst,
        limits=LIMITS,
        met={
            **{name: worst[name] <= limit for name, limit in LIMITS.items()},
            "key_to_frame_cpu_ms": slowest["cpu"] <= LIMITS["key_to_frame_ms"],
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.browse", description="Looking around in a large log.")
    parser.add_argument("--smoke", action="store_true", help="a small log, to see that it runs")
    parser.add_argument("--episodes", type=int, help="another number of episodes")
    parser.add_argument("--screen", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--keys", type=int, default=KEYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.screen:
        found = {"keys": asyncio.run(on_screen(options.screen, options.keys)), "memory_mb": memory()}
    else:
        found = run(options.smoke, options.episodes)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
