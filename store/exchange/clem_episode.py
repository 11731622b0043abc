"""One episode's folder as rows: its instance, who sat where, every turn with what was heard, requests, the end.

Its id is made of what was said and where it lay, so that the same episode is the same row from whichever copy.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from games.engine import Role
from store.exchange import clem_calls, clem_events, clem_instances, clem_players, clem_scores
from store.exchange.clem_events import Dialogue
from store.exchange.clem_tree import EpisodeFolder
from store.exchange.intake import Refused, Unreadable, deep, mapping, moment, parse, parse_object, read, text_of
from store.history import FOREIGN
from store.ids import blob_hash, clean, fixed_id, to_json, written
from store.recorder import says_json
from store.writer import Row


@dataclass(slots=True)
class Read:
    """An episode ready to be written."""

    id: str
    at: int
    game: str
    finished: bool
    rows: dict[str, list[Row]]
    ending: dict[str, list[Row]]
    """Rows that come when it is over: `heard`, `results`; a later import may bring them for one that was not."""
    contents: list[tuple[str, bytes]]
    """Path and content of each file."""
    people: list[str] = field(default_factory=list[str])
    """Pseudonyms of people whom the log knows as `human`."""
    refused: list[Refused] = field(default_factory=list[Refused])
    instance: Row = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """What the folders around an episode say: the run it is of, and the parsed files above it."""

    run: str
    run_json: Mapping[str, Any]
    experiment_json: Mapping[str, Any]
    at: int
    """When the run began, in milliseconds since 1970: for episodes that tell no time."""
    splits: clem_instances.Splits
    names: Mapping[Path, str] = field(default_factory=dict[Path, str])
    """Paths as they are told to people."""


class _Contents:
    """The files of an episode's folder: bytes to keep, and JSON as it is asked for."""

    def __init__(self, folder: EpisodeFolder, frame: Frame) -> None:
        self.folder, self.frame = folder, frame
        self.refused: list[Refused] = []
        self.stored: list[tuple[str, bytes]] = []
        self.data: dict[str, bytes] = {}
        for file in folder.files:
            name = str(file.relative_to(folder.path))
            try:
                self.data[name] = read(file)
            except Unreadable as error:
                if name in _NEEDED:
                    raise Unreadable(f"{name} {error}") from error
                self.refused.append(Refused(frame.names[file], str(error)))
            else:
                self.stored.append((folder.path_of(file), self.data[name]))

    def json(self, name: str) -> dict[str, Any] | None:
        """The object in this file; None where it is not there, or (listed) no such thing. Raises Unreadable."""
        if name not in self.data:
            return None
        try:
            return parse_object(self.data[name])
        except Unreadable as error:
            if name in _NEEDED:
                raise Unreadable(f"{name} {error}") from error
            self.refuse(name, error)
            return None

    def refuse(self, name: str, error: Unreadable) -> None:
        """List a file that says nothing, though its bytes are kept."""
        self.refused.append(Refused(self.frame.names[self.folder.path / name], f"{error}; its bytes are kept"))

    def instance(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        """The instance: of a branch it lies one folder up; where it is lost only its number is known."""
        found = self.json("instance.json")
        if found is None and self.folder.branch:
            try:
                return parse_object(read(self.folder.instance / "instance.json"))
            except Unreadable as error:
                raise Unreadable(f"the instance of the branch {error}") from error
        if found is None:
            self.refused.append(Refused(self.frame.names[self.folder.path], "has no instance.json: it is not known"))
            return {"game_id": meta.get("game_id", self.folder.instance.name)}
        return found


_NEEDED = ("interactions.json", "instance.json")


def read_episode(folder: EpisodeFolder, frame: Frame) -> Read:
    """Read an episode. Raises Unreadable where nothing of it can come in; files that cannot are listed in `refused`."""
    files = _Contents(folder, frame)
    log = files.json("interactions.json")
    meta = mapping((log or {}).get("meta"))
    instance = files.instance(meta)
    game = text_of(frame.experiment_json.get("game_name"), meta.get("game_name"), folder.game.name, "unknown")
    experiment = text_of(frame.experiment_json.get("name"), meta.get("experiment_name"), folder.experiment_name)
    dialogue = _dialogue(log, frame, folder)
    error = files.json("error.json")
    stopped = moment((error or {}).get("timestamp"))
    at = next((time for time in (dialogue.first, stopped) if time is not None), frame.at)
    body = files.data.get("interactions.json", files.data.get("instance.json", b""))
    id = fixed_id(at, "episode", game, experiment, folder.place, blob_hash(body))
    row = clem_instances.row(game, experiment, frame.experiment_json, instance, frame.splits, folder.instance.name)
    done = Read(id, at, f"{clem_instances.PREFIX}{game}", False, {}, {}, files.stored, [], files.refused, row)
    _fill(done, folder, frame, dialogue, log or {})
    _requests(done, files, dialogue)
    end = clem_scores.scored(files.json("scores.json"), log or {})
    if error is None and log is not None and end.outcome is not None:
        _end(done, end, dialogue)
    else:
        _failure(done, dialogue, error, log is not None)
    return done


def _dialogue(log: Mapping[str, Any] | None, frame: Frame, folder: EpisodeFolder) -> Dialogue:
    if log is not None:
        return clem_events.read(log)
    models = mapping(frame.experiment_json.get("player_models")) or mapping(frame.run_json.get("player_models"))
    seats = {f"Player {int(number) + 1}" for number in models if number.isdecimal() and len(number) < 3}
    seats = seats or {f"Player {n + 1}" for n, _ in enumerate(folder.models.name.split("--"))}
    return Dialogue({seat: seat for seat in sorted(seats)})


def _fill(done: Read, folder: EpisodeFolder, frame: Frame, dialogue: Dialogue, log: Mapping[str, Any]) -> None:
    """Everything but requests and the end."""
    told_by = (log, frame.experiment_json, frame.run_json)
    models = next(filter(None, (mapping(about.get("player_models")) for about in told_by)), mapping(None))
    told = mapping(log.get("players"))
    players: dict[str, tuple[Row, str | None]] = {}
    for seat in dialogue.roles:
        players[seat] = clem_players.player(seat, told.get(seat), models, folder.models.name, done.id)
    done.people = [person for _, person in players.values() if person]
    family = fixed_id(frame.at, "group", frame.run, done.instance[0], folder.instance.name)
    group = family if folder.branch else None
    episode = (done.id, frame.run, None, group, done.instance[0], done.game, FOREIGN, 0, None, None)
    done.rows = {
        "instances": [done.instance],
        "players": list({row[0]: row for row, _ in players.values()}.values()),
        "episodes": [(*episode, says_json(dialogue.opening), written(done.at))],
        "seats": [(done.id, dialogue.roles[seat], row[0], person) for seat, (row, person) in players.items()],
        "messages": dialogue.messages,
        "turns": [],
        "calls": [],
        "failures": [],
        "scorings": [],
    }
    for turn in dialogue.turns:
        row, person = players[turn.seat]
        done.rows["turns"].append(
            (
                turn_id(done.id, turn.ply, turn.at),
                done.id,
                turn.ply,
                turn.round,
                dialogue.roles[turn.seat],
                row[0],
                person,
                0,
                turn.text,
                turn.verdict,
                turn.note,
                says_json(turn.says),
                turn.seen,
                0.0,
                written(turn.at),
            )
        )
    done.ending["heard"] = [(done.id, dialogue.roles[seat], tip) for seat, tip in dialogue.heard.items()]


def turn_id(episode: str, ply: int, at: int) -> str:
    """The id of an imported turn."""
    return fixed_id(at, episode, "turn", str(ply))


def _requests(done: Read, files: _Contents, dialogue: Dialogue) -> None:
    """Rows of `calls`. A file that cannot be read, or is nested too deeply, is listed and costs nothing else."""
    seats = {role: player for _, role, player, _ in done.rows["seats"]}
    for name, data in files.data.items():
        if not clem_calls.FILE.fullmatch(name):
            continue
        try:
            content = parse(data)
            if deep(content):
                raise Unreadable("is nested too deeply")
            asked = clem_calls.calls(name, content, dialogue)
        except Unreadable as error:
            files.refuse(name, error)
            continue
        for call in asked:
            number = len(done.rows["calls"])
            role = dialogue.roles.get(call.seat, call.seat)
            done.rows["messages"] = [*done.rows["messages"], *call.messages]
            done.rows["calls"].append(
                (
                    fixed_id(call.at, done.id, "call", str(number)),
                    done.id,
                    call.ply,
                    role,
                    turn_id(done.id, call.ply, call.turn.at) if call.turn is not None else None,
                    seats[role],
                    call.prompt,
                    call.text,
                    call.reasoning,
                    call.finish,
                    call.tokens_in,
                    call.tokens_out,
                    0.0,
                    None,
                    0,
                    "{}",
                    "",
                    None,
                    None,
                    call.raw,
                    written(call.at),
                )
            )


def _end(done: Read, end: clem_scores.Scored, dialogue: Dialogue) -> None:
    """The result, what was heard in all, and the scores."""
    done.finished = True
    at = written(dialogue.last if dialogue.last is not None else done.at)
    last = dialogue.turns[-1] if dialogue.turns else None
    reason = ""
    if end.outcome == "aborted" and last is not None and last.verdict == "illegal":
        reason = last.kind
    elif end.outcome != "success":
        reason = clean(dialogue.ending)[:200]
    reward = (end.main or 0.0) / 100
    rewards: dict[Role, float] = dict.fromkeys(dialogue.roles.values(), min(max(reward, 0.0), 1.0))
    done.ending["results"] = [(done.id, end.outcome, reason, end.main, to_json(rewards), "[]", len(dialogue.turns), at)]
    numbers: Sequence[tuple[str, Mapping[str, float]]] = (
        (clem_scores.SCORER, end.metrics),
        (clem_scores.ROUNDS, end.rounds),
    )
    done.ending["scorings"] = [(done.id, who, "[]", to_json(found), at) for who, found in numbers if found]


def _failure(done: Read, dialogue: Dialogue, error: Mapping[str, Any] | None, played: bool) -> None:
    """Why the episode stands without a result."""
    ply = len(dialogue.turns)
    seat = dialogue.turns[-1].seat if dialogue.turns else next(iter(dialogue.roles), None)
    if seat is None:
        return
    role = dialogue.roles[seat]
    player = next(player for _, name, player, _ in done.rows["seats"] if name == role)
    if error is not None:
        kind = text_of(error.get("error")) or "error"
        message = text_of(error.get("message")) or "clembench stopped it with an error"
    elif played:
        kind, message = "unscored", "the log says neither how it ended nor what it scored; run clem score, import again"
    else:
        kind, message = "unplayed", "its instance is there, but nothing was played"
    done.rows["failures"].append(
        (fixed_id(done.at, done.id, "failure"), done.id, ply, role, player, kind, message, written(done.at))
    )


def compressed(content: bytes) -> Row:
    """A row of `blobs`."""
    return (blob_hash(content), zlib.compress(content, 6), len(content))
