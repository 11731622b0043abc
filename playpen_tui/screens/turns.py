"""What the screens that show turns have in common: the one under the cursor is judged by keys.

A screen says which episode it shows and through whose eyes (`turns_here`), and marks come and go at its turns. While
models play on it, `choose_reply` lets the person there choose which of two replies goes on.
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

from textual import work
from textual.screen import Screen

from games.engine import Role
from players.base import Reply
from players.choosing import Chooser, Mode, Offer
from playpen_tui.remarks import Draft, Remarks, Spot, offered, sides
from playpen_tui.screens.consent import agreed
from playpen_tui.screens.dialogs import Choose, in_columns
from playpen_tui.screens.reply import CorrectDialog, ReplyDialog, Waited
from playpen_tui.sitting import HUMAN, BadSetup
from playpen_tui.text import one_line
from playpen_tui.widgets.turns import TurnCursor
from playpen_tui.workbench import Workbench, expected

T = TypeVar("T")
A = TypeVar("A")
MODES: dict[Mode, tuple[Mode, str]] = {
    "off": ("next", "you will choose the next reply of a model out of two"),
    "next": ("all", "you will choose every reply of a model out of two"),
    "all": ("off", "models reply once again"),
}
"""What comes after each way of choosing, and how that is said."""


class TurnsScreen(Screen[T]):
    """A screen with turns that can be judged."""

    remarks: Remarks
    bench: Workbench

    def turns_here(self) -> tuple[str, Role | None] | None:
        """The episode that is shown, and whose eyes judge it; None where it is not in the log."""
        raise NotImplementedError

    def turns_left(self) -> None:
        """The cursor was taken off."""

    def _sorry(self, error: Exception) -> None:
        self.notify(one_line(str(error), 400), severity="error", timeout=10, markup=False)

    @property
    def cursor(self) -> TurnCursor | None:
        """The turns of this screen."""
        return next(iter(self.query(TurnCursor)), None)

    @property
    def judging(self) -> bool:
        """Whether a turn is under the cursor."""
        return self.cursor is not None and self.cursor.at is not None

    # marks

    @work(group="marks", exclusive=True, exit_on_error=False)
    async def show_marks(self) -> None:
        """Read what this person thinks of the turns that are shown."""
        here = self.turns_here()
        if here is None:
            return
        try:
            marks = await self.remarks.marks(here[0])
        except expected() as error:
            self._sorry(error)
            return
        if self.turns_here() == here and (cursor := self.cursor) is not None:
            cursor.mark(marks)

    # one turn

    def on_turn_cursor_wanted(self, event: TurnCursor.Wanted) -> None:
        """A key was pressed on a turn."""
        event.stop()
        if event.wish == "off":
            self.turns_left()
            return
        self._remark(event)

    @work(group="remark", exit_on_error=False)
    async def _remark(self, event: TurnCursor.Wanted) -> None:
        here = self.turns_here()
        if here is None:
            self.notify(
                "turns cannot be judged here: this is not recorded, or is part of a study", markup=False, timeout=4
            )
            return
        if event.wish == "branch":
            self._branch(here[0], event.ply)
            return
        if not await self.may_judge():
            return
        episode, eyes = here
        try:
            match event.wish:
                case "good" | "bad":
                    await self.remarks.label(episode, event.ply, "+" if event.wish == "good" else "-")
                case "correct":
                    await self._correct(await self.remarks.spot(episode, event.ply, eyes))
                case "another" | "ask_other":
                    await self._another(await self.remarks.spot(episode, event.ply, eyes), event.wish == "ask_other")
                case "take_back":
                    what = await self.remarks.undo()
                    told = f"took back {what}" if what else "nothing to take back"
                    self.notify(told, markup=False, timeout=3)
                case "off":
                    return
        except expected() as error:
            self._sorry(error)
            return
        self.show_marks()

    async def may_judge(self) -> bool:
        """Whoever judges is asked for consent first, as anybody whose words are recorded."""
        sorry = "without your consent what you think of turns cannot be recorded"
        return await agreed(self.app, self.bench.people, sorry)

    async def _correct(self, spot: Spot) -> None:
        mark = self.cursor.marks.get(spot.turn.ply) if self.cursor is not None else None
        title = f"What should {one_line(spot.turn.role)} have said?"
        said = f"said: {spot.words(spot.turn.text)}"
        if mark is not None and mark.edit is not None:
            said += f"\nyour correction: {mark.edit}"
        draft = spot.draft
        if not draft.fields:
            raise BadSetup("there is nothing in this turn that your seat may know, so it cannot be corrected")
        dialog = CorrectDialog(title, said, draft.fields, draft.answers, draft.problems)
        answers = await self.app.push_screen_wait(dialog)
        if answers is not None and (problems := await self.remarks.edit(spot, answers)):
            self.notify(one_line("; ".join(problems), 300), severity="error", markup=False)

    async def _another(self, spot: Spot, choose: bool) -> None:
        spec: str | None = None
        if choose or spot.turn.person is not None:
            others = in_columns([one for one in await self.bench.partners() if one[0] != HUMAN])
            spec = await self.app.push_screen_wait(Choose("Who is asked for another reply?", others))
            if spec is None:
                return
        name = (spec or spot.turn.player).partition("?")[0]
        self.notify(one_line(f"{name} is asked for another reply", 200), markup=False, timeout=3)
        sibling = await self.remarks.another(spot, spec)
        title = f"Which is better for {one_line(spot.turn.role)}, turn {spot.turn.ply}?"
        decided = await self.app.push_screen_wait(ReplyDialog(title, sibling.left, sibling.right))
        if decided is None:
            return
        match decided.verdict:
            case "left" | "right":
                await self.remarks.prefer(sibling, decided.verdict, ms=decided.ms)
            case "alike":
                await self.remarks.prefer(sibling, None, ms=decided.ms)
            case _:
                await self._correct(spot)

    def _branch(self, episode: str, ply: int) -> None:
        from playpen_tui.screens.branches import BranchesScreen

        self.app.push_screen(BranchesScreen(self.bench, episode, ply))

    # a reply that is chosen before it is said

    def next_mode(self, chooser: Chooser) -> None:
        """The next way of choosing, said aloud."""
        chooser.mode, told = MODES[chooser.mode]
        self.notify(told, markup=False, timeout=4)

    async def choose_reply(self, episode: str, offer: Offer, eyes: Role | None) -> Reply | None:
        """Ask which of two replies goes on; None leaves it at the first. Cancelled, the question goes away."""
        if await self.bench.people.needs_consent():
            return None
        view, replies = offer.view, (offer.first, offer.second)
        shown = (0, 1) if sides(episode, str(view.ply), *(reply.text for reply in replies)) else (1, 0)
        words = [offered(view, replies[at].text, eyes) for at in shown]
        while True:
            dialog = ReplyDialog(f"{one_line(view.role)}: which goes on?", *words, going_on=True)
            decided = await self._asked(dialog)
            if decided is None:
                return None
            if decided.verdict == "alike":
                return await self.remarks.chosen(episode, offer, shown, None, ms=decided.ms)
            better = shown[0 if decided.verdict.endswith("left") else 1]
            if not decided.verdict.startswith("correct"):
                return await self.remarks.chosen(episode, offer, shown, better, ms=decided.ms)
            draft = Draft(view, replies[better].text, eyes)
            title = f"What shall {one_line(view.role)} say?"
            correcting = CorrectDialog(title, "", draft.fields, draft.answers, draft.problems)
            if (answers := await self._asked(correcting)) is not None:
                return await self.remarks.chosen(episode, offer, shown, better, draft.compose(answers), decided.ms)

    async def _asked(self, dialog: Waited[A]) -> A | None:
        """The answer to a dialog that somebody else than this screen wants, once nothing else is asked here."""
        while self.app.screen is not self:
            if not self.is_attached:
                return None
            await asyncio.sleep(0.05)
        self.app.push_screen(dialog)
        try:
            await dialog.gone.wait()
        finally:
            if self.app.screen is dialog:  # nobody wants to know any more
                dialog.dismiss(None)
        return dialog.given
