"""A model at the table: one request per turn, or several where the seat is assisted and the game offers a shape."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

from games.engine import Message
from players.backends.chat import Client
from players.base import Ask, Identity, Reply


class ModelPlayer:
    """One seat of a model behind a client. Several seats may share the client; `owner` says who closes it.

    The seed of each ask is sent unless `sampling` fixes one, so that the same match asks the same way again.
    """

    def __init__(
        self,
        identity: Identity,
        client: Client,
        sampling: Mapping[str, Any] | None = None,
        *,
        assist: bool = False,
        owner: bool = False,
    ) -> None:
        self.identity = identity
        self.client = client
        self.sampling: Mapping[str, Any] = dict(sampling or {})
        self.assist = assist
        self._owner = owner

    @property
    def parallel(self) -> int:
        """How many requests its backend should be given at once."""
        return self.client.parallel

    @property
    def backend(self) -> Hashable:
        """Equal for players that share a backend."""
        return getattr(self.client, "engine", self.client)

    async def speak(self, heard: Sequence[Message], ask: Ask) -> Reply:
        """The model's reply to what the seat has heard. Raises PlayerError."""
        began = perf_counter()
        sampling = {"seed": ask.seed, **self.sampling}
        if self.assist and ask.shape is not None:
            from players.assist import assisted

            reply = await assisted(self.client.complete, tuple(heard), ask, sampling)
        else:
            call = await self.client.complete(
                tuple(heard), sampling, role=ask.role, emit=ask.emit, deadline=ask.deadline
            )
            reply = Reply(call.text, call=call)
        return replace(reply, ms=(perf_counter() - began) * 1000)

    async def aclose(self) -> None:
        """Close the client, if it is this player's own."""
        if self._owner:
            await self.client.aclose()
