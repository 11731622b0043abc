"""`import playpen-data`: the field's training set. Each row is what one seat heard and said in one episode.

Rows are not put together: nothing in the data set says which two were the two sides of one dialogue, and a guess would
make false partners. So a row becomes an episode with one seat, whose conversation is kept word for word. It tells no
time (1970 stands for that) and no score, only the outcome; the key of its instance is its number, since its content is
not there. Rows without messages are instances: they say which split a number of this data set belongs to. Instances of
results trees are left alone, since the same number is another instance in another version of the benchmark.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from games.engine import Message, Say
from store.errors import LogError
from store.exchange import clem_players
from store.exchange.clem_instances import PREFIX, SPLITS, language
from store.exchange.intake import NothingThere, Refused, Unreadable, mapping, text_of
from store.exchange.playpen_rows import Row, rows
from store.history import FOREIGN
from store.ids import chain, clean, content_id, digest, fixed_id, to_json, written
from store.log import Log
from store.provenance import hardware
from store.recorder import says_json
from store.writer import Row as Values
from store.writer import insert

BATCH = 256
"""Rows in one transaction."""
_OUTCOMES = {
    **{"success": "success", "win": "success", "won": "success"},
    **{"failure": "failure", "lose": "failure", "lost": "failure", "loss": "failure"},
    **{"aborted": "aborted", "abort": "aborted"},
}


@dataclass(slots=True)
class Taken:
    """What an import did."""

    run: str = ""
    episodes: int = 0
    """New episodes."""
    known: int = 0
    """Rows that were here already, or stand in the data twice."""
    unfinished: int = 0
    """New episodes whose row tells no outcome."""
    turns: int = 0
    instances: int = 0
    """New instances without an episode."""
    moved: int = 0
    """Instances of this data set that its lists put into another split than its rows did."""
    games: dict[str, int] = field(default_factory=dict[str, int])
    refused: list[Refused] = field(default_factory=list[Refused])


def import_playpen_data(
    log: Log, source: str, *, app_version: str = "", progress: Callable[[int], None] | None = None
) -> Taken:
    """Bring a data set into the log: a file, a folder, or `OWNER/NAME` on the hub. Raises NothingThere, LogError."""
    done = Taken()
    name = clean(Path(source).resolve().name if Path(source).exists() else source)
    done.run = fixed_id(0, "run", "playpen-data", name)
    config = {"from": name, "format": "playpen-data"}
    run = (done.run, "import", written(0), app_version, None, None, None, to_json(config), content_id(config))
    batch: list[tuple[str, dict[str, list[Values]]]] = []
    seen = 0

    def flush() -> None:
        _write(log, (*run, to_json(hardware())), batch, done)
        batch.clear()
        if progress is not None:
            progress(seen)

    for row in rows(source, done.refused):
        seen += 1
        try:
            made = _episode(row, done.run) if "messages" in row.told else _instance(row)
        except Unreadable as error:
            done.refused.append(Refused(row.where, str(error)))
            continue
        batch.append((row.where, made))
        if len(batch) == BATCH:
            flush()
    flush()
    if not seen:
        why = f" ({done.refused[0].path} {done.refused[0].reason})" if done.refused else ""
        raise NothingThere(f"{name} holds no rows of playpen-data{why}; name its folder or a file of it")
    return done


def _facts(row: Row, about: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Game, experiment, number and split. Raises Unreadable."""
    game, experiment = text_of(about.get("game"), about.get("game_name")), text_of(about.get("experiment"))
    task = about.get("task_id", about.get("game_id"))
    if not game or not experiment or not isinstance(task, str | int | float):
        raise Unreadable("does not tell game, experiment and task_id")
    split = text_of(row.told.get("split"), about.get("split"), row.split, "test")
    if split not in SPLITS:
        raise Unreadable(f"is of split {split!r}, not one of {', '.join(SPLITS)}")
    number = str(int(task)) if isinstance(task, float) and task.is_integer() else clean(str(task))[:100]
    return game.removeprefix(PREFIX), experiment, number, split


def _instance_row(game: str, experiment: str, number: str, split: str, data: Mapping[str, Any]) -> Values:
    spoken = language(experiment, data, data)
    text = to_json(dict(data), sort=True)
    return (
        digest(f"{PREFIX}{game}", experiment, text),
        f"{PREFIX}{game}",
        f"{experiment}/{number}",
        f"{PREFIX}{game}:{experiment}/{number}",
        experiment,
        spoken,
        split,
        text,
    )


def _instance(row: Row) -> dict[str, list[Values]]:
    """A row that only says which split an instance is of."""
    game, experiment, number, split = _facts(row, row.told)
    return {"instances": [_instance_row(game, experiment, number, split, {"task_id": number})]}


