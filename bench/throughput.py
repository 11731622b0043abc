"""Self-play with a real model against the backend alone: generated tokens a second on the same prompts.

`python -m bench.throughput SPEC [--smoke]` plays once to warm up and to collect every prompt that self-play sends, then
by turns sends those prompts straight to the backend, so many at once, and plays the same run again into a new log. What
is compared is the median of the ratios turn by turn. `SPEC` is a player as one types it, such as
`smollm2?max_tokens=64&temperature=0` or `transformers:FOLDER?max_tokens=64&temperature=0`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from bench.common import document
from games import catalog
from games.engine import Message
from players.base import Call, Called, Event, silent
from players.gate import Gated
from players.model import ModelPlayer
from players.opening import Table
from players.plan import Plan
from players.scheduler import Lane
from playpen_tui.selfplay import SelfPlay, Wish, open_selfplay
from playpen_tui.workbench import Workbench

GOAL = 0.95
EPISODES, REPEATS, CONCURRENCY = 144, 5, 16


@dataclass(frozen=True, slots=True)
class Side:
    """One measurement: generated tokens and wall-clock seconds."""

    tokens: int
    seconds: float

    @property
    def per_s(self) -> float:
        return self.tokens / self.seconds


class Asked:
    """The requests of a run in the order in which they were made: in another, the last to end would be others."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, int], list[Call]] = {}

    def hear(self, lane: Lane, event: Event | None) -> None:
        """A listener of the scheduler."""
        if event is not None:
            calls = self._made.setdefault((lane.job.slot, lane.match.ply), [])
            if isinstance(event, Called):
                calls.append(event.call)

    @property
    def calls(self) -> list[Call]:
        """All of them."""
        return [call for calls in self._made.values() for call in calls]


async def played(spec: str, episodes: int, path: Path, asked: Asked | None = None) -> Side:
    """One self-play run into a new log, from its first match to the end of its last.

    The model is open before, and closed after: an engine takes seconds to end, and `alone` does not count them either.
    """
    async with Workbench(path) as bench:
        plan = Plan(("taboo", "wordle"), (spec,), episodes=episodes, seed=1)
        run: SelfPlay = await open_selfplay(bench, Wish(plan, concurrency=CONCURRENCY))
        if asked is not None:
            run.scheduler.listen(asked.hear)
        tally = await run.run()
        if tally.done != episodes:
            raise RuntimeError(f"{tally.failed} episodes failed: {dict(tally.errors)}")
        return Side(tally.tokens_out, tally.seconds)


async def alone(spec: str, calls: list[Call]) -> Side:
    """The same prompts with the same settings, straight to the backend, as many at once as self-play sends."""
    async with Workbench() as bench, Table(bench.registry) as table:
        game = catalog.get("taboo")
        player: Any = await table.seat(spec, game=game, role=game.roles[0], assist=False)
        player = player.player if isinstance(player, Gated) else player
        assert isinstance(player, ModelPlayer)
        waiting, tokens = iter(calls), 0

        async def lane() -> None:
            nonlocal tokens
            for call in waiting:
                prompt: tuple[Message, ...] = call.prompt
                done = await player.client.complete(prompt, call.sampling, role="x", emit=silent)
                tokens += done.tokens_out or 0

        began = perf_counter()
        await asyncio.gather(*(lane() for _ in range(min(CONCURRENCY, player.parallel))))
        return Side(tokens, perf_counter() - began)


async def measure(spec: str, episodes: int, repeats: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-throughput-") as folder:
        asked = Asked()
        await played(spec, episodes, Path(folder) / "warm.sqlite", asked)
        calls = asked.calls
        sides: list[tuple[Side, Side]] = []
        for turn in range(repeats):
            first = await alone(spec, calls)
            second = await played(spec, episodes, Path(folder) / f"{turn}.sqlite")
            sides.append((first, second))
    ratios = [ours.per_s / theirs.per_s for theirs, ours in sides]
    return {
        "player": re.sub(r":[^?]*", ":…", spec, count=1),
        "unit": "generated tokens per second",
        "concurrency": CONCURRENCY,
        "episodes": episodes,
        "requests": len(calls),
        "alone": [round(theirs.per_s, 1) for theirs, _ in sides],
        "selfplay": [round(ours.per_s, 1) for _, ours in sides],
        "ratios": [round(ratio, 3) for ratio in ratios],
        "ratio": round(statistics.median(ratios), 3),
        "goal": GOAL,
        "met": statistics.median(ratios) >= GOAL,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.throughput", description="Self-play against the backend alone.")
    parser.add_argument(
        "spec", nargs="?", default="smollm2?max_tokens=64&temperature=0", help="a player, as one types it"
    )
    parser.add_argument("--episodes", type=int, default=EPISODES, help=f"of each run [{EPISODES}]")
    parser.add_argument("--smoke", action="store_true", help="a few episodes, to see that it runs")
    options = parser.parse_args()
    episodes, repeats = (6, 1) if options.smoke else (options.episodes, REPEATS)
    print(
        json.dumps(
            document("throughput", options.smoke, **asyncio.run(measure(options.spec, episodes, repeats))), indent=2
        )
    )


if __name__ == "__main__":
    main()
