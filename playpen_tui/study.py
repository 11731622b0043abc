"""One person in a study, step by step: consent, questions, games, items of a queue, code. No screen.

Where somebody stands is not kept but read from the log each time (what was agreed, answered, played, judged), so that
after a crash the next step is the one they were at. Screen and plain mode both ask `next` and do what it says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from players.opening import check
from players.ports import Place
from playpen_tui import __version__
from playpen_tui.sitting import HUMAN, BadSetup, Setup, Sitting
from playpen_tui.study_file import BadStudy, Question, Study, check_study, flowing
from playpen_tui.study_plan import Design
from playpen_tui.workbench import Workbench
from store import studies
from store.studies import Participant, StudyRow


@dataclass(frozen=True, slots=True)
class AskConsent:
    """The consent text, to be answered before anything is kept."""

    text: str
    agree: str
    decline: str


@dataclass(frozen=True, slots=True)
class AskQuestion:
    """A question; `key` is what its answer is kept under."""

    question: Question
    key: str


@dataclass(frozen=True, slots=True)
class PlayGame:
    """A game to play: number `number` of `of`."""

    number: int
    of: int
    game: str
    setup: Setup
    """Ready to be dealt; it resumes the episode where that was begun."""


@dataclass(frozen=True, slots=True)
class JudgeItems:
    """Items of a queue to judge: `done` of `of` are."""

    queue: str
    done: int
    of: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The end: a text, and the code to give back."""

    text: str
    code: str


Step: TypeAlias = AskConsent | AskQuestion | PlayGame | JudgeItems | Finished


class Taking:
    """One person who takes part. `person` is None until a new one has agreed."""

    def __init__(
        self, bench: Workbench, study: Study, row: StudyRow, design: Design | None, person: str | None, fresh: bool
    ) -> None:
        self.bench = bench
        self._fresh = fresh
        self.study = study
        self.row = row
        self.design = design
        self.person = person
        self._me: Participant | None = None
        self._judged_out = False

    @property
    def me(self) -> Participant | None:
        """How they take part; None before they agreed."""
        return self._me

    async def next(self) -> Step:
        """What comes next, read from the log. Raises LogError."""
        log = await self.bench.log()
        if self._me is None and self.person is not None:
            self._me = await asyncio.to_thread(studies.participant, log.reader(), self.row.id, self.person)
        if self._me is None:
            consent = self.study.consent
            return AskConsent(flowing(consent.text), consent.agree, consent.decline)
        me = self._me
        if me.finished_at is not None:
            return self._end()
        given = await asyncio.to_thread(lambda: studies.answers(log.reader(), me.id))
        step = (
            _unanswered(self.study.asked("start"), given)
            or await self._to_play(given)
            or await self._to_judge()
            or _unanswered(self.study.asked("end"), given)
        )
        if step is not None:
            return step
        await asyncio.to_thread(studies.finish, log, me.id)
        self._me = await asyncio.to_thread(lambda: studies.participant(log.reader(), self.row.id, me.person))
        return self._end()

    def _end(self) -> Finished:
        assert self._me is not None
        return Finished(flowing(self.study.completion.text), self._me.code)

    async def agree(self) -> Participant:
        """They agreed: they are in the study now. Raises StudyFull, LogError."""
        log = await self.bench.log()
        study = self.study

        def plan(place: int) -> list[dict[str, Any]]:
            return [] if self.design is None else [_trial(one) for one in self.design.plan(place)]

        self._me = await asyncio.to_thread(
            lambda: studies.join(
                log,
                self.row.id,
                self.person,
                level=study.consent.level,
                quota=study.quota,
                hours=study.hours,
                plan=plan,
                code=study.completion.code,
                consent={"agreed": True, "level": study.consent.level, "text": study.consent.text},
            )
        )
        if self.person is None and not self._fresh:  # whoever uses this terminal, and comes back to it
            self.bench.settings.keep(unasked=self._me.person)
        self.person = self._me.person
        return self._me

    async def answer(self, key: str, value: Any) -> None:
        """Keep an answer; None is one that was not given. Raises LogError."""
        assert self._me is not None
        log, me = await self.bench.log(), self._me.id
        await asyncio.to_thread(studies.answer, log, me, key, value)

    async def deal(self, step: PlayGame) -> Sitting:
        """The game of a step, ready to be played, its episode in the run of the study. Raises what dealing raises."""
        return await self.bench.deal(step.setup, place=Place(run=self.row.run))

    def no_more_items(self) -> None:
        """The queue has nothing left for this person: go on without."""
        self._judged_out = True

    async def _to_play(self, given: Mapping[str, Any]) -> Step | None:
        me = self._me
        assert me is not None
        if not me.plan:
            return None
        log = await self.bench.log()
        rows = await asyncio.to_thread(lambda: studies.played(log.reader(), self.row.id, me.person))
        there = {(row.game, row.instance): row for row in rows}
        for number, trial in enumerate(me.plan, 1):
            row = there.get((trial["game"], trial["instance"]))
            if row is None or row.outcome is None:
                setup = self._setup(trial, me.person, None if row is None else row.episode)
                return PlayGame(number, len(me.plan), trial["game"], setup)
            asked = _unanswered(self.study.asked("each"), given, f"@{number}")
            if asked is not None:
                return asked
        return None

    def _setup(self, trial: Mapping[str, Any], person: str, episode: str | None) -> Setup:
        game = self.bench.game(trial["game"])
        seats = {role: f"{HUMAN}:{person}" if role == trial["role"] else trial["partner"] for role in game.roles}
        assist = self.study.play.assist if self.study.play else None
        return Setup(
            game=game.name,
            seats={trial["role"]: seats[trial["role"]]} if episode else seats,
            instance=trial["instance"],
            split=None,
            language=self.study.language,
            seed=trial["seed"],
            assist=assist,
            resume=episode,
        )

    async def _to_judge(self) -> JudgeItems | None:
        judge, me = self.study.judge, self._me
        if judge is None or me is None or self._judged_out:
            return None
        from store.verdicts import queue_ids

        log = await self.bench.log()

        def count() -> int:
            ids = queue_ids(log.reader(), judge.queue)
            return sum(studies.judged_since(log.reader(), id, me.person, me.joined_at) for id in ids)

        done = await asyncio.to_thread(count)
        return JudgeItems(judge.queue, done, judge.items) if done < judge.items else None


