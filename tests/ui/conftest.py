"""The app in a terminal of memory, over a real log in a temporary folder, with a scripted model that streams its words.

Tests take the fixture `stage`: keys go in as a terminal driver sends them, what is drawn comes out as text. `bench` is
the real workbench but for one entry of the registry, `scripted`, whose player is the `ScriptedModel` below.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import asynccontextmanager, closing
from random import Random

import pytest
from textual import events
from textual._context import visible_screen_stack
from textual._xterm_parser import XTermParser
from textual.css.query import NoMatches
from textual.pilot import Pilot
from textual.widgets import Input
from textual.worker import Worker, WorkerState

from games.engine import Match, Role
from players.base import Ask, Call, Called, Identity, PlayerError, Queued, Reply, Thinking, Token
from players.registry import ModelEntry
from playpen_tui import workbench
from playpen_tui.app import PlaypenApp
from playpen_tui.sitting import Setup
from playpen_tui.widgets.composer import Line, Options

MODEL = "scripted"


class ScriptedModel:
    """Streams what a bot of the game, or a function, says, `pace` characters at a time.

    `hold` keeps it behind the first piece until it is set, `fail` is raised once instead of a reply.
    """

    assist = True

    def __init__(self, say: Callable[[Ask], str], name: str = MODEL) -> None:
        self.say = say
        self.identity = Identity("model", name)
        self.hold: asyncio.Event | None = None
        self.fail: PlayerError | None = None
        self.pace = 12

    async def speak(self, heard, ask: Ask) -> Reply:
        ask.emit(Queued(ask.role))
        ask.emit(Thinking(ask.role))
        if self.fail is not None:
            error, self.fail = self.fail, None
            raise error
        text, done = self.say(ask), ""
        try:
            for piece in (text[at : at + self.pace] for at in range(0, len(text), self.pace)):
                ask.emit(Token(ask.role, piece))
                done += piece
                if self.hold is not None:
                    await self.hold.wait()
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            ask.emit(Called(ask.role, Call(tuple(heard), done, "cancelled", assisted=True)))
            raise
        call = Call(tuple(heard), text, "stop", tokens_in=40, tokens_out=6, ms=120.0, assisted=True)
        ask.emit(Called(ask.role, call))
        return Reply(text, 120.0, call, assisted=True)


class Bench(workbench.Workbench):
    """The real workbench; the registry entry `scripted` opens a `ScriptedModel`, and no server is looked for."""

    def __init__(self, path) -> None:
        super().__init__(path)
        self.say: Callable[[Ask], str] | None = None
        self.model_name = MODEL
        self.models: list[ScriptedModel] = []
        self.fail: PlayerError | None = None
        self.hold: asyncio.Event | None = None
        self.pace = 12
        self.registry.entries[MODEL] = ModelEntry(MODEL, "openai", MODEL, description="speaks by the book")

    async def _open(self, spec: str, match: Match, role: Role, setup: Setup):
        if spec != MODEL:
            return await super()._open(spec, match, role, setup)
        bot = match.game.bots()["competent"]
        model = ScriptedModel(self.say or (lambda ask: bot(ask.view, Random(ask.seed))), self.model_name)
        model.hold, model.fail, model.pace = self.hold, self.fail, self.pace
        self.models.append(model)
        return model

    async def _discovered(self) -> list[str]:
        return []

    def rows(self, query: str, *values: object) -> list[tuple]:
        """What the log has, read past the program."""
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(query, values).fetchall()


def _holds(true: Callable[[], object]) -> bool:
    """Whether it is so; what a new screen has not composed yet is not."""
    try:
        return bool(true())
    except NoMatches:
        return False


class Stage:
    """One app at a time. `press` and `type` return at once, as a keyboard does; `until` and `sees` wait."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.app: PlaypenApp
        self.pilot: Pilot
        self.faults: list[BaseException] = []

    @asynccontextmanager
    async def open(self, setup: Setup | None = None, size=(120, 36), consent: str | None = "local", picker=False):
        """Run the app. `consent` is what was answered before; None: never asked. A worker that fails fails the test."""
        if consent is not None:
            await self.bench.people.give_consent(consent)
        self.app = PlaypenApp(self.bench, setup, picker=picker)
        self.app.animation_level = "none"
        async with self.app.run_test(size=size, notifications=True, message_hook=self._watch) as self.pilot:
            yield self
        await self.bench.close()
        assert not self.faults, self.faults

    def _watch(self, message) -> None:
        if isinstance(message, Worker.StateChanged) and message.state is WorkerState.ERROR:
            self.faults.append(message.worker.error)

    # keys

    def press(self, *keys: str) -> None:
        """Named keys (`enter`, `escape`, `ctrl+r`, `f2`) or single characters, none waiting for the other."""
        for key in keys:
            if len(key) == 1:
                self.type(key)
            else:
                self._send(events.Key(key, "\r" if key == "enter" else None))

    def type(self, text: str) -> None:
        """Bytes as a terminal sends them: plain text becomes keys, a bracketed paste becomes one event."""
        for event in XTermParser().feed(text):
            self._send(event)

    def paste(self, text: str) -> None:
        """A bracketed paste."""
        self.type(f"\x1b[200~{text}\x1b[201~")

    def _send(self, event) -> None:
        event.set_sender(self.app)
        self.app._driver.send_message(event)

    def line(self, text: str) -> None:
        """Type it and press enter, in one burst."""
        self.type(text)
        self.press("enter")

    async def say(self, text: str) -> None:
        """Type it, press enter, and wait until the match has gone on."""
        before = self.match.ply
        self.line(text)
        await self.until(lambda: self.match.ply > before, f"{text[:60]!r} said")

    # what is there

    @property
    def screen(self):
        return self.app.screen

    @property
    def at(self) -> str:
        """Name of the screen on top."""
        return type(self.screen).__name__

    @property
    def sitting(self):
        return next(screen for screen in reversed(self.app.screen_stack) if hasattr(screen, "sitting")).sitting

    @property
    def match(self) -> Match:
        return self.sitting.match

    @property
    def text(self) -> str:
        """Everything that stands on the screen now, line by line."""
        width, height = self.app.size
        visible_screen_stack.set([])  # a dialog is read alone, whatever was drawn in this task before
        strips = self.screen._compositor.render_strips()
        if self.screen.is_modal:
            self.screen.refresh()  # it keeps what it drew, and a picture has the screen below it as well
        return "\n".join("".join(segment.text for segment in strip)[:width].rstrip() for strip in strips[:height])

    @property
    def words(self) -> str:
        """The same without borders and line breaks: for text that may be wrapped anywhere."""
        return " ".join(re.sub("[\u2500-\u259f]", " ", self.text).split())

    @property
    def draft(self) -> str:
        """What stands in the writing line."""
        return self.screen.query_one(Line).value

    @property
    def notes(self) -> str:
        """What the notifications said so far."""
        return "\n".join(notification.message for notification in self.app._notifications)

    def hint(self) -> str:
        """What the composer says under the line."""
        return str(self.screen.query_one("#problems").render())

    # waiting

    async def until(self, true: Callable[[], object], what: str, seconds: float = 30.0) -> None:
        """Let the app work until something holds."""
        end = time.monotonic() + seconds
        while True:
            await asyncio.sleep(0.02)
            if self.app._exception is not None:
                raise self.app._exception
            if _holds(true):
                await self.pilot.pause(0)  # what follows from it is drawn, too
                return
            if time.monotonic() > end:
                raise AssertionError(f"never happened: {what}; on screen:\n{self.text}\nnotes: {self.notes}")

    async def sees(self, *texts: str) -> None:
        """Wait until all of these stand on the screen, in one line or wrapped."""
        for text in texts:
            await self.until(lambda text=text: text in self.text or text in self.words, f"{text!r} on the screen")

    async def settle(self) -> None:
        """Let everything that was sent be worked off, and what follows from it."""
        for _ in range(3):
            await self.pilot.pause(0.02)

    async def still(self) -> None:
        """For pictures: cursors that do not blink, and are there; under a dialog, the screen below it."""
        lines = list(self.screen.query(Input))
        for line in lines:
            line.cursor_blink = False
        await self.settle()  # a blink that was under way would take the cursor away
        for line in lines:
            line._cursor_visible = True
        self.screen.refresh()  # `text` draws a dialog alone, and what it drew is kept
        await self.settle()

    async def my_turn(self, role: Role | None = None) -> None:
        """Wait until the person at the terminal may write (as `role`)."""

        def writing() -> bool:
            ready = self.at == "PlayScreen" and isinstance(self.screen.focused, Line | Options)
            ready = ready and self.screen.query_one("#composer").display
            return ready and (role is None or self.sitting.waiting_for == role)

        await self.until(writing, f"the turn of {role or 'the person'}")

    async def over(self) -> None:
        """Wait for the end card, and until what came with it is drawn."""
        await self.until(lambda: self.at == "PlayScreen" and self.screen.query("#end.on"), "the end card")
        await self.settle()

    async def to(self, screen: str) -> None:
        """Wait for a screen."""
        await self.until(lambda: self.at == screen, f"the screen {screen}")

    # playing

    def good(self) -> dict[str, str]:
        """What the game's competent bot would say in the place of the person whose turn it is, as fields."""
        match = self.match
        bot = match.game.bots()["competent"]
        return match.view(match.turn).read(bot(match.view(match.turn), Random(1)))


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """A home of its own, UTC, no servers, and no built-in model, whether or not one is installed."""
    for name in ("CONFIG", "DATA", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("PLAYPEN_DB", "PLAYPEN_GAMES", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OLLAMA_HOST", "VLLM_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("players.backends.discovery.PORTS", {"ollama": 1})
    monkeypatch.setattr(workbench, "built_in_ready", lambda: False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.fixture
def bench(calm, tmp_path):
    made = Bench(tmp_path / "episodes.sqlite")
    yield made
    asyncio.run(made.close())


@pytest.fixture
def stage(bench) -> Stage:
    return Stage(bench)


@pytest.fixture
def taboo():
    """Taboo on a frozen instance, the person describing (target: library) or guessing."""

    def make(role: str = "describer", partner: str = MODEL, **more) -> Setup:
        other = {"describer": "guesser", "guesser": "describer"}[role]
        seats = {role: "human", other: partner}
        return Setup("taboo", {r: seats[r] for r in ("describer", "guesser")}, instance="high-en-004", seed=1, **more)

    return make
