"""What commands share: the `--db` option, JSON on stdout, and tables in plain text."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from playpen_tui.plain_text import plain

F = TypeVar("F", bound=Callable[..., Any])


def db_option(command: F) -> F:
    """`--db PATH`, also before the command."""
    return click.option(
        "--db", type=click.Path(dir_okay=False), help="The log [default: $PLAYPEN_DB or ./episodes.sqlite]."
    )(command)


def json_option(command: F) -> F:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")(command)


def place(ctx: click.Context, db: str | None) -> Path | None:
    """The log named on the command line, before or after the command; None for the default."""
    named = db or (ctx.obj or {}).get("db")
    return Path(named) if named else None


def named_seats(seats: Sequence[str]) -> dict[str, str]:
    """`ROLE=PLAYER` options as a mapping. Raises UsageError."""
    named: dict[str, str] = {}
    for seat in seats:
        name, equals, spec = seat.partition("=")
        if not equals or not name or not spec:
            raise click.UsageError(f"--seat takes ROLE=PLAYER, not {seat!r}")
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
