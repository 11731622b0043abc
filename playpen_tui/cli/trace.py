"""`trace`: where a number, an episode, a turn, a training example or a checkpoint comes from, and what came of it."""

from __future__ import annotations

import sys
from typing import Any

import click

from playpen_tui.cli.common import db_option, json_option, place, print_json
from playpen_tui.plain_text import plain

WAYS = {"from": "comes from", "to": "what came of it"}


@click.command()
@click.argument("wish", metavar="ID")
@click.option("--depth", type=click.IntRange(1, 12), default=2, show_default=True, help="How many steps either way.")
@click.option("--few", type=click.IntRange(1), default=8, show_default=True, help="How many of each kind are named.")
@click.option("--plain", "as_lines", is_flag=True, help="Lines instead of a screen.")
@json_option
@db_option
@click.pass_context
def trace(ctx: click.Context, wish: str, depth: int, few: int, as_lines: bool, as_json: bool, db: str | None) -> None:
    """Follow ID both ways.

    ID is an episode, turn, call, run, instance, candidate, annotation, dataset, training, evaluation, player or person,
    or the beginning of such an id; DATASET:17 for a row of a dataset; MODEL@GAME for a cell of `results`; or a player's
    name.
    """
    from store.log import Log
    from store.trace import Trace, facts

    with Log.open(place(ctx, db), readonly=True) as log:
        tracer = Trace(log.reader)
        node = tracer.find(wish)
        if not as_json and not as_lines and sys.stdin.isatty() and sys.stdout.isatty():
            from playpen_tui.cli.play import open_app
            from playpen_tui.messages import Follow

            ctx.exit(open_app(log.path, first=Follow(node)))
        tree = {**tracer.tree(node, depth, few), "facts": facts(log.reader(), node)}
    if as_json:
        print_json(tree)
        return
    print(_named(tree))
    for way, title in WAYS.items():
        if tree[way]:
            print(f"\n{title}")
            _lines(tree[way], way, 1)


def _lines(branches: list[dict[str, Any]], way: str, level: int) -> None:
    pad = "  " * level
    for branch in branches:
        more = f" ({branch['total']})" if branch["total"] > 1 else ""
        print(f"{pad}{branch['relation']}{more}")
        for node in branch["nodes"]:
            print(f"{pad}  {_named(node)}")
            _lines(node[way], way, level + 2)
        if branch["total"] > len(branch["nodes"]) and branch["nodes"]:
            print(f"{pad}  … {branch['total'] - len(branch['nodes'])} more")


def _named(node: dict[str, Any]) -> str:
    return f"{node['kind']} {plain(node['id'])}  {plain(node['label'])}"
