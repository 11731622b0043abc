"""What there is to watch, read from the log: runs, those that go on first, then bookmarked and recent episodes.

No screen: the list of the stands, `spectate --plain` and `--json` without further words all show these rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from playpen_tui.overview import SILENCE, seated, verdict, when
from playpen_tui.plain_text import bare
from playpen_tui.watching import BOOKMARK, Watch
from playpen_tui.workbench import Workbench
from store.filters import Filters
from store.log import Log
from store.records import EpisodeRow, RunRow

Group: TypeAlias = Literal["running", "runs", "bookmarked", "episodes"]
WORDS = {"success": "won", "failure": "lost"}
"""How people call outcomes; the others are called as they are."""
RUNS, BOOKMARKS, EPISODES = 50, 50, 100
"""How many of each are listed at most, the latest."""
KINDS = {"self_play": "self-play", "eval": "evaluation", "branch": "branches"}
"""Kinds of run that can be watched, and how people call them."""
NOTHING = (
    "There is nothing to watch yet: play a game, or let models play many among themselves (ctrl+n); both are listed"
    " here."
)


@dataclass(frozen=True, slots=True)
class Item:
    """One row. `state` is the run's word (running, done, stopped, killed, not begun), or the episode's outcome or
    unfinished.
    """

    group: Group
    id: str
    state: str
    games: str
    who: str
    how: str
    """A run's counts, an episode's verdict."""
    age: str
    bookmarked: bool = False

    @property
    def is_run(self) -> bool:
        """Whether it is a run, and not an episode."""
        return self.group in ("running", "runs")

    @property
    def watch(self) -> Watch:
        """What the stands open for it."""
        return Watch(run=self.id) if self.is_run else Watch(episodes=(self.id,))

    @property
    def word(self) -> str:
        """The state as people call it."""
        return WORDS.get(self.state, self.state)

    def fits(self, words: str) -> bool:
        """Whether all these words occur in what the row says, in whatever case."""
        mark = "★ bookmarked" if self.bookmarked else ""
        kind = "run" if self.is_run else "episode"
        row = " ".join(
            (kind, self.id, self.word, self.state, self.games, self.who, self.how, self.age, mark)
        ).casefold()
        return all(word in row for word in words.casefold().split())

    def as_json(self) -> dict[str, Any]:
        """The row as a document: kind, id, state, games, players, text, bookmarked."""
        return {
            "kind": "run" if self.is_run else "episode",
            "id": self.id,
            "state": self.state,
            "games": self.games,
            "players": self.who,
            "text": self.how,
            "bookmarked": self.bookmarked,
        }


async def programme(bench: Workbench) -> list[Item]:
    """All rows, group by group. Raises what an unreadable log raises."""
    log = await bench.log()
    return await asyncio.to_thread(listed, log, datetime.now(UTC))


def listed(log: Log, now: datetime) -> list[Item]:
    """The rows as they are at this moment; bookmarked episodes are listed once, as such.

    What a running run is at is watched with the run, and is no row of its own.
    """
    runs = [_run(row, now) for row in log.queries.runs(RUNS) if row.kind in KINDS]
    runs.sort(key=lambda item: item.group != "running")
    kept = log.queries.matching(Filters(tags=(BOOKMARK,)), BOOKMARKS)
    marked = {row.id for row in kept}
    going = {item.id for item in runs if item.group == "running"}
    recent = [
        row
        for row in log.queries.recent(EPISODES)
        if row.id not in marked and not (row.outcome is None and row.run in going)
    ]
    return [*runs, *_episodes("bookmarked", kept), *_episodes("episodes", recent)]


def _run(row: RunRow, now: datetime) -> Item:
    told = row.progress
    word = told.word(SILENCE) if told else "done" if row.episodes else "not begun"
    if told is None:
        how = f"{row.finished:,} of {row.episodes or row.config.get('planned') or 0:,}"
    else:
        how = f"{told.done:,} of {told.planned:,}"
        how += f" · {told.running:,} running" if word == "running" else ""
        how += f" · {told.failed:,} failed"
    plan: Mapping[str, Any] = row.config.get("plan") or {}
    players = dict.fromkeys([*dict(plan.get("seats") or {}).values(), *(plan.get("players") or ())])
    return Item(
        group="running" if word == "running" else "runs",
        id=row.id,
        state=word,
        games=", ".join(map(str, plan.get("games") or ())) or KINDS[row.kind],
        who=" · ".join(bare(str(name)) for name in players),
        how=how,
        age=ago(row.created_at, now),
    )


def _episodes(group: Group, rows: Iterable[EpisodeRow]) -> list[Item]:
    return [
        Item(
            group=group,
            id=row.id,
            state=row.outcome or "unfinished",
            games=row.game,
            who=" · ".join(seated(row)),
            how=verdict(row) if row.outcome else f"turn {row.plies + 1}",
            age=when(row.last_at),
            bookmarked=group == "bookmarked",
        )
        for row in rows
    ]


def ago(moment: str, now: datetime) -> str:
    """How long since a moment of the log: `now`, `40 s ago`, `6 min ago`, `3 h ago`, `2 days ago`."""
    seconds = (now - datetime.fromisoformat(moment)).total_seconds()
    for name, length, limit in (("s", 1, 90), ("min", 60, 90 * 60), ("h", 3600, 36 * 3600)):
        if seconds < limit:
            return "now" if seconds < 2 else f"{seconds // length:.0f} {name} ago"
    return f"{seconds / 86400:.0f} days ago"
