"""The scripted players: strong enough to be worth playing, quick, and blind to what their seat may not see."""

from __future__ import annotations

import time
from random import Random

import pytest

from games import catalog
from games.engine import Match, View
from games.wordle import bots, words
from games.wordle.feedback import Try, colour
from games.wordle.words import WordleInstance

FAMILY = ("wordle", "wordle_withclue", "wordle_withcritic")


def finish(match: Match, **seats: str) -> Match:
    scripted = match.game.bots()
    while match.turn is not None:
        bot = scripted[seats.get(match.turn, "competent")]
        match = match.play(bot(match.view(match.turn), Random(f"{match.seed}:{match.ply}")))
    return match


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("name", FAMILY)
def test_the_competent_bot_solves_the_benchmark_set(name: str, language: str) -> None:
    game = catalog.get(name)
    ended = [finish(Match.new(game, instance)) for instance in game.benchmark(language)]
    assert sum(match.state.outcome == "success" for match in ended) / len(ended) >= 0.95
    assert not any(step.verdict == "illegal" for match in ended for step in match.steps)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "de"])
def test_the_competent_bot_solves_nearly_every_target(language: str) -> None:
    game = catalog.get("wordle")
    ended = [finish(Match.new(game, instance)) for instance in game.instances(language)]
    assert sum(match.state.outcome == "success" for match in ended) / len(ended) >= 0.98


@pytest.mark.parametrize("name", FAMILY)
def test_random_bots_finish_without_a_broken_form(name: str) -> None:
    game = catalog.get(name)
    for instance in game.benchmark("de")[:10]:
        match = finish(Match.new(game, instance, seed=3), guesser="random", critic="random")
        assert match.state.outcome in ("success", "failure")
        assert not any(step.verdict == "illegal" for step in match.steps)


def test_the_random_guesser_says_all_kinds_of_words_and_its_seed_decides() -> None:
    view = Match.new(catalog.get("wordle"), catalog.get("wordle").benchmark("en")[0]).view("guesser")
    said = [bots.random_bot(view, Random(n)) for n in range(100)]
    assert len({*said}) > 90
    assert said[7] == bots.random_bot(view, Random(7))


def test_bots_look_at_nothing_but_the_view() -> None:
    game = catalog.get("wordle_withcritic")
    texts = ["explanation: x\nguess: slate", "explanation: x\nagreement: yes", "explanation: x\nguess: slate"]
    tried = {"brick", "quick", "chunk"}  # the same colours after slate: a bot must answer them alike
    answers: set[str] = set()
    for target in tried:
        instance = WordleInstance(name="t", experiment="own", target=target, clue="the same for all")
        answers.add(bots.competent_bot(Match.replay(game, instance, 0, texts).view("guesser"), Random(0)))
    assert len(answers) == 1


def critic_says(proposal: str, *guesses: str) -> str:
    instance = WordleInstance(name="t", experiment="own", target="crane", clue="bird")
    rounds = [text for guess in guesses for text in (said(guess), "explanation: x\nagreement: yes", said(guess))]
    view: View = Match.replay(catalog.get("wordle_withcritic"), instance, 0, [*rounds, said(proposal)]).view("critic")
    fields = view.read(bots.competent_bot(view, Random(0)))
    assert fields is not None
    return fields["agreement"]


def said(guess: str) -> str:
    return f"explanation: x\nguess: {guess}"


def test_the_competent_critic_agrees_with_what_fits_and_is_new() -> None:
    assert critic_says("slate") == "yes"
    assert critic_says("crane", "slate") == "yes"
    assert critic_says("music", "slate") == "no", "it has no a in the middle"
    assert critic_says("slate", "slate") == "no"


def test_a_refused_proposal_is_replaced_unless_nothing_else_fits() -> None:
    instance = WordleInstance(name="t", experiment="own", target="crane", clue="bird")
    match = Match.new(catalog.get("wordle_withcritic"), instance)
    match = match.play(bots.competent_bot(match.view("guesser"), Random(0)))
    no = match.play("explanation: x\nagreement: no")
    no = no.play(bots.competent_bot(no.view("guesser"), Random(0)))
    yes = match.play("explanation: x\nagreement: yes")
    yes = yes.play(bots.competent_bot(yes.view("guesser"), Random(0)))
    assert yes.state.guesses == match.state.proposals != no.state.guesses
    stubborn = finish(Match.new(match.game, instance), critic="random")
    assert stubborn.state.outcome == "success"


def test_the_ranking_only_names_targets_that_fit_when_one_guess_is_left() -> None:
    tries = tuple(Try(guess, colour(guess, "crane")) for guess in ("slate", "music"))
    found, count = bots.best("en", tries, 1)
    assert "crane" in found and len(found) == count
    assert all(colour("slate", word) == tries[0].colours for word in found)


def test_every_probe_is_an_allowed_word() -> None:
    tries = (Try("slate", colour("slate", "crane")),)
    assert {*bots.best("en", tries, 5)[0]} <= words.allowed("en")


def test_a_move_is_quick() -> None:
    game = catalog.get("wordle")
    finish(Match.new(game, game.benchmark("en")[0]))
    bots.best.cache_clear()
    moves, start = 0, time.process_time()
    for instance in game.instances("en")[:100]:
        moves += finish(Match.new(game, instance)).ply
    assert (time.process_time() - start) / moves < 0.02, "some 2 ms in fact"
