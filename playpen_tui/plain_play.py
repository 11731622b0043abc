"""The same game in lines: for screen readers, pipes and terminals without a cursor.

Asks on stdout, reads one line for each field, says what is wrong before anything is sent. Where the input ends early
the episode stays unfinished and the exit code is 1; without a terminal nothing is asked about consent.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from games.boards import Field
from games.engine import Match
from players.base import Event, Failed, PlayerError, Thinking
from playpen_tui.loading import told
from playpen_tui.persons import Answer, question
from playpen_tui.plain_board import lines as board_lines
from playpen_tui.plain_text import clean, plain
from playpen_tui.sitting import Setup, Sitting
from playpen_tui.transcript import entries
from playpen_tui.workbench import Workbench

LOOK = 1.0
"""Seconds between two looks at who is there."""
WORDS = {"success": "won", "failure": "lost", "aborted": "aborted", "draw": "draw"}


class Keyboard:
    """Lines of standard input, read by a thread of their own so that a model can answer meanwhile.

    Reads the file descriptor itself: a thread that sleeps inside `sys.stdin` would hold its lock at exit.
    """

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, daemon=True, name="keyboard").start()

    def _read(self) -> None:
        rest = b""
        while True:
            try:
                chunk = os.read(self._descriptor, 65536)
            except OSError:
                chunk = b""
            *whole, rest = (rest + chunk).split(b"\n")
            found = [*whole, *([rest] if not chunk and rest else [])]
            try:
                for line in found:
                    text = line.decode("utf-8", "replace").rstrip("\r")
                    self._loop.call_soon_threadsafe(self._queue.put_nowait, text)
                if not chunk:
                    self._loop.call_soon_threadsafe(self._queue.put_nowait, None)
                    return
            except RuntimeError:  # the game is over and its loop closed: nobody listens any more
                return

    def forget(self) -> None:
        """Drop the lines that nobody asked for; the end of the input stays."""
        ended = False
        while not self._queue.empty():
            ended = self._queue.get_nowait() is None or ended
        if ended:
            self._queue.put_nowait(None)

    async def line(self) -> str | None:
        """The next line, or None at the end of the input."""
        return await self._queue.get()


class _Moved(Exception):
    """Another terminal spoke for this seat, or the seat was given away, while somebody was asked here."""


class Ended(Exception):
    """The input ended before the game did."""


async def play_plain(db: Path | None, setup: Setup, out: Callable[[str], None] | None = None) -> int:
    """Play in lines; returns the exit code."""
    say = out or (lambda text: print(clean(text, None), flush=True))
    async with Workbench(db) as bench:
        setup = await bench.complete(setup)
        keyboard = Keyboard()
        if setup.has_people and setup.record and sys.stdin.isatty() and await bench.people.needs_consent(setup):
            answer = await _consent(keyboard, say, setup.language)
            if answer == "none":
                setup = replace(setup, record=False)
            else:
                await bench.people.give_consent(answer, setup)
        sitting = await told(bench, bench.deal(setup), lambda text: print(f"playpen-tui: {text}", file=sys.stderr))
        for notice in bench.new_notices():
            print(f"playpen-tui: {notice}", file=sys.stderr)
        try:
            await Lines(sitting, keyboard, say).play()
        except PlayerError as error:
            print(f"playpen-tui: {error.message}", file=sys.stderr)
            _go_on(sitting, bench)
            return 1
        except Ended:
            print("playpen-tui: the input ended before the game did", file=sys.stderr)
            _go_on(sitting, bench)
            return 1
    return 0


def _go_on(sitting: Sitting, bench: Workbench) -> None:
    if sitting.episode:
        print(clean(f"go on with: {sitting.command(bench.named_db)} --plain", None), file=sys.stderr)


async def _consent(keyboard: Keyboard, say: Callable[[str], None], language: str) -> Answer:
    text, answers = question(language)
    say(text)
    for number, (_, label) in enumerate(answers, 1):
        say(f"  {number}  {label}")
    while True:
        say(f"your answer, 1 to {len(answers)} [1]:")
        line = await keyboard.line()
        if line is None:
            return answers[0][0]
        text = line.strip() or "1"
        if text.isdigit() and 1 <= int(text) <= len(answers):
            return answers[int(text) - 1][0]


class Lines:
    """Prints what is new after every turn, and asks the person whose turn it is."""

    def __init__(self, sitting: Sitting, keyboard: Keyboard, say: Callable[[str], None]) -> None:
        self.sitting = sitting
        self.keyboard = keyboard
        self.say = say
        self._printed: set[int] = set()
        self._turn = asyncio.Event()
        self._eyes: str | None = sitting.viewer()
        self._moved = asyncio.Event()
        self._stood = False
        self._doubled = False

    async def play(self) -> None:
        """Play to the end. Raises PlayerError, and Ended where the input ends first."""
        match = self.sitting.match
        self.say(f"{match.game.title}, {match.instance.experiment.replace('_', ' ')}")
        here = self.sitting.sitters()
        for role, player in self.sitting.players.items():
            assisted = ", assisted" if getattr(player, "assist", False) else ""
            self.say(f"{role}: {plain(here[role] if self.sitting.elsewhere(role) else player.identity.name)}{assisted}")
        self._new_entries()  # what was said before the game was resumed or joined
        driver = asyncio.create_task(self.sitting.play(self._hear, self._advanced))
        asker = asyncio.create_task(self._ask_people())
        porter = asyncio.create_task(self._say_who_is_there())
        try:
            done, _ = await asyncio.wait({driver, asker}, return_when=asyncio.FIRST_COMPLETED)
            if asker in done and asker.exception() is not None:
                raise asker.exception() or Ended
            await driver
            if porter.done():
                porter.result()
        finally:
            for task in (driver, asker, porter):
                task.cancel()
            await asyncio.gather(driver, asker, porter, return_exceptions=True)
        self._new_entries()
        self._board()
        self._verdict()

    async def _say_who_is_there(self) -> None:
        """Say how open seats are taken, and whenever somebody comes or is gone."""
        shared = self.sitting.shared
        known: dict[str, bool] = {}
        gone = ""
        while shared is not None and self.sitting.setup.join:
            host = await shared.host()
            if bool(host.words) != bool(gone):
                gone = host.words
                self.say(f"-- {gone}: {shared.resume}" if gone else "-- whoever opened this table is back")
            await asyncio.sleep(LOOK)
        while shared is not None and self.sitting.open_seats:
            for seat in await shared.seats():
                if known.get(seat.code) != seat.there:
                    known[seat.code] = seat.there
                    how = "" if seat.there else f"; in another terminal: {shared.command(seat.code)}"
                    self.say(f"-- {plain(seat.words)}{how}")
            await asyncio.sleep(LOOK)

    def _hear(self, event: Event) -> None:
        if self.sitting.elsewhere(event.role):
            return
        if isinstance(event, Thinking) and event.note:
            self.say(f"({event.role}: {plain(event.note)})")
        elif isinstance(event, Failed):
            self.say(f"({event.role}: no reply)")

    def _advanced(self, match: Match) -> None:
        sitting = self.sitting
        if sitting.closed != self._stood:
            self._stood = sitting.closed
            told = "your seat was given to another player; you look on" if sitting.closed else "the seat is yours again"
            self.say(f"-- {told}")
            if not sitting.closed and sys.stdin.isatty():
                self.keyboard.forget()
        if sitting.doubled != self._doubled:
            self._doubled = sitting.doubled
            too = "was joined from another terminal, too: what is said first counts"
            self.say(f"-- your seat {too if self._doubled else 'is yours alone again'}")
        if sitting.unsaid:
            self._not_sent(sitting.unsaid)
            sitting.unsaid = ""
        self._new_entries()
        self._moved.set()
        self._turn.set()

    def _not_sent(self, words: str) -> None:
        why = "your seat was given away" if self.sitting.closed else "another terminal spoke first"
        self.say(f"not sent, since {why}: {plain(words)}")

    def _new_entries(self) -> None:
        match = self.sitting.match
        names = self.sitting.names()
        for entry in entries(match, None if match.over else self._eyes, self.sitting.speakers):
            if entry.ply in self._printed:
                continue
            self._printed.add(entry.ply)
            extra = f" ({plain(entry.extra)})" if entry.extra else ""
            self.say(f"{plain(entry.who or names[entry.role])}: {plain(entry.text)}{extra}")
            if entry.broken:
                self.say(f"  not accepted: {plain(entry.broken)}")

    def _board(self) -> None:
        match = self.sitting.match
        board = match.game.board(match.state, None if match.over else self._eyes)
        if board.status:
            self.say(f"-- {board.status}")
        for line in board_lines(board):
            self.say(line)

    async def _ask_people(self) -> None:
        while not self.sitting.match.over:
            self._turn.clear()
            role = self.sitting.waiting_for
            if role is not None:
                if len(self.sitting.humans) > 1 and role != self._eyes:
                    self.say(f"-- hand over to the {role}")
                self._eyes = role
                self._board()
                with suppress(_Moved):
                    await self._answer()
            await self._turn.wait()

    async def _answer(self) -> None:
        """Read until something can be said. Raises _Moved where another terminal speaks for this seat meanwhile."""
        ply = self.sitting.match.ply
        while True:
            fields = self.sitting.fields()
            answers: dict[str, str] = {}
            for field in fields:
                answers[field.name] = "" if field.optional else await self._field(field, ply)
            problems = self.sitting.say(answers)
            if not problems:
                return
            for problem in problems:
                self.say(f"not sent: {plain(problem)}")

    async def _line(self, ply: int) -> str | None:
        """The next line of the input, while the seat is asked for this ply. Raises _Moved."""
        reading = asyncio.ensure_future(self.keyboard.line())
        moved = asyncio.ensure_future(self._moved.wait())
        try:
            while True:
                await asyncio.wait((reading, moved), return_when=asyncio.FIRST_COMPLETED)
                if self.sitting.match.ply != ply or self.sitting.waiting_for is None:
                    if reading.done() and reading.result():
                        self._not_sent(reading.result() or "")
                    raise _Moved
                if reading.done():
                    return reading.result()
                self._moved.clear()
                moved = asyncio.ensure_future(self._moved.wait())
        finally:
            for task in (reading, moved):
                task.cancel()

    async def _field(self, field: Field, ply: int) -> str:
        options = f" ({', '.join(f'{n} {o}' for n, o in enumerate(field.options, 1))})" if field.options else ""
        self.say(f"{field.label}{options}:")
        while True:
            line = await self._line(ply)
            if line is None:
                raise Ended
            text = line.strip()
            if field.options and text.isdigit() and 1 <= int(text) <= len(field.options):
                return field.options[int(text) - 1]
            if text:
                return text

    def _verdict(self) -> None:
        match = self.sitting.match
        scores = match.scores()
        worth = "no score" if scores.main is None else f"score {scores.main:.4g} of 100"
        outcome = WORDS.get(match.state.outcome or "", "unfinished")
        self.say(f"-- {outcome}: {plain(match.game.verdict(match))}; {worth}")
