"""Tables to publish, and to check: JSON, CSV and markdown that name the episodes behind every row.

The JSON has the ids themselves, the other two how many there are and a hash over them; all have the filters and the
content hash of the database.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.intervals import LEAST, RESAMPLES, Estimate
from evaluation.results import CLEMSCORE, NATIVE_CLEMSCORE, SEED, Line, Overall, Table
from store.filters import Filters
from store.scored import LeftOut

FORMAT = "playpen-tui results 1"
DIGITS = 2
"""Of percentages and scores; clembench's tables have as many."""
METHOD = (
    "95% intervals: of rates Wilson's, with repeats of an instance counted for what they are worth; of means a "
    "bootstrap of whole instances; of the clemscore one of instances within each game; "
    f"{RESAMPLES:,} resamples, seed {SEED}; none below {LEAST} instances"
)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a table comes from."""

    database: str
    """Content hash of the database."""
    filters: Filters
    left_out: LeftOut


def hash_of(ids: Iterable[str]) -> str:
    """16 hex digits over ids, whatever their order."""
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()[:16]


def told(filters: Filters) -> dict[str, Any]:
    """The filters that were given."""
    given = {field.name: (getattr(filters, field.name), field.default) for field in dataclasses.fields(filters)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, (value, usual) in given.items()
        if value != usual
    }


def interval(found: Estimate | None) -> list[float] | None:
    """Low and high, rounded; None where there is too little to say."""
    if found is None or found.low is None or found.high is None:
        return None
    return [round(found.low, DIGITS), round(found.high, DIGITS)]


def value(found: Estimate | None) -> float | None:
    """The value, rounded."""
    return None if found is None else round(found.value, DIGITS)


def _score(name: str, value: float | None, interval: list[float] | None = None, whole: bool = False) -> dict[str, Any]:
    """The product under its honest name; `clemscore` is null where it is not clembench's."""
    cells: dict[str, Any] = {"score": name, CLEMSCORE: value if name == CLEMSCORE else None}
    if name != CLEMSCORE:
        cells[name] = value
    if whole:
        cells[f"{name}_interval"] = interval
    return cells


def line_cells(line: Line) -> dict[str, Any]:
    """One row of the JSON table."""
    place = {"experiment": line.experiment, "role": line.role}
    return {
        "model": line.model,
        "game": line.game,
        **{name: value for name, value in place.items() if value is not None},
        "episodes": len(line.episodes),
        "instances": line.instances,
        "played": value(line.played),
        "played_interval": interval(line.played),
        "quality": value(line.quality),
        "quality_interval": interval(line.quality),
        "success": value(line.success),
        "success_interval": interval(line.success),
        **_score(line.score, line.clemscore),
        "requests": line.requests.made,
        "parsed_requests": line.requests.parsed,
        "violated_requests": line.requests.violated,
        "violated_per_episode": value(line.violated),
        "violated_per_episode_interval": interval(line.violated),
        "request_success_ratio": value(line.request_success),
        "request_success_ratio_interval": interval(line.request_success),
        "aborts": dict(line.aborts),
        "unscored": line.unscored,
    }


