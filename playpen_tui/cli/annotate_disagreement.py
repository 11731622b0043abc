"""`annotate disagreement`: the pairs of which people prefer what came to less in the games."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from playpen_tui.cli.common import db_option, filter_options, json_option, place, print_json

if TYPE_CHECKING:
    from pathlib import Path

    from evaluation.disagreement import DisagreementReport
    from store.filters import Filters
    from store.log import Log


@click.command()
@click.option("--queue", metavar="NAME", help="Only what was judged in this queue.")
@click.option("--plain", is_flag=True, help="Lines instead of a screen.")
@filter_options
@json_option
@db_option
@click.pass_context
def disagreement(
    ctx: click.Context, queue: str | None, plain: bool, filters: Filters, as_json: bool, db: str | None
) -> None:
    """Where what people prefer and what came of it in the games disagree, and how often, with a 95% interval.

    People's side is the adjudicated verdict where there is one, else what more of them prefer. The games' side is the
    mean reward over rollouts where both replies were played on, else how the games ended in which they were said. On a
    terminal a screen opens; in a pipe, and with --plain, the pairs are told in lines.
    """
    path = place(ctx, db)
    if not (plain or as_json) and sys.stdout.isatty() and sys.stdin.isatty():
        ctx.exit(_screen(path, queue, filters))
    tell(path, queue, filters, as_json)


def tell(path: Path | None, queue: str | None, filters: Filters, as_json: bool, *, played_on: bool = False) -> None:
    """Print the report; with `played_on` only of pairs of which both sides were played on."""
    from playpen_tui import disagreement_view as view
    from playpen_tui.disagreeing import words
    from store.log import Log

    with Log.open(path, readonly=True) as log:
        found = _computed(log, queue, filters, played_on)
        said = words(log, found)
    if as_json:
        print_json(view.document(found, queue, said))
    else:
        print("\n".join(view.lines(found, said)))


def _computed(log: Log, queue: str | None, filters: Filters, played_on: bool) -> DisagreementReport:
    """The report."""
    from evaluation.disagreement import disagreement as compute
    from playpen_tui.cli.common import full_runs

    return compute(log.reader(), queue, full_runs(log, filters), played_on=played_on)


def _screen(path: Path | None, queue: str | None, filters: Filters) -> int:
    """What cannot be found is said on the command line, before a screen opens."""
    from playpen_tui.cli.common import full_runs
    from playpen_tui.cli.play import open_app
    from playpen_tui.messages import Differ
    from store.log import Log

    with Log.open(path, readonly=True) as log:
        _computed(log, queue, filters, False)
        filters = full_runs(log, filters)
    return open_app(path, first=Differ(queue, filters))
