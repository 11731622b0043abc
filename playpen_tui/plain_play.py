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
from dataclasses import replace
from pathlib import Path

from games.boards import Field
from games.engine import Match
from players.base import Event, Failed, PlayerError, Thinking
from playpen_tui.plain_board import lines as board_lines
from playpen_tui.plain_text import clean, plain
from playpen_tui.sitting import Setup, Sitting
from playpen_tui.transcript import entries
from playpen_tui.workbench import Answer, Workbench, question

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

    async def line(self) -> str | None:
        """The next line, or None at the end of the input."""
        return await self._queue.get()


class _Ended(Exception):
    """The input ended before the game did."""


async def play_plain(db: Path | None, setup: Setup, out: Callable[[str], None] | None = None) -> int:
    """Play in lines; returns the exit code."""
    say = out or (lambda text: print(clean(text, None), flush=True))
    async with Workbench(db) as bench:
        setup = await bench.complete(setup)
        keyboard = Keyboard()
        if setup.has_people and setup.record and sys.stdin.isatty() and await bench.needs_consent(setup):
            answer = await _consent(keyboard, say, setup.language)
            if answer == "none":
                setup = replace(setup, record=False)
            else:
                await bench.give_consent(answer, setup)
        sitting = await bench.deal(setup)
        for notice in bench.new_notices():
            print(f"playpen-tui: {notice}", file=sys.stderr)
        try:
            await _Lines(sitting, keyboard, say).play()
        except PlayerError as error:
            print(f"playpen-tui: {error.message}", file=sys.stderr)
            _go_on(sitting, bench)
            return 1
        except _Ended:
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


class _Lines:
    """Prints what is new after every turn, and asks the person whose turn it is."""

    def __init__(self, sitting: Sitting, keyboard: Keyboard, say: Callable[[str], None]) -> None:
        self.sitting = sitting
        self.keyboard = keyboard
        self.say = say
        self._printed: set[int] = set()
        self._turn = asyncio.Event()
        self._eyes: str | None = sitting.viewer()
        self._closed = False

    async def play(self) -> None:
        match = self.sitting.match
        self.say(f"{match.game.title}, {match.instance.experiment.replace('_', ' ')}")
        here = self.sitting.sitters()
        for role, player in self.sitting.players.items():
            assisted = ", assisted" if getattr(player, "assist", False) else ""
            self.say(f"{role}: {plain(here[role] if self.sitting.elsewhere(role) else player.identity.name)}{assisted}")
        driver = asyncio.create_task(self.sitting.play(self._hear, self._advanced))
        asker = asyncio.create_task(self._ask_people())
        porter = asyncio.create_task(self._say_who_is_there())
        try:
            done, _ = await asyncio.wait({driver, asker}, return_when=asyncio.FIRST_COMPLETED)
            if asker in done and asker.exception() is not None:
                raise asker.exception() or _Ended
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
        self._new_entries()
        if self.sitting.unsaid:
            self.say(f"not sent, since another terminal spoke first: {plain(self.sitting.unsaid)}")
            self.sitting.unsaid = ""
        if self.sitting.setup.join and not self.sitting.humans and not self._closed:
            self._closed = True
            self.say("-- your seat was given to another player; you can still follow the game")
        self._turn.set()

    def _new_entries(self) -> None:
        match = self.sitting.match
        names = self.sitting.names()
        for entry in entries(match, None if match.over else self._eyes):
            if entry.ply in self._printed:
                continue
            self._printed.add(entry.ply)
            extra = f" ({plain(entry.extra)})" if entry.extra else ""
            self.say(f"{names[entry.role]}: {plain(entry.text)}{extra}")
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
                await self._answer()
            await self._turn.wait()

    async def _answer(self) -> None:
        """Read until something can be said; another terminal may speak for this seat meanwhile."""
        ply = self.sitting.match.ply
        while True:
            answers = {field.name: await self._field(field) for field in self.sitting.fields() if not field.optional}
            for field in self.sitting.fields():
                answers.setdefault(field.name, "")
            if self.sitting.match.ply != ply or self.sitting.waiting_for is None:
                words = " ".join(text for text in answers.values() if text)
                self.say(f"not sent, since another terminal spoke first: {plain(words)}")
                return
            problems = self.sitting.say(answers)
            if not problems:
                return
            for problem in problems:
                self.say(f"not sent: {plain(problem)}")

    async def _field(self, field: Field) -> str:
        options = f" ({', '.join(f'{n} {o}' for n, o in enumerate(field.options, 1))})" if field.options else ""
        self.say(f"{field.label}{options}:")
        while True:
            line = await self.keyboard.line()
            if line is None:
                raise _Ended
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
