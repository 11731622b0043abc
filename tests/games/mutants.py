"""A tiny game that conforms, and for every check of the kit a mutant of it with exactly that fault.

In the game a keeper sees a number and says whether it is bigger or smaller than the last guess; a seeker guesses.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, ClassVar

import pydantic

from games.boards import Board, Card, Field, Lines
from games.engine import Bot, Game, Illegal, Instance, Match, Message, Role, Say, Scores, State, Strikes, View
from games.shapes import Choice, Literal, Seq, Shape, Text

ROUNDS = 8
WORDS = {
    "en": ("The number is $n. Say where it lies, as in Hint: bigger", "Find a number of two digits, as in Guess: 55"),
    "de": ("Die Zahl ist $n. Sag, wo sie liegt, etwa Hint: bigger", "Finde eine Zahl mit zwei Ziffern: Guess: 55"),
}
FORM = {"keeper": re.compile(r"Hint: ([^\n]{1,80})"), "seeker": re.compile(r"Guess: ([1-9][0-9])", re.ASCII)}


class Number(Instance):
    number: int

    @property
    def key(self) -> str:
        return f"hunt:{self.number}"


class Position(State):
    instance: Number
    guesses: list[int] = pydantic.Field(default_factory=list)


class Hunt(Game[Number, Position]):
    """The game that conforms."""

    name = "hunt"
    title = "Hunt"
    summary = "Find a number of two digits."
    roles = ("keeper", "seeker")
    languages = ("en", "de")
    strikes: ClassVar[Mapping[str, Strikes]] = {"format": Strikes(1, "role")}
    instance_type = Number
    state_type = Position

    def start(self, instance: Number, rng: Random) -> tuple[Position, Sequence[Say]]:
        to_keeper, to_seeker = WORDS[instance.language]
        says = (
            Say("keeper", to_keeper.replace("$n", str(instance.number)), kind="brief"),
            Say("seeker", to_seeker, kind="brief"),
        )
        return Position(instance=instance, turn="keeper"), says

    def play(self, state: Position, text: str, rng: Random) -> tuple[Position, Sequence[Say]]:
        role = state.turn or ""
        fields = self.read(state, role, text)
        if fields is None:
            raise Illegal(f"A {role} does not talk like that.")
        if role == "keeper":
            return state.to(turn="seeker"), (Say("seeker", text.strip(), "keeper", "relay"),)
        guess = int(fields["guess"])
        after = state.to(guesses=[*state.guesses, guess], round=state.round + 1, turn="keeper")
        if guess == state.instance.number:
            return after.end("success", "found"), ()
        if state.round == ROUNDS:
            return after.end("failure", "rounds"), ()
        tone = rng.choice(("Sadly", "Alas"))
        return after, (Say("seeker", f"{tone} not."), Say("keeper", text.strip(), "seeker", "relay"))

    def board(self, state: Position, role: Role | None) -> Board:
        guesses = Lines("guesses", tuple(str(guess) for guess in state.guesses))
        number = Card("number", str(state.instance.number), private=True)
        return Board(f"round {state.round}", (guesses,) if role == "seeker" else (number, guesses))

    def fields(self, state: Position) -> tuple[Field, ...]:
        if state.turn == "keeper":
            return (Field("hint", "hint"),)
        return (Field("guess", "guess", options=tuple(str(n) for n in range(10, 100))),)

    def compose(self, state: Position, role: Role, fields: Mapping[str, str]) -> str:
        return f"Hint: {fields['hint']}" if role == "keeper" else f"Guess: {fields['guess']}"

    def read(self, state: Position, role: Role, text: str) -> dict[str, str] | None:
        found = FORM[role].fullmatch(text.strip())
        return {"hint" if role == "keeper" else "guess": found[1]} if found and found[1].strip() else None

    def shape(self, state: Position) -> Shape | None:
        if state.turn == "keeper":
            return Seq((Literal("Hint: "), Text("hint", 1, 80, letters=True)))
        return Seq((Literal("Guess: "), Choice(tuple(str(n) for n in range(10, 100)), "guess")))

    def examples(self, state: Position) -> tuple[Message, ...]:
        if state.turn == "keeper":
            return ()
        return Message("user", "Hint: smaller"), Message("assistant", "Guess: 55")

    def instances(self, language: str) -> Sequence[Number]:
        if language not in self.languages:
            return []
        order = [n for n in range(10, 100) if n != 55]
        Random("hunt").shuffle(order)
        return [
            Number(name=f"{language}-{i:03d}", experiment="low" if n < 50 else "high", language=language, number=n)
            for i, n in enumerate(order)
        ]

    def benchmark(self, language: str) -> Sequence[Number]:
        return self.instances(language)[:20]

    def secrets(self, instance: Number) -> Mapping[Role, tuple[str, ...]]:
        return {"seeker": (str(instance.number),)}

    def bots(self) -> Mapping[str, Bot]:
        return {"random": chance, "competent": clever}


def chance(view: View, rng: Random) -> str:
    return f"Hint: {rng.choice('abc')}" if view.role == "keeper" else f"Guess: {rng.randint(10, 99)}"


def clever(view: View, rng: Random) -> str:
    if view.role == "keeper":
        card, guesses = view.board.panels
        assert isinstance(card, Card) and isinstance(guesses, Lines)
        last = int(guesses.lines[-1]) if guesses.lines else 54
        return "Hint: bigger" if int(card.head) > last else "Hint: smaller"
    said = [message.content for message in view.heard]
    low, high, last = 10, 99, 54
    for text in said:
        if text.startswith("Guess: "):
            last = int(text[7:])
        elif "Hint: bigger" in text.splitlines()[-1]:
            low = max(low, min(last + 1, high))
        else:
            high = min(high, max(last, low))
    return f"Guess: {(low + high) // 2}"


class Nameless(Hunt):
    """declaration: a title that says nothing."""

    title = " "


class HalfTranslated(Hunt):
    """languages: a prompt with a hole in one language."""

    def start(self, instance: Number, rng: Random) -> tuple[Position, Sequence[Say]]:
        state, says = super().start(instance, rng)
        return state, [s._replace(text=s.text + (" Deine Tipps: $hints" * (instance.language == "de"))) for s in says]


class Twins(Hunt):
    """instances: two instances of one name."""

    def instances(self, language: str) -> Sequence[Number]:
        found = super().instances(language)
        return [*found[:-1], found[-1].model_copy(update={"name": found[-2].name})] if found else []


class TellingNames(Hunt):
    """instances: names with the secret in them."""

    def instances(self, language: str) -> Sequence[Number]:
        return [i.model_copy(update={"name": f"{language}-{i.number}"}) for i in super().instances(language)]


class Unlisted(Hunt):
    """benchmark: an instance that is not in the list."""

    def benchmark(self, language: str) -> Sequence[Number]:
        return [Number(name=f"{language}-999", experiment="low", language=language, number=55)]


class Lopsided(Hunt):
    """splits: everything is benchmark."""

    def benchmark(self, language: str) -> Sequence[Number]:
        return self.instances(language)


class Botless(Hunt):
    """bots: no competent one."""

    def bots(self) -> Mapping[str, Bot]:
        return {"random": chance}


class Patient(Hunt):
    """adversaries: forgives for ever."""

    strikes: ClassVar[Mapping[str, Strikes]] = {"format": Strikes(10**9)}


class Naive(Hunt):
    """only_illegal: believes that every digit is a number."""

    def play(self, state: Position, text: str, rng: Random) -> tuple[Position, Sequence[Say]]:
        if "³" in text:
            int("³")
        return super().play(state, text, rng)


class Forgetful(Hunt):
    """replay: keeps a count outside of the state."""

    count = 0

    def play(self, state: Position, text: str, rng: Random) -> tuple[Position, Sequence[Say]]:
        after, says = super().play(state, text, rng)
        type(self).count += 1
        return after, [s._replace(text=f"{s.text} {'.' * (self.count % 7)}") if s.by == "gm" else s for s in says]


class Global(Hunt):
    """luck: reads the process-wide generator."""

    def play(self, state: Position, text: str, rng: Random) -> tuple[Position, Sequence[Say]]:
        random.random()
        return super().play(state, text, rng)


class Loose(State):
    instance: Number
    guesses: Any = ()


class Unstorable(Hunt):
    """json: a state with a field that JSON gives back as something else."""

    state_type: Any = Loose

    def start(self, instance: Number, rng: Random) -> tuple[Any, Sequence[Say]]:
        state, says = super().start(instance, rng)
        return Loose(instance=instance, turn=state.turn), says

    def play(self, state: Any, text: str, rng: Random) -> tuple[Any, Sequence[Say]]:
        after, says = super().play(state, text, rng)
        return after.to(guesses=tuple(after.guesses)), says


class Scribbler(Hunt):
    """pure: writes into the state it was given."""

    def play(self, state: Position, text: str, rng: Random) -> tuple[Position, Sequence[Say]]:
        after, says = super().play(state, text, rng)
        if len(state.guesses) < len(after.guesses):
            state.guesses.append(after.guesses[-1])
            return after.to(guesses=list(state.guesses)), says
        return after, says


class Mute(Hunt):
    """outcome: ends without saying why."""

    def play(self, state: Position, text: str, rng: Random) -> tuple[Position, Sequence[Say]]:
        after, says = super().play(state, text, rng)
        return (after.to(reason="") if after.turn is None else after), says


class Greedy(Hunt):
    """rewards: one role gets everything, the other is forgotten."""

    def play(self, state: Position, text: str, rng: Random) -> tuple[Position, Sequence[Say]]:
        after, says = super().play(state, text, rng)
        return (after.to(rewards={"seeker": 1.0}) if after.outcome == "success" else after), says


class Lenient(Hunt):
    """scores: an aborted match is worth nothing, instead of having no score."""

    def scores(self, match: Match) -> Scores:
        return Scores(100.0 if match.state.outcome == "success" else 0.0)


class Silent(Hunt):
    """briefed: the seeker has to find out what this is about from the first hint."""

    def start(self, instance: Number, rng: Random) -> tuple[Position, Sequence[Say]]:
        state, says = super().start(instance, rng)
        return state, says[:1]


class Curt(Hunt):
    """dialogue: the keeper never hears what was guessed."""

    def play(self, state: Position, text: str, rng: Random) -> tuple[Position, Sequence[Say]]:
        after, says = super().play(state, text, rng)
        return after, [say for say in says if say.to != "keeper"]


class Blind(Hunt):
    """board: no board for the game master."""

    def board(self, state: Position, role: Role | None) -> Board:
        return super().board(state, role) if role else None  # type: ignore[return-value]


class Leaky(Hunt):
    """secrets: the number is among the feedback."""

    def play(self, state: Position, text: str, rng: Random) -> tuple[Position, Sequence[Say]]:
        after, says = super().play(state, text, rng)
        n = state.instance.number
        return after, [s._replace(text=f"Not {n}.") if s.to == "seeker" and s.by == "gm" else s for s in says]


class Glass(Hunt):
    """secrets: everybody sees the game master's board."""

    def board(self, state: Position, role: Role | None) -> Board:
        return super().board(state, None)


