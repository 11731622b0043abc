"""Several terminals at one table: what ties a sitting to the processes that play its other seats.

All they share is the episode in the log. Whoever joined leaves a sign there every second; whoever opened the seat
reads when the last one was left, and says so.
"""

from __future__ import annotations

import asyncio
import shlex
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from games.engine import Game, Match, Role
from players.ports import Watch
from playpen_tui.settings import Settings
from store.errors import LogLocked
from store.log import Log

EVERY = 1.0
"""Seconds between two signs of whoever joined."""

AWAY = 8.0
"""Seconds without a sign after which they count as away."""


LAST_GUESTS = 8
"""How many guests the settings remember."""


@dataclass(frozen=True, slots=True)
class OpenSeat:
    """A seat that may be taken from another terminal. `silent`: seconds since the last sign, None before the first."""

    role: Role
    code: str
    silent: float | None

    @property
    def there(self) -> bool:
        """Whether somebody is there."""
        return self.silent is not None and self.silent < AWAY

    @property
    def words(self) -> str:
        """How it stands with this seat."""
        if self.silent is None:
            return f"{self.role} is open"
        if self.there:
            return f"{self.role} is taken at another terminal"
        return f"{self.role} has been away for {span(self.silent)}; the seat waits"


def span(seconds: float) -> str:
    """A time in the coarsest unit that says enough."""
    for size, word in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {word}"
    return f"{seconds:.0f} s"


@dataclass(frozen=True, slots=True)
class Shared:
    """An episode that several processes play. `code` is what this one joined by, empty at the one that opened it."""

    log: Log
    watch: Watch
    episode: str
    game: Game
    code: str = ""

    async def match(self) -> Match:
        """The match as the log has it."""
        return await asyncio.to_thread(self.log.history.match, self.episode, self.game)

    async def seats(self) -> list[OpenSeat]:
        """The open seats of the episode."""
        found = await asyncio.to_thread(self.log.queries.invitations, self.episode)
        return [OpenSeat(seat.role, seat.code, _since(seat.seen_at)) for seat in found]

    async def attend(self) -> None:
        """Leave a sign every second; returns when the seat is closed to this terminal."""
        while True:
            try:
                if not await self.log.attend(self.code):
                    return
            except LogLocked:  # somebody else is writing for long: a sign less, and the turns are what counts
                pass
            await asyncio.sleep(EVERY)

    def command(self, code: str) -> str:
        """What to type in the other terminal, wherever it stands."""
        return f"playpen-tui join {code} --db {home_path(self.log.path)}"


class Guests:
    """Second people at this user's terminals, by the code they joined with: the last few are remembered."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def _pairs(self) -> dict[str, str]:
        pairs = (pair.partition("=") for pair in self._settings.get("guests").split())
        return {code: person for code, _, person in pairs}

    def get(self, code: str) -> str:
        """The pseudonym of whoever joined with this code, or nothing."""
        return self._pairs().get(code, "")

    def keep(self, code: str, person: str) -> None:
        """Remember who joined, so that they are the same when they come back."""
        pairs = {key: value for key, value in self._pairs().items() if key != code}
        last = [*pairs.items(), (code, person)][-LAST_GUESTS:]
        self._settings.keep(guests=" ".join(f"{key}={value}" for key, value in last))


def home_path(path: Path) -> str:
    """The absolute path as a shell takes it, short where it lies in the home folder."""
    whole, home = path.expanduser().absolute(), Path.home()
    if whole.is_relative_to(home) and whole != home:
        return f"~/{shlex.quote(str(whole.relative_to(home)))}"
    return shlex.quote(str(whole))


def _since(moment: str | None) -> float | None:
    return None if moment is None else (datetime.now().astimezone() - datetime.fromisoformat(moment)).total_seconds()
