"""What the stands have for whoever takes a seat in mid-game: the question who sits where, and the writing line.

The line is there as long as somebody here sits in the opened match. While nobody asks them it takes a draft, which
goes into the form of the next turn; so do letters that are typed before the line has come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual import events, work
from textual.screen import ModalScreen
from textual.widget import Widget

from games.boards import Field
from games.engine import Role
from players.human import HumanPlayer
from playpen_tui.actions import of
from playpen_tui.screens.consent import agreed
from playpen_tui.screens.dialogs import Choose, in_columns
from playpen_tui.screens.turns import TurnsScreen
from playpen_tui.sitting import HUMAN, Setup, Sitting
from playpen_tui.stands import LiveStand
from playpen_tui.text import one_line
from playpen_tui.transcript import spoken
from playpen_tui.watching import Stand, Watched
from playpen_tui.widgets.composer import Composer, Line, Options
from playpen_tui.widgets.dialogue import Dialogue
from playpen_tui.workbench import expected

AHEAD = Field("ahead", "draft", "what you write here waits for your turn")
"""What is asked while it is not one's turn: the form of a turn is known only when it has come."""
GO_ON = next(action.always.upper() for action in of("spectate") if action.name == "go_on")


def moved(draft: Mapping[str, str], fields: Sequence[Field]) -> dict[str, str]:
    """A draft for another form: what has no field there goes into the first, as one of its answers if it has some."""
    kept = {name: text for name, text in draft.items() if text}
    if not kept or set(draft) == {field.name for field in fields}:
        return kept
    first, text = fields[0], " ".join(kept.values())
    if first.options:
        text = next((option for option in first.options if option.lower().startswith(text.lower())), "")
    return {first.name: text}


