"""Two annotators of known agreement judge one file at the same time, each in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from judgements import queue

from evaluation.agreement import agreement
from evaluation.agreement_report import document
from store.log import Log
from store.verdicts import verdicts

ROOT = Path(__file__).parents[2]
ITEMS = 120
CHILD = """
import sys
from random import Random
from store import judging
from store.judging import Ballot, Judge
from store.log import Log
from store.queues import find_queue

path, name, agree = sys.argv[1], sys.argv[2], float(sys.argv[3])
with Log.open(path, wait=60) as log:
    queue = find_queue(log.reader(), "pairs")
    judge = Judge(name)
    print("ready", flush=True)
    sys.stdin.readline()
    while (shown := judging.reserve(log, queue, judge)) is not None:
        truth = Random(f"truth {shown.item.id}").choices(("a", "b", "tie", "bad"), (45, 35, 15, 5))[0]
        own = Random(f"{name} {shown.item.id}")
        said = truth if own.random() < agree else own.choice(("a", "b", "tie", "bad"))
        ballot = Ballot(shown.item.id, said, shown.left, shown.right, repeat=shown.repeat, ms=1000.0)
        judging.vote(log, queue, judge, ballot)
        print(shown.item.id, int(shown.repeat), said, flush=True)
"""


def judged_together(path: Path) -> dict[str, dict[tuple[str, bool], str]]:
    """What each of the two processes says that it wrote."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    judges = {"ann": "1.0", "bo": "0.7"}
    running = {
        name: subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path), name, agree],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env,
        )
        for name, agree in judges.items()
    }  # fmt: skip
    for child in running.values():
        assert child.stdout.readline() == "ready\n"
    for child in running.values():  # both begin now
        child.stdin.write("\n")
        child.stdin.flush()
    found = {}
    for name, child in running.items():
        lines = [line.split() for line in child.communicate(timeout=100)[0].splitlines()]
        assert child.returncode == 0
        found[name] = {(item, repeat == "1"): said for item, repeat, said in lines}
    return found


def cohen(pairs):
    n = len(pairs)
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    chance = sum(first[value] * second[value] for value in ["a", "b", "tie", "bad"]) / n**2
    return (sum(one == other for one, other in pairs) / n - chance) / (1 - chance)


@pytest.mark.slow
def test_kappa_and_alpha_are_those_of_another_computation_and_nothing_is_lost(tmp_path):
    krippendorff = pytest.importorskip("krippendorff")
    path = tmp_path / "episodes.sqlite"
    with Log.open(path, wait=60) as log:
        for name in ("ann", "bo"):
            log.people.add(id=name)
        items = queue(log, ITEMS, judges=2)
        said = judged_together(path)
        stands = {
            name: {(one.item, one.repeat): one.verdict for one in verdicts(log.reader()).verdicts if one.judge == name}
            for name in said
        }
        assert stands == said, "what stands is what was said, by both"
        firsts = {
            name: {item: word for (item, repeat), word in mine.items() if not repeat} for name, mine in said.items()
        }
        assert all(set(mine) == set(items) for mine in firsts.values())
        found = agreement(log.reader(), "pairs")
    pairs = [(firsts["ann"][item], firsts["bo"][item]) for item in items]
    scale = {"a": 0, "b": 1, "tie": 2, "bad": 3}
    codes = [[scale[pair[who]] for pair in pairs] for who in (0, 1)]
    told = document(found)["between"]
    assert told["kappa"]["value"] == round(cohen(pairs), 4)
    assert told["alpha"]["value"] == round(float(krippendorff.alpha(codes, level_of_measurement="nominal")), 4)
    order = {"a": 1, "tie": 2, "b": 3}
    ranks = [[order.get(pair[who], float("nan")) for pair in pairs] for who in (0, 1)]
    ordinal = krippendorff.alpha(ranks, level_of_measurement="ordinal", value_domain=[1, 2, 3])
    assert told["alpha_strength"]["value"] == round(float(ordinal), 4)
    assert told["raw"]["value"] == round(sum(one == other for one, other in pairs) / ITEMS, 4)
    assert told["kappa"]["overlaps"] == told["alpha"]["items"] == ITEMS
    low, high = told["kappa"]["interval"]
    assert low < told["kappa"]["value"] < high
    for row in found.people:
        assert row.votes == len(said[row.judge]) and row.items == ITEMS
        assert row.consistency is None or row.consistency.value == 1.0  # they say the same of the same
        assert row.left.low < 0.5 < row.left.high
