"""What a rollout is worth, and what rewards say about how a training goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from statistics import fmean

from games.engine import Match, Role
from training.recipe import Reward

WINDOW = 5
"""Steps that are looked at together: one step's reward is mostly the luck of its instances."""
FALL, SPREAD, GROWTH = 0.5, 0.8, 2.0
LITTLE = 0.05
"""A mean reward below this has nothing to fall from."""


def worth(match: Match, role: Role, since: int, wish: Reward, used: float = 0.0) -> float:
    """What a rollout that began at ply `since` is worth to `role`, 0 to 1.

    Nothing where it was aborted or cut short. `used` is the share of the allowed tokens that its turns took.
    """
    if match.state.outcome is None or match.state.outcome == "aborted":
        return 0.0
    score = _unit(match.rewards().get(role, 0.0))
    before = [step.text.strip().lower() for step in match.steps[:since] if step.role == role]
    mine = [step for step in match.steps[since:] if step.role == role]
    if not mine:
        return score
    turns = match.scores().turns
    credits = [_unit(turns[step.ply]) for step in mine if step.ply in turns]
    said = [step.text.strip().lower() for step in mine]
    fresh = sum(text not in before and text not in said[:at] for at, text in enumerate(said))
    terms = (
        (wish.score, score),
        (wish.credit, fmean(credits) if credits else score),
        (wish.format, sum(step.verdict == "ok" for step in mine) / len(mine)),
        (wish.length, 1 - _unit(used)),
        (wish.novelty, fresh / len(mine)),
    )
    return sum(weight * value for weight, value in terms) / sum(weight for weight, _ in terms)


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))


class Trends:
    """Looks at every line of the curves, and says in a sentence what looks wrong, under a word that names it."""

    def __init__(self) -> None:
        self.rewards: list[float] = []
        self.flat: list[float] = []
        self.lengths: list[float] = []
        self.best = 0.0

    def look(self, values: Mapping[str, float]) -> Iterator[tuple[str, str]]:
        """What looks wrong after this step."""
        reward = values.get("reward")
        if reward is not None and isfinite(reward):
            self.rewards.append(reward)
        self.flat += [values["frac_reward_zero_std"]] if "frac_reward_zero_std" in values else []
        self.lengths += [values["completions/mean_length"]] if "completions/mean_length" in values else []
        if len(self.rewards) >= WINDOW:
            mean = fmean(self.rewards[-WINDOW:])
            self.best = max(self.best, mean)
            if self.best > LITTLE and mean < FALL * self.best:
                yield (
                    "reward",
                    (
                        f"the reward fell to {mean:.2f} from {self.best:.2f}; lower steps.learning_rate, or raise "
                        "rollouts.beta, and go on from an earlier checkpoint"
                    ),
                )
        if len(self.flat) >= WINDOW and (flat := fmean(self.flat[-WINDOW:])) >= SPREAD:
            yield (
                "spread",
                (
                    f"in {flat:.0%} of the groups all rollouts are worth the same, and nothing is learned from them; "
                    "raise rollouts.group, choose instances that are won now and then, or weigh the reward otherwise"
                ),
            )
        if len(self.lengths) >= 2 * WINDOW:
            first, last = fmean(self.lengths[:WINDOW]), fmean(self.lengths[-WINDOW:])
            if last > GROWTH * max(first, 1.0):
                yield (
                    "length",
                    (
                        f"a rollout has {last:.0f} tokens of the learner, and had {first:.0f} at first; lower "
                        "rollouts.tokens or rollouts.turns, or give rollouts.reward.length a weight"
                    ),
                )
