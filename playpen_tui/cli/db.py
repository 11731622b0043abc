"""`db`: look after the log. Info, check, backup, merge, people, forget."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from playpen_tui.cli.common import db_option, json_option, place, print_json, print_table

if TYPE_CHECKING:
    from store.log import Log
    from store.merge import Merged


def _open(ctx: click.Context, named: str | None) -> Log:
    from store.log import Log

    return Log.open(place(ctx, named), readonly=True)


def _size(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{count} bytes" if unit == "bytes" else f"{size:.1f} {unit}"


@click.group()
def db() -> None:
    """Look after the log: the one SQLite file that holds every episode."""


@db.command()
@db_option
@json_option
@click.pass_context
def info(ctx: click.Context, db: str | None, as_json: bool) -> None:
    """Say what is in the log and how large it is."""
    from store import keep

    with _open(ctx, db) as log:
        found = keep.info(log)
    if as_json:
        print_json({**asdict(found), "path": str(found.path)})
        return
    for notice in found.notices:
        print(f"note: {notice}")
    print(f"{found.path}")
    print(f"{_size(found.size)}, {_size(found.waiting)} waiting to be folded in, {_size(found.free)} free on the disk")
    counts = found.counts
    print(
        f"{counts.episodes:,} episodes, {counts.finished:,} finished; {counts.turns:,} turns; "
        f"{counts.calls:,} model calls; {counts.people:,} people; {counts.runs:,} runs"
    )
    for game, outcomes in found.games.items():
        print(f"  {game}: " + ", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.items()))
    if found.people:
        print("consent: " + ", ".join(f"{count} {level}" for level, count in found.people.items()))
    print(f"schema {found.schema}, journal {found.journal}")


@db.command()
@db_option
@json_option
@click.option("--sample", type=click.IntRange(0), default=200, show_default=True, help="Episodes to play again.")
@click.pass_context
def check(ctx: click.Context, db: str | None, as_json: bool, sample: int) -> None:
    """Check the file, its references and hashes, and play episodes again to see that they come out the same."""
    from store import keep

    with _open(ctx, db) as log:
        report = keep.check(log, sample=sample)
    if as_json:
        print_json({**asdict(report), "ok": report.ok})
    else:
        for problem in report.problems:
            print(f"{problem.kind}: {problem.where}: {problem.message}")
        for reason, count in report.skipped.items():
            print(f"not played again: {count} episodes, {reason}")
        print(
            f"{'all is well' if report.ok else f'{len(report.problems)} problems'}: {report.episodes:,} episodes, "
            f"{report.messages:,} messages hashed, {report.replayed:,} episodes played again"
        )
    ctx.exit(0 if report.ok else 1)


@db.command()
@click.argument("to", required=False, type=click.Path(path_type=Path))
@db_option
@json_option
@click.pass_context
def backup(ctx: click.Context, to: Path | None, db: str | None, as_json: bool) -> None:
    """Copy the log to the file TO, also while others write to it; nothing is overwritten."""
    from store import keep

    with _open(ctx, db) as log:
        to = to or log.path.with_name(f"{log.path.stem}-{datetime.now():%Y%m%d-%H%M%S}.sqlite")
        made = keep.backup(log, to)
    if as_json:
        print_json({"path": str(made.path), "size": made.size})
    else:
        print(f"{made.path}, {_size(made.size)}")
    if made.notice:
        print(f"note: {made.notice}", file=sys.stderr)


@db.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@db_option
@json_option
@click.pass_context
def merge(ctx: click.Context, files: tuple[Path, ...], db: str | None, as_json: bool) -> None:
    """Bring the episodes of other logs (FILES, such as the shards of a job array) into this one; twice is once."""
    from store.log import Log
    from store.merge import merge as join

    found: list[dict[str, Any]] = []
    with Log.open(place(ctx, db)) as log:
        for notice in log.notices:
            print(f"note: {notice}", file=sys.stderr)
        for file in files:
            done = join(log, file)
            found.append({**asdict(done), "source": str(file), "episodes": done.episodes})
            if not as_json:
                print(_brought(file, done))
    if as_json:
        print_json({"db": str(log.path), "merged": found})


def _brought(file: Path, done: Merged) -> str:
    """What came from a file, and what did not and why."""
    parts = [f"{done.episodes:,} episodes", f"{done.rows.get('turns', 0):,} turns"]
    parts += [f"{done.continued:,} continued"] if done.continued else []
    parts += [f"{done.consent:,} episodes left out for want of consent"] if done.consent else []
    parts += [f"{done.judgements:,} candidates and judgements left out for want of consent"] if done.judgements else []
    parts += [f"{done.forgotten:,} people forgotten here as they were there"] if done.forgotten else []
    parts += ["their words may still be in the file: playpen-tui db forget --finish"] if not done.swept else []
    parts += [f"{done.erased:,} left out since words of theirs were erased here"] if done.erased else []
    parts += [f"{done.doubled:,} left out since their slot is filled here"] if done.doubled else []
    return f"{file}: " + ", ".join(parts)


@db.command()
@db_option
@json_option
@click.pass_context
def people(ctx: click.Context, db: str | None, as_json: bool) -> None:
    """List the people of the log by their pseudonyms: what they agreed to, how much they said and judged."""
    from store.people import tally

    with _open(ctx, db) as log:
        found = tally(log.reader())
    if as_json:
        print_json([asdict(one) for one in found])
        return
    head = ("person", "consent", "turns", "judgements", "since")
    rows = [
        (one.id, "withdrawn" if one.withdrawn else one.consent, one.turns, one.judgements, one.since[:10])
        for one in found
    ]
    print_table(head, rows)


@db.command()
@click.argument("person", required=False)
@db_option
@json_option
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.option("--dry-run", is_flag=True, help="Count what would be erased, and change nothing.")
@click.option("--finish", is_flag=True, help="Write the file anew after an erasure that was cut off.")
@click.pass_context
def forget(
    ctx: click.Context, person: str | None, db: str | None, as_json: bool, yes: bool, dry_run: bool, finish: bool
) -> None:
    """Erase what PERSON said, and what others said after hearing it; `db people` lists who is there.

    Backups, exports, data sets and trainings that had the words are named: weights cannot be erased. No other program
    may have the log open.
    """
    from playpen_tui.cli import forgetting

    ctx.exit(forgetting.run(place(ctx, db), person, yes=yes, dry=dry_run, finish=finish, as_json=as_json))
