"""Instances: the frozen benchmark, the rest, their names and keys, and the tool that froze them."""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import ValidationError

from games.taboo import lexicon
from games.taboo.game import Taboo
from games.taboo.lexicon import BANDS, TabooInstance

GAME = Taboo()


@pytest.fixture(scope="module")
def freeze() -> ModuleType:
    spec = importlib.util.spec_from_file_location("freeze", Path(__file__).parents[2] / "tools" / "freeze.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("language", GAME.languages)
def test_benchmark_first_then_the_rest_without_doubles(language: str) -> None:
    instances, frozen = GAME.instances(language), GAME.benchmark(language)
    assert tuple(instances[: len(frozen)]) == tuple(frozen)
    assert Counter(one.experiment for one in frozen) == dict.fromkeys(BANDS, 20)
    assert len({one.key for one in instances}) == len({one.name for one in instances}) == len(instances) >= 420
    assert all(len(one.related) == 3 for one in instances)
    assert {one.key for one in instances} == {
        f"taboo:{language}:{e.target.casefold()}" for e in lexicon.entries(language)
    }


def test_names_count_on_in_each_band_and_tell_nothing() -> None:
    for band in BANDS:
        names = [one.name for one in GAME.instances("en") if one.experiment == band]
        assert names == [f"{band}-en-{n:03d}" for n in range(1, len(names) + 1)]
        targets = [one.target for one in GAME.instances("en") if one.experiment == band]
        assert targets[:20] != sorted(targets[:20]) and targets[20:] != sorted(targets[20:])


def test_no_instances_in_an_unknown_language() -> None:
    assert list(GAME.instances("xx")) == list(GAME.benchmark("xx")) == []


def test_a_target_must_be_something() -> None:
    with pytest.raises(ValidationError):
        TabooInstance(name="x", experiment="high", target=" ", related=())
    assert TabooInstance(name="x", experiment="high", target=" Cat ", related=()).key == "taboo:en:cat"


@pytest.mark.parametrize("language", GAME.languages)
def test_frozen_files_are_as_the_material_has_them(language: str) -> None:
    assert tuple(GAME.draft(language)) == tuple(GAME.benchmark(language))


def test_freezing_writes_once_and_never_replaces_unasked(
    freeze: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "instances"
    assert freeze.freeze(GAME, folder, check=True) == 1
    assert "not there" in capsys.readouterr().err and not list(folder.iterdir())
    assert freeze.freeze(GAME, folder) == 0
    frozen = [
        TabooInstance.model_validate_json(line) for line in (folder / "benchmark_en.jsonl").read_text().splitlines()
    ]
    assert tuple(frozen) == tuple(GAME.benchmark("en"))
    assert freeze.freeze(GAME, folder, check=True) == 0
    (folder / "benchmark_de.jsonl").write_text("older\n")
    assert freeze.freeze(GAME, folder) == freeze.freeze(GAME, folder, check=True) == 1
    assert (folder / "benchmark_de.jsonl").read_text() == "older\n"
    assert "differs" in capsys.readouterr().err
    assert freeze.freeze(GAME, folder, force=True) == 0
    assert (folder / "benchmark_de.jsonl").read_text() != "older\n"


def test_the_tool_knows_where_a_games_instances_lie(freeze: ModuleType) -> None:
    assert (freeze.folder_of(GAME) / "benchmark_en.jsonl").is_file()
