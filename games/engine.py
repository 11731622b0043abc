"""The engine: a game is two pure functions over frozen state, and a match is a value.

`Game.start` deals an instance, `Game.play` takes one reply of the role whose turn it is. Both return the next state
and what the game master tells whom. `Match` wraps them: it keeps what every role heard, counts strikes, and hands out
the next match instead of changing itself, so that to branch is to keep a reference and to resume is to replay the
texts. Nothing here reads a clock, a file, a model or the process-wide random generator.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, ClassVar, Generic, Literal, NamedTuple, Self, TypeAlias, cast

from pydantic import BaseModel, ConfigDict
from typing_extensions import TypeVar

from games.boards import Board, Field
from games.shapes import Shape

Role: TypeAlias = str
Outcome: TypeAlias = Literal["success", "failure", "aborted", "draw"]
Verdict: TypeAlias = Literal["ok", "illegal"]
SayKind: TypeAlias = Literal["brief", "relay", "feedback", "result"]
Scope: TypeAlias = Literal["turn", "role", "match"]

GM: Role = "gm"
"""Whose words a `Say` carries when no player said them."""


class Frozen(BaseModel):
    """Immutable data that knows no extra fields: the base of instances and states."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(NamedTuple):
    """One entry of a conversation as a model sees it: `user` is the game master, `assistant` the role itself."""

    role: Literal["system", "user", "assistant"]
    content: str


class Say(NamedTuple):
    """The game master tells one role something; `by` names the role whose words these are, or `gm`."""

    to: Role
    text: str
    by: Role = GM
    kind: SayKind = "feedback"


class Step(NamedTuple):
    """One utterance and what came of it. Illegal ones count plies too; `note` is their feedback, `kind` their kind."""

    ply: int
    role: Role
    text: str
    verdict: Verdict
    says: tuple[Say, ...]
    note: str = ""
    kind: str = ""


class Strikes(NamedTuple):
    """How many illegal moves are forgiven (`limit`) before the match is aborted, counted per turn, role or match."""

    limit: int = 0
    scope: Scope = "turn"


class Illegal(Exception):
    """The reply breaks the protocol. `feedback` is what the speaker hears; `kind` chooses the strikes that apply."""

    def __init__(self, feedback: str, kind: str = "format") -> None:
        super().__init__(feedback)
        self.feedback = feedback
        self.kind = kind


class MatchOver(Exception):
    """Somebody played on after the end of the match."""


class Instance(Frozen):
    """One puzzle, deal or scenario of a game. Subclasses add its content.

    `name` is unique within a game (`high-en-007`) and gives nothing away; `key` is the content that makes two
    instances the same to a learner, over a whole family of games: splits go by it.
    """

    name: str
    experiment: str
    language: str = "en"

    @property
    def key(self) -> str:
        """What a learner would recognise, e.g. `wordle:en:crane`. Subclasses must say."""
        raise NotImplementedError(f"{type(self).__name__} must define key")


I = TypeVar("I", bound=Instance, default=Any)
S = TypeVar("S", bound="State", default=Any)


_put = object.__setattr__


class State(Frozen):
    """One position of a match. Subclasses narrow `instance` and add what the rules need to know."""

    instance: Any
    turn: Role | None
    round: int = 1
    outcome: Outcome | None = None
    reason: str = ""
    """Why it ended, one word of the game's own (`guessed`, `rounds`, `rule`), `format` for a broken protocol."""
    rewards: dict[Role, float] = {}
    """Per role, 0 to 1; empty means that all share main score / 100."""
    winners: tuple[Role, ...] = ()

    def to(self, **changes: Any) -> Self:
        """The same position with some fields changed. Trusted: values are not validated again."""
        made = object.__new__(type(self))  # does what `model_copy` does at half its price, since every move pays it
        private = self.__pydantic_private__
        _put(made, "__dict__", {**self.__dict__, **changes})
        _put(made, "__pydantic_fields_set__", self.__pydantic_fields_set__.union(changes))
        _put(made, "__pydantic_extra__", None)
        _put(made, "__pydantic_private__", None if private is None else dict(private))
        return made

    def end(self, outcome: Outcome, reason: str, **changes: Any) -> Self:
        """The same position, over."""
        return self.to(**{"turn": None, "outcome": outcome, "reason": reason, **changes})


