"""The rows that transformers' worker decodes together: what was read before is not read again, and changes nothing."""

from __future__ import annotations

from itertools import takewhile
from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from players.workers.rows_ import WORTH, Batch, Prefixes, Row, shared
from players.workers.transformers_ import Worker

TEXTS = st.lists(st.integers(0, 3), max_size=60)


@given(TEXTS, TEXTS, TEXTS)
def test_what_texts_share_is_their_beginning(common, one, other):
    a, b = common + one, common + other
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False))
    assert shared(a, b) == shared(b, a) == sum(1 for _ in alike)


class Tensor:
    """As many bytes as a text of this length takes."""

    def __init__(self, length):
        self.nbytes = length


def layers(length):
    return [(Tensor(length), Tensor(length))]


def test_the_longest_beginning_is_found_and_one_token_is_left_to_read():
    kept = Prefixes()
    kept.keep(range(20), layers(20))
    kept.keep([*range(18), 99, 98], layers(20))
    assert kept.find([*range(20), 50])[0] == 20
    assert kept.find(range(20))[0] == 19
    assert kept.find([*range(18), 99, 50])[0] == 19
    assert kept.find([*range(WORTH - 1), 70, 71]) == (0, [])  # too little to be worth it
    assert kept.find([1, 2, 3]) == (0, [])


def test_a_longer_text_takes_the_place_of_its_beginnings_and_the_oldest_go():
    kept = Prefixes(most=200)
    kept.keep(range(20), layers(20))
    kept.keep(range(40), layers(40))
    assert (kept.size, kept.find([*range(20), 50])[0]) == (80, 20)
    kept.keep(range(100, 150), layers(50))
    assert kept.size == 180
    assert kept.find([*range(40), 0])[0] == 40  # used last
    kept.keep(range(200, 220), layers(20))
    assert kept.size <= 200 and kept.find(range(100, 150))[0] == 0
    assert kept.find([*range(40), 0])[0] == 40


@pytest.fixture(scope="module")
def model():
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512,
    )  # fmt: skip
    made = transformers.LlamaForCausalLM(config).eval().to(torch.float64)
    return SimpleNamespace(
        torch=torch, device="cpu", model=made, cache_type=transformers.DynamicCache, ends=frozenset({0})
    )


def alone(model, ids, most):
    """The likeliest tokens, the whole text read anew for each."""
    made = []
    while len(made) < most and (not made or made[-1] not in model.ends):
        scores = model.model(model.torch.tensor([ids + made])).logits[0, -1]
        made.append(int(scores.argmax()))
    return made


def decoded(batch, texts, most, room):
    """The same by the batch, so many rows at once; every row when it is done."""
    waiting = [Row(str(at), list(ids), {"temperature": 0}, most, str) for at, ids in enumerate(texts)]
    done = {}
    while waiting or batch.rows:
        free = room - len(batch.rows)
        if waiting and free:
            joining, waiting = waiting[:free], waiting[free:]
            batch.join(joining)
        else:
            batch.step()
        done.update((int(row.name), row) for row in batch.leave())
    return [done[at] for at in range(len(texts))]


@pytest.mark.slow
@pytest.mark.xdist_group("torch")
def test_rows_say_what_each_says_alone_and_read_little(model):
    """Dialogues as they grow: the same rules, then turns of uneven length; few at once, so that they join and leave."""
    luck = Random(1)
    rules = [luck.randrange(1, 64) for _ in range(40)]
    first = [rules + [luck.randrange(1, 64) for _ in range(luck.randrange(1, 30))] for _ in range(9)]
    batch = Batch(model)
    with model.torch.inference_mode():
        once = decoded(batch, first, 12, room=4)
        assert [row.made for row in once] == [alone(model, ids, 12) for ids in first]
        second = [row.ids + row.made + [luck.randrange(1, 64) for _ in range(luck.randrange(1, 50))] for row in once]
        twice = decoded(batch, second, 12, room=4)
        assert [row.made for row in twice] == [alone(model, ids, 12) for ids in second]
    assert all(row.reused >= len(rules) for row in once)
    assert [row.reused for row in twice] == [len(row.ids) + len(row.made) - 1 for row in once]
    assert all(row.done()["cached"] == row.reused for row in twice)


