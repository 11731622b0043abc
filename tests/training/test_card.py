"""The card of a training: everything that the field asks for is in it, and no path of this machine."""

from __future__ import annotations

import asyncio
import json
import shlex
import tomllib
from dataclasses import asdict, replace

import pytest

from games import catalog
from games.engine import Match
from players import weights
from players.driver import drive
from players.scripted import BotPlayer
from store import trainings
from store.filters import Filters
from store.log import Log
from store.query import parse
from training import bases, card, launch
from training.options import OPTIONS, options
from training.recipe import checked

RECIPE = {
    "method": "sft",
    "about": "Balanced over rounds, because most won games are one round long.",
    "rehearsal": {"path": "/home/somebody/general.jsonl", "share": 0.1},
    "lora": {"rank": 4},
    "steps": {"steps": 3, "seed": 9},
}

PLAYED = {"play/taboo/played": 75.0, "play/taboo/main": 33.3}


async def _play(path):
    game = catalog.get("taboo")
    async with Log.open(path) as log:
        for instance in catalog.instances(game, split="train")[:6]:
            bots = {role: BotPlayer(game, "patient", game.bots()["patient"]) for role in game.roles}
            await drive(Match.new(game, instance, 1), bots, log.recorder)


@pytest.fixture
def ended(tmp_path, monkeypatch):
    """A log, and a training in it as it stands in log and folder when it has ended; nothing was trained."""
    path, base, folder = tmp_path / "episodes.sqlite", tmp_path / "models" / "own", tmp_path / "out"
    asyncio.run(_play(path))
    base.mkdir(parents=True)
    (base / "config.json").write_text("{}")
    general = tmp_path / "general.jsonl"
    rows = [
        {"messages": [{"role": "user", "content": f"say {n}"}, {"role": "assistant", "content": "no"}]}
        for n in range(9)
    ]
    general.write_text("\n".join(map(json.dumps, rows)))
    monkeypatch.setattr(launch, "start", lambda out: None)
    monkeypatch.setattr(launch, "needs", lambda: None)
    recipe = checked({**RECIPE, "rehearsal": {"path": str(general), "share": 0.1}})
    with Log.open(path) as log:
        begun = launch.begin(
            log, recipe, Filters(splits=("train",)), launch.Base(f"transformers:{base}", base), "bars", folder
        )
        about = {"versions": {"torch": "2.13.0", "trl": "1.16.0"}}
        log.write(lambda db: trainings.event(db, begun.id, "start", 0, about))
        trainings.measure(log, begun.id, 2, {**PLAYED, "loss": 1.5, "play/seconds": 9.2})
        (folder / "adapter_model.safetensors").write_bytes(b"weights")
        machine = {"device": "cpu", "threads": 2, "dtype": "bfloat16"}
        table = {"machine": machine, "steps": 3, "tokens": 1234, "trained_tokens": 120, "truncated": 0.0}
        table["spoken"] = {"synthetic": 110, "general": 10}
        table |= {"memory": {"peak": 3 << 30}, "weights": {"all": 1000, "trained": 10}}
        (folder / "preflight.json").write_text(json.dumps(table))
        made = {"state": "done", "steps": 3, "seconds": 61.0, "first_loss": 2.5, "last_loss": 1.25}
        (folder / "ended.json").write_text(json.dumps(made))
        yield log, begun, folder


def test_the_card_has_what_is_asked_for(ended, tmp_path):
    log, begun, folder = ended
    card.write(log, begun.id, folder)
    text = (folder / "README.md").read_text()
    for words in (
        "library_name: peft\nbase_model: own\n",
        "# bars",
        "supervised fine-tuning (SFT)",
        begun.dataset.content_hash,
        "spoken by synthetic: 36 trained turns (100%), 110 tokens with loss (91.7%), in 12 rows",
        "general data, against forgetting: 1 rows, 10 tokens with loss",
        "* filters: `--split train`\n",
        "taboo · guesser · ",
        "consent: ",
        "leakage: no row has content of validation or test instances",
        RECIPE["about"],
        "LoRA of rank 4, 10 of 1,000 weights",
        "steps: 3 of 3 (done)",
        "tokens in the rows: 1,234",
        "loss: 2.5000 at the first step, 1.2500 at the last",
        "61 s on cpu",
        "2 threads, bfloat16",
        "torch 2.13.0, trl 1.16.0",
        "| taboo/played | 75.0 |",
        "playpen-tui train --from-db episodes.sqlite --method sft --model transformers:own --name bars "
        "--split train --recipe recipe.toml",
        "Not evaluated against its base yet",
    ):
        assert words in text, words
    assert "| seconds |" not in text
    assert str(tmp_path) not in text and "/home/" not in text and "general.jsonl" in text


def test_the_recipe_in_the_card_is_the_recipe(ended):
    log, begun, folder = ended
    _, _, block = card.text(log, begun.id, folder).partition("```toml\n")
    found = checked(tomllib.loads(block.partition("```")[0])).model_dump(mode="json")
    told = json.loads((folder / "job.json").read_text())["recipe"]
    told["rehearsal"]["path"] = "general.jsonl"
    assert found == told


