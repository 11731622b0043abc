"""Rows of the log as JSON and back: columns by name, JSON columns as what they hold, bytes as base64; nothing lost."""

from __future__ import annotations

import base64
import binascii
import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from store.exchange.intake import Unreadable, mapping
from store.ids import to_json

JSON: Mapping[str, frozenset[str]] = {
    "players": frozenset(("sampling",)),
    "runs": frozenset(("config", "hardware")),
    "instances": frozenset(("data",)),
    "episodes": frozenset(("opening",)),
    "turns": frozenset(("says",)),
    "calls": frozenset(("sampling", "raw")),
    "results": frozenset(("rewards", "winners")),
    "scorings": frozenset(("turns", "metrics")),
    "annotations": frozenset(("value", "shown_order")),
    "queues": frozenset(("config",)),
    "studies": frozenset(("config",)),
    "participants": frozenset(("plan",)),
    "answers": frozenset(("value",)),
}
"""Columns that hold JSON."""
BYTES = frozenset(("token_ids", "logprobs"))
"""Columns that hold numbers packed as bytes."""
_AS_TEXT = "$text"
"""Marks JSON whose text our own writer would write otherwise, or which is null, so that the same text comes back."""


def columns(db: sqlite3.Connection, table: str) -> list[str]:
    """Names of a table's columns, but for the order of arrival."""
    return [name for (name,) in db.execute("SELECT name FROM pragma_table_info(?)", (table,)) if name != "seq"]


def pack(table: str, names: list[str], row: tuple[Any, ...]) -> dict[str, Any]:
    """A row as a JSON object."""
    inner = JSON.get(table, frozenset())
    found: dict[str, Any] = {}
    for name, value in zip(names, row, strict=True):
        if value is not None and name in inner:
            parsed = json.loads(value)
            odd = parsed is None or _AS_TEXT in mapping(parsed) or to_json(parsed) != value
            found[name] = {_AS_TEXT: value} if odd else parsed
        elif value is not None and name in BYTES:
            found[name] = base64.b64encode(value).decode()
        else:
            found[name] = value
    return found


def unpack(table: str, names: list[str], told: Mapping[str, Any]) -> tuple[Any, ...]:
    """A row from a JSON object; columns that are not told are null. Raises Unreadable."""
    unknown = set(told) - set(names)
    if unknown:
        raise Unreadable(f"has a column of {table} that is not known here: {min(unknown)[:40]!r}")
    inner = JSON.get(table, frozenset())
    row: list[Any] = []
    for name in names:
        value = told.get(name)
        if value is not None and name in inner:
            as_text = mapping(value).get(_AS_TEXT)
            value = to_json(value) if as_text is None else as_text
        elif value is not None and name in BYTES:
            value = _bytes(name, value)
        if not isinstance(value, str | int | float | bytes | None):
            raise Unreadable(f"has no plain value in {table}.{name}")
        row.append(value)
    return tuple(row)


def _bytes(name: str, value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise Unreadable(f"has no base64 in {name}") from error
