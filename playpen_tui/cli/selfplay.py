"""`selfplay`: many matches, unattended, at the full batch of every backend."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from playpen_tui.cli.common import db_option, json_option, named_seats, place, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from playpen_tui.selfplay import SelfPlay, Wish
    from playpen_tui.selfplay_wish import Draft

LIMITS = {"timeout": "timeout", "retries": "retries", "tokens": "max_tokens", "cost": "max_cost"}
"""Fields of `Limits` and the options that name them."""
PLANNED = {
    "players": "--player",
    "seats": "--seat",
    "cross": "--cross",
    "swap": "--swap",
    "split": "--split",
    "experiment": "--experiment",
    "language": "--lang",
    "episodes": "--episodes",
    "per_instance": "--per-instance",
    "seed": "--seed",
    "protocol": "--protocol",
    "shard": "--shard",
    "assist": "--assist",
    "no_record": "--no-record",
}
"""Options that say what is played: a run that is resumed has said it."""


FORMLESS = ("experiment", "protocol", "shard", "timeout", "retries", "max_cost", "no_record")
"""Options for which the form of a run has no field."""


class Amount(click.FloatRange):
    """A number from a range that is one: neither nan nor inf."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number. Fails as other types of options do."""
        number = super().convert(value, param, ctx)
        return number if math.isfinite(number) else self.fail(f"{value} is no number to keep to.", param, ctx)


@click.command()
@click.argument("games", nargs=-1)
@click.option("--player", "players", multiple=True, help="Takes every free seat, with itself; may be repeated.")
@click.option("--seat", "seats", multiple=True, metavar="ROLE=PLAYER", help="Who sits where; may be repeated.")
@click.option("--cross", is_flag=True, default=None, help="All players with and against all, in every seat.")
@click.option("--swap", is_flag=True, default=None, help="Play every table with everybody in every seat, too.")
@click.option("--split", type=click.Choice(["train", "validation", "test"]), help="Instances of it [default: train].")
@click.option("--experiment", help="Instances of this experiment.")
@click.option("--lang", "language", help="Language of the games [default: en].")
@click.option("--episodes", type=click.IntRange(1), help="How many in all [default: every instance once].")
@click.option("--per-instance", type=click.IntRange(1), help="Siblings with the same instance and luck [default: 1].")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Instances, luck and sampling [default: 0].")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 4096),
    help="Matches at once; while some wait for a busy backend, up to 4 times as many are under way [default: 16].",
)
@click.option("--protocol", help="Decoding, instances and seats as a published evaluation had them: clembench-3.")
@click.option(
    "--shard", metavar="I/N", help="Play only the I-th of N parts, for job arrays; join them with `db merge`."
)
@click.option("--assist/--no-assist", default=None, help="Help models to keep the form; is noted [default: no].")
@click.option("--resume", metavar="RUN", help="Go on with a run, or `last`, under its limits: every episode once.")
@click.option("--timeout", type=Amount(0.01), help="Seconds for one reply [default: 300].")
@click.option("--retries", type=click.IntRange(0, 20), help="Ask again after a passing failure [default: 2].")
@click.option(
    "--max-tokens",
    type=click.IntRange(1),
    help="Tokens that each player may use in all, in and out; replies under way at the end of them come on top.",
)
@click.option(
    "--max-cost", type=Amount(0, min_open=True), help="US dollars that each player may cost (prices: registry)."
)
@click.option("--no-record", is_flag=True, default=None, help="Keep nothing.")
@click.option("--plain", is_flag=True, help="Lines instead of a screen.")
@json_option
@db_option
@click.pass_context
def selfplay(ctx: click.Context, as_json: bool, db: str | None, plain: bool, **asked: Any) -> None:
    """Let models play GAMES with themselves and each other; every episode goes into the log.

    Without GAMES, on a terminal, a form opens.

    Ctrl-C lets the matches under way end, a second one stops at once; `--resume RUN` goes on.
    """
    path = place(ctx, db)
    if asked["resume"] == "last":
        from playpen_tui.cli.spectate import latest

        asked["resume"] = latest(path)
    screen = not (plain or as_json) and sys.stdout.isatty() and sys.stdin.isatty()
    if screen and not asked["games"] and not asked["resume"]:
        given = [f"--{key.replace('_', '-')}" for key in FORMLESS if asked[key] is not None]
        given += ["--cross with --swap"] * bool(asked["cross"] and asked["swap"])
        if given:
            raise click.UsageError(
                f"the form has no field for {' and '.join(given)}: leave it out there, or name a GAME"
            )
        from playpen_tui.cli.play import open_app
        from playpen_tui.messages import NewRun

        ctx.exit(open_app(path, first=NewRun(_draft(asked))))
    wish = wished(asked)
    if screen:
        from playpen_tui.cli.play import open_app
        from playpen_tui.watching import Watch

        if (finished := asyncio.run(_early(path, wish))) is not None:
            print(finished)
            ctx.exit(0)
        ctx.exit(open_app(path, watch=Watch(wish=wish)))
    ctx.exit(asyncio.run(_headless(path, wish, as_json)))


