"""What rollouts are worth, and what looks wrong about a training."""

from __future__ import annotations

import pytest

from games import catalog
from games.engine import Match, luck
from training.recipe import BadRecipe, Reward, checked
from training.rewards import WINDOW, Trends, worth


def played(name, bot="competent", at=0, seed=1):
    game = catalog.get(name)
    match = Match.new(game, catalog.instances(game, split="train")[at], seed)
    while match.turn is not None:
        match = match.play(game.bots()[bot](match.view(match.turn), luck(seed, match.ply)))
    return match


@pytest.mark.parametrize("name", list(catalog.BUILT_IN))
@pytest.mark.parametrize("bot", ["competent", "random"])
def test_by_default_it_is_the_games_own_reward(name, bot):
    match = played(name, bot)
    for role in match.game.roles:
        wanted = 0.0 if match.state.outcome == "aborted" else match.rewards()[role]
        assert worth(match, role, 0, Reward()) == pytest.approx(wanted) and 0 <= wanted <= 1


def test_terms_are_weighed():
    match = played("wordle")
    said = [step.text for step in match.steps]
    credit = list(match.scores().turns.values())
    score = match.rewards()["guesser"]
    assert len(said) > 1 and len(set(said)) == len(said)
    assert worth(match, "guesser", 0, Reward(score=0, credit=1)) == pytest.approx(sum(credit) / len(credit))
    assert worth(match, "guesser", 1, Reward(score=0, credit=1)) == pytest.approx(sum(credit[1:]) / len(credit[1:]))
    assert worth(match, "guesser", 0, Reward(score=0, format=1)) == 1.0
    assert worth(match, "guesser", 0, Reward(score=0, length=1), used=0.25) == 0.75
    assert worth(match, "guesser", 0, Reward(score=3, novelty=1)) == pytest.approx((3 * score + 1) / 4)


def test_what_was_said_before_is_not_new():
    game = catalog.get("taboo")
    match = Match.new(game, catalog.instances(game, split="train")[0], 1)
    for _ in range(3):
        match = match.play(game.bots()["competent"](match.view("describer"), luck(1, match.ply)))
        match = match.play("GUESS: nonsense")
    assert match.state.outcome == "failure"
    assert worth(match, "guesser", 0, Reward(score=0, novelty=1)) == pytest.approx(1 / 3)
    assert worth(match, "guesser", 2, Reward(score=0, novelty=1)) == 0.0


def test_an_aborted_or_unfinished_rollout_is_worth_nothing_whatever_its_terms():
    game = catalog.get("taboo")
    match = Match.new(game, catalog.instances(game, split="train")[0], 1)
    wish = Reward(score=1, format=1, length=1, novelty=1)
    assert worth(match, "describer", 0, wish) == 0.0
    over = match.play("no form")
    assert over.state.outcome == "aborted" and worth(over, "describer", 0, wish) == 0.0


def test_all_weights_zero_are_refused():
    with pytest.raises(BadRecipe, match="all weights are 0"):
        checked({"method": "grpo", "rollouts": {"reward": {"score": 0}}})


def told(lines):
    trends = Trends()
    return {word for values in lines for word, _ in trends.look(values)}


def test_trends_are_said():
    good = [{"reward": 0.2 + at / 100, "frac_reward_zero_std": 0.5, "completions/mean_length": 9.0} for at in range(20)]
    assert told(good) == set()
    assert told([*good, *({"reward": 0.05} for _ in range(WINDOW))]) == {"reward"}
    assert told([{"reward": 0.0}] * 20) == set(), "there was nothing to fall from"
    assert told([{"frac_reward_zero_std": 1.0}] * WINDOW) == {"spread"}
    assert told([{"frac_reward_zero_std": 1.0}] * (WINDOW - 1)) == set()
    assert told([{"completions/mean_length": float(at)} for at in range(1, 40)]) == {"length"}
    assert told([{"reward": float("nan")}] * 20) == set()
