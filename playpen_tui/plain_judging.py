"""Judging in lines: for screen readers, pipes and terminals without a cursor.

Each item is told as the dialogue before, A and B; one line answers it. Where the input ends, judging ends, and every
vote is safe.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from playpen_tui.comparing import BOARD
from playpen_tui.judging import Judging, PlaceTaken, Revealed, Shown, Side, open_judging
from playpen_tui.persons import question
from playpen_tui.plain_play import Keyboard
from playpen_tui.plain_text import clean
from playpen_tui.workbench import Workbench
from store.errors import NoConsent
from store.queues import BadQueue

KEYS: dict[str, tuple[str, bool]] = {
    "1": ("left", False),
    "2": ("right", False),
    "1!": ("left", True),
    "2!": ("right", True),
    "3": ("tie", False),
    "4": ("bad", False),
    "s": ("skip", False),
}
SAID = {"left": "A is better", "right": "B is better", "tie": "a tie", "bad": "both are bad", "skip": "skipped"}
HELP = (
    "1 A is better, 2 B is better (1! 2! much better), 3 tie, 4 both bad, s skip, f flag, c WORDS comment, u undo, "
    "h what you said last, i guidelines, q stop"
)


@dataclass(slots=True)
class Told:
    """What somebody did, for the end."""

    votes: int = 0
    undone: int = 0
    taken: int = 0
    """Votes that were not counted, since others had filled the item."""
    left: bool = True
    """Whether something is left to be judged."""
    verdicts: dict[str, int] = field(default_factory=dict[str, int])


async def judge_plain(
    db: Path | None, queue: str, judge: str | None, limit: int | None, out: Callable[[str], None] | None = None
) -> tuple[Judging, Told]:
    """Judge in lines until nothing is left, the input ends or `limit` votes are given. Raises LogError and its kin."""
    say = out or (lambda text: print(clean(text, None), flush=True))
    async with Workbench(db) as bench:
        keyboard = Keyboard()
        if judge is None and sys.stdin.isatty() and await bench.people.needs_consent():
            await _ask_consent(bench, keyboard, say)
        sitting = await open_judging(bench, queue, judge)
        for notice in bench.new_notices():
            print(f"playpen-tui: {notice}", file=sys.stderr)
        lines = JudgeLines(sitting, keyboard, say, limit)
        try:
            await lines.judge()
        finally:
            await sitting.close()
        return sitting, lines.told


async def _ask_consent(bench: Workbench, keyboard: Keyboard, say: Callable[[str], None]) -> None:
    text, answers = question("en")
    say(text)
    for number, (_, label) in enumerate(answers, 1):
        say(f"{number}. {label}")
    while (line := await keyboard.line()) is not None:
        if line.strip().isdigit() and 0 < int(line) <= len(answers):
            level = answers[int(line) - 1][0]
            await bench.people.give_consent(level)
            if level == "none":
                raise NoConsent("what is judged is recorded; without consent nothing can be judged here")
            return
        say(f"type a number from 1 to {len(answers)}")
    raise NoConsent("nobody answered about consent; start again, or name a judge with --as")


class JudgeLines:
    """One judge at one queue, line by line."""

    def __init__(self, sitting: Judging, keyboard: Keyboard, say: Callable[[str], None], limit: int | None) -> None:
        self._sitting = sitting
        self._keyboard = keyboard
        self._say = say
        self._limit = limit
        self._guided: int | None = None
        self.told = Told()

    async def judge(self) -> None:
        """Until there is nothing left to do."""
        shown = await self._sitting.next()
        while shown is not None and (self._limit is None or self.told.votes < self._limit):
            self._guide()
            self._show(shown)
            if not await self._answered():
                return
            shown = await self._sitting.next()
        self.told.left = shown is not None
        if shown is None:
            self._say("nothing is left for you in this queue")

    def _guide(self, always: bool = False) -> None:
        """The guidelines, when one begins and when they changed."""
        guideline = self._sitting.queue.guideline
        if guideline is None:
            if always:
                self._say("this queue has no guidelines")
        elif always or guideline.version != self._guided:
            self._guided = guideline.version
            self._say(f"guidelines, version {guideline.version}:\n{guideline.text.rstrip()}\n")

    def _show(self, shown: Shown) -> None:
        what = "how it went on" if shown.kind == "endings" else "two replies"
        self._say(f"{shown.number} of {shown.of}: {shown.game}, {shown.role}, {what}")
        for who, words in shown.context:
            head = f"what {shown.role} sees" if who == BOARD else who
            self._say(f"{head}:\n{_indented(words)}" if "\n" in words or who == BOARD else f"{head}: {words}")
        for letter, side in (("A", shown.left), ("B", shown.right)):
            self._side(letter, side)

    def _side(self, letter: str, side: Side) -> None:
        self._say(f"{letter}:\n{_indented(side.text)}")
        for who, words in side.goes_on:
            self._say(f"  {letter} goes on, {who}: {words}")

    async def _answered(self) -> bool:
        """Take lines until the item is voted on; False where somebody stops."""
        while True:
            self._say(HELP)
            line = await self._keyboard.line()
            if line is None or line.strip().lower() in ("q", "quit"):
                return False
            word, _, rest = line.strip().partition(" ")
            word = word.lower()
            if word in KEYS and not rest:
                return await self._vote(*KEYS[word])
            await self._other(word, rest)

    async def _vote(self, verdict: str, much: bool) -> bool:
        try:
            told = await self._sitting.vote(verdict, much=much)
        except PlaceTaken as error:
            self.told.taken += 1
            self._say(str(error))
            return True
        self.told.votes += 1
        self.told.verdicts[verdict] = self.told.verdicts.get(verdict, 0) + 1
        self._say(f"recorded: {SAID[verdict]}{', much' if much else ''}{_of(told)}\n")
        return True

    async def _other(self, word: str, rest: str) -> None:
        match word:
            case "f":
                self._say("flagged" if await self._sitting.flag() else "the flag is off")
            case "c":
                text = rest or await self._keyboard.line() or ""
                await self._sitting.comment(text)
                self._say(f"comment kept until the vote: {text}" if text else "the comment is gone")
            case "u":
                shown = await self._sitting.undo()
                if shown is None:
                    self._say("no vote of yours stands; there is nothing to take back")
                    return
                self.told.undone += 1
                self._say("taken back:")
                self._show(shown)
            case "h":
                for vote in await self._sitting.history():
                    more = f" ({vote.comment})" if vote.comment else ""
                    self._say(f"{vote.item[:8]}: {SAID[vote.verdict]}{', much' if vote.much else ''}{more}")
            case "i":
                self._guide(always=True)
            case _:
                self._say(f"{word!r} is no answer" if word else "type one of these")


def _of(told: Revealed) -> str:
    return f"; A was {told.left}, B was {told.right}" if told.left else ""


def _indented(text: str) -> str:
    return "\n".join("  " + line for line in text.splitlines() or [""])


def require_named(queues: list[str]) -> str:
    """The one queue that is open. Raises BadQueue where it has to be named."""
    if len(queues) == 1:
        return queues[0]
    if not queues:
        raise BadQueue("no queue is open; `playpen-tui annotate queue new NAME` makes one")
    raise BadQueue(f"several queues are open; name one with --queue: {', '.join(queues[:8])}")
