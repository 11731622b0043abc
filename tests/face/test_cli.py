"""The commands from outside: exit codes, one-sentence errors, JSON, and a light start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from playpen_tui import __version__
from playpen_tui.cli import COMMANDS, cli


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.setenv("PLAYPEN_DB", str(tmp_path / "episodes.sqlite"))
    monkeypatch.delenv("PLAYPEN_GAMES", raising=False)
    monkeypatch.chdir(tmp_path)


def playpen(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "playpen_tui", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--version",), 0, __version__),
        (("play", "tabu", "--plain"), 2, "did you mean taboo?"),
        (("play", "taboo", "--vs", "nobody", "--plain"), 2, "no player 'nobody'"),
        (("play", "taboo", "--vs", "smolm2", "--plain"), 2, "did you mean smollm2?"),
        (("play", "taboo", "--as", "guessor", "--plain"), 2, "did you mean guesser?"),
        (("play", "taboo", "--seat", "guesser", "--plain"), 2, "--seat takes ROLE=PLAYER"),
        (("play", "taboo", "--lang", "fr", "--plain"), 2, "there are: en, de"),
        (("play", "taboo", "--instance", "high-en-1", "--plain"), 2, "has no instance"),
        (("play", "taboo", "--experiment", "hi", "--vs", "bot", "--plain"), 2, "has no experiment"),
        (("play", "taboo", "--vs", "openai:x?temperatur=1", "--plain"), 2, "did you mean temperature"),
        (("play", "--resume", "01ABC", "--plain"), 1, "no episode"),
        (("play", "--plain"), 2, "--plain needs a GAME"),
        (("play", "taboo"), 1, "this is no terminal"),
        (("plai",), 2, "did you mean play"),
        (("selfplay",), 2, "selfplay needs a GAME"),
        (("selfplay", "tabu", "--player", "bot", "--json"), 2, "did you mean taboo?"),
        (("selfplay", "taboo", "--json"), 2, "nobody sits at describer and guesser of taboo"),
        (("selfplay", "taboo", "--player", "nobody", "--json"), 2, "no player 'nobody'"),
        (("selfplay", "taboo", "--player", "human", "--json"), 2, "cannot sit at describer"),
        (("selfplay", "taboo", "--player", "bot", "--seat", "gueser=bot", "--json"), 2, "did you mean guesser"),
        (("selfplay", "taboo", "--player", "bot", "--shard", "9/8", "--json"), 2, "--shard takes I/N"),
        (("selfplay", "taboo", "--player", "bot", "--protocol", "clem", "--json"), 2, "no protocol 'clem'"),
        (("selfplay", "--resume", "01ABC", "--json"), 1, "no run '01ABC'"),
        (("selfplay", "--resume", "01ABC", "--seed", "3", "--json"), 2, "leave out --seed"),
        (
            ("selfplay", "taboo", "--player", "openai:m?base_url=http://127.0.0.1:9", "--json", "--episodes", "1"),
            1,
            "1 of 1",
        ),
        (("play", "taboo", "--split", "trian"), 2, "trian"),
        (("games", "show", "wordel"), 2, "did you mean wordle"),
        (("games", "new", "No Name"), 2, "will not do as a name"),
        (("models", "test", "nobody"), 2, "no player"),
        (("db", "info"), 1, "no log"),
    ],
)
def test_exit_code_and_one_sentence(words: tuple[str, ...], code: int, said: str) -> None:
    ran = playpen(*words)
    assert ran.returncode == code, ran.stderr
    assert said.lower() in (ran.stdout + ran.stderr).lower()
    assert "Traceback" not in ran.stderr
    assert len(ran.stderr.strip().splitlines()) <= 1


def test_a_file_that_is_not_a_log_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_bytes(b"my notes\n" * 100)
    seats = ("--seat", "describer=bot", "--seat", "guesser=bot")
    ran = playpen("play", "taboo", *seats, "--plain", "--db", str(other))
    assert ran.returncode == 1
    assert "is not an SQLite database" in ran.stderr
    assert other.read_bytes() == b"my notes\n" * 100


def test_debug_shows_where(tmp_path: Path) -> None:
    ran = playpen("--debug", "play", "tabu", "--plain")
    assert ran.returncode != 0
    assert "Traceback" in ran.stderr


def test_start_up_imports_nothing_heavy() -> None:
    heavy = ("textual", "rich", "openai", "pydantic", "sqlite_utils", "torch", "asyncio")
    code = (
        "import sys; sys.argv = ['playpen-tui', '--version']\n"
        "from playpen_tui.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print([m for m in {heavy!r} if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"


def test_games_as_json_has_what_others_lean_on() -> None:
    found = CliRunner().invoke(cli, ["games", "--json"])
    for alike in (["games", "list", "--json"], ["games", "--json", "list"]):
        assert CliRunner().invoke(cli, alike).stdout == found.stdout
    games = {game["name"]: game for game in json.loads(found.stdout)["games"]}
    assert set(games) == {"taboo", "wordle", "wordle_withclue", "wordle_withcritic", "referencegame"}
    for game in games.values():
        assert {"roles", "languages", "experiments", "instances", "splits"} <= set(game)
        assert set(game["languages"]) == {"en", "de"}
        assert sum(game["splits"].values()) == game["instances"]
        assert all(game["splits"].values())
    assert games["taboo"]["splits"]["train"] >= 300
    assert games["taboo"]["splits"]["validation"] >= 60
    assert games["taboo"]["benchmark"] == 120


def test_sample_shows_instances_of_the_split() -> None:
    found = CliRunner().invoke(cli, ["games", "sample", "taboo", "-n", "2", "--split", "validation", "--json"])
    instances = json.loads(found.stdout)["instances"]
    assert [i["split"] for i in instances] == ["validation", "validation"]
    assert all(i["heard"]["describer"] for i in instances)


def test_every_command_is_in_the_help_and_in_the_readme() -> None:
    text = CliRunner().invoke(cli, ["--help"]).output
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert name in text
        assert f"playpen-tui {name}" in readme


def test_backup_and_info(tmp_path: Path) -> None:
    seats = ("--seat", "describer=bot", "--seat", "guesser=bot")
    assert playpen("play", "taboo", *seats, "--plain").returncode == 0
    info = json.loads(playpen("db", "info", "--json").stdout)
    assert info["counts"]["episodes"] == 1
    to = tmp_path / "copy.sqlite"
    assert playpen("db", "backup", str(to)).returncode == 0
    assert to.stat().st_size > 0
    again = playpen("db", "backup", str(to))
    assert again.returncode == 1
    assert "overwrites nothing" in again.stderr
