"""`annotate`: judge what waits in a queue, on a screen, in lines, or by a model; and what belongs to queues."""

from __future__ import annotations

import asyncio
import importlib
import sys
from typing import TYPE_CHECKING, Any

import click

from playpen_tui.cli.common import db_option, json_option, place, print_json

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = {
    "agreement": "playpen_tui.cli.annotate_agreement:agreement",
    "disagreement": "playpen_tui.cli.annotate_disagreement:disagreement",
    "queue": "playpen_tui.cli.annotate_queue:queue",
    "mine": "playpen_tui.cli.annotate_mine:mine",
    "adjudicate": "playpen_tui.cli.annotate_adjudicate:adjudicate",
    "pack": "playpen_tui.cli.annotate_pack:pack",
    "label": "playpen_tui.cli.annotate_turns:label",
    "edit": "playpen_tui.cli.annotate_turns:edit",
}
"""Subcommands, imported when they are called."""
JUDGE = "judge:"


class LazyAnnotate(click.Group):
    """Knows its subcommands by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the subcommand."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, name = COMMANDS[cmd_name].partition(":")
        return getattr(importlib.import_module(module), name)


@click.group(cls=LazyAnnotate, invoke_without_command=True)
@click.option("--queue", metavar="NAME", help="The queue to judge; may be left out where only one is open.")
@click.option(
    "--as", "judge", metavar="NAME", help="Judge under this pseudonym; judge:MODEL lets a model judge all it has not."
)
@click.option("--limit", type=click.IntRange(1), help="Stop after so many votes; a model after so many items.")
@click.option("--plain", is_flag=True, help="Lines instead of a screen.")
@json_option
@db_option
@click.pass_context
def annotate(
    ctx: click.Context,
    queue: str | None,
    judge: str | None,
    limit: int | None,
    plain: bool,
    as_json: bool,
    db: str | None,
) -> None:
    """Judge what waits in a queue: which of two replies, or of two endings, is better.

    Without --plain a screen opens, that of the queue, or of all queues where none is named. In lines each item is
    answered by 1 or 2 (1! or 2!: much better), 3 a tie, 4 both bad, s skip, f flag, c WORDS comment, u undo, q stop; so
    it can be piped. `--as judge:MODEL` lets a model of the registry judge, kept apart from people; judge:bot:left,
    :right, :longer, :shorter and :random are scripted.
    """
    path = place(ctx, db)
    if ctx.invoked_subcommand is not None:
        ctx.obj = {**(ctx.obj or {}), **({"db": str(path)} if path else {})}
        return
    if judge is not None and judge.startswith(JUDGE):
        _by_model(path, _named(path, queue), judge, limit, as_json)
    elif plain or as_json:
        _in_lines(path, _named(path, queue), judge, limit, as_json)
    else:
        ctx.exit(_screen(path, queue, judge))


def _named(path: Path | None, queue: str | None) -> str:
    """The queue that is meant. Raises UnknownQueue, BadQueue where several are open and none was named."""
    from playpen_tui.plain_judging import require_named
    from store.log import Log
    from store.queues import all_queues, find_queue

    with Log.open(path, readonly=True) as log:
        if queue is not None:
            return find_queue(log.reader(), queue).id
        return require_named([one.name for one in all_queues(log.reader()) if one.open])


def _in_lines(path: Path | None, queue: str, judge: str | None, limit: int | None, as_json: bool) -> None:
    from playpen_tui.plain_judging import judge_plain
    from playpen_tui.plain_text import clean

    def aside(text: str) -> None:
        print(clean(text, None), file=sys.stderr, flush=True)

    sitting, told = asyncio.run(judge_plain(path, queue, judge, limit, aside if as_json else None))
    if as_json:
        print_json(
            {
                "queue": sitting.queue.name,
                "judge": sitting.judge,
                "votes": told.votes,
                "verdicts": told.verdicts,
                "undone": told.undone,
                "not_counted": told.taken,
                "left": told.left,
            }
        )
    else:
        print(f"{told.votes} vote{'' if told.votes == 1 else 's'} in {sitting.queue.name} as {sitting.judge}")


def _by_model(path: Path | None, queue: str, judge: str, limit: int | None, as_json: bool) -> None:
    from playpen_tui.model_judge import Judged, judge_all
    from playpen_tui.plain_text import plain
    from playpen_tui.workbench import Workbench

    def hear(done: Judged, shown: Any) -> None:
        if sys.stderr.isatty():
            print(f"\r{shown.number} of {shown.of}", end="", file=sys.stderr, flush=True)

    async def run() -> Judged:
        async with Workbench(path) as bench:
            return await judge_all(bench, queue, judge, limit=limit, hear=hear)

    done = asyncio.run(run())
    failed = sum(done.failures.values())
    if as_json:
        print_json(
            {
                "judge": done.judge,
                "votes": done.votes,
                "verdicts": dict(done.verdicts),
                "failed": failed,
                "failures": dict(done.failures),
            }
        )
    else:
        print(f"{plain(done.judge)} judged {done.votes:,}; {failed:,} failed")
        for reason, many in done.failures.most_common():
            print(f"  {many:,}: {plain(reason)}")
    if failed and not done.votes:
        raise click.exceptions.Exit(1)


def _screen(path: Path | None, queue: str | None, judge: str | None) -> int:
    """What cannot be found is said on the command line, before a screen opens."""
    from playpen_tui.cli.play import open_app

    named = None if queue is None and judge is None else _named(path, queue)
    from playpen_tui.messages import Go, Judge

    return open_app(path, first=Go("queues") if named is None else Judge(named, judge))
