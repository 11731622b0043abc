"""Episodes of ours told in clembench's words: events, scores, requests and instances, in the files of clemcore 3.7."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Protocol

from store.exchange.chosen import file_name, pretty
from store.exchange.clem_instances import PREFIX
from store.exchange.clem_scores import MAIN, SCORER
from store.log import Log
from store.records import CallRow, EpisodeDetail, TurnRow

CLEM_VERSION = "3.7.2"
"""The version whose form this is."""
_OURS = "native_"


class Names(Protocol):
    """Gives out names of models' folders."""

    def of(self, name: str, owner: str) -> str:
        """The folder for an owner that would like this name."""
        ...


def told_group(
    log: Log, key: tuple[str, str, str], ids: Sequence[str], names: Names
) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Path and content of every file of episodes that share players, game and experiment, given as `key`.

    `key` is the JSON list of players by role, our name of the game, and the experiment.
    """
    players, game, experiment = json.loads(key[0]), _game(key[1]), key[2]
    folder = names.of(_models(players), key[0])
    above = PurePosixPath(folder, file_name(game), file_name(experiment))
    counts = Counter(row[0] for row in log.reader().execute(_INSTANCES, (json.dumps(list(ids)),)))
    numbers = {name: number for number, name in enumerate(sorted(counts))}
    several = max(counts.values(), default=0) > 1
    models: dict[str, Any] = {}
    first = ""
    for place, id in enumerate(ids):
        episode = log.queries.detail(id)
        models, first = models or _player_models(episode), first or _stamp(episode.row.started_at)
        number = numbers[episode.row.instance]
        name = f"episode_{place + 1:05}" if several else f"instance_{number:05}"
        for file, content in _episode(log, episode, game, number, folder).items():
            yield above / name / file, pretty(content)
    about = {"name": experiment, "game_name": game, "timestamp": first, "player_models": models}
    yield above / "experiment.json", pretty(about)
    run = {"clem_version": CLEM_VERSION, "created": first, "player_models": models, "games": {}}
    yield PurePosixPath(folder, "run.json"), pretty(run)


_INSTANCES = """
SELECT i.name FROM json_each(?) j JOIN episodes e ON e.id = j.value JOIN instances i ON i.id = e.instance_id
"""


def _game(name: str) -> str:
    return name.removeprefix(PREFIX) if name.startswith(PREFIX) else _OURS + name


def _models(players: Sequence[str]) -> str:
    """The folder of these players: one name where all are the same, else joined."""
    names = [file_name(player, 60) for player in players]
    return names[0] if len(set(names)) == 1 else "--".join(names)[:200]


def _player_models(episode: EpisodeDetail) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, who in enumerate(episode.seats.values()):
        spec = {"model_name": who.name, "backend": who.kind, "model_id": who.revision}
        found[str(number)] = {"model_spec": spec, "gen_args": dict(who.sampling)}
    return found


def _stamp(time: str) -> str:
    """A time as clembench writes it, without a zone."""
    return time.removesuffix("Z") + "000"


def _episode(log: Log, episode: EpisodeDetail, game: str, number: int, folder: str) -> dict[str, Any]:
    """The files of one episode by name."""
    row = episode.row
    order = dict.fromkeys([*(turn.role for turn in episode.turns), *row.seats])  # Player 1 is who spoke first
    seats = {role: f"Player {place}" for place, role in enumerate(order, 1)}
    players = {"GM": {"game_role": "Game Master", "model_name": "programmatic"}}
    players |= {seat: {"game_role": role, "model_name": row.seats[role]} for role, seat in seats.items()}
    turns = _rounds(episode, seats)
    meta = {
        "game_name": game,
        "experiment_name": episode.experiment,
        "game_id": number,
        "results_folder": folder,
        "clem_version": CLEM_VERSION,
        "round_count": len(turns),
        "completed": row.outcome is not None,
        "playpen": {"episode": row.id, "game": row.game, "version": row.version, "instance": row.instance},
    }
    models = _player_models(episode)
    counts = _counts(episode.turns)
    log_: dict[str, Any] = {"meta": meta, "player_models": models, "players": players, "turns": turns, **counts}
    (data,) = log.reader().execute(_DATA, (row.id,)).fetchone()
    files: dict[str, Any] = {"instance.json": {**json.loads(data), "game_id": number}}
    if row.outcome is not None:
        keys = {"Aborted": row.outcome == "aborted", "Success": row.outcome == "success"}
        outcome = {name: int(value) for name, value in keys.items()}
        outcome["Lose"] = int(not any(keys.values()))
        log_ |= {**outcome, "Outcome": row.outcome, "Reason": row.reason}
        own = {s.name: s.value for s in episode.scores if s.ply is None and s.name != "Played"}
        clembench = {s.name: s.value for s in episode.scores if s.ply is None and s.scorer == SCORER}
        main = math.nan if row.main is None else row.main
        numbers = {**own, **counts, **clembench, **outcome, MAIN: main}
        whole = {"meta": meta, "players": players, "player_models": models}
        files["scores.json"] = {**whole, "round scores": {}, "episode scores": numbers}
        files["completed.json"] = {"timestamp": _stamp(row.last_at)}
    files["interactions.json"] = log_
    for role, seat in seats.items():
        calls = [call for call in episode.calls if call.role == role]
        if calls:
            about = {"game_name": game, "experiment_name": episode.experiment, "game_id": number}
            about |= {"player_name": seat, "game_role": role, "model_name": row.seats[role]}
            files[f"{seat.lower().replace(' ', '_')}.requests.json"] = {
                "meta": {**about, "round_count": len(turns), "completed": row.outcome is not None},
                "calls": [_call(log, episode, call) for call in calls],
            }
    return files


_DATA = "SELECT i.data FROM episodes e JOIN instances i ON i.id = e.instance_id WHERE e.id = ?"


def _counts(turns: Sequence[TurnRow]) -> dict[str, Any]:
    violated = sum(turn.verdict == "illegal" for turn in turns)
    ratio = (len(turns) - violated) / len(turns) if turns else 0.0
    return {
        "Request Count": len(turns),
        "Parsed Request Count": len(turns) - violated,
        "Violated Request Count": violated,
        "Request Success Ratio": ratio,
    }


def _rounds(episode: EpisodeDetail, seats: Mapping[str, str]) -> list[list[dict[str, Any]]]:
    """Events by round. What the game master says goes before the turn that it leads to."""
    numbers = {number: place for place, number in enumerate(dict.fromkeys(turn.round for turn in episode.turns))}
    rounds: list[list[dict[str, Any]]] = [[] for _ in numbers] or [[]]
    waiting = [*episode.opening]
    time = _stamp(episode.row.started_at)

    def event(frm: str, to: str, kind: str, text: str, label: str = "") -> dict[str, Any]:
        action = {"type": kind, "content": text} | ({"label": label} if label else {})
        return {"from": frm, "to": to, "timestamp": time, "action": action}

    into = rounds[0]
    for turn in episode.turns:
        into = rounds[numbers[turn.round]]
        time = _stamp(turn.created_at)
        into += [event("GM", seats[say.to], "send message", say.text, "context") for say in waiting if say.to in seats]
        into.append(event(seats[turn.role], "GM", "get message", turn.text, "response"))
        if turn.verdict == "illegal":
            into.append(event("GM", "GM", "invalid format", turn.note))
        waiting = [*turn.says]
    time = _stamp(episode.row.last_at)
    into += [event("GM", seats[say.to], "send message", say.text, "context") for say in waiting if say.to in seats]
    if episode.row.outcome is not None:
        into.append(event("GM", "GM", f"game end: {episode.row.outcome}", episode.row.reason))
    return rounds


def _call(log: Log, episode: EpisodeDetail, call: CallRow) -> dict[str, Any]:
    turn = next((turn for turn in episode.turns if turn.id == call.turn), None)
    prompt = [{"role": m.role, "content": m.content} for m in log.queries.conversation(call.prompt_hash)]
    usage = {"prompt_tokens": call.tokens_in, "completion_tokens": call.tokens_out}
    raw = {"response": call.text, "reasoning": call.reasoning, "finish_reason": call.finish, "usage": usage}
    return {
        "round": turn.round if turn is not None else 0,
        "call": {
            "timestamp": _stamp(turn.created_at if turn is not None else episode.row.last_at),
            "manipulated_prompt_obj": prompt,
            "raw_response_obj": raw if not call.error else {**raw, "error": call.error},
        },
    }
