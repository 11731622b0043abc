"""Two replies to the same words, side by side, and the line in which something better is written.

Neither says who wrote what or which came first. Below 110 columns the two stand one over the other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

from textual.app import ComposeResult
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from games.boards import Field
from playpen_tui.actions import bindings
from playpen_tui.text import clean, one_line
from playpen_tui.widgets.composer import Composer

Verdict: TypeAlias = Literal["left", "right", "alike", "correct left", "correct right"]
LONGEST = 6_000
"""Characters of a reply that are shown."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What somebody decided, and after how many milliseconds."""

    verdict: Verdict
    ms: float


T = TypeVar("T")


class Waited(ModalScreen[T | None]):
    """A dialog that anybody can wait for: `gone` is set when it is closed by whatever; `given` is the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = asyncio.Event()
        self.given: T | None = None

    def give(self, answer: T) -> None:
        """Answer, and close."""
        self.given = answer
        self.dismiss(answer)

    def on_unmount(self) -> None:
        """Closed."""
        self.gone.set()

    def action_back(self) -> None:
        """No answer."""
        self.dismiss(None)


class ReplyDialog(Waited[Decided]):
    """Which of two replies is better. Esc gives None."""

    BINDINGS = bindings("reply")
    DEFAULT_CSS = """
    ReplyDialog { align: center middle; }
    ReplyDialog > Vertical { width: 112; max-width: 96%; height: auto; max-height: 94%; background: $surface;
                             border: round $border; padding: 1 2 0 2; }
    ReplyDialog #reply-title { color: $accent; text-style: bold; }
    ReplyDialog #reply-note { color: $secondary; margin: 0 0 1 0; }
    ReplyDialog #replies { layout: vertical; height: auto; max-height: 100%; }
    ReplyDialog .reply { height: auto; max-height: 8; padding: 0 1; margin: 0 0 1 0; border-left: outer $border; }
    ReplyDialog .reply Static { height: auto; }
    ReplyDialog .number { color: $accent; text-style: bold; }
    ReplyDialog #reply-keys { color: $secondary; margin: 0 0 1 0; }
    ReplyDialog.wide #replies { layout: horizontal; }
    ReplyDialog.wide .reply { width: 1fr; max-height: 18; }
    """

    def __init__(self, title: str, left: str, right: str, *, note: str = "", going_on: bool = False) -> None:
        super().__init__()
        self._heading = title
        self._note = note
        self._words = (left, right)
        self._going_on = going_on
        self._since = time.monotonic()

    def compose(self) -> ComposeResult:
        """What it is about, the two, keys."""
        with Vertical():
            yield Static(Content(one_line(self._heading, 200)), id="reply-title")
            yield Static(Content(clean(self._note, 600)), id="reply-note")
            with Container(id="replies"):
                for number, words in enumerate(self._words, 1):
                    with VerticalScroll(classes="reply"):
                        yield Static(Content(str(number)), classes="number")
                        yield Static(Content(clean(words, LONGEST)))
            better = "goes on" if self._going_on else "better"
            nothing = "let it go on" if self._going_on else "say nothing"
            yield Static(
                Content(f"1 2 {better}   3 no difference   e E correct 1 or 2   esc {nothing}"),
                id="reply-keys",
            )

    def on_mount(self) -> None:
        """The clock begins."""
        self._since = time.monotonic()
        self.set_class(self.app.size.width >= 110, "wide")

    def on_resize(self) -> None:
        """Side by side where there is room."""
        self.set_class(self.app.size.width >= 110, "wide")

    def _decide(self, verdict: Verdict) -> None:
        self.give(Decided(verdict, (time.monotonic() - self._since) * 1000))

    def action_left(self) -> None:
        """The left one."""
        self._decide("left")

    def action_right(self) -> None:
        """The right one."""
        self._decide("right")

    def action_alike(self) -> None:
        """Neither."""
        self._decide("alike")

    def action_correct(self) -> None:
        """Something else, made from the left one."""
        self._decide("correct left")

    def action_correct_right(self) -> None:
        """Something else, made from the right one."""
        self._decide("correct right")


class CorrectDialog(Waited[Mapping[str, str]]):
    """What should have been said, field by field; esc gives None. `check` says what is wrong with the answers."""

    BINDINGS = bindings("dialog")
    DEFAULT_CSS = """
    CorrectDialog { align: center middle; }
    CorrectDialog > Vertical { width: 96; max-width: 96%; height: auto; max-height: 94%; background: $surface;
                               border: round $border; padding: 1 2 0 2; }
    CorrectDialog #correct-title { color: $accent; text-style: bold; }
    CorrectDialog #correct-said { height: auto; max-height: 6; margin: 1 0; color: $secondary; }
    CorrectDialog Composer { padding: 0; }
    CorrectDialog #correct-keys { color: $secondary; margin: 1 0; }
    """

    def __init__(
        self,
        title: str,
        said: str,
        fields: Sequence[Field],
        answers: Mapping[str, str],
        check: Callable[[Mapping[str, str]], Sequence[str]],
    ) -> None:
        super().__init__()
        self._heading = title
        self._said = said
        self._fields = tuple(fields)
        self._answers = answers
        self._check = check

    def compose(self) -> ComposeResult:
        """The turn, what was said, the lines, keys."""
        with Vertical():
            yield Static(Content(one_line(self._heading, 200)), id="correct-title")
            with VerticalScroll(id="correct-said", can_focus=False):
                yield Static(Content(clean(self._said, LONGEST)))
            yield Composer(id="correct-lines")
            yield Static(Content("enter keep it   esc leave the turn as it is"), id="correct-keys")

    async def on_mount(self) -> None:
        """Write, from what was said."""
        composer = self.query_one(Composer)
        await composer.ask(self._fields)
        composer.fill({name: clean(words, None) for name, words in self._answers.items()})
        self._complain()

    def on_composer_changed(self) -> None:
        """Say what would be wrong while it is being written."""
        self._complain()

    def _complain(self) -> None:
        composer = self.query_one(Composer)
        missing = composer.missing
        composer.complain((), "") if missing is not None else composer.complain(self._check(composer.answers))

    def on_composer_sent(self, event: Composer.Sent) -> None:
        """Done, where nothing is wrong."""
        composer = self.query_one(Composer)
        if (missing := composer.missing) is not None:
            missing.focus()
            composer.complain((f"{missing.field.label} is still missing",))
            return
        problems = self._check(event.answers)
        composer.complain(problems)
        if not problems:
            self.give(event.answers)
