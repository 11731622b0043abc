"""Rollouts: the learner plays one seat through the batch driver, and keeps the very tokens that it read and wrote.

A rollout's tokens are only ever appended to: what the model sampled is never rendered again, and what others said since
is added as the chat template would write it. Learner tokens carry loss, the ends of its turns too; nobody else's do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from games.engine import Match, Role
from players.base import Call, Identity, PlayerError, Reply
from players.batch import Waiting, drive_batch
from players.ports import Place, Recorder
from training.buffers import Buffer, Suffix
from training.decisions import Decision, mixed
from training.partners import Partner, Sampler, replied
from training.recipe import Rollouts
from training.rewards import worth
from training.tokens import Template

TRIES = 2
"""How often a partner is asked before a rollout is given up."""


@dataclass(slots=True)
class Rollout:
    """One way on from a decision point, as it is played and when it is over."""

    decision: Decision
    number: int
    """Its place among its siblings."""
    start: Match
    luck: int
    """What its partner's sampling is seeded with."""
    buffer: Buffer
    match: Match = field(init=False)
    spoken: list[tuple[Identity, Match, Reply]] = field(default_factory=list[tuple[Identity, Match, Reply]])
    """Who spoke, the match after it, the reply."""
    wasted: list[tuple[int, Role, Identity, Call]] = field(default_factory=list[tuple[int, Role, Identity, Call]])
    """Requests that became no turn, by ply."""
    failure: tuple[int, Role, Identity, PlayerError] | None = None
    fault: str = ""
    """Why a partner spoiled it, so that it says nothing about the learner."""
    cut: str = ""
    """Why it was ended before the game was over."""
    turns: int = 0
    tokens: int = 0

    def __post_init__(self) -> None:
        self.match = self.start


class Playing:
    """Plays the rollouts of one step side by side."""

    def __init__(
        self, sampler: Sampler, template: Template, partner: Partner, wish: Rollouts, limit: int, seed: int
    ) -> None:
        self.sampler, self.partner, self.wish, self.limit, self.seed = sampler, partner, wish, limit, seed
        self.suffix = Suffix(template)
        self.generating = 0.0
        """Seconds spent in the sampler and in waiting for partners, over all steps."""

    def begin(self, points: Sequence[Decision], step: int) -> list[Rollout]:
        """A rollout for each of these points, of which siblings stand together as often as there are in a group.

        The deal belongs to the point and the luck of a scripted partner to the group, so that siblings are compared on
        equal terms; everything is made of the recipe's seed, the step, the point and the rollout.
        """
        seen: dict[int, int] = {}
        found: list[Rollout] = []
        for one in points:
            number = seen[one.number] = seen.get(one.number, -1) + 1
            group = number // self.wish.group
            scripted = self.wish.partner.partition(":")[0] == "bot"
            luck = mixed(self.seed, step, one.number, group, "" if scripted else number)
            found.append(Rollout(one, number, one.match(), luck, Buffer(self.suffix, self.limit)))
        return found

    def play(self, rollouts: Sequence[Rollout], who: Identity, step: int) -> None:
        """Play them to their ends; `who` is the learner. Raises what a sampler raises, and TemplateMismatch."""
        waves = 0

        def generate(wave: Sequence[Waiting]) -> Sequence[Reply | None]:
            nonlocal waves
            waves += 1
            replies: dict[int, Reply | None] = {}
            mine = [one for one in wave if one.role == rollouts[one.at].decision.role]
            theirs = [one for one in wave if one.role != rollouts[one.at].decision.role]
            self._learner(mine, rollouts, replies, mixed(self.seed, step, waves, "learner"))
            self._partners(theirs, rollouts, replies, mixed(self.seed, step, waves, "partner"))
            return [replies[one.at] for one in wave]

        def advanced(at: int, match: Match, reply: Reply) -> None:
            one, speaker = rollouts[at], match.steps[-1].role
            learner = speaker == one.decision.role
            seat = who if learner else self.partner.identity(Waiting(at, one.match, speaker))
            one.spoken.append((seat, match, reply))
            one.match = match

        drive_batch([one.start for one in rollouts], generate, advanced)

    def _learner(
        self, wave: Sequence[Waiting], rollouts: Sequence[Rollout], replies: dict[int, Reply | None], seed: int
    ) -> None:
        asked: list[tuple[Waiting, list[int]]] = []
        for one in wave:
            rollout = rollouts[one.at]
            replies[one.at] = None
            if self.wish.turns is not None and rollout.turns >= self.wish.turns:
                rollout.cut = f"after {rollout.turns} turns"
                continue
            ids = rollout.buffer.ask(one.match.heard[one.role], self.wish.tokens)
            if ids is None:
                rollout.cut = f"the next turn would not fit into {self.limit} tokens"
            else:
                asked.append((one, ids))
        if not asked:
            return
        began = time.perf_counter()
        sampled, likely = self.sampler.sample([one for one, _ in asked], [ids for _, ids in asked], seed, frozen=False)
        seconds = time.perf_counter() - began
        self.generating += seconds
        for at, ((one, before), ids) in enumerate(zip(asked, sampled, strict=True)):
            rollout, logprobs = rollouts[one.at], None if likely is None else likely[at]
            rollout.buffer.wrote(ids, logprobs)
            rollout.turns += 1
            rollout.tokens += len(ids)
            heard, template = one.match.heard[one.role], self.suffix.template
            replies[one.at] = replied(self.sampler, template, heard, len(before), ids, logprobs, seconds * 1000)

    def _partners(
        self, wave: Sequence[Waiting], rollouts: Sequence[Rollout], replies: dict[int, Reply | None], seed: int
    ) -> None:
        """A partner that fails, or would end the game by breaking its form, is asked once more."""
        left = list(wave)
        for attempt in range(TRIES):
            if not left:
                return
            seeds = [mixed(rollouts[one.at].luck, one.role, one.match.ply, attempt) for one in left]
            began = time.perf_counter()
            answers = self.partner.answer(left, seeds, mixed(seed, attempt))
            self.generating += time.perf_counter() - began
            again: list[Waiting] = []
            for one, (answer, wasted) in zip(left, answers, strict=True):
                rollout, who = rollouts[one.at], self.partner.identity(one)
                rollout.wasted += [(one.match.ply, one.role, who, call) for call in wasted]
                last = attempt == TRIES - 1
                if isinstance(answer, PlayerError):
                    replies[one.at] = None
                    if last:
                        rollout.fault = answer.message
                        rollout.failure = (one.match.ply, one.role, who, answer)
                    else:
                        again.append(one)
                elif one.match.play(answer.text).state.outcome == "aborted":
                    replies[one.at] = answer
                    if last:
                        rollout.fault = f"{one.role} broke the form of the game"
                    else:
                        again.append(one)
                        if answer.call is not None:
                            rollout.wasted.append((one.match.ply, one.role, who, answer.call))
                else:
                    replies[one.at] = answer
            left = again

    def reward(self, one: Rollout) -> float | None:
        """What a rollout was worth, 0 to 1; None where a partner spoiled it."""
        if one.fault:
            return None
        used = one.tokens / (one.turns * self.wish.tokens) if one.turns else 0.0
        return worth(one.match, one.decision.role, one.start.ply, self.wish.reward, used)

    def columns(self, rollouts: Sequence[Rollout]) -> dict[str, Any]:
        """What TRL takes from a rollout function; one in which the learner never spoke has one token without loss."""
        end = self.suffix.end
        spoke = [bool(one.buffer.completion) for one in rollouts]
        lived = list(zip(rollouts, spoke, strict=True))
        return {
            "prompt_ids": [one.buffer.prompt or [end] for one in rollouts],
            "completion_ids": [one.buffer.completion if said else [end] for one, said in lived],
            "env_mask": [one.buffer.mask if said else [0] for one, said in lived],
            "logprobs": [one.buffer.logprobs if said else [0.0] for one, said in lived],
            "worth": [self.reward(one) if said else None for one, said in lived],
        }


