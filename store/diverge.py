"""Two episodes laid side by side: where they first differ, and what that is."""

from __future__ import annotations

from dataclasses import dataclass

from store.dossier import Dossier
from store.records import TurnRow


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first difference between two episodes. `ply` is None where it lies before the first turn."""

    ply: int | None
    what: str
    at: int = 0
    """Where in the two texts they part, in characters."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two episodes ply by ply; None where one is over already."""

    left: Dossier
    right: Dossier
    rows: tuple[tuple[TurnRow | None, TurnRow | None], ...]
    first: Divergence | None
    """None where nothing that was said differs."""


def compare(left: Dossier, right: Dossier) -> Comparison:
    """Lay two episodes side by side."""
    a = {turn.ply: turn for turn in left.detail.turns}
    b = {turn.ply: turn for turn in right.detail.turns}
    plies = range(max((*a, *b), default=-1) + 1)
    rows = tuple((a.get(ply), b.get(ply)) for ply in plies)
    return Comparison(left, right, rows, _setting(left, right) or _said(rows))


def _setting(left: Dossier, right: Dossier) -> Divergence | None:
    a, b = left.detail, right.detail
    if a.row.game != b.row.game:
        return Divergence(None, f"they are of two games: {a.row.game} and {b.row.game}")
    if (a.row.instance, a.key) != (b.row.instance, b.key):
        return Divergence(None, f"they are of two instances: {a.row.instance} and {b.row.instance}")
    if a.opening != b.opening:
        return Divergence(None, "the game master opens them differently")
    return None


def _said(rows: tuple[tuple[TurnRow | None, TurnRow | None], ...]) -> Divergence | None:
    for ply, (a, b) in enumerate(rows):
        if a is None or b is None:
            if a is None and b is None:
                continue
            which = "left" if b is None else "right"
            return Divergence(ply, f"only the {which} one goes on")
        if a.role != b.role:
            return Divergence(ply, f"{a.role} speaks here, {b.role} there")
        if a.text != b.text:
            return Divergence(ply, f"{a.role} says something else", _parting(a.text, b.text))
        if (a.verdict, a.says) != (b.verdict, b.says):
            return Divergence(ply, "the same words, and another answer of the game master", len(a.text))
    return None


def _parting(a: str, b: str) -> int:
    """Where two texts part, moved back to the beginning of a word."""
    at = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    while at > 0 and not a[at - 1].isspace():
        at -= 1
    return at
