"""`trace` from outside: lines, JSON, and sentences for what is not there."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from playpen_tui.cli import cli


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    path = tmp_path_factory.mktemp("trace") / "episodes.sqlite"
    ran = CliRunner().invoke(
        cli, ["selfplay", "taboo", "--player", "bot", "--episodes", "3", "--db", str(path), "--json"]
    )
    assert ran.exit_code == 0, ran.output
    return path


def run(log, *words):
    return CliRunner().invoke(cli, ["trace", *words, "--db", str(log)])


def test_a_cell_leads_to_its_episodes_and_on(log):
    tree = json.loads(run(log, "bot:competent@taboo", "--json").stdout)
    (made,) = [branch for branch in tree["from"] if branch["kind"] == "episode"]
    assert made["total"] == len(made["nodes"]) == 3 and tree["kind"] == "cell"
    episode = made["nodes"][0]
    assert {branch["relation"] for branch in episode["from"]} == {"played in", "on", "played by"}
    told = run(log, episode["id"], "--plain", "--depth", "1").output
    assert told.startswith(f"episode {episode['id']}  taboo") and "\n  turns (2)\n    turn " in told
    facts = json.loads(run(log, episode["id"].lower(), "--json").stdout)
    assert facts["facts"]["game"] == "taboo" and facts["id"] == episode["id"]


def test_what_is_not_there_is_one_sentence(log):
    ran = run(log, "nothing", "--json")
    assert ran.exit_code == 1 and "nothing in the log is called 'nothing'" in str(ran.exception or ran.output)
