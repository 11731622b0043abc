"""Verdicts in words, and the lines around a pair: keys, the last five, who wrote what, what is left. No screen.

Where the two candidates stand one over the other, left is upper and right is lower.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from playpen_tui.text import one_line, short

if TYPE_CHECKING:
    from playpen_tui.judging import QueueLine, Revealed, Voted

GLYPHS = {"left": "◀", "right": "▶", "tie": "≈", "bad": "⊘", "skip": "→"}
"""Of verdicts; a word stands beside each."""
UPPER = {"left": "upper", "right": "lower"}
STACKED = {"left": "▲", "right": "▼"}
LONG = (
    ("1", "{left} better"), ("2", "{right} better"), ("3", "tie"), ("4", "both bad"), ("! @", "much better"),
    ("s", "skip"), ("f", "flag"), ("c", "comment"), ("u", "undo"),
)  # fmt: skip
SHORT = (
    ("1", "{left}"), ("2", "{right}"), ("3", "tie"), ("4", "bad"), ("! @", "much"), ("s", "skip"), ("f", "flag"),
    ("c", "comment"), ("u", "undo"),
)  # fmt: skip


def word(side: str, beside: bool) -> str:
    """The word for a side."""
    return side if beside else UPPER.get(side, side)


def said(verdict: str, much: bool, beside: bool) -> str:
    """A verdict in words: `left much better`."""
    if verdict in UPPER:
        return f"{word(verdict, beside)} {'much ' if much else ''}better"
    return {"tie": "a tie", "bad": "both bad", "skip": "skipped"}.get(verdict, one_line(verdict, 20))


def glyph(verdict: str, beside: bool) -> str:
    """The mark of a verdict."""
    return STACKED.get(verdict, GLYPHS.get(verdict, "·")) if not beside else GLYPHS.get(verdict, "·")


def bar(width: int, beside: bool) -> Content:
    """Verdicts and their keys, in so many columns."""
    return _keys(((LONG, "   "), (LONG, "  "), (SHORT, "  ")), width, beside)


def choices(width: int, beside: bool) -> Content:
    """The same where one decides for all."""
    return _keys(((LONG[:4], "   "), (SHORT[:4], "  ")), width, beside)


def _keys(forms: Sequence[tuple[Sequence[tuple[str, str]], str]], width: int, beside: bool) -> Content:
    names = {side: word(side, beside) for side in UPPER}
    line = Content("")
    for keys, gap in forms:
        parts = [Content.styled(f"{key} ", "$accent") + Content(text.format(**names)) for key, text in keys]
        line = Content(gap).join(parts)
        if line.cell_length <= width:
            return line
    return line


def strip(voted: Sequence[Voted], beside: bool, width: int) -> Content:
    """The last five verdicts, the newest first."""
    line = Content.styled("last  ", "$secondary")
    if not voted:
        return line + Content.styled("nothing yet", "$secondary")
    for at, one in enumerate(voted[:5]):
        text = f"{glyph(one.verdict, beside)} {said(one.verdict, one.much, beside).removesuffix(' better')}"
        text += " ⚑" if one.flag else ""
        text += f" “{short(one.comment, 12)}”" if one.comment else ""
        gap = Content("   " if at else "")
        if line.cell_length + gap.cell_length + len(text) > width:
            break
        line += gap + Content.styled(text, "" if at == 0 else "$secondary")
    return line


def after(told: str, found: Revealed | None, beside: bool, width: int) -> Content:
    """What became of the last key, and who wrote the two that were judged with it, where the queue lets that be known.

    In one line, or in two where they stand one over the other.
    """
    line = Content.styled(one_line(told, 120), "bold")
    if found is None or not (found.left or found.right):
        return line
    room = width - (line.cell_length + 3 if beside else 0) - len("left   right ") - 3
    who = [
        Content.styled(f"{word(side, beside)} ", "$secondary") + Content(short(name, max(10, room // 2)))
        for side, name in (("left", found.left), ("right", found.right))
    ]
    return Content("   " if beside else "\n").join([line, Content("   ").join(who)])


def finished(name: str, line: QueueLine | None) -> str:
    """What there is left to do for somebody who has judged all they could."""
    text = [f"You have judged all that waits for you in {one_line(name, 40)}."]
    if line is not None:
        left = line.items - line.full
        if left > 0:
            text.append(f"{left:,} item{'' if left == 1 else 's'} wait{'s' if left == 1 else ''} for other judges.")
        if line.disputed:
            many = "1 item is" if line.disputed == 1 else f"{line.disputed:,} items are"
            text.append(f"{many} judged differently: d decides.")
    return "\n".join([*text, "u takes the last verdict back, h opens any of yours again, esc leaves."])
