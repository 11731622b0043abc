"""The catalog: names without loading, files and entry points, nearest names, and splits that never move."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from games import catalog
from games.catalog import BrokenGame, UnknownGame, UnknownInstance
from games.template import write_new


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PLAYPEN_GAMES", raising=False)
    caches = (catalog.get, catalog.benchmark_keys)
    for cached in caches:
        cached.cache_clear()
    yield tmp_path
    for cached in caches:
        cached.cache_clear()


def test_built_in_games_come_first_and_can_all_be_loaded() -> None:
    assert catalog.names()[:5] == ["taboo", "wordle", "wordle_withclue", "wordle_withcritic", "referencegame"]
    for name in catalog.BUILT_IN:
        assert catalog.get(name).name == name


def test_naming_games_loads_none() -> None:
    code = (
        "import sys; from games import catalog; catalog.names(); "
        "print([m for m in sys.modules if m.startswith(('games.taboo', 'games.wordle', 'games.reference'))])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize(("typed", "near"), [("wordl", "wordle"), ("tabo", "taboo"), ("referencgame", "referencegame")])
def test_an_unknown_game_names_the_nearest(typed: str, near: str) -> None:
    with pytest.raises(UnknownGame, match=f"no game '{typed}'; did you mean .*{near}"):
        catalog.get(typed)


def test_where_nothing_is_near_all_are_named() -> None:
    with pytest.raises(UnknownGame, match="there are: taboo, wordle"):
        catalog.get("zzzzzz")


# -- games of others


def test_a_file_in_playpen_games_is_a_game() -> None:
    write_new("hilo")
    assert catalog.names()[-1] == "hilo"
    game = catalog.get("hilo")
    assert game.title == "Hilo" and catalog.get("hilo") is game
    assert catalog.experiments(game) == ["plain"]


def test_folders_of_the_variable_come_before_the_one_here(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_new("hilo")
    elsewhere = here / "elsewhere"
    elsewhere.mkdir()
    text = Path("playpen_games/hilo.py").read_text()
    (elsewhere / "hilo.py").write_text(text.replace('"Hilo"', '"The other one"'))
    monkeypatch.setenv("PLAYPEN_GAMES", f"{here / 'nowhere'}:{elsewhere}")
    assert catalog.get("hilo").title == "The other one"
    assert catalog.names().count("hilo") == 1


def test_a_file_does_not_replace_a_built_in_game() -> None:
    write_new("hilo")
    Path("playpen_games/hilo.py").rename("playpen_games/taboo.py")
    assert catalog.get("taboo").title == "Taboo"


def test_files_that_are_no_games_are_not_named() -> None:
    write_new("hilo")
    Path("playpen_games/_helper.py").write_text("")
    Path("playpen_games/notes.txt").write_text("")
    assert [name for name in catalog.names() if name not in catalog.BUILT_IN] == ["hilo"]


def broken(text: str, name: str = "mine") -> str:
    Path("playpen_games").mkdir(exist_ok=True)
    Path(f"playpen_games/{name}.py").write_text(text)
    with pytest.raises(BrokenGame) as caught:
        catalog.get(name)
    assert isinstance(caught.value, UnknownGame) and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def (:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("import no_such_module_at_all", "ModuleNotFoundError"),
        ("x = 3", "no subclass of Game"),
        ("from games.engine import Game", "no subclass of Game"),
        ("from games.engine import Game\nclass Half(Game):\n    name = 'mine'", "no subclass of Game"),
    ],
)
def test_a_broken_file_says_where_and_why(text: str, why: str) -> None:
    message = broken(text)
    assert "mine.py" in message and why in message


def test_file_and_game_are_called_alike() -> None:
    write_new("hilo")
    assert "called 'hilo'" in broken(Path("playpen_games/hilo.py").read_text(), name="other")


def test_a_broken_game_does_not_keep_others_from_their_splits() -> None:
    broken("1 / 0")
    taboo = catalog.get("taboo")
    assert catalog.split_of(taboo, taboo.benchmark("en")[0]) == "test"


def test_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        EntryPoint("plugged", "games.reference.game:ReferenceGame", "playpen_tui.games"),
        EntryPoint("gone", "no_such_module_at_all:Game", "playpen_tui.games"),
    ]
    monkeypatch.setattr(catalog, "entry_points", lambda group: entries if group == "playpen_tui.games" else [])
    assert catalog.names()[5:] == ["plugged", "gone"]
    assert catalog.get("plugged").name == "referencegame"
    with pytest.raises(BrokenGame, match="gone cannot be loaded: ModuleNotFoundError"):
        catalog.get("gone")


# -- splits


@pytest.mark.parametrize(
    ("key", "split"),
    [("hunt:2", "train"), ("hunt:8", "train"), ("hunt:11", "validation"), ("hunt:1", "test")],
)
def test_splits_by_hash_never_move(key: str, split: str) -> None:
    """`printf KEY | sha256sum`: the first 16 hex digits, modulo 100, are 39, 72, 86 and 94."""
    assert catalog.by_hash(key) == split


@given(st.text(max_size=40))
def test_every_key_has_a_split(key: str) -> None:
    assert catalog.by_hash(key) in catalog.SPLITS


def test_shares_of_splits() -> None:
    found = Counter(catalog.by_hash(f"key:{n}") for n in range(10_000))
    assert (
        abs(found["train"] - 7500) < 200 and abs(found["validation"] - 1500) < 150 and abs(found["test"] - 1000) < 150
    )


@pytest.mark.parametrize("name", sorted(catalog.BUILT_IN))
def test_benchmark_instances_are_test_and_keys_decide(name: str) -> None:
    game = catalog.get(name)
    for language in game.languages:
        assert {catalog.split_of(game, i) for i in game.benchmark(language)} == {"test"}
        by_key: dict[str, set[str]] = {}
        for i in game.instances(language):
            by_key.setdefault(i.key, set()).add(catalog.split_of(game, i))
        assert all(len(splits) == 1 for splits in by_key.values())


def test_games_of_a_family_agree() -> None:
    family = [catalog.get(name) for name in ("wordle", "wordle_withclue", "wordle_withcritic")]
    assert len({game.family_name for game in family}) == 1
    splits: dict[str, set[str]] = {}
    for game in family:
        for i in game.instances("en"):
            splits.setdefault(i.key, set()).add(catalog.split_of(game, i))
    assert all(len(found) == 1 for found in splits.values())


# -- instances


@pytest.fixture
def game() -> Any:
    return catalog.get("referencegame")


def test_instances_by_experiment_and_split(game: Any) -> None:
    found = catalog.instances(game, language="de", experiment="line_grids_rows", split="test")
    assert len(found) >= 18
    assert {(i.language, i.experiment, catalog.split_of(game, i)) for i in found} == {("de", "line_grids_rows", "test")}
    everything = [len(catalog.instances(game, split=split)) for split in catalog.SPLITS]
    assert sum(everything) == len(catalog.instances(game))


def test_what_is_not_there_is_said(game: Any) -> None:
    with pytest.raises(UnknownInstance, match="not there in 'xx'; there are: en, de"):
        catalog.instances(game, language="xx")
    with pytest.raises(UnknownInstance, match="no experiment 'letter_grid'; did you mean letter_grids"):
        catalog.instances(game, experiment="letter_grid")


def test_an_empty_split_is_said(game: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "split_of", lambda game, instance: "train")
    with pytest.raises(UnknownInstance, match="in split 'test'; try another split"):
        catalog.instances(game, split="test")


def test_an_instance_by_name_in_any_language(game: Any) -> None:
    assert catalog.instance(game, "random_grids-de-003").language == "de"
    with pytest.raises(UnknownInstance, match="no instance 'random_grids-xx-003'; did you mean random_grids"):
        catalog.instance(game, "random_grids-xx-003")


def test_experiments_in_order(game: Any) -> None:
    assert catalog.experiments(game)[:2] == ["letter_grids", "number_grids"]
    assert catalog.experiments(game, "xx") == []


def test_orders_are_seeded_and_complete(game: Any) -> None:
    found = catalog.instances(game)
    one, again, other = (list(catalog.shuffled(found, seed)) for seed in (1, 1, 2))
    assert one == again != other
    assert sorted(i.name for i in one) == sorted(i.name for i in found)
    assert found == catalog.instances(game)
