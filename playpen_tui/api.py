"""For notebooks and scripts: play, and read the log as data frames. Nine names, each usable by itself.

    from playpen_tui import api

    match = await api.play("taboo", {"describer": "bot", "guesser": "smollm2"}, seed=7)  # asyncio.run in a script
    with api.open("episodes.sqlite") as log:
        log.episodes(games=("taboo",)).groupby("outcome").size()

Data frames are pandas'; `pip install pandas` where it is not there. Writing a game: docs/writing-a-game.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from evaluation import report
from evaluation.results import By, lines
from games.boards import Board
from games.catalog import Split
from games.engine import Game, Illegal, Instance, Match, Role, Say, State
from players.base import Emit, silent
from playpen_tui.sitting import BadSetup, Setup
from playpen_tui.workbench import Workbench
from store import frames
from store.filters import Filters
from store.log import Log
from store.trace import Trace, facts

if TYPE_CHECKING:
    import pandas

__all__ = ["Board", "Game", "Illegal", "Instance", "Say", "State", "check", "open", "play"]


async def play(
    game: str,
    seats: Mapping[Role, str],
    *,
    instance: str | None = None,
    experiment: str | None = None,
    split: Split = "train",
    language: str = "en",
    seed: int | None = None,
    assist: bool | None = None,
    record: bool = True,
    db: str | Path | None = None,
    emit: Emit = silent,
) -> Match:
    """Play one match without people and return it, over.

    `seats` maps every role to a player spec; `emit` hears the players' events. Raises what `playpen-tui play` would
    say in a sentence: UnknownGame, UnknownInstance, UnknownPlayer, BadSetup, PlayerError, LogError.
    """
    setup = Setup(
        game, seats, instance=instance, experiment=experiment, split=split, language=language, seed=seed, assist=assist
    )
    if setup.has_people:
        raise BadSetup("nobody can type here; use `playpen-tui play`, or name other players")
    async with Workbench(Path(db) if db else None) as bench:
        sitting = await bench.deal(replace(setup, record=record))
        return await sitting.play(emit)


class OpenLog:
    """A log that is open to be read, as data frames. Filters are those of `store.filters.Filters`, by name."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def episodes(self, **filters: Any) -> pandas.DataFrame:
        """One row per episode (columns: `store.frames.EPISODES`), oldest first. Raises ValueError, LogError."""
        return _frame(frames.episodes(self.log.reader(), Filters(**filters)), "episode")

    def turns(self, **filters: Any) -> pandas.DataFrame:
        """One row per turn of the episodes that fit (columns: `store.frames.TURNS`). Raises ValueError, LogError."""
        return _frame(frames.turns(self.log.reader(), Filters(**filters)), "turn")

    def heard(self, episode: str, role: Role) -> list[dict[str, str]]:
        """What one seat heard and said, as chat messages. Raises UnknownEpisode (a LookupError)."""
        id = self.log.history.resolve(episode)
        return [{"role": one.role, "content": one.content} for one in self.log.queries.perspective(id, role)]

    def results(self, by: By = "game", **filters: Any) -> pandas.DataFrame:
        """One row per model and game, experiment or role, as `playpen-tui results` has it. Raises ValueError, LogError.

        Intervals are columns of their own (`played_low`, `played_high`); `score` says what `score_value` is called.
        """
        rows = report.flat(lines(self.log.queries.scored(Filters(**filters)), by))
        columns = tuple(rows[0]) if rows else ("model", "game")
        return _frame(frames.Table(columns, iter([tuple(row.values()) for row in rows])), "model")

    def trace(self, wish: str, depth: int = 2) -> dict[str, Any]:
        """What `playpen-tui trace` prints as JSON. Raises Unknown (a LookupError)."""
        tracer = Trace(self.log.reader)
        node = tracer.find(wish)
        return {**tracer.tree(node, depth), "facts": facts(self.log.reader(), node)}

    def close(self) -> None:
        """Close the file. Twice is fine."""
        self.log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def open(path: str | Path | None = None) -> OpenLog:
    """Open a log to be read: `path`, else `$PLAYPEN_DB`, else `episodes.sqlite` here. Raises LogError."""
    return OpenLog(Log.open(path, readonly=True))


def check(game: Game[Any, Any]) -> list[str]:
    """Run the conformance kit over a game; what it finds, one sentence each. [] is what one wants."""
    from games import conformance

    return [f"{finding.check}: {finding.detail}" for finding in conformance.check(game)]


def _frame(table: frames.Table, key: str) -> pandas.DataFrame:
    try:
        import pandas
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("data frames need pandas: pip install pandas", name="pandas") from error
    frame = pandas.DataFrame.from_records(list(table.rows), columns=list(table.columns))
    for column in frame.columns:
        if str(column).endswith("_at"):
            frame[column] = pandas.to_datetime(frame[column], utc=True, format="ISO8601")
    return frame.set_index(key)
