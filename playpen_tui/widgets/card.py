"""One watched match as a card: title, board, the end of the dialogue, who is writing, what every seat is doing.

A card is drawn as lines for a given size and put into one widget, so that eight of them cost little. Eyes are a role,
`both` (all seats side by side), or None for the game master.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import replace

from textual.content import Content
from textual.widgets import Static

from games.boards import Card, Facts, Grid, Keys, Lines, Panel, Tiles
from games.engine import Role
from playpen_tui.text import clean, one_line, short
from playpen_tui.theme import GLYPHS
from playpen_tui.transcript import Entry, entries, spoken
from playpen_tui.watching import Watched
from playpen_tui.widgets.board import draw
from playpen_tui.widgets.endcard import WORDS
from playpen_tui.widgets.put import put
from playpen_tui.widgets.seats import seat_line

BOTH = "both"
LOW = 12
"""Rows below which board and dialogue stand beside each other where the board is narrow enough."""
WIDE = 50
"""Columns from which a board may be cut at half the card for the dialogue's sake."""
SIDE_BY_SIDE = 64
"""Columns from which two seats stand beside each other."""
TROUBLE = 3
"""Lines that say why a match failed, at most."""


def eyes_of(watched: Watched) -> list[str | None]:
    """Through whose eyes one may look: the game master's, each seat's, and all seats' at once."""
    roles = list(watched.match.game.roles)
    return [None, *roles, *([BOTH] if len(roles) > 1 else [])]


def eyes_word(eyes: str | None) -> str:
    """How a screen calls these eyes."""
    return "game master" if eyes is None else "both seats" if eyes == BOTH else one_line(eyes)


def title(watched: Watched, number: int | None, width: int) -> Content:
    """Number, game, where it stands, and how it ended."""
    match = watched.match
    status = match.game.board(match.state, None).status
    head = Content.styled(f"{number} " if number else "", "bold $accent")
    name = f"{match.game.title} · {match.instance.experiment.replace('_', ' ')}" + (f" · {status}" if status else "")
    mark = Content.styled("★ ", "$accent") if watched.bookmarked else Content("")
    end = outcome(watched)
    room = max(8, width - head.cell_length - mark.cell_length - end.cell_length - 1)
    left = head + mark + Content.styled(short(one_line(name), room), "bold")
    return left + Content(" " * max(1, width - left.cell_length - end.cell_length)) + end


def outcome(watched: Watched) -> Content:
    """How a match ended or stands, glyph and word; nothing while it is simply played."""
    if watched.match.over:
        how = watched.match.state.outcome
        style = {"success": "$success", "failure": "$error"}.get(how or "", "$warning")
        return Content.styled(f"{GLYPHS.get(how, '…')} {WORDS.get(how or '', 'over')}", style)
    words = {"held": "‖ paused", "failed": "⊘ no reply", "stopped": "… stopped"}
    return Content.styled(words.get(watched.state, ""), "$warning")


