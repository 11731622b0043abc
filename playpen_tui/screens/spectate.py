"""The spectators' screen: up to eight matches at once, one of them opened, through whose eyes one likes.

It paints a `Stand`. Tokens only mark a card; a timer paints what is marked, ten times a second. A match that is opened
fills the screen, with a dialogue that can be read back in peace, and there one may take a seat in mid-game.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from textual import events, work
from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Static

from games.engine import Role
from players.human import HumanPlayer
from playpen_tui.actions import bindings
from playpen_tui.messages import Go, Look
from playpen_tui.screens.dialogs import Choose
from playpen_tui.sitting import HUMAN, Setup, Sitting
from playpen_tui.stands import FollowStand, LiveStand, ReplayStand
from playpen_tui.text import clean, one_line
from playpen_tui.transcript import as_text, entries, spoken
from playpen_tui.watching import PLACES, Places, Stand, Watch, Watched, tag
from playpen_tui.widgets.board import BoardView
from playpen_tui.widgets.card import BOTH, MatchCard, eyes_of, eyes_word, ticker, title
from playpen_tui.widgets.composer import Composer
from playpen_tui.widgets.dialogue import Dialogue
from playpen_tui.widgets.seats import Seats
from playpen_tui.workbench import Workbench, expected, question

PAINT = 0.1
"""Seconds between two paintings."""
CARD = (38, 9)
"""Columns and rows that a card needs to be read."""


class SpectateScreen(Screen[None]):
    """A stand, painted."""

    BINDINGS = bindings("spectate")
    CSS_PATH = "spectate.tcss"

    def __init__(self, bench: Workbench, stand: Stand) -> None:
        super().__init__()
        self.bench = bench
        self.stand = stand
        self._places = Places()
        self._shown: list[Watched] = []
        self._open: Watched | None = None
        self._eyes: dict[str, str | None] = {}
        self._dirty: set[str] = set()
        self._stale = True
        self._still = False
        self._ticks = 0
        self._grid = (0, 0, 0)
        self._unlisten = lambda: None

    def compose(self) -> ComposeResult:
        """Head, cards and tickers, or the match that is opened; seats, writing line, keys."""
        with Horizontal(id="head"):
            yield Static("", id="how")
            yield Static("", id="eyes")
        yield Static("nothing to be seen yet", id="nothing")
        with Container(id="grid"):
            for _ in range(PLACES):
                yield MatchCard()
        yield Static("", id="tickers")
        with Horizontal(id="zoom"):
            yield BoardView(id="board")
            yield Dialogue(id="dialogue")
            yield MatchCard(id="whole")
        yield Seats(id="seats")
        yield Static("", id="trouble")
        yield Composer(id="composer")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Listen, and paint in a steady rhythm."""
        self._unlisten = self.stand.listen(self._changed)
        self.query_one(Dialogue).can_focus = True
        for name in ("#grid", "#zoom", "#seats", "#composer"):
            self.query_one(name).display = False
        if not isinstance(self.stand, LiveStand):
            self._follow()
        self.set_interval(PAINT, self._tick)

    def on_unmount(self) -> None:
        """Listen no more."""
        self._unlisten()

    @work(group="stand", exclusive=True, exit_on_error=False)
    async def _follow(self) -> None:
        await self.stand.follow()

    # painting

    def _changed(self, watched: Watched | None) -> None:
        self._stale = True
        if watched is not None:
            self._dirty.add(watched.key)

    def on_resize(self) -> None:
        """Other sizes have other places."""
        self._stale = True
        self._dirty |= {watched.key for watched in self._shown}

    async def _tick(self) -> None:
        self._ticks += 1
        if self._still or not self.is_attached:
            return
        await self._paint()

    async def _paint(self, everything: bool = False) -> None:
        if self._stale or everything or self._ticks % 10 == 0:
            self._stale = False
            self._head()
        offered = self.stand.offered()
        count = min(PLACES, len(offered))
        before = [watched.key for watched in self._shown]
        self._shown = self._places.fill(count, offered, time.monotonic())
        if [watched.key for watched in self._shown] != before:
            everything = True
        if self._open is not None:
            await self._paint_open(everything)
        else:
            self._paint_cards(everything)
        self._dirty.clear()

    def _head(self) -> None:
        mark = Content.styled("picture held · ", "$warning") if self._still else Content("")
        self.query_one("#how", Static).update(mark + Content.styled(one_line(self.stand.head(), 300), "bold"))
        eyes = eyes_word(self._eyes.get(self._open.key) if self._open else self._eyes.get(""))
        self.query_one("#eyes", Static).update(Content(f"eyes: {eyes}  v"))

    def _arrange(self, count: int) -> int:
        """Lay out the cards; returns how many there is room for, the others get a line each."""
        width, height = self.size.width, max(CARD[1], self.size.height - 2)
        columns = max(1, min(2 if width < 160 else 4, width // CARD[0], count))
        fitting = columns * max(1, height // CARD[1])
        if count > fitting:
            fitting = columns * max(1, (height - (count - fitting)) // CARD[1])
        room = min(count, fitting)
        rows = -(-room // columns)
        if (columns, rows, count) != self._grid:
            self._grid = (columns, rows, count)
            grid = self.query_one("#grid", Container)
            grid.styles.grid_size_columns, grid.styles.grid_size_rows = columns, rows
            for number, card in enumerate(self.query("#grid MatchCard")):
                card.display = number < room
        return room

    def _paint_cards(self, everything: bool) -> None:
        shown = self._shown
        self.query_one("#nothing").display = not shown
        self.query_one("#grid").display = bool(shown)
        if not shown:
            return
        before = self._grid
        room = self._arrange(len(shown))
        if self._grid != before:
            self._dirty |= {watched.key for watched in shown}
            self.call_after_refresh(self._repaint)
        tick = self._ticks % 3 == 0
        for number, (watched, card) in enumerate(
            zip(shown[:room], self.query("#grid MatchCard").results(MatchCard), strict=False)
        ):
            if everything or watched.key in self._dirty or (tick and watched.doing.busy):
                card.show(watched, number + 1, self._eyes_for(watched))
        rest = shown[room:]
        tickers = self.query_one("#tickers", Static)
        tickers.display = bool(rest)
        if rest:
            width = max(20, self.size.width - 4)
            lines = [ticker(watched, room + n, width) for n, watched in enumerate(rest, 1)]
            tickers.update(Content("\n").join(lines))

    async def _repaint(self) -> None:
        """Once more, when the cards have got their sizes."""
        if self.is_attached and self._open is None:
            self._paint_cards(True)

    def _eyes_for(self, watched: Watched) -> str | None:
        eyes = self._eyes.get(watched.key, self._eyes.get(""))
        return eyes if eyes in eyes_of(watched) else None

    # one match, opened

    async def _paint_open(self, everything: bool) -> None:
        watched = self._open
        assert watched is not None
        if not everything and watched.key not in self._dirty and not watched.doing.busy:
            return
        eyes = self._eyes_for(watched)
        whole, match = eyes == BOTH, watched.match
        self.query_one("#whole").display = whole
        self.query_one("#board").display = self.query_one("#dialogue").display = not whole
        self.query_one("#how", Static).update(title(watched, None, max(20, self.size.width - 26)))
        if whole:
            self.query_one("#whole", MatchCard).show(watched, 0, eyes)
        elif everything or watched.key in self._dirty:
            role: Role | None = None if match.over else eyes
            await self.query_one(BoardView).show(match.game.board(match.state, role))
            dialogue = self.query_one(Dialogue)
            mine = frozenset(role for role, name in watched.names.items() if name == "you")
            await dialogue.show(entries(match, role), watched.speakers, mine)
            writing = watched.doing.writing
            if writing is not None and not watched.over and role in (None, writing[0]):
                read = spoken(match, *writing)
                dialogue.stream(writing[0], read[0] if read else "…")
            else:
                dialogue.quiet()
        self.query_one(Seats).follow(watched.doing, watched.names)
        self._say_trouble(watched.error)
        await self._ask(watched)

    async def _ask(self, watched: Watched) -> None:
        """The writing line, when it is the turn of somebody who sits here."""
        composer, sitting = self.query_one(Composer), self._sitting(watched)
        if sitting is not None and sitting.waiting_for is not None and not watched.over:
            if not composer.display:
                await composer.ask(sitting.fields())
        elif composer.display:
            composer.display = False
            self.query_one(Dialogue).focus()

    @staticmethod
    def _sitting(watched: Watched) -> Sitting | None:
        """The table as one who sits there meets it."""
        lane = watched.lane
        if lane is None or not any(isinstance(player, HumanPlayer) for player in lane.seats.values()):
            return None
        return Sitting(Setup(lane.job.game.name, seats=dict(lane.job.seats)), lane.match, lane.seats)

    def _say_trouble(self, text: str) -> None:
        box = self.query_one("#trouble", Static)
        box.display = bool(text)
        box.update(Content(f"⊘ {one_line(text, 400)}") if text else "")

    def on_composer_changed(self, event: Composer.Changed) -> None:
        """Say what would be wrong while it is being written."""
        sitting = self._sitting(self._open) if self._open else None
        composer = self.query_one(Composer)
        if sitting is not None and composer.display:
            missing = composer.missing is not None
            composer.complain(() if missing else sitting.problems(composer.answers))

    def on_composer_sent(self, event: Composer.Sent) -> None:
        """Say what is written."""
        sitting = self._sitting(self._open) if self._open else None
        composer = self.query_one(Composer)
        if sitting is None or not composer.display or sitting.waiting_for is None:
            return
        problems = sitting.say(event.answers)
        composer.complain(problems)
        if not problems:
            composer.clear_answers()
            composer.display = False
            self.query_one(Dialogue).focus()

    def _zoom(self, watched: Watched | None) -> None:
        if self._open is not None and not self._seated(self._open):
            self._places.pinned.discard(self._open.key)
        self._open = watched
        if watched is not None:
            self._places.pinned.add(watched.key)
        self.query_one("#zoom").display = self.query_one("#seats").display = watched is not None
        self.query_one("#grid").display = self.query_one("#tickers").display = watched is None
        self.query_one("#nothing").display = False
        if watched is None:
            self.query_one(Composer).display = False
            self._say_trouble("")
            self.set_focus(None)
        else:
            self.query_one(Dialogue).focus()
        self._grid = (0, 0, 0)
        self._head()
        self.refresh_bindings()
        self.call_later(self._paint, True)

    def _seated(self, watched: Watched) -> bool:
        return isinstance(self.stand, LiveStand) and bool(self.stand.taken(watched))

    @property
    def _at(self) -> Watched | None:
        """The match that keys mean: the opened one, or the only one."""
        return self._open or (self._shown[0] if len(self._shown) == 1 else None)

    # keys

    def on_key(self, event: events.Key) -> None:
        """Digits open a match."""
        if event.character and event.character.isdigit() and not isinstance(self.focused, Composer):
            place = int(event.character) - 1
            if 0 <= place < len(self._shown) and not self.query_one(Composer).display:
                event.stop()
                self._zoom(self._shown[place])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done with this stand."""
        if action == "pause":
            return bool(self.stand.abilities & {"hold", "step"})
        needs = {"stop_match": "stop", "seat": "seat", "bookmark": "bookmark", "resume": "resume"}
        needs |= dict.fromkeys(("step", "step_back", "to_end", "to_start", "faster", "slower"), "step")
        if action in needs:
            return needs[action] in self.stand.abilities
        if action == "unzoom":
            return self._open is not None and len(self._shown) > 1
        return True

    def action_unzoom(self) -> None:
        """Back to all, or open the first."""
        self._zoom(None)

    def action_eyes(self) -> None:
        """Look through the next eyes."""
        watched = self._at or (self._shown[0] if self._shown else None)
        if watched is None:
            return
        key = watched.key if self._open else ""
        choices = eyes_of(watched)
        now = self._eyes_for(watched)
        self._eyes[key] = choices[(choices.index(now) + 1) % len(choices)]
        self._head()
        self.call_later(self._paint, True)

    def action_still(self) -> None:
        """Hold the picture; what is played goes on."""
        self._still = not self._still
        self._head()
        if not self._still:
            self.call_later(self._paint, True)

    def _need_one(self) -> Watched | None:
        if self._at is None:
            self.notify("open a match first, with its number", markup=False, timeout=3)
        return self._at

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_stop_match(self) -> None:
        """Stop this match, once it was asked."""
        if isinstance(self.stand, LiveStand) and (watched := self._need_one()):
            text = "Stop this match? It stays in the log as it stands, and can be resumed with its run."
            answer = await self.app.push_screen_wait(Choose(text, [("no", "let it go on"), ("yes", "stop it")]))
            if answer == "yes":
                self.stand.stop(watched)

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_bookmark(self) -> None:
        """Bookmark this episode in the log, or take the mark off."""
        if watched := self._need_one():
            try:
                on = await tag(self.bench, watched)
            except expected() as error:
                self.notify(one_line(str(error)), severity="error", markup=False)
                return
            self.notify("bookmarked" if on else "the bookmark is off", markup=False, timeout=2)
            self._changed(watched)
            self.call_later(self._paint, True)

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_seat(self) -> None:
        """Take a seat in mid-game, for yourself or another player, or hand it back."""
        stand, watched = self.stand, self._need_one()
        if not isinstance(stand, LiveStand) or watched is None or watched.over:
            return
        back = [(f"back:{role}", f"hand {role} back to who sat there") for role in stand.taken(watched)]
        roles = [
            (f"take:{role}", f"{role}, where {watched.names.get(role, '–')} sits") for role in watched.match.game.roles
        ]
        answer = await self.app.push_screen_wait(Choose("Which seat?", [*back, *roles]))
        if answer is None:
            return
        verb, _, role = answer.partition(":")
        if verb == "back":
            stand.hand_back(watched, role)
            self._zoom(watched)
            return
        people = [(HUMAN, "you, here and now")]
        others = [(spec, f"{spec}   {about}") for spec, about in await self.bench.partners() if spec != HUMAN]
        spec = await self.app.push_screen_wait(Choose(f"Who takes {one_line(role)}?", [*people, *others]))
        if spec is None or watched.over or (spec == HUMAN and not await self._may_record()):
            return
        try:
            await stand.seat(watched, role, spec)
        except expected() as error:
            self.notify(one_line(str(error), 400), severity="error", timeout=10, markup=False)
            return
        self._eyes[watched.key] = role if spec == HUMAN else self._eyes.get(watched.key)
        self._zoom(watched)

    async def _may_record(self) -> bool:
        """Whoever takes a seat of a recorded match is asked first, as anywhere."""
        if not await self.bench.needs_consent():
            return True
        answer = await self.app.push_screen_wait(Choose(*question("en")))
        if answer in (None, "none"):
            self.notify("without your consent you cannot sit at a match that is recorded", markup=False)
            return False
        await self.bench.give_consent(answer)  # type: ignore[arg-type]
        return True

    def _replays(self) -> Sequence[tuple[ReplayStand, Watched]]:
        if not isinstance(self.stand, ReplayStand):
            return []
        chosen = [self._at] if self._at else self._shown
        return [(self.stand, watched) for watched in chosen]

    def action_step(self) -> None:
        """A ply forward."""
        for stand, watched in self._replays():
            watched.running = False
            stand.step(watched, 1)

    def action_step_back(self) -> None:
        """A ply back."""
        for stand, watched in self._replays():
            watched.running = False
            stand.step(watched, -1)

    def action_to_start(self) -> None:
        """To the beginning."""
        for stand, watched in self._replays():
            watched.running = False
            stand.step(watched, -len(watched.steps))

    def action_to_end(self) -> None:
        """To the end."""
        for stand, watched in self._replays():
            stand.step(watched, len(watched.steps))

    def action_pause(self) -> None:
        """Hold a match, or a replay; once more lets it go on."""
        if isinstance(self.stand, LiveStand) and (live := self._need_one()):
            self.stand.hold(live)
        for stand, watched in self._replays():
            stand.pause(watched)

    def action_faster(self) -> None:
        """Twice the pace."""
        if isinstance(self.stand, ReplayStand):
            self.stand.faster(2)

    def action_slower(self) -> None:
        """Half the pace."""
        if isinstance(self.stand, ReplayStand):
            self.stand.faster(0.5)

    def action_resume(self) -> None:
        """Go on with a run that stands still, here."""
        if isinstance(self.stand, FollowStand):
            from playpen_tui.selfplay import Wish

            self.app.post_message(Look(Watch(wish=Wish(resume=self.stand.run_id))))

    def action_copy(self) -> None:
        """Copy what can be read."""
        if watched := self._need_one():
            eyes = self._eyes_for(watched)
            text = clean(as_text(watched.match, None if eyes == BOTH else eyes, watched.names), None)
            self.app.copy_to_clipboard(text)
            self.notify(f"copied {len(text.splitlines())} lines", markup=False, timeout=2)

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_away(self) -> None:
        """Close the match that is open, else leave; seats that were taken are handed back."""
        if self._open is not None and len(self._shown) > 1:
            self._zoom(None)
            return
        stand = self.stand
        if isinstance(stand, LiveStand):
            for watched in stand.offered():
                for role in stand.taken(watched):
                    stand.hand_back(watched, role)
            if not stand.finished:
                text = "The run goes on while you do something else here; Home brings you back to it."
                answers = [
                    ("on", "let it go on"),
                    ("finish", "let matches under way end, then stop"),
                    ("stop", "stop now"),
                ]
                answer = await self.app.push_screen_wait(Choose(text, answers))
                if answer is None:
                    return
                if answer == "finish":
                    stand.played.scheduler.finish()
                elif answer == "stop":
                    stand.played.scheduler.stop()
        self.app.post_message(Go("home"))
