"""Two episodes side by side, or one under the other where there is no room, with the first difference marked."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from playpen_tui.actions import bindings
from playpen_tui.listing import fit
from playpen_tui.text import clean, one_line, short
from playpen_tui.widgets.keys import KeyLine
from playpen_tui.widgets.page import SAID, wrapped
from store.diverge import Comparison, compare
from store.dossier import Dossier
from store.records import TurnRow
from store.render import headline, speaker

SIDE_BY_SIDE = 110
"""Columns from which they stand side by side."""
GAP = 3


class CompareScreen(Screen[None]):
    """A comparison."""

    BINDINGS = bindings("compare")
    CSS_PATH = "episode.tcss"

    def __init__(self, left: Dossier, right: Dossier) -> None:
        super().__init__()
        self.comparison: Comparison = compare(left, right)
        self._parting_line = 0

    def compose(self) -> ComposeResult:
        """What differs, both, keys."""
        yield Static("", id="head")
        with VerticalScroll(id="both"):
            yield Static("", id="text")
        yield KeyLine()

    def on_mount(self) -> None:
        """Draw them."""
        self.query_one("#both").focus()
        self._draw()

    def on_resize(self) -> None:
        """Other widths have other lines."""
        self._draw()

    @property
    def _what(self) -> str:
        first = self.comparison.first
        if first is None:
            return "nothing that was said differs"
        return f"first difference{'' if first.ply is None else f' at ply {first.ply}'}: {first.what}"

    def _draw(self) -> None:
        if not self.is_attached:
            return
        self.query_one("#head", Static).update(Content.styled(one_line(self._what, 300), "bold $accent"))
        lines = self._lines(max(30, self.size.width - 6))
        self.query_one("#text", Static).update(Content("\n").join(lines))

    def _lines(self, width: int) -> list[Content]:
        beside = self.size.width >= SIDE_BY_SIDE
        column = (width - GAP) // 2 if beside else width
        two = self.comparison
        lines = _laid(_head(two.left, column), _head(two.right, column), column, beside)
        first = two.first
        self._parting_line = 0
        if first is not None and first.ply is None:
            self._parting_line = len(lines)
            lines.append(_rule(f"▼ {first.what}", width))
        for ply, (left, right) in enumerate(two.rows):
            parting = first is not None and first.ply == ply
            if parting and first is not None:
                self._parting_line = len(lines)
                lines.append(_rule(f"▼ first difference at ply {ply}: {first.what}", width))
            else:
                lines.append(Content(""))
            before = first is None or (first.ply is not None and ply < first.ply)
            if not beside and before and left is not None:
                lines += _turn(left, column, dim=True, label="both")
                continue
            at = first.at if parting and first is not None else None
            labels = ("", "") if beside else ("left", "right")
            sides = [_turn(turn, column, before, at, name) for turn, name in zip((left, right), labels, strict=True)]
            lines += _laid(*sides, column, beside)
        return lines

    def action_parting(self) -> None:
        """To the first difference."""
        self.query_one("#both", VerticalScroll).scroll_to(y=max(0, self._parting_line - 1), animate=False)

    def action_swap(self) -> None:
        """Exchange them."""
        self.comparison = compare(self.comparison.right, self.comparison.left)
        self._draw()

    def action_copy(self) -> None:
        """As text."""
        text = "\n".join([self._what, "", *(line.plain.rstrip() for line in self._lines(120))])
        self.app.copy_to_clipboard(text)
        self.notify(f"copied {text.count(chr(10)) + 1:,} lines", markup=False, timeout=2)

    def action_back(self) -> None:
        """To the list."""
        self.dismiss(None)


def _rule(text: str, width: int) -> Content:
    words = short(text, max(4, width - 4))
    return Content.styled(f"── {words} " + "─" * max(0, width - len(words) - 4), "bold $accent")


def _head(dossier: Dossier, width: int) -> list[Content]:
    row = dossier.detail.row
    seats = " · ".join(f"{role} {name}" for role, name in row.seats.items())
    lines = [Content.styled(fit(headline(dossier), width), "bold")]
    return [
        *lines,
        *(Content.styled(fit(text, width), "$secondary") for text in (seats, f"{row.id} · seed {dossier.detail.seed}")),
    ]


def _turn(turn: TurnRow | None, width: int, dim: bool = False, at: int | None = None, label: str = "") -> list[Content]:
    """One turn in so many columns; `at` is where it parts from the other."""
    name = f"{label} " if label else ""
    if turn is None:
        return [Content.styled(fit(f"{name}–", width), "$secondary")]
    lines = [
        Content.styled(
            fit(f"{name}{turn.ply} {turn.role} · {speaker(turn)}", width), "$secondary" if dim else "bold $primary"
        )
    ]
    same = clean(turn.text[:at], SAID) if at else ""
    left = len(same)
    for row in wrapped(turn.text, width - 2):
        if dim or at is None:
            styled = Content.styled(row, "$secondary" if dim else "")
        else:
            part = row[: max(0, left)]
            left -= len(row) + 1
            styled = Content.styled(part, "$secondary") + Content.styled(row[len(part) :], "bold $accent")
        lines.append(Content("  ") + styled)
    if turn.verdict != "ok":
        lines += [
            Content.styled(f"  ✗ {row}", "$error") for row in wrapped(turn.note or "it broke the form", width - 4)
        ]
    return lines


def _laid(left: list[Content], right: list[Content], width: int, beside: bool) -> list[Content]:
    if not beside:
        return [*left, *right]
    lines: list[Content] = []
    for number in range(max(len(left), len(right))):
        one = left[number] if number < len(left) else Content("")
        other = right[number] if number < len(right) else Content("")
        space = " " * max(0, width - one.cell_length)
        lines.append(one + Content(space) + Content.styled(" │ ", "$border") + other)
    return lines
