"""DPO and KTO with a model of a few thousand weights: TRL's loss takes our mask, and margins grow on held-out rows."""

from __future__ import annotations

import json
import math

import pytest

from players.base import Identity
from store import datasets, trainings
from store.filters import Filters
from store.log import Log
from training import dpo, kto, preferences
from training.build import build_labels, build_pairs
from training.pairs import Mining
from training.selection import Selection

END = 257
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("torch")]
HERE = {"device": "cpu", "dtype": "float32", "threads": 1}


@pytest.fixture(scope="module")
def made():
    """A model and its tokenizer: every byte a token, ChatML around."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {letter: at for at, letter in enumerate(letters)}
    tokens = Tokenizer(models.BPE(vocab=words, merges=[]))
    tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokens.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokens, bos_token="<s>", eos_token="</s>", pad_token="</s>")
    tokenizer.chat_template = (
        "{% for m in messages %}<s>{{ m.role }}\n{{ m.content }}</s>\n{% endfor %}"
        "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
    )
    torch.manual_seed(1)
    shape = LlamaConfig(
        vocab_size=258, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=4096, tie_word_embeddings=True, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    return LlamaForCausalLM(shape), tokenizer


@pytest.fixture
def job(made, games_path, tmp_path):
    """Makes a training of a recipe, on a copy of the log, without its process."""
    from training.job import Job

    copy, opened = tmp_path / "e.sqlite", []
    with Log.open(games_path) as log:
        log.reader().execute("VACUUM INTO ?", (str(copy),))

    def make(recipe, built, folder="out"):
        with Log.open(copy) as log:
            frozen = datasets.freeze(log, recipe["method"], built(log.reader()).rows, {})
            run = log.new_run("train", {}, 1, "0")
            id = trainings.begin(log, run, recipe["method"], Identity("model", "tiny", "", "", {}), frozen.id)
        out = tmp_path / folder
        out.mkdir()
        told = {
            "recipe": recipe,
            "training": id,
            "run": run,
            "db": str(copy),
            "dataset": frozen.id,
            "name": "x",
            "base": {},
        }
        (out / "job.json").write_text(json.dumps(told))
        opened.append(Job(out))
        opened[-1].tokenizer = made[1]
        opened[-1]._diary.start()
        return opened[-1]

    yield make
    for one in opened:
        one._diary.close()
        one.log.close()


def pairs(*kinds):
    return lambda reader: build_pairs(reader, Filters(games=("taboo",)), Mining(kinds=kinds))


def labels(reader):
    return build_labels(reader, Filters(games=("taboo",)), Selection(limit=40))


def recipe(method, **preference):
    steps = {"batch": 4, "steps": 4, "learning_rate": 1e-2, "schedule": "constant", "warmup": 0, "max_length": 4096}
    lora = {"rank": 4, "alpha": 8}
    return {"method": method, "steps": steps, "preference": {"held_out": 0.3, **preference}, "lora": lora}


def fresh(model):
    import copy

    return copy.deepcopy(model)


def test_what_carries_loss_decodes_to_the_seats_words_in_the_very_batch(made, job):
    model, tokenizer = made
    one = job(recipe("dpo"), pairs("dialogue"))
    trainer, _, _ = dpo.prepare(one, fresh(model), tokenizer, HERE)
    batch = next(iter(trainer.get_train_dataloader()))
    sql = "SELECT t.text FROM dataset_row_turns d JOIN turns t ON t.id = d.turn_id WHERE d.dataset_id = ?"
    said = {text for (text,) in one.log.reader().execute(sql, (one.told["dataset"],))}
    seen = 0
    for ids, mask in zip(batch["input_ids"].tolist(), batch["completion_mask"].tolist(), strict=True):
        words = tokenizer.decode([i for i, carries in zip(ids, mask, strict=True) if carries]).split("</s>")
        assert words.pop() == "" and words and set(words) <= said
        seen += len(words)
    assert seen > len(batch["input_ids"]), "some dialogue had several replies"


@pytest.mark.parametrize("loss", ["sigmoid", "ipo", "hinge"])
def test_trls_loss_is_of_the_masked_tokens(made, job, loss):
    import torch

    model, tokenizer = made
    one = job(recipe("dpo", loss=loss, beta=0.2), pairs("dialogue"))
    trainer, _, _ = dpo.prepare(one, fresh(model), tokenizer, HERE)
    rows, _ = preferences.encode(one, tokenizer)
    rows = rows[:4]
    before = preferences.log_probabilities(trainer.model, rows, END, 2)
    with torch.no_grad():
        for name, weight in trainer.model.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.5)
    after = preferences.log_probabilities(trainer.model, rows, END, 3)
    ratios = [[x - y for x, y in zip(new, old, strict=True)] for new, old in zip(after, before, strict=True)]
    margin = [0.2 * (good - bad) for good, bad in ratios]
    even = [good / r.sides[0].trained - bad / r.sides[1].trained for (good, bad), r in zip(ratios, rows, strict=True)]
    wanted = {
        "sigmoid": [math.log1p(math.exp(-one)) for one in margin],
        "hinge": [max(0.0, 1 - one) for one in margin],
        "ipo": [(one - 1 / 0.4) ** 2 for one in even],
    }[loss]
    columns = dpo.columns(rows)
    examples = [{side: columns[side][at] for side in columns} for at in range(4)]
    found = trainer.compute_loss(trainer.model, dpo.collate(examples, END))
    assert found.item() == pytest.approx(sum(wanted) / 4, rel=1e-3)


BUILT = {"dpo": pairs("turn", "credit", "repeat"), "kto": labels}


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_margins_of_held_out_instances_grow_and_stand_in_log_and_facts(made, job, method):
    from training import common

    model, tokenizer = made
    one = job(recipe(method, beta=0.5), BUILT[method])
    module = {"dpo": dpo, "kto": kto}[method]
    trainer, watch, facts = module.prepare(one, fresh(model), tokenizer, HERE)
    ended = common.run(one, trainer, watch)
    one._diary.close()
    held = facts["held_out"]
    assert held["rows"] >= held["instances"] >= 1 and held["before"]["rewards/margins"] == pytest.approx(0, abs=1e-4)
    grown = held["after"]["rewards/margins"]
    assert len(ended["losses"]) == 4
    assert grown > 0.01 if method == "dpo" else abs(grown) > 0.001  # KTO of so few rows may go either way
    curve = trainings.curves(one.log, one.training)["eval/rewards/margins"]
    assert curve[0] == (0, pytest.approx(0, abs=1e-4)) and curve[-1] == (4, grown)
    assert (one.folder / "adapter_model.safetensors").is_file()


def test_kto_turns_replies_round_within_a_batch(made, job):
    model, tokenizer = made
    one = job(recipe("kto"), labels)
    trainer, _, facts = kto.prepare(one, fresh(model), tokenizer, HERE)
    batch = next(iter(trainer.get_train_dataloader()))

    def tail(prefix, at):
        ids, mask = batch[f"{prefix}input_ids"][at], batch[f"{prefix}completion_mask"][at].bool()
        return tokenizer.decode(ids[mask])

    many = len(batch["label"])
    assert [tail("KL_", at) for at in range(many)] == [tail("", (at - 1) % many) for at in range(many)]
    assert 0 < int(batch["label"].sum()) < many and set(facts["labels"]) == set(facts["weights"]) == {"good", "bad"}
    good, bad = facts["labels"]["good"], facts["labels"]["bad"]
    assert good * trainer.desirable_weight == pytest.approx(bad * trainer.undesirable_weight)


def test_what_cannot_be_is_one_sentence(made, job):
    model, tokenizer = made
    wrong = job(recipe("dpo", loss="kto"), pairs("dialogue"), "a")
    with pytest.raises(ValueError, match="kto is none of DPO's: take sigmoid"):
        dpo.prepare(wrong, model, tokenizer, HERE)
    wish = recipe("kto")
    wish["steps"]["batch"] = 1
    with pytest.raises(ValueError, match=r"set steps\.batch to 2 or more"):
        kto.prepare(job(wish, labels, "b"), model, tokenizer, HERE)


def test_an_adapter_that_goes_on_is_measured_against_itself_as_it_was(made, job, tmp_path):
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model

    from training import common

    model, tokenizer = made
    first = get_peft_model(fresh(model), LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    with torch.no_grad():
        for name, weight in first.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.5)
    first.save_pretrained(tmp_path / "first")
    again = PeftModel.from_pretrained(fresh(model), tmp_path / "first", is_trainable=True)
    one = job(recipe("dpo"), pairs("dialogue"))
    trainer, watch, facts = dpo.prepare(one, again, tokenizer, HERE)
    batch = next(iter(trainer.get_train_dataloader()))
    assert trainer.compute_loss(trainer.model, batch).item() == pytest.approx(math.log(2), abs=1e-4)
    common.run(one, trainer, watch)
    assert facts["held_out"]["before"]["rewards/margins"] == pytest.approx(0, abs=1e-4)
    assert facts["held_out"]["after"]["rewards/margins"] != 0
    assert (one.folder / "adapter_model.safetensors").is_file() and not (one.folder / "ref").exists()
