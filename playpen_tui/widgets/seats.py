"""One line that says of every seat who sits there and what they are doing, with times and speeds.

It hears the players' events. States are words: waiting, in the queue, thinking 3.2 s, writing 41 tok/s, stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from textual.content import Content
from textual.widgets import Static

from games.engine import Role
from players.base import Event, Failed, Queued, Restart, Said, Thinking, Token
from playpen_tui.text import one_line


@dataclass(slots=True)
class SeatState:
    """What one seat is doing since when."""

    doing: str = "waiting"
    since: float = 0.0
    tokens: int = 0
    first: float = 0.0
    note: str = ""
    text: str = ""
    speed: float | None = None
    assisted: bool = False


class Seats(Static):
    """The seat line."""

    DEFAULT_CSS = "Seats { height: 1; padding: 0 2; color: $secondary; text-wrap: nowrap; text-overflow: ellipsis; }"

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, id: str | None = None) -> None:
        super().__init__("", id=id)
        self._clock = clock
        self._names: Mapping[Role, str] = {}
        self.states: dict[Role, SeatState] = {}

    def on_mount(self) -> None:
        """Times tick five times a second, and only while somebody works."""
        self.set_interval(0.2, self._tick)

    def seat(self, names: Mapping[Role, str], assisted: Mapping[Role, bool]) -> None:
        """Who sits where."""
        self._names = dict(names)
        for role in names:
            self.states.setdefault(role, SeatState()).assisted = assisted.get(role, False)
        self._draw()

    def hear(self, event: Event) -> None:
        """Take note of what a player does."""
        state = self.states.setdefault(event.role, SeatState())
        now = self._clock()
        match event:
            case Queued():
                state.doing, state.since, state.note, state.text, state.tokens = "in the queue", now, "", "", 0
            case Thinking():
                if state.doing != "thinking":
                    state.since = now
                state.doing, state.note = "thinking", event.note
            case Token():
                if state.doing != "writing":
                    state.doing, state.first, state.tokens = "writing", now, 0
                state.tokens += 1
                state.text += "" if event.reasoning else event.text
            case Restart():
                state.doing, state.since, state.note, state.text, state.tokens = "thinking", now, "once more", "", 0
            case Said():
                took = event.reply.call
                if took is not None and took.tokens_out and took.ms:
                    state.speed = took.tokens_out / (took.ms / 1000)
                state.doing, state.note, state.text = "waiting", "", ""
            case Failed():
                state.doing, state.note, state.text = "no reply", "", ""
            case _:
                return
        self._draw()

    def stopped(self, role: Role) -> None:
        """Its request was cancelled by a person."""
        state = self.states.setdefault(role, SeatState())
        state.doing, state.note = "stopped", ""
        self._draw()

    def turn(self, role: Role | None, human: bool) -> None:
        """Whose turn it is; a person's turn is shown as such."""
        for name, state in self.states.items():
            if human and name == role:
                state.doing = "to speak"
            elif state.doing == "to speak":
                state.doing = "waiting"
        self._draw()

    @property
    def busy(self) -> bool:
        """Whether some model is at work."""
        return any(s.doing in ("in the queue", "thinking", "writing") for s in self.states.values())

    def _tick(self) -> None:
        if self.busy:
            self._draw()

    def _draw(self) -> None:
        now = self._clock()
        parts: list[Content] = []
        for role, name in self._names.items():
            state = self.states.get(role, SeatState())
            doing = state.doing
            if doing in ("thinking", "in the queue"):
                doing = f"{doing} {max(0.0, now - state.since):.1f} s"
            elif doing == "writing" and now > state.first + 0.25:
                doing = f"writing {state.tokens / (now - state.first):.0f} tok/s"
            elif doing == "waiting" and state.speed:
                doing = f"waiting, {state.speed:.0f} tok/s"
            words = [f"{one_line(role)} ", one_line(name, 24)]
            style = ["$secondary", "$foreground"]
            if state.assisted:
                words.append(" assisted")
                style.append("$accent")
            words.append(f" · {doing}" + (f", {one_line(state.note, 60)}" if state.note else ""))
            style.append("$secondary")
            parts.append(Content("").join(Content.styled(w, s) for w, s in zip(words, style, strict=True)))
        self.update(Content("   ").join(parts))
