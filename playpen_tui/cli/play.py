"""`play`: sit down and play, on the screen or in plain lines."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from playpen_tui.cli.common import db_option, named_seats, place

if TYPE_CHECKING:
    from pathlib import Path

    from textual.message import Message

    from playpen_tui.sitting import Setup
    from playpen_tui.watching import Watch


@click.command()
@click.argument("game", required=False)
@click.option("--as", "role", help="Your role [default: the first].")
@click.option("--vs", "partner", help="Who takes the other seats: a model, bot, bot:random, human [default: smollm2].")
@click.option("--seat", "seats", multiple=True, metavar="ROLE=PLAYER", help="Who sits where; may be repeated.")
@click.option("--experiment", help="Take instances of this experiment.")
@click.option("--instance", help="Play this instance.")
@click.option(
    "--split", type=click.Choice(["train", "validation", "test"]), default=None, help="Of this split [default: train]."
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Draw instance and luck from this number.")
@click.option("--lang", "language", help="Language of the game [default: en].")
@click.option("--resume", metavar="EPISODE", help="Go on with an unfinished episode of the log.")
@click.option("--assist/--no-assist", default=None, help="Help a model to keep the form [default: small local ones].")
@click.option("--no-record", is_flag=True, help="Keep nothing of this game.")
@click.option("--plain", is_flag=True, help="Lines instead of a screen; also for screen readers and pipes.")
@db_option
@click.pass_context
def play(
    ctx: click.Context,
    game: str | None,
    role: str | None,
    partner: str | None,
    seats: tuple[str, ...],
    experiment: str | None,
    instance: str | None,
    split: str | None,
    seed: int | None,
    language: str | None,
    resume: str | None,
    assist: bool | None,
    no_record: bool,
    plain: bool,
    db: str | None,
) -> None:
    """Play GAME with whom you like; without GAME a picker opens.

    Whoever is not named is the built-in model, said aloud. Every turn is in the log before the next is asked for.
    """
    from playpen_tui.workbench import requested

    named = named_seats(seats)
    setup = None
    if game is not None or resume is not None:
        setup = requested(
            game, role, partner, named, experiment, instance, split, seed, language, resume, assist, not no_record
        )
    elif plain:
        raise click.UsageError("--plain needs a GAME; `playpen-tui games` lists them")
    path = place(ctx, db)
    if plain:
        from playpen_tui.plain_play import play_plain

        assert setup is not None
        ctx.exit(asyncio.run(play_plain(path, setup)))
    if setup is not None:
        refuse_early(path, setup)
    ctx.exit(open_app(path, setup, picker=setup is None))


def refuse_early(path: Path | None, setup: Setup) -> None:
    """What cannot be set up is said on the command line, before a screen opens."""
    from playpen_tui.workbench import Workbench

    async def look() -> None:
        async with Workbench(path) as workbench:
            await workbench.complete(setup)

    asyncio.run(look())


def open_app(
    db: str | Path | None = None,
    setup: Setup | None = None,
    picker: bool = False,
    watch: Watch | None = None,
    first: Message | None = None,
) -> int:
    """Open the app where one of these leads; returns the exit code and prints the command that goes on from here."""
    if not sys.stdout.isatty() or not sys.stdin.isatty():
        raise click.ClickException("this is no terminal; use --plain to play in lines")
    from pathlib import Path

    from playpen_tui.app import PlaypenApp
    from playpen_tui.plain_text import clean
    from playpen_tui.workbench import Workbench

    async def run() -> tuple[int, list[str]]:
        async with Workbench(Path(db) if db else None) as workbench:
            app = PlaypenApp(workbench, setup, picker=picker, watch=watch, first=first)
            code = await app.run_async()
            if app.unopened is not None:
                raise app.unopened
            said = [f"go on with: {app.last.command(workbench.named_db)}"] if app.last else []
            return code or app.return_code or 0, [*said, *await app.settle()]

    code, said = asyncio.run(run())
    for sentence in said:
        print(clean(sentence, None))
    return code
