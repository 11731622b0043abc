"""What the screen of results shows, as data: the table, two models head to head, and bars drawn with characters.

Reading and reckoning take as long as the log is large, so they are plain functions that a thread may call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

from evaluation import compare_report, report
from evaluation.compare import MEASURES, Aborted, CannotCompare, Comparison, Difference, GameComparison, Measure
from evaluation.compare import compare as compared
from evaluation.intervals import Estimate
from evaluation.results import BY, By, Line, Overall, Table, table
from store.filters import Filters
from store.log import Log
from store.scored import CLEM, ScoredRow

Form: TypeAlias = Literal["json", "csv", "markdown"]
FORMS: dict[Form, str] = {"json": "json", "csv": "csv", "markdown": "md"}
"""Forms to export, with the ending of their files."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to see: the table of these episodes, or these models head to head."""

    filters: Filters = field(default_factory=Filters)
    names: tuple[str, ...] = ()
    by: By = "game"
    aborted: Aborted = "zero"
    held_out: tuple[str, ...] = ()
    """Games that the first of two models was not trained in; they stand apart from the others."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The episodes, and what was made of them. Without `pairs` it is the table that is shown; it is empty where only a
    comparison was asked for."""

    asked: Asked
    rows: tuple[ScoredRow, ...]
    table: Table
    pairs: tuple[Comparison, ...] = ()

    @property
    def models(self) -> list[str]:
        """Labels of the models in the table."""
        return list(dict.fromkeys(one.model for one in self.table.overall))

    @property
    def games(self) -> list[str]:
        """Games in the table."""
        return sorted({line.game for line in self.table.lines})


def read(log: Log, asked: Asked) -> Figures:
    """Read the log and reckon. Raises CannotCompare, and what the log raises."""
    rows = tuple(log.queries.scored(asked.filters))
    if asked.names:
        return opposed(Figures(asked, rows, Table(asked.by, (), ())), asked.names)
    return Figures(asked, rows, table(rows, asked.by))


def turned(found: Figures) -> Figures:
    """The same episodes by the next of game, experiment and role."""
    by = BY[(BY.index(found.asked.by) + 1) % len(BY)]
    return replace(found, asked=replace(found.asked, by=by), table=table(found.rows, by))


def opposed(found: Figures, names: Sequence[str]) -> Figures:
    """These models head to head; none for the table. Raises CannotCompare."""
    pairs = tuple(compared(found.rows, names, found.asked.aborted)) if names else ()
    return replace(found, asked=replace(found.asked, names=tuple(names)), pairs=pairs)


def behind(filters: Filters, ids: Sequence[str]) -> Filters:
    """Filters for exactly these episodes of those that fit `filters`."""
    listed = ", ".join(f"'{id}'" for id in ids if id.isalnum())
    return Filters(where=f"e.id IN ({listed})", consent=filters.consent)


# to take away


def document(log: Log, found: Figures, form: Form) -> str:
    """The figures as JSON, CSV or markdown, reckoned from the log as it is now. Raises as `read` does."""
    now = read(log, found.asked)
    filters = found.asked.filters
    source = report.Source(log.queries.content_hash(), filters, log.queries.left_out(filters, len(now.rows)))
    if now.pairs:
        match form:
            case "json":
                return report.to_json(compare_report.document(now.pairs, source, now.asked.aborted))
            case "csv":
                return compare_report.csv_text(now.pairs, source)
            case "markdown":
                return compare_report.markdown_text(now.pairs, source, now.asked.aborted)
    match form:
        case "json":
            return report.to_json(report.document(now.table, source))
        case "csv":
            return report.csv_text(now.table, source)
        case "markdown":
            return report.markdown_text(now.table, source)


def export(log: Log, found: Figures, form: Form, folder: Path) -> Path:
    """Write them into a new file in this folder, and return its path. Raises OSError, and as `read` does."""
    text = document(log, found, form)
    name = f"{'compare' if found.pairs else 'results'}-{datetime.now():%Y%m%d-%H%M%S}"
    for at in range(100):
        path = folder / f"{name}{f'-{at}' if at else ''}.{FORMS[form]}"
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
            return path
        except FileExistsError:
            continue
    raise FileExistsError(f"{folder} has a hundred files called {name}")


