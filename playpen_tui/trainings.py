"""Trainings as screens show them: the list, how one stands, its curves and games, and orders to its process.

All that is known of a training comes from the log and from its folder, so that a screen may close and come back. No
screen, and no torch.
"""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Literal, TypeAlias

from players.registry import Registry
from playpen_tui.curves import Curve
from playpen_tui.overview import SILENCE, when
from store import metrics, trainings
from store.filters import Filters
from store.log import Log
from store.records import EpisodeRow
from store.trainings import Checkpoint, Now, TrainingRow

Order: TypeAlias = Literal["pause", "go", "stop", "save"]
WORDS: Mapping[Now, tuple[str, str, str]] = {
    "queued": ("…", "queued", "$secondary"),
    "running": ("●", "running", "$accent"),
    "paused": ("‖", "paused", "$warning"),
    "stalled": ("?", "stalled", "$warning"),
    "stopped": ("■", "stopped", "$warning"),
    "crashed": ("⊘", "crashed", "$error"),
    "failed": ("✗", "failed", "$error"),
    "diverged": ("↗", "diverged", "$error"),
    "done": ("✓", "finished", "$success"),
}
"""Glyph, word and colour of how a training stands."""
GOING: frozenset[Now] = frozenset({"queued", "running", "paused", "stalled"})
"""Its process is there, or may be."""
REWARD = ("reward", "rewards/margins")
SUMS = re.compile(r"train_|total_flos$")
"""Curves of one point, which sum a training up."""
FIRST = ("loss", "reward", "rewards/margins", "eval_loss", "kl", "grad_norm", "mean_token_accuracy", "entropy")
"""Curves that are shown before the others."""
GAMES, ROLLOUTS, LINES, RUNS = 40, 8, 200, 8
"""Games of checkpoints, games of the learner at work, lines of the process's own words, and evaluations that are
looked through, at most."""
SEVERAL = 4
"""Games of one checkpoint at least: where there are many checkpoints, the latest have them."""
SPEEDS = 30
"""Of its latest steps so many tell how fast it reads."""
SLOW = 3
"""A step so many times slower than the usual one held something else, such as the matches of a checkpoint."""
THERE = "r goes on"
HINTS = (
    (
        r"out of memory|not enough memory|bad_alloc|cannot allocate memory|memoryerror",
        "lower steps.batch and raise steps.accumulate, or lower steps.max_length",
    ),
    (r"space left", "make room on the disk; what was saved before is safe, and " + THERE),
    (
        r"cuda (driver )?error|nvidia driver",
        "look at the driver and at who else uses the card, or train with machine.device = cpu",
    ),
    (r"modulenotfounderror|training needs ", "install what is missing: pip install 'playpen-tui[train]'"),
    (r"is locked", f"another program holds the log; close it, then {THERE}"),
)
"""Words of a process that crashed, and what helps: libraries name most of these things where nothing is wrong, too."""
ENDING = 12
"""Of its last lines so many may tell why it ended."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the list of trainings."""

    row: TrainingRow
    now: Now
    measured: tuple[str, float] | None
    """Name and last value of its reward, or of its loss."""
    eta: float | None
    """Seconds that are left; None where nobody knows."""


def listed(log: Log, limit: int = 200) -> list[Item]:
    """The trainings of the log, newest first."""
    found: list[Item] = []
    for row in trainings.recent(log, limit):
        now = trainings.state_of(log, row)
        values = ((name, metrics.latest(log, row.id, name)) for name in (*REWARD, "loss"))
        measured = next(((name, value) for name, value in values if value is not None), None)
        found.append(Item(row, now, measured, None if now != "running" else left(row)))
    return found


def left(row: TrainingRow, since: tuple[int, float] = (0, 0.0)) -> float | None:
    """Seconds until its end at its pace since `since` (steps, seconds of its process); None where nobody knows."""
    told = row.progress
    if told is None or not told.planned or told.done <= since[0] or told.seconds <= since[1]:
        return None
    return (told.planned - told.done) * (told.seconds - since[1]) / (told.done - since[0])


def name_of(row: TrainingRow) -> str:
    """What the result is called."""
    return str(row.config.get("name") or row.result or row.id[:10])


def step_of(row: TrainingRow) -> str:
    """`34 of 60`."""
    told = row.progress
    return f"{told.done:,} of {told.planned:,}" if told is not None and told.planned else "–"


def started(row: TrainingRow) -> str:
    """When it began, as people of this day say it."""
    return when(row.created_at)


@dataclass(frozen=True, slots=True)
class Preflight:
    """What was known before the first step: its figures, as `training.preflight.table` has them, and lines of them."""

    figures: Mapping[str, Any]
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """A game played during a training; `step` of its checkpoint, None where the learner was at work."""

    step: int | None
    row: EpisodeRow


