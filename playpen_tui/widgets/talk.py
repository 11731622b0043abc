"""What is said on a card: the last utterances for a column of any size, and what of the board they say already."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from textual.content import Content

from games.boards import Card, Facts, Lines, Panel, Tiles
from games.engine import Role
from playpen_tui.text import clean, one_line, short
from playpen_tui.transcript import Entry, entries, spoken
from playpen_tui.watching import Watched


@dataclass(frozen=True, slots=True)
class Talk:
    """What these eyes have read, the line being written included, for a column of any size."""

    entries: Sequence[Entry]
    names: Mapping[Role, str]
    writing: Entry | None = None

    def called(self, width: int) -> tuple[Mapping[Role, str], int]:
        """How speakers are called, never cut, and the columns of that; 0: words run on behind the name.

        A role says as much as a name that takes too much room: below the card stands who plays it. Who is alone needs
        no name.
        """
        if len(self.names) == 1:
            return dict.fromkeys(self.names, ""), 0
        roles = {role: one_line(role) for role in self.names}
        for share, running in ((2 / 5, False), (1 / 2, True)):
            for names in (self.names, roles):
                widest = max(map(len, names.values()), default=0) + 2
                if widest <= width * share:
                    return names, 0 if running else widest
        return roles, 0

    def lines(self, width: int, height: int, full: bool) -> list[Content]:
        """The last lines; what is cut has an ellipsis. `full` has the lesser part of what was said, too."""
        if height <= 0:
            return []
        found = [] if self.writing is None else self._said(self.writing, width, height, full)
        for entry in reversed(self.entries):
            if len(found) >= height:
                break
            found = self._said(entry, width, height - len(found), full) + found
        return found[:height]

    def newest(self, width: int, full: bool) -> int:
        """How many lines the newest utterance takes."""
        last = self.writing or (self.entries[-1] if self.entries else None)
        return len(self._said(last, width, 1_000, full)) if last is not None else 0

    def _said(self, entry: Entry, width: int, height: int, full: bool) -> list[Content]:
        """One utterance, its words hanging beside the speaker's name; cut at its end, or at its beginning while it
        is being written."""
        names, column = self.called(width)
        name = short(names[entry.role], max(4, width // 2))
        first, rest = column or (len(name) + 2 if name else 0), column or 2
        text = clean(entry.text, 2000) + (f"  {clean(entry.extra, 200)}" if entry.extra and full else "")
        if entry is self.writing:
            text += "▏"
        rows = _wrapped(text, width, first, rest)
        end = height * width
        while entry is self.writing and len(rows) > height and end > 0:
            last = text[-end:]
            rows = _wrapped(f"… {last.partition(' ')[2] or last}", width, first, rest)
            end -= 4
        style = "$error" if entry.broken else ""
        broken = _wrapped(f"⊘ {one_line(entry.broken)}", width, rest, rest + 2) if entry.broken else []
        if broken and len(rows) + len(broken) > height:  # why it was not accepted says more than how it ends
            rows = _cut(rows, max(1, height - len(broken)), width)
        rows = _cut([*rows, *broken], height, width)
        found = [Content.styled(row, style) for row in rows]
        found[0] = Content.styled(f"{name:<{first}}", "$primary") + Content.styled(rows[0][first:], style)
        return found


def _wrapped(text: str, width: int, first: int, rest: int) -> list[str]:
    """The text in lines, the first one and the others beginning at these columns."""
    rows: list[str] = []
    for part in text.split("\n"):
        at = rest if rows else first
        around = max(at, rest) + 8
        rows += textwrap.wrap(part, max(around, width), initial_indent=" " * at, subsequent_indent=" " * rest) or [
            " " * at
        ]
    return rows


def _cut(rows: list[str], height: int, width: int) -> list[str]:
    """As many as there is room for, with an ellipsis where some are left out."""
    if len(rows) <= height:
        return rows
    last = rows[height - 1]
    return [*rows[: height - 1], (last if len(last) <= width - 2 else last[: width - 2].rstrip()) + " …"]


def talk(watched: Watched, eyes: Role | None, panels: Sequence[Panel], full: bool) -> Talk:
    """What is said beside these panels. What one alone says stands on the tiles already, but for its reasons."""
    match = watched.match
    found = entries(match, eyes)
    if len(match.game.roles) == 1:
        shown = {"".join(tile.letter for tile in row).lower() for p in panels if isinstance(p, Tiles) for row in p.rows}
        found = [e for e in found if e.broken or (e.extra and full) or e.text.strip().lower() not in shown]
    writing = watched.doing.writing
    if writing is None or watched.over or eyes not in (None, writing[0]):
        return Talk(found, speakers(watched))
    read = spoken(match, *writing)
    return Talk(found, speakers(watched), Entry(match.ply, writing[0], read[0] if read else "…"))


def speakers(watched: Watched) -> dict[Role, str]:
    """How every seat is called in the dialogue."""
    return {role: one_line(watched.speakers.get(role, role)) for role in watched.match.game.roles}


def untold(panels: Sequence[Panel], told: Sequence[Entry]) -> list[Panel]:
    """The panels without what the dialogue beside them says anyway."""
    words = {entry.text.strip() for entry in told}
    found: list[Panel] = []
    for panel in panels:
        if isinstance(panel, Facts):
            items = tuple(item for item in panel.items if item[1].strip() not in words)
            if items:
                found.append(replace(panel, items=items))
        elif isinstance(panel, Lines):
            lines = tuple(line for line in panel.lines if line.strip() not in words)
            if lines:
                found.append(replace(panel, lines=lines))
        elif not isinstance(panel, Card) or panel.items or panel.head.strip() not in words:
            found.append(panel)
    return found