# drawing


def place_of(value: float, low: float, high: float, width: int) -> int:
    """In which of `width` columns a value from low to high stands."""
    return min(width - 1, max(0, round((value - low) / (high - low) * (width - 1))))


def bar(found: Estimate | Difference | None, width: int, low: float = 0.0, high: float = 100.0) -> str:
    """An interval in `width` characters, `▕   ──●── ▏`, with a dotted line at zero where the scale goes below it."""
    inner = max(3, width - 2)
    cells = [" "] * inner
    if low < 0:
        cells[place_of(0, low, high, inner)] = "┊"
    if found is not None:
        if found.low is not None and found.high is not None:
            start, end = place_of(found.low, low, high, inner), place_of(found.high, low, high, inner)
            cells[start : end + 1] = "─" * (end + 1 - start)
        cells[place_of(found.value, low, high, inner)] = "●"
    return f"▕{''.join(cells)}▏"


def number(found: Estimate | float | None, digits: int = 1) -> str:
    """A value with so many digits behind the point, or a dash."""
    if found is None:
        return "–"
    return f"{found.value if isinstance(found, Estimate) else found:.{digits}f}"


def many(count: int, what: str) -> str:
    """`1 game`, `14 games`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def called(games: Sequence[str]) -> tuple[str, dict[str, str]]:
    """What to call these games: their names, without what all of them begin with, which is told apart from them."""
    if games and all(game.startswith(CLEM) for game in games):
        return "clembench", {game: game.removeprefix(CLEM) for game in games}
    return "", {game: game for game in games}


# what is said of the row under the cursor


def about_line(line: Line) -> list[str]:
    """Two sentences on a line of the table."""
    first = f"played {report.spoken(line.played)} · quality {report.spoken(line.quality)}"
    first += f" · success {report.spoken(line.success)}"
    if line.clemscore is not None:
        first += f" · {line.score} {line.clemscore:.1f}"
    second = f"{line.requests.violated:,} of {line.requests.made:,} requests violated"
    if line.request_success is not None:
        second += f", in form {report.spoken(line.request_success)} %"
    aborts = ", ".join(f"{cause} {count}" for cause, count in line.aborts.items())
    second += f" · aborted: {aborts or 'none'}"
    if line.unscored:
        second += f" · {line.unscored} without a score"
    return [first, second]


def about_overall(one: Overall) -> list[str]:
    """Two sentences on a sum."""
    first = f"{one.score} {report.spoken(one.clemscore, 2)} = played {one.played:.2f} / 100 × quality "
    first += "–" if one.quality is None else f"{one.quality:.2f}"
    kind, names = called(one.games)
    of = f" of {kind}" if kind else ""
    return [first, f"means over {many(len(one.games), 'game')}{of}: {', '.join(names.values())}"]


def about_game(game: GameComparison, measure: Measure) -> list[str]:
    """Two sentences on a game of two models."""
    found = game.differences[measure]
    if found is None:
        return [f"{game.game}: no pair has a {measure}", ""]
    bounds = "too few for an interval" if found.low is None else f"{found.low:+.1f} to {found.high:+.1f}"
    sides = f"played {number(game.first.played)} and {number(game.second.played)}"
    sides += f" · quality {number(game.first.quality)} and {number(game.second.quality)}"
    first = f"{sides} · {measure} {found.value:+.1f} ({bounds}): {found}"
    second = f"{game.pairs:,} pairs on {game.instances:,} instances"
    if found.p is not None and found.adjusted is not None:
        second += f" · p {found.p:.2g}, {found.adjusted:.2g} after Holm"
    lone = game.discordant
    return [first, f"{second} · only one won: {lone.first} to {lone.second}, p {lone.p:.2g} (McNemar)"]


__all__ = ["FORMS", "MEASURES", "Asked", "CannotCompare", "Figures", "Form", "behind", "export", "read"]
