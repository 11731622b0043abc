"""Evaluating a training: `train --evaluate` when it ends, `trainings evaluate` at any later time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from playpen_tui.cli import train_follow
from playpen_tui.cli.common import db_option, json_option, print_json, print_table
from playpen_tui.plain_text import plain

if TYPE_CHECKING:
    from evaluation.compare import Comparison
    from playpen_tui.evaluating import Evaluation
    from playpen_tui.selfplay import SelfPlay

F = TypeVar("F", bound=Callable[..., Any])


def evaluate_option(command: F) -> F:
    """`--evaluate [N]`."""
    return click.option(
        "--evaluate",
        type=click.IntRange(1),
        is_flag=False,
        flag_value=60,
        metavar="[N]",
        help="Then compare base and result on N validation instances of each game and role [default: 60].",
    )(command)


def outcome(document: dict[str, Any], instances: int | None, as_json: bool) -> int:
    """Say how a training ended, and what it changed where that is wished; the exit code. Raises ClickException."""
    if instances is None or "player" not in document:
        return train_follow.outcome(document, as_json)
    told = train_follow.read(Path(document["folder"]))
    if not as_json:
        train_follow.outcome(document, False)
    pair, document["evaluation"] = evaluated(Path(told["db"]), document["training"], instances=instances)
    if not as_json:
        _tell(pair, document["evaluation"])
        return 0
    return train_follow.outcome(document, True)


def evaluated(db: Path, training: str, held_out: Sequence[str] = (), **more: Any) -> tuple[Comparison, dict[str, Any]]:
    """Play, compare and keep. Raises BadPlan, CannotCompare, LogError and what opening players raises."""
    from playpen_tui import evaluating
    from store import trainings
    from store.log import Log

    with Log.open(db, readonly=True) as log:
        row = trainings.get(log, training)
        wish: Evaluation = evaluating.wish_for(log, row, held_out, **more)
    number = sum(1 for _ in evaluating.plans(wish))
    seen: list[str] = []

    def hear(opened: SelfPlay) -> None:
        seen.append(opened.run_id)
        role = next(role for role in _roles(opened) if role not in opened.plan.seats)
        line = f"evaluation {len(seen)} of {number}: {opened.plan.games[0]}, {role}"
        print(plain(line), file=sys.stderr, flush=True)

    runs, errors = asyncio.run(evaluating.play(db, wish, hear))
    for kind, count in errors.items():
        print(plain(f"{count:,} matches could not go on, {kind}; they are left out"), file=sys.stderr)
    with Log.open(db, readonly=True) as log:
        pair, document = evaluating.weigh(log, wish, runs)
        evaluating.keep(log, row, document)
    return pair, document


def _roles(opened: SelfPlay) -> Sequence[str]:
    from games import catalog

    return catalog.get(opened.plan.games[0]).roles


def _tell(pair: Comparison, document: dict[str, Any]) -> None:
    from evaluation.compare_report import method
    from playpen_tui import evaluating

    print(plain(f"\n{pair.first} against {pair.second}, its base, on validation instances, each role beside a bot"))
    print_table(*evaluating.grid(pair, document))
    print()
    print_table(*evaluating.by_role(document))
    print(plain(f"\n{method('zero')}"))
    if document["leaked"]:
        print(plain(f"{document['leaked']:,} of the contents were trained on, too: these figures are worth nothing"))


@click.command()
@click.argument("training")
@click.option("--instances", type=click.IntRange(1), default=60, show_default=True, help="Of each game and role.")
@click.option("--held-out", multiple=True, metavar="GAME", help="A game it was not trained on; repeatable.")
@click.option("--max-tokens", type=click.IntRange(1), default=100, show_default=True, help="Of a reply.")
@db_option
@json_option
@click.pass_context
def evaluate(
    ctx: click.Context,
    training: str,
    instances: int,
    held_out: tuple[str, ...],
    max_tokens: int,
    db: str | None,
    as_json: bool,
) -> None:
    """Compare base and result of a training on validation instances, in trained games and in others.

    Both play the same instances, each role alone beside a bot, without assistance and at temperature 0. Without
    --held-out, one game of each family that was not trained is played too.
    """
    from store.connection import default_path

    named = db or (ctx.find_root().obj or {}).get("db")
    path = Path(named) if named else default_path()
    pair, document = evaluated(path, training, held_out, instances=instances, tokens=max_tokens)
    print_json(document) if as_json else _tell(pair, document)
