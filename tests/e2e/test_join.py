"""Two processes at one table, through one file: either is killed with -9 and comes back, and seats change hands.

Both play in lines over pipes. What counts stands in the log: who sat where, turn by turn, and that the file is sound.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

CODE = "TEA-CUP"
TABLE = (
    "play",
    "taboo",
    "--as",
    "describer",
    "--seat",
    f"guesser=human@{CODE}",
    "--instance",
    "high-en-004",
    "--plain",
)


class Terminal:
    """A process in lines: what it printed so far, and a way to wait for what it will print."""

    def __init__(self, env: dict[str, str], *words: str) -> None:
        command = [sys.executable, "-m", "playpen_tui", *words]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env
        )
        self.lines: list[str] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._more:
                self.lines.append(line.rstrip("\n"))
                self._more.notify_all()

    def sees(self, text: str, times: int = 1) -> None:
        """Wait until so many lines hold this text."""

        def there() -> bool:
            return sum(text in line for line in self.lines) >= times

        with self._more:
            assert self._more.wait_for(there, 30), f"never printed: {text!r}; but\n" + "\n".join(self.lines)

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """As `kill -9` does: no last word."""
        self.process.kill()
        self.process.wait(30)

    def end(self) -> int:
        """Wait for the process to end by itself; its exit code."""
        code = self.process.wait(60)
        self._reader.join(30)
        return code


class Room:
    """Two people with homes of their own and one file."""

    def __init__(self, folder: Path) -> None:
        self.db = folder / "episodes.sqlite"
        self.folder = folder
        self.open: list[Terminal] = []

    def env(self, who: str) -> dict[str, str]:
        homes = {f"XDG_{n}_HOME": str(self.folder / who / n.lower()) for n in ("CONFIG", "STATE", "CACHE", "DATA")}
        return {**os.environ, **homes, "PLAYPEN_DB": str(self.db), "PLAYPEN_GAMES": ""}

    def sit(self, who: str, *words: str) -> Terminal:
        self.open.append(Terminal(self.env(who), *words))
        return self.open[-1]

    def run(self, who: str, *words: str) -> subprocess.CompletedProcess[str]:
        command, nothing = [sys.executable, "-m", "playpen_tui", *words], subprocess.DEVNULL
        return subprocess.run(
            command, env=self.env(who), capture_output=True, text=True, stdin=nothing, check=False, timeout=60
        )

    def rows(self, sql: str) -> list[tuple]:
        with closing(sqlite3.connect(self.db)) as connection:
            return connection.execute(sql).fetchall()

    def turns(self) -> list[tuple[str, str, str]]:
        """(role, player, words) of every turn, in order."""
        return self.rows(
            "SELECT t.role, p.name, t.text FROM turns t JOIN players p ON p.id = t.player_id ORDER BY t.ply"
        )

    def sound(self) -> None:
        """One episode, one result, plies without a gap, a file without a fault."""
        ran = self.run("host", "db", "check")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert self.rows("SELECT count(*), count(DISTINCT episode_id) FROM results") == [(1, 1)]
        assert [ply for (ply,) in self.rows("SELECT ply FROM turns ORDER BY ply")] == list(range(len(self.turns())))
        assert self.rows("SELECT count(*) FROM unfinished") == [(0,)]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    for terminal in made.open:
        if terminal.process.poll() is None:
            terminal.kill()


def test_two_terminals_play_and_either_is_killed_and_comes_back(room):
    host = room.sit("host", *TABLE)
    host.sees(f"playpen-tui join {CODE} --db")
    guest = room.sit("guest", "join", CODE.lower(), "--plain")
    guest.sees("describer: at another terminal")
    host.sees("-- the guesser sits at another terminal")
    host.say("paper on shelves")
    guest.sees("describer: paper on shelves")
    guest.sees("guess:")
    host.kill()
    guest.say("museum")
    guest.sees("you: museum")
    guest.sees("-- Whoever opened this table has been away for")
    ((episode,),) = room.rows("SELECT id FROM episodes")
    guest.sees(f"playpen-tui play --resume {episode}")

    host = room.sit("host", "play", "--resume", episode, "--plain")
    host.sees("you: paper on shelves")
    host.sees("guesser: museum")
    guest.sees("-- whoever opened this table is back")
    host.say("you borrow there")
    guest.sees("describer: you borrow there")
    guest.kill()
    host.sees("-- the guesser has been away for")

    guest = room.sit("guest", "join", CODE, "--plain")
    guest.sees("you: museum")
    guest.sees("describer: you borrow there")
    host.sees("-- the guesser sits at another terminal", times=2)
    guest.say("library")
    assert (host.end(), guest.end()) == (0, 0)
    host.sees("-- won: guessed in 2 of 3")
    guest.sees("-- won: guessed in 2 of 3")
    assert room.turns() == [
        ("describer", "human", "CLUE: paper on shelves"),
        ("guesser", "human", "GUESS: museum"),
        ("describer", "human", "CLUE: you borrow there"),
        ("guesser", "human", "GUESS: library"),
    ]
    people = dict(room.rows("SELECT role, group_concat(DISTINCT person_id) FROM turns GROUP BY role"))
    assert people["describer"] != people["guesser"] and not any("," in person for person in people.values())
    room.sound()


def test_a_seat_given_to_a_bot_and_handed_back_to_the_guest_is_in_the_log_turn_by_turn(room):
    host = room.sit("host", *TABLE)
    host.sees(f"playpen-tui join {CODE}")
    guest = room.sit("guest", "join", CODE, "--plain")
    host.sees("-- the guesser sits at another terminal")
    host.say("paper on shelves")
    guest.sees("guess:")
    host.kill()
    ((episode,),) = room.rows("SELECT id FROM episodes")
    host = room.sit("host", "play", "--resume", episode, "--seat", "guesser=bot:random", "--plain")
    guest.sees("-- your seat was given to another player; you look on")
    host.sees("bot:random: ")
    guest.sees("bot:random: ")
    host.sees("clue:")
    host.kill()
    host = room.sit("host", "play", "--resume", episode, "--seat", f"guesser=human@{CODE}", "--plain")
    host.sees("bot:random: ")
    guest.sees("-- the seat is yours again")
    host.say("you borrow there")
    guest.sees("describer: you borrow there")
    guest.sees("guess:", times=2)
    guest.say("library")
    assert (host.end(), guest.end()) == (0, 0)
    assert [(role, player) for role, player, _ in room.turns()] == [
        ("describer", "human"),
        ("guesser", "bot:random"),
        ("describer", "human"),
        ("guesser", "human"),
    ]
    assert room.rows("SELECT role FROM turns WHERE person_id IS NULL") == [("guesser",)]
    room.sound()


def test_a_whole_wordle_with_a_critic_from_two_terminals(room):
    words = ("--seat", f"guesser=human@{CODE}", "--as", "critic", "--instance", "high-en-001", "--plain")
    host = room.sit("host", "play", "wordle_withcritic", *words)
    host.sees(f"playpen-tui join {CODE}")
    guest = room.sit("guest", "join", CODE, "--plain")
    guest.sees("guess:")
    for number, (word, verdict) in enumerate((("crane", "yes"), ("agree", "yes")), 1):
        guest.say(word)
        host.sees(f"guesser: {word}")
        host.sees("agree?", times=number)
        host.say(verdict)
        guest.sees(f"critic: {verdict}", times=number)
        guest.say(word)
    assert (host.end(), guest.end()) == (0, 0)
    guest.sees("-- won: found in 2 of 6")
    assert [role for role, _, _ in room.turns()] == ["guesser", "critic", "guesser"] * 2
    room.sound()


def test_codes_that_lead_nowhere_end_with_2_and_a_sentence(room):
    ran = room.run("guest", "join", CODE, "--plain")
    assert ran.returncode == 2 and "there is no log at" in ran.stderr
    host = room.sit("host", *TABLE)
    host.sees(f"playpen-tui join {CODE}")
    ran = room.run("guest", "join", "TEA-POT", "--plain")
    assert ran.returncode == 2 and "no seat was opened under 'TEA-POT'" in ran.stderr
    ran = room.run("guest", *TABLE)
    assert ran.returncode == 2 and f"the code {CODE} was used already" in ran.stderr
    ran = room.run("guest", "play", "taboo", "--seat", "guesser=human@", "--no-record", "--plain")
    assert ran.returncode == 2 and "needs a game that is recorded" in ran.stderr
    host.say("paper on shelves")
    host.sees("you: paper on shelves")
    ran = room.run("guest", "join", CODE, "--plain")  # whose input is at its end when it is asked
    assert ran.returncode == 1 and f"go on with: playpen-tui join {CODE} --plain" in ran.stderr
    assert "Traceback" not in ran.stderr