@dataclass(frozen=True, slots=True)
class Scores:
    """What a finished match was worth: `main` in 0–100 (None when aborted), credit per ply, and the game's metrics."""

    main: float | None
    turns: Mapping[int, float] = field(default_factory=dict[int, float])
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])


class View:
    """What one seat knows when it is asked to speak: bots and players get this, never the match itself."""

    __slots__ = ("_match", "role")

    def __init__(self, match: Match, role: Role) -> None:
        self._match = match
        self.role = role

    @property
    def ply(self) -> int:
        """How many utterances came before."""
        return len(self._match.steps)

    @property
    def language(self) -> str:
        """Language code of the instance."""
        return self._match.instance.language

    @property
    def heard(self) -> tuple[Message, ...]:
        """Everything said to and by this role so far, alternating user and assistant."""
        return self._match.heard[self.role]

    @property
    def board(self) -> Board:
        """What this seat may see."""
        return self._match.game.board(self._match.state, self.role)

    @property
    def fields(self) -> tuple[Field, ...]:
        """What a person is asked for, in order."""
        return self._match.game.fields(self._match.state)

    @property
    def shape(self) -> Shape | None:
        """The form of a legal reply, from what this seat knows; None where the game offers none."""
        return self._match.game.shape(self._match.state)

    @property
    def examples(self) -> tuple[Message, ...]:
        """Short example exchanges for an assisted seat, alternating user and assistant."""
        return self._match.game.examples(self._match.state)

    @property
    def question(self) -> str:
        """What this seat is asked now, in the short form of the examples; empty where the game does not say."""
        return self._match.game.question(self._match.state)

    def compose(self, fields: Mapping[str, str]) -> str:
        """The raw reply with its protocol tags, from what a person filled in."""
        return self._match.game.compose(self._match.state, self.role, fields)

    def read(self, text: str) -> dict[str, str] | None:
        """The inverse of `compose`; None where the text has not the form."""
        return self._match.game.read(self._match.state, self.role, text)

    def check(self, text: str) -> tuple[str, ...]:
        """What would be wrong with this reply, in words; empty when it may be sent."""
        return self._match.game.check(self._match.state, text)


Bot: TypeAlias = Callable[[View, Random], str]
"""A scripted player: pure, no memory beyond the view, all luck from the generator it is handed."""


