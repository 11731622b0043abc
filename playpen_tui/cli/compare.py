"""`compare`: which of some models is better on the same instances, and whether that is more than luck."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, cast

import click

from playpen_tui.cli.common import db_option, filter_options, full_runs, json_option, place, print_json, print_table
from playpen_tui.cli.ratings import logged_name

if TYPE_CHECKING:
    from evaluation.compare import Aborted
    from store.filters import Filters


@click.command()
@click.argument("names", nargs=-1, metavar="MODEL MODEL…")
@filter_options
@click.option(
    "--aborted",
    type=click.Choice(["zero", "omit"]),
    default="zero",
    show_default=True,
    help="In quality, an aborted episode counts as 0, or its pair is left out.",
)
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="CSV on stdout.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Markdown on stdout.")
@click.option("--plain", is_flag=True, help="Lines instead of a screen.")
@db_option
@click.pass_context
def compare(
    ctx: click.Context,
    names: tuple[str, ...],
    filters: Filters,
    aborted: str,
    as_json: bool,
    as_csv: bool,
    as_markdown: bool,
    plain: bool,
    db: str | None,
) -> None:
    """Compare two or more models on the same instances, in the same seat, beside the same partner, all pairs of them.

    Differences have 95% intervals over instances; words ("higher", "not significant") hold after Holm's correction over
    games. Where nothing can be told, it says how many more instances would tell.
    """
    names = tuple(map(logged_name, names))
    if len(set(names)) < 2:
        raise click.UsageError("compare takes two different models or more; `playpen-tui results` lists them")
    if sum((as_json, as_csv, as_markdown)) > 1:
        raise click.UsageError("--json, --csv and --markdown are three forms of one table; take one")
    from evaluation import compare_report as told
    from evaluation.compare import compare as compared
    from evaluation.compare import seated
    from evaluation.report import Source, facts
    from playpen_tui.cli.results import on_terminal
    from playpen_tui.plain_text import plain as plainly
    from store.log import Log

    way = cast("Aborted", aborted)
    with Log.open(place(ctx, db), readonly=True) as log:
        filters = full_runs(log, filters)
        rows = log.queries.scored(filters)
        seated(rows, names)  # what cannot be compared is said before a screen opens
        if not (as_json or as_csv or as_markdown or plain) and on_terminal():
            from playpen_tui.cli.play import open_app
            from playpen_tui.figures import Asked
            from playpen_tui.messages import Weigh

            ctx.exit(open_app(place(ctx, db), first=Weigh(Asked(filters, names, aborted=way))))
        source = Source(log.queries.content_hash(), filters, log.queries.left_out(filters, len(rows)))
    found = compared(rows, names, way)
    if as_json:
        print_json(told.document(found, source, way))
    elif as_csv:
        sys.stdout.write(told.csv_text(found, source))
    elif as_markdown:
        sys.stdout.write(told.markdown_text(found, source, way))
    else:
        for pair in found:
            print(plainly(f"{pair.first} against {pair.second}"))
            print_table(*told.grid(pair))
            for sentence in told.summary(pair):
                print(plainly(sentence))
            print()
        for fact in facts(source, told.method(way)):
            print(fact)
