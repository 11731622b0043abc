"""A person at the table: a queue. The screen says what the person said, the match waits for it.

`leave` is for a person who cannot go on (input ended, window closed): whoever waits is told, and the match stands.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from time import perf_counter

from games.engine import Message
from players.base import Ask, Identity, PlayerError, Reply, Thinking


class HumanPlayer:
    """One seat of a person. `person` is a pseudonym; `code` is set for one who joins from another terminal."""

    def __init__(self, person: str = "", *, name: str = "human", code: str = "") -> None:
        self.identity = Identity(kind="human", name=name, person=person)
        self.code = code
        self._said: deque[str] = deque()
        self._news = asyncio.Event()
        self._left = ""
        self._waiting = False

    @property
    def waiting(self) -> bool:
        """Whether the match waits for this person now."""
        return self._waiting

    @property
    def unheard(self) -> str | None:
        """What was said and not asked for yet, the first of it: a match that is held asks nobody."""
        return self._said[0] if self._said else None

    def say(self, text: str) -> None:
        """Reply with this raw text, now or when next asked. Call it in the event loop's thread."""
        self._said.append(text)
        self._news.set()

    def forget(self) -> int:
        """Drop what was said but not yet asked for; returns how many replies that were."""
        count = len(self._said)
        self._said.clear()
        return count

    def leave(self, why: str = "the person left the table") -> None:
        """Nobody sits here any more: what was said before still counts, then every ask fails."""
        self._left = why
        self._news.set()

    async def speak(self, heard: Sequence[Message], ask: Ask) -> Reply:
        """Wait for the person. `Reply.ms` is the time they took. Raises PlayerError when they left or are too late."""
        ask.emit(Thinking(ask.role))
        began = perf_counter()
        self._waiting = True
        try:
            async with asyncio.timeout(ask.deadline):
                text = await self._next()
        except TimeoutError as error:
            late = f"nobody said anything as {ask.role} for {ask.deadline or 0:g} s: go on with --resume"
            raise PlayerError("timeout", late) from error
        finally:
            self._waiting = False
        return Reply(text, ms=(perf_counter() - began) * 1000)

    async def _next(self) -> str:
        """What is said next; what was said before the leaving counts."""
        while not self._said:
            if self._left:
                raise PlayerError("gone", f"{self._left}: the match stands, go on with --resume")
            self._news.clear()
            await self._news.wait()
        return self._said.popleft()
