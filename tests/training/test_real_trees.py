"""Pairs between two real models' trees, where they lie beside the project: counts, equal beginnings, no leak."""

from __future__ import annotations

import json
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from games import catalog
from store.exchange.clem_instances import read_splits
from store.exchange.clembench import import_clembench
from store.filters import Filters
from store.log import Log
from training.build import build_pairs, read
from training.pairs import KINDS, Mining, mine

DATA = Path(__file__).parents[3] / "shared" / "data"
TREES = [DATA / f"clembench-results-{model}.tar.xz" for model in ("qwen3.5-27b", "llama-3.1-8b-instruct")]
HELD = 7
"""Every so many instances is test material in the manifest."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not all(tree.is_file() for tree in TREES), reason="the real trees of ../shared/data are absent"),
]


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    place = tmp_path_factory.mktemp("trees")
    rows = {}
    for tree in TREES:
        with tarfile.open(tree) as packed:
            packed.extractall(place, filter="data")
    for file in sorted(place.glob("*/*/*/instance_*/instance.json")):
        task = json.loads(file.read_text())["game_id"]
        rows.setdefault((file.parts[-4], file.parts[-3], task), "test" if len(rows) % HELD == 0 else "train")
    manifest = place / "splits.json"
    names = ("game", "experiment", "task_id", "split")
    manifest.write_text(json.dumps([dict(zip(names, (*key, split), strict=True)) for key, split in rows.items()]))
    with Log.open(place / "e.sqlite") as opened:
        for model in sorted(folder for folder in place.iterdir() if folder.is_dir()):
            import_clembench(opened, model, read_splits(manifest))
        yield opened


def test_pairs_between_two_models(log):
    kept, _, told = read(log.reader(), Filters())
    mined = mine(kept, Mining(kinds=KINDS, own="any", per_state=100))
    kinds = mined.by_kind()
    assert kinds["turn"] > 200 and kinds["dialogue"] > 200 and kinds["malformed"] > 20, kinds
    games = Counter(pair.chosen.perspective.game for pair in mined.pairs)
    assert len(games) >= 12 and told.episodes == 2 * 748
    for pair in mined.pairs:
        good, bad = pair.chosen.perspective, pair.rejected.perspective
        assert pair.why and good.instance_id == bad.instance_id and good.role == bad.role
        heard = [[m.content.encode() for m in side.messages[: pair.prefix]] for side in (good, bad)]
        assert heard[0] == heard[1] and good.hashes[pair.prefix - 1] == bad.hashes[pair.prefix - 1]
        one, two = pair.continuations
        assert one[0].role == "assistant" == two[0].role and one[0].content != two[0].content
    seen = "SELECT hash FROM heard WHERE episode_id = ? AND role = ?"
    for pair in mined.pairs[::10]:  # the seat's own dialogue ends in what the log keeps as heard by it, and by no other
        for side in (pair.chosen.perspective, pair.rejected.perspective):
            assert log.reader().execute(seen, (side.episode, side.role)).fetchone() == (side.hashes[-1],)


def test_nothing_of_the_test_split_gets_in(log):
    held = {key for (key,) in log.reader().execute("SELECT key FROM instances WHERE split = 'test'")}
    held |= catalog.kept().keys()  # which the manifest cannot give free
    built = build_pairs(log.reader(), Filters(), Mining(kinds=KINDS))
    assert len(held) > 90 and built.leaks and {leak.key for leak in built.leaks} <= held
    sql = """SELECT DISTINCT i.key FROM episodes e JOIN instances i ON i.id = e.instance_id
      WHERE e.id IN (SELECT value FROM json_each(?))"""
    used = {key for (key,) in log.reader().execute(sql, (json.dumps([row.episode for row in built.rows]),))}
    assert len(used) > 200 and not used & held
