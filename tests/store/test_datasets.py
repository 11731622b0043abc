"""Frozen data sets: read back word for word, named by their content, and traced to every turn."""

from __future__ import annotations

import pytest
from tiny_game import Script, new_match

from games.engine import Message
from players.driver import drive
from store.datasets import DatasetRow, content_hash, freeze, get, records
from store.errors import LogError
from store.filters import Filters
from store.ids import chain
from store.keep import check
from store.perspectives import perspectives
from store.trace import Trace


@pytest.fixture
async def seats(log):
    for words in (("a", "win"), ("b", "lose")):
        await drive(new_match(), {"asker": Script(*words), "teller": Script("x", "y")}, log.recorder)
    return list(perspectives(log.reader(), Filters(), roles=["asker"]))


def plain(messages):
    return [{"role": one.role, "content": one.content} for one in messages]


async def test_each_form_comes_back_word_for_word(log, seats):
    won, lost = seats
    correction = (*won.messages[:1], Message("assistant", "better – ünd \x00"))
    edited = chain(correction)
    general = (Message("user", "2+2?"), Message("assistant", "4"))
    rows = [
        DatasetRow(won.hashes[3], (1, 3), episode=won.episode, role="asker", trained=tuple(s.turn for s in won.spoken)),
        DatasetRow(won.hashes[1], (1,), won.hashes[0], lost.hashes[1], trained=(won.spoken[0].turn,),
                   against=(lost.spoken[0].turn,), why="turn: because"),
        DatasetRow(won.hashes[1], (1,), won.hashes[0], label=True, trained=(won.spoken[0].turn,)),
        DatasetRow(edited[-1][0], (1,), new=tuple(edited), why="edit"),
        DatasetRow(None, (1,), general=general),
    ]  # fmt: skip
    frozen = freeze(log, "sft", rows, {"games": ["tiny"]})
    assert get(log.reader(), frozen.id) == frozen and frozen.rows == 5 and frozen.content_hash == content_hash(rows)
    one, pair, label, edit, extra = records(log.reader(), frozen.id)
    assert one == {"messages": plain(won.messages[:4]), "loss": [1, 3]}
    assert pair == {
        "prompt": plain(won.messages[:1]), "chosen": plain(won.messages[1:2]), "rejected": plain(lost.messages[1:2]),
        "loss": [1],
    }  # fmt: skip
    said = plain(won.messages[1:2])
    assert label == {"prompt": plain(won.messages[:1]), "completion": said, "label": True, "loss": [1]}
    assert edit["messages"] == plain(correction) and extra == {"messages": plain(general), "loss": [1]}
    assert check(log, game_of=lambda name: new_match().game).ok
    trace = Trace(log.reader)
    around = trace.around(trace.node("turn", won.spoken[0].turn))
    assert {node.id for branch in around.uses for node in branch.nodes} >= {f"{frozen.id}:{n}" for n in range(3)}


def test_a_content_hash_is_of_words_loss_and_order():
    one, two = DatasetRow("a", (1,)), DatasetRow("b", (1,))
    hashes = [content_hash(rows) for rows in ([one, two], [two, one], [one], [DatasetRow("a", (3,)), two], [])]
    assert len(set(hashes)) == 5 and content_hash(iter([one, two])) == hashes[0]


async def test_what_was_erased_since_is_said(log, seats):
    frozen = freeze(log, "sft", [DatasetRow(seats[0].hashes[3], (1, 3))], {})

    def erase(db):
        db.execute("PRAGMA defer_foreign_keys = ON")
        db.execute("INSERT INTO redactions (id, reason, opened_at) VALUES ('r', 'test', 'now')")
        db.execute("UPDATE dataset_rows SET tip_hash = NULL")
        db.execute("UPDATE redactions SET closed_at = 'now'")

    log.write(erase)
    with pytest.raises(LogError, match="names words that are not in the log any more"):
        list(records(log.reader(), frozen.id))
    with pytest.raises(LogError, match="no data set"):
        get(log.reader(), "nothing")
