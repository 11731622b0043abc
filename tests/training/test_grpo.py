"""GRPO: recipes that are refused, whole trainings of a tiny random model, and the smoke recipe on the built-in one."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from types import SimpleNamespace

import pytest
from tiny import RECIPE, laid

from games import catalog
from games.engine import Match
from players.base import Reply
from players.batch import Waiting
from players.opening import Table
from players.registry import Registry
from players.spec import parse
from store import trainings
from store.log import Log
from training import grpo, partners, rollouts
from training.guards import Refused
from training.recipe import checked, load


def recipe(**parts):
    told = {
        **RECIPE,
        "method": "grpo",
        "lora": {"rank": 4, "alpha": 8},
        "rollouts": {"group": 2, "partner": "bot:competent", "points": 4, "tokens": 8, "turns": 2},
        "steps": {**RECIPE["steps"], "accumulate": 2, "steps": 3, "save_every": 1, "max_length": 1800},
    }
    return checked({**told, **{key: {**told.get(key, {}), **value} for key, value in parts.items()}})


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"rollouts": {"group": 3}}, "no whole groups of 3"),
        ({"lora": {"dropout": 0.1}}, "dropout must be 0"),
        ({"rollouts": {"engine": "vllm-colocate"}}, "needs vllm"),
    ],
)
def test_a_recipe_that_cannot_be_rolled_out_is_refused_in_one_sentence(parts, told):
    with pytest.raises(Refused, match=told):
        grpo.check(recipe(**parts))


def test_vllm_has_no_frozen_partner_and_needs_its_server(monkeypatch):
    monkeypatch.setattr(grpo.importlib.util, "find_spec", lambda name: True)
    with pytest.raises(Refused, match="transformers alone"):
        grpo.check(recipe(rollouts={"engine": "vllm-colocate", "partner": "frozen"}))
    with pytest.raises(Refused, match=r"rollouts\.server is missing"):
        grpo.check(recipe(rollouts={"engine": "vllm-server"}))
    grpo.check(recipe(rollouts={"engine": "vllm-server", "server": "http://127.0.0.1:8000"}))


def test_any_player_can_be_the_partner(tmp_path):
    loop = partners.Loop()
    game = catalog.get("taboo")
    registry = Registry({}, tmp_path / "models.toml")
    seated = partners.Seated(loop, Table(registry), "bot:competent")
    match = Match.new(game, catalog.instances(game, split="train")[0], 1)
    ((answer, calls), (again, _)) = seated.answer([Waiting(0, match, "describer")] * 2, [5, 5], 1)
    assert isinstance(answer, Reply) and answer.text == again.text and not calls
    assert (
        match.play(answer.text).steps[0].verdict == "ok"
        and seated.identity(Waiting(0, match, "describer")).kind == "bot"
    )
    with pytest.raises(Refused, match="cannot take the seat describer"):
        partners.Seated(loop, Table(registry), "bot:nobody").sit(game, "describer")
    loop.close()


def test_every_pass_takes_all_points_in_an_order_of_its_own():
    found = grpo.order(5, 12, seed=3)
    assert sorted(found[:5]) == sorted(found[5:10]) == list(range(5)) and found[:5] != found[5:10]
    assert grpo.order(5, 30, seed=3)[:12] == found != grpo.order(5, 12, seed=4)


slow = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("torch")]


@pytest.fixture
def lively(monkeypatch):
    """A reward that differs between the replies of a random model, which never keeps the form."""

    def reward(self, one):
        return len(set(one.match.texts[-1])) / 20 if one.turns else None

    monkeypatch.setattr(rollouts.Playing, "reward", reward)


def job(out):
    from training.job import Job

    return Job(out).run()


def curves(path, names):
    with Log.open(path, readonly=True) as log:
        row = trainings.recent(log)[0]
        found = trainings.curves(log, row.id)
        return {name: found[name] for name in names}, set(found), row


class TestTiny:
    """Trainings of the tiny model."""

    pytestmark = slow

    def test_rollouts_land_in_the_log_with_their_curves(self, begin, played, lively):
        out = begin(recipe())
        ended = job(out)
        assert ended["state"] == "done", ended["why"]
        assert (ended["groups"], ended["rollouts"], ended["rows"]) == (2, 4, 4)
        wanted = {"reward", "frac_reward_zero_std", "rollouts/played", "rollouts/turns", "ours/rollout_share"}
        _, names, row = curves(played, ["reward"])
        assert wanted <= names
        with sqlite3.connect(played) as db:
            sql = "SELECT slot, group_id FROM episodes WHERE run_id = ? ORDER BY slot"
            rows = db.execute(sql, (row.run,)).fetchall()
            assert [slot for slot, _ in rows] == list(range(12)) and len({group for _, group in rows}) == 6
            sql = "SELECT DISTINCT p.revision FROM turns t JOIN episodes e ON e.id = t.episode_id JOIN players p "
            sql += "ON p.id = t.player_id WHERE e.run_id = ? AND p.name = 'bars' ORDER BY 1"
            assert [one for (one,) in db.execute(sql, (row.run,))] == [f"{row.id} step {step}" for step in range(3)]
            assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert json.loads((out / "preflight.json").read_text())["template"]["same_as_when_played"] == 4

    def test_stopped_and_resumed_it_is_the_same_training(self, begin, played, lively):
        long = recipe(steps={"steps": 5, "keep": 5})  # two passes over the points and a half
        names = ["loss", "reward", "entropy", "completions/mean_length", "grad_norm", "num_tokens"]
        assert job(begin(long, name="straight"))["state"] == "done"
        straight, _, _ = curves(played, names)
        assert any(value for _, value in straight["grad_norm"]), "something was learned"
        out = begin(long, name="halted")
        (out / "orders").write_text("stop")
        assert job(out)["state"] == "stopped"
        (out / "orders").unlink()
        assert job(out)["state"] == "done"
        resumed, _, row = curves(played, names)
        for name in names:
            assert [value for _, value in resumed[name]] == pytest.approx([v for _, v in straight[name]], rel=1e-4), (
                name
            )
        for step in (4, 5):  # as it stands where a process was killed after step 5 and before its checkpoints
            shutil.rmtree(out / "checkpoints" / f"checkpoint-{step}")
        assert job(out)["state"] == "done"
        again, _, _ = curves(played, names)
        assert [value for _, value in again["loss"]] == pytest.approx([v for _, v in straight["loss"]], rel=1e-4)
        with sqlite3.connect(played) as db:
            assert db.execute("SELECT count(*) FROM episodes WHERE run_id = ?", (row.run,)).fetchone() == (20,)

    def test_a_frozen_partner_samples_with_the_weights_of_the_beginning(self):
        import torch

        model = torch.nn.Linear(2, 2)
        trainer = SimpleNamespace(model=model, generation_config=SimpleNamespace(max_new_tokens=8))
        seen = []

        def single_turn(rows, images, more, num_generations):
            seen.append((model.weight.detach().clone(), trainer.generation_config.max_new_tokens, torch.rand(1).item()))
            return [[1]] * len(rows), None

        trainer._generate_single_turn = single_turn
        weights = grpo.Weights(trainer, 5)
        first = model.weight.detach().clone()
        weights.keep()
        with torch.no_grad():
            model.weight += 1
        now, state = model.weight.detach().clone(), torch.get_rng_state()
        for frozen in (True, False, True):
            weights.sample([], [(1,)], 7, frozen=frozen)
        assert torch.equal(torch.get_rng_state(), state), "the process's own chance goes on as if nothing had been"
        assert [tokens for _, tokens, _ in seen] == [5, 8, 5] and len({luck for _, _, luck in seen}) == 1
        assert torch.equal(seen[0][0], first) and torch.equal(seen[1][0], now) and torch.equal(seen[2][0], first)
        assert torch.equal(model.weight, now)

    def test_a_frozen_partner_plays_and_its_faults_are_left_out(self, begin, played):
        wish = {"partner": "frozen", "source": "catalog", "partner_tokens": 6}
        out = begin(recipe(rollouts=wish, steps={"steps": 1}, selection={"roles": ["critic"]}))
        ended = job(out)
        assert ended["state"] == "failed" and "spoiled every rollout of a step" in ended["why"], ended["why"]
        found, _, row = curves(played, ["rollouts/left_out", "frac_reward_zero_std"])
        assert found["rollouts/left_out"] == [(1, 4.0)], "random weights never keep the form"
        assert found["frac_reward_zero_std"] == [(1, 1.0)], "and nothing can be learned from that"
        with sqlite3.connect(played) as db:
            sql = "SELECT s.role, p.name, count(*) FROM seats s JOIN episodes e ON e.id = s.episode_id JOIN players p "
            sql += "ON p.id = s.player_id WHERE e.run_id = ? GROUP BY 1, 2 ORDER BY 1"
            seats = [(role, name) for role, name, _ in db.execute(sql, (row.run,))]
        assert (
            ("critic", "bars") in seats
            and ("guesser", "tiny") in seats
            and all(name in ("bars", "tiny") for _, name in seats)
        )

    def test_the_catalog_is_played_where_nothing_was_logged(self, begin, tmp_path, lively):
        with Log.open(tmp_path / "empty.sqlite"):
            pass
        out = begin(recipe(), log=tmp_path / "empty.sqlite", name="dealt")
        assert job(out)["state"] == "done"
        with Log.open(tmp_path / "empty.sqlite", readonly=True) as log:
            assert log.reader().execute("SELECT count(*) FROM episodes").fetchone() == (12,)
            assert log.reader().execute("SELECT DISTINCT split FROM instances").fetchall() == [("train",)]


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("torch")
def test_the_smoke_recipe_runs_from_end_to_end(tmp_path, played, unpacked_once):
    command = [
        *(sys.executable, "-m", "playpen_tui", "train", "--method", "grpo", "--recipe", "smoke", "--game", "taboo"),
        *("--from-db", str(played), "--name", "grown", "--out", str(tmp_path / "grown"), "--plain", "--json"),
        *("--steps", "1"),
    ]
    env = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "config")}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["state"] == "done" and document["steps"] == 1 and document["player"] == "grown"
    with sqlite3.connect(played) as db:
        sql = "SELECT count(*), count(DISTINCT group_id) FROM episodes WHERE run_id = ?"
        assert db.execute(sql, (document["run"],)).fetchone() == (4, 2)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.parametrize("name", ["smoke", "tiny", "paper"])
def test_presets_can_be_rolled_out(name):
    found = load(name, "grpo")
    grpo.check(found)
    assert found.method == "grpo" and parse(found.rollouts.partner).head


def test_laid_recipes_stay_what_they_are():
    assert laid().rollouts == checked({}).rollouts
