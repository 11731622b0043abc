"""How an episode of clembench ended, and every number its scorer gave it.

The outcome is that of `scores.json`, else of the keys `Success`, `Lose`, `Aborted` of the interactions; never that of
the game master's state, which some games overwrite after a win in the last round.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from store.exchange.intake import mapping
from store.ids import clean

SCORER = "clembench"
ROUNDS = "clembench/rounds"
"""Scorer of numbers per round, whose names begin with the number of the round."""
MAIN = "Main Score"

Outcome: TypeAlias = Literal["success", "failure", "aborted"]


@dataclass(frozen=True, slots=True)
class Scored:
    """What is known of an episode's end: outcome None is unfinished. `main` is 0 to 100, None when aborted."""

    outcome: Outcome | None
    main: float | None
    metrics: Mapping[str, float]
    rounds: Mapping[str, float]


def scored(scores: Mapping[str, Any] | None, interactions: Mapping[str, Any]) -> Scored:
    """The end of an episode, from its scores where it has any, else from its interactions."""
    episode = mapping((scores or {}).get("episode scores"))
    metrics = dict(numbers(episode))
    main = metrics.get(MAIN)
    outcome = _outcome(episode, main) or _outcome(interactions, None)
    return Scored(outcome, None if outcome in (None, "aborted") else main, metrics, _rounds(scores or {}))


def numbers(found: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Those values that are finite numbers."""
    for name, value in found.items():
        number = number_of(value)
        if number is not None:
            yield clean(name), number


def number_of(value: object) -> float | None:
    """A finite number, truth included; else None."""
    if not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _outcome(keys: Mapping[str, Any], main: float | None) -> Outcome | None:
    aborted, success, lose = (number_of(keys.get(name)) for name in ("Aborted", "Success", "Lose"))
    if aborted:
        return "aborted"
    if success:
        return "success"
    if lose:
        return "failure"
    if success is not None:
        return "failure"
    if lose is not None:  # it says that it was not lost, and nothing of success
        return "success"
    if aborted is not None and main is not None:
        return "success" if main >= 100 else "failure"
    return None


def _rounds(scores: Mapping[str, Any]) -> dict[str, float]:
    """Numbers per round as `3/Request Count`; older logs call rounds turns."""
    found: dict[str, float] = {}
    rounds = scores.get("round scores", scores.get("turn scores"))
    pairs: Any = enumerate(cast(list[Any], rounds)) if isinstance(rounds, list) else mapping(rounds).items()
    for number, values in pairs:
        found |= {f"{clean(str(number))}/{name}": value for name, value in numbers(mapping(values))}
    return found
