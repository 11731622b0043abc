"""One person in a study: what stands before them, one step after the other.

Questions are asked over this screen, games and items open screens of their own; whoever comes back from one is led to
the next step, or, where it is not done, waits here until they go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import work
from textual.app import ComposeResult
from textual.containers import Center, Middle
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from playpen_tui.actions import bindings
from playpen_tui.screens.dialogs import Choose, Prompt
from playpen_tui.sitting import Sitting
from playpen_tui.study import AskConsent, AskQuestion, Finished, JudgeItems, PlayGame, Taking
from playpen_tui.study_file import flowing
from playpen_tui.text import clean, one_line
from playpen_tui.widgets.keys import KeyLine
from playpen_tui.workbench import expected

if TYPE_CHECKING:
    from playpen_tui.study_items import SomeItems


class StudyScreen(Screen[None]):
    """Between the steps of a study."""

    BINDINGS = bindings("study")
    DEFAULT_CSS = """
    StudyScreen { background: $background; }
    StudyScreen Middle { height: 1fr; }
    StudyScreen #study-text { width: auto; max-width: 80; padding: 0 2; }
    StudyScreen Footer { background: $background; }
    """

    def __init__(self, taking: Taking) -> None:
        super().__init__()
        self.taking = taking
        self._busy = False
        self._away: Sitting | SomeItems | None = None
        """What was opened over this screen."""
        self._over = False

    def compose(self) -> ComposeResult:
        """A few words in the middle, and keys."""
        with Middle(), Center():
            yield Static("", id="study-text")
        yield KeyLine()

    def on_mount(self) -> None:
        """The first step."""
        self._go_on()

    def on_screen_resume(self) -> None:
        """Back from a game or from judging: on to the next step, if this one is done."""
        away, self._away = self._away, None
        if away is None or self._busy:
            return
        done = away.match.over if isinstance(away, Sitting) else away.done
        if not isinstance(away, Sitting) and away.nothing_left:
            self.taking.no_more_items()
        if done:
            self._go_on()
        else:
            self._tell("This step is not done yet; it goes on where it was.\n\nenter go on   esc leave")

    def _tell(self, text: str) -> None:
        self.query_one("#study-text", Static).update(Content(clean(text, None)))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to go on only where somebody waits."""
        return not self._over if action == "go_on" else True

    def action_go_on(self) -> None:
        """The step that is next."""
        if not self._busy and not self._over:
            self._go_on()

    def action_leave(self) -> None:
        """Leave; the command that goes on is printed."""
        self.app.exit(0)

    def _go_on(self) -> None:
        self._busy = True
        self._steps()

    @work(group="study", exclusive=True, exit_on_error=False)
    async def _steps(self) -> None:
        """Step by step, until another screen is opened, somebody stops, or the end."""
        try:
            while await self._step():
                pass
        except expected() as error:
            self._tell(f"⊘ {one_line(str(error), 500)}\n\nenter try again   esc leave")
        finally:
            self._busy = False

    async def _step(self) -> bool:
        """Whether the next one can follow at once."""
        step = await self.taking.next()
        match step:
            case AskConsent():
                return await self._consent(step)
            case AskQuestion():
                return await self._question(step)
            case PlayGame():
                await self._play(step)
            case JudgeItems():
                await self._judge(step)
            case Finished():
                self._over = True
                self.refresh_bindings()
                self._tell(f"{step.text}\n\nYour completion code: {step.code}\n\nPlease note it. esc leaves.")
        return False

    async def _consent(self, step: AskConsent) -> bool:
        answers = (("agree", one_line(step.agree)), ("decline", one_line(step.decline)))
        text = "\n\n".join(part for part in (flowing(self.taking.study.welcome), step.text) if part)
        answer = await self.app.push_screen_wait(Choose(text, answers))
        if answer == "agree":
            await self.taking.agree()
            return True
        declined = answer == "decline"
        said = "You do not take part; nothing about you was kept." if declined else "Nothing was kept so far."
        self._tell(f"{said}\n\nenter read it again   esc leave")
        return False

    async def _question(self, step: AskQuestion) -> bool:
        question = step.question
        if question.kind == "text":
            prompt = Prompt(flowing(question.text), check=lambda text: question.value(text)[1])
            given = await self.app.push_screen_wait(prompt)
        else:
            skip = [("", "I would rather not answer")] if question.optional else []
            answers = [(str(n), one_line(label)) for n, (_, label) in enumerate([*question.answers, *skip])]
            at = await self.app.push_screen_wait(Choose(flowing(question.text), answers))
            values = [value for value, _ in (*question.answers, *skip)]
            given = None if at is None else values[int(at)]
        if given is None:
            self._tell("A question waits for your answer.\n\nenter go on   esc leave")
            return False
        await self.taking.answer(step.key, question.value(given)[0])
        return True

    async def _play(self, step: PlayGame) -> None:
        from playpen_tui.screens.play import PlayScreen

        self._tell(f"Game {step.number} of {step.of}")
        sitting = await self.taking.deal(step)
        self._away = sitting
        await self.app.push_screen(PlayScreen(sitting, self.taking.bench, study=True))
        self.notify(f"game {step.number} of {step.of}", markup=False, timeout=4)

    async def _judge(self, step: JudgeItems) -> None:
        from playpen_tui.screens.annotate import AnnotateScreen
        from playpen_tui.study_items import some_items

        self._tell(f"{step.of - step.done} items to judge")
        items = await some_items(self.taking.bench, step.queue, self.taking.person or "", step.of - step.done)
        self._away = items
        await self.app.push_screen(AnnotateScreen(self.taking.bench, items))
