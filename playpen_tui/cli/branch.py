"""`branch`: candidates at turns of logged episodes, played on to the end; as a tree with their values."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from playpen_tui.cli.common import db_option, filters_named, json_option, named_seats, place, print_json

if TYPE_CHECKING:
    from pathlib import Path

    from playpen_tui.branching import Branching, BranchWish
    from playpen_tui.workbench import Workbench
    from store.filters import Filters

SHOWN = 20
"""Trees that are printed; `--json` has all."""


@click.command()
@click.option("--episode", metavar="ID", help="Branch in this episode; without it, in those that fit the filters.")
@click.option("--ply", type=click.IntRange(0), help="At this turn, counted from 0.")
@click.option("--candidates", type=click.IntRange(0, 256), default=4, show_default=True, help="Replies sampled there.")
@click.option("--rollouts", type=click.IntRange(0, 1024), default=4, show_default=True, help="From each candidate.")
@click.option("--from", "by", multiple=True, metavar="PLAYER", help="Who writes candidates [default: who plays on].")
@click.option("--text", "texts", multiple=True, help="A candidate of your own; may be repeated.")
@click.option("--said", is_flag=True, help="Play on from what was said there, too.")
@click.option("--player", "seats", multiple=True, metavar="ROLE=PLAYER", help="Who plays on there; may be repeated.")
@click.option("--with", "everybody", metavar="PLAYER", help="Who plays on in all other seats [default: who sat there].")
@click.option("--points", type=click.IntRange(0), default=1, show_default=True, help="Turns of each episode; 0: all.")
@click.option(
    "--which",
    type=click.Choice(["every", "random", "last"]),
    default="every",
    show_default=True,
    help="Which turns: evenly spread, drawn, or the latest.",
)
@click.option("--episodes", type=click.IntRange(1), default=20, show_default=True, help="Episodes that fit, at most.")
@click.option("--temperature", type=click.FloatRange(0, 10), help="Of models that are greedy else [default: 0.8].")
@click.option("--assist/--no-assist", default=None, help="Help models to keep the form [default: as in the episode].")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Luck of all sampling.")
@click.option("--concurrency", type=click.IntRange(1, 4096), default=16, show_default=True, help="Rollouts at once.")
@click.option("--resume", metavar="RUN", help="Go on with a branch run: every planned rollout exactly once.")
@click.option(
    "--disagreement",
    is_flag=True,
    help="Only list pairs where people prefer what came to less when both were played on.",
)
@click.option("--plain", is_flag=True, help="Lines instead of a screen.")
@filters_named()
@json_option
@db_option
@click.pass_context
def branch(ctx: click.Context, as_json: bool, db: str | None, plain: bool, filters: Filters, **asked: Any) -> None:
    """Sample candidates at turns of logged episodes, or write some, and let each be played on to the end.

    A candidate's value is the mean reward of its role over its rollouts. With --candidates 0 and --rollouts 0 the tree
    of --episode and --ply is only shown. The first Ctrl-C lets what is under way end; `--resume RUN` goes on.
    """
    path = place(ctx, db)
    if asked["disagreement"]:
        from playpen_tui.cli.annotate_disagreement import tell

        tell(path, None, filters, as_json, played_on=True)
        return
    if asked["episode"] is None and asked["ply"] is not None:
        raise click.UsageError("--ply needs --episode, whose turn it is")
    screen = not (plain or as_json) and sys.stdout.isatty() and sys.stdin.isatty()
    if screen and asked["episode"] is not None and asked["ply"] is not None and not asked["resume"]:
        from playpen_tui.cli.play import open_app
        from playpen_tui.messages import Fork

        ctx.exit(open_app(path, first=Fork(asked["episode"], asked["ply"], _wish((), asked))))
    ctx.exit(asyncio.run(_headless(path, filters, asked, as_json)))


def _wish(points: tuple[tuple[str, int], ...], asked: dict[str, Any]) -> BranchWish:
    from playpen_tui.branching import WARM, BranchWish

    return BranchWish(
        points=points,
        candidates=asked["candidates"],
        rollouts=asked["rollouts"],
        by=asked["by"],
        texts=tuple(dict.fromkeys(asked["texts"])),
        said=asked["said"],
        seats=named_seats(asked["seats"], "--player"),
        everybody=asked["everybody"] or "",
        temperature=WARM if asked["temperature"] is None else asked["temperature"] or None,
        assist=asked["assist"],
        seed=asked["seed"],
        concurrency=asked["concurrency"],
    )


async def _headless(path: Path | None, filters: Filters, asked: dict[str, Any], as_json: bool) -> int:
    from playpen_tui.branching import open_branching
    from playpen_tui.workbench import Workbench

    async with Workbench(path) as bench:
        if asked["resume"]:
            opened = await open_branching(bench, resume=asked["resume"])
        else:
            wish = _wish(await _points(bench, filters, asked), asked)
            if not wish.rollouts and not wish.wide:
                return await _show(bench, wish.points, as_json)
            opened = await open_branching(bench, wish)
        for notice in bench.new_notices():
            print(f"note: {notice}", file=sys.stderr)
        interrupts = _obey(opened)
        telling = asyncio.ensure_future(_tell(opened))
        try:
            tally = await opened.run()
        finally:
            telling.cancel()
            await asyncio.wait([telling])
        _told(opened, bool(interrupts))
        trees = await _trees(bench, [one.where.key for one in opened.points])
        if as_json:
            document = {**opened.document(), "db": str(bench.path), "interrupted": bool(interrupts)}
            print_json({**document, "trees": [data for _, data in trees]})
        else:
            _print([lines for lines, _ in trees])
            tail = f" --db {bench.named_db}" if bench.named_db else ""
            print(f"run {opened.run_id}: {tally.done:,} of {tally.planned:,} rollouts")
            if tally.done < tally.planned:
                print(f"go on with: playpen-tui branch --resume {opened.run_id}{tail}", file=sys.stderr)
    return 130 if interrupts else 1 if tally.done < tally.planned or opened.unsampled else 0


async def _points(bench: Workbench, filters: Filters, asked: dict[str, Any]) -> tuple[tuple[str, int], ...]:
    """Where to branch. Raises click.UsageError where nothing fits."""
    from playpen_tui.branching import points_in
    from playpen_tui.cli.common import full_runs
    from store.filters import Filters as Chosen

    log = await bench.log()
    if asked["episode"] is not None:
        episodes = [log.history.resolve(asked["episode"])]
        if asked["ply"] is not None:
            return ((episodes[0], asked["ply"]),)
    else:
        fitting = full_runs(log, filters)
        if not fitting.runs and "branch" not in fitting.kinds:  # else each call would branch from the last one's
            fitting = replace(fitting, nor=(*fitting.nor, Chosen(kinds=("branch",))))
        episodes = [row.id for row in log.queries.matching(fitting, asked["episodes"])]
    found = points_in(log, episodes, filters.roles, asked["points"], asked["which"], asked["seed"])
    if not found:
        raise click.UsageError("no turn of any episode fits; `playpen-tui browse` lists what is there")
    return found


async def _trees(bench: Workbench, points: list[tuple[str, int]]) -> list[tuple[list[str], dict[str, Any]]]:
    from playpen_tui import branch_view
    from store import branches

    log = await bench.log()
    found: list[tuple[list[str], dict[str, Any]]] = []
    for episode, ply in points:
        where = branches.point(log, episode, ply)
        tree = branches.tree(log.reader(), *where.key)
        found.append((branch_view.lines(tree, where), branch_view.as_data(tree, where)))
    return found


async def _show(bench: Workbench, points: tuple[tuple[str, int], ...], as_json: bool) -> int:
    trees = await _trees(bench, list(points))
    if as_json:
        print_json({"run": None, "trees": [data for _, data in trees]})
    else:
        _print([lines for lines, _ in trees])
    return 0


def _print(trees: list[list[str]]) -> None:
    for lines in trees[:SHOWN]:
        print("\n".join(lines))
        print()
    if len(trees) > SHOWN:
        print(f"… and {len(trees) - SHOWN:,} more; --json has them all")


def _told(opened: Branching, interrupted: bool) -> None:
    """What did not go as planned, on stderr."""
    if sys.stderr.isatty():
        print(file=sys.stderr)
    for why, count in opened.left_out.items():
        print(f"left out: {count:,} points, {why}", file=sys.stderr)
    for kind, count in opened.unsampled.items():
        print(f"not sampled: {count:,} replies, {kind}", file=sys.stderr)
    if not interrupted:
        for kind, count in opened.scheduler.tally.errors.items():
            print(f"could not go on: {count:,} rollouts, {kind}", file=sys.stderr)


def _obey(opened: Branching) -> list[int]:
    """The first interrupt lets rollouts end, the second stops them; returns the list of those that came."""
    came: list[int] = []

    def hear() -> None:
        came.append(1)
        if len(came) == 1:
            print("\nletting what is under way end; once more stops it", file=sys.stderr)
            opened.finish()
        else:
            opened.stop()

    with suppress(NotImplementedError, RuntimeError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, hear)
    return came


async def _tell(opened: Branching) -> None:
    """How far it is, in one line of a terminal, else at every tenth."""
    from playpen_tui.cli.progress import Told

    told = Told("rollouts")
    while True:
        tally = opened.scheduler.count()
        if tally.planned:
            told(min(tally.done + tally.failed, tally.planned - 1), tally.planned)
        await asyncio.sleep(0.5)
