"""Seats that another process may speak for: the log is the table, and every process reads it.

`Elsewhere` is a seat of which only the log tells: whoever drives the match here waits until the other process has
committed the turn. `Beside` is a player of this process that waits for both, since the same seat may be open twice
(a code that was joined in two terminals, a match that was resumed while it still runs). Words from the log are
`logged` already and are not written again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from games.engine import Message
from players.base import Ask, Identity, Player, PlayerError, Reply, Thinking
from players.ports import Watch

OPEN = "human@new"
"""How an open seat is called in the log before anybody has spoken there: what one types to open such a seat again."""


class Elsewhere:
    """A seat of an episode that another process plays. `name` is a model's or bot's; for people it stays `OPEN`.

    The name follows the log, since the other process may change who sits there.
    """

    def __init__(self, watch: Watch, episode: str, name: str = OPEN) -> None:
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
        self.speaks(turn.player)
        return Reply(turn.text, ms=turn.ms, logged=True)

    def speaks(self, name: str) -> None:
        """This player spoke there."""
        name = OPEN if name.startswith("human") else name
        if name != self.identity.name:
            self.identity = Identity(kind="replay", name=name)


class Beside:
    """A player of this process at a seat for which another may speak too: the first turn that is committed counts.

    `other` hears the name of whoever spoke there instead.
    """

    def __init__(
        self, player: Player, watch: Watch, episode: str, other: Callable[[str], object] | None = None
    ) -> None:
        self.player = player
        self.episode = episode
        self._watch = watch
        self._other = other

    @property
    def identity(self) -> Identity:
        """Whose words they are when they come from here."""
        return self.player.identity

    async def speak(self, heard: Sequence[Message], ask: Ask) -> Reply:
        """What the player says, or what the log has meanwhile; the player's request is cancelled then, and kept."""
        mine = asyncio.ensure_future(self.player.speak(heard, ask))
        theirs = asyncio.ensure_future(self._watch.turn(self.episode, ask.ply))
        try:
            await asyncio.wait((mine, theirs), return_when=asyncio.FIRST_COMPLETED)
            if mine.done():
                return mine.result()
            turn = theirs.result()
        finally:
            for task in (mine, theirs):
                task.cancel()
            await asyncio.gather(mine, theirs, return_exceptions=True)
        if self._other is not None:
            self._other(turn.player)
        return Reply(turn.text, ms=turn.ms, logged=True)
