"""Small results trees by hand, in every form that clembench has written them."""

from __future__ import annotations

import json
import shutil

MODEL = {"model_spec": {"model_name": "m", "huggingface_id": "org/m"}, "gen_args": {"temperature": 0.0}}
START = "2026-07-01T19:02:12.9549{:02}"


def event(frm, to, kind, content, at, label=None):
    action = {"type": kind, "content": content}
    if label:
        action["label"] = label
    return {"from": frm, "to": to, "timestamp": START.format(at), "action": action}


def dialogue(rounds):
    """Events from short lines: `>1 text` to Player 1, `<1 text` from it, `!type: text` a note; `?1` is forgotten."""
    turns, at = [], 0
    for lines in rounds:
        events = []
        for line in lines:
            at += 1
            mark, _, rest = line.partition(" ")
            if mark[0] in ">?":
                label = "context" if mark[0] == ">" else "forget"
                events.append(event("GM", f"Player {mark[1]}", "send message", rest, at, label))
            elif mark[0] == "<":
                events.append(event(f"Player {mark[1]}", "GM", "get message", rest, at, "response"))
            else:
                kind, _, text = line[1:].partition(": ")
                events.append(event("GM", "GM", kind, text, at))
        turns.append(events)
    return turns


TABOO = [
    [
        ">1 describe APPLE",
        "<1 CLUE: a fruit",
        "!valid clue: a fruit",
        ">2 guess",
        "<2 GUESS: pear",
        "!valid guess: pear",
    ],
    [">1 GUESS: pear", "<1 CLUE: it keeps doctors away", ">2 CLUE: it keeps doctors away", "<2 GUESS: apple"],
]
PLAYERS = {
    "GM": {"game_role": "Game Master", "model_name": "programmatic"},
    "Player 1": {"game_role": "WordDescriber", "model_name": "m"},
    "Player 2": {"game_role": "WordGuesser", "model_name": "m"},
}
WON = {"Aborted": 0, "Lose": 0, "Success": 1, "Main Score": 50.0, "Request Count": 4, "Name": "text"}
ABORTED = {"Aborted": 1, "Lose": 0, "Success": 0, "Main Score": float("nan"), "Violated Request Count": 1}


def interactions(rounds=TABOO, players=PLAYERS, game="taboo", experiment="high_en", number=0, **more):
    meta = {"game_name": game, "experiment_name": experiment, "game_id": number, "clem_version": "3.7.2"}
    return {"meta": meta, "player_models": {"0": MODEL}, "players": players, "turns": dialogue(rounds), **more}


def scores(episode=WON, rounds=None, word="round scores"):
    return {"meta": {}, word: rounds if rounds is not None else {"0": {"Request Count": 2}}, "episode scores": episode}


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1), encoding="utf-8")
    return path


def run_json(root, created="2026-07-01T08:46:15.172538"):
    put(root / "run.json", {"clem_version": "3.7.2", "created": created, "player_models": {"0": MODEL}, "games": {}})


def episode(
    folder, log=None, instance=None, scored=None, game="taboo", experiment="high_en", requests=None, above=True, **files
):
    """Write one episode's folder, and `experiment.json` above it; returns the folder."""
    if above:
        about = {"name": experiment, "game_name": game, "player_models": {"0": MODEL}, "timestamp": START.format(0)}
        put(folder.parent / "experiment.json", about)
    put(folder / "instance.json", instance or {"game_id": 0, "target_word": "Apple", "related_word": ["pear"]})
    if log is not False:
        put(folder / "interactions.json", log or interactions())
    if scored is not False:
        put(folder / "scores.json", scored or scores())
    for name, content in (requests or {}).items():
        put(folder / name, content)
    for name, content in files.items():
        put(folder / f"{name}.json", content)
    return folder


def tree(root, count=3):
    """`m/taboo/high_en/instance_0000N`, all won, with different words."""
    run_json(root / "m")
    for number in range(count):
        word = ("Apple", "Bridge", "Cloud", "Dune", "Elk")[number % 5] + "s" * (number // 5)
        log = interactions(
            [[f">1 describe {word}", f"<1 CLUE: {number}", ">2 guess", f"<2 GUESS: {word}"]], number=number
        )
        episode(
            root / "m" / "taboo" / "high_en" / f"instance_{number:05}", log, {"game_id": number, "target_word": word}
        )
    return root / "m"


def call(prompt, raw, round=0, at=1):
    inner = {"timestamp": START.format(at), "manipulated_prompt_obj": prompt, "raw_response_obj": raw}
    return {"round": round, "call": inner}


def copy(tree, to):
    shutil.copytree(tree, to)
    return to
