"""The plain mode where it meets the world: a terminal that is asked about consent, interrupts, closed pipes, servers
that are not there, and a game made of hostile text."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

GAMES = Path(__file__).parents[1] / "hostile_games"
BOTS = ("--seat", "describer=bot", "--seat", "guesser=bot")


@pytest.fixture
def env(tmp_path):
    folders = {f"XDG_{name}_HOME": str(tmp_path / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    return {**os.environ, **folders, "PLAYPEN_DB": str(tmp_path / "episodes.sqlite"), "PLAYPEN_GAMES": ""}


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "playpen_tui", *words]


def rows(env, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(env["PLAYPEN_DB"])) as connection:
        return connection.execute(sql).fetchall()


class Terminal:
    """A program in a pseudo-terminal, without a cursor to address: lines in, lines out."""

    def __init__(self, env, *words: str) -> None:
        self.main, inner = pty.openpty()
        self.child = subprocess.Popen(
            command(*words), stdin=inner, stdout=inner, stderr=inner, env=env, start_new_session=True
        )
        os.close(inner)
        self.seen = ""

    def until(self, text: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while text not in self.seen and time.monotonic() < end:
            if select.select([self.main], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.main, 65536).decode(errors="replace")
                except OSError:  # the other end is closed
                    break
        assert text in self.seen, self.seen

    def say(self, line: str) -> None:
        os.write(self.main, line.encode() + b"\n")

    def close(self) -> int:
        try:
            return self.child.wait(30)
        finally:
            if self.child.poll() is None:
                os.killpg(self.child.pid, signal.SIGKILL)
            os.close(self.main)


@pytest.mark.parametrize(("answer", "level", "turns"), [("", "local", 2), ("3", "public", 2), ("4", None, None)])
def test_consent_is_asked_where_there_is_a_terminal(env, answer, level, turns):
    terminal = Terminal(env, "play", "taboo", "--vs", "bot", "--instance", "high-en-004", "--plain")
    terminal.until("your answer, 1 to 4 [1]:")
    assert "random pseudonym" in terminal.seen
    if answer:
        terminal.say("9")
        terminal.until("your answer, 1 to 4 [1]:")
    terminal.say(answer)
    terminal.until("clue:")
    terminal.say("place from which you borrow novels and where you must whisper")
    terminal.until("-- won")
    assert terminal.close() == 0
    assert rows(env, "select consent from people") == ([(level,)] if level else [])
    assert rows(env, "select count(*) from turns") == [(turns or 0,)]


def test_an_interrupt_leaves_130_and_an_episode_that_goes_on(env):
    terminal = Terminal(env, "play", "wordle", "--plain", "--instance", "high-en-001")
    terminal.until("your answer")
    terminal.say("1")
    terminal.until("guess:")
    terminal.say("crane")
    terminal.until("guess 2 of 6")
    terminal.child.send_signal(signal.SIGINT)
    assert terminal.close() == 130
    assert rows(env, "select count(*) from turns") == [(1,)]
    (episode,) = rows(env, "select id from episodes")[0]
    ran = subprocess.run(
        command("play", "--resume", episode, "--plain"), input="agree\n", capture_output=True, text=True, env=env
    )
    assert ran.returncode == 0, ran.stderr
    assert rows(env, "select outcome, plies from results") == [("success", 2)]


def test_a_reader_that_closes_early_brings_no_traceback(env):
    child = subprocess.Popen(
        command("games", "sample", "taboo", "-n", "600"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    )
    assert child.stdout is not None and child.stderr is not None
    child.stdout.readline()
    child.stdout.close()
    error = child.stderr.read()
    assert child.wait(60) in (0, 1, 141) and b"Traceback" not in error, error


def test_a_server_that_is_not_there_is_named_and_the_game_waits(env):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    partner = f"openai:some-model?base_url=http://127.0.0.1:{port}/v1"
    words = ("play", "taboo", "--vs", partner, "--plain", "--instance", "high-en-004")
    ran = subprocess.run(command(*words), input="paper to borrow\n", capture_output=True, text=True, env=env)
    assert ran.returncode == 1 and "Traceback" not in ran.stderr
    reason, way_out = ran.stderr.strip().splitlines()
    assert reason.startswith("playpen-tui: ") and f"127.0.0.1:{port}" in reason
    assert re.fullmatch(r"go on with: playpen-tui play --resume \w+ --plain", way_out)
    assert rows(env, "select count(*) from turns") == [(1,)]
    assert rows(env, "select distinct finish from calls") == [("error",)]


def test_a_game_of_hostile_text_writes_nothing_but_text(env):
    env["PLAYPEN_GAMES"] = str(GAMES)
    for words in (
        ("play", "hostile", "--seat", "say[/]er=bot", "--seat", "list\u202eener=bot", "--plain"),
        ("play", "hostile", "--vs", "bot", "--plain"),
        ("games",),
    ):
        ran = subprocess.run(command(*words), input="hello\n\nwrong\n", capture_output=True, text=True, env=env)
        assert "Traceback" not in ran.stderr, ran.stderr
        for stream in (ran.stdout, ran.stderr):
            bad = re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", stream)
            assert not bad, (words, stream[max(0, bad.start() - 80) : bad.end() + 20] if bad else "")


def test_options_are_answered_by_number_or_in_words(env):
    words = ("play", "referencegame", "--as", "guesser", "--vs", "bot", "--instance", "letter_grids-en-001", "--plain")
    for answer in ("2", "second"):
        ran = subprocess.run(command(*words), input=f"{answer}\n", capture_output=True, text=True, env=env)
        assert ran.returncode == 0, ran.stderr
        assert "(1 first, 2 second, 3 third):" in ran.stdout
    assert rows(env, "select distinct text from turns where role = 'guesser'") == [("Answer: second",)]