def counted(rollouts: Sequence[Rollout], rewards: Sequence[float | None]) -> Mapping[str, float]:
    """What the curves say about the rollouts of one step: shares of those that no partner spoiled."""
    fair = [one for one in rollouts if not one.fault]
    number = max(1, len(fair))
    ended = [one.match.state.outcome for one in fair]
    return {
        "rollouts/played": sum(outcome not in (None, "aborted") for outcome in ended) / number,
        "rollouts/won": sum(outcome == "success" for outcome in ended) / number,
        "rollouts/cut": sum(bool(one.cut) for one in fair) / number,
        "rollouts/turns": sum(one.turns for one in fair) / number,
        "rollouts/left_out": float(sum(value is None for value in rewards)),
    }


def flat(rewards: Sequence[float | None], group: int) -> float:
    """The share of groups from which nothing is learned, since all in them that count are worth the same."""
    groups = [rewards[at : at + group] for at in range(0, len(rewards), group)]
    return sum(len({value for value in one if value is not None}) < 2 for one in groups) / max(1, len(groups))


async def record(
    recorder: Recorder, one: Rollout, learner: Identity, partner: Callable[[Role], Identity], place: Place
) -> str:
    """Write a rollout down as an episode; returns its id. Raises LogError."""
    role, begun = one.decision.role, bool(one.start.steps)
    seats = {seat: learner if seat == role else partner(seat) for seat in one.decision.game.roles}
    parent = one.decision.episode if begun else None
    where = Place(place.run, place.slot, place.group, parent, one.start.ply if begun else None)
    episode = await recorder.begin(one.start, seats, where)
    for ply, seat, who, call in one.wasted:
        await recorder.call(episode, ply, seat, who, call)
    for who, match, reply in one.spoken:
        await recorder.turn(episode, match, match.steps[-1], who, reply)
    if one.failure is not None:
        await recorder.failure(episode, *one.failure)
    if one.match.over:
        await recorder.result(episode, one.match, one.match.scores())
    return episode