def document_rows(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """The rows of the JSON table."""
    return [{**line_cells(line), "episode_ids": list(line.episodes)} for line in lines]


def overall_cells(overall: Overall) -> dict[str, Any]:
    """One row of the sums."""
    return {
        "model": overall.model,
        "played": overall.played,
        "quality": overall.quality,
        **_score(overall.score, value(overall.clemscore), interval(overall.clemscore), whole=True),
        "episodes": overall.episodes,
        "games": list(overall.games),
    }


def document(found: Table, source: Source) -> dict[str, Any]:
    """The table as JSON values. `rows[].episode_ids` are the episodes behind a row."""
    return {
        "format": FORMAT,
        "by": found.by,
        "filters": told(source.filters),
        "database": source.database,
        "left_out": source.left_out._asdict(),
        "method": METHOD,
        "rows": document_rows(found.lines),
        "overall": [overall_cells(one) for one in found.overall],
    }


def flat(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """Rows with intervals in columns of their own, aborts as words, and the hash of the ids; None where nothing is."""
    rows: list[dict[str, Any]] = []
    for line in lines:
        cells: dict[str, Any] = {}
        for name, found in line_cells(line).items():
            if name.endswith("_interval"):
                low, high = found or (None, None)
                cells[name.replace("_interval", "_low")], cells[name.replace("_interval", "_high")] = low, high
            elif name == "aborts":
                cells[name] = "; ".join(f"{cause} {number}" for cause, number in found.items())
            elif name not in (CLEMSCORE, NATIVE_CLEMSCORE):
                cells[name] = found
        cells["score_value"] = line.clemscore
        cells["episodes_hash"] = hash_of(line.episodes)
        rows.append(cells)
    return rows


def facts(source: Source, method: str = METHOD) -> list[str]:
    """What a table says of itself in words."""
    chosen = ", ".join(f"{name} {_plain(value)}" for name, value in told(source.filters).items())
    found = [f"filters: {chosen or 'none'}", f"database: sha256 {source.database}"]
    if left := str(source.left_out):
        found.append(f"left out: {left}")
    return [*found, method]


def _plain(value: object) -> str:
    return " or ".join(str(one) for one in value) if isinstance(value, list) else str(value)


def csv_text(found: Table, source: Source) -> str:
    """CSV with one row a line, then one row a model over its games; where it comes from stands in every row."""
    rows = flat(found.lines)
    for one in found.overall:
        low, high = interval(one.clemscore) or ("", "")
        rows.append(
            {
                "model": one.model,
                "game": f"all: {' '.join(one.games)}",
                "episodes": one.episodes,
                "played": one.played,
                "quality": "" if one.quality is None else one.quality,
                "score": one.score,
                "score_value": value(one.clemscore),
                "score_low": low,
                "score_high": high,
            }
        )
    return as_csv(rows, source)


def to_json(found: dict[str, Any]) -> str:
    """JSON as it is written to files."""
    return json.dumps(found, ensure_ascii=False, indent=2) + "\n"


def as_csv(rows: Sequence[Mapping[str, Any]], source: Source) -> str:
    """These rows as CSV, with filters and database in two more columns."""
    out = io.StringIO()
    chosen = "; ".join(f"{name}={_plain(value)}" for name, value in told(source.filters).items())
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(out, [*columns, "filters", "database"], restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        safe = {name: "" if value is None else _no_formula(value) for name, value in row.items()}
        writer.writerow({**safe, "filters": _no_formula(chosen), "database": source.database})
    return out.getvalue()


def _no_formula(value: Any) -> Any:
    """A name that a spreadsheet would take for a formula gets an apostrophe in front."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def spoken(found: Estimate | None, digits: int = 1) -> str:
    """`82.0 (73.3–88.3)`, `82.0 (too few)`, or a dash where there is no value."""
    return "–" if found is None else f"{found.value:.{digits}f} ({bounds(found, digits)})"


def bounds(found: Estimate, digits: int = 1) -> str:
    """`73.3–88.3`; `too few` where no interval is given, `no spread` where all observations are equal."""
    if found.low is None or found.high is None:
        return "too few"
    if found.low == found.high:
        return "no spread"
    return f"{found.low:.{digits}f}–{found.high:.{digits}f}"


def grid(found: Table) -> tuple[list[str], list[list[str]]]:
    """The table in words: its head and its rows."""
    place = [] if found.by == "game" else [found.by]
    head = ["model", "game", *place, "n", "played %", "quality", "score", "violated", "requests in form %", "aborted"]
    rows = [
        [
            line.model,
            line.game,
            *([] if found.by == "game" else [line.experiment or line.role or "–"]),
            str(len(line.episodes)),
            spoken(line.played),
            spoken(line.quality),
            "–" if line.clemscore is None else f"{line.clemscore:.1f}",
            f"{line.requests.violated} of {line.requests.made}",
            spoken(line.request_success),
            ", ".join(f"{cause} {number}" for cause, number in line.aborts.items()) or "–",
        ]
        for line in found.lines
    ]
    return head, rows


def overall_grid(found: Table) -> tuple[list[str], list[list[str]]]:
    """The sums in words."""
    head = ["model", "score", "value", "played %", "quality", "n", "games"]
    rows = [
        [
            one.model,
            one.score,
            spoken(one.clemscore, 2),
            f"{one.played:.2f}",
            "–" if one.quality is None else f"{one.quality:.2f}",
            str(one.episodes),
            f"{len(one.games)}: {', '.join(one.games)}",
        ]
        for one in found.overall
    ]
    return head, rows


def as_markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a markdown table."""

    def cells(values: Iterable[str]) -> str:
        safe = (" ".join(value.replace("\\", "\\\\").replace("|", "\\|").split()) for value in values)
        return f"| {' | '.join(safe)} |"

    return [cells(head), cells("---" for _ in head), *(cells(row) for row in rows)]


def markdown_text(found: Table, source: Source) -> str:
    """Two markdown tables and where they come from; every row ends with its number of episodes and their hash."""
    head, rows = grid(found)
    named = [[*row, hash_of(line.episodes)] for row, line in zip(rows, found.lines, strict=True)]
    lines = [
        *as_markdown(*overall_grid(found)),
        "",
        *as_markdown([*head, "episodes (hash)"], named),
        "",
        *(f"* {fact}" for fact in facts(source)),
    ]
    return "\n".join(lines) + "\n"
