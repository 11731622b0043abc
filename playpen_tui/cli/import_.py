"""`import`: bring in what others recorded. clembench's results, playpen's data set, our own JSON lines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from playpen_tui.cli.common import db_option, json_option, place, print_json

if TYPE_CHECKING:
    from store.exchange.intake import Refused
    from store.log import Log

LISTED = 20
"""Files that did not come in and are named one by one; --json names them all."""


@click.group("import")
def import_() -> None:
    """Bring episodes of others into the log; the same ones twice add nothing."""


def _open(ctx: click.Context, db: str | None) -> Log:
    from store.log import Log

    log = Log.open(place(ctx, db))
    for notice in log.notices:
        print(f"note: {notice}", file=sys.stderr)
    return log


@import_.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--splits",
    type=click.Path(path_type=Path),
    help="JSON or CSV with game, experiment, task_id, split [default: all is test].",
)
@db_option
@json_option
@click.pass_context
def clembench(ctx: click.Context, folder: Path, splits: Path | None, db: str | None, as_json: bool) -> None:
    """Bring in DIR, a results tree of clembench or any part of one; its files are kept byte for byte."""
    from playpen_tui import __version__
    from playpen_tui.cli.progress import Told
    from store.exchange.clem_instances import read_splits
    from store.exchange.clembench import import_clembench

    manifest = read_splits(splits) if splits else None
    with _open(ctx, db) as log:
        done = import_clembench(log, folder, manifest, app_version=__version__, progress=Told("episodes"))
        path = log.path
    if as_json:
        print_json({"db": str(path), **asdict(done)})
        return
    parts = [f"{done.episodes:,} episodes", f"{done.turns:,} turns", f"{done.files:,} files kept"]
    parts += [f"{done.known:,} known already"] if done.known else []
    parts += [f"{done.completed:,} of those finished now"] if done.completed else []
    parts += [f"{done.unfinished:,} without a result"] if done.unfinished else []
    parts += [f"{done.moved:,} instances moved to another split"] if done.moved else []
    print(", ".join(parts))
    for game, count in done.games.items():
        print(f"  {game}: {count:,}")
    _tell_refused(done.refused)


@import_.command("playpen-data")
@click.argument("source", metavar="PATH")
@db_option
@json_option
@click.pass_context
def playpen_data(ctx: click.Context, source: str, db: str | None, as_json: bool) -> None:
    """Bring in playpen's data set from PATH: a JSON, JSONL or parquet file, a folder of them, or OWNER/NAME on the hub.

    Every row is what one seat heard and said, and becomes an episode with that one seat. Rows without messages say
    which split an instance belongs to.
    """
    from playpen_tui import __version__
    from store.exchange.playpen_data import import_playpen_data

    def told(seen: int) -> None:
        print(f"{seen:,} rows", file=sys.stderr, flush=True)

    with _open(ctx, db) as log:
        done = import_playpen_data(log, source, app_version=__version__, progress=told)
        path = log.path
    if as_json:
        print_json({"db": str(path), **asdict(done)})
        return
    parts = [f"{done.episodes:,} episodes of one seat", f"{done.turns:,} turns"]
    parts += [f"{done.known:,} known already"] if done.known else []
    parts += [f"{done.unfinished:,} without an outcome"] if done.unfinished else []
    parts += [f"{done.instances:,} instances"] if done.instances else []
    parts += [f"{done.moved:,} instances moved to another split"] if done.moved else []
    print(", ".join(parts))
    _tell_refused(done.refused)


@import_.command()
@click.argument("file", metavar="PATH", type=click.Path(path_type=Path))
@db_option
@json_option
@click.pass_context
def jsonl(ctx: click.Context, file: Path, db: str | None, as_json: bool) -> None:
    """Bring in PATH, which `export --format jsonl` wrote: the same episodes, ids and all."""
    from playpen_tui.cli.progress import Told
    from playpen_tui.plain_text import plain
    from store.exchange.jsonl_in import import_jsonl

    with _open(ctx, db) as log:
        done = import_jsonl(log, file, Told("bytes"))
        path = log.path
    if as_json:
        print_json({"db": str(path), **asdict(done)})
        return
    parts = [f"{done.episodes:,} episodes", f"{done.rows.get('turns', 0):,} turns"]
    parts += [f"{done.known:,} known already"] if done.known else []
    parts += [f"{done.continued:,} of those continued"] if done.continued else []
    print(", ".join(parts))
    if done.left_out:
        some = ", ".join(f"{number:,} {table}" for table, number in done.left_out.items())
        print(f"{some} left out, since they were erased here or whoever gave them does not agree here")
    if done.forgotten:
        print(
            f"note: forgotten where the file comes from, and known here: {', '.join(map(plain, done.forgotten))}; "
            "`db forget` erases them here too",
            file=sys.stderr,
        )
    _tell_refused(done.refused)


@import_.command()
@click.argument("source", metavar="PATH", type=click.Path())
@click.option("--queue", metavar="NAME", help="Make items of this queue of the pairs; it is made where there is none.")
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    help="Of prompts that nobody heard here and whose line names none [default: test].",
)
@db_option
@json_option
@click.pass_context
def preferences(
    ctx: click.Context, source: str, queue: str | None, split: str | None, db: str | None, as_json: bool
) -> None:
    """Bring in judgements from PATH: JSON lines with prompt, chosen and rejected, or prompt, completion and label.

    A pair whose prompt was heard in an episode here is attached to it. Each line may also say game, role, split, tie,
    strength (1 or 2), annotator (a pseudonym), judge (a model) and comment.
    """
    from playpen_tui import __version__
    from store.errors import UnknownQueue
    from store.exchange.preferences import import_preferences
    from store.queues import find_queue, new_queue

    def told(seen: int) -> None:
        print(f"{seen:,} lines", file=sys.stderr, flush=True)

    with _open(ctx, db) as log:
        into = None
        if queue is not None:
            try:
                into = find_queue(log.reader(), queue)
            except UnknownQueue:
                into = new_queue(log, queue)
        done = import_preferences(log, source, split=split, queue=into, app_version=__version__, progress=told)
        path = log.path
    if as_json:
        print_json({"db": str(path), **asdict(done)})
        return
    parts = [f"{done.pairs:,} pairs", f"{done.labels:,} labels", f"{done.attached:,} of them about episodes here"]
    parts += [f"{done.known:,} known already"] if done.known else []
    parts += [f"{done.items:,} new items in {queue}"] if queue else []
    print(", ".join(parts))
    if apart := done.splits["test"] + done.splits["validation"]:
        print(f"{apart:,} are about validation or test material, which training leaves out; --split train lets new in")
    _tell_refused(done.refused)


def _tell_refused(refused: Sequence[Refused]) -> None:
    """What did not come in, and why."""
    from playpen_tui.plain_text import plain

    if refused:
        print(f"not taken, or not all of it: {len(refused):,}", file=sys.stderr)
    for one in refused[:LISTED]:
        print(f"  {plain(one.path)}: {plain(one.reason)}", file=sys.stderr)
    if len(refused) > LISTED:
        print(f"  and {len(refused) - LISTED:,} more; --json names all", file=sys.stderr)
