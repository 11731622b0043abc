"""`annotate pack`: a queue as a small log of its own, for an annotator elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from playpen_tui.cli.common import db_option, json_option, place, print_json
from playpen_tui.plain_text import plain


@click.command()
@click.argument("queue")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new file.")
@click.option("--for", "judge", metavar="NAME", help="For this pseudonym: what they judged already goes along.")
@click.option(
    "--consent",
    type=click.Choice(["local", "research", "public"]),
    default="research",
    show_default=True,
    help="Only items of episodes in which everybody agreed to this, or more.",
)
@json_option
@db_option
@click.pass_context
def pack(
    ctx: click.Context, queue: str, out: Path, judge: str | None, consent: Any, as_json: bool, db: str | None
) -> None:
    """Write QUEUE with its items and their episodes to OUT, a log that somebody else can judge.

    Votes of others stay here. What comes back joins this log with `db merge OUT`, as often as one likes.
    """
    from store.exchange.pack import pack_queue
    from store.log import Log
    from store.queues import find_queue

    path = place(ctx, db)
    with Log.open(path, readonly=judge is None) as log:
        found = find_queue(log.reader(), queue)
        if judge is not None and log.people.find(judge) is None:
            log.people.add("local", judge)
        done = pack_queue(log, found, out, judge=judge, level=consent)
    if as_json:
        told = {"queue": found.name, "out": str(done.path), "items": done.items, "episodes": done.episodes}
        print_json({**told, "withheld": done.withheld, "for": judge, "consent": consent})
        return
    print(f"{done.items:,} items of {plain(found.name)} and {done.episodes:,} episodes written to {done.path}")
    print(f"{done.withheld:,} items left out, since somebody in their episodes agreed to less than {consent}")
    whom = f" --as {judge}" if judge else ""
    print(f"judge with: playpen-tui annotate --db {done.path}{whom}\njoin with: playpen-tui db merge {done.path}")
