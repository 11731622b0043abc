"""`join`: take the seat that somebody opened at another terminal with `--seat ROLE=human@CODE`."""

from __future__ import annotations

import asyncio

import click

from playpen_tui.cli.common import db_option, place


@click.command()
@click.argument("code")
@click.option("--plain", is_flag=True, help="Lines instead of a screen; also for screen readers and pipes.")
@db_option
@click.pass_context
def join(ctx: click.Context, code: str, plain: bool, db: str | None) -> None:
    """Take the seat of CODE in a match that another terminal plays, through the same file.

    Either terminal may close and come back: the match stands in the log.
    """
    from playpen_tui.cli.play import open_app, refuse_early
    from playpen_tui.sitting import Setup

    path = place(ctx, db)
    setup = Setup("", join=code)
    if plain:
        from playpen_tui.plain_play import play_plain

        ctx.exit(asyncio.run(play_plain(path, setup)))
    refuse_early(path, setup)
    ctx.exit(open_app(path, setup))
