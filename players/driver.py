"""The match driver: asks whoever sits there, plays the reply, and asks the next only when the turn is committed.

Players are looked up at every turn, so a seat can change hands in mid-game. The driver keeps nothing of its own: to
resume, retry or take over, call `drive` again with the match and the episode it stands for.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping

from games.engine import Match, Role
from players.base import Ask, Call, Called, Emit, Event, Failed, Player, PlayerError, Said, silent
from players.ports import NoRecorder, Place, Recorder


def sampling_seed(seed: int, role: Role, ply: int) -> int:
    """The sampling seed of one reply, 31 bits: the same match asks the same way again."""
    digest = hashlib.blake2b(f"{seed}:{role}:{ply}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1


async def drive(
    match: Match,
    seats: Mapping[Role, Player],
    recorder: Recorder | None = None,
    *,
    episode: str | None = None,
    place: Place | None = None,
    emit: Emit = silent,
    advanced: Callable[[Match], None] | None = None,
    deadline: float | None = None,
    luck: int | None = None,
    before: Callable[[], Awaitable[None]] | None = None,
) -> Match:
    """Play a match to its end and return it.

    `luck` is what sampling seeds are derived from, the match's own seed where it is not given: siblings of one group
    share the match's seed and must not sample the same. `before` is awaited before every turn. `episode` names the
    logged episode that `match` stands for; without it a new one begins. `advanced` hears every next match after its
    turn is committed. Raises PlayerError when a player cannot reply and CancelledError when cancelled; in both cases
    the match stands at the last committed turn, and requests made in vain are logged.
    """
    log: Recorder = recorder or NoRecorder()
    if episode is None:
        episode = await log.begin(match, {r: p.identity for r, p in seats.items()}, place or Place())
    base = match.seed if luck is None else luck
    while (role := match.turn) is not None:
        if before is not None:
            await before()
        match = await _turn(match, role, seats[role], log, episode, emit, deadline, base)
        if advanced is not None:
            advanced(match)
    await log.result(episode, match, match.scores())
    return match


async def _turn(
    match: Match,
    role: Role,
    player: Player,
    log: Recorder,
    episode: str,
    emit: Emit,
    deadline: float | None,
    base: int,
) -> Match:
    calls: list[Call] = []

    def hear(event: Event) -> None:
        if isinstance(event, Called):
            calls.append(event.call)
        emit(event)

    async def keep(but: Call | None = None) -> None:
        for call in calls:
            if call is not but:
                await log.call(episode, match.ply, role, player.identity, call)

    ask = Ask(match.view(role), sampling_seed(base, role, match.ply), deadline, hear)
    try:
        reply = await player.speak(match.heard[role], ask)
    except PlayerError as error:
        await keep()
        await log.failure(episode, match.ply, role, player.identity, error)
        emit(Failed(role, error))
        raise
    except (asyncio.CancelledError, Exception):  # cancelled, or a bug: what was sampled is kept all the same
        await asyncio.shield(keep())
        raise
    if calls:
        await keep(but=reply.call)
    after = match.play(reply.text)
    await log.turn(episode, after, after.steps[-1], reply.by or player.identity, reply)
    if emit is not silent:
        emit(Said(role, reply))
    return after
