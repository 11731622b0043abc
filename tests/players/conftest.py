"""A home without keys or servers, an ear for events, and a game small enough to see through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import ClassVar

import pytest

from games.boards import Board, Card
from games.engine import Bot, Game, Illegal, Instance, Match, Role, Say, State, View
from games.shapes import Literal, Seq, Shape, Text
from players.base import Ask, Call, Called, Event


@pytest.fixture(autouse=True)
def _own_config(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the user's registry, keys, weights or servers."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("HF_HUB_CACHE", str(home / "hub"))
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OLLAMA_HOST", "VLLM_API_KEY"):
        monkeypatch.delenv(name, raising=False)


class Heard(list[Event]):
    """An `emit` that keeps what it heard."""

    def __call__(self, event: Event) -> None:
        self.append(event)

    @property
    def calls(self) -> list[Call]:
        """The requests that ended."""
        return [event.call for event in self if isinstance(event, Called)]

    def names(self) -> list[str]:
        """The kinds of events, in order."""
        return [type(event).__name__ for event in self]


@pytest.fixture
def heard() -> Heard:
    """An ear for events."""
    return Heard()


class EchoInstance(Instance):
    """A word to pass on."""

    word: str = "salt"

    @property
    def key(self) -> str:
        return f"echo:{self.word}"


class EchoState(State):
    """How many words were passed on."""

    said: int = 0


class Echo(Game[EchoInstance, EchoState]):
    """Two seats take turns; whoever says `SAY: ...` passes a word on, and four of them make success."""

    name = "echo"
    title = "Echo"
    roles = ("first", "second")
    strikes: ClassVar = {}
    instance_type = EchoInstance
    state_type = EchoState

    def start(self, instance: EchoInstance, rng: Random) -> tuple[EchoState, Sequence[Say]]:
        briefs = [Say(role, f"You are {role}.", kind="brief") for role in self.roles]
        return EchoState(instance=instance, turn="first"), briefs

    def play(self, state: EchoState, text: str, rng: Random) -> tuple[EchoState, Sequence[Say]]:
        if not text.startswith("SAY: "):
            raise Illegal("start with SAY:")
        other = "second" if state.turn == "first" else "first"
        after = state.to(turn=other, said=state.said + 1)
        if after.said == 4:
            return after.end("success", "passed"), []
        return after, [Say(other, text[5:], by=state.turn or "", kind="relay")]

    def board(self, state: EchoState, role: Role | None) -> Board:
        return Board(f"{state.said} of 4", (Card("word", state.instance.word),))

    def instances(self, language: str) -> Sequence[EchoInstance]:
        return [EchoInstance(name="echo-1", experiment="only")]

    def bots(self) -> Mapping[str, Bot]:
        def competent(view: View, rng: Random) -> str:
            return f"SAY: {view.ply}"

        def random(view: View, rng: Random) -> str:
            return f"SAY: {rng.randrange(10**9)}"

        return {"random": random, "competent": competent}

    def shape(self, state: EchoState) -> Shape | None:
        return Seq((Literal("SAY: "), Text("text")))


class Bare(Echo):
    """The same without a shape."""

    name = "bare"

    def shape(self, state: EchoState) -> Shape | None:
        return None


@pytest.fixture
def echo() -> Echo:
    """The small game."""
    return Echo()


@pytest.fixture
def match(echo: Echo) -> Match:
    """A match of it."""
    return Match.new(echo, echo.instances("en")[0], seed=5)


@pytest.fixture
def ask(match: Match, heard: Heard) -> Ask:
    """The first seat is asked."""
    return Ask(match.view("first"), seed=7, emit=heard)


@pytest.fixture
def bare_ask(heard: Heard) -> Ask:
    """The first seat of a game without shapes is asked."""
    game = Bare()
    return Ask(Match.new(game, game.instances("en")[0]).view("first"), seed=7, emit=heard)
