"""Edits TOML files as text, so that comments, order and spacing of what people wrote stay.

Only tables under a `[header]` of their own and values on one line are understood. Whoever writes the outcome parses it
first and looks whether it says what it should: a file in another form is then left alone.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, cast


def toml_value(value: Any) -> str:
    """A value in TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        pairs = cast(Mapping[str, Any], value).items()
        return (
            "{ " + ", ".join(f"{toml_value(key)} = {toml_value(one)}" for key, one in pairs) + " }" if pairs else "{}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(one) for one in cast(list[Any], value)) + "]"
    return repr(value)


def without(text: str, path: Sequence[str]) -> str:
    """The text without the table at `path` and those below it; comments above the next table stay with it."""
    return replaced(text, path, "")


def replaced(text: str, path: Sequence[str], block: str) -> str:
    """The text with `block` in the place of the table at `path` and those below it; comments at the margin stay."""
    kept: list[str] = []
    inside = found = False
    for line in text.splitlines(keepends=True):
        header = _header(line)
        if header is not None:
            inside = header[: len(path)] == list(path)
            if inside and not found and block:
                kept.append(f"{block}\n")
            found = found or inside
        if not inside or (line.lstrip().startswith("#") and not line[0].isspace()):
            kept.append(line)
    return "".join(kept).rstrip() + "\n" if block else "".join(kept)


def edited(text: str, path: Sequence[str], before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """The text with those keys of the table at `path` rewritten that differ between `before` and `after`."""
    lines = text.splitlines(keepends=True)
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        below = [*path, key]
        if isinstance(new if old is None else old, Mapping) and _section(lines, below) is not None:
            olds, news = cast(Mapping[str, Any], old or {}), cast(Mapping[str, Any], new or {})
            for inner in {**olds, **news}:
                if olds.get(inner) != news.get(inner):
                    _set(lines, below, inner, news.get(inner))
        else:
            _set(lines, path, key, new)
    return "".join(lines)


def _set(lines: list[str], path: Sequence[str], key: str, value: Any) -> None:
    """Write one key of a table, or take it out where the value is None; lines that are not understood stay."""
    section = _section(lines, path)
    if section is None:
        return
    begin, end = section
    head = re.compile(rf"\s*(?:{re.escape(key)}|\"{re.escape(key)}\"|'{re.escape(key)}')\s*=\s*")
    for at in range(begin, end):
        found = head.match(lines[at])
        if found is None:
            continue
        if (comment := _comment(lines[at][found.end() :])) is None:
            return
        lines[at : at + 1] = [] if value is None else [f"{found[0]}{toml_value(value)}{comment}"]
        return
    if value is not None:
        written = [at for at in range(begin, end) if lines[at].strip() and not lines[at].lstrip().startswith("#")]
        at = written[-1] + 1 if written else begin
        if not lines[at - 1].endswith("\n"):
            lines[at - 1] += "\n"
        lines.insert(at, f"{key} = {toml_value(value)}\n")


def _comment(rest: str) -> str | None:
    """What stands behind the value of a line, end of line and all; None where the value goes on in the next line."""
    value = _parsed(rest)
    if value is None:
        return None
    for at in (found.start() for found in re.finditer("#", rest)):
        if _parsed(rest[:at]) == value:
            return rest[len(rest[:at].rstrip()) :]
    return rest[len(rest.rstrip()) :]


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(f"x = {text}")
    except tomllib.TOMLDecodeError:
        return None


def _section(lines: Sequence[str], path: Sequence[str]) -> tuple[int, int] | None:
    """The lines between the header of a table and the next one."""
    headers = [(at, header) for at, line in enumerate(lines) if (header := _header(line)) is not None]
    for number, (at, header) in enumerate(headers):
        if header == list(path):
            return at + 1, headers[number + 1][0] if number + 1 < len(headers) else len(lines)
    return None


def _header(line: str) -> list[str] | None:
    """The keys of a header line such as `[models."my.model".sampling]`; None where it is none."""
    found = re.match(r"\s*\[(.*)\]\s*(#.*)?$", line)
    if found is None:
        return None
    try:
        node: Any = tomllib.loads(f"[{found[1]}]")
    except tomllib.TOMLDecodeError:
        return []
    path: list[str] = []
    while isinstance(node, dict) and node:
        key = next(iter(cast(dict[str, Any], node)))
        path.append(key)
        node = cast(Any, node[key])
    return path
