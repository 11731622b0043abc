"""Comparisons to publish: JSON, CSV, markdown and words. Every row has its figures, its interval and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evaluation.compare import MEASURES, Aborted, Comparison, Difference, GameComparison, Measure, Side
from evaluation.intervals import LEAST, RESAMPLES
from evaluation.report import Source, as_csv, as_markdown, facts, hash_of, interval, told, value
from evaluation.results import SEED

FORMAT = "playpen-tui comparison 1"
COUNTED = {
    "zero": "quality counts an aborted episode as 0 (--aborted omit takes only pairs that both played)",
    "omit": "quality is compared only where both played (--aborted zero counts an aborted episode as 0)",
}


def method(aborted: Aborted) -> str:
    """How it was compared, in words."""
    return (
        "paired on instance, seat and partner; 95% intervals from a bootstrap of whole instances "
        f"({RESAMPLES:,} resamples, seed {SEED}), none below {LEAST} instances; p by exchanging signs per instance, "
        "for success McNemar's exact test; words after Holm's correction over games and pairs of models; more: how "
        f"many further instances would separate them with 80% power, given the spread seen; {COUNTED[aborted]}"
    )


def _p(found: float | None) -> float | None:
    return None if found is None else float(f"{found:.4g}")


def difference_cells(found: Difference | None) -> dict[str, Any] | None:
    """One difference as JSON values."""
    if found is None:
        return None
    return {
        "value": round(found.value, 2),
        "interval": None if found.low is None or found.high is None else [round(found.low, 2), round(found.high, 2)],
        "p": _p(found.p),
        "p_holm": _p(found.adjusted),
        "pairs": found.pairs,
        "instances": found.instances,
        "word": found.word,
        "more_instances": found.more,
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "episodes": len(side.episodes),
        "played": value(side.played),
        "played_interval": interval(side.played),
        "quality": value(side.quality),
        "quality_interval": interval(side.quality),
        "success": value(side.success),
        "success_interval": interval(side.success),
        "episode_ids": list(side.episodes),
    }


def _game(game: GameComparison) -> dict[str, Any]:
    return {
        "game": game.game,
        "pairs": game.pairs,
        "instances": game.instances,
        "first": _side(game.first),
        "second": _side(game.second),
        "differences": {measure: difference_cells(game.differences[measure]) for measure in MEASURES},
        "discordant": {
            "first_only": game.discordant.first,
            "second_only": game.discordant.second,
            "p": _p(game.discordant.p),
        },
    }


def document(found: Sequence[Comparison], source: Source, aborted: Aborted) -> dict[str, Any]:
    """The comparisons as JSON values."""
    return {
        "format": FORMAT,
        "aborted": aborted,
        "filters": told(source.filters),
        "database": source.database,
        "left_out": source.left_out._asdict(),
        "method": method(aborted),
        "pairs": [
            {
                "first": pair.first,
                "second": pair.second,
                "differ": [game.game for game in pair.games if _said(game) in ("higher", "lower")],
                "games": [_game(game) for game in pair.games],
                "scores": [
                    {
                        "score": one.score,
                        "games": list(one.games),
                        "first": one.first,
                        "second": one.second,
                        "difference": difference_cells(one.difference),
                    }
                    for one in pair.scores
                ],
                "without_counterpart": {game: list(number) for game, number in pair.apart.items()},
            }
            for pair in found
        ],
    }


def _said(game: GameComparison, measure: Measure = "quality") -> str:
    found = game.differences[measure]
    return found.word if found is not None else ""


def spoken_difference(found: Difference | None) -> str:
    """`+32.9 (20.3–45.3) ▲ higher`."""
    if found is None:
        return "–"
    bounds = "" if found.low is None or found.high is None else f" ({found.low:+.1f} to {found.high:+.1f})"
    return f"{found.value:+.1f}{bounds} {found.short}"


def grid(pair: Comparison) -> tuple[list[str], list[list[str]]]:
    """One pair of models in words: its head and its rows, the products last."""
    head = ["game", "instances", "played %", "", "quality", ""]
    head += [f"{measure}, difference" for measure in ("played", "quality", "success")] + ["only one won", "p"]
    rows = [
        [
            game.game,
            str(game.instances),
            f"{game.first.played.value:.1f}",
            f"{game.second.played.value:.1f}",
            "–" if game.first.quality is None else f"{game.first.quality.value:.1f}",
            "–" if game.second.quality is None else f"{game.second.quality.value:.1f}",
            spoken_difference(game.differences["played"]),
            spoken_difference(game.differences["quality"]),
            spoken_difference(game.differences["success"]),
            f"{game.discordant.first} : {game.discordant.second}",
            f"{game.discordant.p:.2g}",
        ]
        for game in pair.games
    ]
    for one in pair.scores:
        numbers = ["", "", f"{one.first:.2f}", f"{one.second:.2f}"]
        rows.append(
            [one.score, str(one.difference.instances), *numbers, "", spoken_difference(one.difference), "", "", ""]
        )
    return head, rows


def summary(pair: Comparison) -> list[str]:
    """What differs beyond luck, in sentences."""
    words: dict[str, list[str]] = {}
    for game in pair.games:
        sentence = str(game.differences["quality"]).removeprefix("not significant").strip(", ")
        more = f" ({sentence})" if _said(game) == "not significant" and sentence else ""
        words.setdefault(_said(game), []).append(game.game + more)
    lines: list[str] = []
    for word, sentence in (
        ("higher", "better in quality"),
        ("lower", "worse in quality"),
        ("not significant", "not significant"),
        ("too few", f"too few instances (below {LEAST})"),
    ):
        if games := words.get(word):
            lines.append(f"{pair.first} {sentence}: {', '.join(games)}")
    if pair.apart:
        parts = (f"{game} {one} and {other}" for game, (one, other) in pair.apart.items())
        lines.append(f"without a counterpart, left out: {', '.join(parts)}")
    return lines


def csv_text(found: Sequence[Comparison], source: Source) -> str:
    """CSV, one row a pair of models, game and measure; ids as their number and hash."""
    rows: list[dict[str, Any]] = []
    for pair in found:
        for game in pair.games:
            for measure in MEASURES:
                sides = {"first": game.first, "second": game.second}
                values = {name: value(getattr(side, measure)) for name, side in sides.items()}
                hashes = {f"{name}_hash": hash_of(side.episodes) for name, side in sides.items()}
                counts = {f"{name}_episodes": len(side.episodes) for name, side in sides.items()}
                some = _flat(game.differences[measure])
                rows.append(
                    {"a": pair.first, "b": pair.second, "game": game.game, "measure": measure, **values, **some}
                    | {"a_only": game.discordant.first, "b_only": game.discordant.second, **counts, **hashes}
                )
        for one in pair.scores:
            rows.append(
                {"a": pair.first, "b": pair.second, "game": f"all: {' '.join(one.games)}", "measure": one.score}
                | {"first": one.first, "second": one.second, **_flat(one.difference)}
            )
    return as_csv(rows, source)


def _flat(found: Difference | None) -> dict[str, Any]:
    cells = dict(difference_cells(found) or {})
    low, high = cells.pop("interval", None) or (None, None)
    return {"difference": cells.pop("value", None), "low": low, "high": high, **cells}


def markdown_text(found: Sequence[Comparison], source: Source, aborted: Aborted) -> str:
    """A markdown table a pair of models, and where it comes from."""
    lines: list[str] = []
    for pair in found:
        head, rows = grid(pair)
        first, second = (" ".join(name.split()) for name in (pair.first, pair.second))
        head[2:6] = [f"played, {first}", f"played, {second}", f"quality, {first}", f"quality, {second}"]
        hashes = [f"{hash_of(game.first.episodes)} {hash_of(game.second.episodes)}" for game in pair.games]
        hashes += [""] * (len(rows) - len(hashes))
        lines += [f"## {first} against {second}", ""]
        lines += as_markdown(
            [*head, "episodes (hashes)"], [[*row, last] for row, last in zip(rows, hashes, strict=True)]
        )
        lines += ["", *(f"* {sentence}" for sentence in summary(pair)), ""]
    lines += [f"* {fact}" for fact in facts(source, method(aborted))]
    return "\n".join(lines) + "\n"
