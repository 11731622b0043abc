"""Agreement to publish: as JSON, as tables of words, and what they mean in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from evaluation.agreement import SEED, AgreementReport, Disputed, GroupRow, JudgeRow, PairRow
from evaluation.coefficients import LEAST, Coefficient
from evaluation.intervals import RESAMPLES, Estimate

FORMAT = "playpen-tui agreement 1"
DIGITS = 4
METHOD = (
    "first judgements only, repeats apart; verdicts a, b, tie, bad are nominal and a skip is missing; strength is "
    "ordinal (a much better, a, tie, b, b much better), bad and skip missing; alpha is Krippendorff's, kappa Cohen's "
    "for exactly two, AC1 Gwet's over the verdicts that were used; 95% intervals from a bootstrap of whole items "
    f"({RESAMPLES:,} resamples, seed {SEED}), of rates Wilson's; no coefficient below {LEAST} items that two judged"
)


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def rate_cells(found: Estimate | None) -> dict[str, Any] | None:
    """A rate from 0 to 1 as JSON values."""
    if found is None:
        return None
    interval = None if found.low is None or found.high is None else [_round(found.low), _round(found.high)]
    return {"value": _round(found.value), "interval": interval, "n": found.n}


def coefficient_cells(found: Coefficient | None) -> dict[str, Any] | None:
    """A coefficient as JSON values; `value` is null and `why` says so where there is none."""
    if found is None:
        return None
    interval = None if found.low is None or found.high is None else [_round(found.low), _round(found.high)]
    cells = {"value": _round(found.value), "interval": interval, "items": found.items, "overlaps": found.overlaps}
    return cells | ({"why": found.why} if found.why else {})


def _judge(row: JudgeRow) -> dict[str, Any]:
    rates = ("left", "ties", "bad", "skips", "consistency", "gold")
    return {
        "judge": row.name,
        "kind": row.kind,
        "items": row.items,
        "votes": row.votes,
        "items_per_minute": _round(row.pace),
        "median_seconds": _round(row.seconds),
        **{name: rate_cells(getattr(row, name)) for name in rates},
        "same_side_twice": row.same_side,
        "early": row.early,
        "slow": row.slow,
        "fast": row.fast,
        "flagged": row.flagged,
    }


def _pair(row: PairRow) -> dict[str, Any]:
    names = ("raw", "kappa", "alpha", "ac1")
    return {"first": row.first, "second": row.second} | {name: coefficient_cells(getattr(row, name)) for name in names}


def _group(row: GroupRow) -> dict[str, Any]:
    return {
        "annotators": row.judges,
        "raw": coefficient_cells(row.raw),
        "kappa": coefficient_cells(row.kappa),
        "alpha": coefficient_cells(row.alpha),
        "alpha_strength": coefficient_cells(row.strength),
        "ac1": coefficient_cells(row.ac1),
        "commonest": row.commonest or None,
        "prevalence": _round(row.prevalence),
        "skewed": row.skewed,
    }


def _disputed(one: Disputed) -> dict[str, Any]:
    place = one.place
    return {
        "item": one.item,
        "kind": place and place.kind,
        "game": place and place.game,
        "episode": place and place.episode,
        "ply": place and place.ply,
        "role": place and place.role,
        "votes": [{"annotator": judge, "verdict": verdict, "much": much} for judge, verdict, much in one.votes],
        "settled": one.settled,
    }


def document(found: AgreementReport) -> dict[str, Any]:
    """The report as JSON values."""
    return {
        "format": FORMAT,
        "queues": list(found.queues),
        "items": found.items,
        "judged": found.judged,
        "votes": found.votes,
        "withdrawn": found.withdrawn,
        "method": METHOD,
        "annotators": [_judge(row) for row in found.people],
        "between": _group(found.among_people),
        "pairs": [_pair(row) for row in found.pairs],
        "models": [_judge(row) for row in found.models],
        "models_with_people": [_pair(row) for row in found.with_people],
        "disputed": [_disputed(one) for one in found.disputed],
    }


def spoken_rate(found: Estimate | None) -> str:
    """`48% (39–57)`, `50% of 4` where there are too few for an interval, or a dash."""
    if found is None:
        return "–"
    if found.low is None or found.high is None:
        return f"{100 * found.value:.0f}% of {found.n}"
    return f"{100 * found.value:.0f}% ({100 * found.low:.0f}–{100 * found.high:.0f})"


def spoken(found: Coefficient | None, percent: bool = False) -> str:
    """`0.71 (0.62 to 0.79)`, or why there is none."""
    if found is None:
        return "–"
    if not percent or found.value is None:
        return str(found)
    factor = [None if one is None else 100 * one for one in found[:3]]
    value, low, high = factor
    return f"{value:.0f}%" + ("" if low is None or high is None else f" ({low:.0f}–{high:.0f})")


def judges_grid(rows: Sequence[JudgeRow]) -> tuple[list[str], list[list[str]]]:
    """Judges by themselves: head and rows."""
    head = [
        "judge",
        "items",
        "per min",
        "median s",
        "left",
        "tie",
        "bad",
        "skip",
        "consistent",
        "gold",
        "early",
        "odd times",
    ]
    return head, [
        [
            row.name,
            str(row.items),
            "–" if row.pace is None else f"{row.pace:.1f}",
            "–" if row.seconds is None else f"{row.seconds:.1f}",
            spoken_rate(row.left),
            *("–" if rate is None else f"{100 * rate.value:.0f}%" for rate in (row.ties, row.bad, row.skips)),
            spoken_rate(row.consistency),
            spoken_rate(row.gold),
            str(row.early),
            str(row.slow + row.fast),
        ]
        for row in rows
    ]


def group_grid(row: GroupRow) -> tuple[list[str], list[list[str]]]:
    """All people together: one row a coefficient."""
    named: list[tuple[str, Coefficient | None, bool]] = [
        ("raw agreement", row.raw, True),
        ("Cohen's kappa", row.kappa, False),
        ("Krippendorff's alpha, verdict", row.alpha, False),
        ("Krippendorff's alpha, strength", row.strength, False),
        ("Gwet's AC1", row.ac1, False),
    ]
    return ["between people", "value (95%)", "items", "overlaps"], [
        [name, spoken(found, percent), str(found.items), str(found.overlaps)]
        for name, found, percent in named
        if found is not None
    ]


def pairs_grid(rows: Sequence[PairRow]) -> tuple[list[str], list[list[str]]]:
    """Two and two: head and rows."""
    return ["first", "second", "overlaps", "raw", "kappa", "alpha", "AC1"], [
        [
            row.first,
            row.second,
            str(row.raw.overlaps),
            spoken(row.raw, percent=True),
            *(spoken(one) for one in (row.kappa, row.alpha, row.ac1)),
        ]
        for row in rows
    ]


def disputed_line(one: Disputed) -> str:
    """`taboo, describer, ply 2: a 2 : b 1 – open`, with the item's id behind."""
    where = f"{one.place.game}, {one.place.role}, ply {one.place.ply}" if one.place else "item"
    counts = Counter(verdict for _, verdict, _ in one.votes)
    votes = " : ".join(f"{verdict} {count}" for verdict, count in counts.most_common())
    return f"{where}: {votes} – {f'settled as {one.settled}' if one.settled else 'open'} ({one.item})"


