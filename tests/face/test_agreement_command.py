"""`annotate agreement` from outside."""

from __future__ import annotations

import json
from random import Random

import pytest
from click.testing import CliRunner
from judgements import queue, say

from playpen_tui.cli import cli
from store.log import Log

HOSTILE = "qwen\x1b[31m[bold]\u202e"


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    path = tmp_path_factory.mktemp("agreement") / "episodes.sqlite"
    luck = Random(5)
    with Log.open(path, wait=5) as opened:
        for name in ("ann", "bo", "cy"):
            opened.people.add(id=name)
        items = queue(opened, 40)
        for item in items:
            truth = luck.choice("ab")
            for name in ("ann", "bo"):
                say(opened, item, name, truth if luck.random() < 0.9 else "tie")
            say(opened, item, HOSTILE, truth, model=True)
        few = queue(opened, 4, name="few")
        for item in few:
            for name in ("ann", "cy"):
                say(opened, item, name, "a" if name == "ann" else "b")
    return path


def run(log, *words):
    return CliRunner().invoke(cli, ["annotate", "agreement", *words, "--db", str(log)], catch_exceptions=True)


def test_as_json(log):
    found = json.loads(run(log, "pairs", "--json").stdout)
    assert found["queues"] == ["pairs"] and found["items"] == found["judged"] == 40 and found["votes"] == 80
    between = found["between"]
    assert between["annotators"] == 2 and between["kappa"]["overlaps"] == 40
    assert between["kappa"]["interval"][0] < between["kappa"]["value"] < between["kappa"]["interval"][1]
    assert [row["judge"] for row in found["annotators"]] == ["ann", "bo"]
    assert [row["kind"] for row in found["models"]] == ["model"]
    assert found["models_with_people"][0]["second"] == "people"
    first = found["disputed"][0]
    assert first["game"] == "taboo" and first["settled"] is None and len(first["votes"]) == 2


def test_as_tables(log):
    told = run(log, "pairs")
    assert told.exit_code == 0 and "pairs: 40 of 40 items judged by 2 people" in told.output
    assert "Cohen's kappa" in told.output and "Krippendorff's alpha, strength" in told.output
    assert "\x1b" not in told.output and "\u202e" not in told.output and "models against what people say" in told.output


def test_too_few_is_a_word(log):
    told = run(log, "few").output
    assert "too few (n<30)" in told and "taboo, describer, ply 2: a 1 : b 1 – open" in told
    found = json.loads(run(log, "few", "--json").stdout)
    assert found["between"]["kappa"]["value"] is None and found["between"]["kappa"]["why"] == "too few (n<30)"


def test_all_queues_and_one_that_is_not_there(log):
    assert sorted(json.loads(run(log, "--json").stdout)["queues"]) == ["few", "pairs"]
    wrong = run(log, "pear")
    assert wrong.exit_code != 0 and "no queue is called 'pear'; there is" in str(wrong.exception)
