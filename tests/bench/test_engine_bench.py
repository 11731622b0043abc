"""The engine benchmark measures what it says: same texts for both sides, memories really emptied, honest JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from games.engine import Match
from games.taboo.clue import relation

ROOT = Path(__file__).resolve().parents[2]
PEER = ROOT / ".venv-clem" / "bin" / "python"
sys.path.insert(0, str(ROOT))  # `bench` is no part of the package

from bench import common, engine  # noqa: E402

needs_peer = pytest.mark.skipif(not PEER.exists(), reason="run `make clem` for clemcore")


@pytest.fixture(scope="module")
def peer() -> Iterator[common.Peer]:
    with common.Peer(PEER) as started:
        yield started


def run(*options: str) -> dict:
    command = [sys.executable, "-m", "bench.engine", *options]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def test_a_smoke_run_prints_what_was_promised():
    found = run("--smoke")
    assert found["benchmark"] == "engine"
    assert found["smoke"] is True
    assert found["command"] == "python -m bench.engine --smoke"
    assert found["date"][:2] == "20" and found["date"].endswith("+00:00")
    assert set(found["machine"]) == {"cpu", "cores", "python", "system", "load_average"}
    assert found["machine"]["cores"] >= 1 and len(found["machine"]["load_average"]) == 3
    assert set(found["games"]) == {"taboo", "wordle"}
    for game in found["games"].values():
        assert game["episodes"] == engine.SMOKE["instances"]
        assert game["steps"] == 6 * game["episodes"]
        for side in ("first_sight", "again"):
            rates = game["ours"][side]
            assert 0 < rates["low"] <= rates["median"] <= rates["high"]
        assert game["recorded"]["ratio"] > 0
        assert "peer" not in game
    assert found["geometric_mean"] == {"recorded": pytest.approx(mean(found, "recorded"), rel=1e-3)}
    assert (found["goal"], found["met"]) == (1.0, None)


def mean(found: dict, name: str) -> float:
    product = 1.0
    for game in found["games"].values():
        product *= game[name]["ratio"]
    return product**0.5


@pytest.mark.parametrize("make", [engine.taboo, engine.wordle])
def test_every_episode_takes_six_turns_and_is_won_with_the_last(make):
    work = make(30)
    assert len(work.episodes) == len(work.plan["episodes"]) == 30
    assert work.steps == 180
    for episode in work.episodes:
        match = Match.replay(work.game, episode.instance, 0, episode.texts)
        assert match.state.outcome == "success"
        assert {step.verdict for step in match.steps} == {"ok"}


@pytest.mark.parametrize("make", [engine.taboo, engine.wordle])
def test_the_plan_tells_the_peer_the_same_texts(make):
    work = make(5)
    for episode, told in zip(work.episodes, json.loads(json.dumps(work.plan))["episodes"], strict=True):
        assert tuple(told["texts"]) == episode.texts
        assert told["target"] == episode.instance.target
        assert told.get("related", []) == [*getattr(episode.instance, "related", ())]
    assert all(work.plan["prompts"].values())
    assert len(work.plan["words"]) > 50


def test_nearly_all_instances_are_played():
    work = engine.taboo()
    assert len(work.episodes) > 0.9 * len(work.game.instances("en"))


def test_forgetting_empties_what_texts_have_taught():
    work = engine.taboo(3)
    work.play()
    assert relation.cache_info().currsize > 0
    assert engine.forget("games.taboo") > 1
    assert relation.cache_info().currsize == 0


def test_forgetting_keeps_what_was_read_from_files():
    from games.wordle.words import allowed

    allowed("en")
    engine.forget("games.wordle")
    assert allowed.cache_info().currsize > 0


def test_ratios_are_taken_turn_by_turn():
    assert common.ratio([10, 40, 9], [5, 10, 9]) == 2.0  # 2, 4 and 1, not 10 / 9
    with pytest.raises(ValueError, match="shorter"):
        common.ratio([1, 2], [1])


def test_numbers_do_not_pretend():
    assert common.digits(1234.5678) == 1235
    assert common.digits(0.000123456) == 0.0001235
    assert common.summary([3, 1, 2]) == {"median": 2, "low": 1, "high": 3}


def test_a_measurement_counts_wall_and_processor_apart():
    def work() -> int:
        import time

        time.sleep(0.05)
        return 10

    found = common.measure(work)
    assert found.count == 10
    assert found.wall_s >= 0.05 > found.cpu_s
    assert found.per_cpu_s > found.per_s


def test_a_missing_peer_says_what_to_do(tmp_path):
    with pytest.raises(common.PeerError, match="make clem"), common.Peer(tmp_path / "python"):
        pass


def test_a_peer_that_dies_is_no_silence(tmp_path):
    with pytest.raises(common.PeerError, match="gave up"), common.Peer("/bin/false") as peer:
        peer.play({"game": "taboo"})


@needs_peer
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_peer_plays_the_same_games_bare_and_recorded(peer, tmp_path):
    for make, files in ((engine.taboo, 5), (engine.wordle, 4)):
        plan = make(4).plan
        bare = peer.play(plan)
        assert (bare["episodes"], bare["steps"], bare["outcomes"]) == (4, 24, {"success": 4})
        assert bare["clemcore"] == "3.7.2"
        assert peer.play(plan, faithful=True)["faithful"] is True
        where = tmp_path / plan["game"]
        recorded = peer.play(plan, "recorded", where)
        assert (recorded["steps"], recorded["outcomes"]) == (24, {"success": 4})
        folders = sorted(where.rglob("instance_*"))
        assert [len(list(folder.iterdir())) for folder in folders] == [files] * 4
        assert recorded["files"] == 4 * files + 2  # experiment.json, run.json
        heard = json.loads((folders[0] / "interactions.json").read_text(encoding="utf-8"))
        said = [
            event["action"]["content"]
            for turn in heard["turns"]
            for event in turn
            if event["to"] == "GM" != event["from"]
        ]
        assert tuple(said) == tuple(plan["episodes"][0]["texts"])
        assert (heard["Success"], heard["Lose"], heard["Aborted"]) == (1, 0, 0)


@needs_peer
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("texts", "outcome"),
    [
        (["clue: no tag in capitals"], "aborted"),
        (["CLUE: it flows", "GUESS: stone"] * 3, "failure"),
        (["CLUE: streaming water"], "failure"),
        (["CLUE: it flows", "GUESS: River!"], "success"),
    ],
)
def test_the_peer_keeps_the_rules_of_taboo(peer, texts, outcome):
    episode = {"target": "river", "related": ["water", "stream", "bank"], "texts": texts}
    assert peer.play({**engine.taboo(1).plan, "episodes": [episode]})["outcomes"] == {outcome: 1}


@needs_peer
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("guesses", "outcome"),
    [
        (["crane"] * 6, "failure"),
        (["crane", "Eerie"], "success"),
        (["crane", "eeri"], "aborted"),
        (["zzzzz"], "aborted"),
        (["crane\nguess: eerie"], "aborted"),
    ],
)
def test_the_peer_keeps_the_rules_of_wordle(peer, guesses, outcome):
    texts = [f"explanation: so\nguess: {guess}" for guess in guesses]
    plan = {**engine.wordle(1).plan, "episodes": [{"target": "eerie", "texts": texts}]}
    assert peer.play(plan)["outcomes"] == {outcome: 1}


@needs_peer
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", ["bare", "recorded"])
def test_a_script_that_does_not_end_its_game_is_no_measurement(mode):
    episode = {"target": "river", "related": ["water", "stream", "bank"], "texts": ["CLUE: it flows", "GUESS: stone"]}
    with pytest.raises(common.PeerError, match="gave up"), common.Peer(PEER) as broken:
        broken.play({**engine.taboo(1).plan, "episodes": [episode]}, mode)
