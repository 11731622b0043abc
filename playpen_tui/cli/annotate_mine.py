"""`annotate mine`: put the pairs that training mines before people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from playpen_tui.cli.annotate_queue import put, queue_options, report
from playpen_tui.cli.common import db_option, filter_options, full_runs, json_option, place

if TYPE_CHECKING:
    from store.filters import Filters

KINDS = ("malformed", "repeat", "ignored", "credit", "turn", "dialogue")


@click.command()
@click.argument("name")
@click.option("--mined", "kinds", multiple=True, type=click.Choice(KINDS), help="Only this kind; may be repeated.")
@click.option("--learner", default="", metavar="PLAYER", help="Whose own replies come first.")
@queue_options
@filter_options
@json_option
@db_option
@click.pass_context
def mine(
    ctx: click.Context,
    name: str,
    kinds: tuple[Any, ...],
    learner: str,
    filters: Filters,
    as_json: bool,
    db: str | None,
    **wish: Any,
) -> None:
    """Fill the queue NAME, made where it is not there, with the pairs that training mines from the games.

    Each says why: malformed, the other broke a rule; repeat, it said again what was no use; ignored, it made nothing of
    what it had been told; credit, the game gave this turn more; turn, from here more games were won; dialogue, how it
    went on to the end. Most doubtful first. What people say of a pair goes before what the game says.
    """
    from store.log import Log
    from store.queues import all_queues
    from training.asking import mined
    from training.pairs import Mining

    with Log.open(place(ctx, db)) as log:
        filters = full_runs(log, filters)
        told: dict[str, Any] = {"kinds": kinds} if kinds else {"kinds": KINDS}
        told |= {"limit": wish["limit"]} if wish["limit"] else {}
        told |= {"per_state": wish["per_state"]} if wish["per_state"] else {}
        told |= {"seed": wish["seed"]} if wish["seed"] is not None else {}
        found = mined(log.reader(), filters, Mining(**told), learner, filters.roles)
        there = any(one.name == name for one in all_queues(log.reader()))
        made, added = put(log, name, found.chosen, wish, {"mined": told}, more=there)
        report(made, added, found.splits, {"found": found.there, "states": found.states}, as_json)
