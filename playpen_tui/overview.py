"""What Home shows: what goes on or can go on, and what ended last, each in a line read from the log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from games import catalog
from players.elsewhere import OPEN
from playpen_tui.plain_text import bare
from playpen_tui.sitting import HUMAN, Setup
from store import trainings

if TYPE_CHECKING:
    from store.log import Log
    from store.records import EpisodeRow, RunRow
    from store.trainings import TrainingRow

SILENCE = 15.0
"""Seconds after which a run that says it is running is taken for dead."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An episode that can go on, a self-play run (`run`) that goes on or stands still, or a `training` that goes on."""

    episode: str
    line: str
    run: str | None = None
    training: str | None = None


@dataclass(frozen=True, slots=True)
class Recent:
    """A finished episode in one line."""

    episode: str
    game: str
    players: tuple[str, ...]
    outcome: str | None
    verdict: str
    when: str


@dataclass(frozen=True, slots=True)
class Overview:
    """What Home shows."""

    place: str
    default: Setup
    unfinished: tuple[Unfinished, ...]
    recent: tuple[Recent, ...]
    more: int = 0
    """Runs that stand still or go on and are not named."""


def overview(log: Log, first: Setup) -> Overview:
    """What Home shows of this log; `first` is offered to whoever has not played yet. Blocks; raises LogError."""
    unfinished, recent = log.queries.unfinished(7, kinds=("play",)), log.queries.recent(50)
    runs = [row for row in log.queries.runs(20, kind="self_play") if row.progress]
    standing = [row for row in runs if row.progress and row.progress.done < row.progress.planned]
    trained = [line for row in trainings.recent(log, 10) if (line := _training(log, row)) is not None]
    last = next((row for row in recent if row.people), None)
    over = [row for row in recent if row.outcome is not None]
    many = log.queries.counts().episodes
    return Overview(
        place=f"{log.path.name} · {many:,} episode{'' if many == 1 else 's'}",
        default=_again(last) or first,
        unfinished=(
            *(Unfinished(row.id, _going(row)) for row in unfinished),
            *(Unfinished("", _running(row), row.id) for row in standing[:3]),
            *trained[:3],
        ),
        recent=tuple(
            Recent(row.id, row.game, tuple(seated(row)), row.outcome, verdict(row), when(row.last_at))
            for row in over[:12]
        ),
        more=max(0, len(standing) - 3),
    )


def _again(last: EpisodeRow | None) -> Setup | None:
    """The same table as last time, where its game is here."""
    if last is None or last.game not in catalog.names() or set(last.seats) != set(catalog.get(last.game).roles):
        return None
    return Setup(last.game, dict(last.seats), language=last.language)


def seated(row: EpisodeRow) -> list[str]:
    """Who sat there, each once; people are `you`, settings are left out."""
    found: list[str] = []
    for name in row.seats.values():
        person = "another terminal" if name == OPEN else "you"
        found.append(person if name.startswith(HUMAN) else bare(name))
    return list(dict.fromkeys(found))


def _going(row: EpisodeRow) -> str:
    return f"{row.game} · {' · '.join(seated(row))} · turn {row.plies + 1} · {when(row.last_at)}"


def _running(row: RunRow) -> str:
    """`self-play 01JD… · 812 of 2,000 · running`."""
    told = row.progress
    assert told is not None
    return f"self-play {row.id[:10]} · {told.done:,} of {told.planned:,} · {told.word(SILENCE)}"


def _training(log: Log, row: TrainingRow) -> Unfinished | None:
    """`training taboo-sft · step 34 of 60 · running`; None where its process has ended."""
    now = trainings.state_of(log, row)
    if now not in ("queued", "running", "paused", "stalled"):
        return None
    told = row.progress
    step = f"step {told.done:,} of {told.planned:,} · " if told is not None and told.planned else ""
    name = row.config.get("name") or row.method
    return Unfinished("", f"training {name} · {step}{now}", training=row.id)


def verdict(row: EpisodeRow) -> str:
    """Why an episode ended, or how, and its main score."""
    score = "" if row.main is None else f" · {row.main:.4g}"
    return f"{row.reason or row.outcome}{score}"


def when(moment: str) -> str:
    """A moment of the log as people of this day say it: the time, yesterday, or the day."""
    local = datetime.fromisoformat(moment).astimezone()
    days = (datetime.now().astimezone().date() - local.date()).days
    return f"{local:%H:%M}" if days == 0 else "yesterday" if days == 1 else f"{local:%Y-%m-%d}"