@dataclass(frozen=True, slots=True)
class Sight:
    """All that a dashboard shows. `curves` grow in place."""

    row: TrainingRow
    now: Now
    curves: Mapping[str, Curve]
    checkpoints: tuple[Checkpoint, ...]
    samples: tuple[Sample, ...]
    warnings: tuple[str, ...]
    words: tuple[str, ...]
    """The last lines of its process."""
    why: str
    """How it ended, where it did not end well."""
    eta: float | None
    speed: float | None = None
    """Tokens that it reads in a second of its steps; None where nobody has watched a few."""
    preflight: Preflight | None = None
    """None until its process has made it."""
    playing: str = ""
    """How far base and result are in playing the same instances; empty where they do not."""

    @property
    def hint(self) -> str:
        """What may help where it crashed, failed, diverged or is stalled; else empty."""
        last = max((one.step for one in self.checkpoints if one.there), default=None)
        there = "the beginning" if last is None else f"its last checkpoint, step {last:,}"
        return hint(self.now, self.why, self.words).replace(THERE, f"r goes on from {there}")


def hint(now: Now, why: str, words: Iterable[str]) -> str:
    """A way out, in a few words; `THERE` in it is where a resumed one begins."""
    if now == "diverged":
        return f"lower steps.learning_rate or steps.clip in the recipe and train anew, or {THERE}"
    if now == "stalled":
        return f"its process is silent: a long step, a machine asleep, or another machine; X ends it, then {THERE}"
    if now == "queued":
        return "it loads the model and reads its rows; the first step follows"
    if now not in ("crashed", "failed"):
        return ""
    said = f"{why} {' '.join([*words][-ENDING:])}".casefold()
    for pattern, help in HINTS:
        if re.search(pattern, said):
            return help
    if now == "crashed" and not why:
        return f"its process is gone without a word, often since the machine ran out of memory; {THERE}"
    return f"the last lines on this screen say more; {THERE}"


class Watcher:
    """Follows one training. `look` belongs into a thread; only what is new is read."""

    def __init__(self, log: Log, training: str) -> None:
        self._log = log
        self.row = trainings.get(log, training)
        self._curves: dict[str, Curve] = {}
        self._pace: tuple[int, float] | None = None
        self._tokens: int | None = None
        self._reads: deque[tuple[float, int]] = deque(maxlen=SPEEDS)
        self._preflight: tuple[str, Preflight] | None = None
        self._samples: tuple[Sample, ...] = ()
        self._turn = 0

    def look(self) -> Sight:
        """How it stands. Raises LogError."""
        log = self._log
        row = self.row = trainings.get(log, self.row.id)
        now = trainings.state_of(log, row)
        told = row.progress
        if told is not None and told.done < max((curve.last for curve in self._curves.values()), default=0) - 1:
            self._curves = {}  # it was resumed from a checkpoint before: what came after that is measured again
            self._pace = None
        if told is not None and (self._pace is None or told.seconds < self._pace[1]):
            self._pace = (told.done, told.seconds)
        if told is not None:
            self._read(told.seconds, told.tokens_in)
        for name in metrics.names(log, row.id):
            curve = self._curves.setdefault(name, Curve(name))
            for piece in metrics.beyond(log, row.id, name, curve.last):
                for step, value in piece:
                    curve.add(step, value)
                time.sleep(0)  # let the screen have its turn
        saved = tuple(trainings.checkpoints(log, row.id))
        if self._turn % 4 == 0:
            self._samples = samples(log, row, saved)
        self._turn += 1
        eta = None
        if now == "running":
            eta = left(row, self._pace or (0, 0.0)) or left(row)
        events = trainings.events(log, row.id, ("start", "preflight", "warning", "end"))
        last = next((event for event in reversed(events) if event.kind in ("start", "end")), None)
        ended = last.value if last is not None and last.kind == "end" else {}  # else of the process before
        folder = folder_of(row)
        words = last_words(folder) if folder is not None else str(ended.get("log", ""))
        why = str(ended.get("why") or "") if now not in (*GOING, "done") else ""
        return Sight(
            row,
            now,
            self._curves,
            saved,
            self._samples,
            tuple(f"step {one.step:,}: {_said(one.value)}" for one in events if one.kind == "warning"),
            tuple(words.splitlines()),
            why,
            eta,
            speed(self._reads),
            self._before(events),
            playing(log, row) if now in ("done", "stopped") else "",
        )

    def _read(self, seconds: float, tokens: int) -> None:
        """Remember when it had read how much; what it had read already at the first look, it read at another moment."""
        if self._tokens is not None and tokens < self._tokens:
            self._reads.clear()
        elif self._tokens is not None and tokens > self._tokens:
            self._reads.append((seconds, tokens))
        self._tokens = tokens

    def _before(self, events: Sequence[trainings.Event]) -> Preflight | None:
        """The pre-flight table of its latest process; lines are made of it once."""
        made = next((event for event in reversed(events) if event.kind == "preflight"), None)
        if made is None:
            return None
        if self._preflight is None or self._preflight[0] != made.at:
            from training import launch

            self._preflight = (made.at, Preflight(made.value, tuple(launch.told(made.value))))
        return self._preflight[1]