def said(entry: Entry, name: str, width: int, mark: str = "") -> list[Content]:
    """One utterance, its words hanging beside the speaker's name."""
    indent = min(12, max(6, width // 4))
    text = clean(entry.text, 2000) + (f"  {clean(entry.extra, 200)}" if entry.extra and width > 60 else "") + mark
    rows = [row for part in text.split("\n") for row in textwrap.wrap(part, max(8, width - indent)) or [""]]
    style = "$error" if entry.broken else ""
    lines = [Content(" " * indent) + Content.styled(row, style) for row in rows]
    lines[0] = Content.styled(f"{short(name, indent - 1):<{indent}}", "$primary") + Content.styled(rows[0], style)
    if entry.broken:
        lines.append(
            Content(" " * indent) + Content.styled(f"⊘ {short(one_line(entry.broken), width - indent - 2)}", "$error")
        )
    return lines


def dialogue(watched: Watched, eyes: Role | None, width: int, height: int) -> list[Content]:
    """The last lines of what these eyes have read, the line being written included."""
    match = watched.match
    lines: list[Content] = []
    writing = watched.doing.writing
    if writing is not None and not watched.over and (eyes in (None, writing[0])):
        role, text = writing
        read = spoken(match, role, text)
        lines = said(Entry(match.ply, role, read[0] if read else "…"), watched.speakers.get(role, role), width, "▏")
    for entry in reversed(entries(match, eyes)):
        if len(lines) >= height:
            break
        lines = said(entry, watched.speakers.get(entry.role, entry.role), width) + lines
    return lines[-height:] if height > 0 else []


def board(panels: Sequence[Panel], width: int, height: int) -> list[Content]:
    """The board in as few lines as it can be told: no keyboard, no frames, no rows of tiles that nobody has filled.

    Where there is no room for all rows of tiles, the latest are kept.
    """
    kept = [_short(panel) for panel in panels if not isinstance(panel, Keys)]
    rows = _rows(kept, width, height)
    for _ in range(max((len(panel.rows) for panel in kept if isinstance(panel, Tiles)), default=0)):
        if len(rows) <= height:
            break
        kept = [_latest(panel) for panel in kept]
        rows = _rows(kept, width, height)
    if len(rows) <= height:
        return rows
    return [*rows[: max(0, height - 1)], Content.styled("…", "$secondary")][: max(0, height)]


def _rows(panels: Sequence[Panel], width: int, height: int) -> list[Content]:
    rows: list[Content] = []
    for panel in panels:
        if height < LOW and isinstance(panel, Card) and panel.items:
            rows += [*_brief(panel, width), Content("")]
    others = [panel for panel in panels if not (height < LOW and isinstance(panel, Card) and panel.items)]
    for _, content in draw(others, compact=True):
        rows += [*content.split("\n"), Content("")]
    rows = [row.truncate(width, ellipsis=True) for row in rows]
    while rows and not rows[-1].plain.strip():
        rows.pop()
    return rows if len(rows) <= height else [row for row in rows if row.plain.strip()]


def _brief(card: Card, width: int) -> list[Content]:
    """A card whose list stands in one line, wrapped where it must be."""
    (_, head), *_ = draw([replace(card, items=())], compact=True)
    label = one_line(card.label)
    items = textwrap.wrap(", ".join(one_line(item) for item in card.items), max(8, width - len(label) - 2))
    lines = [Content(" " * (len(label) + 2) + text) for text in items]
    lines[0] = Content.styled(f"{label}  ", "$secondary") + Content(items[0])
    return [head, *lines]


def _short(panel: Panel) -> Panel:
    """Tiles without the rows that nobody has filled, but for the next."""
    if isinstance(panel, Tiles):
        return replace(panel, height=min(panel.height, len(panel.rows) + 1))
    return panel


def _latest(panel: Panel) -> Panel:
    """Tiles with a row less: first the empty one, then the oldest."""
    if not isinstance(panel, Tiles) or not panel.rows:
        return panel
    if panel.height > len(panel.rows):
        return replace(panel, height=len(panel.rows))
    return replace(panel, rows=panel.rows[1:], height=len(panel.rows) - 1) if len(panel.rows) > 1 else panel


def _untold(panels: Sequence[Panel], told: Sequence[Entry]) -> list[Panel]:
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
        else:
            found.append(panel)
    return found


def _column(watched: Watched, eyes: Role | None, width: int, height: int, name: bool) -> list[Content]:
    """Board over dialogue, for one pair of eyes."""
    match = watched.match
    head = [Content.styled(eyes_word(eyes), "$secondary")] if name else []
    shown = None if match.over else eyes
    panels = _untold(match.game.board(match.state, shown).panels, entries(match, eyes))
    room = height - len(head)
    if height < LOW and not any(isinstance(panel, Grid) for panel in panels):
        natural = max((row.cell_length for row in board(panels, width, room)), default=0)
        narrow = min(natural, max(29, width // 2 - 2)) if width >= WIDE else natural
        if 0 < narrow <= width * 3 // 5:
            aside = board(panels, narrow, room)
            return [*head, *_beside(aside, dialogue(watched, eyes, width - narrow - 3, room), narrow + 1)]
    said = len(dialogue(watched, eyes, width, room))
    pictures = any(isinstance(panel, Grid) for panel in panels)  # half a picture is none: words make room
    top = board(panels, width, max(1, room - 1 if pictures and said else room * 3 // 5, room - said - bool(said)))
    gap = [Content("")] if len(top) + 1 + min(said, 1) <= room else []
    return [*head, *top, *gap, *dialogue(watched, eyes, width, room - len(top) - len(gap))]


def _beside(left: list[Content], right: list[Content], width: int) -> list[Content]:
    rows = max(len(left), len(right))
    both = [(side + [Content("")] * (rows - len(side))) for side in (left, right)]
    return [a.pad_right(max(0, width - a.cell_length)) + Content("  ") + b for a, b in zip(*both, strict=True)]


def _trouble(error: str, width: int, rows: int) -> list[Content]:
    """What went wrong, in up to three lines where there are so many rows."""
    most = max(1, min(TROUBLE, rows))
    lines = textwrap.wrap(one_line(error, 300), max(8, width - 2), max_lines=most, placeholder=" …") or [""]
    return [Content.styled(f"{'  ' if at else '⊘ '}{line}", "$error") for at, line in enumerate(lines)]


def draw_card(watched: Watched, number: int | None, eyes: str | None, width: int, height: int) -> Content:
    """The whole card for this size."""
    now = watched.doing.clock()
    match = watched.match
    roles = match.game.roles
    if height < 8:  # one line for all, and whose turn it is must be in it
        roles = sorted(roles, key=lambda role: role != match.turn)
    seats = [seat_line(role, watched.names.get(role, "–"), watched.doing.of(role), now) for role in roles]
    if height < 8:
        seats = [Content("  ").join(seats)]
    if watched.error:
        seats = [Content("")]
    room = height - 1 - len(seats)
    if eyes == BOTH:
        roles = match.game.roles[:2]
        if width >= SIDE_BY_SIDE:
            half = (width - 2) // 2
            columns = [_column(watched, role, half, room, True) for role in roles]
            body = _beside(columns[0], columns[1], half)
        else:
            body = [row for role in roles for row in _column(watched, role, width, room // 2, True)]
    else:
        body = _column(watched, eyes, width, room, False)
    body = body[:room]
    while body and not body[-1].plain.strip():
        body.pop()
    if watched.error:
        seats = _trouble(watched.error, width, room - len(body) + 1)
        room = height - 1 - len(seats)
    body += [Content("")] * (room - len(body))
    rows = [title(watched, number, width), *body, *seats]
    return Content("\n").join(row.truncate(width, ellipsis=True) for row in rows)


def ticker(watched: Watched, number: int, width: int) -> Content:
    """One line for a match that has no room of its own."""
    match = watched.match
    last = entries(match, None)[-1:]
    words = f"{watched.speakers.get(last[0].role, last[0].role)}: {last[0].text}" if last else "begins"
    head = Content.styled(f"{number} ", "bold $accent") + Content.styled(
        f"{short(one_line(match.game.title), 14):<15}", ""
    )
    end = outcome(watched)
    room = max(4, width - head.cell_length - end.cell_length - 1)
    text = Content.styled(short(one_line(words, 300), room), "$secondary")
    return head + text + Content(" " * max(1, width - head.cell_length - text.cell_length - end.cell_length)) + end


class MatchCard(Static):
    """A place for a card; `show` paints what has changed."""

    DEFAULT_CSS = "MatchCard { width: 1fr; height: 1fr; padding: 0 1; text-wrap: nowrap; overflow: hidden; }"

    _shown: tuple[Watched, int, str | None] | None = None

    def show(self, watched: Watched | None, number: int, eyes: str | None) -> None:
        """Draw this match, or an empty place."""
        self._shown = None if watched is None else (watched, number, eyes)
        if watched is None:
            self.update("")
        else:
            self.on_resize()

    def on_resize(self) -> None:
        """Draw it for this size; one that was hidden gets its size only after `show`."""
        if self._shown is not None:
            width, height = max(20, self.content_size.width), max(4, self.content_size.height)
            put(self, draw_card(*self._shown, width, height), layout=False)
