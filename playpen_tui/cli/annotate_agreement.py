"""`annotate agreement`: how good judgements are, each judge by themselves and with each other."""

from __future__ import annotations

import click

from playpen_tui.cli.common import db_option, json_option, place, print_json, print_table


@click.command()
@click.argument("queue", required=False)
@json_option
@click.option("--disputed", is_flag=True, help="List every disputed item, not only the first ten.")
@db_option
@click.pass_context
def agreement(ctx: click.Context, queue: str | None, as_json: bool, disputed: bool, db: str | None) -> None:
    """How good the judgements in QUEUE (or in all queues) are: each judge by themselves, and with each other.

    Per judge: pace, how often the left side, ties, skips, consistency on repeats, known answers, odd times. Between
    people: raw agreement, Cohen's kappa for two, Krippendorff's alpha, Gwet's AC1, each with a 95% interval over items;
    where too few items were judged twice it says so. Models that judge stand apart, against what people say.
    """
    from evaluation import agreement_report as told
    from evaluation.agreement import agreement as computed
    from playpen_tui.plain_text import plain
    from store.log import Log

    with Log.open(place(ctx, db), readonly=True) as log:
        found = computed(log.reader(), queue)
    if as_json:
        print_json(told.document(found))
        return
    for title, (head, rows) in told.plain_tables(found):
        if title:
            print(plain(title))
        print_table(head, rows)
        print()
    for line in told.summary(found):
        print(plain(line))
    some = found.disputed if disputed else found.disputed[:10]
    for one in some:
        print(plain(told.disputed_line(one)))
    if len(some) < len(found.disputed):
        print(f"and {len(found.disputed) - len(some)} more disputed items: --disputed lists them all")
    print(told.METHOD)