def test_results_come_in_where_there_are_some(ended):
    log, begun, folder = ended
    change = {"value": 50.0, "interval": [20.0, 80.0], "word": "higher"}
    game = {"game": "taboo", "instances": 60, "differences": {"played": change, "quality": None}}
    role = {"game": "taboo", "role": "guesser", "model": "bars", "episodes": 60, "played": 90.0}
    role |= {"played_interval": [80.0, 95.0], "quality": None, "quality_interval": None}
    told = {
        "instances": 60,
        "sampling": {"temperature": 0, "max_tokens": 100},
        "trained": ["taboo"],
        "roles": [role],
        "comparison": {"pairs": [{"games": [game]}]},
        "leaked": 0,
    }
    (folder / card.EVALUATION).write_text(json.dumps(told))
    text = card.text(log, begun.id, folder)
    assert "| taboo | trained | guesser | bars | 60 | 90.0 (80.0–95.0) | – |" in text
    assert "| taboo | 60 | +50.0 (+20.0 to +80.0), higher | – |" in text and "Not evaluated" not in text


def test_an_adapter_that_goes_on_names_the_weights_below_it_and_what_was_before(ended, tmp_path, monkeypatch):
    log, first, folder = ended
    who = launch.result("bars", folder)
    trainings.end(log, first.id, "done", who)
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "config.json").write_text("{}")
    (tmp_path / "own.gguf").write_bytes(b"GGUF")
    base = launch.Base("bars", raw, who.adapter, who.revision)
    recipe = checked({"method": "sft", "steps": {"steps": 3}})
    begun = launch.begin(log, recipe, Filters(splits=("train",)), base, "stars", tmp_path / "on")
    (tmp_path / "on" / "adapter_model.safetensors").write_bytes(b"more weights")
    text = card.text(log, begun.id, tmp_path / "on")
    assert "\nbase_model: raw\n" in text and "A LoRA adapter for `raw`, made by" in text
    assert "It goes on from the adapter of `bars`: put it on `raw` alone, since that of `bars` is in it." in text
    before = f"* before that: `bars` by supervised fine-tuning (SFT) on {first.dataset.rows} rows from 6 episodes (data"
    assert before in text and first.dataset.content_hash in text
    assert "--model bars --name stars" in text
    assert "before that" not in card.text(log, first.id, folder)
    monkeypatch.setattr(weights, "find", lambda name: tmp_path / "own.gguf")
    told = {"base": {"name": "bars", "path": str(bases.unpacked(tmp_path / "own.gguf")), "adapter": who.adapter}}
    assert card.base_model(told) == card.HUB["smollm2"]
    told["base"]["path"] = str(bases.bases() / "qwen-0.5b-1234")
    assert card.base_model(told) == "qwen-0.5b"


FILTERS = (
    "game:taboo,wordle role:guesser model:bot:patient -tag:seen plies<9 lang:en 'tis",
    "speaker:synthetic since:2026-01-01 score>=0 -model:x*,human",
    "",
)


@pytest.mark.parametrize("line", FILTERS)
def test_filters_as_options_find_the_same_episodes(ended, line):
    log = ended[0]
    filters = replace(parse(line.replace("'tis", "")).filters, splits=("train",), where="i.name <> 'it''s' -- odd")
    filters = replace(filters, outcomes=("success", "failure"), experiments=("a b", *_experiments(log)))
    told = json.loads(json.dumps({name: value for name, value in asdict(filters).items() if value}))
    words = shlex.split(" ".join(options(told)))
    names = {option: name for name, option in {**OPTIONS, "where": "--where"}.items()}
    read = {}
    for option, value in zip(words[::2], words[1::2], strict=True):
        read.setdefault(names[option], []).append(value)
    one = {name: values[0] for name, values in read.items() if name in ("speaker", "since", "until", "where")}
    again = Filters(**{**{name: tuple(values) for name, values in read.items()}, **one})
    assert log.queries.ids(again) == log.queries.ids(filters)
    assert log.queries.count(filters) or "lang" not in line


def _experiments(log):
    return [one for (one,) in log.reader().execute("SELECT DISTINCT experiment FROM instances")]


def test_a_filter_without_an_option_is_a_condition():
    assert list(options({"languages": ["en"], "trash": "out"})) == ["--where \"i.language IN ('en')\""]
    assert list(options({"where": "r.main > 50", "games": ["taboo"]})) == ["--game taboo", "--where 'r.main > 50'"]


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("transformers:/home/me/models/own", "transformers:own"),
        ("~/models/own and C:\\models\\own", "own and own"),
        ("OWNER/NAME at https://hub/OWNER/NAME", "OWNER/NAME at https://hub/OWNER/NAME"),
        ("1/2 of played and/or won", "1/2 of played and/or won"),
    ],
)
def test_paths_are_cut_down_and_names_stay(text, public):
    assert card.public(text) == public
