"""Who writes and who answers in rollouts: the port to the learner's weights, and partners in the other seats."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

from games.engine import Game, Message, Role
from players.base import Ask, Call, Called, Event, Identity, Player, PlayerError, Reply
from players.batch import Waiting
from players.opening import Table
from training.buffers import plain
from training.guards import Refused
from training.tokens import Template

T = TypeVar("T")
Answer: TypeAlias = Reply | PlayerError
Sampled: TypeAlias = tuple[Sequence[Sequence[int]], Sequence[Sequence[float]] | None]
"""Token ids of each reply, and what the sampler thought of them where it says."""


class Sampler(Protocol):
    """Writes replies: the learner's own, or those of the weights it began with."""

    def sample(self, wave: Sequence[Waiting], prompts: Sequence[Sequence[int]], seed: int, *, frozen: bool) -> Sampled:
        """One reply for each prompt. The same prompts, weights and seed give the same replies."""
        ...

    def text(self, ids: Sequence[int]) -> str:
        """What a reply says, without the tokens that end it."""
        ...


class Partner(Protocol):
    """Takes the other seats."""

    def identity(self, at: Waiting) -> Identity:
        """Who sits there."""
        ...

    def answer(self, wave: Sequence[Waiting], seeds: Sequence[int], seed: int) -> Sequence[tuple[Answer, list[Call]]]:
        """A reply or what went wrong for each, and requests that became no reply; `seed` is for all together."""
        ...


def replied(
    sampler: Sampler,
    template: Template,
    heard: Sequence[Message],
    before: int,
    ids: Sequence[int],
    logprobs: Sequence[float] | None,
    ms: float,
) -> Reply:
    """A sampled reply, with the request that made it for the log."""
    text = sampler.text(ids)
    finish = "stop" if ids and ids[-1] in template.ends else "length"
    likely = None if logprobs is None else tuple(logprobs)
    call = Call(tuple(heard), text, finish, before, len(ids), ms, token_ids=tuple(ids), logprobs=likely)
    return Reply(text, ms, call)


class Frozen:
    """The learner as it was before the first step."""

    def __init__(self, sampler: Sampler, template: Template, who: Identity) -> None:
        self.sampler, self.template, self.who = sampler, template, who

    def identity(self, at: Waiting) -> Identity:
        """The base."""
        return self.who

    def answer(self, wave: Sequence[Waiting], seeds: Sequence[int], seed: int) -> Sequence[tuple[Answer, list[Call]]]:
        """Sampled in one call."""
        heard = [one.match.heard[one.role] for one in wave]
        prompts = [self.template.ids([plain(message) for message in one], ask=True) for one in heard]
        began = time.perf_counter()
        replies, _ = self.sampler.sample(wave, prompts, seed, frozen=True)
        ms = (time.perf_counter() - began) * 1000
        made = zip(heard, prompts, replies, strict=True)
        return [
            (replied(self.sampler, self.template, said, len(prompt), ids, None, ms), []) for said, prompt, ids in made
        ]


class Loop:
    """An event loop in a thread of its own, for players and a recorder that are asked from code that is not async."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="playpen-rollouts", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What it returns; raises what it raises."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Seated:
    """Any player of this program as a partner: bots, models, servers."""

    def __init__(self, loop: Loop, table: Table, spec: str) -> None:
        self.loop, self.table, self.spec = loop, table, spec
        self._seats: dict[tuple[str, Role], Player] = {}

    def sit(self, game: Game, role: Role) -> Player:
        """Whoever takes this seat. Raises Refused."""
        key = (game.name, role)
        if key not in self._seats:
            try:
                self._seats[key] = self.loop.run(self.table.seat(self.spec, game=game, role=role))
            except Exception as error:  # every reason is a sentence already
                raise Refused(f"rollouts.partner = {self.spec} cannot take the seat {role}: {error}") from error
        return self._seats[key]

    def identity(self, at: Waiting) -> Identity:
        """Who sits there."""
        return self.sit(at.match.game, at.role).identity

    def answer(self, wave: Sequence[Waiting], seeds: Sequence[int], seed: int) -> Sequence[tuple[Answer, list[Call]]]:
        """All are asked at once."""
        seats = [self.sit(one.match.game, one.role) for one in wave]

        async def ask(player: Player, one: Waiting, luck: int) -> tuple[Answer, list[Call]]:
            calls: list[Call] = []

            def hear(event: Event) -> None:
                if isinstance(event, Called):
                    calls.append(event.call)

            try:
                reply = await player.speak(one.match.heard[one.role], Ask(one.match.view(one.role), luck, None, hear))
            except PlayerError as error:
                return error, calls
            return reply, [call for call in calls if call is not reply.call]

        async def everybody() -> list[tuple[Answer, list[Call]]]:
            return await asyncio.gather(*map(ask, seats, wave, seeds))

        return self.loop.run(everybody())
