"""Pieces of an episode as lines for a width: labels on the left, what they say hanging beside them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from types import MappingProxyType

from rich.cells import cell_len, chop_cells
from textual.app import ComposeResult
from textual.content import Content
from textual.geometry import Region
from textual.widgets import Static

from playpen_tui.listing import fit
from playpen_tui.text import SILENT, clean, one_line
from playpen_tui.theme import GLYPHS
from playpen_tui.widgets.turns import TurnCursor, mark_words
from store.render import Piece

SAID = 4_000
"""Characters of one piece that are shown; all of it is in what is copied."""
_STYLES = {
    "said": ("bold $primary", ""),
    "told": ("$secondary", "$secondary"),
    "fact": ("$secondary", ""),
    "good": ("$success", ""),
    "bad": ("$error", "$error"),
    "quiet": ("$secondary", "$secondary"),
}
_GLYPHS = {"good": "✓", "bad": "✗"}


def wrapped(text: str, width: int) -> list[str]:
    """The cleaned text in lines of at most so many columns, its own line breaks kept."""
    lines: list[str] = []
    for part in clean(text, SAID).split("\n"):
        pieces = textwrap.wrap(part, max(4, width), break_on_hyphens=False, drop_whitespace=True) or [""]
        for piece in pieces:
            lines += [piece] if cell_len(piece) <= width else chop_cells(piece, max(2, width))
    return lines


def _label(piece: Piece, width: int) -> str:
    """What stands on the left: a mark where it went well or ill, and who it was where there is room."""
    name = piece.head if width >= 100 else piece.label
    glyph = GLYPHS[piece.label] if piece.label in GLYPHS else _GLYPHS.get(piece.kind, "")
    return one_line(f"{glyph} {name}" if glyph else name)


class Page(TurnCursor):
    """A scroll of pieces. What was said in turns can be judged, where `judged` says so."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._pieces: Sequence[Piece] = ()
        self._width = 80
        self._judged = False

    def compose(self) -> ComposeResult:
        """All in one."""
        yield Static("", id="text")

    def show(self, pieces: Sequence[Piece], width: int, judged: bool) -> None:
        """Draw these for a width in columns."""
        self._pieces, self._width, self._judged = pieces, width, judged
        if self.at not in self.turns():
            self.at = None
        self.redraw_turns()

    def say(self, content: Content) -> None:
        """Something else instead."""
        self._pieces, self._judged = (), False
        self.query_one("#text", Static).update(content)

    def turns(self) -> list[int]:
        """The plies of what was said."""
        return [ply for piece in self._pieces if self._judged and (ply := said_at(piece)) is not None]

    def redraw_turns(self, *plies: int) -> None:
        """All is one text, so all is drawn."""
        notes = {ply: mark_words(mark) for ply, mark in self.marks.items()} if self._judged else {}
        self.query_one("#text", Static).update(draw(self._pieces, self._width, notes, self.at))

    def show_turn(self, ply: int) -> None:
        """Scroll as far as needed."""
        before = list(takewhile(lambda piece: said_at(piece) != ply, self._pieces))
        notes = {ply: mark_words(mark) for ply, mark in self.marks.items()}
        top = draw(before, self._width, notes).plain.count("\n") + 1 if before else 0
        height = draw(self._pieces[: len(before) + 1], self._width, notes).plain.count("\n") + 1 - top
        self.scroll_to_region(Region(0, top, self._width, height), animate=False, immediate=True)


def said_at(piece: Piece) -> int | None:
    """The ply of a turn's words; None for all else."""
    return piece.ply if piece.kind == "said" else None


def draw(
    pieces: Sequence[Piece], width: int, notes: Mapping[int, Content] = MappingProxyType({}), at: int | None = None
) -> Content:
    """All pieces; `notes` stand under the turns of their plies, and `at` is the one under the cursor."""
    longest = max((cell_len(_label(piece, width)) for piece in pieces if piece.kind != "title"), default=0)
    indent = min(longest + 2, 32 if width >= 100 else 20, max(8, width // 3))
    lines: list[Content] = []
    for piece in pieces:
        close = piece.kind in ("fact", "good", "bad", "quiet") and piece.label not in GLYPHS
        if lines and not close and not piece.label.startswith("→"):
            lines.append(Content(""))
        drawn = [*_piece(piece, width, indent)]
        ply = said_at(piece)
        if ply is not None and ply in notes:
            drawn.append(Content(" " * indent) + notes[ply])
        if ply is not None and ply == at:
            drawn[0] = drawn[0][: indent - 2] + Content.styled("▸ ", "$accent") + drawn[0][indent:]
            drawn = [line.stylize("on $panel") for line in drawn]
        lines += drawn
    return Content("\n").join(lines)


def _piece(piece: Piece, width: int, indent: int) -> Iterable[Content]:
    if piece.kind == "title":
        return [Content.styled(fit(one_line(piece.label), width).rstrip(), "bold $accent")]
    label, style = _STYLES[piece.kind]
    rows = wrapped(piece.text, width - indent)
    if piece.kind == "said" and not piece.text.strip():
        rows, style = [SILENT], "$secondary italic"
    first = Content.styled(f"{fit(_label(piece, width), indent - 2)}  ", label) + Content.styled(rows[0], style)
    return [first, *(Content(" " * indent) + Content.styled(row, style) for row in rows[1:])]
