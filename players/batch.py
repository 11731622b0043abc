"""The batch driver: the match driver's synchronous twin, for whoever answers many seats in one call.

Every wave asks for one reply in each match that waits, and plays what comes. Models that decode in batches answer a
wave at once; token buffers of theirs belong to the match's place in the list and are only ever appended to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from games.engine import Match, Role
from players.base import Reply


@dataclass(frozen=True, slots=True)
class Waiting:
    """A seat that is to speak: `at` is the match's place in the list."""

    at: int
    match: Match
    role: Role


Generate: TypeAlias = Callable[[Sequence[Waiting]], Sequence[Reply | None]]
"""A reply for each that waits; None where there is none, and the match stands as it is from then on."""


def drive_batch(
    matches: Sequence[Match], generate: Generate, advanced: Callable[[int, Match, Reply], None] | None = None
) -> list[Match]:
    """Play matches side by side to their ends, in waves; returns them in the same order.

    `advanced` hears of every turn: the match's place in the list, the match after it, the reply. A match whose seat got
    no reply is returned unfinished. Raises what `generate` raises, and ValueError where it answers too few or too many.
    """
    found = list(matches)
    open_ = {at for at, match in enumerate(found) if match.turn is not None}
    while open_:
        wave = [Waiting(at, found[at], role) for at in sorted(open_) if (role := found[at].turn) is not None]
        replies = generate(wave)
        for waiting, reply in zip(wave, replies, strict=True):
            at = waiting.at
            if reply is None:
                open_.discard(at)
                continue
            found[at] = waiting.match.play(reply.text)
            if advanced is not None:
                advanced(at, found[at], reply)
            if found[at].turn is None:
                open_.discard(at)
    return found
