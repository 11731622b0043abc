"""Eight candidates of a turn, four rollouts of each, by a real model in the background: does the screen stay quick?

`python -m bench.branches [--player SPEC] [--smoke]` prints one JSON document. A won game of Taboo between bots is in a
log; at its second turn the model writes the candidates and plays each on. Meanwhile keys are pressed on the screen of
branches, at uneven times, until the run is over; the same keys were pressed before, while nothing else went on. Then
every value that the log keeps is held against the mean over the episodes it came from. `--smoke` lets bots play.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

from bench.common import digits, document
from bench.keys import Keys, Taken, both

CANDIDATES, ROLLOUTS, KEYS = 8, 4, 60
SMOKE = (3, 3, 8)
GOAL_MS = 50.0
PATIENCE = 1800.0
KEPT = """
SELECT c.id, c.role, c.value, x.rewards
FROM candidates c JOIN rollouts r ON r.candidate_id = c.id JOIN results x ON x.episode_id = r.episode_id
"""


def means(rows: Iterable[tuple[str, str, float, str]]) -> list[tuple[float, float]]:
    """What the log keeps of each candidate, and the mean over its episodes, reckoned here."""
    kept, rewards = dict[str, float](), defaultdict[str, list[float]](list)
    for candidate, role, value, told in rows:
        kept[candidate] = value
        rewards[candidate].append(json.loads(told)[role])
    return [(value, sum(rewards[candidate]) / len(rewards[candidate])) for candidate, value in kept.items()]


async def grow(path: Path, player: str, wide: int, deep: int, keys: int) -> dict[str, Any]:
    """The measurement, on a log of its own."""
    from textual.widgets import OptionList

    from players.plan import Plan
    from playpen_tui.app import PlaypenApp
    from playpen_tui.branching import BranchWish
    from playpen_tui.screens.branches import BranchesScreen
    from playpen_tui.selfplay import Wish, open_selfplay
    from playpen_tui.workbench import Workbench

    dice = Random(1)
    async with Workbench(path) as bench:
        await (await open_selfplay(bench, Wish(Plan(("taboo",), ("bot:patient",), episodes=1, seed=4)))).run()
        episode = (await bench.log()).queries.recent(1)[0].id
        begin = BranchWish(((episode, 1),), 3, 3, everybody="bot:random")
        app: Any = PlaypenApp(bench)
        app.animation_level = "none"
        async with app.run_test(size=(120, 36)) as pilot:
            press = Keys(app, pilot).press
            screen: Any = BranchesScreen(bench, episode, 1, begin)
            await app.push_screen(screen)
            while screen.grown is None or screen.grown.rollouts < 9 or screen._runs:
                await pilot.pause(0.05)
            box = screen.query_one(OptionList)

            async def some() -> list[Taken]:
                """Down and up, a candidate unfolded and folded; each changes what is on the screen."""
                found = list[Taken]()
                for key in ("down", "up", "space", "space"):
                    await asyncio.sleep(dice.uniform(0.05, 0.2))
                    before = box.highlighted, frozenset(screen._open)
                    found.append(
                        await press(key, lambda before=before: (box.highlighted, frozenset(screen._open)) != before)
                    )
                return found

            idle, busy = list[Taken](), list[Taken]()
            while len(idle) < keys:
                idle += await some()
            wish = BranchWish(((episode, 1),), wide, deep, by=(player,), everybody=player)
            began = time.perf_counter()
            running = await bench.branches.start(wish)
            while screen._runs or len(busy) < 4:
                busy += await some()
                if time.perf_counter() - began > PATIENCE:
                    raise RuntimeError(f"the branches were not over in {PATIENCE:.0f} s")
            seconds = time.perf_counter() - began
            tally = running.scheduler.tally
        log = await bench.log()
        values = means(await asyncio.to_thread(lambda: log.reader().execute(KEPT).fetchall()))
    return {
        "player": player,
        "candidates": wide,
        "rollouts": tally.done,
        "planned": running.points[0].planned,
        "failed": dict(tally.errors),
        "seconds": digits(seconds),
        "unit": "milliseconds from a key to the frame that answers it",
        "keys": {"idle": len(idle), "running": len(busy)},
        "idle": both(idle),
        "running": both(busy),
        "values": len(values),
        "values_are_means": all(abs(kept - mean) < 1e-9 for kept, mean in values),
        "goal": GOAL_MS,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.branches", description="Key to frame while branches are played on.")
    parser.add_argument("--player", default="smollm2", metavar="SPEC", help="who writes candidates and plays on")
    parser.add_argument("--smoke", action="store_true", help="bots, a few keys, to see that it runs")
    options = parser.parse_args()
    player, sizes = ("bot:random", SMOKE) if options.smoke else (options.player, (CANDIDATES, ROLLOUTS, KEYS))
    with tempfile.TemporaryDirectory(prefix="bench-branches-") as folder:
        found = asyncio.run(grow(Path(folder) / "episodes.sqlite", player, *sizes))
    met = None if options.smoke else found["running"]["wall"]["median"] <= GOAL_MS
    print(json.dumps(document("branches", options.smoke, **found, met=met), indent=2))


if __name__ == "__main__":
    main()
