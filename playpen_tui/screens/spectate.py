"""The spectators' screen: up to eight matches at once, one of them opened, through whose eyes one likes.

It paints a `Stand`. Tokens only mark a card; a timer paints what is marked, ten times a second. A match that is opened
fills the screen, with a dialogue that can be read back in peace, and there one may take a seat in mid-game.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from textual import events, work
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.content import Content
from textual.widgets import Static

from games.engine import Role
from players.base import Reply
from players.choosing import Offer
from playpen_tui.actions import bindings, of
from playpen_tui.messages import Go, Look
from playpen_tui.remarks import Remarks
from playpen_tui.screens.dialogs import Choose
from playpen_tui.screens.seated import SeatedScreen
from playpen_tui.stands import FollowStand, LiveStand, ReplayStand
from playpen_tui.text import clean, one_line
from playpen_tui.transcript import as_text
from playpen_tui.watching import PLACES, Places, Stand, Watch, Watched, still, tag
from playpen_tui.widgets.card import BOTH, MatchCard, eyes_of, eyes_word, ticker, title
from playpen_tui.widgets.composer import Composer
from playpen_tui.widgets.dialogue import Dialogue
from playpen_tui.widgets.keys import KeyLine
from playpen_tui.widgets.opened import Opened
from playpen_tui.widgets.put import put
from playpen_tui.widgets.seats import Seats
from playpen_tui.workbench import Workbench, expected

PAINT = 0.1
"""Seconds between two paintings."""
ROOMY = 100
"""Columns from which the head says things at length."""
CARD = (38, 9)
"""Columns and rows that a card needs to be read."""
STEERING = ("pause", "go_on", "stop_match", "seat", "choose")
"""Actions that change how a match of this process goes on."""
ALONE = (*STEERING, "bookmark", "copy")
"""Actions that mean one match, which must be opened where there are several."""


class SpectateScreen(SeatedScreen):
    """A stand, painted."""

    BINDINGS = bindings("spectate")
    CSS_PATH = "spectate.tcss"

    def __init__(self, bench: Workbench, stand: Stand, over: bool = False) -> None:
        super().__init__()
        self._over = over
        self.bench = bench
        self.remarks = Remarks(bench)
        self.stand = stand
        self._places = Places()
        self._shown: list[Watched] = []
        self._open: Watched | None = None
        self._dirty: set[str] = set()
        self._stale = True
        self._held: dict[str, Watched] | None = None
        self._run = ""
        self._ticks = 0
        self._grid = (0, 0, 0)
        self._unlisten = lambda: None
        self._to_paint = False
        self._could: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """Head, cards and tickers, or the match that is opened; seats, writing line, keys."""
        with Horizontal(id="head"):
            yield Static("", id="how")
            yield Static("", id="eyes")
        yield Static("no match yet; they stand here as soon as they begin", id="nothing")
        with Container(id="grid"):
            for _ in range(PLACES):
                yield MatchCard()
        yield Static("", id="tickers")
        yield Opened(id="zoom")
        yield Seats(id="seats")
        yield Static("", id="trouble")
        yield Composer(id="composer")
        yield KeyLine()

    def on_mount(self) -> None:
        """Listen, and paint in a steady rhythm."""
        self._unlisten = self.stand.listen(self._changed)
        for name in ("#grid", "#zoom", "#seats", "#composer"):
            self.query_one(name).display = False
        if not isinstance(self.stand, LiveStand):
            self._follow()
        self.set_interval(PAINT, self._tick)

    def on_unmount(self) -> None:
        """Listen no more, and choose no more."""
        self._unlisten()
        if isinstance(self.stand, LiveStand):
            self.stand.choose_no_more()

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

    def _tick(self) -> None:
        self._ticks += 1
        if not self.is_attached:
            return
        self._take_back()
        self._offer()
        if self._held is None:
            if not self._to_paint:
                self._to_paint = True
                self.call_later(self._paint)  # where keys have it painted, too: one painting after the other
        elif self._stale or self._ticks % 10 == 0:
            self._stale = False
            self._head()

    def _offer(self) -> None:
        """Let the footer say what can be done, when that has changed of itself: a match has ended, a run was killed."""
        at = self._at
        could = (self.stand.abilities, at and (at.key, at.over), self._rests)
        if could != self._could:
            self._could = could
            self.refresh_bindings()

    async def _paint(self, everything: bool = False) -> None:
        self._to_paint = False
        if self._held is None:
            offered = self.stand.offered()
            before = [watched.key for watched in self._shown]
            self._shown = self._places.fill(min(PLACES, len(offered)), offered, time.monotonic())
            if [watched.key for watched in self._shown] != before:
                everything = True
                self.refresh_bindings()
            if not before and len(self._shown) == 1 and isinstance(self.stand, ReplayStand):
                self._zoom(self._shown[0])
        if self._stale or everything or self._ticks % 10 == 0:
            self._stale = False
            self._head()
        if self._open is not None:
            await self._paint_open(everything)
        else:
            self._paint_cards(everything)
        self._dirty.clear()

    def _view(self, watched: Watched) -> Watched:
        """The match as it is painted: as it is now, or as it was when the picture was held."""
        return watched if self._held is None else self._held.get(watched.key, watched)

    def _head(self, fresh: bool = False) -> None:
        """How the run goes, or where the opened match stands; on the right whether the picture is held, and the eyes.

        A held picture keeps its head, but for a `fresh` one at its beginning: what has come since is counted on the
        right, where it moves nothing.
        """
        eyes, since = eyes_word(self._eyes_for(self._open) if self._open else self._eyes.get("")), ""
        if self._held is not None:
            turns = sum(watched.match.ply - self._view(watched).match.ply for watched in self._shown)
            since = f"held, {turns} turn{'' if turns == 1 else 's'} since   "
            if self.size.width < ROOMY:
                since = f"held, {turns} new   "
        label = "" if since and self.size.width < ROOMY else "eyes: "
        right = Content.styled(since, "$warning") + Content(f"{label}{eyes}  v")
        put(self.query_one("#eyes", Static), right)
        width = max(20, self.size.width - right.cell_length - 6)
        if self._held is None or fresh:
            self._run = one_line(self.stand.head(width if self._open is None else self.size.width - 6), 300)
        if self._open is None:
            put(self.query_one("#how", Static), Content.styled(self._run, "bold"), layout=False)
        else:
            put(self.query_one("#how", Static), title(self._view(self._open), None, width), layout=False)
            self.query_one(Opened).border_subtitle = Content(self._run)

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
                card.show(self._view(watched), number + 1, self._eyes_for(watched))
        rest = shown[room:]
        tickers = self.query_one("#tickers", Static)
        tickers.display = bool(rest)
        if rest:
            width = max(20, self.size.width - 4)
            lines = [ticker(self._view(watched), room + n, width) for n, watched in enumerate(rest, 1)]
            put(tickers, Content("\n").join(lines))

    async def _repaint(self) -> None:
        """Once more, when the cards have got their sizes."""
        if self.is_attached and self._open is None:
            self._paint_cards(True)

    def _eyes_for(self, watched: Watched) -> str | None:
        eyes = self._eyes.get(watched.key, self._eyes.get(""))
        return eyes if eyes in eyes_of(watched) else None

    # one match, opened

    async def _paint_open(self, everything: bool) -> None:
        opened = self._open
        assert opened is not None
        watched = self._view(opened)
        changed = everything or watched.key in self._dirty
        if not changed and not watched.doing.busy:
            return
        await self.query_one(Opened).show(watched, self._eyes_for(watched), changed)
        if self._open is not opened:
            return  # closed meanwhile, or another one is open
        if everything or self.remarks.pending:
            self.show_marks()
        self.query_one(Seats).follow(watched.doing, watched.names)
        self._say_trouble(watched.error)
        self._show_unheard(opened)
        await self._ask(opened)

    def _say_trouble(self, text: str) -> None:
        box = self.query_one("#trouble", Static)
        box.display = bool(text)
        put(box, Content(f"⊘ {one_line(text, 400)}" if text else ""))

    def _zoom(self, watched: Watched | None) -> None:
        if self._open is not None and not self._seated(self._open):
            self._places.pinned.discard(self._open.key)
        self._leave_line(watched)
        self._open = watched
        if watched is not None:
            self._places.pinned.add(watched.key)
        self.query_one("#zoom").display = self.query_one("#seats").display = watched is not None
        self.query_one("#grid").display = self.query_one("#tickers").display = watched is None
        self.query_one("#nothing").display = False
        if watched is None:
            self._say_trouble("")
            self.set_focus(None)
        else:
            self.set_focus(self.query_one(Dialogue))  # at once: the writing line may come next
        self._grid = (0, 0, 0)
        self.refresh_bindings()
        self.call_later(self._paint, True)

    def _seated(self, watched: Watched) -> bool:
        return isinstance(self.stand, LiveStand) and bool(self.stand.taken(watched))

    @property
    def _at(self) -> Watched | None:
        """The match that keys mean: the opened one, or the only one."""
        return self._open or (self._shown[0] if len(self._shown) == 1 else None)

    # turns that are judged, replies that are chosen

    def turns_here(self) -> tuple[str, Role | None] | None:
        """The opened match, through its eyes while somebody here sits in it, else the game master's."""
        if self._open is None or not self._open.episode:
            return None
        return self._open.episode, self._judge_eyes(self._open)

    def _judge_eyes(self, watched: Watched) -> Role | None:
        """Whoever only looks on may know everything; whoever sits at the table, what their seat knows."""
        sitting = self._sitting(watched)
        return None if sitting is None else sitting.viewer()

    def turns_left(self) -> None:
        """Back to writing, where somebody sits here."""
        if self._composing:
            self.query_one(Composer).focus_first()

    @work(group="choosing", exclusive=True, exit_on_error=False)
    async def action_choose(self) -> None:
        """Replies in this match twice, so that one can be chosen."""
        stand, watched = self.stand, self._at
        if not isinstance(stand, LiveStand) or watched is None or watched.lane is None or watched.over:
            return
        chooser = stand.choosing(watched, lambda offer: self._choose(watched, offer), self._tell_choice)
        if chooser.mode != "off" or await self.may_judge():
            self.next_mode(chooser)
            self._zoom(watched)

    async def _choose(self, watched: Watched, offer: Offer) -> Reply | None:
        """Which of two replies goes on in a match."""
        eyes = self._judge_eyes(watched)
        if watched.episode is None or (eyes is not None and len(watched.match.game.roles) > 2):
            return None
        return await self.choose_reply(watched.episode, offer, eyes)

    def _tell_choice(self, sentence: str) -> None:
        if self.is_attached:
            self.notify(one_line(sentence, 300), markup=False, timeout=6)

    # keys

    def on_key(self, event: events.Key) -> None:
        """Digits open a match; keys that cannot do now what they do otherwise say why."""
        if self._typed(event):
            event.stop()
        elif event.character and event.character.isdigit() and not isinstance(self.focused, Composer):
            place = int(event.character) - 1
            if 0 <= place < len(self._shown) and not self._composing:
                event.stop()
                self._zoom(self._shown[place])
        elif self._shown and not self._composing:
            names = {action.name for action in of("spectate") if event.key in action.keys.split(",")}
            if why := self._why_not(names):
                event.stop()
                self.notify(why, markup=False, timeout=3)

    def _why_not(self, names: set[str]) -> str:
        """Why these actions of one key do nothing now; nothing where one does, or none would."""
        steering, at = bool(names.intersection(STEERING)), self._at
        if steering and isinstance(self.stand, FollowStand):
            still = "resume" in self.stand.abilities
            return "this run stands still; r goes on with it here" if still else "another process plays this run"
        if steering and self._ended:
            return "this match is over"
        alone = names.intersection(ALONE) and at is None and not isinstance(self.stand, ReplayStand)
        return "open a match first, with its number" if alone else ""

    @property
    def _ended(self) -> bool:
        """Whether keys mean a match of this process that is over."""
        return isinstance(self.stand, LiveStand) and self._at is not None and self._at.over

    @property
    def _rests(self) -> bool:
        """Whether what keys mean is paused."""
        if isinstance(self.stand, ReplayStand):
            return not any(one.running for one in ([self._at] if self._at else self._shown))
        return self._at is not None and self._at.state == "held"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done with this stand, and with so many matches on it."""
        if self.judging and action not in ("eyes", "step", "step_back", "to_start", "to_end", "choose", "copy"):
            return False
        replay = isinstance(self.stand, ReplayStand)
        if action in ALONE and self._at is None and not (replay and action in ("pause", "go_on")):
            return False
        if action in STEERING and self._ended:
            return False
        if action in ("pause", "go_on"):
            return bool(self.stand.abilities & {"hold", "step"}) and self._rests == (action == "go_on")
        if action == "interrupt":
            return isinstance(self.stand, LiveStand) and not self.stand.finished
        needs = {"stop_match": "stop", "seat": "seat", "choose": "seat", "bookmark": "bookmark", "resume": "resume"}
        needs |= dict.fromkeys(("step", "step_back", "to_end", "to_start", "faster", "slower"), "step")
        if action in needs:
            return needs[action] in self.stand.abilities
        several = len(self._shown) > 1
        if action in ("unzoom", "away"):
            return (self._open is not None and several) == (action == "unzoom")
        return action != "open" or (self._open is None and several)

    def action_open(self) -> None:
        """Open the first."""
        self._zoom(self._shown[0])

    def action_unzoom(self) -> None:
        """Back to all."""
        self._zoom(None)

    def action_eyes(self) -> None:
        """Look through the next eyes: at the opened match, or at all of them."""
        watched = self._at or (self._shown[0] if self._shown else None)
        if watched is None:
            return
        choices = eyes_of(watched)
        now = self._eyes_for(watched) if self._open else self._eyes.get("")
        after = choices[(choices.index(now) + 1) % len(choices)] if now in choices else choices[1]
        if self._open is None:  # all alike again, but for those where somebody sits
            self._eyes = {one.key: self._eyes.get(one.key) for one in self._shown if self._seated(one)}
        self._eyes[watched.key if self._open else ""] = after
        self.call_later(self._paint, True)

    def action_still(self) -> None:
        """Hold the picture; what is played goes on."""
        if self._held is None:
            self._held = {watched.key: still(watched) for watched in self._shown}
            self._head(fresh=True)
            self.call_later(self._paint, True)
        else:
            self._let_go()

    def _let_go(self) -> None:
        """Show what is played again."""
        if self._held is not None:
            self._held = None
            self.call_later(self._paint, True)

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_stop_match(self) -> None:
        """Stop this match, once it was asked."""
        if isinstance(self.stand, LiveStand) and (watched := self._at):
            text = "Stop this match? It stays in the log as it stands, and can be resumed with its run."
            answer = await self._put(watched, Choose(text, [("no", "let it go on"), ("yes", "stop it")]))
            if answer == "yes":
                self.stand.stop(watched)

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_bookmark(self) -> None:
        """Bookmark this episode in the log, or take the mark off."""
        if watched := self._at:
            try:
                on = await tag(self.bench, watched)
            except expected() as error:
                self.notify(one_line(str(error)), severity="error", markup=False)
                return
            self.notify("bookmarked" if on else "the bookmark is off", markup=False, timeout=2)
            self._view(watched).bookmarked = watched.bookmarked
            self.call_later(self._paint, True)

    def _replays(self) -> Sequence[tuple[ReplayStand, Watched]]:
        if not isinstance(self.stand, ReplayStand):
            return []
        self._let_go()
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
        if isinstance(self.stand, LiveStand) and (live := self._at):
            self.stand.hold(live)
        for stand, watched in self._replays():
            stand.pause(watched)

    def action_go_on(self) -> None:
        """Let it go on."""
        self.action_pause()

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
        if watched := self._at:
            eyes = self._eyes_for(watched)
            text = clean(as_text(watched.match, None if eyes == BOTH else eyes, watched.names), None)
            self.app.copy_to_clipboard(text)
            self.notify(f"copied {len(text.splitlines())} lines", markup=False, timeout=2)

    def action_interrupt(self) -> None:
        """The first lets matches under way end, the second stops them, as without a screen."""
        if self.get_selected_text() or getattr(self.focused, "selected_text", ""):
            raise SkipAction  # what is marked is copied
        if not isinstance(self.stand, LiveStand):
            return
        scheduler = self.stand.played.scheduler
        if scheduler.finishing:
            scheduler.stop()
            said = "stopped; what was said so far is in the log"
        else:
            scheduler.finish()
            said = "no more matches begin, those under way will end; ctrl-c again stops at once"
        self.notify(said, markup=False, timeout=6)

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_away(self) -> None:
        """Leave, once it was asked; seats that were taken are handed back."""
        stand = self.stand
        if isinstance(stand, LiveStand):
            if not stand.finished:
                text = "The run goes on while you do something else here; Home brings you back to it."
                if any(stand.taken(watched) for watched in stand.offered() if not watched.over):
                    text += " Seats that changed hands are handed back."
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
            for watched in stand.offered():
                for role in stand.taken(watched):
                    stand.hand_back(watched, role)
        self.app.post_message(Go("back" if self._over else "home"))
