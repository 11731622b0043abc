"""`import preferences`: judgements from elsewhere, in the forms that trainers read.

A line is a pair (`prompt`, `chosen`, `rejected`; the prompt may also stand at the head of both sides) or a label
(`prompt`, `completion`, `label`). A pair whose prompt was heard in an episode of this log is attached to that turn;
another makes an episode of one seat that ends before the reply, of game `pref:NAME`, which nobody can play on. Further
fields are `game`, `role`, `split`, `tie`, `strength`, `annotator` (a pseudonym), `judge` (a model) and `comment`. All
ids follow from the content, so the same line twice is once.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from games.engine import Message, Say
from store.candidates import candidate_of
from store.errors import NoConsent
from store.exchange.clem_instances import SPLITS
from store.exchange.intake import NothingThere, Refused, Unreadable, mapping, text_of
from store.exchange.playpen_rows import Row, rows
from store.history import FOREIGN
from store.ids import MessageRow, chain, clean, content_id, digest, fixed_id, now, to_json, written
from store.log import Log
from store.people import DEFAULT
from store.provenance import hardware
from store.queues import NewItem, Queue, put_items
from store.recorder import says_json
from store.writer import Row as Values
from store.writer import insert, insert_sql, require_consent

PREFIX = "pref:"
"""Of games of which there are only judged replies."""
BATCH = 256
PSEUDONYM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_AT = written(0)


@dataclass(slots=True)
class Taken:
    """What an import did."""

    run: str = ""
    pairs: int = 0
    labels: int = 0
    known: int = 0
    """Lines whose judgement was here already."""
    attached: int = 0
    """New judgements of words that an episode of this log answers."""
    episodes: int = 0
    """New episodes of one seat, for prompts that nobody heard here."""
    items: int = 0
    """New items of the queue."""
    splits: Counter[str] = field(default_factory=Counter[str])
    """New judgements by the split of their instance: validation and test are kept out of training."""
    refused: list[Refused] = field(default_factory=list[Refused])


@dataclass(frozen=True, slots=True)
class Line:
    """One judgement as it was told. `other` is None for a label."""

    prompt: tuple[Message, ...]
    reply: str
    other: str | None
    label: bool
    strength: int
    game: str
    role: str
    split: str
    annotator: str | None
    judge: str | None
    comment: str


def import_preferences(
    log: Log,
    source: str,
    *,
    split: str | None = None,
    queue: Queue | None = None,
    app_version: str = "",
    progress: Callable[[int], None] | None = None,
) -> Taken:
    """Bring judgements in from a JSON, JSONL or parquet file or a folder of them; pairs also as items of `queue`.

    `split` holds for new episodes whose line names none; without it they are test material. Raises NothingThere,
    BadQueue where the queue is closed, LogError.
    """
    done = Taken()
    name = clean(Path(source).resolve().name if Path(source).exists() else source)
    done.run = fixed_id(0, "run", "preferences", name)
    config = {"from": name, "format": "preferences"}
    run = (done.run, "import", _AT, app_version, None, None, None, to_json(config), content_id(config))
    seen, batch = 0, list[tuple[str, Line]]()

    def flush() -> None:
        waiting = list(batch)
        batch.clear()
        if waiting:
            log.write(lambda db: _take(db, (*run, to_json(hardware())), waiting, queue, done))
        if progress is not None:
            progress(seen)

    for row in rows(source, done.refused):
        seen += 1
        try:
            batch.append((row.where, read(row, Path(name).stem, split)))
        except Unreadable as error:
            done.refused.append(Refused(row.where, str(error)))
        if len(batch) == BATCH:
            flush()
    flush()
    if not seen:
        why = f" ({done.refused[0].path} {done.refused[0].reason})" if done.refused else ""
        raise NothingThere(f"{name} holds no preferences{why}; name a file of JSON lines with prompt, chosen, rejected")
    return done


# reading a line


def read(row: Row, called: str, split: str | None = None) -> Line:
    """A judgement from a row; `called` is the game's name where the row has none. Raises Unreadable."""
    told = row.told
    label = told.get("label")
    if "completion" in told:
        if not isinstance(label, bool):
            raise Unreadable("has a completion without a label, true or false")
        prompt, reply, other = _messages(told.get("prompt"), "user"), _reply(told["completion"]), None
    else:
        prompt, reply, other = _pair(told)
    if not prompt:
        raise Unreadable("has no words before the reply")
    strength = told.get("strength", 1)
    if told.get("tie"):
        strength = 0
    if strength not in (0, 1, 2):
        raise Unreadable(f"has the strength {strength!r}; there are 0 (a tie), 1 and 2 (much better)")
    where = text_of(told.get("split"), row.split, split, "test")
    if where not in SPLITS:
        raise Unreadable(f"is of split {where!r}, not one of {', '.join(SPLITS)}")
    source = mapping(told.get("source"))
    annotator = text_of(told.get("annotator")) or None
    if annotator is not None and not PSEUDONYM.fullmatch(annotator):
        raise Unreadable("names an annotator by more than a pseudonym; use letters, digits and dashes")
    game = text_of(told.get("game"), source.get("game"), called).removeprefix(PREFIX)
    return Line(
        prompt, reply, other, bool(label), strength, PREFIX + _word(game), _word(text_of(told.get("role"), "speaker")),
        where, annotator, text_of(told.get("judge")) or None, clean(text_of(told.get("comment")))[:2000],
    )  # fmt: skip


