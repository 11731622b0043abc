"""Fixtures of the log's tests: a fresh log in a temporary folder, and the tiny game beside this file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from store.log import Log

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))  # test folders are no packages, and children must find the tiny game too

from tiny_game import train  # noqa: E402


@pytest.fixture
def path(tmp_path):
    return tmp_path / "episodes.sqlite"


@pytest.fixture
def log(path):
    with Log.open(path, split_of=train, wait=5) as opened:
        yield opened


@pytest.fixture
def child_env(tmp_path):
    """The environment of a child process that imports the project and the tiny game."""
    root = HERE.parents[1]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(HERE)])}
