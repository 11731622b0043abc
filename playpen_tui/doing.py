"""What every seat of a match is doing, told from its players' events: no screen, so that any can show it.

States are words: waiting, to speak, in the queue, thinking 3.2 s, writing 41 tok/s, stopped, no reply, done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from games.engine import Role
from players.base import Event, Failed, Queued, Restart, Said, Thinking, Token

BUSY = ("in the queue", "thinking", "writing")


@dataclass(slots=True)
class SeatState:
    """What one seat is doing since when."""

    doing: str = "waiting"
    since: float = 0.0
    tokens: int = 0
    first: float = 0.0
    note: str = ""
    text: str = ""
    """What it is writing, reasoning left out."""
    speed: float | None = None
    assisted: bool = False

    def words(self, now: float, speed: bool = True) -> str:
        """The state as people read it, with times, and the speed of what is over where that is wanted."""
        doing = self.doing
        if doing in ("thinking", "in the queue"):
            doing = f"{doing} {max(0.0, now - self.since):.1f} s"
        elif doing == "writing" and now > self.first + 0.25:
            doing = f"writing {self.tokens / (now - self.first):.0f} tok/s"
        elif doing in ("waiting", "done") and self.speed and speed:
            doing = f"{doing}, {self.speed:.0f} tok/s"
        return doing


class Doing:
    """The states of all seats of one match. `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.states: dict[Role, SeatState] = {}
        self._rest = "waiting"
        """What a seat does that does nothing: nobody waits once a match is over."""

    def of(self, role: Role) -> SeatState:
        """The state of one seat."""
        return self.states.setdefault(role, SeatState(self._rest))

    def seat(self, assisted: Mapping[Role, bool]) -> None:
        """Which seats are assisted."""
        for role, helped in assisted.items():
            self.of(role).assisted = helped

    def hear(self, event: Event) -> bool:
        """Take note of what a player does; whether there was anything to note."""
        state = self.of(event.role)
        now = self.clock()
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
                state.doing, state.note, state.text = self._rest, "", ""
            case Failed():
                state.doing, state.note, state.text = "no reply", "", ""
            case _:
                return False
        return True

    def stopped(self, role: Role) -> None:
        """Its request was cancelled by a person."""
        state = self.of(role)
        state.doing, state.note, state.text = "stopped", "", ""

    def turn(self, role: Role | None, human: bool) -> None:
        """Whose turn it is, nobody's where the match is over; a person's turn is shown as such."""
        self._rest = "done" if role is None else "waiting"
        for name, state in self.states.items():
            if human and name == role:
                state.doing = "to speak"
            elif state.doing in ("to speak", "waiting", "done"):
                state.doing = self._rest

    @property
    def busy(self) -> bool:
        """Whether some player is at work."""
        return any(state.doing in BUSY for state in self.states.values())

    @property
    def writing(self) -> tuple[Role, str] | None:
        """Who is writing, and what stands there so far."""
        for role, state in self.states.items():
            if state.doing == "writing" and state.text:
                return role, state.text
        return None
