"""Two real results trees: every episode, the official table, and the bytes."""

from __future__ import annotations

import csv
import json
import zlib
from collections import Counter

import pytest

from store.exchange.clembench import import_clembench
from store.keep import check
from store.log import Log

MODELS = ("llama-3.1-8b-instruct", "qwen3.5-27b")
TABLE = """
SELECT substr(e.game, 6), round(100.0 * avg(r.outcome <> 'aborted'), 2), round(avg(r.main), 2)
FROM episodes e JOIN results r ON r.episode_id = e.id JOIN runs u ON u.id = e.run_id
WHERE json_extract(u.config, '$.from') = ? GROUP BY 1
"""


def outcomes(tree):
    """Outcomes counted in the files themselves."""
    found = Counter()
    for path in tree.rglob("scores.json"):
        episode = json.loads(path.read_text(encoding="utf-8"))["episode scores"]
        found["aborted" if episode["Aborted"] else "success" if episode["Success"] else "failure"] += 1
    return found


@pytest.fixture(scope="module")
def imported(real_trees, tmp_path_factory):
    """A log with both trees, and what the import said."""
    path = tmp_path_factory.mktemp("log") / "e.sqlite"
    with Log.open(path) as log:
        yield log, import_clembench(log, real_trees)


@pytest.mark.slow
def test_every_episode_is_there(imported, real_trees):
    log, done = imported
    assert (done.episodes, done.unfinished, done.refused) == (2 * 748, 0, [])
    for model in MODELS:
        sql = (
            "SELECT r.outcome FROM results r JOIN episodes e ON e.id = r.episode_id JOIN runs u ON u.id = e.run_id "
            "WHERE json_extract(u.config, '$.from') = ?"
        )
        found = Counter(outcome for (outcome,) in log.reader().execute(sql, (model,)))
        assert found == outcomes(real_trees / model)
    report = check(log)
    assert report.ok, report.problems


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_played_and_quality_are_those_of_the_official_table(imported, real, model):
    log, _ = imported
    with (real / "playschool-2026-indomain.csv").open(encoding="utf-8") as file:
        official = next(row for row in csv.DictReader(file) if row[""] == model)
    found = log.reader().execute(TABLE, (model,)).fetchall()
    assert len(found) == 14
    for game, played, quality in found:
        assert played == pytest.approx(float(official[f"{game}, % Played"]), abs=0.011)
        assert quality == pytest.approx(float(official[f"{game}, Quality Score"]), abs=0.011)


@pytest.mark.slow
def test_illegal_turns_are_the_violated_requests(imported):
    log, _ = imported
    sql = """
    SELECT e.game, count(*) FROM episodes e JOIN scores v ON v.episode_id = e.id AND v.scorer = 'clembench'
      AND v.name = 'Violated Request Count'
    WHERE v.value <> (SELECT count(*) FROM turns t WHERE t.episode_id = e.id AND t.verdict = 'illegal') GROUP BY 1
    """
    assert log.reader().execute(sql).fetchall() == []


@pytest.mark.slow
def test_every_byte_is_kept(imported, real_trees):
    log, _ = imported
    stored = {
        path: zlib.decompress(content)
        for path, content in log.reader().execute("SELECT path, content FROM files JOIN blobs USING (hash)")
    }
    there = {str(path.relative_to(real_trees)): path for path in real_trees.rglob("*") if path.is_file()}
    assert stored.keys() == there.keys()
    assert all(stored[name] == path.read_bytes() for name, path in there.items())
