"""Several terminals at one table: what ties a sitting to the processes that play its other seats.

All they share is the episode in the log. Whoever joined leaves a sign there every second, and so does whoever opened
the seat: each reads when the other's last one was left, and says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from games.engine import Game, Match, Role
from players.ports import Watch
from playpen_tui.settings import Settings
from store.errors import LogClosed, LogLocked
from store.log import Log
from store.records import Progress, RunState, Sign

EVERY = 1.0
"""Seconds between two signs of whoever sits at a table with several terminals."""

AWAY = 8.0
"""Seconds without a sign after which they count as away."""


HERE = socket.gethostname()

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
            return f"nobody has taken the seat of the {self.role} yet"
        if self.there:
            return f"the {self.role} sits at another terminal"
        return f"the {self.role} has been away for {span(self.silent)}; the seat waits"

    @property
    def who(self) -> str:
        """Who sits there, where the role stands beside it."""
        return "nobody yet" if self.silent is None else "at another terminal" if self.there else "away"


@dataclass(frozen=True, slots=True)
class Host:
    """Whoever opened the table. `silent`: seconds since the last sign, None before the first; `left` on purpose."""

    silent: float | None = None
    left: bool = False

    @property
    def there(self) -> bool:
        """Whether they are there, as far as one knows."""
        return not self.left and (self.silent is None or self.silent < AWAY)

    @property
    def words(self) -> str:
        """What whoever joined has to know; nothing while they are there."""
        if self.there:
            return ""
        gone = "has left it" if self.left else f"has been away for {span(self.silent or 0)}"
        return f"Whoever opened this table {gone}; what you say is kept until they come back with"


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

    async def attend(self, told: Callable[[Sign], object]) -> None:
        """Leave a sign every second, until cancelled; `told` hears of it, also where the seat is closed."""
        last = ""
        while True:
            with contextlib.suppress(LogLocked):  # who writes for long costs a sign; the turns are what counts
                sign = await self.log.attend(self.code, last)
                last = sign.at
                told(sign)
            await asyncio.sleep(EVERY)

    async def still_mine(self) -> bool:
        """Whether the seat that this terminal joined is open to it now."""
        found = await asyncio.to_thread(self.log.queries.invitation, self.code)
        return found is not None and found.closed_at is None

    async def preside(self, over: Callable[[], bool]) -> None:
        """Leave signs of whoever opened the table, every second, and when cancelled a last one: `over`, or left."""
        run = await asyncio.to_thread(self.log.queries.run_of, self.episode)
        if run is None:
            return
        began = time.monotonic()

        async def beat(state: RunState) -> None:
            done = int(state == "done")
            told = Progress(state, 1, done, 0, 1 - done, seconds=time.monotonic() - began, host=HERE, pid=os.getpid())
            with contextlib.suppress(LogLocked, LogClosed):  # a sign less; at the end the log may close before us
                await self.log.beat(run, told)

        try:
            while True:
                await beat("running")
                await asyncio.sleep(EVERY)
        finally:
            await beat("done" if over() else "stopped")

    async def host(self) -> Host:
        """How it stands with whoever opened the table."""
        told = await asyncio.to_thread(self._told)
        if told is None:
            return Host()
        silent = _since(told.beat_at)
        return Host(silent, told.state == "stopped" and (silent or 0) > 2 * EVERY)  # a moment: a seat changes hands

    def _told(self) -> Progress | None:
        run = self.log.queries.run_of(self.episode)
        return None if run is None else self.log.queries.progress(run)

    def command(self, code: str) -> str:
        """What to type in the other terminal, wherever it stands."""
        return f"playpen-tui join {code} --db {home_path(self.log.path)}"

    @property
    def resume(self) -> str:
        """What whoever opened the table types to come back."""
        return f"playpen-tui play --resume {self.episode} --db {home_path(self.log.path)}"


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