class Game(ABC, Generic[I, S]):
    """The rules of one game. Stateless: one object serves every match, and two are equal when name and version are."""

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str] = ""
    version: ClassVar[int] = 1
    family: ClassVar[str] = ""
    """Games that share content, and therefore splits; empty means the game's own name."""
    roles: ClassVar[tuple[Role, ...]]
    languages: ClassVar[tuple[str, ...]] = ("en",)
    strikes: ClassVar[Mapping[str, Strikes]] = {"format": Strikes(0)}
    """Per kind of `Illegal`; a kind that is not named is forgiven as often as `format`."""
    instance_type: type[I]
    state_type: type[S]

    @abstractmethod
    def start(self, instance: I, rng: Random) -> tuple[S, Sequence[Say]]:
        """Deal the instance: the first state, and the briefing of each role that must know something now."""

    @abstractmethod
    def play(self, state: S, text: str, rng: Random) -> tuple[S, Sequence[Say]]:
        """Take one reply of `state.turn`. Raises `Illegal`, and never anything else, whatever the text."""

    @abstractmethod
    def board(self, state: S, role: Role | None) -> Board:
        """What `role` may see of this position, as data; None is the game master, who sees all."""

    @abstractmethod
    def instances(self, language: str) -> Sequence[I]:
        """Every built-in instance in this language, benchmark first. Deterministic; [] for an unknown language."""

    @abstractmethod
    def bots(self) -> Mapping[str, Bot]:
        """Scripted players by name; `random` and `competent` at least. Each can play every role."""

    def benchmark(self, language: str) -> Sequence[I]:
        """The frozen benchmark set: its keys are `test` in every game of the family."""
        return ()

    def secrets(self, instance: I) -> Mapping[Role, tuple[str, ...]]:
        """Strings that must not reach a role before the end by the game master's doing."""
        return {}

    def fields(self, state: S) -> tuple[Field, ...]:
        """What to ask the person whose turn it is, in order; never a protocol tag."""
        return (Field(name="text", label="say"),)

    def compose(self, state: S, role: Role, fields: Mapping[str, str]) -> str:
        """Raw reply from fields. Round trip: `read(state, role, compose(state, role, fields)) == fields`."""
        return fields["text"]

    def read(self, state: S, role: Role, text: str) -> dict[str, str] | None:
        """Fields from a raw reply, or None where it has not the form. Used to show people what was said."""
        return {"text": text}

    def check(self, state: S, text: str) -> tuple[str, ...]:
        """What would be wrong with this reply, in words, before it is sent. Default: what `play` would object to."""
        try:
            self.play(state, text, luck("check", 0))
        except Illegal as illegal:
            return (illegal.feedback,)
        return ()

    def shape(self, state: S) -> Shape | None:
        """The form of a legal reply as data, from what the role to speak knows; prohibitions are left to `check`."""
        return None

    def examples(self, state: S) -> tuple[Message, ...]:
        """Example exchanges for an assisted seat; they contain nothing of any instance."""
        return ()

    def question(self, state: S) -> str:
        """What the role to speak is asked, worded like the user messages of `examples`, from what that role knows.

        A small model does better with it than with the briefing and all that was said. Empty: it gets what it heard.
        """
        return ""

    def scores(self, match: Match) -> Scores:
        """Scores of a finished match. Default: success 100, draw 50, failure 0, aborted None."""
        main = {"success": 100.0, "failure": 0.0, "draw": 50.0}.get(match.state.outcome or "aborted")
        return Scores(main)

    def rules(self, language: str) -> str:
        """The rules for people, in a few plain paragraphs without protocol tags."""
        return self.summary

    def verdict(self, match: Match) -> str:
        """How it ended, in a few words for people: `guessed in 2 of 3`."""
        return match.state.reason or match.state.outcome or "unfinished"

    @property
    def family_name(self) -> str:
        """The family whose content this game shares."""
        return self.family or self.name


class _Luck:
    """A `Random` that is seeded on first use: most moves need no luck, and seeding from text is the dear part."""

    __slots__ = ("_ply", "_random", "_seed")

    def __init__(self, seed: int | str, ply: int) -> None:
        self._seed = seed
        self._ply = ply
        self._random: Random | None = None

    def __getattr__(self, name: str) -> Any:
        if self._random is None:
            self._random = Random(f"{self._seed}:{self._ply}")
        return getattr(self._random, name)


def luck(seed: int | str, ply: int) -> Random:
    """The generator of one ply: siblings of a branch share it, and a replay meets it again."""
    return cast(Random, _Luck(seed, ply))


def _tell(heard: dict[Role, tuple[Message, ...]], says: Iterable[Say]) -> None:
    """Append says to the conversations; what one role hears in a row becomes one user message."""
    for say in says:
        old = heard[say.to]
        if old and old[-1].role == "user":
            heard[say.to] = (*old[:-1], Message("user", f"{old[-1].content}\n\n{say.text}"))
        else:
            heard[say.to] = (*old, Message("user", say.text))


