"""The figures above the curves of a training: how far it is, loss, reward, memory, speed, and what it learns from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from playpen_tui.trainings import REWARD, Sight, span, step_of

TILES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("loss", ("loss",)),
    ("reward", REWARD),
    ("KL", ("kl", "approx_kl")),
    ("gradient", ("grad_norm",)),
    ("zero spread", ("frac_reward_zero_std", "zero_spread")),
    ("memory", ("memory_gb", "memory")),
)
"""What a tile is called, and the curves it may come from."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure and what it is called."""

    label: str
    text: str
    more: str = ""
    """Beside it, pale."""


def tiles(sight: Sight, shown: Any) -> list[Tile]:
    """The figures that this training has; `shown` writes a number."""
    told = sight.row.progress
    found = [Tile("step", step_of(sight.row))]
    if sight.eta is not None:
        found.append(Tile("left", span(sight.eta)))
    for label, sources in TILES:
        curve = next((sight.curves[name] for name in sources if name in sight.curves), None)
        if curve is None:
            continue
        if label == "zero spread":
            text = "–" if curve.latest is None else f"{curve.latest:.0%}"
        else:
            text = shown(curve.latest) if curve.latest is not None else "no number"
        more = ""
        if label in ("loss", "reward") and curve.latest is not None and curve.first is not None:
            change = curve.latest - curve.first
            more = f"{'▲' if change > 0 else '▼'}{shown(abs(change))}" if change else ""
        found.append(Tile(label, text + (" GB" if label == "memory" and text != "no number" else ""), more))
    if told is not None and told.tokens_in:
        found.append(Tile("tokens", f"{told.tokens_in:,}"))
    if sight.speed is not None:
        found.append(Tile("tokens/s", f"{sight.speed:,.0f}"))
    return [*found, *_rows(sight.preflight.figures if sight.preflight is not None else {})]


def _rows(before: Mapping[str, Any]) -> Iterator[Tile]:
    """What it learns from, as the pre-flight table says."""
    if "truncated" in before:
        yield Tile("truncated", f"{before['truncated']:.1%}")
    if "rows" in before:
        balance: Mapping[str, Any] = before.get("balance", {})
        parts = [f"{counts['rows']:,} {name}" for name, counts in balance.get("speakers", {}).items()]
        parts += [f"{balance['general']:,} general"] if balance.get("general") else []
        yield Tile("rows", f"{before['rows'] + before.get('dropped', 0):,}", f"= {' + '.join(parts)}" if parts else "")
