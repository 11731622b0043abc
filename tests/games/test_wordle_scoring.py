"""What a match of Wordle was worth, by hand and against what clembench itself wrote down for two real models."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from games.engine import Match
from games.wordle import scoring
from games.wordle.feedback import Try, colour
from games.wordle.game import Wordle
from games.wordle.words import WordleInstance

CRANE = WordleInstance(name="test", experiment="high", target="crane")
DATA = Path(__file__).parents[2].parent / "shared" / "data"
FEW = st.text("abc", min_size=5, max_size=5)


def tried(target: str, *guesses: str) -> list[Try]:
    return [Try(guess, colour(guess, target)) for guess in guesses]


def play(*guesses: str) -> Match:
    return Match.replay(Wordle(), CRANE, 0, [f"explanation: x\nguess: {guess}" for guess in guesses])


def test_closeness_is_five_for_green_and_three_for_yellow() -> None:
    assert [scoring.closeness(c) for c in ("ggggg", "gyrrr", "rrrrr")] == [25, 8, 0]


def test_credit_per_ply_is_closeness_from_nought_to_one_and_illegal_plies_have_none() -> None:
    scores = play("zzzzz", "music", "cat", "crane").scores()
    assert scores.turns == {1: 3 / 25, 3: 1.0}
    assert (scores.metrics["closeness_r1"], scores.metrics["closeness_r2"]) == (3, 25)


def test_fault_strategy_looks_at_all_feedback_not_only_the_last() -> None:
    before = tried("crane", "slate", "music")
    assert before == [("slate", "rrgrg"), ("music", "rrrry")]
    assert scoring.strategy("crate", before) == 20 * 2 + 10 - 20, "a and e kept, c moved, t is known not to be there"
    assert scoring.clembench_strategy("crate", before[-1]) == 10, "clembench has forgotten slate"


def test_fault_a_letter_both_there_and_too_often_is_not_counted_as_wrong() -> None:
    (once,) = tried("crane", "eerie")
    assert once.colours == "rryrg"
    assert scoring.strategy("grade", [once]) == 20 + 10 and scoring.clembench_strategy("grade", once) == 20 + 10 - 20


def test_a_yellow_letter_in_the_same_place_again_earns_nothing() -> None:
    before = tried("crane", "music")
    assert scoring.strategy("manic", before) == -20 * 2
    assert scoring.strategy("cloth", before) == 10


def test_a_letter_in_a_place_that_is_taken_or_more_often_than_known_earns_nothing() -> None:
    before = tried("crane", "slate", "music")
    assert scoring.strategy("bacon", before) == 0, "c cannot stand where a stands, and one a is all that is known"


def test_a_solved_first_guess_has_full_strategy_and_an_aborted_one_none() -> None:
    assert play("crane").scores().metrics["strategy_r1"] == 100
    aborted = Match.replay(Wordle(), CRANE, 0, ["explanation: x\nguess: slate", "nothing"]).scores()
    assert aborted.main is None and aborted.metrics["strategy_r1"] == 0
    assert "clembench.main_score" not in aborted.metrics


@given(st.lists(FEW, min_size=1, max_size=5), FEW)
def test_no_guess_earns_more_than_the_target_itself(guesses: list[str], target: str) -> None:
    before = tried(target, *guesses)
    best = scoring.strategy(target, before)
    assert 0 <= best <= 100
    assert all(scoring.strategy(guess, before) <= best for guess in guesses)


def test_requests_unknown_words_are_parsed_and_wrong_lengths_violate() -> None:
    metrics = play("zzzzz", "cat", "slate").play("garbage").scores().metrics
    assert (metrics["requests"], metrics["parsed"], metrics["violated"]) == (4, 2, 2)


def test_repetitions_count_guesses_made_before() -> None:
    assert play("slate", "music", "slate", "slate").play("x").scores().metrics["guess_repetitions"] == 2


def episodes(archive: str) -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """(instance, interactions, scores) of every Wordle episode in an archive of clembench results."""
    found: dict[str, dict[str, Any]] = {}
    with tarfile.open(DATA / archive) as tar:
        for member in tar:
            path = Path(member.name)
            if path.parts[1:2] and path.parts[1].startswith("wordle") and path.name in NAMES:
                stream = tar.extractfile(member)
                assert stream is not None
                found.setdefault(str(path.parent), {})[path.name] = json.load(stream)
    yield from ((f[NAMES[0]], f[NAMES[1]], f[NAMES[2]]) for f in found.values() if len(f) == 3)


NAMES = ("instance.json", "interactions.json", "scores.json")


def entries(played: dict[str, Any], pattern: str) -> list[str]:
    """What the pattern finds in what was written down, in order."""
    contents = (str(event["action"]["content"]) for turn in played["turns"] for event in turn)
    return [match[1].strip() for content in contents if (match := re.search(pattern, content))]


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="needs clembench results in ../shared/data")
@pytest.mark.parametrize("model", ["llama-3.1-8b-instruct", "qwen3.5-27b"])
def test_colours_and_scores_are_those_that_clembench_wrote_down(model: str) -> None:
    seen = 0
    for instance, played, scores in episodes(f"clembench-results-{model}.tar.xz"):
        target, given = instance["target_word"], scores["episode scores"]
        guesses = entries(played, r"(?m)^guess = (.*)$")
        if not guesses:
            continue
        seen += 1
        tries = tried(target, *guesses)
        colours = {"g": "green", "y": "yellow", "r": "red"}
        assert entries(played, r"guess_feedback = (.*)") == [
            " ".join(f"{letter}<{colours[mark]}>" for letter, mark in zip(*one, strict=True)) for one in tries
        ]
        metrics = scoring.per_guess(tries, bool(given["Aborted"]))
        for number, told in scores["turn scores"].items():
            if "Closeness Score" in told:
                assert metrics[f"closeness_r{number}"] == told["Closeness Score"]
                assert metrics[f"clembench.strategy_r{number}"] == told["Strategy Score"]
        if not given["Aborted"]:
            assert scoring.repetitions(tries) == given["Guess Repetitions"]
            assert scoring.main_score(tries, by_steps=played["meta"]["game_name"] == "wordle") == given["Main Score"]
    assert seen > 50


def rounds(played: dict[str, Any]) -> list[tuple[str, bool, str]]:
    """(proposal, agreed, guess) of the complete rounds, from what both players said."""
    found: list[tuple[str, bool, str]] = []
    for turn in played["turns"]:
        said = [(e["from"], str(e["action"]["content"])) for e in turn if e["from"].startswith("Player")]
        answers = [n for n, (who, _) in enumerate(said) if who == "Player 2"]
        guess = entries({"turns": [turn]}, r"(?m)^guess = (.*)$")
        if answers and guess:
            proposal = re.findall(r"(?i)guess:(.*)", said[answers[0] - 1][1])[-1].strip().lower()
            agreed = re.findall(r"(?i)agreement:(.*)", said[answers[0]][1])[-1].strip().lower() == "yes"
            found.append((proposal, agreed, guess[0]))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="needs clembench results in ../shared/data")
def test_opinions_are_those_that_clembench_wrote_down() -> None:
    seen = 0
    for _, played, scores in episodes("clembench-results-qwen3.5-27b.tar.xz"):
        given, triples = scores["episode scores"], rounds(played)
        if given["Aborted"] or "Repetition-Guesser-On-Critic-Agreement" not in given:
            continue
        seen += 1
        metrics = scoring.opinions(triples)
        for number, told in scores["turn scores"].items():
            assert metrics[f"change_of_opinion_r{number}"] == told["Change-Of-Opinion"]
        for kind in ("Agreement", "Disagreement"):
            name = f"on_{kind.lower()}"
            assert metrics[f"repetition_{name}"] == pytest.approx(given[f"Repetition-Guesser-On-Critic-{kind}"])
            assert metrics[f"non_repetition_{name}"] == pytest.approx(given[f"Non-Repetition-Guesser-On-Critic-{kind}"])
    assert seen > 5
