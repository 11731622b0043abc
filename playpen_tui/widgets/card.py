"""One watched match as a card: title, board, the end of the dialogue, who is writing, what every seat is doing.

A card is drawn as lines for a given size and put into one widget, so that eight of them cost little. Eyes are a role,
`both` (all seats side by side), or None for the game master.
"""

from __future__ import annotations

import textwrap
from dataclasses import replace

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from games.boards import Grid, Tiles
from games.engine import Role
from playpen_tui.text import one_line, short
from playpen_tui.theme import GLYPHS
from playpen_tui.transcript import entries
from playpen_tui.watching import Watched
from playpen_tui.widgets.endcard import WORDS
from playpen_tui.widgets.fitting import fits, fitted, gently, lines, listed
from playpen_tui.widgets.put import put
from playpen_tui.widgets.seats import seat_in
from playpen_tui.widgets.talk import Talk, speakers, talk, untold

BOTH = "both"
LOW = 12
"""Rows below which board and dialogue stand beside each other where the board is narrow enough."""
WIDE = 50
"""Columns from which a board may be cut at half the card for the dialogue's sake."""
FULL = 60
"""Columns beyond which also the lesser part of what was said is shown."""
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
    """Number, game, experiment, where it stands, and how it ended; the experiment is what gives way."""
    match = watched.match
    status = one_line(match.game.board(match.state, None).status)
    head = Content.styled(f"{number} " if number else "", "bold $accent")
    mark = Content.styled("★ ", "$accent") if watched.bookmarked else Content("")
    end = outcome(watched)
    room = max(8, width - head.cell_length - mark.cell_length - end.cell_length - 1)
    game, experiment = one_line(match.game.title), one_line(match.instance.experiment.replace("_", " "))
    name = " · ".join(filter(None, (game, experiment, status)))
    if len(name) > room and status:
        name = f"{short(game, max(8, room - len(status) - 3))} · {status}"
    left = head + mark + Content.styled(short(name, room), "bold")
    return left + Content(" " * max(1, width - left.cell_length - end.cell_length)) + end


def outcome(watched: Watched) -> Content:
    """How a match ended or stands, glyph and word; nothing while it is simply played."""
    if watched.match.over:
        how = watched.match.state.outcome
        style = {"success": "$success", "failure": "$error"}.get(how or "", "$warning")
        return Content.styled(f"{GLYPHS.get(how, '…')} {WORDS.get(how or '', 'over')}", style)
    words = {"held": "‖ paused", "failed": "⊘ no reply", "stopped": "… stopped"}
    return Content.styled(words.get(watched.state, ""), "$warning")


def _column(watched: Watched, eyes: Role | None, width: int, height: int, name: bool) -> list[Content]:
    """Board and dialogue, for one pair of eyes: over each other, or beside each other in a low card.

    The whole board and the whole newest utterance, if they can be had; then the board.
    """
    match = watched.match
    head = [Content.styled(eyes_word(eyes), "$secondary")] if name else []
    room, low, full = height - len(head), height < LOW, width > FULL or height >= LOW
    panels = untold(match.game.board(match.state, None if match.over else eyes).panels, entries(match, eyes))
    if match.over:  # nobody fills the rest
        panels = [replace(panel, height=len(panel.rows)) if isinstance(panel, Tiles) else panel for panel in panels]
    words = talk(watched, eyes, panels, full)
    said, newest = len(words.lines(width, room, full)), words.newest(width, full)
    pictures = any(isinstance(panel, Grid | Tiles) for panel in panels)  # half a picture is none: words make room
    spare = newest if pictures else min(said, room - room * 3 // 5)
    narrow = max(29, width // 2 - 2) if width >= WIDE else width

    def beside(rows: list[Content], whole: bool) -> list[Content] | None:
        aside = max((row.cell_length for row in rows), default=0)
        if not 0 < aside <= width * 3 // 5 or len(rows) > room:
            return None
        left = width - aside - 3
        if whole and words.newest(left, full) > room:
            return None
        return [*head, *_beside(rows, words.lines(left, room, full), aside + 1)]

    def over(rows: list[Content]) -> list[Content]:
        gap = [Content("")] if len(rows) + 1 + newest <= room else []
        return [*head, *rows, *gap, *words.lines(width, room - len(rows) - len(gap), full)]

    for some, look in gently(listed(panels) if low else panels, width):
        if low and said and (found := beside(lines(some, replace(look, width=narrow), room), True)):
            return found
        rows = lines(some, look, room - spare)
        if fits(rows, width, room - spare):
            return over(rows)
    if low and said and (found := beside(fitted(panels, narrow, room), False)):
        return found
    return over(fitted(panels, width, max(1, room - bool(said) if pictures else room * 3 // 5)))


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
    """The whole card for this size; without a number, only what stands between its title and its seats."""
    match = watched.match
    seats = (
        [] if number is None else _trouble(watched.error, width, 1) if watched.error else _seats(watched, width, height)
    )
    titles = [] if number is None else [title(watched, number, width)]
    room = height - len(titles) - len(seats)
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
    if watched.error and seats:
        seats = _trouble(watched.error, width, room - len(body) + 1)
        room = height - len(titles) - len(seats)
    body += [Content("")] * (room - len(body))
    return Content("\n").join(row.truncate(width, ellipsis=True) for row in [*titles, *body, *seats])


def _seats(watched: Watched, width: int, height: int) -> list[Content]:
    """What every seat is doing; in a very low card one line, whose turn it is first, and others where they fit."""
    match, now = watched.match, watched.doing.clock()

    def line(role: Role) -> Content:
        return seat_in(role, watched.names.get(role, "–"), watched.doing.of(role), now, width)

    if height >= 8:
        return [line(role) for role in match.game.roles]
    first, *others = [line(role) for role in sorted(match.game.roles, key=lambda role: role != match.turn)]
    for other in others:
        if first.cell_length + 2 + other.cell_length <= width:
            first += Content("  ") + other
    return [first]


def ticker(watched: Watched, number: int, width: int) -> Content:
    """One line for a match that has no room of its own."""
    match = watched.match
    last = entries(match, None)[-1:]
    names, _ = Talk(last, speakers(watched)).called(width // 2)
    words = ": ".join(filter(None, (names[last[0].role], last[0].text))) if last else "begins"
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

    _shown: tuple[Watched, int | None, str | None] | None = None

    def show(self, watched: Watched | None, number: int | None, eyes: str | None) -> None:
        """Draw this match, or an empty place."""
        self._shown = None if watched is None else (watched, number, eyes)
        if watched is None:
            self.update("")
        else:
            self._draw()

    def on_resize(self) -> None:
        """Draw it for this size; one that was hidden gets its size only after `show`."""
        self._frame()
        self._draw()

    def on_show(self) -> None:
        """There is one more."""
        self._frame()

    def on_hide(self) -> None:
        """There is one less."""
        self._frame()

    def _frame(self) -> None:
        """Draw the lines around all cards anew: they are the container's, which keeps its size."""
        if isinstance(self.parent, Widget):
            self.parent.refresh()

    def _draw(self) -> None:
        if self._shown is not None:
            width, height = max(20, self.content_size.width), max(4, self.content_size.height)
            put(self, draw_card(*self._shown, width, height), layout=False)