@dataclass(frozen=True, slots=True)
class Match:
    """One play-through as a value: `match.play(text)` returns the next one and leaves this one as it was."""

    game: Game
    instance: Instance
    seed: int
    state: State
    heard: Mapping[Role, tuple[Message, ...]]
    steps: tuple[Step, ...] = ()
    opening: tuple[Say, ...] = ()
    strikes: Mapping[tuple[str, Role], int] = field(default_factory=dict[tuple[str, Role], int])

    @classmethod
    def new(cls, game: Game, instance: Instance, seed: int = 0) -> Match:
        """Deal an instance; the luck of the deal is that of ply -1."""
        state, says = game.start(instance, luck(seed, -1))
        heard: dict[Role, tuple[Message, ...]] = dict.fromkeys(game.roles, ())
        _tell(heard, says)
        return cls(game, instance, seed, state, heard, opening=tuple(says))

    @classmethod
    def replay(cls, game: Game, instance: Instance, seed: int, texts: Iterable[str]) -> Match:
        """Play logged texts again: the one operation behind resume, viewer and verification."""
        match = cls.new(game, instance, seed)
        for text in texts:
            match = match.play(text)
        return match

    @property
    def turn(self) -> Role | None:
        """The role to speak, or None when the match is over."""
        return self.state.turn

    @property
    def ply(self) -> int:
        """How many utterances were made, illegal ones included."""
        return len(self.steps)

    @property
    def over(self) -> bool:
        """Whether nobody is to speak any more."""
        return self.state.turn is None

    @property
    def texts(self) -> list[str]:
        """The utterances in order: with game, instance and seed they are the whole match."""
        return [step.text for step in self.steps]

    def view(self, role: Role) -> View:
        """What a seat knows now."""
        return View(self, role)

    def scores(self) -> Scores:
        """The game's verdict on this match; main is None when aborted or not over."""
        return self.game.scores(self) if self.over else Scores(None)

    def rewards(self) -> dict[Role, float]:
        """Reward per role, 0 to 1: the state's own, or the shared main score / 100 (0 when aborted)."""
        if self.state.rewards:
            return dict(self.state.rewards)
        shared = (self.scores().main or 0.0) / 100
        return dict.fromkeys(self.game.roles, shared)

    def play(self, text: str) -> Match:
        """The match after this reply of `turn`. Illegal replies cost a strike; too many abort the match."""
        state = self.state
        role = state.turn
        if role is None:
            raise MatchOver(f"this match of {self.game.name} is over; start a new one")
        if not text.isascii():  # lone surrogates have no UTF-8 form: nothing below could store or send them
            text = text.encode("utf-8", "replace").decode("utf-8")
        try:
            after, says = self.game.play(state, text, luck(self.seed, len(self.steps)))
        except Illegal as illegal:
            return self._strike(role, text, illegal)
        heard = dict(self.heard)
        heard[role] = (*heard[role], Message("assistant", text))
        _tell(heard, says)
        step = Step(len(self.steps), role, text, "ok", tuple(says))
        strikes = self.strikes and {k: n for k, n in self.strikes.items() if not self._fades(k, role)}
        return Match(self.game, self.instance, self.seed, after, heard, (*self.steps, step), self.opening, strikes)

    def _allowed(self, kind: str) -> Strikes:
        return self.game.strikes.get(kind) or self.game.strikes.get("format") or Strikes()

    def _fades(self, key: tuple[str, Role], role: Role) -> bool:
        return key[1] == role and self._allowed(key[0]).scope == "turn"

    def _strike(self, role: Role, text: str, illegal: Illegal) -> Match:
        allowed = self._allowed(illegal.kind)
        key = (illegal.kind, "*" if allowed.scope == "match" else role)
        count = self.strikes.get(key, 0) + 1
        heard = dict(self.heard)
        heard[role] = (*heard[role], Message("assistant", text))
        state, says = self.state, ()
        if count > allowed.limit:
            state = state.end("aborted", illegal.kind)
        else:
            says = (Say(role, illegal.feedback),)
            _tell(heard, says)
        step = Step(len(self.steps), role, text, "illegal", says, illegal.feedback, illegal.kind)
        return replace(self, state=state, heard=heard, steps=(*self.steps, step), strikes={**self.strikes, key: count})

    def dump(self) -> str:
        """The match as JSON: game@version, instance, seed, texts. `load` replays it."""
        return json.dumps(
            {
                "game": f"{self.game.name}@{self.game.version}",
                "instance": self.instance.model_dump(),
                "seed": self.seed,
                "texts": self.texts,
            },
            ensure_ascii=False,
        )

    @classmethod
    def load(cls, game: Game, data: str) -> Match:
        """The inverse of `dump`. Raises ValueError where it was another game or version."""
        raw = json.loads(data)
        if raw["game"] != f"{game.name}@{game.version}":
            raise ValueError(f"this match is of {raw['game']}, not of {game.name}@{game.version}")
        return cls.replay(game, game.instance_type.model_validate(raw["instance"]), raw["seed"], raw["texts"])
