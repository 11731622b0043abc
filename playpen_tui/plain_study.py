"""Taking part in a study in lines: for screen readers, pipes and terminals without a cursor.

One line answers each question; games and items are played and judged as in their own plain modes. Where the input ends
early everything so far is kept, and the same command goes on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from players.base import PlayerError
from playpen_tui.plain_play import Ended, Keyboard, Lines
from playpen_tui.plain_text import clean
from playpen_tui.study import AskConsent, AskQuestion, Finished, JudgeItems, PlayGame, Step, Taking, take_part
from playpen_tui.study_file import Study, flowing
from playpen_tui.workbench import Workbench


async def study_plain(
    db: Path | None, study: Study, person: str | None, fresh: bool, again: Callable[[str], str]
) -> int:
    """Take part in lines; returns the exit code. `again` makes the command that goes on from a pseudonym."""

    def say(text: str) -> None:
        print(clean(text, None), flush=True)

    async with Workbench(db) as bench:
        taking = await take_part(bench, study, person, fresh)
        for notice in bench.new_notices():
            print(f"playpen-tui: {notice}", file=sys.stderr)
        lines = _Study(taking, Keyboard(), say)
        try:
            await lines.run()
        except PlayerError as error:
            print(f"playpen-tui: {error.message}", file=sys.stderr)
        except Ended:
            print("playpen-tui: the input ended before the study did; everything so far is kept", file=sys.stderr)
        else:
            return 0
        if taking.me is not None:
            print(clean(f"go on with: {again(taking.me.person)}", None), file=sys.stderr)
        return 1


class _Study:
    """One person, line by line."""

    def __init__(self, taking: Taking, keyboard: Keyboard, say: Callable[[str], None]) -> None:
        self._taking = taking
        self._keyboard = keyboard
        self._say = say

    async def run(self) -> None:
        """Step by step to the end. Raises Ended, PlayerError, LogError."""
        step = await self._taking.next()
        if isinstance(step, AskConsent) and self._taking.study.welcome:
            self._say(f"{flowing(self._taking.study.welcome)}\n")
        while True:
            if not await self._do(step) or isinstance(step, Finished):
                return
            step = await self._taking.next()

    async def _do(self, step: Step) -> bool:
        """Whether to go on."""
        match step:
            case AskConsent():
                return await self._consent(step)
            case AskQuestion():
                await self._question(step)
            case PlayGame():
                self._say(f"-- game {step.number} of {step.of}")
                await Lines(await self._taking.deal(step), self._keyboard, self._say).play()
            case JudgeItems():
                await self._judge(step)
            case Finished():
                self._say(f"{step.text}\nyour completion code: {step.code}")
        return True

    async def _line(self) -> str:
        line = await self._keyboard.line()
        if line is None:
            raise Ended
        return line

    async def _consent(self, step: AskConsent) -> bool:
        self._say(f"{step.text}\n  1  {step.agree}\n  2  {step.decline}")
        while True:
            self._say("your answer, 1 or 2:")
            match (await self._line()).strip():
                case "1":
                    await self._taking.agree()
                    return True
                case "2":
                    self._say("you do not take part; nothing about you was kept")
                    return False

    async def _question(self, step: AskQuestion) -> None:
        question = step.question
        self._say(flowing(question.text))
        if question.kind == "choice":
            for number, (_, label) in enumerate(question.answers, 1):
                self._say(f"  {number}  {label}")
        elif question.kind == "scale":
            ends = question.ends and f" ({question.low} {question.ends[0]}, {question.high} {question.ends[1]})"
            self._say(f"  a number from {question.low} to {question.high}{ends or ''}")
        while True:
            self._say("your answer:" if not question.optional else "your answer, or an empty line:")
            value, wrong = question.value(await self._line())
            if not wrong:
                await self._taking.answer(step.key, value)
                return
            self._say(wrong)

    async def _judge(self, step: JudgeItems) -> None:
        from playpen_tui.judging import open_judging
        from playpen_tui.plain_judging import JudgeLines

        assert self._taking.me is not None
        sitting = await open_judging(self._taking.bench, step.queue, self._taking.me.person)
        lines = JudgeLines(sitting, self._keyboard, self._say, step.of - step.done)
        try:
            await lines.judge()
        finally:
            await sitting.close()
        if not lines.told.left:
            self._taking.no_more_items()
        elif lines.told.votes < step.of - step.done:
            raise Ended
