"""`db people` and `db forget` on the command line: what they say, never the words themselves."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from playpen_tui.cli import cli

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))

from test_forget import ANNA, BEN, NONCE, fill, nowhere


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "episodes.sqlite"
    asyncio.run(fill(path))
    return path


def call(path, *words, code=0, **more):
    done = CliRunner().invoke(cli, ["--db", str(path), "db", *words], **more)
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def test_people_are_listed_by_pseudonym(path):
    told = {one["id"]: one for one in json.loads(call(path, "people", "--json"))}
    assert (told[ANNA]["turns"], told[ANNA]["consent"], told[BEN]["judgements"]) == (3, "research", 3)
    assert call(path, "people").splitlines()[0].split() == ["person", "consent", "turns", "judgements", "since"]


def test_without_a_terminal_nothing_is_erased_unless_told_so(path):
    assert "say --yes" in call(path, "forget", ANNA, code=2)
    told = json.loads(call(path, "forget", ANNA, "--dry-run", "--json"))
    assert told["dry_run"] and told["erased"]["episodes"] == 6
    assert NONCE.encode() in path.read_bytes()
    said = call(path, "forget", ANNA, "--yes")
    assert "in 6 episodes" in said and "none of them is left" in said and NONCE not in said
    assert "tuned: sft training" in said and "cannot forget" in said
    nowhere(path)
    assert "forgotten before" in call(path, "forget", ANNA, "--yes")
    assert "was written anew" in call(path, "forget", "--finish")


def test_wrong_usage_says_the_way_out(path):
    assert "db people" in call(path, "forget", code=2)
    assert "takes no PERSON" in call(path, "forget", ANNA, "--finish", code=2)