def _word(text: str) -> str:
    return " ".join(clean(text).split())[:60] or "unknown"


def _pair(told: Mapping[str, Any]) -> tuple[tuple[Message, ...], str, str]:
    chosen, rejected = told.get("chosen"), told.get("rejected")
    if chosen is None or rejected is None:
        raise Unreadable("is neither a pair (prompt, chosen, rejected) nor a label (prompt, completion, label)")
    prompt = _messages(told.get("prompt"), "user")
    if not prompt and isinstance(chosen, list) and isinstance(rejected, list):  # it stands at the head of both
        one, other = _messages(chosen, "assistant"), _messages(rejected, "assistant")
        if one[:-1] != other[:-1]:
            raise Unreadable("has two sides that answer different words")
        prompt, chosen, rejected = one[:-1], one[-1:], other[-1:]
    reply, other_reply = _reply(chosen), _reply(rejected)
    if reply == other_reply:
        raise Unreadable("has the same words on both sides")
    return prompt, reply, other_reply


def _messages(told: Any, role: str) -> tuple[Message, ...]:
    """Messages as they are told; bare text is one of `role`. Raises Unreadable."""
    if told is None:
        return ()
    if isinstance(told, str):
        return (Message("user" if role == "user" else "assistant", clean(told)),)
    found: list[Message] = []
    for entry in cast(Sequence[Any], told) if isinstance(told, Sequence) else (None,):
        if isinstance(entry, Message):
            found.append(entry)
            continue
        about = mapping(entry)
        who, content = about.get("role"), about.get("content")
        if who not in ("system", "user", "assistant") or not isinstance(content, str):
            raise Unreadable("has a message without role or text")
        found.append(Message(who, clean(content)))
    return tuple(found)


def _reply(told: Any) -> str:
    said = _messages(told, "assistant")
    if len(said) != 1 or said[0].role != "assistant":
        raise Unreadable("has a side that is not one reply; longer ones are episodes: import them as such")
    return said[0].content


# writing, inside one transaction


def _take(
    db: sqlite3.Connection, run: Values, batch: Sequence[tuple[str, Line]], queue: Queue | None, done: Taken
) -> None:
    for where, line in batch:
        try:
            _judgement(db, run, line, queue, done)
        except NoConsent as error:
            done.refused.append(Refused(where, str(error)))


def _judgement(db: sqlite3.Connection, run: Values, line: Line, queue: Queue | None, done: Taken) -> None:
    conversation = chain(list(line.prompt))
    tip = str(conversation[-1][0])
    words = (tip, line.reply, line.other or "", str(line.label), line.annotator or "", line.judge or "")
    id = fixed_id(0, "imported judgement", *words)
    if db.execute("SELECT 1 FROM annotations WHERE id = ?", (id,)).fetchone():
        done.known += 1
        return
    who = _who(db, line)
    player = _player(db, "unknown")
    turn = _turn(db, tip, line)
    done.attached += turn is not None
    if turn is None:
        episode, turn = _episode(db, run, line, conversation, player, done)
    else:
        episode = str(db.execute("SELECT episode_id FROM turns WHERE id = ?", (turn,)).fetchone()[0])
    if line.other is None:
        value = to_json({"label": "+" if line.label else "-", **({"comment": line.comment} if line.comment else {})})
        db.execute(_ANNOTATION, (id, "label", turn, *who, None, None, None, value, "[]", None))
        done.labels += 1
    else:
        sides = [_candidate(db, episode, tip, line, text, player, turn) for text in (line.reply, line.other)]
        item, verdict = _item(db, queue, sides, line.strength, done)
        value = to_json({"verdict": verdict, **({"comment": line.comment} if line.comment else {})})
        db.execute(_ANNOTATION, (id, "preference", None, *who, *sides, line.strength, value, "[]", item))
        done.pairs += 1
    (split,) = db.execute(
        "SELECT i.split FROM episodes e JOIN instances i ON i.id = e.instance_id WHERE e.id = ?", (episode,)
    ).fetchone()
    done.splits[split] += 1


def _who(db: sqlite3.Connection, line: Line) -> tuple[str | None, str | None]:
    """The person and the model that judged. Raises NoConsent for somebody who is here and agreed to nothing."""
    person = line.annotator if line.judge is None else None
    if person is not None:
        there = db.execute("SELECT 1 FROM people WHERE id = ?", (person,)).fetchone()
        if there:
            require_consent(db, person)
        else:
            db.execute(_PERSON, (person, DEFAULT, "elsewhere", now(), now()))
    return person, None if line.judge is None else _player(db, clean(line.judge)[:200])


