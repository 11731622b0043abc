"""A written game works at once, the guide's code blocks are true, and bad names are refused in a sentence."""

from __future__ import annotations

import ast
import contextlib
import doctest
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from games import catalog, conformance
from games.engine import Game, Match
from games.template import FOLDER, CannotWrite, write_new

GUIDE = Path(__file__).parents[2] / "docs" / "writing-a-game.md"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty directory to be in, and a catalog that has not looked elsewhere before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PLAYPEN_GAMES", raising=False)
    for cached in (catalog.get, catalog.benchmark_keys, catalog.kept):
        cached.cache_clear()
    yield tmp_path
    for cached in (catalog.get, catalog.benchmark_keys, catalog.kept):
        cached.cache_clear()


def test_a_new_game_is_found_and_played_through_the_catalog(here: Path) -> None:
    game_file, test_file = write_new("hilo")
    assert (game_file, test_file) == (FOLDER / "hilo.py", FOLDER / "test_hilo.py")
    assert "hilo" in catalog.names() and "test_hilo" not in catalog.names()
    game = catalog.get("hilo")
    match = Match.new(game, catalog.instances(game, split="train")[0], seed=3)
    while not match.over:
        match = match.play(game.bots()["competent"](match.view(match.turn or ""), Random(0)))
    assert match.state.outcome == "success"
    assert match.scores().main == 100


def test_a_new_game_is_short(here: Path) -> None:
    game_file, _ = write_new("hilo")
    assert len(game_file.read_text().splitlines()) < 60


@pytest.mark.slow
def test_the_test_that_comes_with_it_passes_and_can_fail(here: Path) -> None:
    game_file, test_file = write_new("hilo", Path("mine"))

    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test_file)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    passed = run()
    assert passed.returncode == 0 and "101 passed" in passed.stdout, passed.stdout
    game_file.write_text(game_file.read_text().replace("raise Illegal(", "raise KeyError("))
    assert run().returncode == 1


@pytest.mark.parametrize("name", ["a", "hot_or_cold", "x2", "guess_my_number_please"])
def test_games_of_any_good_name_conform(here: Path, name: str) -> None:
    write_new(name)
    game = catalog.get(name)
    assert game.name == name
    assert conformance.check(game) == []


@pytest.mark.parametrize("name", ["Hilo", "2hot", "a-b", "", "class", "test_me", "über", "a b", "../x"])
def test_bad_names_are_refused_and_nothing_is_written(here: Path, name: str) -> None:
    with pytest.raises(CannotWrite) as caught:
        write_new(name)
    assert "\n" not in str(caught.value) and repr(name) in str(caught.value)
    assert list(here.iterdir()) == []


def test_names_of_games_that_exist_are_refused(here: Path) -> None:
    with pytest.raises(CannotWrite, match="already"):
        write_new("wordle")
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("in_the_way", ["hilo.py", "test_hilo.py"])
def test_existing_files_are_left_alone(here: Path, in_the_way: str) -> None:
    FOLDER.mkdir()
    (FOLDER / in_the_way).write_text("precious")
    with pytest.raises(CannotWrite, match="is there already"):
        write_new("hilo")
    assert [(path.name, path.read_text()) for path in FOLDER.iterdir()] == [(in_the_way, "precious")]


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_guide_quotes_what_is_written_and_its_other_code_runs(here: Path) -> None:
    """Python blocks are parts of the template, or games made from it that conform; pycon blocks are doctests."""
    game_file, _ = write_new("hilo")
    source = game_file.read_text()
    space = dict(vars(sys.modules[type(catalog.get("hilo")).__module__]))
    exec("from games.engine import *\nfrom games.engine import Match\nfrom games.shapes import *", space)
    quoted, made = 0, []
    for block in _blocks("python"):
        if block in source:
            quoted += 1
        else:
            exec(block, space)
            made += [node.name for node in ast.parse(block).body if isinstance(node, ast.ClassDef)]
    assert quoted >= 8 and len(made) == 2
    for name in made:
        game: Game = space[name]()
        assert conformance.check(game) == [], name
    test = doctest.DocTestParser().get_doctest("\n".join(_blocks("pycon")), space, "guide", str(GUIDE), 0)
    output: list[str] = []
    with contextlib.redirect_stdout(None):
        result = doctest.DocTestRunner(verbose=False).run(test, out=output.append)
    assert result.attempted >= 9 and result.failed == 0, "".join(output)


def test_the_guide_names_real_files_and_commands() -> None:
    text = GUIDE.read_text()
    root = GUIDE.parents[1]
    for path in re.findall(r"`(games/[\w/.]+)`", text):
        assert (root / path).exists(), path
    assert {"games new", "games check", "play"} <= set(re.findall(r"playpen-tui (games \w+|play)\b", text))
