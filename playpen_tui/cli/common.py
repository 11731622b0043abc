"""What commands share: the `--db` option, JSON on stdout, and tables in plain text."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from playpen_tui.plain_text import plain

if TYPE_CHECKING:
    from store.filters import Filters
    from store.log import Log

SPLITS = ["train", "validation", "test"]
F = TypeVar("F", bound=Callable[..., Any])


def db_option(command: F) -> F:
    """`--db PATH`, also before the command."""
    return click.option(
        "--db", type=click.Path(dir_okay=False), help="The log [default: $PLAYPEN_DB or ./episodes.sqlite]."
    )(command)


def json_option(command: F) -> F:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")(command)


_FILTERS: dict[str, tuple[str, dict[str, Any]]] = {
    "games": ("--game", {"multiple": True, "help": "Only this game; may be repeated."}),
    "experiments": ("--experiment", {"multiple": True, "help": "Only this experiment; may be repeated."}),
    "roles": ("--role", {"multiple": True, "help": "Only this seat: what --model, --speaker, --partner are about."}),
    "outcomes": ("--outcome", {"multiple": True, "help": "success, failure, aborted, draw or unfinished; repeat it."}),
    "speaker": ("--speaker", {"type": click.Choice(["human", "synthetic"]), "help": "Who wrote the seat's turns."}),
    "models": ("--model", {"multiple": True, "metavar": "PLAYER", "help": "Who sat there; may be repeated."}),
    "partners": ("--partner", {"multiple": True, "metavar": "PLAYER", "help": "Who sat opposite; may be repeated."}),
    "splits": (
        "--split",
        {"multiple": True, "type": click.Choice(SPLITS), "help": "Only this."},
    ),
    "runs": ("--run", {"multiple": True, "help": "Only this run; may be repeated."}),
    "tags": ("--tag", {"multiple": True, "help": "Only episodes with this tag; may be repeated."}),
    "since": ("--since", {"metavar": "TIME", "help": "Only episodes from this day or time on, such as 2026-11-01."}),
    "until": ("--until", {"metavar": "TIME", "help": "Only episodes before this day or time."}),
    "min_score": ("--min-score", {"type": float, "help": "Main score of at least this, 0 to 100."}),
    "where": (
        "--where",
        {"metavar": "SQL", "help": "Any condition over e (episodes), i (instances), r (results), u (runs)."},
    ),
}


def filter_options(command: F) -> F:
    """The filters that are the same everywhere, as one argument `filters` (store.filters.Filters)."""
    return filters_named()(command)


def filters_named(**names: str) -> Callable[[F], F]:
    """`filter_options`, some under another name where a command means something else by the usual one."""

    def decorate(command: F) -> F:
        @functools.wraps(command)
        def packed(*args: Any, **options: Any) -> Any:
            from store.filters import Filters

            chosen = {name: value for name in _FILTERS if (value := options.pop(f"filter_{name}")) is not None}
            return command(*args, filters=Filters(**chosen), **options)

        found: Any = packed
        for name, (option, how) in reversed(_FILTERS.items()):
            found = click.option(names.get(name, option), f"filter_{name}", **how)(found)
        return found

    return decorate


def full_runs(log: Log, filters: Filters) -> Filters:
    """The filters with each run's id in full. Raises UnknownRun."""
    import dataclasses

    return dataclasses.replace(filters, runs=tuple(log.queries.run(run).id for run in filters.runs))


def place(ctx: click.Context, db: str | None) -> Path | None:
    """The log named on the command line, before or after the command; None for the default."""
    named = db or (ctx.obj or {}).get("db")
    return Path(named) if named else None


def named_seats(seats: Sequence[str], option: str = "--seat") -> dict[str, str]:
    """`ROLE=PLAYER` options as a mapping. Raises UsageError."""
    named: dict[str, str] = {}
    for seat in seats:
        name, equals, spec = seat.partition("=")
        if not equals or not name or not spec:
            raise click.UsageError(f"{option} takes ROLE=PLAYER, not {seat!r}")
        named[name] = spec
    return named


def print_json(value: Any) -> None:
    """One document, UTF-8, indented for people."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2)
    print()


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns in plain text; the last one runs free."""
    texts = [[plain(str(cell)) for cell in row] for row in rows]
    widths = [max(len(head[n]), *(len(row[n]) for row in texts)) if texts else len(head[n]) for n in range(len(head))]
    for row in [list(head), *texts]:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
