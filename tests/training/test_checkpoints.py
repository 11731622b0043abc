"""Checkpoints play: padded replies are those of one dialogue alone, nothing of the training changes, and the matches
are in the log as the checkpoint's own.
"""

from __future__ import annotations

import random
import sqlite3

import pytest
from tiny import laid

from games.engine import Message
from players.base import Identity, Reply
from store import trainings
from store.log import Log
from store.trace import Trace
from training import checkpoints
from training.generation import Beginning, Speaker, aside
from training.job import Job
from training.recipe import Check


class Bot:
    """A speaker that says what the competent bot would, by the words it hears; the frozen one says nothing of use."""

    def __init__(self):
        self.asked = []

    def replies(self, dialogues, *, frozen=False):
        self.asked.append((len(dialogues), frozen))
        return [Reply("GUESS: zebra" if "GUESS" in heard[0].content else "CLUE: it is a thing") for heard in dialogues]


def table(opponent, speaker):
    model = Identity("model", "bars@2")
    return checkpoints.Table(Check(opponent=opponent), speaker, model, Identity("model", "base"))


def dealt(name, number=3):
    from games import catalog

    game = catalog.get(name)
    return game, checkpoints.instances(game, "en", number)


def test_every_role_is_played_beside_a_bot_on_the_same_validation_instances():
    from games import catalog

    speaker = Bot()
    found = table("bot", speaker)
    game, instances = dealt("taboo")
    assert instances == dealt("taboo")[1] and {catalog.split_of(game, one) for one in instances} == {"validation"}
    found.lay(game, instances)
    found.lay(*dealt("wordle", 2))
    found.play()
    assert [one.learner for one in found.played] == ["describer"] * 3 + ["guesser"] * 3 + ["guesser"] * 2
    for one in found.played:
        assert one.match.over and one.seats[one.learner].name == "bars@2"
        assert {who.name for role, who in one.seats.items() if role != one.learner} <= {"bot:patient"}
        assert len(one.turns) == one.match.ply
    assert not any(frozen for _, frozen in speaker.asked)
    measured = found.measures()
    assert measured["play/taboo/played"] == 100.0 and measured["play/taboo/main"] == 0.0
    assert measured["play/wordle/played"] == 0.0 and "play/wordle/main" not in measured


def test_the_frozen_opponent_speaks_in_the_other_seats():
    speaker = Bot()
    found = table("frozen", speaker)
    found.lay(*dealt("taboo", 1))
    found.play()
    assert {frozen for _, frozen in speaker.asked} == {True, False}
    assert {who.name for one in found.played for who in one.seats.values()} == {"bars@2", "base"}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("torch")
def test_replies_of_a_batch_are_those_of_each_alone_and_leave_no_trace(tiny_model):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(tiny_model),
        LoraConfig(r=4, lora_dropout=0.5, init_lora_weights=False, target_modules=["q_proj", "v_proj"]),
    ).train()
    learned = [one.detach().clone() for one in model.parameters() if one.requires_grad]
    speaker = Speaker(model, AutoTokenizer.from_pretrained(tiny_model), {}, 12, Beginning(model))
    dialogues = [[Message("user", "a word " * n)] for n in (1, 7, 30, 2)]
    torch.manual_seed(3)
    random.seed(3)
    before = torch.get_rng_state()
    with aside(model):
        began = speaker.replies(dialogues)
        for one in model.parameters():
            if one.requires_grad:
                one.add_(torch.full_like(one, 0.5))
        together = speaker.replies(dialogues)
        alone = [speaker.replies([one])[0] for one in dialogues]
        other = speaker.replies(dialogues, frozen=True)
        torch.rand(3)
        random.random()
    assert [one.text for one in together] == [one.text for one in alone] != [one.text for one in other]
    assert [one.text for one in other] == [one.text for one in began], "with what the adapter had learned before"
    trained = [one for one in model.parameters() if one.requires_grad]
    assert all(torch.equal(now, was + 0.5) for now, was in zip(trained, learned, strict=True))
    assert all(one.call.tokens_out <= 12 and one.call.finish in ("stop", "length") for one in together)
    assert torch.equal(before, torch.get_rng_state()) and random.random() == random.Random(3).random()
    assert model.training and all(module.training for module in model.modules())
    assert all(one.grad is None for one in model.parameters())
    long = [Message("user", "x" * 5000)]
    assert speaker.replies([long]) == [None]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("torch")
@pytest.mark.parametrize("opponent", ["bot", "frozen"])
def test_a_training_is_the_same_whether_its_checkpoints_play(begin, played, opponent):
    plain = Job(begin(name="plain")).run()
    wish = {"instances": 2, "max_tokens": 8, "held_out": ["wordle"], "opponent": opponent}
    out = begin(laid(check=wish), name="bars")
    ended = Job(out).run()
    assert ended["losses"] == plain["losses"] and ended["state"] == "done"
    with Log.open(played, readonly=True) as log:
        row = trainings.recent(log, 1)[0]
        curves = trainings.curves(log, row.id)
        assert [step for step, _ in curves["play/taboo/played"]] == [2, 4]
        assert [step for step, _ in curves["play/wordle/played"]] == [2, 4]
        episodes = log.queries.of_run(row.run)
        assert len(episodes) == 2 * (2 * 2 + 2)
        names = {name for one in episodes for name in one.seats.values()}
        assert names == {"bars@2", "bars@4", "bot:patient" if opponent == "bot" else "tiny"}
        trace = Trace(log.reader)
        node = trace.find(episodes[0].id)
        by = {branch.relation: branch for branch in trace.around(node).sources}
        learner = next(one for one in by["played by"].nodes if one.label.startswith("bars@"))
        (plainly,) = [b for b in trace.around(learner).sources if b.relation == "is with these settings"]
        (training,) = [b for b in trace.around(plainly.nodes[0]).sources if b.relation == "trained in"]
        assert training.nodes[0].id == row.id
        card = (out / "README.md").read_text()
    assert "At checkpoints, a few validation instances" in card and str(out) not in card
    with sqlite3.connect(played) as db:
        assert db.execute("SELECT count(*) FROM leakage").fetchone() == (0,)
