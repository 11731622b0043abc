"""A seat that is played in another process: the log is the table, and both read it.

Whoever drives a match in this process waits, at such a seat, until the other has committed the turn. The words are in
the log by then, so the reply says that they are (`logged`) and they are not written again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from games.engine import Message
from players.base import Ask, Identity, PlayerError, Reply, Thinking


class Turn(Protocol):
    """A turn as the log has it."""

    @property
    def text(self) -> str:
        """What was said, tags and all."""
        ...

    @property
    def ms(self) -> float:
        """How long it took."""
        ...


class Watch(Protocol):
    """What such a seat needs of the log; `store.follow.Follower` is one."""

    async def turn(self, episode: str, ply: int) -> Turn:
        """The turn of this ply, as soon as it is committed by whomever."""
        ...


class Elsewhere:
    """A seat of an episode that another process plays. `name` is what screens and the log call it: `human@CODE`."""

    def __init__(self, watch: Watch, episode: str, name: str) -> None:
        self.identity = Identity(kind="replay", name=name)
        self.episode = episode
        self._watch = watch

    async def speak(self, heard: Sequence[Message], ask: Ask) -> Reply:
        """Wait for the turn to be committed. Raises PlayerError when the time is up."""
        ask.emit(Thinking(ask.role, "at another terminal"))
        try:
            async with asyncio.timeout(ask.deadline):
                turn = await self._watch.turn(self.episode, ask.ply)
        except TimeoutError as error:
            late = f"nobody spoke as {ask.role} for {ask.deadline or 0:g} s: wait longer, or give the seat to another"
            raise PlayerError("timeout", late) from error
        return Reply(turn.text, ms=turn.ms, logged=True)
