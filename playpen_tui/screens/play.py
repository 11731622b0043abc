"""The play screen: board left, dialogue right, seats and writing line below.

It shows a `Sitting` and wires keys to it. Players' events arrive through one handler; the match itself is driven in a
worker, so that a stop is a cancelled worker and a retry is a new one. With two people at one terminal a curtain falls
between their turns.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static
from textual.worker import Worker, WorkerCancelled, WorkerFailed

from games.boards import Board
from games.engine import Match, Role
from players.base import Event, Reply, Token
from players.choosing import Chooser, Offer
from playpen_tui.actions import bindings
from playpen_tui.messages import Go, Sit
from playpen_tui.remarks import Remarks
from playpen_tui.screens.consent import agreed
from playpen_tui.screens.dialogs import Curtain, TextDialog
from playpen_tui.screens.seats import SeatsDialog
from playpen_tui.screens.turns import TurnsScreen
from playpen_tui.sitting import Sitting, is_here
from playpen_tui.terminals import Shared
from playpen_tui.text import clean, one_line
from playpen_tui.transcript import as_text, entries, spoken
from playpen_tui.widgets.board import BoardView
from playpen_tui.widgets.composer import Composer
from playpen_tui.widgets.dialogue import Dialogue
from playpen_tui.widgets.endcard import EndCard
from playpen_tui.widgets.invite import InviteCard
from playpen_tui.widgets.keys import KeyLine
from playpen_tui.widgets.seats import Seats
from playpen_tui.workbench import Workbench, expected

LOOK = 1.0
"""Seconds between two looks at who is there."""


class PlayScreen(TurnsScreen[None]):
    """One sitting at a table."""

    BINDINGS = bindings("play")
    CSS_PATH = "play.tcss"

    def __init__(self, sitting: Sitting, bench: Workbench, study: bool = False) -> None:
        super().__init__()
        self.study = study
        """Whether it is a step of a study: then one goes on there, and seats stay as they are."""
        self.sitting = sitting
        self.bench = bench
        self.remarks = Remarks(bench, next((p.identity.person for p in sitting.joined.values()), None))
        if sitting.chooser is None and sitting.setup.record and not study:
            sitting.chooser = Chooser(self._choose, self._tell_choice)
        self._viewer: Role | None = None
        self._veiled = False
        self._driver: Worker[None] | None = None
        self._there: dict[str, bool] = {}
        self._notice: list[tuple[str, str]] = []
        self._late = ""
        self._stood = False
        self._trouble = ""
        self._offered: tuple[bool, ...] | None = None

    def compose(self) -> ComposeResult:
        """Head, board and dialogue, seats, trouble, writing line or end card, keys."""
        with Horizontal(id="head"):
            yield Static("", id="title")
            yield Static("", id="state")
        with Horizontal(id="table"):
            yield BoardView(id="board")
            yield Dialogue(id="dialogue")
        yield InviteCard(id="invite")
        yield Seats(id="seats")
        yield Static("", id="trouble")
        yield Composer(id="composer")
        yield EndCard(id="end")
        yield KeyLine()

    def on_mount(self) -> None:
        """Sit down."""
        self.query_one("#dialogue").can_focus = True
        self._name_seats()
        self.query_one(Composer).display = False
        self.set_interval(LOOK, self._look_who_is_there)
        self._look_who_is_there()
        self.call_later(self._show)
        self.show_marks()
        self._go_on()

    def _name_seats(self) -> None:
        assisted = {r: bool(getattr(p, "assist", False)) for r, p in self.sitting.players.items()}
        self.query_one(Seats).seat(self.sitting.sitters(), assisted)

    # the match

    @work(group="match", exclusive=True, exit_on_error=False)
    async def _drive(self) -> None:
        try:
            await self.sitting.play(self._hear, lambda match: self.call_later(self._show))
        except expected() as error:
            self._say_trouble(str(error))
        self.call_later(self._show)

    def _go_on(self) -> None:
        self._say_trouble("")
        self._driver = self._drive()

    def _hear(self, event: Event) -> None:
        if event.role in self.sitting.humans or self.sitting.elsewhere(event.role):
            return
        self.query_one(Seats).hear(event)
        self._offer()
        dialogue = self.query_one(Dialogue)
        state = self.query_one(Seats).states[event.role]
        if isinstance(event, Token) and not event.reasoning and self._may_watch(event.role):
            said = spoken(self.sitting.match, event.role, state.text)
            dialogue.stream(event.role, said[0] if said else "…")
        elif state.doing != "writing":
            dialogue.quiet()

    def _may_watch(self, role: Role) -> bool:
        """Whether this seat's words reach the viewer while they are written.

        Only where they will be relayed anyway: to the one other person of a two-seat table.
        """
        return not self._veiled and (self._viewer is None or len(self.sitting.match.game.roles) <= 2)

    def _look_who_is_there(self) -> None:
        if self.sitting.shared is not None and not self.sitting.match.over:
            self._look(self.sitting.shared)

    @work(group="presence", exclusive=True, exit_on_error=False)
    async def _look(self, shared: Shared) -> None:
        """Say how an open seat is joined, until somebody has, and when they are gone."""
        sitting = self.sitting
        if sitting.setup.join:
            host = await shared.host()
            sitting.who = {} if host.there else dict.fromkeys(sitting.setup.seats, "away")
            self._notice = [(host.words, shared.resume)] if host.words and not sitting.closed else []
        else:
            seats = [seat for seat in await shared.seats() if seat.role in sitting.open_seats]
            sitting.who = {seat.role: seat.who for seat in seats}
            self._notice = [
                (f"{seat.words}. In another terminal:", shared.command(seat.code)) for seat in seats if not seat.there
            ]
            for seat in seats:
                if seat.there and not self._there.get(seat.code):
                    self.notify(f"somebody sits at another terminal as {one_line(seat.role)}", markup=False, timeout=4)
                self._there[seat.code] = seat.there
        self._name_seats()
        self._show_notice()

    def _show_notice(self) -> None:
        """What stands over the seats: how one joins, what has become of one's own seat, who is away."""
        own: list[tuple[str, str]] = []
        if self.sitting.closed:
            own.append((f"Your seat was given to another player; you look on.{self._late}", ""))
        elif self.sitting.doubled:
            own.append(("Your seat was joined from another terminal, too: what is said first counts.", ""))
        self.query_one(InviteCard).show([] if self.sitting.match.over else [*own, *self._notice])

    # drawing

    async def _show(self) -> None:
        """Bring every part of the screen up to the match."""
        if not self.is_attached or self._veiled:
            return
        sitting, match = self.sitting, self.sitting.match
        wanted = sitting.viewer(self._viewer)
        if len(sitting.humans) > 1 and not match.over and sitting.waiting_for and wanted != self._viewer:
            self._fall(wanted)
            return
        self._viewer = wanted
        eyes = None if match.over else self._viewer
        board = match.game.board(match.state, eyes)
        self._head(match, board)
        await self.query_one(BoardView).show(board)
        mine = frozenset(sitting.humans)
        await self.query_one(Dialogue).show(entries(match, eyes, sitting.speakers), sitting.names(), mine)
        if self.remarks.pending:
            self.show_marks()
        waiting = sitting.waiting_for
        self._name_seats()
        self.query_one(Seats).turn(match.turn, waiting is not None or sitting.elsewhere(match.turn))
        self._tell()
        self._show_notice()
        self._offer()
        composer = self.query_one(Composer)
        if match.over:
            composer.display = False
            self.query_one(Dialogue).quiet()
            end, guest = self.query_one(EndCard), bool(sitting.setup.join)
            focus = not self.judging
            end.show(match, swap=len(match.game.roles) > 1, guest=guest, study=self.study, focus=focus)
        elif waiting is not None and not self._trouble:
            await composer.ask(sitting.fields(), focus=not self.judging)
            self._complain()
        else:
            composer.display = False
            if self.focused is not None and self.focused in composer.query("*"):
                self.set_focus(None)

    def _head(self, match: Match, board: Board) -> None:
        title = f"{match.game.title} · {match.instance.experiment.replace('_', ' ')}"
        if board.status:
            title += f" · {board.status}"
        self.query_one("#title", Static).update(Content(one_line(title)))
        kept = "in the log" if self.sitting.setup.record else "not recorded"
        if self.sitting.setup.join:
            kept = f"seat {one_line(self.sitting.setup.join)} · {kept}"
        self.query_one("#state", Static).update(Content(kept))

    def _tell(self) -> None:
        """What other terminals did that whoever sits here has to know."""
        sitting, composer = self.sitting, self.query_one(Composer)
        draft = sitting.unsaid or " · ".join(text for text in composer.answers.values() if text)
        if sitting.closed and not self._stood:
            self._late = f" Not said: {one_line(draft, 300)}" if draft else ""
            composer.clear_answers()
            sitting.unsaid = ""
        elif not sitting.closed and self._stood:
            again = "; up brings back what you were writing" if self._late else ""
            self._late = ""
            self.notify(f"your seat was handed back to you{again}", markup=False)
        self._stood = sitting.closed
        if (sitting.overtaken or sitting.unsaid) and draft:
            text = f"another terminal spoke first; not said: {one_line(draft, 300)}"
            self.notify(text, severity="warning", timeout=10, markup=False)
            composer.clear_answers()
        sitting.unsaid, sitting.overtaken = "", False

    def _fall(self, role: Role | None) -> None:
        """Let the curtain fall before another person may look."""
        self._veiled = True
        self.query_one("#table").visible = False
        self.query_one(Composer).display = False

        def lift(_: None) -> None:
            self._veiled = False
            self._viewer = role
            self.query_one("#table").visible = True
            self.call_later(self._show)

        self.app.push_screen(Curtain(role or ""), lift)

    def _say_trouble(self, text: str) -> None:
        self._trouble = text
        box = self.query_one("#trouble", Static)
        box.display = bool(text)
        line = Content.styled(f"⊘ {one_line(text, 400)}", "$error") + Content.styled(
            "   ctrl+r ask again   esc leave", "$secondary"
        )
        box.update(line if text else "")
        self._offer()

    # keys

    def on_composer_changed(self, event: Composer.Changed) -> None:
        """Say what would be wrong while it is being written."""
        self._complain()

    def _complain(self) -> None:
        composer = self.query_one(Composer)
        answers = composer.answers
        for field in self.sitting.fields():
            text = answers.get(field.name, "")
            if not text and not field.optional:
                composer.complain((), "")
                return
            if field.length and len(text) < field.length:
                composer.complain((), f"{len(text)} of {field.length} letters")
                return
        composer.complain(self.sitting.problems(answers))

    def on_composer_sent(self, event: Composer.Sent) -> None:
        """Say what is written."""
        composer = self.query_one(Composer)
        if not composer.display or self.sitting.waiting_for is None:
            return
        if (missing := composer.missing) is not None:
            missing.focus()
            composer.complain((f"{missing.field.label} is still missing",))
            return
        problems = self.sitting.say(event.answers)
        composer.complain(problems)
        if not problems:
            composer.clear_answers()
            composer.display = False

    def action_stop(self) -> None:
        """Stop a model that is at work."""
        role, chooser = self.sitting.match.turn, self.sitting.chooser
        if role is None or self._driver is None:
            return
        if chooser is not None and chooser.enough():
            self.notify("the first reply goes on", markup=False, timeout=3)
            return
        self._driver.cancel()
        self.query_one(Seats).stopped(role)
        self.query_one(Dialogue).quiet()
        self._say_trouble(f"you stopped {self.sitting.names()[role]}")

    def action_away(self) -> None:
        """Clear a draft; without one, leave the table."""
        composer = self.query_one(Composer)
        if composer.display and composer.draft:
            composer.clear_answers()
            self.notify("cleared; up brings it back, esc again leaves", markup=False, timeout=3)
            return
        self.workers.cancel_node(self)
        self.app.post_message(Go("back" if self.study else "home"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done now."""
        if not self.is_attached or not self.query(Composer):
            return True
        if action in ("stop", "away"):
            return self.query_one(Seats).busy == (action == "stop")
        if self.judging and action in ("rules", "seats", "judge"):
            return False
        if self.study and action in ("seats", "judge", "choose"):  # who plays and says what is the study's to say
            return False
        if action == "rules":
            return not self.sitting.match.over
        if action == "judge":
            return bool(self.query_one(Dialogue).turns())
        if action == "choose":
            return not self.sitting.match.over and not self.sitting.setup.join
        if action == "retry":
            return bool(self._trouble)
        if action == "seats":
            return not self.sitting.match.over and not self.sitting.setup.join
        return True

    def _offer(self) -> None:
        """Let the footer say what can be done now, if that has changed: it is built anew each time."""
        begun = bool(self.query_one(Dialogue).turns())
        now = (self.query_one(Seats).busy, bool(self._trouble), self.sitting.match.over, begun)
        if now != self._offered:
            self._offered = now
            self.refresh_bindings()

    def action_retry(self) -> None:
        """Ask again whose turn it is."""
        self._go_on()
        self.call_later(self._show)

    # turns that are judged, replies that are chosen

    def turns_here(self) -> tuple[str, Role | None] | None:
        """The episode, through the eyes of whoever sits here until it is over."""
        sitting = self.sitting
        if not sitting.setup.record or not sitting.episode or self.study:
            return None
        return sitting.episode, None if sitting.match.over else self._viewer

    def turns_left(self) -> None:
        """Back to writing, or to the end card."""
        if self.sitting.match.over:
            self.query_one(EndCard).focus()
        elif self.query_one(Composer).display:
            self.query_one(Composer).focus_first()

    def action_judge(self) -> None:
        """The cursor onto the newest turn."""
        dialogue = self.query_one(Dialogue)
        if dialogue.judge():
            self.set_focus(dialogue)  # at once: what is typed next is meant for the turn

    def action_choose(self) -> None:
        """Replies of models twice, so that one can be chosen."""
        self._turn_choosing()

    @work(group="choosing", exclusive=True, exit_on_error=False)
    async def _turn_choosing(self) -> None:
        chooser = self.sitting.chooser
        if chooser is None:
            self.notify("this is not recorded, so what you choose would be lost", markup=False, timeout=4)
        elif chooser.mode != "off" or await self.may_judge():
            self.next_mode(chooser)

    async def _choose(self, offer: Offer) -> Reply | None:
        """Which of two replies of a model goes on."""
        if not self.sitting.episode or not self._may_watch(offer.view.role):
            self._tell_choice("what is said there is not for your seat, so there is nothing to choose")
            return None
        return await self.choose_reply(self.sitting.episode, offer, self._viewer)

    def _tell_choice(self, sentence: str) -> None:
        if self.is_attached:
            self.notify(one_line(sentence, 300), markup=False, timeout=6)

    @work(group="seats", exclusive=True, exit_on_error=False)
    async def action_seats(self) -> None:
        """Change who sits where; a reply under way is dropped, what was written of it is in the log."""
        sitting = self.sitting
        before = {role: specs[-1] for role, specs in sitting.before.items() if specs}
        dialog = SeatsDialog(sitting.sitters(), sitting.setup.seats, before, sitting.match.turn, self.bench.partners)
        answer = await self.app.push_screen_wait(dialog)
        if answer is None:
            return
        role, spec = answer
        try:
            if is_here(spec) and sitting.setup.record and not await self._may_record():
                return
            await self.bench.reseat(sitting, role, spec)
        except expected() as error:
            self.notify(one_line(str(error), 400), severity="error", timeout=10, markup=False)
            return
        if sitting.match.turn == role:
            await self._start_anew()
        self._look_who_is_there()
        self.call_later(self._show)

    async def _start_anew(self) -> None:
        """Stop whoever is asked, wait until what they wrote is kept, and ask whoever sits there now."""
        role, driver = self.sitting.match.turn, self._driver
        if driver is not None and not driver.is_finished:
            driver.cancel()
            with contextlib.suppress(WorkerCancelled, WorkerFailed):  # a failed one has said so itself
                await driver.wait()
        if role is not None:
            self.query_one(Seats).stopped(role)
        self.query_one(Dialogue).quiet()
        self._go_on()

    async def _may_record(self) -> bool:
        """Whoever takes a seat of a recorded game is asked first, as anywhere."""
        sorry = "without your consent you cannot sit at a game that is recorded"
        return await agreed(self.app, self.bench.people, sorry, self.sitting.match.instance.language)

    def action_rules(self) -> None:
        """The rules, in plain words."""
        game = self.sitting.game
        self.app.push_screen(TextDialog(game.title, game.rules(self.sitting.match.instance.language)))

    def action_focus_dialogue(self) -> None:
        """Between writing and reading."""
        dialogue = self.query_one(Dialogue)
        if dialogue.has_focus:
            self.query_one(Composer).focus_first()
        else:
            dialogue.focus()

    def action_copy(self) -> None:
        """Copy what can be read."""
        text = clean(as_text(self.sitting.match, self._viewer, self.sitting.names(), self.sitting.speakers), None)
        self.app.copy_to_clipboard(text)
        count = len(text.splitlines())
        self.notify(f"copied {count} line{'' if count == 1 else 's'}", markup=False)

    def on_end_card_chosen(self, event: EndCard.Chosen) -> None:
        """Go on from the end card."""
        setup, name = self.sitting.setup, self.sitting.match.instance.name
        here = replace(setup, instance=name)
        if self.study:
            self.app.post_message(Go("back"))
            return
        match event.what:
            case "again":
                self.app.post_message(Sit(here.again()))
            case "swap":
                self.app.post_message(Sit(here.swapped(), avoid=name))
            case "next_instance":
                self.app.post_message(Sit(setup.following(), avoid=name))
            case "pick" | "home":
                self.app.post_message(Go(event.what))
