"""The gate before a backend: how many requests it takes at once, how long one may take, what all may cost.

Every seat of a backend asks through its one gate. What fails for a moment is asked again, with growing pauses; a
backend that fails time after time is left alone for a while (the circuit is open), so that a dead server costs a run
seconds and not hours. Whatever else a player raises becomes a PlayerError here: no player can take a run down. A model
that ends its turn without a word has replied, with nothing.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from time import monotonic
from typing import Literal

from games.engine import Message
from players.base import Ask, Call, Called, Event, Identity, Player, PlayerError, Queued, Reply, Thinking

PASSING = frozenset({"timeout", "refused", "broken_stream", "rate_limited", "server", "empty"})
"""Kinds of failure that may be over the next time one asks."""

INSTANT = frozenset({"bot", "replay"})
"""Kinds of player that reply without waiting for anything: they need no place, no patience and no second try."""

LONGEST_TEXT = 200_000
"""Characters of a reply; what goes beyond is cut: no game has a use for it, and every later prompt would carry it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a gate allows. Times in seconds; None means no limit."""

    parallel: int = 16
    timeout: float | None = 300.0
    """For one reply, the waiting at the gate not counted."""
    retries: int = 2
    backoff: float = 0.5
    """The first pause before asking again; it doubles."""
    breaker: int = 5
    """So many replies failed in a row open the circuit."""
    cooldown: float = 20.0
    """How long an open circuit lets nobody through; then one may try."""
    trials: int = 3
    """So many tries in a row that failed, and the gate stays shut."""
    tokens: int | None = None
    """Tokens in and out that may be used in all."""
    cost: float | None = None
    """US dollars that may be spent in all."""


@dataclass(slots=True)
class Used:
    """What went through a gate. `cost` stays None while no price is known."""

    asked: int = 0
    failed: int = 0
    retried: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = None
    errors: Counter[str] = field(default_factory=Counter[str])


class Gate:
    """One backend's gate. `price` is US dollars per million tokens, in and out. Use it in one event loop."""

    def __init__(self, name: str, limits: Limits = Limits(), price: tuple[float, float] | None = None) -> None:
        self.name = name
        self.limits = limits
        self.price = price
        self.used = Used(cost=0.0 if price is not None else None)
        self.before: dict[str, tuple[int, int]] = {}
        """Tokens in and out that its players used before this process began: they count for the budget alone."""
        self.busy = 0
        self.waiting = 0
        self._free = asyncio.Semaphore(limits.parallel)
        self._row = 0
        """Replies that failed in a row."""
        self._open_until = -math.inf
        self._trials = 0
        self._trying = False
        self._jitter = Random(name)

    @property
    def idle(self) -> bool:
        """Whether a request would go through at once."""
        return self.busy < self.limits.parallel and not self.waiting and not self.shut

    @property
    def shut(self) -> bool:
        """Whether nobody is let through now: the circuit is open, or the budget is used up."""
        return self.spent is not None or self.dead or monotonic() < self._open_until

    @property
    def dead(self) -> bool:
        """Whether it will not open again: trial after trial has failed."""
        return self._trials >= self.limits.trials

    @property
    def tokens(self) -> int:
        """Tokens that count for the budget, in and out."""
        return self.used.tokens_in + self.used.tokens_out + sum(into + out for into, out in self.before.values())

    @property
    def cost(self) -> float:
        """US dollars that count for the budget; 0 while no price is known."""
        price_in, price_out = self.price or (0.0, 0.0)
        before = sum(into * price_in + out * price_out for into, out in self.before.values())
        return (self.used.cost or 0.0) + before / 1e6

    @property
    def spent(self) -> Literal["tokens", "cost"] | None:
        """Which budget is used up, if one is."""
        if self.limits.tokens is not None and self.tokens >= self.limits.tokens:
            return "tokens"
        return "cost" if self.limits.cost is not None and self.cost >= self.limits.cost else None

    @property
    def opens_in(self) -> float:
        """Seconds until the next trial of an open circuit; 0 when it is not open."""
        return max(0.0, self._open_until - monotonic())

    async def speak(self, player: Player, heard: Sequence[Message], ask: Ask) -> Reply:
        """The player's reply, asked for as often as the limits allow. Raises PlayerError, and nothing else."""
        if player.identity.kind in INSTANT:
            self.used.asked += 1
            return await self._guarded(player, heard, ask)
        self._refuse()
        trial = self._row >= self.limits.breaker
        if trial and self._trying:
            raise self._tripped()
        self._trying = self._trying or trial
        try:
            calls: list[Call] = []
            reply = await self._persist(player, heard, replace(ask, emit=self._count(ask.emit, calls)), calls)
        except PlayerError as error:
            self._note(error, trial)
            raise
        finally:
            if trial:
                self._trying = False
        self._row = self._trials = 0
        self._open_until = -math.inf
        return reply

    def _refuse(self) -> None:
        if self.spent:
            raise self._broke()
        if self.dead or monotonic() < self._open_until:
            raise self._tripped()

    def _broke(self) -> PlayerError:
        return PlayerError("budget", f"the budget of {self.name} is used up: raise it, and resume")

    def _tripped(self) -> PlayerError:
        often = f"{self._row} times in a row"
        return PlayerError("tripped", f"{self.name} failed {often} and is left alone for now: mend it, and resume")

    async def _persist(self, player: Player, heard: Sequence[Message], ask: Ask, calls: Sequence[Call]) -> Reply:
        self.used.asked += 1
        for attempt in range(self.limits.retries + 1):
            try:
                return await self._once(player, heard, ask)
            except PlayerError as error:
                if error.kind == "empty" and calls and _ended_without_a_word(calls[-1]):
                    return Reply("", calls[-1].ms, calls[-1])
                if error.kind not in PASSING or attempt == self.limits.retries:
                    raise
                pause = self.limits.backoff * 2**attempt * (0.75 + self._jitter.random() / 2)
                note = f"asks again in {pause:.1f} s ({attempt + 1} of {self.limits.retries}): {error.kind}"
                ask.emit(Thinking(ask.role, note))
                self.used.retried += 1
            await asyncio.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    async def _once(self, player: Player, heard: Sequence[Message], ask: Ask) -> Reply:
        queued = self._free.locked()
        if queued:
            ask.emit(Queued(ask.role))
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        if self.spent:  # by those before it, while it waited
            self._free.release()
            raise self._broke()
        self.busy += 1
        if queued:
            ask.emit(Thinking(ask.role))
        limit = asyncio.timeout(self.limits.timeout)
        try:
            async with limit:
                return await self._guarded(player, heard, ask)
        except TimeoutError as error:
            late = f"{player.identity.name} said nothing within {self.limits.timeout:g} s: give it longer, or resume"
            raise PlayerError("timeout", late) from error
        finally:
            self.busy -= 1
            self._free.release()

    async def _guarded(self, player: Player, heard: Sequence[Message], ask: Ask) -> Reply:
        """One reply, or a PlayerError, whatever the player does."""
        try:
            return _bounded(await player.speak(heard, ask))
        except PlayerError:
            raise
        except Exception as error:
            who, what = player.identity.name, f"{type(error).__name__}: {str(error)[:200]}"
            raise PlayerError("crashed", f"{who} broke ({what}): mend it, and resume") from error

    def _count(self, emit: Callable[[Event], None], calls: list[Call]) -> Callable[[Event], None]:
        """Every request counts, used or not, and is added to `calls`."""

        def hear(event: Event) -> None:
            if isinstance(event, Called):
                used, call = self.used, event.call
                calls.append(call)
                used.tokens_in += call.tokens_in or 0
                used.tokens_out += call.tokens_out or 0
                if self.price is not None:
                    spent = (call.tokens_in or 0) * self.price[0] + (call.tokens_out or 0) * self.price[1]
                    used.cost = (used.cost or 0.0) + spent / 1e6
            emit(event)

        return hear

    def _note(self, error: PlayerError, trial: bool) -> None:
        self.used.failed += 1
        self.used.errors[error.kind] += 1
        if error.kind in ("budget", "too_long", "rejected"):  # says nothing about whether the backend is alive
            return
        self._row += 1
        self._trials += trial
        if self._row >= self.limits.breaker:
            self._open_until = monotonic() + self.limits.cooldown


def _ended_without_a_word(call: Call) -> bool:
    """Whether a model ended its turn by itself and said nothing: that is what it plays, and asking again until it does
    better would make every rate of it too good. A person at the table may still ask again.
    """
    return (
        call.raw.get("finish_reason") == "stop" and not call.text.strip() and not call.reasoning and not call.assisted
    )


def _bounded(reply: Reply) -> Reply:
    if not isinstance(reply.text, str):
        raise TypeError(f"a reply is text, not {type(reply.text).__name__}")
    return reply if len(reply.text) <= LONGEST_TEXT else replace(reply, text=reply.text[:LONGEST_TEXT])


class Gated:
    """A player behind its gate."""

    def __init__(self, player: Player, gate: Gate) -> None:
        self.player = player
        self.gate = gate

    @property
    def identity(self) -> Identity:
        """Who it is."""
        return self.player.identity

    @property
    def assist(self) -> bool:
        """Whether the seat is assisted."""
        return bool(getattr(self.player, "assist", False))

    async def speak(self, heard: Sequence[Message], ask: Ask) -> Reply:
        """What the player says, when the gate lets it. Raises PlayerError."""
        return await self.gate.speak(self.player, heard, ask)
