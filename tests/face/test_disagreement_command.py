"""`annotate disagreement` and `branch --disagreement` from outside: the same pairs, told the same way."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from differing import paired, played_on
from judgements import say

from playpen_tui.cli import cli
from store.log import Log

HOSTILE = "why\x1b[31m[bold]\u202e"


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Six pairs in two queues: one disagrees by rollouts, one by its endings, one was decided over the votes."""
    path = tmp_path_factory.mktemp("disagreement") / "episodes.sqlite"
    with Log.open(path, wait=5) as opened:
        for name in ("ann", "bo", "cy"):
            opened.people.add(id=name)
        items = paired(opened, 5)
        for name, verdict in (("ann", "a"), ("bo", "a"), ("cy", "b")):
            say(opened, items[0], name, verdict)
        played_on(opened, items[0], "a", [0.0, 0.0, 1.0, 0.0, 0.0])
        played_on(opened, items[0], "b", [1.0] * 5)
        for item in items[1:4]:
            say(opened, item, "ann", "b")
        say(opened, items[1], "bo", "a", adjudicated=True, reason=HOSTILE)
        (more,) = paired(opened, 1, "more", game="wordle")
        say(opened, more, "ann", "tie")
    return path


def run(log, *words):
    return CliRunner().invoke(cli, [*words, "--db", str(log)], catch_exceptions=True)


def test_as_lines(log):
    told = run(log, "annotate", "disagreement", "--plain").output
    assert "taboo, describer, ply 2, episode " in told and ": A 2, B 1\n" in told
    assert "  people  A  0.20 [0.04, 0.62] of 5  CLUE: number 0 a" in told
    assert "  game    B  1.00 [0.57, 1.00] of 5  CLUE: number 0 b" in told
    assert (
        ": B 1; adjudicated: A, over the votes\n" in told and "  people  A  ✗ failure, 0.00  CLUE: number 1 a" in told
    )
    assert "2 agree · 2 disagree · 1 undecided: 2 of 4 pairs that can be told (too few for an interval)" in told
    assert "undecided: people prefer neither (1)" in told and "\x1b" not in told


def test_as_json_and_filtered(log):
    found = json.loads(run(log, "annotate", "disagreement", "--queue", "pairs", "--json").stdout)
    assert (found["queue"], found["pairs"]) == ("pairs", 4)
    assert found["counts"] == {"agree": 2, "disagree": 2, "undecided": 0}
    assert found["share"] == {"value": 0.5, "interval": None, "n": 4}
    first, second = found["disagree"]
    assert (first["prefer"], first["came_to_more"], first["measure"], first["people"]) == ("a", "b", "rollouts", 3)
    assert (first["a"]["value"], first["a"]["n"], first["b"]["outcome"]) == (0.2, 5, "success")
    assert second["adjudicated"] == {"verdict": "a", "by": "bo", "reason": HOSTILE} and second["queues"] == ["pairs"]
    found = json.loads(run(log, "annotate", "disagreement", "--game", "wordle", "--json").stdout)
    assert found["undecided"] == {"people prefer neither": 1} and found["share"] is None


def test_branches_tell_of_what_was_played_on_by_the_same_words(log):
    told = run(log, "branch", "--disagreement").output
    assert "A  0.20 [0.04, 0.62] of 5" in told and "0 agree · 1 disagree · 0 undecided: 1 of 1 pair" in told
    found = json.loads(run(log, "branch", "--disagreement", "--json").stdout)
    every = json.loads(run(log, "annotate", "disagreement", "--json").stdout)
    assert found["disagree"] == every["disagree"][:1]


def test_what_is_wrong_is_one_sentence(log):
    wrong = run(log, "annotate", "disagreement", "--queue", "pear")
    assert wrong.exit_code != 0 and "no queue is called 'pear'; there is pairs" in str(wrong.exception)
    wrong = run(log, "annotate", "disagreement", "--outcome", "foo", "--plain")
    assert wrong.exception.exit_code == 2 and str(wrong.exception).startswith("no outcome 'foo'; there are success, f")
