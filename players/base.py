"""What it means to sit at the table: a player is asked, and replies.

`Player.speak(heard, ask)` is the whole contract. While it works it emits typed events (queued, thinking, tokens), so
that one handler in a screen can draw any player; every request it makes to a model, kept or thrown away, it emits as
a `Call`, so that nothing sampled is lost, not even when it is cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

from games.boards import Board, Field
from games.engine import Message, Role, View
from games.shapes import Shape

PlayerKind: TypeAlias = Literal["human", "model", "bot", "replay"]
FailureKind: TypeAlias = Literal[
    "unauthorized",
    "not_found",
    "rate_limited",
    "timeout",
    "refused",
    "broken_stream",
    "empty",
    "server",
    "rejected",
    "too_long",
    "gone",
    "crashed",
    "budget",
    "tripped",
]
"""`refused`: nobody listens there; `rejected`: the server does not take the request as it is (400, 422); `too_long`:
the dialogue does not fit into the model's context; `crashed`: the player raised what no player should; `budget`: tokens
or money are used up; `tripped`: its backend failed so often that it is left alone for a while."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a player is, as the log keeps it: equal content, equal row."""

    kind: PlayerKind
    name: str
    """The spec as one would type it: `smollm2`, `bot:random`, `openai:gpt-x`, a pseudonym for a person."""
    revision: str = ""
    """What pins the model: file hash, server's model id, package version."""
    adapter: str = ""
    sampling: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Decoding settings as asked for: temperature, max_tokens, seed, thinking."""
    person: str = ""
    """Pseudonym of the person, for humans."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a model, whatever came of it. `prompt` is what was sent, examples and all."""

    prompt: tuple[Message, ...]
    text: str = ""
    """What came back, partial when it was cut off."""
    finish: str = ""
    """`stop`, `length`, `cancelled`, `refused_by_check`, or `error`."""
    tokens_in: int | None = None
    tokens_out: int | None = None
    ms: float = 0.0
    first_token_ms: float | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict[str, Any])
    error: str = ""
    reasoning: str = ""
    assisted: bool = False
    token_ids: tuple[int, ...] | None = None
    logprobs: tuple[float, ...] | None = None
    raw: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Reply:
    """What a player says. `call` is the request whose text was used; None for people, bots and replays."""

    text: str
    ms: float = 0.0
    call: Call | None = None
    assisted: bool = False
    logged: bool = False
    """It is in the log already: another process wrote it."""
    candidate: str | None = None
    """The logged candidate that it says, from which a branch goes on."""
    by: Identity | None = None
    """Whose words they are, where it is not the player who was asked: a person wrote something else in its place."""


@dataclass(frozen=True, slots=True)
class Queued:
    """The player waits for its backend."""

    role: Role


@dataclass(frozen=True, slots=True)
class Thinking:
    """The request is out; no token yet. `note` says why it takes longer: `retry 2 in 1.0 s: rate limited`."""

    role: Role
    note: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text arrived. `reasoning` pieces are not part of the reply."""

    role: Role
    text: str
    reasoning: bool = False


@dataclass(frozen=True, slots=True)
class Restart:
    """What was streamed so far is thrown away (a resample): the screen starts the line anew."""

    role: Role
    why: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """The reply is complete."""

    role: Role
    reply: Reply


@dataclass(frozen=True, slots=True)
class Called:
    """A request ended and must be logged; emitted for every one, used or not."""

    role: Role
    call: Call


@dataclass(frozen=True, slots=True)
class Failed:
    """The player could not reply; the match stands where it was."""

    role: Role
    error: PlayerError


Event: TypeAlias = Queued | Thinking | Token | Restart | Said | Called | Failed
Emit: TypeAlias = Callable[[Event], None]


class PlayerError(Exception):
    """A player could not reply. The message is one sentence with a way out; `kind` is what a program can test."""

    exit_code: ClassVar[int] = 1

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind: FailureKind = kind
        self.message = message


def silent(event: Event) -> None:
    """An `emit` for those whom nobody watches."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The question put to a player: what its seat knows, a seed for its sampling, a deadline and an ear for events."""

    view: View
    seed: int = 0
    deadline: float | None = None
    """Seconds it may take, or None."""
    emit: Emit = silent

    @property
    def role(self) -> Role:
        """The seat that is asked."""
        return self.view.role

    @property
    def ply(self) -> int:
        """How many utterances came before."""
        return self.view.ply

    @property
    def board(self) -> Board:
        """What this seat may see."""
        return self.view.board

    @property
    def shape(self) -> Shape | None:
        """The form of a legal reply."""
        return self.view.shape

    @property
    def fields(self) -> tuple[Field, ...]:
        """What to ask a person for."""
        return self.view.fields

    @property
    def examples(self) -> tuple[Message, ...]:
        """Example exchanges for an assisted seat."""
        return self.view.examples

    @property
    def question(self) -> str:
        """What the seat is asked now, in the short form of the examples; may be empty."""
        return self.view.question


@runtime_checkable
class Player(Protocol):
    """Anyone who can be asked. Raises PlayerError when no reply can be had; honours cancellation."""

    @property
    def identity(self) -> Identity:
        """Who this is, for the log."""
        ...

    async def speak(self, heard: Sequence[Message], ask: Ask) -> Reply:
        """Reply to what the seat has heard."""
        ...