def summary(found: AgreementReport) -> list[str]:
    """What stands out, in sentences."""
    lines: list[str] = []
    row = found.among_people
    if row.skewed and row.raw.value is not None:
        lines.append(
            f"{100 * row.prevalence:.0f}% of all verdicts are {row.commonest!r}: kappa and alpha are low for that "
            "alone; AC1 is the one to read"
        )
    for judge in (*found.people, *found.models):
        lines += [f"{judge.name}: {line}" for line in _remarks(judge)]
    still = sum(one.settled is None for one in found.disputed)
    if still:
        lines.append(
            f"{still} disputed item{'' if still == 1 else 's'} not settled; `annotate adjudicate` settles them"
        )
    if found.withdrawn:
        lines.append(f"left out: {found.withdrawn} verdicts of people who withdrew their consent")
    return lines


def _remarks(judge: JudgeRow) -> list[str]:
    found: list[str] = []
    if judge.left and judge.left.low is not None and judge.left.high is not None:
        side = "left" if judge.left.low > 0.5 else "right" if judge.left.high < 0.5 else ""
        if side:
            found.append(f"takes the {side} side more often than chance would, {spoken_rate(judge.left)} left")
    if judge.same_side:
        found.append(
            f"chose the same side, not the same reply, in {judge.same_side} of {_n(judge.consistency)} repeats"
        )
    if judge.gold and judge.gold.high is not None and judge.gold.high < 0.8:
        found.append(f"right in only {spoken_rate(judge.gold)} of items with a known answer")
    if judge.early and judge.early > 0.1 * judge.votes:
        found.append(f"{judge.early} of {judge.votes} votes came before both sides could be read")
    return found


def _n(found: Estimate | None) -> int:
    return found.n if found else 0


def plain_tables(found: AgreementReport) -> list[tuple[str, tuple[list[str], list[list[str]]]]]:
    """The tables with their titles, empty ones left out."""
    people = len(found.people)
    name = ", ".join(found.queues) or "no queue"
    title = f"{name}: {found.judged} of {found.items} items judged by {people} {'person' if people == 1 else 'people'}"
    tables = [(title, judges_grid(found.people))]
    if people > 1:
        tables.append(("", group_grid(found.among_people)))
    if found.pairs and people > 2:
        tables.append(("two and two", pairs_grid(found.pairs)))
    if found.models:
        tables.append(("models as judges, apart from people", judges_grid(found.models)))
        tables.append(("models against what people say", pairs_grid(found.with_people)))
    return tables