def _episode(row: Row, run: str) -> dict[str, list[Values]]:
    """The rows of one perspective. Raises Unreadable."""
    about = mapping(row.told.get("meta")) or row.told
    game, experiment, number, split = _facts(row, about)
    messages = _messages(row.told.get("messages"))
    role = text_of(about.get("game_role"), about.get("player_name"), "player")
    id = fixed_id(0, "playpen-data", to_json([list(message) for message in messages]), to_json(dict(about), sort=True))
    seat = text_of(about.get("player_name"), "Player 1")
    told = {"model_name": about.get("model")}
    player, person = clem_players.player(seat, told, {}, "unknown", id)
    if person is not None:
        raise Unreadable("is of a person, and nothing says what they agreed to")
    instance = _instance_row(game, experiment, number, split, {"task_id": number})
    conversation = chain(messages)
    opening, turns = list[Say](), list[list[Any]]()
    at = written(0)
    for place, message in enumerate(messages):
        if message.role == "assistant":
            seen = conversation[place - 1][0] if place else None
            ply = len(turns)
            turn = [
                fixed_id(0, id, "turn", str(ply)),
                id,
                ply,
                ply,
                role,
                player[0],
                None,
                0,
                message.content,
                "ok",
                "",
            ]
            turns.append([*turn, [], seen, 0.0, at])
        elif message.role == "user":
            say = Say(role, message.content, "gm", "feedback" if turns or opening else "brief")
            (turns[-1][11] if turns else opening).append(say)
    for turn in turns:
        turn[11] = says_json(turn[11])
    episode = (id, run, None, None, instance[0], instance[1], FOREIGN, 0, None, None, says_json(opening), at)
    made: dict[str, list[Values]] = {
        "instances": [instance],
        "players": [player],
        "episodes": [episode],
        "seats": [(id, role, player[0], None)],
        "messages": conversation,
        "turns": [tuple(turn) for turn in turns],
    }
    outcome = _OUTCOMES.get(text_of(about.get("outcome")).lower())
    if outcome is None:
        why = "the row does not tell how it ended"
        made["failures"] = [(fixed_id(0, id, "failure"), id, len(turns), role, player[0], "unscored", why, at)]
    else:
        rewards = to_json({role: float(outcome == "success")})
        made["heard"] = [(id, role, conversation[-1][0])]
        made["results"] = [(id, outcome, "", None, rewards, "[]", len(turns), at)]
    return made


def _messages(told: Any) -> list[Message]:
    """The conversation word for word. Raises Unreadable."""
    found: list[Message] = []
    for entry in cast(list[Any], told) if isinstance(told, list) else []:
        about = mapping(entry)
        role, content = about.get("role"), about.get("content")
        if role not in ("system", "user", "assistant") or not isinstance(content, str):
            raise Unreadable("has a message without role or text")
        found.append(Message(role, clean(content)))
    if not found:
        raise Unreadable("has no messages")
    return found


def _write(log: Log, run: Values, batch: Sequence[tuple[str, dict[str, list[Values]]]], done: Taken) -> None:
    """Write rows in one transaction; where one is refused, each by itself."""
    if not batch:
        return
    try:
        part = log.write(lambda db: _insert(db, run, [made for _, made in batch]))
    except LogError as error:
        if not isinstance(error.__cause__, sqlite3.IntegrityError | sqlite3.DataError | OverflowError):
            raise
        if len(batch) == 1:
            done.refused.append(Refused(batch[0][0], f"does not fit into the log ({error.__cause__})"))
            return
        for one in batch:
            _write(log, run, [one], done)
        return
    for name in ("episodes", "known", "unfinished", "turns", "instances", "moved"):
        setattr(done, name, getattr(done, name) + getattr(part, name))
    for game, count in part.games.items():
        done.games[game] = done.games.get(game, 0) + count


def _insert(db: sqlite3.Connection, run: Values, batch: Sequence[dict[str, list[Values]]]) -> Taken:
    """Inside a transaction: what is new of these rows."""
    part = Taken()
    for made in batch:
        instance = made["instances"][0]
        if "episodes" not in made:
            known = db.execute("SELECT 1 FROM instances WHERE id = ?", (instance[0],)).fetchone()
            part.instances += known is None
            insert(db, [made])
            sql = "UPDATE instances SET split = ?1 WHERE id = ?2 AND split <> ?1"
            part.moved += db.execute(sql, (instance[6], instance[0])).rowcount
            continue
        id = made["episodes"][0][0]
        if db.execute("SELECT 1 FROM episodes WHERE id = ?", (id,)).fetchone():
            part.known += 1
            continue
        if not part.episodes and not db.execute("SELECT 1 FROM runs WHERE id = ?", (run[0],)).fetchone():
            insert(db, [{"runs": [run]}])
        insert(db, [made])
        part.episodes += 1
        part.unfinished += "results" not in made
        part.turns += len(made["turns"])
        part.games[instance[1]] = part.games.get(instance[1], 0) + 1
    return part