def speed(reads: Iterable[tuple[float, int]]) -> float | None:
    """Tokens a second, of (seconds, tokens read so far) at the ends of steps; None where those are too few."""
    steps = [(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(reads)]
    steps = [(seconds, tokens) for seconds, tokens in steps if seconds > 0]
    if not steps:
        return None
    usual = median(seconds / tokens for seconds, tokens in steps)
    kept = [(seconds, tokens) for seconds, tokens in steps if seconds / tokens <= SLOW * usual]
    return sum(tokens for _, tokens in kept) / sum(seconds for seconds, _ in kept)


def playing(log: Log, row: TrainingRow) -> str:
    """How far base and result are in playing the same instances, as words; empty where nobody lets them."""
    for run in log.queries.runs(RUNS, kind="eval") if row.result is not None else ():
        told, plan = run.progress, run.config.get("plan") or {}
        if told is None or told.word(SILENCE) != "running":
            continue
        if row.result in [player.partition("?")[0] for player in plan.get("players", ())]:
            games = ", ".join(plan.get("games", ()))
            return f"base and result play {games}: {told.done:,} of {told.planned:,} matches"
    return ""


def _said(value: Mapping[str, Any]) -> str:
    return str(value.get("sentence") or json.dumps(dict(value)))


def samples(log: Log, row: TrainingRow, saved: Sequence[Checkpoint]) -> tuple[Sample, ...]:
    """Games of the training's run: some of each of its latest checkpoints, newest first, then a few of the learner at
    work, which would crowd those out where there are many rollouts.
    """
    players = {one.player: one.step for one in saved if one.player is not None}
    latest = [*reversed(players)][: GAMES // SEVERAL]
    found: list[Sample] = []
    for player in latest:
        theirs = log.queries.matching(Filters(runs=(row.run,), models=(player,)), GAMES // len(latest))
        found += [Sample(players[player], one) for one in theirs]
    others = (Filters(models=tuple(players)),) if players else ()
    at_work = log.queries.matching(Filters(runs=(row.run,), nor=others), ROLLOUTS)
    return (*found, *[Sample(None, one) for one in at_work])


def folder_of(row: TrainingRow) -> Path | None:
    """Where the training keeps its files; None where that is not on this machine."""
    return row.folder if row.folder is not None and (row.folder / "job.json").is_file() else None


def last_words(folder: Path, lines: int = LINES) -> str:
    """The end of what its process printed since it was started last."""
    from training import launch

    return launch.last_words(folder, lines)


def span(seconds: float) -> str:
    """`40 s`, `4 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{max(0, seconds):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def heartbeat(row: TrainingRow) -> str:
    """How long ago it last said something."""
    if row.progress is None or not row.progress.beat_at:
        return ""
    since = (datetime.now(UTC) - datetime.fromisoformat(row.progress.beat_at)).total_seconds()
    return f"heartbeat {span(since)} ago"


def ordered(curves: Iterable[str], words: str = "") -> list[str]:
    """Names of curves in the order in which they are shown, those with all of these words in them."""
    wanted = words.casefold().split()
    kept = [name for name in curves if not SUMS.match(name) and all(word in name.casefold() for word in wanted)]
    quiet = ("epoch", "num_tokens", "learning_rate", "memory_gb")
    return sorted(kept, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST) + (name in quiet), name))


# orders


def order(log: Log, row: TrainingRow, what: Order) -> None:
    """Tell it to pause, go on, stop or save. Raises CannotTrain, OSError, LogError."""
    from training import launch

    launch.tell(log, row, what)


def kill(log: Log, row: TrainingRow) -> None:
    """End its process at once. Raises CannotTrain, OSError, LogError."""
    from training import launch

    launch.kill_row(log, row)


def settle(row: TrainingRow, registry: Registry) -> str:
    """Make what came out of a training a player; its name, empty where nothing was done.

    Raises CannotTrain, RegistryError, OSError.
    """
    from training import launch

    folder = folder_of(row)
    if row.state not in ("done", "stopped") or row.result is None or folder is None:
        return ""
    told = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    return launch.settle(registry, {"name": name_of(row), **told}, folder)
