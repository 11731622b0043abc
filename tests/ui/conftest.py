"""A real workbench over a log in a temporary folder, with a scripted model that streams its words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

import pytest
from textual.pilot import Pilot

from games.engine import Match, Role
from players.base import Ask, Call, Called, Identity, PlayerError, Queued, Reply, Thinking, Token
from playpen_tui.app import PlaypenApp
from playpen_tui.sitting import Setup
from playpen_tui.workbench import Workbench

MODEL = "scripted"


class ScriptedModel:
    """Streams what a bot of the game, or a function, says. `hold` keeps it thinking until released."""

    assist = True

    def __init__(self, say: Callable[[Ask], str]) -> None:
        self.say = say
        self.identity = Identity("model", MODEL)
        self.hold: asyncio.Event | None = None
        self.fail: PlayerError | None = None
        self.asked = 0

    async def speak(self, heard, ask: Ask) -> Reply:
        self.asked += 1
        ask.emit(Queued(ask.role))
        ask.emit(Thinking(ask.role))
        text = self.say(ask)
        done = ""
        try:
            if self.fail is not None:
                error, self.fail = self.fail, None
                raise error
            for piece in (text[:7], text[7:]):
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


class Bench(Workbench):
    """The real thing, but for one seat: the spec `bot:random` opens the scripted model."""

    def __init__(self, path) -> None:
        super().__init__(path)
        self.say: Callable[[Ask], str] | None = None
        self.models: list[ScriptedModel] = []
        self.held: asyncio.Event | None = None

    async def _open(self, spec: str, match: Match, role: Role, setup: Setup):
        if spec != "bot:random":
            return await super()._open(spec, match, role, setup)
        bot = match.game.bots()["competent"]
        model = ScriptedModel(self.say or (lambda ask: bot(ask.view, Random(ask.seed))))
        model.hold = self.held
        self.models.append(model)
        return model

    async def _discovered(self) -> list[str]:
        return []


@pytest.fixture(autouse=True)
def _calm(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """No animation, no settings of the person who runs the tests, one time zone."""
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.setenv("TZ", "UTC")
    for name in ("CONFIG", "DATA", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.delenv("PLAYPEN_DB", raising=False)
    monkeypatch.delenv("PLAYPEN_GAMES", raising=False)


@pytest.fixture
def bench(tmp_path) -> Bench:
    return Bench(tmp_path / "episodes.sqlite")


async def until(pilot: Pilot, true: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    """Let the app work until something holds."""
    for _ in range(int(seconds / 0.02)):
        await pilot.pause()
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"never happened: {what}; on screen: {screen_text(pilot.app)}")


def screen_text(app: PlaypenApp) -> str:
    """Everything that stands on the screen now, line by line."""
    width, height = app.size
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip)[:width].rstrip() for strip in lines[:height])
