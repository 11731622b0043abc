"""Fixtures of the evaluation's tests."""

from __future__ import annotations

import pytest

from store.log import Log


@pytest.fixture
def log(tmp_path):
    with Log.open(tmp_path / "episodes.sqlite", wait=5) as opened:
        yield opened