def wished(asked: dict[str, Any]) -> Wish:
    """The wish that the options of a command say. Raises BadPlan and click.UsageError."""
    from players.plan import Plan, parse_shard, with_protocol
    from playpen_tui.selfplay import Wish

    games = tuple(dict.fromkeys(asked["games"]))
    if not games and not asked.get("resume"):
        raise click.UsageError("selfplay needs a GAME (`playpen-tui games` lists them), or --resume RUN")
    limits = {name: asked[option] for name, option in LIMITS.items() if asked.get(option) is not None}
    seats = named_seats(asked["seats"])
    if len(seats) < len(asked["seats"]):
        roles = [seat.partition("=")[0] for seat in asked["seats"]]
        twice = next(role for role in roles if roles.count(role) > 1)
        raise click.UsageError(
            f"--seat names {twice} twice: leave one out, or let players take it in turn with --cross"
        )
    plan = None
    if games:
        plan = Plan(
            games=games,
            players=tuple(dict.fromkeys(asked["players"])),
            seats=seats,
            cross=bool(asked["cross"]),
            swap=bool(asked["swap"]),
            split=asked["split"] or "train",
            experiment=asked["experiment"],
            language=asked["language"] or "en",
            episodes=asked["episodes"],
            per_instance=asked["per_instance"] or 1,
            seed=asked["seed"] or 0,
            shard=parse_shard(asked["shard"]) if asked["shard"] else (1, 1),
            assist=bool(asked["assist"]),
        )
        if asked["protocol"]:
            plan = with_protocol(plan, asked["protocol"])
    elif given := [option for key, option in PLANNED.items() if asked[key] not in (None, ())]:
        typed = ["--no-assist" if option == "--assist" and not asked["assist"] else option for option in given]
        raise click.UsageError(f"--resume takes the run's own plan: leave out {' and '.join(typed)}")
    return Wish(
        plan=plan,
        resume=asked.get("resume"),
        concurrency=asked["concurrency"],
        limits=limits,
        record=not asked["no_record"],
    )


def _draft(asked: Mapping[str, Any]) -> Draft:
    """What the options say, written into the form."""
    from playpen_tui.selfplay_wish import CROSS, SWAP, YES, Draft
    from playpen_tui.selfplay_wish import written as spelled

    pairing = [word for word, key in ((CROSS, "cross"), (SWAP, "swap")) if asked[key]]
    written = {
        "players": spelled(asked["players"]),
        "seats": spelled(asked["seats"]),
        "pairing": pairing[0] if pairing else "",
        "split": asked["split"],
        "language": asked["language"],
        "episodes": asked["episodes"],
        "siblings": asked["per_instance"],
        "seed": asked["seed"],
        "at_once": asked["concurrency"],
        "tokens": asked["max_tokens"],
        "assist": YES if asked["assist"] else "",
    }
    return replace(Draft(), **{key: str(value) for key, value in written.items() if value not in (None, "")})


async def _early(path: Path | None, wish: Wish) -> str | None:
    """What is said instead of opening a screen, where there is nothing left to play. Raises UnknownRun, LogError."""
    from playpen_tui.run_end import finished
    from playpen_tui.workbench import Workbench

    if wish.resume is None and not wish.record:
        return None
    async with Workbench(path) as bench:
        log = await bench.log()
        for notice in bench.new_notices():
            print(f"note: {notice}", file=sys.stderr)
        return None if wish.resume is None else finished(log.queries.run(wish.resume))


async def _headless(path: Path | None, wish: Wish, as_json: bool) -> int:
    """Play, with a line of progress on stderr. Returns the exit code."""
    from playpen_tui.loading import told
    from playpen_tui.plain_text import one_line
    from playpen_tui.run_end import closing
    from playpen_tui.selfplay import line, open_selfplay
    from playpen_tui.workbench import Workbench

    async with Workbench(path) as bench:
        opened = await told(bench, open_selfplay(bench, wish), lambda text: print(text, file=sys.stderr))
        for notice in bench.new_notices():
            print(f"note: {notice}", file=sys.stderr)
        interrupts = _obey(opened)
        telling = asyncio.ensure_future(_tell(opened))
        try:
            tally = await opened.run()
        finally:
            telling.cancel()
            await asyncio.wait([telling])
        document = opened.document()
        if sys.stderr.isatty():
            print(file=sys.stderr)
        if as_json:
            print_json({**document, "db": str(bench.path), "interrupted": bool(interrupts)})
        else:
            print(line(opened))
            for outcome, count in document["outcomes"].items():
                print(f"  {outcome}: {count:,}")
            for kind, count in document["errors"].items():
                said = one_line(tally.said.get(kind, ""), 400)
                print(f"  could not go on, {kind}: {count:,}" + (f" · {said}" if said else ""))
        for sentence in closing(opened, bench.named_db):
            print(sentence, file=sys.stderr)
    return 130 if interrupts else 1 if tally.done < tally.planned else 0


def _obey(opened: SelfPlay) -> list[int]:
    """The first interrupt lets matches end, the second stops them; returns the list of those that came."""
    came: list[int] = []

    def interrupted(number: int) -> None:
        came.append(number)
        if len(came) == 1 and number == signal.SIGINT:
            print("\nmatches under way will end; ctrl-c again stops at once", file=sys.stderr)
            opened.scheduler.finish()
        else:
            opened.scheduler.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: there the interrupt arrives as an exception
            loop.add_signal_handler(number, interrupted, number)
    return came


async def _tell(opened: SelfPlay) -> None:
    """How far it is: a line that is written over on a terminal, else a line now and then."""
    from playpen_tui.selfplay import line, told
    from playpen_tui.watching import headline

    terminal = sys.stderr.isatty()
    since = monotonic()
    while True:
        if terminal:
            width, run = _width(), opened.run_id[:10]
            drawn = headline((f"self-play {run}", run, ""), *told(opened), width)
            print(f"\r{drawn[:width]:<{width}}", end="", file=sys.stderr, flush=True)
        elif monotonic() - since >= 10:
            since = monotonic()
            print(line(opened), file=sys.stderr, flush=True)
        await asyncio.sleep(0.25)


def _width() -> int:
    """Cells of a line of the terminal, but for the last, behind which some begin a new line."""
    try:
        return max(1, os.get_terminal_size(sys.stderr.fileno()).columns - 1)
    except OSError:
        return 79
