"""`results`: how much each model played and how well, with intervals; `results verify` recomputes a published table."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from playpen_tui.cli.common import db_option, filter_options, full_runs, json_option, place, print_json, print_table
from playpen_tui.plain_text import plain as plainly

if TYPE_CHECKING:
    from evaluation.results import By
    from store.filters import Filters

BY = ["game", "experiment", "role"]


@click.group(invoke_without_command=True)
@filter_options
@click.option("--by", type=click.Choice(BY), default="game", show_default=True, help="A line for each of these.")
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="CSV on stdout.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Markdown on stdout.")
@click.option("--plain", is_flag=True, help="Lines instead of a screen.")
@db_option
@click.pass_context
def results(
    ctx: click.Context,
    filters: Filters,
    by: str,
    as_json: bool,
    as_csv: bool,
    as_markdown: bool,
    plain: bool,
    db: str | None,
) -> None:
    """How much each model played (kept the protocol), how well, and their product, with 95% intervals.

    The product is called clemscore where clembench's own games were played (clem:NAME), and clemscore[native-1.0] for
    the games of this program; never both in one number. JSON, CSV and markdown name the episodes behind every row.
    """
    if ctx.invoked_subcommand is not None:
        ctx.obj = {**(ctx.obj or {}), "db": db or (ctx.obj or {}).get("db")}
        return
    if sum((as_json, as_csv, as_markdown)) > 1:
        raise click.UsageError("--json, --csv and --markdown are three forms of one table; take one")
    from evaluation import report
    from evaluation.results import table
    from store.log import Log

    way = cast("By", by)
    with Log.open(place(ctx, db), readonly=True) as log:
        filters = full_runs(log, filters)
        rows = log.queries.scored(filters)
        if not rows:
            raise click.ClickException("no finished episodes fit; `playpen-tui selfplay` plays some")
        if not (as_json or as_csv or as_markdown or plain) and on_terminal():
            from playpen_tui.cli.play import open_app
            from playpen_tui.figures import Asked
            from playpen_tui.messages import Weigh

            ctx.exit(open_app(place(ctx, db), first=Weigh(Asked(filters, by=way))))
        source = report.Source(log.queries.content_hash(), filters, log.queries.left_out(filters, len(rows)))
    found = table(rows, way)
    if as_json:
        print_json(report.document(found, source))
    elif as_csv:
        sys.stdout.write(report.csv_text(found, source))
    elif as_markdown:
        sys.stdout.write(report.markdown_text(found, source))
    else:
        print_table(*report.grid(found))
        print()
        print_table(*report.overall_grid(found))
        print()
        for fact in report.facts(source):
            print(fact)


def on_terminal() -> bool:
    """Whether somebody sits here."""
    return sys.stdout.isatty() and sys.stdin.isatty()


@results.command("verify")
@click.argument("file", type=click.Path(dir_okay=False))
@json_option
@db_option
@click.pass_context
def check(ctx: click.Context, file: str, as_json: bool, db: str | None) -> None:
    """Recompute the table in FILE (from `results --json`) and say, cell by cell, which holds.

    It is recomputed from the episodes that it names, in the log of --db, such as a published bundle. Exit code 1 where
    a cell does not hold.
    """
    from evaluation.verify import NotATable, verify
    from store.filters import Filters
    from store.log import Log

    try:
        published = json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise NotATable(f"{file} cannot be read: {error.strerror}; name a table in JSON") from error
    except (ValueError, RecursionError) as error:
        raise NotATable(f"{file} is no JSON ({error}); `playpen-tui results --json > TABLE.json` writes one") from error
    with Log.open(place(ctx, db), readonly=True) as log:
        found = verify(published, log.queries.scored(Filters()))
        same = published["database"] == log.queries.content_hash() if "database" in published else False
    number = {word: found.number(word) for word in ("holds", "differs", "missing")}
    if as_json:
        cells = [
            {"row": c.row, "column": c.column, "published": c.published, "found": c.found, "word": c.word}
            for c in found.cells
        ]
        print_json({**number, "same_database": same, "beyond": found.beyond, "cells": cells})
    else:
        for one in found.cells:
            if one.word != "holds" and one.column != "episode_ids":
                what = "differs" if one.word == "differs" else "cannot be told, since episodes are missing"
                print(plainly(f"{one.row} · {one.column}: published {one.published}, here {one.found}: {what}"))
        print(f"{number['holds']:,} of {len(found.cells):,} cells hold, {number['differs']:,} differ", end="")
        print(f", {number['missing']:,} cannot be told" if number["missing"] else "")
        if found.beyond:
            print(
                f"{found.beyond:,} further episodes of these models and games are here, which the table does not count"
            )
        print("the database is the one of the table" if same else "the database is not the one the table was made from")
    ctx.exit(0 if number["holds"] == len(found.cells) else 1)
