"""`trainings`: those in the log, how they stand, and orders to those that go on."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from playpen_tui.cli.common import db_option, json_option, print_json, print_table
from playpen_tui.cli.train_evaluate import evaluate
from playpen_tui.plain_text import plain

if TYPE_CHECKING:
    from store.log import Log
    from store.trainings import TrainingRow


@click.group()
def trainings() -> None:
    """List trainings and how they stand; stop, pause, save or end those that go on."""


def _open(ctx: click.Context, named: str | None, *, readonly: bool = False) -> Log:
    from store.log import Log

    return Log.open(named or (ctx.find_root().obj or {}).get("db"), readonly=readonly)


def _short(log: Log, row: TrainingRow) -> dict[str, Any]:
    from store.trainings import state_of
    from training.launch import hint

    now = state_of(log, row)
    return {
        "training": row.id,
        "state": now,
        "method": row.method,
        "base": row.base,
        "name": row.config.get("name", row.result or ""),
        "step": row.progress.done if row.progress else 0,
        "steps": row.progress.planned if row.progress else 0,
        "folder": str(row.folder or ""),
        "created_at": row.created_at,
        "hint": hint(row, now),
    }


@trainings.command("list")
@db_option
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many, newest first.")
@json_option
@click.pass_context
def list_(ctx: click.Context, db: str | None, limit: int, as_json: bool) -> None:
    """The latest trainings and how they stand."""
    from store import trainings as stored

    with _open(ctx, db, readonly=True) as log:
        rows = [_short(log, row) for row in stored.recent(log, limit)]
    if as_json:
        print_json(rows)
        return
    head = ["training", "state", "method", "base", "name", "step", "folder"]
    print_table(
        head, [[*(row[key] for key in head[:5]), f"{row['step']}/{row['steps']}", row["folder"]] for row in rows]
    )


@trainings.command()
@click.argument("training")
@db_option
@json_option
@click.pass_context
def show(ctx: click.Context, training: str, db: str | None, as_json: bool) -> None:
    """One training: what it ran on, what happened, its checkpoints."""
    from store import trainings as stored
    from training.launch import told

    with _open(ctx, db, readonly=True) as log:
        row = stored.get(log, training)
        found = {**_short(log, row), "config": dict(row.config), "dataset": row.dataset, "run": row.run}
        happened = stored.events(log, row.id)
        saved = stored.checkpoints(log, row.id)
    if as_json:
        found["events"] = [asdict(event) for event in happened]
        found["checkpoints"] = [{**asdict(one), "path": str(one.path)} for one in saved]
        print_json(found)
        return
    print(plain(f"{row.id}: {row.method} of {row.base}, {found['state']} at step {found['step']} of {found['steps']}"))
    if found["hint"]:
        print(plain(f"  {found['hint']}"))
    for event in happened:
        if event.kind == "preflight":
            print(*(plain(f"  {line}") for line in told(event.value)), sep="\n")
        elif event.kind in ("warning", "order"):
            print(plain(f"  step {event.step}: {event.value.get('sentence') or 'ordered: ' + event.value['order']}"))
        elif event.kind == "end":
            print(plain(f"  {event.at[:19]} {event.value['state']} {event.value.get('why', '')}".rstrip()))
    if found["state"] in ("failed", "crashed", "diverged"):
        from training.launch import last_words

        for line in last_words(row.folder, 12).splitlines() if row.folder else ():
            print(plain(f"  | {line}"))
    for one in saved:
        print(plain(f"  checkpoint {one.step}: {one.path}{'' if one.there else ' (removed)'}"))


@trainings.command()
@click.argument("training")
@db_option
@json_option
@click.pass_context
def attach(ctx: click.Context, training: str, db: str | None, as_json: bool) -> None:
    """Follow a training that goes on; ctrl-c asks it to stop and save."""
    from playpen_tui.cli.train_follow import follow, outcome
    from store import trainings as stored

    with _open(ctx, db, readonly=True) as log:
        row = stored.get(log, training)
    if row.folder is None:
        raise click.ClickException(f"the log does not know the folder of {row.id}")
    ctx.exit(outcome(follow(row.folder, resume=False), as_json))


def _order(what: str, help: str) -> None:
    @trainings.command(what, help=help)
    @click.argument("training")
    @db_option
    @click.pass_context
    def order(ctx: click.Context, training: str, db: str | None) -> None:
        from store import trainings as stored
        from training import launch

        with _open(ctx, db) as log:
            row = stored.get(log, training)
            if what == "kill":
                launch.kill_row(log, row)
                print("ended")
            else:
                launch.tell(log, row, what)  # pyright: ignore[reportArgumentType]
                print(f"told to {what}; it obeys after the step it is at")


trainings.add_command(evaluate)

for _what, _help in (
    ("stop", "Stop after this step, and save."),
    ("pause", "Wait after this step, until told to go."),
    ("go", "Go on after a pause."),
    ("save", "Write a checkpoint after this step."),
    ("kill", "End its process at once; what was saved before is safe."),
):
    _order(_what, _help)
