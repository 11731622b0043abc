"""One line that says of every seat who sits there and what they are doing, with times and speeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from textual.content import Content
from textual.widgets import Static

from games.engine import Role
from players.base import Event
from playpen_tui.doing import Doing, SeatState
from playpen_tui.text import one_line
from playpen_tui.widgets.put import put


def seat_line(role: Role, name: str, state: SeatState, now: float) -> Content:
    """A seat in words: role, who sits there, assisted or not, and what they are doing."""
    parts = [
        Content.styled(f"{one_line(role)} ", "$secondary"),
        Content.styled(one_line(name, 24), "$foreground"),
        Content.styled(" assisted" if state.assisted else "", "$accent"),
        Content.styled(
            f" · {state.words(now)}" + (f", {one_line(state.note, 60)}" if state.note else ""), "$secondary"
        ),
    ]
    return Content("").join(parts)


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

    def _draw(self) -> None:
        now = self._doing.clock()
        parts = [seat_line(role, name, self._doing.of(role), now) for role, name in self._names.items()]
        put(self, Content("   ").join(parts), layout=False)
