"""What a check is: a name, a sentence, and a function from a `Lab` to details, one per fault."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

from games.conformance.lab import Lab

Look: TypeAlias = Callable[[Lab], Iterable[str]]


class Check(NamedTuple):
    """One thing that must hold for every game: its name, what it says, and how to look."""

    name: str
    what: str
    look: Look


def rule(name: str, what: str) -> Callable[[Look], Check]:
    """Make a check of the function below, with this name and sentence."""
    return lambda look: Check(name, what, look)
