"""`ratings`: how strong players are, who plays how well with whom, and checkpoints against a frozen partner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from playpen_tui.cli.common import db_option, json_option, place, print_json, print_table
from playpen_tui.plain_text import bare, short

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evaluation.crossplay import Cell, Matrix
    from evaluation.intervals import Estimate
    from evaluation.ratings import Ratings
    from store.log import Log
    from store.records import OutcomeRow

BLOCKS = "▁▂▃▄▅▆▇█"
NAME = 21
"""Columns of a player's name, so that the table fits in 80; JSON has names in full."""


def logged_name(player: str) -> str:
    """How the log calls this player: `bot` alone is the competent one, as for a seat."""
    return "bot:competent" if player == "bot" else player


def called(players: Iterable[str]) -> dict[str, str]:
    """Players by short names: without settings and paths, and without their kind where that is too long.

    Names that would be alike stay as they are.
    """
    full = list(dict.fromkeys(players))
    plain = [bare(name) for name in full]
    brief = [name if len(name) <= NAME else short(name.partition(":")[2].rpartition("/")[2], NAME) for name in plain]
    return dict(zip(full, next(names for names in (brief, plain, full) if len(set(names)) == len(full)), strict=True))


@click.command()
@click.option("--game", "games", multiple=True, help="Only this game; may be repeated.")
@click.option("--run", "runs", multiple=True, help="Only this run; may be repeated.")
@click.option("--split", type=click.Choice(["train", "validation", "test"]), help="Only instances of this split.")
@click.option("--since", help="Only episodes from this day on, such as 2026-11-01.")
@click.option("--matrix", "as_matrix", is_flag=True, help="Every player with every other, per game.")
@click.option("--frozen", metavar="PARTNER", help="Curve of the --curve players beside this one.")
@click.option("--curve", "learners", multiple=True, metavar="PLAYER", help="A point of the curve, in order; repeat it.")
@json_option
@db_option
@click.pass_context
def ratings(
    ctx: click.Context,
    games: tuple[str, ...],
    runs: tuple[str, ...],
    split: str | None,
    since: str | None,
    as_matrix: bool,
    frozen: str | None,
    learners: tuple[str, ...],
    as_json: bool,
    db: str | None,
) -> None:
    """Rate the players of the log by who did better than whom (Bradley and Terry, 95% intervals over instances).

    Where seats share the result, players are compared in the same seat, on the same instance, beside the same partner.
    """
    from evaluation import crossplay
    from evaluation import ratings as rating
    from store.log import Log

    if bool(frozen) != bool(learners):
        raise click.UsageError("--frozen PARTNER and --curve PLAYER belong together")
    with Log.open(place(ctx, db), readonly=True) as log:
        found = _found(log, games, runs, split, since)
    if not found:
        raise click.ClickException("no finished episodes fit; `playpen-tui selfplay` plays some")
    if frozen:
        frozen = logged_name(frozen)
        curve = crossplay.frozen_curve(found, [logged_name(name) for name in learners], frozen)
        if as_json:
            print_json({"frozen": frozen, "curve": [{"player": name, **_cell(cell)} for name, cell in curve]})
        else:
            _print_curve(frozen, curve)
        return
    parts = rating.by_game(found)
    if as_matrix:
        tables = [crossplay.matrix(rows) for rows in parts.values()]
        if as_json:
            print_json({"games": [_matrix(table) for table in tables]})
        else:
            for table in tables:
                _print_matrix(table)
        return
    rated = rating.rate(rating.comparisons(found))
    if as_json:
        print_json({"games": list(parts), "episodes": len(found), **_rated(rated)})
    else:
        _print_ratings(rated, list(parts), len(found))


def _found(
    log: Log, games: tuple[str, ...], runs: tuple[str, ...], split: str | None, since: str | None
) -> list[OutcomeRow]:
    """The episodes that were asked for. Raises UnknownRun, BadFilter for no time, UnknownGame."""
    from games import catalog
    from store.filters import Filters

    if since is not None:
        _, (since,) = Filters(since=since, trash="either").sql()  # as the log writes times
    full = tuple(log.queries.run(run).id for run in runs)
    found = log.queries.outcomes(games=games, runs=full, split=split, since=since)
    for game in set(games) - {row.game for row in found}:
        if not log.queries.outcomes(games=(game,)):  # an imported one need not be here
            catalog.get(game)
    return found


