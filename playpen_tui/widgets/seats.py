"""One line that says of every seat who sits there and what they are doing, with times and speeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from textual.content import Content
from textual.widgets import Static

from games.engine import Role
from players.base import Event
from playpen_tui.doing import Doing, SeatState
from playpen_tui.text import named, one_line
from playpen_tui.widgets.put import put

NAME = 24
"""Columns of a name, at most."""
LEAST = 6
"""Columns of a name, at least."""


def seat_line(role: Role, name: str, state: SeatState, now: float, most: int = NAME, *, speed: bool = True) -> Content:
    """A seat in words: role, who sits there in at most so many columns, assisted or not, and what they are doing."""
    parts = [
        Content.styled(one_line(role) + (" " if most else ""), "$secondary"),
        Content.styled(named(name, most) if most else "", "$foreground"),
        Content.styled(" assisted" if state.assisted else "", "$accent"),
        Content.styled(
            f" · {state.words(now, speed)}" + (f", {one_line(state.note, 60)}" if state.note else ""), "$secondary"
        ),
    ]
    return Content("").join(parts)


def seat_in(role: Role, name: str, state: SeatState, now: float, width: int) -> Content:
    """The same in so many columns: it is the name that is shortened."""
    return seat_line(role, name, state, now, max(LEAST, width - 1 - seat_line(role, "", state, now, 0).cell_length))


class Seats(Static):
    """The seat line."""

    DEFAULT_CSS = "Seats { height: 1; padding: 0 2; color: $secondary; text-wrap: nowrap; text-overflow: ellipsis; }"

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, id: str | None = None) -> None:
        super().__init__("", id=id)
        self._doing = Doing(clock)
        self._names: Mapping[Role, str] = {}

    @property
    def states(self) -> dict[Role, SeatState]:
        """What each seat is doing."""
        return self._doing.states

    def on_mount(self) -> None:
        """Times tick five times a second, and only while somebody works."""
        self.set_interval(0.2, self._tick)

    def seat(self, names: Mapping[Role, str], assisted: Mapping[Role, bool]) -> None:
        """Who sits where."""
        self._names = dict(names)
        self._doing.seat({role: assisted.get(role, False) for role in names})
        self._draw()

    def follow(self, doing: Doing, names: Mapping[Role, str]) -> None:
        """Show states that somebody else keeps."""
        self._doing, self._names = doing, dict(names)
        self._draw()

    def hear(self, event: Event) -> None:
        """Take note of what a player does."""
        if self._doing.hear(event):
            self._draw()

    def stopped(self, role: Role) -> None:
        """Its request was cancelled by a person."""
        self._doing.stopped(role)
        self._draw()

    def turn(self, role: Role | None, human: bool) -> None:
        """Whose turn it is; a person's turn is shown as such."""
        self._doing.turn(role, human)
        self._draw()

    @property
    def busy(self) -> bool:
        """Whether some model is at work."""
        return self._doing.busy

    def _tick(self) -> None:
        if self.busy:
            self._draw()

    def on_resize(self) -> None:
        """Names are shortened for this width."""
        self._draw()

    def _draw(self) -> None:
        now, room = self._doing.clock(), self.size.width or None

        def drawn(most: int, speed: bool) -> Content:
            states = ((role, name, self._doing.of(role)) for role, name in self._names.items())
            return Content("   ").join([seat_line(*one, now, most, speed=speed) for one in states])

        # speeds give way first, then ends of names; where that is not enough, names are worth more than what is cut
        tries = (
            drawn(most, speed) for most, speed in [(NAME, True), *((n, False) for n in range(NAME, LEAST - 1, -1))]
        )
        line = next((one for one in tries if room is None or one.cell_length <= room), None)
        put(self, drawn(NAME, False) if line is None else line, layout=False)
