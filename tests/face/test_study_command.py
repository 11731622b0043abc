"""Studies from outside: a file, people who take part through a pipe, a crash and going on, and what the log has."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from games import catalog

STUDY = """
name = "clues"
quota = 2
seed = 4
welcome = "Welcome!"
consent = { text = "We record what you say.", level = "research" }

[play]
games = ["taboo"]
roles = { taboo = ["guesser"] }
partners = ["bot", "bot:random"]
instances = { taboo = 6 }
episodes = 2

[[questions]]
id = "age"
when = "start"
kind = "choice"
text = "How old are you?"
options = ["young", "old"]

[[questions]]
id = "hard"
when = "each"
kind = "scale"
text = "How hard was it?"
ends = ["easy", "hard"]

[[questions]]
id = "more"
text = "Anything else?"
optional = true
"""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    folders = {f"XDG_{name}_HOME": str(tmp_path / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    (tmp_path / "study.toml").write_text(STUDY)
    return {**os.environ, **folders, "PLAYPEN_DB": str(tmp_path / "e.sqlite"), "HERE": str(tmp_path)}


def playpen(env: dict[str, str], *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "playpen_tui", *words]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=110, env=env, check=False)


def take(env: dict[str, str], *lines: str, who: tuple[str, ...] = ("--as", "P01")):
    path = str(Path(env["HERE"]) / "study.toml")
    return playpen(env, "study", "run", path, *who, "--plain", given="".join(f"{line}\n" for line in lines))


def shown(env: dict[str, str]) -> dict:
    return json.loads(playpen(env, "study", "show", "clues", "--json").stdout)


def rows(env: dict[str, str], sql: str) -> list[tuple]:
    with sqlite3.connect(env["PLAYPEN_DB"]) as connection:
        return connection.execute(sql).fetchall()


def target(trial: dict) -> str:
    return catalog.instance(catalog.get("taboo"), trial["instance"]).target


@pytest.mark.slow
def test_a_study_from_consent_to_code_with_a_crash_between(env):
    stopped = take(env, "what?", "1", "9", "2", "wrong")  # the input ends in mid-game
    assert stopped.returncode == 1 and "Welcome!" in stopped.stdout and "We record what you say." in stopped.stdout
    assert "a number from 1 to 2, please" in stopped.stdout and "-- game 1 of 2" in stopped.stdout
    assert "go on with: playpen-tui study run" in stopped.stderr and "--as P01" in stopped.stderr
    before = shown(env)["participants"][0]
    assert before["answers"]["age"] == "old" and before["trials"][0]["episode"] and before["finished_at"] is None
    words = [target(trial) for trial in before["trials"]]
    done = take(env, words[0], "8", "7", words[1], "1", "")
    assert done.returncode == 0, done.stderr + done.stdout
    assert (
        "We record" not in done.stdout and "How old" not in done.stdout and "number from 1 to 7, please" in done.stdout
    )
    found = shown(env)
    me = found["participants"][0]
    assert me["trials"][0]["episode"] == before["trials"][0]["episode"]  # the same game went on
    assert [trial["outcome"] for trial in me["trials"]] == ["success", "success"]
    assert me["answers"] | {"consent": 0} == {"consent": 0, "age": "old", "hard@1": 7, "hard@2": 1, "more": None}
    assert f"your completion code: {me['code']}" in done.stdout and me["finished_at"]
    assert me["answers"]["consent"] == {"agreed": True, "level": "research", "text": "We record what you say."}
    assert rows(env, "SELECT kind FROM runs") == [("study",)] and rows(env, "SELECT id, consent FROM people") == [
        ("P01", "research")
    ]
    assert [(cell["partner"], cell["over"]) for cell in found["cells"]] == [("bot", 1), ("bot:random", 1)]
    again = take(env)
    assert again.returncode == 0 and me["code"] in again.stdout and len(rows(env, "SELECT id FROM episodes")) == 2


@pytest.mark.slow
def test_who_declines_leaves_nothing_and_a_full_study_says_so(env):
    declined = take(env, "2", who=("--new",))
    assert declined.returncode == 0 and "nothing about you was kept" in declined.stdout
    assert rows(env, "SELECT count(*) FROM people") == [(0,)]
    for who in ("P01", "P02"):
        take(env, "1", who=("--as", who))
    full = take(env, "1", who=("--as", "P03"))
    assert full.returncode == 1 and "the study is full: it asks for 2 people, and has them" in full.stderr
    assert "We record" not in full.stdout and rows(env, "SELECT id FROM people ORDER BY id") == [("P01",), ("P02",)]
    listed = json.loads(playpen(env, "study", "list", "--json").stdout)["studies"]
    assert [(one["name"], one["joined"], one["finished"], one["quota"]) for one in listed] == [("clues", 2, 0, 2)]
    first, second = (person["trials"] for person in shown(env)["participants"])
    assert {trial["partner"] for trial in first} == {trial["partner"] for trial in second} == {"bot", "bot:random"}


@pytest.mark.slow
def test_the_person_of_this_user_comes_back_without_a_name(env):
    take(env, "1", "1", who=())
    (person,) = shown(env)["participants"]
    take(env, who=())
    assert [one["person"] for one in shown(env)["participants"]] == [person["person"]]


def test_new_and_check(env, tmp_path):
    path = str(tmp_path / "new.toml")
    assert playpen(env, "study", "new", path).returncode == 0
    twice = playpen(env, "study", "new", path)
    assert twice.returncode == 2 and "is there already" in twice.stderr
    told = json.loads(playpen(env, "study", "check", path, "--json").stdout)
    assert told["episodes"] == 3 and len(told["cells"]) == 2
    Path(path).write_text(STUDY.replace('"bot:random"', '"bot:nobody"'))
    wrong = playpen(env, "study", "run", path, "--plain", "--as", "P01")
    assert wrong.returncode != 0 and "no bot 'nobody'" in wrong.stderr and wrong.stderr.count("\n") == 1
    named = playpen(env, "study", "run", path, "--plain", "--as", "Jane Doe")
    assert named.returncode == 2 and "no name of a person" in named.stderr
