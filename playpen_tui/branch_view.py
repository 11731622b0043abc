"""A tree of candidates in words: for the command, its JSON, and the screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from evaluation.intervals import Estimate, mean_return
from games.engine import Match
from playpen_tui.plain_text import bare, plain, short
from playpen_tui.theme import GLYPHS
from playpen_tui.transcript import spoken
from store.branches import Branch, Point, Rollout, Tree

ORDER = ("success", "draw", "failure", "aborted", None)
"""Outcomes as they are listed; None goes on still, or was broken off."""


def value(branch: Branch) -> Estimate | None:
    """Mean reward of the finished rollouts, 0 to 1, with its interval."""
    return mean_return(branch.rewards)


def outcomes(rollouts: Sequence[Rollout]) -> Counter[str | None]:
    """How the rollouts ended."""
    return Counter(one.outcome for one in rollouts)


def marks(rollouts: Sequence[Rollout]) -> str:
    """`✓3 ✗1 …2`: how many ended how."""
    found = outcomes(rollouts)
    return " ".join(f"{GLYPHS[key]}{found[key]}" for key in ORDER if found[key])


def words(match: Match, branch: Branch) -> str:
    """What a candidate says, as people read it; as it came, where it has not the form of a reply."""
    said = spoken(match, match.turn or "", branch.text)
    return branch.text if said is None else " · ".join(part for part in said if part)


def wrong(match: Match, branch: Branch) -> str:
    """Why the game master objects to it, in a word or two; empty where it is fine."""
    if branch.verdict == "illegal":
        return "not legal"
    return "breaks a rule" if match.turn is not None and match.view(match.turn).check(branch.text) else ""


def author(branch: Branch) -> str:
    """Who wrote it: `smollm2 assisted ×3`, `a person`, `bot, said`."""
    name = "a person" if branch.kind == "human" else bare(branch.player)
    parts = [name]
    if branch.assisted:
        parts.append("assisted")
    if branch.copies > 1:
        parts.append(f"×{branch.copies}")
    if branch.said:
        parts.append("· said")
    return " ".join(parts)


def number(estimate: Estimate | None) -> str:
    """`0.75 [0.40, 0.93]`, without the interval where there is none."""
    if estimate is None:
        return "–"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f}"
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"


def bar(estimate: Estimate | None, cells: int) -> str:
    """The interval and the value in it, from 0 at the left to 1 at the right."""
    if estimate is None or cells < 3:
        return " " * cells

    def at(share: float) -> int:
        return min(cells - 1, max(0, round(share * (cells - 1))))

    drawn = ["·"] * cells
    if estimate.low is not None and estimate.high is not None:
        for cell in range(at(estimate.low), at(estimate.high) + 1):
            drawn[cell] = "─"
    drawn[at(estimate.value)] = "●"
    return "".join(drawn)


def ranked(tree: Tree) -> list[Branch]:
    """The best first; those without a value behind them, in the order in which they came."""
    return sorted(tree.branches, key=lambda one: (one.value is None, -(one.value or 0.0)))


def lines(tree: Tree, where: Point | None, width: int = 100) -> list[str]:
    """The tree as plain lines."""
    head = f"{tree.game} · {plain(tree.instance)} · ply {tree.ply} · {tree.role} · episode {tree.episode}"
    found = [head]
    branches = ranked(tree)
    for at, one in enumerate(branches):
        last = at == len(branches) - 1
        text = one.text if where is None else words(where.match, one)
        told = "" if where is None else wrong(where.match, one)
        found.append(f"{'└' if last else '├'}─ {short(text, width)}{f'   ✗ {told}' if told else ''}")
        room = " " if last else "│"
        found.append(
            f"{room}    {author(one)}   value {number(value(one))}   of {len(one.rewards)}   {marks(one.rollouts)}"
        )
    if not branches:
        found.append("no candidates yet")
    return found


def as_data(tree: Tree, where: Point | None) -> dict[str, Any]:
    """The tree for `--json`."""
    return {
        "episode": tree.episode,
        "ply": tree.ply,
        "game": tree.game,
        "instance": tree.instance,
        "role": tree.role,
        "candidates": [_candidate(one, where) for one in tree.branches],
    }


def _candidate(one: Branch, where: Point | None) -> dict[str, Any]:
    estimate = value(one)
    return {
        "candidate": one.candidate,
        "text": one.text,
        "words": one.text if where is None else words(where.match, one),
        "player": one.player,
        "kind": one.kind,
        "said": one.said,
        "assisted": one.assisted,
        "verdict": one.verdict,
        "wrong": "" if where is None else wrong(where.match, one),
        "sampled": one.copies,
        "value": one.value,
        "low": None if estimate is None else estimate.low,
        "high": None if estimate is None else estimate.high,
        "n": len(one.rewards),
        "outcomes": {key or "unfinished": count for key, count in outcomes(one.rollouts).items()},
        "rollouts": [
            {"episode": each.episode, "outcome": each.outcome, "reason": each.reason, "reward": each.reward}
            for each in one.rollouts
        ],
    }
