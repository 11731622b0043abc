"""`spectate` in lines: runs that never began, and logs that can only be read."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from playpen_tui.cli import cli, spectate
from store.errors import ReadOnly, UnknownRun
from store.log import Log
from store.records import Progress


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    for name in ("CONFIG", "DATA", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.setenv("PLAYPEN_DB", str(tmp_path / "e.sqlite"))
    monkeypatch.setattr(spectate, "PATIENCE", 0.2)


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


@pytest.mark.parametrize("kind", ["self_play", "eval"])
@pytest.mark.parametrize("more", [(), ("--plain",)])
def test_a_run_that_never_began_is_not_waited_for(kind, more):
    with Log.open(None) as log:
        begun = log.new_run(kind, {})
    found = run("spectate", "--run", begun, *more)
    assert isinstance(found.exception, UnknownRun) and "nothing was ever begun in run" in str(found.exception)
    assert ("--resume" in str(found.exception)) == (kind == "self_play")


async def test_the_last_run_is_the_last_that_began():
    with Log.open(None) as log:
        never = log.new_run("self_play", {})
        assert spectate.latest(None) == never
        began = log.new_run("self_play", {})
        await log.beat(began, Progress("stopped", 2, 0, 2, 0))
        log.new_run("self_play", {})
    assert spectate.latest(None) == began


def test_a_log_that_can_only_be_read_is_read(monkeypatch):
    played = json.loads(run("selfplay", "taboo", "--player", "bot", "--episodes", "1", "--json").stdout)
    opened = Log.open

    def refuse(path=None, readonly=False, **more):
        if not readonly:
            raise ReadOnly("the folder cannot be written by you")
        return opened(path, readonly, **more)

    monkeypatch.setattr(Log, "open", refuse)
    listed = json.loads(run("spectate", "--json").stdout)
    assert [(one["kind"], one["state"]) for one in listed] == [("run", "done"), ("episode", "success")]
    (episode,) = (one["id"] for one in listed if one["kind"] == "episode")
    for words in (("--run", played["run"]), ("--run", "last"), ("--episode", episode)):
        assert "describer (bot:competent)" in run("spectate", *words, "--plain").stdout
