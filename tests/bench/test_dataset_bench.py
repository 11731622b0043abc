"""The data sets' benchmark runs, and its sums are those of its parts."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # `bench` is no part of the package

from bench import dataset


def test_the_whole_is_slower_than_either_part():
    found = dataset.run(smoke=True)
    for unit in ("turn", "episode", "self_play"):
        rates = {name: found[unit][name]["median"] for name in ("reading_and_selecting", "freezing", "whole")}
        assert 0 < rates["whole"] < min(rates["reading_and_selecting"], rates["freezing"])
    assert found["turn"]["rows"] > found["episode"]["rows"] > 100
    slower = min(found[log]["whole"]["median"] for log in ("turn", "self_play"))
    assert found["goal"] == {"rows_per_cpu_s": 50_000, "met": slower >= 50_000}
