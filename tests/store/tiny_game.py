"""A game as small as the log's tests need: relays, feedback, luck, strikes, secrets of one seat, rewards per role.

The asker says anything, the teller answers. `!` is against the protocol, `win` and `lose` end it, three rounds draw.
"""

from __future__ import annotations

from random import Random
from typing import ClassVar

from games.boards import Board
from games.engine import Game, Illegal, Instance, Match, Message, Say, Scores, State, Strikes
from players.base import Ask, Call, Called, Identity, PlayerError, Reply


class Riddle(Instance):
    answer: str = "moon"

    @property
    def key(self):
        return f"tiny:{self.language}:{self.answer}"


class Table(State):
    instance: Riddle


class Tiny(Game[Riddle, Table]):
    name = "tiny"
    title = "Tiny"
    roles = ("asker", "teller")
    strikes: ClassVar = {"format": Strikes(1)}
    instance_type = Riddle
    state_type = Table

    def start(self, instance, rng):
        return Table(instance=instance, turn="asker"), [
            Say("asker", "Ask.", kind="brief"),
            Say("teller", f"It is {instance.answer}.", kind="brief"),
        ]

    def play(self, state, text, rng):
        if text.startswith("!"):
            raise Illegal("no shouting")
        if text == "win":
            return state.end("success", "said", rewards={"asker": 1.0, "teller": 0.25}, winners=("asker",)), [
                Say("teller", "It is over.", kind="result")
            ]
        if text == "lose":
            return state.end("failure", "said"), ()
        other = "teller" if state.turn == "asker" else "asker"
        says = [Say(other, text, by=state.turn, kind="relay"), Say(other, f"dice: {rng.randrange(1000)}")]
        if state.turn == "teller" and state.round == 3:
            return state.end("draw", "rounds"), says
        return state.to(turn=other, round=state.round + (state.turn == "teller")), says

    def board(self, state, role):
        return Board(f"round {state.round}")

    def instances(self, language):
        return [Riddle(name=f"riddle-{n}", experiment="easy", answer=word) for n, word in enumerate(("moon", "sun"))]

    def bots(self):
        return {}

    def scores(self, match):
        main = {"success": 100.0, "failure": 0.0, "draw": 50.0}.get(match.state.outcome)
        return Scores(main, {match.ply - 1: 1.0}, {"plies": float(match.ply), "odd": float("nan")})


class Louder(Tiny):
    """The same game after a change of rules that forgot to raise the version."""

    def play(self, state, text, rng: Random):
        after, says = super().play(state, text, rng)
        return after, [say._replace(text=say.text.upper()) for say in says]


def riddle(name="riddle-0", **changes):
    return Riddle(name=name, experiment="easy", **changes)


def new_match(seed=7, **changes):
    return Match.new(Tiny(), riddle(**changes), seed)


def train(game, instance):
    """A split that asks no catalog."""
    return "train"


class Script:
    """A player that says its lines in order, then fails."""

    def __init__(self, *lines, name="script", kind="bot", person="", calls=False, assisted=False):
        self.identity = Identity(kind, name, person=person)
        self.lines = list(lines)
        self.calls = calls
        self.assisted = assisted

    async def speak(self, heard, ask: Ask):
        if not self.lines:
            raise PlayerError("gone", "no more lines")
        text = self.lines.pop(0)
        call = None
        if self.calls:
            prompt = (Message("system", "You play."), *heard)
            refused = Call(prompt, "nonsense", "refused_by_check", tokens_out=2)
            ask.emit(Called(ask.role, refused))
            call = Call(
                prompt,
                text,
                "stop",
                12,
                3,
                40.0,
                10.0,
                {"temperature": 0.5},
                token_ids=(1, 70000),
                logprobs=(-0.5, -1.0),
            )
            ask.emit(Called(ask.role, call))
        return Reply(text, 1.5, call, self.assisted)
