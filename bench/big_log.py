"""A large log made fast: rows as the recorder writes them, by `executemany`, without playing anything.

Words follow Zipf's law over twenty thousand made-up ones, so that the log holds words that are in every second turn
and words that are in one. `RARE` stands in exactly three turns, `COMMON` in about every second.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import accumulate, zip_longest
from pathlib import Path

from games.engine import Message
from store.connection import open_writer
from store.ids import chain, to_json
from store.writer import COLUMNS, Row, insert_sql

RARE = "quincunx"
COMMON = "the"
MIDDLING = "bako"
"""A word of one turn in thirty or so."""

_MODELS = ("smollm2", "qwen2.5-1.5b", "qwen2.5-7b", "llama-3.1-8b", "gemma-3-4b", "mistral-7b", "phi-4", "olmo-2-7b")
_GAMES = {"taboo": ("describer", "guesser"), "wordle": ("guesser",), "referencegame": ("instruction_giver", "guesser")}
_REASONS = {"success": "guessed in {}", "failure": "not guessed", "aborted": "broke the form"}
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_BATCH = 2_000
"""Episodes a transaction."""


def _ulid(moment_ms: int, number: int) -> str:
    value, digits = (moment_ms << 80) | (number << 24) | (number * 2654435761 & 0xFFFFFF), ""
    for _ in range(26):
        value, rest = divmod(value, 32)
        digits = _DIGITS[rest] + digits
    return digits


def _words() -> tuple[list[str], list[float]]:
    starts, middles = ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z"], ["a", "e", "i", "o", "u"]
    parts = [start + middle for start in starts for middle in middles]
    made = [first + second + third for first in ("", *parts[:4]) for second in parts for third in parts][:20_000]
    made[0] = COMMON
    made[14] = MIDDLING
    return made, list(accumulate(1 / rank for rank in range(1, len(made) + 1)))


def make(path: Path, episodes: int, plies: int = 10, seed: int = 0, at_once: int = 0) -> None:
    """Write so many episodes of about so many turns each into a new log.

    With `at_once` as a self-play run of so many matches at once leaves it: their messages in turn, one role's prompt of
    its instance and the other's the same in every match. Without, one episode behind the other, each with its prompts.
    """
    with closing(open_writer(path).connection) as connection:
        statements = {table: insert_sql(table) for table in COLUMNS}
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA foreign_keys = OFF")  # every row that is named is there; looking costs a third more
        for rows in _batches(episodes, plies, random.Random(seed), at_once):
            connection.execute("BEGIN IMMEDIATE")
            for table, some in rows.items():
                if table in statements:
                    connection.executemany(statements[table], some)
                else:
                    connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(some[0]))})", some)
            connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _batches(episodes: int, plies: int, luck: random.Random, at_once: int) -> Iterator[dict[str, list[Row]]]:
    words, weights = _words()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows: dict[str, list[Row]] = {table: [] for table in ("runs", *COLUMNS, "tags")}
    config = to_json({"made": "bench"})
    run = _ulid(int(start.timestamp() * 1000), 0)
    rows["runs"].append((run, "self_play", _iso(start), "bench", None, None, 0, config, "0" * 16, "{}"))
    players = [(f"player-{n:02d}", "model", name, "", "", "{}") for n, name in enumerate(_MODELS)]
    rows["players"] += [*players, ("player-human", "human", "human", "", "", "{}")]
    instances = [
        (f"{game}-{n:04d}", game, f"{game}-{n:04d}", f"{game}:{n}", ("easy", "hard")[n % 2], "en", split, "{}")
        for game in _GAMES
        for n in range(200)
        for split in (("train", "train", "validation", "test")[n % 4],)
    ]
    rows["instances"] += instances
    by_game = {game: [row for row in instances if row[1] == game] for game in _GAMES}
    under_way: list[list[Row]] = []
    rare = {episodes // 7, episodes // 3, episodes - 2}
    for number in range(episodes):
        began = start + timedelta(seconds=240 * number)
        before = len(rows["messages"])
        _episode(rows, number, began, run, by_game, plies, luck, (words, weights), number in rare, at_once > 0)
        if at_once:
            under_way.append(rows["messages"][before:])
            del rows["messages"][before:]
            if len(under_way) == at_once or number + 1 == episodes or (number + 1) % _BATCH == 0:
                turn_by_turn = zip_longest(*under_way)
                rows["messages"] += [row for some in turn_by_turn for row in some if row is not None]
                under_way.clear()
        if (number + 1) % _BATCH == 0:
            yield {table: some for table, some in rows.items() if some}
            rows = {table: [] for table in rows}
    yield {table: some for table, some in rows.items() if some}


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _episode(
    rows: dict[str, list[Row]],
    number: int,
    began: datetime,
    run: str,
    by_game: dict[str, list[Row]],
    plies: int,
    luck: random.Random,
    words: tuple[Sequence[str], Sequence[float]],
    rare: bool,
    shared: bool,
) -> None:
    game = luck.choices(tuple(_GAMES), (5, 3, 2))[0]
    roles = _GAMES[game]
    instance = luck.choice(by_game[game])[0]
    moment = int(began.timestamp() * 1000)
    id, at = _ulid(moment, 1000 + number * 64), _iso(began)
    briefs: dict[str, str] = {}
    for role in roles:
        known = luck if not shared else random.Random(f"{game}" if role == roles[-1] and len(roles) > 1 else instance)
        briefs[role] = f"You are the {role} of {game}. " + " ".join(known.choices(words[0], k=30))
    opening = to_json([{"to": role, "by": "gm", "text": briefs[role], "kind": "brief"} for role in roles])
    rows["episodes"].append((id, run, number, None, instance, game, 1, number, None, None, opening, at))
    seated = {role: f"player-{luck.randrange(len(_MODELS)):02d}" for role in roles}
    if number % 50 == 0:
        seated[roles[0]] = "player-human"
    rows["seats"] += [(id, role, player, None) for role, player in seated.items()]
    heard: dict[str, str | None] = {}

    def hear(role: str, sender: str, content: str) -> None:
        messages = chain([Message(sender, content)], heard.get(role))  # type: ignore[arg-type]
        rows["messages"] += messages
        heard[role] = messages[-1][0]

    for role in roles:
        hear(role, "user", briefs[role])
    outcome = luck.choices(("success", "failure", "aborted", None), (50, 30, 18, 2))[0]
    length = max(1, plies + luck.randrange(-4, 5))
    for ply in range(length):
        role, other = roles[ply % len(roles)], roles[(ply + 1) % len(roles)]
        said = luck.choices(words[0], cum_weights=words[1], k=luck.randrange(5, 16))
        said += [RARE] if rare and ply == 0 else []
        text = f"{'CLUE' if role == 'describer' else 'GUESS'}: {' '.join(said)}"
        seen = heard[role]
        hear(role, "assistant", text)
        hear(other, "user", text if other != role else "not it, guess again")
        last = outcome == "aborted" and ply == length - 1
        rows["turns"].append(
            (
                *(_ulid(moment, 1001 + number * 64 + ply), id, ply, ply // len(roles), role, seated[role], None, 0),
                *(text, "illegal" if last else "ok", "the tag is missing" if last else ""),
                to_json([{"to": other, "by": role, "text": text, "kind": "relay"}]),
                *(seen, 240.0, at),
            )
        )
        if number % 10 == 0:
            call = f"{_ulid(moment, 1001 + number * 64 + ply)}"
            rows["calls"].append(
                (
                    *(call, id, ply, role, call, seated[role], seen, text, "", "stop", 200, 20, 240.0, 40.0, 0),
                    *('{"temperature":0.7}', "", None, None, "{}", at),
                )
            )
    rows["heard"] += [(id, role, tip) for role, tip in heard.items()]
    if outcome is None:
        return
    main = None if outcome == "aborted" else 0.0 if outcome == "failure" else float(luck.choice((33.3, 50, 100)))
    rewards = to_json(dict.fromkeys(roles, (main or 0.0) / 100))
    rows["results"].append((id, outcome, _REASONS[outcome].format(length), main, rewards, "[]", length, at))
    credit = to_json([[ply, roles[ply % len(roles)], 0.5] for ply in range(length)])
    rows["scorings"].append((id, f"{game}@1", credit, to_json({"plies": length, "violations": 0}), at))
    if number % 100 == 3:
        rows["tags"].append((id, luck.choice(("odd", "seen", "bookmark")), at))
