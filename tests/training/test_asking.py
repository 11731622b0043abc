"""What training mines, as questions to people."""

from __future__ import annotations

from store import pairing, queues
from store.filters import Filters
from store.log import Log
from training.asking import DOUBT, mined
from training.pairs import KINDS, Mining


def test_mined_pairs_fill_a_queue_and_say_why(games_path, tmp_path):
    copy = tmp_path / "e.sqlite"
    with Log.open(games_path) as opened:
        opened.reader().execute("VACUUM INTO ?", (str(copy),))
    with Log.open(copy) as log:
        found = mined(log.reader(), Filters(), Mining(kinds=KINDS))
        kinds = {one.why.partition(":")[0] for one in found.chosen}
        assert {"credit", "turn", "dialogue"} <= kinds and found.there >= len(found.chosen)
        assert {one.kind for one in found.chosen if one.why.startswith("dialogue")} == {"endings"}
        assert [one.priority for one in found.chosen] == sorted((one.priority for one in found.chosen), reverse=True)
        queue = queues.new_queue(log, "q")
        added = pairing.fill(log, queue, found.chosen)
        assert added.new and not added.refused
        whys = log.reader().execute("SELECT DISTINCT why FROM items").fetchall()
        assert all(why.partition(":")[0] in DOUBT for (why,) in whys)
        assert pairing.fill(log, queue, mined(log.reader(), Filters(), Mining(kinds=KINDS)).chosen).new == []
