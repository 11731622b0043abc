"""docs/log.md tells of every table and view, and its commands work as they stand."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_game import Script, new_match

from players.driver import drive
from store.ids import message_hash

DOCS = (Path(__file__).parents[2] / "docs" / "log.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^sqlite-utils .*$", DOCS, re.M)


def test_every_table_and_view_is_documented(log):
    rows = log.reader().execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
    names = [name for (name,) in rows if not re.match(r"sqlite_|_sqlite|turns_fts_", name)]
    assert len(names) > 25
    assert [name for name in names if f"`{name}`" not in DOCS] == []


def test_there_are_five_questions():
    assert len(COMMANDS) == 5


@pytest.mark.parametrize("command", COMMANDS, ids=range(len(COMMANDS)))
async def test_each_command_answers(command, log, path):
    model = Script("an animal?", "win", kind="model", name="m", calls=True)
    await drive(new_match(), {"asker": model, "teller": Script("yes")}, log.recorder)
    words = shlex.split(command.replace("episodes.sqlite", str(path)).replace("'guesser'", "'asker'"))
    done = subprocess.run([sys.executable, "-m", "sqlite_utils", *words[1:]], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if "--table" in words:
        assert len(done.stdout.splitlines()) > 2
    else:
        assert len(json.loads(done.stdout)) == 4


def test_the_recipe_of_the_hash_is_as_written():
    import hashlib

    parent = message_hash(None, "user", "ä\x00")
    assert parent == hashlib.blake2b("\nuser\nä\x00".encode(), digest_size=16).hexdigest()
    assert (
        message_hash(parent, "assistant", "x")
        == hashlib.blake2b(f"{parent}\nassistant\nx".encode(), digest_size=16).hexdigest()
    )
