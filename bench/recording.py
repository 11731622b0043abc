"""Recorded self-play with instant players: against bare SQLite inserting the same rows, and against clemcore's files.

`python -m bench.recording [--smoke] [--peer PYTHON]` prints one JSON document. Scripted Taboo episodes of two, four and
six turns are driven 64 at once, every turn committed before the next is asked for. The rows of each transaction are
kept and inserted again, in transactions of the same sizes, by a loop that does nothing else: the limit for anybody who
keeps this log. The peer is clemcore's own runner with the file callbacks of `clem run`, playing the same texts
one after the other, as `clem run` does, and 64 at once, as `clem run -b` does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.common import Measured, Peer, digits, document, measure, rates, ratio, summary
from bench.engine import taboo
from games.engine import Game, Instance, Match, Message
from players.base import Ask, Identity, Reply
from players.driver import drive
from players.ports import NoRecorder, Place, Recorder
from store.connection import open_writer
from store.log import Log
from store.writer import COLUMNS, Row, Work, Writer, insert_sql

CONCURRENCY = 64
EPISODES = 3000
PEER_EPISODES = 300
REPEATS = 5
SMOKE = {"episodes": 60, "peer": 15, "repeats": 2}
GOALS = {"episodes_per_s": 900.0, "raw": 0.5, "peer": 10.0, "peer_together": 10.0}


@dataclass(frozen=True, slots=True)
class Script:
    """An instance, a seed, and the replies that play it to its end."""

    instance: Instance
    seed: int
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scripts:
    """Episodes of one game, and a shorter list of them as a plan for the peer."""

    game: Game
    episodes: tuple[Script, ...]
    plan: dict[str, Any]

    @property
    def turns(self) -> int:
        """How many replies all episodes have."""
        return sum(len(script.texts) for script in self.episodes)


def scripts(count: int, for_peer: int) -> Scripts:
    """Taboo won in the first, second or third round, by turns. No two clues are equal, so that no message is shared."""
    work = taboo()
    found: list[Script] = []
    for number in range(count):
        whole = work.episodes[number % len(work.episodes)]
        kept = (*whole.texts[: number % 3 * 2], whole.texts[0 if number % 3 == 0 else 4], whole.texts[5])
        texts = tuple(f"{text} {number}" if text.startswith("CLUE:") else text for text in kept)
        match = Match.replay(work.game, whole.instance, number, texts)
        if match.state.outcome != "success":
            raise RuntimeError(f"the script of {whole.instance.name} does not win: {match.state.reason}")
        found.append(Script(whole.instance, number, texts))
    episodes = [
        {"target": one.instance.target, "related": [*one.instance.related], "texts": one.texts}
        for one in found[:for_peer]
    ]
    return Scripts(work.game, tuple(found), {**work.plan, "episodes": episodes})


class Canned:
    """Says the next text of its script at once."""

    def __init__(self, identity: Identity, texts: Iterator[str]) -> None:
        self.identity = identity
        self.texts = texts

    async def speak(self, heard: Sequence[Message], ask: Ask) -> Reply:
        return Reply(next(self.texts))


async def selfplay(found: Scripts, recorder: Recorder, run: str | None = None) -> int:
    """Drive every script, so many at once; returns how many."""
    waiting = iter(enumerate(found.episodes))
    players = {role: Identity("bot", f"canned:{role}") for role in found.game.roles}

    async def lane() -> None:
        for slot, script in waiting:
            texts = iter(script.texts)
            seats = {role: Canned(who, texts) for role, who in players.items()}
            match = Match.new(found.game, script.instance, script.seed)
            await drive(match, seats, recorder, place=Place(run=run, slot=slot))

    await asyncio.gather(*[lane() for _ in range(CONCURRENCY)])
    return len(found.episodes)


Transaction = list[tuple[str, list[Row]]]
"""Rows by table, in the order in which they must go in."""


def transactions(found: Scripts, path: Path) -> list[Transaction]:
    """Play once and keep the rows of every transaction."""
    kept: list[Transaction] = []

    def keep(transact: Callable[[Sequence[Work]], None], piece: Sequence[Work]) -> None:
        rows = {table: [row for work in piece for row in work.rows.get(table, ())] for table in COLUMNS}
        kept.append([(table, some) for table, some in rows.items() if some])
        transact(piece)

    with Log.open(path) as log:
        writer: Writer = log.recorder._writer
        transact = writer._transact
        writer._transact = lambda piece: keep(transact, piece)
        asyncio.run(selfplay(found, log.recorder))
    return kept


def recorded(found: Scripts, path: Path) -> Measured:
    """Self-play into a new log, opening and closing it not counted."""
    with Log.open(path) as log:
        run = log.new_run("self_play", {"benchmark": "recording"})
        measured = measure(lambda: asyncio.run(selfplay(found, log.recorder, run)))
        written = log.queries.counts()
        if (written.finished, written.turns) != (len(found.episodes), found.turns):
            raise RuntimeError(f"the log holds something else: {written}")
    return measured


def raw(kept: Sequence[Transaction], episodes: int, path: Path) -> Measured:
    """The same rows into a new log by `executemany`, in transactions of the same sizes."""
    statements = {table: insert_sql(table) for table in COLUMNS}
    with closing(open_writer(path).connection) as connection:
        return measure(lambda: _insert(connection, statements, kept) or episodes)


def _insert(connection: sqlite3.Connection, statements: dict[str, str], kept: Sequence[Transaction]) -> None:
    for transaction in kept:
        connection.execute("BEGIN IMMEDIATE")
        for table, rows in transaction:
            connection.executemany(statements[table], rows)
        connection.execute("COMMIT")


def both(side: Sequence[Measured]) -> dict[str, Any]:
    """Episodes per second of the wall clock, and per CPU-second."""
    return {
        "episodes_per_s": summary([one.per_s for one in side]),
        "episodes_per_cpu_s": summary([one.per_cpu_s for one in side]),
    }


def ratios(ours: Sequence[Measured], theirs: Sequence[Measured]) -> dict[str, float]:
    """Ours over theirs, turn by turn, on both clocks."""
    return {
        "wall": ratio([one.per_s for one in ours], [one.per_s for one in theirs]),
        "cpu": ratio([one.per_cpu_s for one in ours], [one.per_cpu_s for one in theirs]),
    }


def run(smoke: bool, python: str | None) -> dict[str, Any]:
    """The whole benchmark as one document."""
    count, for_peer, repeats = (EPISODES, PEER_EPISODES, REPEATS) if not smoke else SMOKE.values()
    found = scripts(count, for_peer)
    sides: dict[str, list[Measured]] = {"recorded": [], "raw": [], "unrecorded": [], "peer": [], "peer_together": []}
    answer: dict[str, Any] = {}
    with (
        tempfile.TemporaryDirectory(prefix="bench-recording-") as folder,
        Peer(python) if python else nullcontext() as peer,
    ):
        here = Path(folder)
        kept = transactions(found, here / "kept.sqlite")
        plan = here / "plan.json"
        plan.write_text(json.dumps(found.plan), encoding="utf-8")
        for turn in range(repeats):
            sides["recorded"].append(recorded(found, here / f"log-{turn}.sqlite"))
            sides["raw"].append(raw(kept, count, here / f"raw-{turn}.sqlite"))
            sides["unrecorded"].append(measure(lambda: asyncio.run(selfplay(found, NoRecorder()))))
            if peer is not None:
                answer = peer.play(plan, "recorded", here / f"peer-{turn}")
                sides["peer"].append(rates(answer))
                batch = peer.play(plan, "recorded", here / f"peer-together-{turn}", together=CONCURRENCY)
                sides["peer_together"].append(rates(batch))
        size = (here / "log-0.sqlite").stat().st_size
    rows = Counter(dict.fromkeys(COLUMNS, 0))
    for transaction in kept:
        rows.update({table: len(some) for table, some in transaction})
    against: dict[str, Any] = {"raw": ratios(sides["recorded"], sides["raw"])}
    content: dict[str, Any] = {
        "unit": "episodes per second, and per CPU-second",
        "game": "taboo",
        "episodes": count,
        "turns": found.turns,
        "concurrency": CONCURRENCY,
        "repeats": repeats,
        "transactions": len(kept),
        "rows_per_episode": {table: digits(number / count) for table, number in rows.items() if number},
        "bytes_per_episode": round(size / count),
        **{side: both(measured) for side, measured in sides.items() if measured},
    }
    if python:
        if Counter(answer["outcomes"]) != Counter({"success": for_peer}):
            raise RuntimeError(f"the peer played another game: {answer}")
        about = ("clemcore", "python", "episodes", "files", "bytes", "callbacks")
        content["peer"] |= {name: answer[name] for name in about}
        content["peer"]["game"] = "our own Taboo on clemcore's classes (bench/clem_peer), since clembench is no package"
        against["peer"] = ratios(sides["recorded"], sides["peer"])
        against["peer_together"] = ratios(sides["recorded"], sides["peer_together"])
    return document("recording", smoke, **content, against=against, goals=GOALS, met=_met(content, against))


def _met(content: dict[str, Any], against: dict[str, Any]) -> dict[str, dict[str, bool]]:
    """Whether each goal is met, by either clock: the wall clock counts where the machine is idle."""
    speed = {"wall": content["recorded"]["episodes_per_s"], "cpu": content["recorded"]["episodes_per_cpu_s"]}
    found = {"episodes_per_s": {clock: rate["median"] for clock, rate in speed.items()}, **against}
    return {goal: {clock: rate >= GOALS[goal] for clock, rate in clocks.items()} for goal, clocks in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.recording", description="Recorded self-play with instant players.")
    parser.add_argument("--smoke", action="store_true", help="a few episodes, to see that it runs")
    parser.add_argument("--peer", metavar="PYTHON", help="the interpreter of clemcore's environment (make clem)")
    options = parser.parse_args()
    print(json.dumps(run(options.smoke, options.peer), indent=2))


if __name__ == "__main__":
    main()
