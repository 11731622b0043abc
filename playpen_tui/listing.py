"""One line of a list of episodes, as cells with styles, for any width. No screen.

At 80 columns a line says how it ended, the game, who played, score, turns and when; wider ones also say why, or show
what was searched for, after the tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from rich.cells import cell_len, set_cell_size

from playpen_tui.plain_text import bare, plain, short
from playpen_tui.theme import GLYPHS
from store.browse import MARKS, Found

Style: TypeAlias = Literal["", "good", "bad", "warn", "dim", "mark", "hit"]
Cell: TypeAlias = tuple[str, Style]
STYLES: dict[str | None, Style] = {"success": "good", "failure": "bad", "aborted": "warn", "draw": "dim", None: "dim"}
WORDS = {None: "unfinished"}


def fit(text: str, width: int, right: bool = False) -> str:
    """The cleaned text in exactly so many columns."""
    line = short(text, max(1, width))
    if cell_len(line) > width:
        line = set_cell_size(line, max(0, width - 1)) + "…"
    space = " " * max(0, width - cell_len(line))
    return space + line if right else line + space


def head(width: int) -> str:
    """The names of the columns."""
    return "".join(fit(title, size, right) + " " for title, size, right in _columns(width))


def _columns(width: int) -> list[tuple[str, int, bool]]:
    """Title, size and side of each column; the sizes and a space behind each make up the width."""
    fixed = [("", 2, False), ("outcome", 12, False)]
    end = [("score", 5, True), ("turns", 5, True), ("when", 11, True)]
    rest = width - sum(size + 1 for _, size, _ in (*fixed, *end))
    if width < 100:
        game = min(14, max(8, rest // 3))
        return [*fixed, ("game", game, False), ("players", max(4, rest - game - 2), False), *end]
    game, players = 22, 26
    why = rest - game - players - 3
    return [*fixed, ("game", game, False), ("players", players, False), ("why", why, False), *end]


def cells(found: Found, width: int, *, marked: bool = False, now: datetime | None = None) -> list[Cell]:
    """One line, in exactly so many columns."""
    row = found.row
    style = STYLES.get(row.outcome, "dim")
    values: dict[str, list[Cell]] = {
        "": [("● " if marked else "  ", "mark")],
        "outcome": [(f"{GLYPHS.get(row.outcome, '…')} {row.outcome or 'unfinished'}", style)],
        "game": [(row.game, "")],
        "players": [(players(found), "")],
        "why": excerpt(found.excerpt) if found.excerpt else [*_tags(found), (plain(row.reason), "dim")],
        "score": [("–" if row.main is None else f"{row.main:g}", "")],
        "turns": [(str(row.plies), "dim")],
        "when": [(moment(row.started_at, now), "dim")],
    }
    line: list[Cell] = []
    for title, size, right in _columns(width):
        parts = values[title]
        if len(parts) == 1:
            line.append((fit(parts[0][0], size, right), parts[0][1]))
        else:
            line += _cut(_near(parts, size), size)
        line.append((" ", ""))
    return line


def _tags(found: Found) -> list[Cell]:
    return [(f"{plain(' '.join(f'#{tag}' for tag in found.tags))}  ", "mark")] if found.tags else []


def _near(parts: Sequence[Cell], width: int) -> list[Cell]:
    """An excerpt from so near its first hit on that this is seen."""
    text, style = parts[0]
    hit = next((cell_len(word) for word, kind in parts if kind == "hit"), 0)
    room = max(2, min(width // 2, width - hit))
    if style == "hit" or cell_len(text) <= room:
        return list(parts)
    kept = text
    while cell_len(kept) > room - 1:
        kept = kept[1:]
    return [(f"…{kept}", style), *parts[1:]]


def _cut(parts: Sequence[Cell], width: int) -> list[Cell]:
    """Cells of text that is clean already, cut off at a width or filled up to it; their spaces stay."""
    line: list[Cell] = []
    for text, style in parts:
        if cell_len(text) > width:
            text = set_cell_size(text, max(0, width - 1)) + "…" * (width > 0)
        line.append((text, style))
        width -= cell_len(text)
        if width <= 0:
            return line
    return [*line, (" " * width, "")]


def excerpt(text: str) -> list[Cell]:
    """An excerpt as cells, the words found apart from the rest."""
    line: list[Cell] = []
    for number, piece in enumerate(text.split(MARKS[0])):
        hit, _, rest = piece.partition(MARKS[1]) if number else ("", "", piece)
        if hit:
            line.append((plain(hit), "hit"))
        if rest:
            spaces = (" " * rest.startswith(" "), " " * rest.endswith(" ")) if rest.strip() else (" ", "")
            line.append((f"{spaces[0]}{plain(rest)}{spaces[1]}", "dim"))
    return line


def players(found: Found) -> str:
    """Who played, in the order of the roles; one player in all seats once, settings left out."""
    names = [bare(name) for name in found.row.seats.values()]
    if found.row.people:
        names = [name for name in names if name not in found.row.people]
        names = ["a person" if name == "human" else name for name in names]
        names = [*(["a person"] if "a person" not in names else []), *names]
    return " · ".join(dict.fromkeys(names))


def moment(text: str, now: datetime | None = None) -> str:
    """When it began, in local time: the time today, day and time this year, else the day."""
    try:
        when = datetime.fromisoformat(text).astimezone()
    except ValueError:
        return short(text, 11)
    now = now or datetime.now().astimezone()
    if when.date() == now.date():
        return f"{when:%H:%M}"
    return f"{when:%m-%d %H:%M}" if when.year == now.year else f"{when:%Y-%m-%d}"
