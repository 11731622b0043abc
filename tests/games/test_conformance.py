"""The kit is proved by mutants: each check catches the fault it is there for, and the game without fault passes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from games import conformance


def _beside(name: str) -> ModuleType:
    """A module of this folder: tests are no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec and spec.loader
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


mutants = _beside("mutants")
NAMES = [c.name for c in conformance.CHECKS]


def test_the_game_without_fault_passes_clean() -> None:
    assert conformance.check(mutants.Hunt(), seeds=(0, 1), replies=5_000) == []


@pytest.mark.parametrize("mutant", mutants.MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_mutant_is_caught_by_its_check_and_no_other(mutant: type) -> None:
    findings = conformance.check(mutant(), instances=1, replies=300, plies=40)
    assert {finding.check for finding in findings} == {mutants.MUTANTS[mutant]}, findings


def test_every_check_has_a_mutant() -> None:
    assert set(mutants.MUTANTS.values()) == set(NAMES)


def test_checks_have_different_names_and_say_what_they_look_at() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert all(len(c.what) > 20 and "\n" not in c.what for c in conformance.CHECKS)
