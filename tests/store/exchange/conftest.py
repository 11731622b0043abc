"""Makes the trees beside this file importable, and extracts the real ones where they are."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

REAL = HERE.parents[2].parent / "shared" / "data"


def real_data():
    """The folder of real results: beside the checkout, or further up where the checkout is a worktree."""
    for above in HERE.parents:
        if (above / "shared" / "data").is_dir():
            return above / "shared" / "data"
    return None


@pytest.fixture(scope="session")
def real():
    """The folder of real data, else the test is skipped."""
    found = real_data()
    if found is None:
        pytest.skip("no real results trees: ../shared/data is not there")
    return found


@pytest.fixture(scope="session")
def real_trees(real, tmp_path_factory):
    """A results folder with the trees of both models."""
    to = tmp_path_factory.mktemp("results")
    for packed in sorted(real.glob("clembench-results-*.tar.xz")):
        with tarfile.open(packed) as tar:
            tar.extractall(to, filter="data")
    return to
