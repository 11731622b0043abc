from __future__ import annotations

import os
import pty
import select
import stat
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from players import weights
from players.backends import quiet


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def test_logs_lie_in_the_users_log_directory(home, monkeypatch):
    assert quiet.log_path("x") == home / "state" / "playpen-tui" / "log" / "x.log"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert "playpen-tui" in quiet.log_path("x").parts


def test_a_log_grows_and_is_for_the_user_only():
    for text in (b"one\n", b"two\n"):
        with quiet.open_log("x") as log:
            log.write(text)
    path = quiet.log_path("x")
    assert path.read_bytes() == b"one\ntwo\n" and quiet.size("x") == 8
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_large_log_is_put_aside_once(monkeypatch):
    monkeypatch.setattr(quiet, "LARGEST", 10)
    for text in (b"a" * 20, b"b" * 20, b"c"):
        with quiet.open_log("x") as log:
            log.write(text)
    path = quiet.log_path("x")
    assert path.read_bytes() == b"c" and path.with_suffix(".log.old").read_bytes() == b"b" * 20


def test_where_no_log_can_be_written_the_noise_goes_nowhere(home):
    (home / "state").write_text("in the way", encoding="utf-8")
    with quiet.open_log("x") as log:
        assert log.name == os.devnull
        log.write(b"gone")
    assert quiet.size("x") == 0 and quiet.tail("x") == ""


def test_tail_finds_what_went_wrong_this_time():
    with quiet.open_log("x") as log:
        log.write(b"error of yesterday\n")
    since = quiet.size("x")
    with quiet.open_log("x") as log:
        log.write(b"loading\n  Error: no such tensor \xff\nerror again\n")
    assert quiet.tail("x", since=since) == "Error: no such tensor \ufffd"
    assert quiet.tail("x", ("tensor",)) == "Error: no such tensor \ufffd" and quiet.tail("x", ("?",)) == ""


PROGRAM = """
import asyncio, os, sys
from games.engine import Message
from players import weights
from players.backends.embedded import embedded_client, stop_all

async def main():
    client = await embedded_client(weights.find("smollm2"), name="smollm2")
    say = [Message("user", "hi")]
    call = await client.complete(say, {"max_tokens": 3}, role="x", emit=lambda event: None)
    assert call.text
    try:
        await client.complete(say, {"max_tokens": 3}, role="x", emit=lambda event: None, grammar="root ::= (")
    except Exception as error:
        print(type(error).__name__)
    await client.aclose()

asyncio.run(main())
stop_all()
os.write(2, b"the end")
"""


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.skipif(
    find_spec("xllamacpp") is None or weights.find("smollm2") is None,
    reason='the built-in model is not here: pip install "playpen-tui[local]", then playpen-tui models get smollm2',
)
def test_nothing_of_llama_cpp_reaches_a_terminal():
    """In a real terminal, where all three standard streams are it: load, reply, a grammar that llama.cpp curses at."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", PROGRAM])
    seen, until = b"", time.monotonic() + 90
    while time.monotonic() < until:
        if select.select([terminal], [], [], 1)[0]:
            try:
                piece = os.read(terminal, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            seen += piece
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0, seen
    assert seen == b"PlayerError\r\nthe end"
    log = Path(quiet.log_path("llamacpp")).read_text(encoding="utf-8", errors="replace")
    assert "error parsing grammar" in log
