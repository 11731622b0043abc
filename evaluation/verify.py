"""The check of a published table: every cell is made again from the episodes that it names, in whatever database has
them, such as a bundle.

The filters of the table are not run again: they may hold SQL of whoever wrote it. So that nobody leaves out what does
not suit, it is also counted what else the database has of the same models and games.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from evaluation.report import DIGITS, FORMAT, document_rows, overall_cells
from evaluation.results import BY, lines, table
from store.scored import ScoredRow


class NotATable(ValueError):
    """The file is no table that `results --json` wrote."""


Held: TypeAlias = Literal["holds", "differs", "missing"]


@dataclass(frozen=True, slots=True)
class Checked:
    """One cell of a published table: what it says, and what the database says."""

    row: str
    column: str
    published: Any
    found: Any
    word: Held
    """`missing` where the database lacks episodes of the row, so that it cannot be told."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of a check."""

    cells: tuple[Checked, ...]
    beyond: int
    """Finished episodes in the database of the models and games of the table that the table does not count."""

    def number(self, word: Held) -> int:
        """How many cells this was said of."""
        return sum(cell.word == word for cell in self.cells)


def verify(published: Any, rows: Iterable[ScoredRow]) -> Verification:
    """Recompute every cell of a table from the episodes that it names. Raises NotATable."""
    if not isinstance(published, Mapping) or published.get("format") != FORMAT or published.get("by") not in BY:
        raise NotATable("this is no table of results; `playpen-tui results --json > TABLE.json` writes one")
    have = {row.episode: row for row in rows}
    checked: list[Checked] = []
    try:
        for row in published["rows"]:
            mine = [have[id] for id in row["episode_ids"] if id in have]
            found = [cells for cells in document_rows(lines(mine, published["by"])) if _place(cells) == _place(row)]
            checked += _cells(_label(row), row, found[0] if found else None, len(row["episode_ids"]) - len(mine))
        named = {id for row in published["rows"] for id in row["episode_ids"]}
        sums = {
            (_bare(one["model"]), one["score"]): one
            for one in map(overall_cells, table(have[id] for id in sorted(named & have.keys())).overall)
        }
        for row in published["overall"]:
            found_sum = sums.get((_bare(row["model"]), row["score"]))
            checked += _cells(f"{row['model']}, {row['score']}", row, found_sum, len(named - have.keys()))
        counted = {(_bare(row["model"]), row["game"]) for row in published["rows"]}
    except (KeyError, TypeError, AttributeError) as error:
        raise NotATable(f"the table is damaged: {error!r}; write it again with `playpen-tui results --json`") from error
    beyond = sum(
        bool(counted & {(_bare(model), row.game) for model in (row.model, *row.players.values())})
        for row in have.values()
        if row.episode not in named
    )
    return Verification(tuple(checked), beyond)


def _bare(model: str) -> str:
    """The name without what tells apart players of one name, which depends on who else is in the database."""
    return re.sub(r"#[0-9a-f]{6}", "", model)


def _place(cells: Mapping[str, Any]) -> tuple[Any, ...]:
    return (_bare(cells["model"]), *(cells.get(name) for name in ("game", "experiment", "role")))


def _label(cells: Mapping[str, Any]) -> str:
    return ", ".join(str(cells[name]) for name in ("model", "game", "experiment", "role") if name in cells)


def _cells(label: str, published: Mapping[str, Any], found: Mapping[str, Any] | None, gone: int) -> list[Checked]:
    checked: list[Checked] = []
    for column, value in published.items():
        if column in ("model", "game", "experiment", "role", "score"):
            continue
        now = None if found is None else found.get(column)
        same = found is not None and _same(value, now)
        word: Held = "holds" if same and not gone else "missing" if gone else "differs"
        checked.append(Checked(label, column, value, now, word))
    return checked


def _same(published: Any, found: Any) -> bool:
    if isinstance(published, list) and isinstance(found, list):
        if all(isinstance(one, str) for one in [*published, *found]):
            return sorted(published) == sorted(found)
        return len(published) == len(found) and all(map(_same, published, found))
    if isinstance(published, bool) or isinstance(found, bool):
        return published is found
    if isinstance(published, int | float) and isinstance(found, int | float):
        return abs(published - found) <= 0.5 * 10**-DIGITS
    return bool(published == found)
