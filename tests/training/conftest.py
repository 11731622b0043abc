"""The tiny model of `tiny.py`, a log to train it from, trainings written down and not yet started; a log of every
shipped game played by bots, and a tokenizer of bytes, ChatML around."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from games import catalog
from games.engine import Match
from players.driver import drive
from players.scripted import BotPlayer
from store.filters import Filters
from store.log import Log
from training import launch

HERE = str(Path(__file__).parent)
if HERE not in sys.path:
    sys.path.insert(0, HERE)  # test folders are no packages

from loopback_hub import hub  # noqa: E402, F401
from tiny import laid, make_tiny  # noqa: E402

START, END = 256, 257


class Bytes:
    """Every byte a token; two more begin and end a turn."""

    eos_token_id = pad_token_id = END

    def apply_chat_template(self, messages, *, add_generation_prompt, tokenize, return_dict):
        ids: list[int] = []
        for one in messages:
            ids += [START, *f"{one['role']}\n{one['content']}".encode(), END, *b"\n"]
        return ids + ([START, *b"assistant\n"] if add_generation_prompt else [])


@pytest.fixture
def tokenizer():
    return Bytes()


async def _play_all(log, names, many):
    for name in names:
        game = catalog.get(name)
        for instance in catalog.instances(game, split="train")[:many]:
            for seed, bot in ((1, "competent"), (2, "random"), (3, "random")):
                seats = {role: BotPlayer(game, f"bot:{bot}", game.bots()[bot]) for role in game.roles}
                await drive(Match.new(game, instance, seed), seats, log.recorder)


@pytest.fixture(scope="session")
def games_path(tmp_path_factory):
    """A log of all shipped games: competent bots win, random ones break rules, go against feedback and lose."""
    path = tmp_path_factory.mktemp("games") / "e.sqlite"
    with Log.open(path) as log:
        asyncio.run(_play_all(log, catalog.names(), 4))
    return path


@pytest.fixture
def games_log(games_path):
    with Log.open(games_path) as log:
        yield log


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """The folder of the tiny model."""
    return make_tiny(tmp_path_factory.mktemp("tiny") / "model")


async def _play(path):
    game = catalog.get("taboo")
    async with Log.open(path) as log:
        for instance in catalog.instances(game, split="train")[:16]:
            bots = {role: BotPlayer(game, "competent", game.bots()["competent"]) for role in game.roles}
            await drive(Match.new(game, instance, 1), bots, log.recorder)


@pytest.fixture
def played(tmp_path):
    """A log of sixteen matches of Taboo between bots: 32 rows for sft."""
    path = tmp_path / "episodes.sqlite"
    asyncio.run(_play(path))
    return path


@pytest.fixture
def begin(played, tiny_model, tmp_path, monkeypatch):
    """Write a training down as `launch.begin` does; its process is not started."""
    started = []
    monkeypatch.setattr(launch, "start", started.append)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    def make(recipe=None, *, name="bars", out=None, adapter="", model=None, log=None):
        folder = out or tmp_path / name
        base = launch.Base("tiny", model or tiny_model, str(adapter))
        with Log.open(log or played) as opened:
            launch.begin(opened, recipe or laid(), Filters(splits=("train",)), base, name, folder)
        return folder

    return make