def _trial(one: Any) -> dict[str, Any]:
    cell = one.cell._asdict()
    return {**cell, "instance": one.instance, "seed": one.seed}


def _unanswered(questions: Sequence[Question], given: Mapping[str, Any], suffix: str = "") -> AskQuestion | None:
    for question in questions:
        if f"{question.id}{suffix}" not in given:
            return AskQuestion(question, f"{question.id}{suffix}")
    return None


def named_person(wish: str) -> str:
    """The pseudonym that somebody named on a command line. Raises BadSetup."""
    name = wish.strip()
    if not name or not name.isprintable() or len(name) > 60 or any(letter in name for letter in " ?@:="):
        raise BadSetup("a pseudonym has up to 60 letters, digits and dashes, such as P01; no name of a person, please")
    return name


async def take_part(bench: Workbench, study: Study, person: str | None = None, fresh: bool = False) -> Taking:
    """Let somebody take part in a study: `person`, a `fresh` one, or the person of this user.

    Everything that the study needs is looked for first; nothing about the person is kept before they agree. Raises
    BadStudy, StudyFull (for whoever does not take part yet), UnknownPlayer, LogError and the like.
    """
    design = await asyncio.to_thread(check_study, study)
    if design is not None:
        for cell in design.cells:
            for role in bench.game(cell.game).roles:
                if role != cell.role:
                    check(cell.partner, game=bench.game(cell.game), role=role, registry=bench.registry)
            if cell.partner.partition(":")[0].partition("@")[0] == HUMAN:
                raise BadStudy("play.partners: a study is played with models and bots; people join no study yet")
    log = await bench.log()
    if study.judge is not None:
        from store.verdicts import queue_ids

        wanted = study.judge.queue
        await asyncio.to_thread(lambda: queue_ids(log.reader(), wanted))
    row = await asyncio.to_thread(studies.add_study, log, study.name, study.config(), __version__)
    if person is None and not fresh:
        person = await bench.people.person_of_user()
    taking = Taking(bench, study, row, design, None if fresh else person, fresh)
    if isinstance(await taking.next(), AskConsent):
        everybody = await asyncio.to_thread(lambda: studies.participants(log.reader(), row.id))
        studies.require_room(everybody, study.quota, study.hours)
    return taking