def _player(db: sqlite3.Connection, name: str) -> str:
    told = ("model", name, "", "", "{}")
    id = content_id([*told])
    db.execute(insert_sql("players"), (id, *told))
    return id


def _turn(db: sqlite3.Connection, tip: str, line: Line) -> str | None:
    """A turn of this log that answers the same words, the one that says the reply itself first; a label needs that."""
    found = db.execute(
        "SELECT id, text FROM turns WHERE seen_hash = ? ORDER BY text <> ?, seq LIMIT 1", (tip, line.reply)
    ).fetchone()
    return found[0] if found and (line.other is not None or found[1] == line.reply) else None


def _episode(
    db: sqlite3.Connection,
    run: Values,
    line: Line,
    conversation: list[MessageRow],
    player: str,
    done: Taken,
) -> tuple[str, str | None]:
    """An episode of one seat with what was said before; of a label also the reply. Its id, and the reply's turn."""
    tip = str(conversation[-1][0])
    said = [*line.prompt, *([Message("assistant", line.reply)] if line.other is None else [])]
    data = to_json({"prompt": tip})
    instance = (digest(line.game, data), line.game, f"prompt/{tip[:12]}", f"{line.game}:{tip}", "imported", "en")
    id = fixed_id(0, "imported prompt", line.game, line.role, *(str(row[0]) for row in chain(said)))
    if not db.execute("SELECT 1 FROM runs WHERE id = ?", (run[0],)).fetchone():
        insert(db, [{"runs": [run]}])
    opening, turns, places = list[Say](), list[list[Any]](), chain(said)
    for place, message in enumerate(said):
        if message.role == "assistant":
            seen, ply = (places[place - 1][0] if place else None), len(turns)
            start = [fixed_id(0, id, "turn", str(ply)), id, ply, ply, line.role, player, None, 0, message.content]
            turns.append([*start, "ok", "", [], seen, 0.0, _AT])
        else:
            say = Say(line.role, message.content, "gm", "feedback" if turns or opening else "brief")
            (turns[-1][11] if turns else opening).append(say)
    reply = str(turns[-1][0]) if line.other is None else None
    if db.execute("SELECT 1 FROM episodes WHERE id = ?", (id,)).fetchone():
        return id, reply
    for turn in turns:
        turn[11] = says_json(turn[11])
    why = "only what was said before a judged reply is known"
    made: dict[str, list[Values]] = {
        "instances": [(*instance, line.split, data)],
        "episodes": [(id, run[0], None, None, instance[0], line.game, FOREIGN, 0, None, None, says_json(opening), _AT)],
        "seats": [(id, line.role, player, None)],
        "messages": places,
        "turns": [tuple(turn) for turn in turns],
        "failures": [(fixed_id(0, id, "failure"), id, len(turns), line.role, player, "unscored", why, _AT)],
    }
    insert(db, [made])
    done.episodes += 1
    return id, reply


def _candidate(
    db: sqlite3.Connection, episode: str, tip: str, line: Line, text: str, player: str, turn: str | None
) -> str:
    """The candidate of this text after these words: one that is here, else a new one."""
    there = db.execute("SELECT id FROM candidates WHERE seen_hash = ? AND text = ? ORDER BY id", (tip, text)).fetchone()
    if there is not None:
        return there[0]
    said = db.execute("SELECT id FROM turns WHERE seen_hash = ? AND text = ? ORDER BY seq", (tip, text)).fetchone()
    if said is not None:
        return candidate_of(db, said[0])
    id = fixed_id(0, "imported candidate", tip, text)
    if turn is not None:
        ply, role = db.execute("SELECT ply, role FROM turns WHERE id = ?", (turn,)).fetchone()
    else:
        ply, role = sum(message.role == "assistant" for message in line.prompt), line.role
    db.execute(_CANDIDATE, (id, episode, ply, role, player, tip, text, now()))
    return id


def _item(
    db: sqlite3.Connection, queue: Queue | None, sides: Sequence[str], strength: int, done: Taken
) -> tuple[str | None, str]:
    """The item of the queue that these make, and the verdict as said of its two sides."""
    verdict = "a" if strength else "tie"
    if queue is None:
        return None, verdict
    added = put_items(db, queue, [NewItem("pair", sides[0], sides[1], why="judged elsewhere")])
    done.items += len(added.new)
    if not (found := [*added.new, *added.known]):
        return None, verdict
    (first,) = db.execute("SELECT a_id FROM items WHERE id = ?", (found[0],)).fetchone()
    return found[0], verdict if first == sides[0] or verdict == "tie" else "b"


_PERSON = """
INSERT INTO people (id, consent, consent_version, consented_at, created_at) VALUES (?, ?, ?, ?, ?)"""
_CANDIDATE = """
INSERT INTO candidates (id, episode_id, ply, role, player_id, seen_hash, text, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_ANNOTATION = f"""
INSERT INTO annotations (id, kind, turn_id, annotator_id, judge_id, chosen_id, rejected_id, strength, value,
  shown_order, item_id, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '{_AT}')"""