def _rated(found: Ratings) -> dict[str, Any]:
    return {
        "comparisons": found.comparisons,
        "instances": found.clusters,
        "advantage": found.advantage,
        "tie": found.tie,
        "warnings": list(found.warnings),
        "ratings": [
            {
                "player": one.player,
                "points": round(one.points, 1),
                "low": None if one.low is None else round(one.low, 1),
                "high": None if one.high is None else round(one.high, 1),
                "comparisons": one.comparisons,
                "better": one.better,
                "ties": one.ties,
                "worse": one.worse,
                "ahead_of_next": one.ahead,
            }
            for one in found.ratings
        ],
    }


def _estimate(found: Estimate | None) -> dict[str, Any] | None:
    return None if found is None else {"value": found.value, "low": found.low, "high": found.high, "n": found.n}


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "n": cell.n,
        "played": _estimate(cell.played),
        "success": _estimate(cell.success),
        "quality": _estimate(cell.quality),
        "episodes": list(cell.episodes),
    }


def _matrix(table: Matrix) -> dict[str, Any]:
    return {
        "game": table.game,
        "roles": list(table.roles),
        "players": list(table.players),
        "cells": [{"first": first, "second": second, **_cell(cell)} for (first, second), cell in table.cells.items()],
        "self_play": {player: _cell(cell) for player, cell in table.self_play.items()},
        "cross_play": {player: _cell(cell) for player, cell in table.cross_play.items()},
    }


def _print_ratings(found: Ratings, games: list[str], episodes: int) -> None:
    print(
        f"{episodes:,} episode{'' if episodes == 1 else 's'} of {', '.join(games)}: "
        f"{found.comparisons:,} comparison{'' if found.comparisons == 1 else 's'}"
        f" on {found.clusters:,} instance{'' if found.clusters == 1 else 's'}"
    )
    names = called(one.player for one in found.ratings)
    rows: list[tuple[object, ...]] = []
    for one in found.ratings:
        interval = "too few" if one.low is None or one.high is None else f"{one.low:.0f} to {one.high:.0f}"
        ahead = "" if one.ahead is None else f"{one.ahead:.0%}"
        rows.append((names[one.player], f"{one.points:.0f}", interval, one.better, one.ties, one.worse, ahead))
    print_table(("player", "points", "95% interval", "better", "ties", "worse", "above the next"), rows)
    if found.advantage is not None:
        print(f"the first seat is worth {found.advantage:+.0f} points")
    for warning in found.warnings:
        print(f"note: {warning}")


def _rate(found: Estimate | None, scale: float = 100.0) -> str:
    if found is None:
        return "–"
    interval = "" if found.low is None or found.high is None else f" ({found.low * scale:.0f}–{found.high * scale:.0f})"
    return f"{found.value * scale:.0f}{interval}"


def _print_matrix(table: Matrix) -> None:
    print(f"{table.game}: %played, %success, quality of those played, with 95% intervals (none below five)")
    names = {**called(table.players), "": "–"}
    rows = [
        (names[first], names[second], cell.n, _rate(cell.played), _rate(cell.success), _rate(cell.quality, 1.0))
        for (first, second), cell in table.cells.items()
    ]
    heads = [*table.roles, *["" for _ in range(2 - len(table.roles))]]
    print_table((*heads, "n", "played", "success", "quality"), rows)
    for player in table.players:
        alone, mixed = table.self_play.get(player), table.cross_play.get(player)
        if alone is not None and mixed is not None:
            print(
                f"{names[player]}: with itself {_rate(alone.success)} % success (n {alone.n}),"
                f" with others {_rate(mixed.success)} % (n {mixed.n})"
            )
    print()


def _print_curve(frozen: str, curve: list[tuple[str, Cell]]) -> None:
    bars = "".join(BLOCKS[min(7, int(cell.success.value * 8))] for _, cell in curve)
    names = called((frozen, *(name for name, _ in curve)))
    print(f"beside {names[frozen]}, on the instances that all have played: success {bars}")
    rows = [
        (names[name], cell.n, _rate(cell.played), _rate(cell.success), _rate(cell.quality, 1.0)) for name, cell in curve
    ]
    print_table(("player", "n", "played", "success", "quality"), rows)