class Telltale(Hunt):
    """secrets: the right answer is listed twice among the options of the shape."""

    def shape(self, state: Position) -> Shape | None:
        if state.turn == "keeper":
            return super().shape(state)
        number = str(state.instance.number)
        return Seq((Literal("Guess: "), Choice((*(str(n) for n in range(10, 100)), number), "guess")))


class Lossy(Hunt):
    """round_trip: what people write loses its capitals."""

    def compose(self, state: Position, role: Role, fields: Mapping[str, str]) -> str:
        return super().compose(state, role, {k: v.replace("a", "A") for k, v in fields.items()})


class Polite(Hunt):
    """check: never objects."""

    def check(self, state: Position, text: str) -> tuple[str, ...]:
        return ()


class Wide(Hunt):
    """shape: lets through what play refuses."""

    def shape(self, state: Position) -> Shape | None:
        return Seq((Literal("Guess: "), Text("guess", 2, 2))) if state.turn == "seeker" else super().shape(state)


class Spoiler(Hunt):
    """examples: guess a number that is somebody's secret."""

    def examples(self, state: Position) -> tuple[Message, ...]:
        return (*super().examples(state)[:1], Message("assistant", "Guess: 77")) if state.turn == "seeker" else ()


MUTANTS: dict[type[Hunt], str] = {
    Nameless: "declaration",
    HalfTranslated: "languages",
    Twins: "instances",
    TellingNames: "instances",
    Unlisted: "benchmark",
    Lopsided: "splits",
    Botless: "bots",
    Patient: "adversaries",
    Naive: "only_illegal",
    Forgetful: "replay",
    Global: "luck",
    Unstorable: "json",
    Scribbler: "pure",
    Mute: "outcome",
    Greedy: "rewards",
    Lenient: "scores",
    Silent: "briefed",
    Curt: "dialogue",
    Blind: "board",
    Leaky: "secrets",
    Glass: "secrets",
    Telltale: "secrets",
    Lossy: "round_trip",
    Polite: "check",
    Wide: "shape",
    Spoiler: "examples",
}
"""Each mutant with the one check that must catch it."""
