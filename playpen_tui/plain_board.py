"""A board in plain words, for screen readers, pipes and logs: no boxes, no colours, every mark a word."""

from __future__ import annotations

from games.boards import Board, Card, Facts, Grid, Keys, Lines, Mark, Tiles
from playpen_tui.plain_text import plain

WORDS: dict[Mark, str] = {"here": "here", "elsewhere": "elsewhere", "absent": "not in it", "empty": ""}


def _card(card: Card) -> list[str]:
    items = f" {card.label} {', '.join(card.items)}" if card.items else ""
    return [f"{card.title} {card.head}{items}".strip()]


def _tiles(tiles: Tiles) -> list[str]:
    found: list[str] = []
    for number, row in enumerate(tiles.rows, 1):
        marks = ", ".join(f"{tile.letter.upper()} {WORDS[tile.mark]}" for tile in row)
        found.append(f"{number}. {''.join(tile.letter for tile in row).upper()}: {marks}")
    return found or ["no guess yet"]


def _keys(keys: Keys) -> list[str]:
    found: list[str] = []
    for mark in ("here", "elsewhere", "absent"):
        letters = " ".join(sorted(letter for letter, known in keys.marks.items() if known == mark))
        if letters:
            found.append(f"letters {WORDS[mark]}: {letters}")
    return found


def _grid(grid: Grid) -> list[str]:
    target = " (the one to describe)" if grid.target else ""
    return [f"{grid.title}{target}:", *("  " + " ".join(row) for row in grid.rows)]


def lines(board: Board) -> list[str]:
    """The board as lines of plain text."""
    found: list[str] = []
    private = False
    for panel in board.panels:
        if panel.private and not private:
            found.append("only you see this:")
        private = panel.private
        match panel:
            case Card():
                part = _card(panel)
            case Tiles():
                part = _tiles(panel)
            case Keys():
                part = _keys(panel)
            case Grid():
                part = _grid(panel)
            case Facts():
                part = [f"{label}: {value}" for label, value in panel.items]
            case Lines():
                part = ([f"{panel.title}:"] if panel.title else []) + [f"  {line}" for line in panel.lines]
        found += [("  " if panel.private else "") + plain(line) for line in part]
    return found
