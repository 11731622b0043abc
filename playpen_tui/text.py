"""The last fence before the terminal: a filter over every segment the app draws.

What a widget shows has gone through `clean` already (see `plain_text`); this catches what anybody forgot.
"""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from playpen_tui.plain_text import CONTROLS, SILENT, bare, clean, one_line, picture, short

__all__ = ["SILENT", "ControlFilter", "clean", "named", "one_line", "short"]


def named(name: str, width: int) -> str:
    """A player's name in at most `width` columns: first without its settings, then without its kind, last cut."""
    line = one_line(bare(name), 200)
    if len(line) > width:
        line = (line.partition(":")[2] or line).rpartition("/")[2]
    return short(line, width)


class ControlFilter(LineFilter):
    """Replaces control characters in every drawn segment."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments, none of which can steer the terminal."""
        return [
            segment
            if segment.control or not CONTROLS.search(segment.text)
            else Segment(CONTROLS.sub(picture, segment.text), segment.style)
            for segment in segments
        ]
