"""`spectate`: watch new matches, a run of another process, or episodes from the log, on the screen or in lines."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import click

from playpen_tui.cli.common import db_option, json_option, place
from playpen_tui.cli.selfplay import wished

if TYPE_CHECKING:
    from pathlib import Path

    from playpen_tui.watching import Stand, Watch, Watched
    from store.log import Log
    from store.records import RunRow

PATIENCE = 2.0
"""Seconds that a run which is watched may take to begin."""


@click.command()
@click.argument("games", nargs=-1)
@click.option("--player", "players", multiple=True, help="Takes every free seat, with itself; may be repeated.")
@click.option("--seat", "seats", multiple=True, metavar="ROLE=PLAYER", help="Who sits where; may be repeated.")
@click.option("--cross", is_flag=True, help="All players with and against all, in every seat.")
@click.option("--split", type=click.Choice(["train", "validation", "test"]), help="Instances of it [default: train].")
@click.option("--lang", "language", help="Language of the games [default: en].")
@click.option("--episodes", type=click.IntRange(1), default=4, show_default=True, help="How many new matches.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Instances, luck and sampling [default: 0].")
@click.option("--concurrency", type=click.IntRange(1, 8), default=4, show_default=True, help="Matches at once.")
@click.option("--assist/--no-assist", default=None, help="Help models to keep the form; is noted [default: no].")
@click.option("--run", "run", metavar="RUN", help="Watch a run that another process plays, `last` for the latest.")
@click.option("--episode", "episodes_named", multiple=True, metavar="ID", help="Replay this episode; may be repeated.")
@click.option("--eyes", help="With --plain: only what this role hears [default: the game master's].")
@click.option("--plain", is_flag=True, help="Lines instead of a screen.")
@json_option
@db_option
@click.pass_context
def spectate(
    ctx: click.Context,
    run: str | None,
    episodes_named: tuple[str, ...],
    eyes: str | None,
    plain: bool,
    as_json: bool,
    db: str | None,
    **asked: Any,
) -> None:
    """Watch GAMES being played, a run of another process (--run), or a replay (--episode); else choose from a list.

    With --json every turn is one line of JSON: episode, ply, role, player, text, verdict.
    """
    from playpen_tui.watching import Watch

    path = place(ctx, db)
    wishes = sum((bool(asked["games"]), run is not None, bool(episodes_named)))
    if wishes > 1 or (not wishes and (asked["players"] or asked["seats"])):
        raise click.UsageError("spectate takes a GAME with its players, or --run RUN, or --episode ID")
    if not wishes:
        ctx.exit(_list(path, plain, as_json))
    if asked["games"]:
        none = dict.fromkeys(("swap", "experiment", "per_instance", "protocol", "shard", "no_record"))
        watch = Watch(wish=wished({**none, **asked}))
    elif run is not None:
        watch = Watch(run=_begun(path, latest(path) if run == "last" else run))
    else:
        watch = Watch(episodes=episodes_named[:8])
    if plain or as_json:
        ctx.exit(asyncio.run(_lines(path, watch, eyes, as_json)))
    _refuse_early(path, watch)
    from playpen_tui.cli.play import open_app

    ctx.exit(open_app(path, watch=watch))


def _list(path: Path | None, plain: bool, as_json: bool) -> int:
    """Show what there is to watch: on a screen to choose from, as lines, or as one document."""
    if not plain and not as_json:
        from playpen_tui.cli.play import open_app
        from playpen_tui.messages import Go

        return open_app(path, first=Go("stands"))
    from datetime import UTC, datetime

    from playpen_tui.plain_text import plain as harmless
    from playpen_tui.programme import NOTHING, listed

    with _reading(path) as log:
        items = listed(log, datetime.now(UTC))
    if as_json:
        print(json.dumps([item.as_json() for item in items], ensure_ascii=False, indent=2))
        return 0
    for item in items:
        kind = "run" if item.is_run else "episode"
        mark = " · bookmarked" if item.bookmarked else ""
        line = f"{kind} {item.id}  {item.state}  {item.games}  {item.who}  {item.how}  {item.age}{mark}"
        print(harmless(line))
    if not items:
        print(NOTHING)
    return 0


def _reading(path: Path | None) -> Log:
    """The log, to be read: brought up to date or made where it can be written, else as it is. Raises LogError."""
    from store.errors import ReadOnly
    from store.log import Log

    try:
        return Log.open(path)
    except ReadOnly:
        return Log.open(path, readonly=True)


def latest(path: Path | None) -> str:
    """The id of the self-play that began last; of one that never did where no other is there.

    Raises UnknownRun, LogError.
    """
    from store.errors import UnknownRun
    from store.log import Log

    with Log.open(path, readonly=True) as log:
        runs = log.queries.runs(100, kind="self_play")
    if not runs:
        raise UnknownRun(
            "there is no self-play in this log yet; `playpen-tui selfplay GAME --player PLAYER` begins one"
        )
    return next((run for run in runs if _is_begun(run)), runs[0]).id


def _is_begun(run: RunRow) -> bool:
    return run.episodes > 0 or run.progress is not None


def _begun(path: Path | None, wished: str) -> str:
    """The id of a run of which something was played. Raises UnknownRun, also where it does not begin; LogError."""
    from store.errors import UnknownRun

    until = monotonic() + PATIENCE
    with _reading(path) as log:
        while not _is_begun(found := log.queries.run(wished)):
            if monotonic() > until:
                way = f": `playpen-tui selfplay --resume {found.id}` begins it" if found.kind == "self_play" else ""
                raise UnknownRun(f"nothing was ever begun in run {found.id}, so there is nothing to watch{way}")
            sleep(0.1)
    return found.id


def _refuse_early(path: Path | None, watch: Watch) -> None:
    """What cannot be watched is said on the command line, before a screen opens; new matches as they open."""
    if watch.wish is not None:
        return

    async def look() -> None:
        from playpen_tui.stands import open_stand
        from playpen_tui.workbench import Workbench

        async with Workbench(path) as bench:
            await open_stand(bench, watch)

    asyncio.run(look())


async def _lines(path: Path | None, watch: Watch, eyes: str | None, as_json: bool) -> int:
    """Print every turn as it comes. A run of another process is followed until it is over or dead."""
    from playpen_tui.stands import FollowStand, LiveStand, ReplayStand, of_run, open_stand, replayed
    from playpen_tui.workbench import Workbench

    async with AsyncExitStack() as stack:
        if watch.wish is not None:
            stand: Stand = await open_stand(await stack.enter_async_context(Workbench(path)), watch)
        else:
            log = await stack.enter_async_context(await asyncio.to_thread(_reading, path))
            stand = replayed(log, watch.episodes) if watch.run is None else of_run(log, watch.run)
        told: dict[str, int] = {}

        def changed(watched: Watched | None) -> None:
            if watched is not None:
                told[watched.key] = _tell(watched, told.get(watched.key, 0), eyes, as_json)

        if isinstance(stand, ReplayStand):
            for watched in stand.offered():
                watched.match = watched.steps[-1]
                changed(watched)
            return 0
        if isinstance(stand, LiveStand):
            stand.everything = True
        stop = stand.listen(changed)
        following = asyncio.ensure_future(stand.follow())
        try:
            while not following.done():
                for watched in stand.offered():
                    changed(watched)
                if isinstance(stand, FollowStand) and stand.word in ("done", "stopped", "killed"):
                    break
                await asyncio.wait([following], timeout=0.1)
        finally:
            stop()
            if not following.done():
                following.cancel()
            await asyncio.wait([following])
        if not following.cancelled():
            following.result()
        print(stand.head(), file=sys.stderr)
    return 0


def _tell(watched: Watched, known: int, eyes: str | None, as_json: bool) -> int:
    """Print the turns of a match from this ply on; returns how many there are now."""
    from playpen_tui.plain_text import plain
    from playpen_tui.sitting import BadSetup
    from playpen_tui.transcript import entry

    match = watched.match
    if eyes is not None and eyes not in match.game.roles:
        raise BadSetup(f"{match.game.name} has no role {eyes!r}; there are: {', '.join(match.game.roles)}")
    for step in match.steps[known:]:
        player = watched.names.get(step.role, "")
        heard = eyes is None or step.role == eyes or any(say.to == eyes and say.by == step.role for say in step.says)
        if not heard:
            continue
        if as_json:
            row = {"episode": watched.episode, "game": match.game.name, "ply": step.ply, "role": step.role}
            row |= {"player": player, "text": step.text, "verdict": step.verdict}
            print(json.dumps(row, ensure_ascii=False), flush=True)
            continue
        read = entry(match, step, eyes)
        note = f"  [{read.broken}]" if read.broken else ""
        print(
            f"[{(watched.episode or watched.key)[-6:]}] {step.role} ({plain(player)}): {plain(read.text)}{plain(note)}",
            flush=True,
        )
    if match.over and len(match.steps) > known and not as_json:
        print(f"[{(watched.episode or watched.key)[-6:]}] -- {plain(match.game.verdict(match))}", flush=True)
    return len(match.steps)
