"""At every checkpoint the weights as they are then play a few validation instances, in games that are trained and in
one that is not; the matches land in the log as episodes of the training, the checkpoint as their player.

The other seats are taken by a bot, or by the frozen model that one began with, never by the learner itself: what two
copies of one model agree on is no measure.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from games import catalog
from games.engine import Bot, Game, Instance, Match, Role, luck
from players.base import Identity, Reply
from players.batch import Waiting, drive_batch
from players.driver import sampling_seed
from players.ports import Place
from store import datasets
from store.errors import LogError
from store.log import Log
from training.generation import Beginning, Speaker, aside
from training.launch import result
from training.tokens import TemplateMismatch

if TYPE_CHECKING:
    from training.job import Job
    from training.recipe import Check

SEED = "checkpoint"
"""Which validation instances are played: the same at every checkpoint of every training."""


@dataclass(slots=True)
class Played:
    """One match of a check: who sat where, and what was said."""

    match: Match
    learner: Role
    seats: Mapping[Role, Identity]
    turns: list[tuple[Match, Reply]] = field(default_factory=list[tuple[Match, Reply]])


def games(job: Job) -> list[tuple[Game, str]]:
    """The games of a check with their languages: those of the recipe, or those that are trained and one that is not."""
    wish = job.recipe.check
    rows = datasets.games(job.log.reader(), job.told["dataset"])
    spoken = next(iter(rows))[1] if rows else "en"
    trained, others = catalog.beside([game for game, _ in rows] or job.told["filters"].get("games", ()))
    chosen = dict.fromkeys((*(wish.games or trained), *(others[:1] if wish.held_out is None else wish.held_out)))
    found = [catalog.get(name) for name in chosen]
    return [(game, spoken if spoken in game.languages else game.languages[0]) for game in found]


def instances(game: Game, language: str, number: int) -> list[Instance]:
    """So many validation instances of a game, the same ones every time."""
    fitting = catalog.instances(game, language=language, split="validation")
    return list(catalog.shuffled(fitting, f"{SEED}:{game.name}"))[:number]


class Table:
    """The matches of one check, and who answers in them."""

    def __init__(self, wish: Check, speaker: Speaker, learner: Identity, base: Identity) -> None:
        self.speaker = speaker
        self.learner = learner
        self.frozen = base if wish.opponent == "frozen" else None
        self.played: list[Played] = []
        self._bots: dict[tuple[str, Role], Bot] = {}

    def lay(self, game: Game, dealt: Sequence[Instance]) -> None:
        """One match for each of these instances and each role."""
        bots = game.bots()
        name = "patient" if "patient" in bots else "competent"
        other = self.frozen or Identity("bot", f"bot:{name}", f"{game.name}@{game.version}")
        for role in game.roles:
            self._bots[game.name, role] = bots[name]
            for at, one in enumerate(dealt):
                seats = {seat: self.learner if seat == role else other for seat in game.roles}
                self.played.append(Played(Match.new(game, one, at), role, seats))

    def play(self) -> None:
        """Play all of them to their ends. Raises TemplateMismatch."""
        found = drive_batch([one.match for one in self.played], self._answer, self._advanced)
        for one, match in zip(self.played, found, strict=True):
            one.match = match

    def _answer(self, wave: Sequence[Waiting]) -> list[Reply | None]:
        found: list[Reply | None] = [None] * len(wave)
        mine = [n for n, waiting in enumerate(wave) if waiting.role == self.played[waiting.at].learner]
        others = [n for n in range(len(wave)) if n not in set(mine)]
        self._spoken(wave, mine, found, frozen=False)
        if self.frozen is not None:
            self._spoken(wave, others, found, frozen=True)
            return found
        for n in others:
            match, role = wave[n].match, wave[n].role
            seed = sampling_seed(match.seed, role, match.ply)
            found[n] = Reply(self._bots[match.game.name, role](match.view(role), luck(seed, match.ply)))
        return found

    def _spoken(
        self, wave: Sequence[Waiting], which: Sequence[int], found: list[Reply | None], *, frozen: bool
    ) -> None:
        heard = [wave[n].match.heard[wave[n].role] for n in which]
        for n, reply in zip(which, self.speaker.replies(heard, frozen=frozen) if heard else [], strict=True):
            found[n] = reply

    def _advanced(self, at: int, match: Match, reply: Reply) -> None:
        self.played[at].turns.append((match, reply))

    def measures(self) -> dict[str, float]:
        """Per game, of the matches that ended: the share played in percent, and the mean main score of those."""
        found: dict[str, float] = {}
        for name in dict.fromkeys(one.match.game.name for one in self.played):
            over = [one.match for one in self.played if one.match.game.name == name and one.match.over]
            if not over:
                continue
            kept = [match for match in over if match.state.outcome != "aborted"]
            found[f"play/{name}/played"] = 100 * len(kept) / len(over)
            scores = [main for match in kept if (main := match.scores().main) is not None]
            if scores:
                found[f"play/{name}/main"] = sum(scores) / len(scores)
        return found


async def record(log: Log, run: str, played: Sequence[Played]) -> None:
    """Write the matches down as episodes of the run. Raises LogError."""
    for one in played:
        begun = Match.new(one.match.game, one.match.instance, one.match.seed)
        episode = await log.recorder.begin(begun, one.seats, Place(run=run))
        for match, reply in one.turns:
            step = match.steps[-1]
            await log.recorder.turn(episode, match, step, one.seats[step.role], reply)
        if one.match.over:
            await log.recorder.result(episode, one.match, one.match.scores())


def check(job: Job, model: Any, beginning: Beginning | None, step: int, path: Path) -> dict[str, float]:
    """Play, write down, and say how it went. Raises TemplateMismatch, LogError, UnknownGame, UnknownInstance."""
    wish = job.recipe.check
    began = time.monotonic()
    sampling = {"temperature": 0.0, "max_tokens": wish.max_tokens}
    who = result(f"{job.told['name']}@{step}", path)
    if who is None:
        return {}
    base = job.told["base"]
    frozen = Identity("model", base["name"], base.get("revision", ""), base["adapter"], sampling)
    speaker = Speaker(model, job.tokenizer, job.template, wish.max_tokens, beginning)
    table = Table(wish, speaker, replace(who, sampling=sampling), frozen)
    for game, language in games(job):
        table.lay(game, instances(game, language, wish.instances))
    with aside(model):
        table.play()
    asyncio.run(record(job.log, job.told["run"], table.played))
    return {**table.measures(), "play/seconds": time.monotonic() - began}


def watching(job: Job, trainer: Any) -> Any:
    """The callback that has checkpoints play; only where one process trains whole weights, and the recipe wants it."""
    from transformers import TrainerCallback

    wish = job.recipe.check
    frozen = wish.instances and wish.opponent == "frozen" and job.main
    beginning = Beginning(trainer.accelerator.unwrap_model(trainer.model)) if frozen else None

    class Check(TrainerCallback):
        """A few matches at every checkpoint; what keeps them from being played is a warning, and training goes on."""

        def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            """A checkpoint lies there."""
            sharded = trainer.is_deepspeed_enabled or trainer.is_fsdp_enabled
            if not job.main or sharded or not wish.instances:
                return
            step = int(state.global_step)
            path = Path(args.output_dir) / f"checkpoint-{step}"
            model = trainer.accelerator.unwrap_model(trainer.model)
            try:
                job.measure(check(job, model, beginning, step, path), step)
            except (TemplateMismatch, LogError, LookupError) as error:
                job.warn(f"the checkpoint of step {step} did not play: {error}", once="did not play")

    return Check()