@pytest.mark.slow
@pytest.mark.xdist_group("torch")
def test_nothing_is_kept_where_nothing_is_shared(model):
    luck = Random(2)
    texts = [[luck.randrange(1, 64) for _ in range(25)] for _ in range(5)]
    batch = Batch(model)
    batch.prefixes.most = 0
    with model.torch.inference_mode():
        found = decoded(batch, texts, 5, room=5)
        assert [row.made for row in found] == [alone(model, ids, 5) for ids in texts]
        assert [row.reused for row in decoded(batch, texts, 5, room=2)] == [0] * 5
    assert batch.prefixes.size == 0


@pytest.mark.slow
@pytest.mark.xdist_group("torch")
def test_every_row_of_a_broken_pass_hears_of_it_and_the_next_is_served(model):
    """Also those that were just joining: they stand in no batch yet."""
    said = []
    out = SimpleNamespace(tell=lambda **told: said.append(told), delta=lambda *_: None, beat=lambda: None)
    worker = Worker(model, out, most=8)
    breaks = iter([False, True])

    def forward(*args):
        if next(breaks, False):
            raise RuntimeError("out of memory")
        return Batch._forward(worker.batch, *args)

    worker.batch._forward = forward
    luck = Random(3)
    texts = [[luck.randrange(1, 64) for _ in range(size)] for size in (20, 20, 4)]  # the last joins by itself
    worker.waiting = [Row(str(at), ids, {"temperature": 0}, 3, str) for at, ids in enumerate(texts)]
    worker.lines.put(None)
    worker._listen = iter([True, True, False]).__next__
    worker.run()
    assert sorted(one["error"]["id"] for one in said) == ["0", "1", "2"]
    assert all("out of memory" in one["error"]["message"] for one in said)
    said.clear()
    worker.waiting = [Row("again", texts[0], {"temperature": 0}, 3, str)]
    worker._listen = iter([True] * 9 + [False]).__next__
    worker.run()
    assert [one["done"]["id"] for one in said] == ["again"]


@pytest.mark.parametrize(
    ("under_way", "waiting", "most", "steps"),
    [
        (0, 1, 16, 0),  # nobody is kept from anything
        (1, 1, 16, 1),
        (15, 1, 32, 15),  # it costs a sixteenth of every step, and to read it a whole one
        (12, 4, 32, 3),
        (8, 8, 32, 1),
        (12, 4, 16, 0),  # nobody else has room
        (16, 4, 16, None),
    ],
)
def test_a_row_waits_for_company_until_that_costs_as_much_as_to_read_its_prompt(under_way, waiting, most, steps):
    worker = Worker(None, None, most)
    worker.batch.rows = [Row(f"old {at}", [1], {}, 9, str) for at in range(under_way)]
    worker.waiting = come = [Row(f"new {at}", [1], {}, 9, str) for at in range(waiting)]
    made = next((at for at in range(100) if worker._joining() == come), None)
    assert made == steps and worker.waiting == ([] if steps is not None else come)


def test_those_that_come_while_others_wait_join_with_them():
    worker = Worker(None, None, 32)
    worker.batch.rows = [Row(f"old {at}", [1], {}, 9, str) for at in range(14)]
    joined = []
    for at in range(8):
        worker.waiting.append(Row(f"new {at}", [1], {}, 9, str))
        if joined := worker._joining():
            break
    assert [row.name for row in joined] == [f"new {one}" for one in range(at + 1)] and 3 < at < 7
    worker.waiting = [Row("later", [1], {}, 9, str)]
    assert not worker._joining() and worker.wasted == pytest.approx(1 / 15)  # what the others cost is paid
    worker.waiting = []
    assert not worker._joining() and not worker.wasted  # as is what somebody cost who has left
