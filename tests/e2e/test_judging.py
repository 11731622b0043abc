"""Five hundred pairs and three judges: from a filter to the table of agreement in five commands."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys

import pytest
from judged_log import played

from store import judging, queues
from store.keep import check
from store.log import Log

PAIRS = 500
PEOPLE = ("kind-owl-1", "shy-fox-2", "calm-hen-3")


def run(path, *words, typed=""):
    call = [sys.executable, "-m", "playpen_tui", "--db", str(path), "annotate", *words, "--json"]
    done = subprocess.run(call, input=typed, capture_output=True, text=True, timeout=400, env=os.environ)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def rebuilt(rows):
    """What stands, from the rows of the audit log in their order."""
    table = {}
    for id, item, judge, repeat, value, order, a, supersedes in rows:
        table.pop(supersedes, None)
        verdict = json.loads(value)["verdict"]
        if verdict is not None:
            table[id] = (item, judge, repeat, verdict, int(json.loads(order)[0] == a))
    return sorted(table.values())


@pytest.mark.slow
def test_from_a_filter_to_agreement(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = tmp_path / "e.sqlite"
    played(path, many=130, bots=("competent", *["random"] * 5)).close()

    made = run(path, "queue", "new", "clues", "--role", "describer", "--judges", "3", "--limit", str(PAIRS))
    assert made["items"] == PAIRS
    for name in PEOPLE:
        dice = random.Random(name)
        keys = [dice.choice(["1", "2", "1!", "3", "4", "s", "u", "f"]) for _ in range(100)]
        told = run(path, "--queue", "clues", "--as", name, typed="\n".join([*keys, *"1213241" * 100]) + "\n")
        assert not told["left"] and told["votes"] - told["undone"] >= PAIRS
    agreed = run(path, "agreement", "clues")
    assert agreed

    with Log.open(path) as log:
        assert check(log, sample=20).ok
        reader = log.reader()
        queue = queues.find_queue(reader, "clues")
        told = queues.tally(reader, queue)
        skipped = reader.execute("SELECT count(*) FROM verdicts WHERE verdict = 'skip' AND NOT repeat").fetchone()[0]
        assert told.votes + skipped == 3 * PAIRS and set(told.by) == set(PEOPLE)
        rows = reader.execute(
            """SELECT a.id, a.item_id, a.annotator_id, a.repeat, a.value, a.shown_order, i.a_id, a.supersedes
            FROM annotations a JOIN items i ON i.id = a.item_id ORDER BY a.id"""
        ).fetchall()
        table = reader.execute("SELECT item, judge, repeat, verdict, a_was_left FROM verdicts ORDER BY 1, 2, 3, 4, 5")
        stands = table.fetchall()
        assert rebuilt(rows) == sorted(stands)
        sides = [left for *_, left in stands]
        assert abs(sum(sides) / len(sides) - 0.5) < 0.06, "sides are balanced"
        for item, judge, repeat, _, left in stands:
            assert left == judging.a_is_left(queue.seed, item, judge, bool(repeat)), "and follow from the seed"
        repeats = [(item, judge) for item, judge, repeat, *_ in stands if repeat]
        assert 0.03 < len(repeats) / (3 * PAIRS) < 0.12
        for item, judge in repeats:
            assert judging.is_repeated(queue.seed, item, judge, queue.repeats)
