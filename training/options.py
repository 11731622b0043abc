"""The filters of a training as options of `playpen-tui train`, so that its card can say how to repeat it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from store.filters import Filters

OPTIONS: Mapping[str, str] = {
    "games": "--game",
    "experiments": "--experiment",
    "roles": "--role",
    "outcomes": "--outcome",
    "speaker": "--speaker",
    "models": "--spoken-by",
    "partners": "--partner",
    "splits": "--split",
    "runs": "--run",
    "tags": "--tag",
    "since": "--since",
    "until": "--until",
    "min_score": "--min-score",
}
"""Filters as options of `playpen-tui train`; all others go into its `--where`."""


def options(told: Mapping[str, Any]) -> Iterator[str]:
    """Filters as they stand in `job.json`, each ready for a shell. Of consent and the trash `train` has its own way."""
    filters, none = _filters(told), Filters()
    for name, option in OPTIONS.items():
        values = getattr(filters, name)
        for value in values if isinstance(values, tuple) else () if values is None else (values,):
            yield f"{option} {_quoted(str(value))}"
    rest = replace(filters, trash="either", **{name: getattr(none, name) for name in (*OPTIONS, "consent", "where")})
    conditions = list(_conditions(rest))
    if filters.where:
        conditions.append(f"({filters.where}\n)" if conditions else filters.where)
    if conditions:
        yield f"--where {_quoted(' AND '.join(conditions))}"


def _filters(told: Mapping[str, Any]) -> Filters:
    def read(value: Any) -> Any:
        if isinstance(value, list):
            return tuple(read(one) for one in cast(list[Any], value))
        return _filters(cast(Mapping[str, Any], value)) if isinstance(value, Mapping) else value

    return Filters(**{name: read(value) for name, value in told.items()})


def _conditions(filters: Filters) -> Iterator[str]:
    """The SQL of filters with its values in it."""
    sql, values = filters.sql()
    found = iter(values)

    def written(match: re.Match[str]) -> str:
        if match[0] != "?":
            return match[0]
        value = next(found)
        return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)

    if sql != "1":
        yield re.sub(r"'[^']*'|\?", written, sql)


def _quoted(text: str) -> str:
    """Text as one word of a shell, as legible as can be."""
    legible = "'" in text and not set(text) & set('"$`\\!')
    return f'"{text}"' if legible else shlex.quote(text)
