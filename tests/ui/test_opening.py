"""While weights load: a word that says so, a way out of it, and nothing in the way of what comes after."""

from __future__ import annotations

import asyncio

import pytest

from players.base import PlayerError
from players.scripted import BotPlayer
from playpen_tui.messages import Look, Sit
from playpen_tui.selfplay import Plan, Wish
from playpen_tui.sitting import Setup
from playpen_tui.watching import Watch

NAME = "transformers:/weights/of/mine.gguf"


class Heavy:
    """A model that is not there before it is let go."""

    def __init__(self, monkeypatch):
        self.go = asyncio.Event()
        self.error: Exception | None = None
        self.given_up = False
        real = BotPlayer

        async def load(spec, registry, assist, pool):
            from games import catalog

            try:
                await self.go.wait()
            except asyncio.CancelledError:
                self.given_up = True
                raise
            if self.error is not None:
                raise self.error
            game = catalog.get("taboo")
            return real(game, "competent", game.bots()["competent"])

        monkeypatch.setattr("players.opening._model", load)
        monkeypatch.setattr("playpen_tui.app.PATIENCE", 0.05)


@pytest.fixture
def heavy(monkeypatch):
    return Heavy(monkeypatch)


def run() -> Look:
    return Look(Watch(wish=Wish(Plan(("taboo",), (NAME,), episodes=2))))


async def test_a_run_says_what_it_loads_and_begins_when_it_is_there(stage, heavy):
    async with stage.open(size=(80, 24)):
        stage.app.post_message(run())
        await stage.to("Opening")
        await stage.sees("Self-play of taboo", "loading transformers:mine.gguf … ", "esc stop")
        heavy.go.set()
        await stage.to("SpectateScreen")
        await stage.sees("2 of 2 done")
        stage.press("escape")
        await stage.to("HomeScreen")


async def test_loading_is_given_up_and_nothing_goes_on(stage, heavy):
    async with stage.open():
        stage.app.post_message(run())
        await stage.to("Opening")
        stage.press("escape")
        await stage.to("HomeScreen")
        await stage.until(lambda: heavy.given_up, "the model is told")
        assert stage.app.live is None and stage.bench.rows("SELECT count(*) FROM episodes") == [(0,)]


async def test_what_cannot_be_loaded_is_said_over_home(stage, heavy):
    async with stage.open():
        stage.app.post_message(run())
        await stage.to("Opening")
        heavy.error = PlayerError("gone", "its weights are torn")
        heavy.go.set()
        await stage.to("HomeScreen")
        await stage.sees("its weights are torn")


async def test_help_over_it_does_not_hold_a_game_up(stage, heavy):
    async with stage.open():
        stage.app.post_message(Sit(Setup("taboo", {"describer": "human", "guesser": NAME}, record=False)))
        await stage.to("Opening")
        await stage.sees("Taboo, describer with", "loading")
        stage.press("f1")
        await stage.to("TextDialog")
        await stage.sees("Stop what is being opened")
        heavy.go.set()
        await stage.to("PlayScreen")