class SeatedScreen(TurnsScreen[None]):
    """A screen of a stand with one match opened, in which one may sit."""

    stand: Stand
    _open: Watched | None

    def __init__(self) -> None:
        super().__init__()
        self._eyes: dict[str, str | None] = {}
        self._form: tuple[str, tuple[Field, ...]] | None = None
        """The match and the form that the line is there for."""
        self._drafts: dict[str, dict[str, str]] = {}
        """What was being written in matches that are not open now."""
        self._early: list[events.Key] | None = None
        """What is typed while the line is on its way; None where letters are keys like any other."""
        self._hinted: tuple[Sequence[str], str] = ((), "")
        self._question: tuple[Watched, ModalScreen[str | None]] | None = None

    def _zoom(self, watched: Watched | None) -> None:
        """Open this match, or show all."""
        raise NotImplementedError

    def _changed(self, watched: Watched | None) -> None:
        """Paint it soon."""
        raise NotImplementedError

    @property
    def _at(self) -> Watched | None:
        """The match that keys mean."""
        raise NotImplementedError

    @staticmethod
    def _sitting(watched: Watched) -> Sitting | None:
        """The table as one who sits there meets it; None where nobody here does, or it is over."""
        lane = watched.lane
        if lane is None or watched.over or not any(isinstance(player, HumanPlayer) for player in lane.seats.values()):
            return None
        return Sitting(Setup(lane.job.game.name, seats=dict(lane.job.seats)), lane.match, lane.seats)

    # the writing line

    @property
    def _composing(self) -> bool:
        return bool(self.query_one(Composer).display)

    def _leave_line(self, coming: Watched | None) -> None:
        """Another match is opened, or none: its own draft stands there when one comes back."""
        composer = self.query_one(Composer)
        if self._open is not None and composer.display:
            self._drafts[self._open.key] = composer.answers
            composer.clear_answers()
        composer.display, self._form = False, None
        waited = coming is not None and self._sitting(coming) is not None
        self._early = (self._early or []) if waited else None

    async def _ask(self, watched: Watched) -> None:
        """The writing line, where somebody here sits: the form of their turn, else a line for a draft."""
        composer, sitting = self.query_one(Composer), self._sitting(watched)
        if sitting is None:
            self._early = self._form = None
            if composer.display:
                composer.display = False
                self.set_focus(self.query_one(Dialogue))
            return
        wanted = (watched.key, sitting.fields() or (AHEAD,))
        if self._form != wanted:
            await self._lay(watched, wanted[1])
            if self._open is not watched:
                return
            self._form = wanted
        self._say_hint(sitting, watched)

    async def _lay(self, watched: Watched, fields: tuple[Field, ...]) -> None:
        """Put this form there, with what was written in the one before, and what is typed meanwhile."""
        composer = self.query_one(Composer)
        before = self._boxes if composer.display else []
        self._early = self._early or []
        await composer.ask(fields, focus=False)
        draft = {box.field.name: box.answer for box in before} or self._drafts.pop(watched.key, {})
        if self._open is not watched:
            self._drafts[watched.key], composer.display = draft, False
            return
        if draft != composer.answers:
            composer.fill(moved(draft, fields))
        early, self._early = self._early or [], None
        first: Widget = self._boxes[0]
        if not self.judging:
            self.set_focus(first)  # at once: what is typed next comes behind what was typed before
        for event in early:
            first._forward_event(events.Key(event.key, event.character))

    @property
    def _boxes(self) -> list[Line | Options]:
        boxes = self.query_one(Composer).query("Line, Options")
        return [box for box in boxes if isinstance(box, Line | Options)]

    def _say_hint(self, sitting: Sitting, watched: Watched) -> None:
        """What would be wrong with what is written, else what it waits for."""
        composer = self.query_one(Composer)
        problems, hint = tuple[str, ...](), ""
        mine = sitting.waiting_for is not None
        if mine and composer.missing is None and set(composer.answers) == {one.name for one in sitting.fields()}:
            problems = sitting.problems(composer.answers)
        if watched.state == "held":
            hint = f"the match is paused, and {'waits for you' if mine else 'your words wait'}: {GO_ON} lets it go on"
        elif not mine:
            hint = f"{one_line(sitting.match.turn or 'nobody')} is to speak"
        if (problems, hint) != self._hinted:
            self._hinted = problems, hint
            composer.complain(problems, hint)

    def _show_unheard(self, watched: Watched) -> None:
        """What was said in a match that is held stands there as said."""
        sitting = self._sitting(watched)
        if sitting is not None and (unheard := sitting.unheard) is not None:
            said = spoken(sitting.match, *unheard)
            self.query_one(Dialogue).stream(unheard[0], said[0] if said else unheard[1], "said; heard when it goes on")

    def on_composer_changed(self) -> None:
        """Say what would be wrong while it is being written."""
        sitting = self._sitting(self._open) if self._open else None
        if self._open is not None and sitting is not None and self._composing:
            self._say_hint(sitting, self._open)

    def on_composer_sent(self, event: Composer.Sent) -> None:
        """Say what is written, where it is one's turn; else it stays there."""
        watched, composer = self._open, self.query_one(Composer)
        sitting = self._sitting(watched) if watched else None
        if sitting is None or set(event.answers) != {field.name for field in sitting.fields()}:
            return
        problems = sitting.say(event.answers)
        if problems:
            self._hinted = problems, ""
            composer.complain(problems)
        else:
            composer.clear_answers()
            self._changed(watched)

    def _typed(self, event: events.Key) -> bool:
        """Whether this was typed for the writing line, which is on its way, or has just come."""
        if not event.is_printable or self.judging:
            return False
        if self._early is not None:
            self._early.append(event)
            return True
        if isinstance(self.focused, Line) and event.key != "question_mark":  # on its way up when the line had come
            self.focused._forward_event(events.Key(event.key, event.character))
            return True
        return False

    # who sits where

    async def _put(self, watched: Watched, question: Choose) -> str | None:
        """The answer to a question about a match; None, too, when that is over before there is one."""
        self._question = watched, question
        try:
            return await self.app.push_screen_wait(question)
        finally:
            self._question = None

    def _take_back(self) -> None:
        """A question about a match that is over is none."""
        if self._question is not None and self._question[0].over and self.app.screen is self._question[1]:
            self._question[1].dismiss(None)
            self.notify("the match is over", markup=False, timeout=4)

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_seat(self) -> None:
        """Take a seat in mid-game, for yourself or another player, or hand it back; the match waits meanwhile."""
        stand, watched = self.stand, self._at
        if not isinstance(stand, LiveStand) or watched is None or watched.over:
            return
        waits = stand.wait(watched)
        try:
            await self._change_hands(stand, watched)
        finally:
            if waits:
                stand.go_on(watched)

    async def _change_hands(self, stand: LiveStand, watched: Watched) -> None:
        back = [(f"back:{role}", f"hand {role} back to who sat there") for role in stand.taken(watched)]
        keep = [("keep", "leave everybody where they sit")] if back else []
        roles = [
            (f"take:{role}", f"{role}, where {'you sit' if who == 'you' else f'{who} sits'}")
            for role in watched.match.game.roles
            for who in (watched.names.get(role, "–"),)
        ]
        answer = await self._put(watched, Choose("Which seat?", [*keep, *back, *roles]))
        if answer is None or answer == "keep":
            return
        verb, _, role = answer.partition(":")
        if verb == "back":
            stand.hand_back(watched, role)
            self._zoom(watched)
            return
        people = [(HUMAN, "you, here and now")]
        others = in_columns([one for one in await self.bench.partners() if one[0] != HUMAN])
        spec = await self._put(watched, Choose(f"Who takes {one_line(role)}?", [*people, *others]))
        if spec is None or (spec == HUMAN and not await self._may_record()):
            return
        if watched.over:
            self.notify("the match was over before the seat changed hands", markup=False)
            return
        await self._give(stand, watched, role, spec)

    async def _give(self, stand: LiveStand, watched: Watched, role: Role, spec: str) -> None:
        if spec == HUMAN:
            self._early = []
        try:
            await stand.seat(watched, role, spec)
        except expected() as error:
            self._early = None
            self.notify(one_line(str(error), 400), severity="error", timeout=10, markup=False)
            return
        self._eyes[watched.key] = role if spec == HUMAN else self._eyes.get(watched.key)
        self._zoom(watched)

    async def _may_record(self) -> bool:
        """Whoever takes a seat of a recorded match is asked first, as anywhere."""
        sorry = "without your consent you cannot sit at a match that is recorded"
        return await agreed(self.app, self.bench.people, sorry)
