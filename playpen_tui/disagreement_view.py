"""Where people and games disagree, in words: for the commands, their JSON, and the screens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from evaluation.agreement_report import rate_cells
from evaluation.disagreement import DisagreementReport
from evaluation.intervals import Estimate, mean_return
from playpen_tui.branch_view import number
from playpen_tui.plain_text import plain, short
from playpen_tui.theme import GLYPHS

if TYPE_CHECKING:
    from store.disagreement import Contender, Letter, Pair

FORMAT = "playpen-tui disagreement 1"
DECIDED = {"a": "A", "b": "B", "tie": "a tie", "bad": "both bad"}


def other(letter: Letter) -> Letter:
    """The other side."""
    return "b" if letter == "a" else "a"


def against(pair: Pair) -> Letter:
    """The side that people prefer and the games do not. Only where they disagree."""
    assert pair.preferred is not None
    return pair.preferred


def estimate(pair: Pair, letter: Letter) -> Estimate | None:
    """What a side came to by its rollouts; None where the pair is measured otherwise."""
    return mean_return(pair.side(letter).rewards) if pair.measure == "rollouts" else None


def came_to(pair: Pair, letter: Letter) -> str:
    """`0.25 [0.07, 0.59] of 8` by rollouts; `✗ failure, 0.00` by the game in which it was said; or that it is open."""
    side = pair.side(letter)
    if (value := estimate(pair, letter)) is not None:
        return f"{number(value)} of {value.n}"
    return ended(side) if pair.measure else "not known"


def ended(side: Contender) -> str:
    """How the game ended in which it was said."""
    if side.outcome is None:
        return "not known"
    reward = "" if side.reward is None else f", {side.reward:.2f}"
    return f"{GLYPHS[side.outcome]} {side.outcome}{reward}"


def judges(pair: Pair) -> str:
    """Who judged: `A 2, B 1, tie 1`, and `; adjudicated: B, over the votes`, which counts alone."""
    votes = pair.tally
    names = (("a", "A"), ("b", "B"), ("tie", "tie"), ("bad", "both bad"))
    said = ", ".join(f"{name} {votes[key]}" for key, name in names if votes[key]) or "no vote"
    if pair.decision is None:
        return said
    return f"{said}; adjudicated: {DECIDED[pair.decision.verdict]}{_beside_votes(pair)}"


def _beside_votes(pair: Pair) -> str:
    """How a decision stands to the votes."""
    a, b = pair.tally["a"], pair.tally["b"]
    if pair.decision is None or a == b:
        return ""
    return ", with the votes" if pair.decision.verdict == ("a" if a > b else "b") else ", over the votes"


def preference(pair: Pair) -> str:
    """Who prefers the side that people prefer: `preferred by 2 of 3 people`, `adjudicated, over the votes (1 of 3)`."""
    many = f"{pair.tally[against(pair)]} of {len(pair.votes)}"
    if pair.decision is None:
        return f"preferred by {many} {'person' if len(pair.votes) == 1 else 'people'}"
    return f"adjudicated to be better{_beside_votes(pair)}" + (f" ({many} people prefer it)" if pair.votes else "")


def chances(pair: Pair) -> str:
    """Whether so wide a gap may be chance; empty where there are no rollouts to say so."""
    from training.branched import CHANCE, chance

    if pair.measure != "rollouts":
        return ""
    p = chance(pair.a.rewards, pair.b.rewards)
    return f"{'beyond chance' if p < CHANCE else 'may be chance'}, p {p:.2g}"


def reasons(pair: Pair, beside: bool = True) -> list[str]:
    """Why it is called a disagreement, and why it was asked about, in sentences."""
    mine = against(pair)
    yours = other(mine)
    left, right = ("left", "right") if beside else ("upper", "lower")
    names = {"a": left, "b": right}
    if pair.measure == "rollouts":
        came = (
            f"played on from there, it came to {came_to(pair, mine)} and the {names[yours]} to {came_to(pair, yours)}"
        )
        came += f" ({chances(pair)})"
    else:
        came = f"its game ended as {ended(pair.side(mine))}, that of the {names[yours]} as {ended(pair.side(yours))}"
    found = [f"the {names[mine]} is {preference(pair)}; {came}"]
    if pair.measure == "rollouts" and pair.a.outcome and pair.b.outcome and pair.a.reward != pair.b.reward:
        found.append(f"as they were played: {left} {ended(pair.a)}, {right} {ended(pair.b)}")
    if pair.why:
        found.append(f"asked about, since {pair.why}")
    found.append(f"judged in {', '.join(pair.queues)}" if pair.queues else "judged while a game was played or watched")
    return found


def counts(found: DisagreementReport) -> str:
    """`18 agree · 4 disagree · 6 undecided`."""
    return f"{found.agree:,} agree · {found.disagree:,} disagree · {found.open:,} undecided"


def share(found: DisagreementReport) -> str:
    """How often they disagree, in a sentence."""
    rate, told = found.share, found.agree + found.disagree
    if rate is None:
        return "no pair has both a preference of people and an outcome"
    many = f"{told:,} pair{'' if told == 1 else 's'} that can be told"
    if rate.low is None or rate.high is None:
        return f"{found.disagree:,} of {many} (too few for an interval)"
    return f"{100 * rate.value:.0f}% [{100 * rate.low:.0f}, {100 * rate.high:.0f}] of {many}"


def undecided(found: DisagreementReport) -> str:
    """Why some cannot be told: `both came to the same (4), people are split evenly (2)`."""
    return ", ".join(f"{reason} ({many:,})" for reason, many in found.undecided.items())


def document(found: DisagreementReport, queue: str | None, words: Mapping[str, str]) -> dict[str, Any]:
    """The report for `--json`; `words` are candidates as people read them."""
    return {
        "format": FORMAT,
        "queue": queue,
        "pairs": found.pairs,
        "counts": {"agree": found.agree, "disagree": found.disagree, "undecided": found.open},
        "undecided": found.undecided,
        "share": rate_cells(found.share),
        "withdrawn": found.withdrawn,
        "disagree": [_pair(one, words) for one in found.disagreeing],
    }


def _pair(pair: Pair, words: Mapping[str, str]) -> dict[str, Any]:
    decided = pair.decision
    return {
        "item": pair.item or None,
        "kind": pair.kind,
        "queues": list(pair.queues),
        "game": pair.game,
        "role": pair.role,
        "episode": pair.episode,
        "ply": pair.ply,
        "votes": {key: pair.tally[key] for key in ("a", "b", "tie", "bad")},
        "people": len(pair.votes),
        "adjudicated": None
        if decided is None
        else {"verdict": decided.verdict, "by": decided.by, "reason": decided.reason},
        "measure": pair.measure,
        "prefer": pair.preferred,
        "came_to_more": pair.favoured,
        "a": _side(pair, "a", words),
        "b": _side(pair, "b", words),
        "at": pair.at,
    }


def _side(pair: Pair, letter: Letter, words: Mapping[str, str]) -> dict[str, Any]:
    side = pair.side(letter)
    value = mean_return(side.rewards)
    return {
        "candidate": side.candidate,
        "episode": side.episode,
        "ply": side.ply,
        "text": side.text,
        "words": words.get(side.candidate, side.text),
        "value": None if value is None else value.value,
        "low": None if value is None else value.low,
        "high": None if value is None else value.high,
        "n": len(side.rewards),
        "outcome": side.outcome,
        "reward": side.reward,
    }


def lines(found: DisagreementReport, words: Mapping[str, str], width: int = 100) -> list[str]:
    """The report as plain lines, three a pair: where it is, what people prefer, what came to more."""
    told: list[str] = []
    for one in found.disagreeing:
        told.append(plain(f"{one.game}, {one.role}, ply {one.ply}, episode {one.episode}: {judges(one)}"))
        sides: tuple[tuple[str, Letter], ...] = (("people", against(one)), ("game", other(against(one))))
        for who, letter in sides:
            text = short(words.get(one.side(letter).candidate, one.side(letter).text), width)
            told.append(f"  {who:<6}  {letter.upper()}  {came_to(one, letter)}  {text}")
    told.append(f"{counts(found)}: {share(found)}")
    if found.undecided:
        told.append(f"undecided: {undecided(found)}")
    if found.withdrawn:
        told.append(f"left out: {found.withdrawn:,} votes of people who took their consent back")
    return told
