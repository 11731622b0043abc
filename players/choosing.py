"""A seat whose replies somebody chooses: the player is asked twice, and one of the two replies is what it says.

`Chooser` decides whether that happens, and can be turned on and off while a match goes on; `Choosing` is a player as
the driver asks it. Whatever goes wrong with the second reply (it fails, takes too long, nobody wants to wait for it),
the first one goes on, and every request is logged like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Literal, TypeAlias

from games.engine import Message, View
from players.base import Ask, Called, Emit, Event, Identity, Player, PlayerError, Queued, Reply, Thinking
from players.driver import sampling_seed

Mode: TypeAlias = Literal["off", "next", "all"]
TRIES = 3
"""So often a player is asked for another reply until it says something else."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Two replies of one seat, one of which is to go on."""

    view: View
    """What the seat knew when it was asked."""
    heard: Sequence[Message]
    who: Identity
    first: Reply
    second: Reply
    blind: bool
    """Whether nobody saw the first one come."""


Choose: TypeAlias = Callable[[Offer], Awaitable[Reply | None]]
"""The reply that goes on, which may be words of a person's own (`Reply.by`); None leaves it at the first."""


class Chooser:
    """Whether replies are asked for twice: `off`, for the `next` one, or for `all`.

    One serves any number of seats of one match. `told` hears, in a sentence, why there is no second reply.
    """

    def __init__(self, choose: Choose, told: Callable[[str], object] = lambda sentence: None) -> None:
        self.mode: Mode = "off"
        self.choose = choose
        self.told = told
        self._second: set[asyncio.Task[Reply]] = set()

    def seat(self, player: Player) -> Player:
        """This player as the driver shall ask it; people and those who play elsewhere choose for themselves."""
        return player if player.identity.kind in ("human", "replay") else Choosing(player, self)

    @property
    def waiting(self) -> bool:
        """Whether a second reply is being made."""
        return bool(self._second)

    def enough(self) -> bool:
        """Do not wait for the second reply that is being made: the first goes on. False where there is none."""
        for task in self._second:
            task.cancel()
        return bool(self._second)

    async def speak(self, player: Player, heard: Sequence[Message], ask: Ask) -> Reply:
        """What the player says, once somebody has chosen. Raises what the first asking raises."""
        began, blind = perf_counter(), self.mode != "off"
        first = await player.speak(heard, replace(ask, emit=_muted(ask, 1)) if blind else ask)
        if self.mode == "off" or first.logged:
            return first
        try:
            async with asyncio.timeout(ask.deadline and max(0.0, ask.deadline - (perf_counter() - began))):
                second = await self._another(player, heard, ask, first)
                if second is None:
                    return first
                if self.mode == "next":
                    self.mode = "off"
                ask.emit(Thinking(ask.role, "two to choose from"))
                offer = Offer(ask.view, heard, player.identity, first, second, blind)
                return await self.choose(offer) or first
        except TimeoutError:
            self.told("the time was up before anybody had chosen; the first reply goes on")
            return first

    async def _another(self, player: Player, heard: Sequence[Message], ask: Ask, first: Reply) -> Reply | None:
        for number in range(TRIES):
            seed = sampling_seed(ask.seed, "another", number)
            task = asyncio.ensure_future(player.speak(heard, replace(ask, seed=seed, emit=_muted(ask, 2))))
            self._second.add(task)
            try:
                await asyncio.wait((task,))
            finally:
                self._second.discard(task)
                if not task.done():
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
            if task.cancelled():  # by `enough`: whoever waits for this seat was not cancelled
                return None
            error = task.exception()
            if isinstance(error, PlayerError):
                self.told(f"there is no second reply, and the first goes on: {error.message}")
                return None
            reply = task.result()
            if reply.text != first.text:
                return reply
        self.told(f"{player.identity.name} said the same {TRIES + 1} times; that goes on")
        return None


class Choosing:
    """A player whose replies somebody may choose."""

    def __init__(self, player: Player, chooser: Chooser) -> None:
        self.player = player
        self.chooser = chooser

    @property
    def identity(self) -> Identity:
        """Who it is."""
        return self.player.identity

    @property
    def assist(self) -> bool:
        """Whether the seat is assisted."""
        return bool(getattr(self.player, "assist", False))

    async def speak(self, heard: Sequence[Message], ask: Ask) -> Reply:
        """What goes on. Raises PlayerError."""
        return await self.chooser.speak(self.player, heard, ask)


def _muted(ask: Ask, number: int) -> Emit:
    """An ear that lets no word through: whoever chooses must not see which reply came first."""
    writing = Thinking(ask.role, f"reply {number} of 2")

    def hear(event: Event) -> None:
        if isinstance(event, Called | Queued):
            ask.emit(event)
        elif isinstance(event, Thinking):
            ask.emit(replace(writing, note=f"{writing.note}, {event.note}") if event.note else writing)

    return hear
