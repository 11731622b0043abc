"""Judging pairs: what was said before once, the two candidates beside each other, and one key for a verdict.

A key commits and goes on to the next. What keys ask for is done one after the other by one worker; a verdict counts
only for the item that stood on the screen when its key was pressed, and none is given while one is not saved yet.
Nothing of who wrote what is on the screen, or in it, before the vote.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

from textual import events, work
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, VerticalScroll
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Input, Static
from textual.worker import Worker, WorkerState

from playpen_tui.actions import bindings
from playpen_tui.messages import Adjudicate, Go
from playpen_tui.pace import Pace
from playpen_tui.screens.dialogs import Choose, TextDialog
from playpen_tui.screens.faults import Telling
from playpen_tui.text import one_line
from playpen_tui.verdicts import after, bar, finished, said, strip, word
from playpen_tui.widgets.keys import KeyLine
from playpen_tui.widgets.pair import Pane, both, told
from playpen_tui.widgets.put import put
from playpen_tui.workbench import Workbench, expected
from store.judging import PlaceTaken

if TYPE_CHECKING:
    from playpen_tui.judging import Judging, Revealed, Shown, Voted
    from store.queues import Guideline

BESIDE = 110
"""Columns from which the two stand side by side."""
LOW = 8
"""Lines that two panes need together where one stands over the other; with fewer, one is seen at a time."""
EARLY = 1.0
"""Seconds of looking below which a verdict is noted as an early one."""
RETRY = 2.0
"""Seconds until what could not be saved is tried again."""
SOON = 0.3
"""Seconds after the last letter until a draft is in the log."""
LISTED = 300
"""Verdicts that the history offers."""
LONGEST = 5_000
"""Verdicts of before that are looked at to say how many were today's."""
LAST = 5
"""Verdicts that stay in sight."""
Order: TypeAlias = Callable[[], Awaitable[None]]


class AnnotateScreen(Telling):
    """One judge at one queue."""

    BINDINGS = bindings("annotate")
    CSS_PATH = "annotate.tcss"
    AUTO_FOCUS = ""

    def __init__(self, bench: Workbench, judging: Judging) -> None:
        super().__init__()
        self.bench = bench
        self.judging = judging
        self.shown: Shown | None = None
        self.pace = Pace()
        self._at = 0
        self._diff = False
        self._zoomed = False
        self._flagged = False
        self._history: list[Voted] = []
        self._revealed: Revealed | None = None
        self._told = ""
        self._today = 0
        self._comment = ""
        self._stale = False
        self._over = False
        self._disputed = False
        self._ready = False
        self._seen_at = 0.0
        self._orders: asyncio.Queue[Order] = asyncio.Queue()
        self._pending = 0
        self._failing: tuple[Order, str] | None = None
        self._unsaved = ""
        self._warned = False
        self._again: Timer | None = None
        self._soon: Timer | None = None

    def compose(self) -> ComposeResult:
        """Head, what was said before, both, what was remarked, verdicts and their keys, the last five, keys."""
        with Horizontal(id="head"):
            yield Static("", id="where")
            yield Static("reading …", id="what")
        yield Static("", id="banner")
        with VerticalScroll(id="before", can_focus=False):
            yield Static("", id="said")
        with Container(id="both"):
            yield Pane(id="left")
            yield Pane(id="right")
        yield Static("", id="none")
        with Horizontal(id="asked"):
            yield Static("comment ▸ ", id="ask-label")
            yield Input(id="comment", compact=True, max_length=2_000, select_on_focus=False)
        yield Static("", id="note")
        yield Static("", id="bar")
        yield Static("", id="told")
        yield Static("", id="last")
        yield KeyLine()

    def on_mount(self) -> None:
        """Ask for the first item."""
        self.watch(self.app, "app_focus", self._looked_at, init=False)
        self._work()
        self._order(self._first)

    def _looked_at(self, looked: bool) -> None:
        """The clock stands still while the terminal has no focus."""
        if looked:
            self.pace.go_on()
            self.judging.back()
        else:
            self.pace.pause()
            self.judging.away()
        if self.query("#where"):
            self._draw_head()

    def on_resize(self) -> None:
        """Other sizes have other places."""
        self.call_after_refresh(self._draw)

    # one thing after the other

    def _order(self, order: Order) -> None:
        self._pending += 1
        self._orders.put_nowait(order)

    @work(group="orders", exclusive=True, exit_on_error=False)
    async def _work(self) -> None:
        """Do what was asked for, in its order; what fails is kept, said, and tried again."""
        while True:
            order = await self._orders.get()
            try:
                await order()
            except expected() as error:
                self._fail(order, str(error))
            else:
                if self._failing is not None and self._failing[0] == order:
                    self._healed()
            finally:
                self._pending -= 1

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """What nobody expected is told, by `Telling`, and keys go on working."""
        if event.state is WorkerState.ERROR and event.worker.group == "orders" and self.is_attached:
            self._pending, self._orders = 0, asyncio.Queue()
            self._work()

    def _fail(self, order: Order, why: str) -> None:
        self._failing = (order, why)
        self._draw()
        if self._again is not None:
            self._again.stop()
        self._again = self.set_timer(RETRY, self.action_retry)

    def _healed(self) -> None:
        self._failing, self._warned = None, False
        if self._again is not None:
            self._again.stop()
        self._draw()

    def action_retry(self) -> None:
        """Try again at once what could not be saved or read."""
        if self._failing is not None and not self._pending:
            self._order(self._failing[0])

    # items

    async def _first(self) -> None:
        today = datetime.now().astimezone().date()
        voted = await self.judging.history(LONGEST)
        self._today = sum(datetime.fromisoformat(one.at).astimezone().date() == today for one in voted)
        self._history = voted[:LAST]
        await self._next()

    async def _next(self) -> None:
        shown = await self.judging.next()
        await self._open(shown)
        if shown is None:
            from playpen_tui.judging import queue_lines

            queue = self.judging.queue
            line = next((line for line in await queue_lines(self.bench) if line.id == queue.id), None)
            put(self.query_one("#none", Static), Content(finished(queue.name, line)))
            self._disputed = line is not None and line.disputed > 0
            self.refresh_bindings()

    async def _open(self, shown: Shown | None) -> None:
        """Show this item, with what was written about it before."""
        self.shown, self._over = shown, shown is None
        self._comment = "" if shown is None else await self.judging.draft()
        self._flagged = shown is not None and self.judging.flagged
        self._ready, self._zoomed, self._at = False, False, 0
        self.query_one(Input).value = self._comment
        self._draw(new=True)
        self.query_one("#before", VerticalScroll).scroll_end(animate=False, immediate=True)
        self.call_after_refresh(self._seen)

    def _seen(self) -> None:
        """It is on the screen now: from here on keys are about it."""
        self._ready = self.shown is not None
        self._seen_at = self.pace.spent
        self._note()

    # drawing

    @property
    def beside(self) -> bool:
        """Whether the two stand side by side."""
        return self.size.width >= BESIDE

    @property
    def commenting(self) -> bool:
        """Whether a comment is being written: then keys are letters of it."""
        return self.has_class("-commenting")

    def _draw(self, new: bool = False) -> None:
        if not self.is_attached or not self.query("#last"):
            return
        shown, width = self.shown, max(40, self.size.width - 4)
        self.set_class(self.beside, "-beside")
        self.set_class(self._zoomed, "-zoomed")
        self.set_class(self._over, "-over")
        self._draw_head()
        self._draw_banner()
        if shown is not None:
            put(self.query_one("#said", Static), Content("\n").join(told(shown.context, width)))
            texts = both(shown.left, shown.right, self._diff)
            for pane, text, side in zip(self._panes, texts, (shown.left, shown.right), strict=True):
                pane.show(text, side.goes_on, new=new)
        note = f"comment  {one_line(self._comment, 400)}" if self._comment and not self.commenting else ""
        put(self.query_one("#note", Static), Content(note))
        self.query_one("#note").display = bool(note)
        keys = Content.styled(
            "enter or esc returns to the keys; the comment is kept, and goes out with the verdict", "$secondary"
        )
        put(self.query_one("#bar", Static), keys if self.commenting else bar(width, self.beside), layout=False)
        put(self.query_one("#told", Static), after(self._told, self._revealed, self.beside, width))
        put(self.query_one("#last", Static), strip(self._history, self.beside, width), layout=False)
        self.call_after_refresh(self._note)
        self.refresh_bindings()

    def _draw_head(self) -> None:
        shown, parts = self.shown, [one_line(self.judging.queue.name, 40)]
        if shown is not None:
            parts.append(f"{shown.number:,}/{shown.of:,}")
        if (pace := self.pace.per_minute) is not None:
            parts.append(f"{pace}/min")
        parts.append(f"today {self._today:,}")
        if self.pace.paused:
            parts.append("‖ paused")
        put(self.query_one("#where", Static), Content(" · ".join(parts)), layout=False)
        what = Content("")
        if shown is not None:
            ends = " · how it ended" if shown.kind == "endings" else ""
            what = Content(f"{one_line(shown.game, 30)} · {one_line(shown.role, 20)}{ends}")
            if self._flagged:
                what = Content.styled("⚑ flagged  ", "$accent") + what
        put(self.query_one("#what", Static), what)

    def _draw_banner(self) -> None:
        banner = Content("")
        if self._failing is not None:
            why = one_line(self._failing[1], 400)
            first = f"✗ not saved: {self._unsaved}. " if self._unsaved else "✗ "
            banner = Content(f"{first}{why} — it is tried again; r tries now")
            if self._unsaved:
                banner += Content(", u forgets it")
        self.set_class(self._failing is not None, "-failing")
        put(self.query_one("#banner", Static), banner)

    @property
    def _panes(self) -> tuple[Pane, Pane]:
        return self.query_one("#left", Pane), self.query_one("#right", Pane)

    def _note(self) -> None:
        """Which panes are seen, and which were read to their end."""
        if not self.is_attached or not self.query("#both"):
            return
        room = self.query_one("#both").size.height
        one = self._zoomed or (not self.beside and 0 < room < LOW)
        for at, pane in enumerate(self._panes):
            pane.display = not one or at == self._at
            pane.note()
            pane.name_it(str(at + 1), word(("left", "right")[at], self.beside), at == self._at, alone=one)
        self.set_class(one, "-one")

    # verdicts

    def _vote(self, verdict: str, much: bool = False) -> None:
        """Commit and go on: for the item that is on the screen, and no other."""
        if self._unsaved:
            self.notify("the last verdict is not saved yet; r tries again, u forgets it", severity="warning",
                        markup=False, timeout=3)  # fmt: skip
            return
        if not self._ready or self._pending or self._failing is not None:
            return
        self._ready = False
        read = [pane.note() for pane in self._panes]
        early = self.pace.spent - self._seen_at < EARLY or not all(read)
        text = said(verdict, much, self.beside)

        async def save() -> None:
            self._unsaved = text
            await self._keep_comment()
            try:
                self._revealed = await self.judging.vote(verdict, much=much, early=early)
            except PlaceTaken as error:  # no use to try that again
                self._unsaved, self._revealed = "", None
                self.notify(one_line(str(error), 300), severity="warning", markup=False, timeout=6)
                self._order(self._go_on)
                return
            self._unsaved = ""
            self.pace.mark()
            self._today += 1
            self._told = f"recorded: {text} (u takes it back)"
            self._order(self._go_on)

        self._order(save)

    async def _go_on(self) -> None:
        self._history = await self.judging.history()
        await self._next()

    def action_left(self) -> None:
        """The left one is better."""
        self._vote("left")

    def action_right(self) -> None:
        """The right one is better."""
        self._vote("right")

    def action_left_much(self) -> None:
        """The left one is much better."""
        self._vote("left", much=True)

    def action_right_much(self) -> None:
        """The right one is much better."""
        self._vote("right", much=True)

    def action_tie(self) -> None:
        """Equally good."""
        self._vote("tie")

    def action_bad(self) -> None:
        """Neither will do."""
        self._vote("bad")

    def action_skip(self) -> None:
        """Not for me to say."""
        self._vote("skip")

    def action_undo(self) -> None:
        """Take the last verdict back, and show its item again; once more the one before it."""
        if self._unsaved and self._failing is not None:
            self._unsaved, self._ready = "", True
            self._healed()
            return

        async def undo() -> None:
            await self._keep_comment()
            last = await self.judging.history(1)
            shown = await self.judging.undo()
            if shown is None or not last:
                self._told = "nothing of yours is left to take back"
                self._draw()
                return
            self.pace.unmark()
            self._today = max(0, self._today - 1)
            self._revealed = None
            self._told = f"taken back: {said(last[0].verdict, last[0].much, self.beside)}"
            self._history = await self.judging.history()
            await self._open(shown)

        self._order(undo)

    def action_flag(self) -> None:
        """Put a flag on this item, or take it off; it goes out with the verdict."""

        async def flag() -> None:
            self._flagged = await self.judging.flag()
            self._draw()

        if self.shown is not None:
            self._order(flag)

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_history(self) -> None:
        """Open an item again that was judged before; another verdict takes the place of the first."""
        try:
            voted = await self.judging.history(LISTED)
        except expected() as error:
            self.notify(one_line(str(error), 500), severity="error", markup=False)
            return
        if not voted:
            self.notify("nothing of yours is here yet", markup=False, timeout=3)
            return
        answers = [(str(at), _line(one, self.beside)) for at, one in enumerate(voted)]
        chosen = await self.app.push_screen_wait(Choose("Open one again, to look or to change it", answers))
        if chosen is None:
            return

        async def show() -> None:
            await self._keep_comment()
            one = voted[int(chosen)]
            self._revealed = None
            self._told = f"you said: {said(one.verdict, one.much, self.beside)}; another verdict takes its place"
            await self._open(await self.judging.show(one.item))

        self._order(show)

    def action_guidelines(self) -> None:
        """What judges go by, with its version."""
        queue = self.judging.queue
        self.app.push_screen(guidelines_dialog(queue.name, queue.guideline))

    def action_disputed(self) -> None:
        """The items that judges see differently."""
        self.app.post_message(Adjudicate(self.judging.queue.id))

    # looking

    def action_diff(self) -> None:
        """Mark the words that differ, or do not."""
        self._diff = not self._diff
        self._draw()

    def action_focus_left(self) -> None:
        """Keys scroll the left one."""
        self._focus(0)

    def action_focus_right(self) -> None:
        """Keys scroll the right one."""
        self._focus(1)

    def action_swap(self) -> None:
        """The other one: keys scroll it; where there is room for one, it is shown."""
        self._focus(1 - self._at)

    def _focus(self, at: int) -> None:
        self._at = at
        self._note()
        self.call_after_refresh(self._note)

    def action_zoom(self) -> None:
        """This one alone, or both again."""
        self._zoomed = not self._zoomed
        self._draw()

    def _scroll(self, lines: int) -> None:
        self._panes[self._at].move(lines)
        self.call_after_refresh(self._note)

    def action_up(self) -> None:
        """A line up."""
        self._scroll(-1)

    def action_down(self) -> None:
        """A line down."""
        self._scroll(1)

    def action_before_up(self) -> None:
        """Further up in what was said before."""
        self.query_one("#before", VerticalScroll).scroll_page_up(animate=False)

    def action_before_down(self) -> None:
        """Further down in what was said before."""
        self.query_one("#before", VerticalScroll).scroll_page_down(animate=False)

    def on_mouse_scroll_down(self) -> None:
        """A wheel may bring the end into view."""
        self.call_after_refresh(self._note)

    # comments

    def on_key(self, event: events.Key) -> None:
        """Letters that come while the line is still being opened are of the comment already."""
        if self.commenting and self.query_one(Input) is not self.focused and event.is_printable and event.character:
            self.query_one(Input).insert_text_at_cursor(event.character)
        elif self.commenting and event.key in ("escape", "enter"):
            self._close_comment()
        elif not self.commenting and event.key == "c" and self.shown is not None:
            self.action_comment()
        else:
            return
        event.stop()
        event.prevent_default()

    def action_comment(self) -> None:
        """Write a comment; esc or enter returns to the keys, and keeps it."""
        if self.shown is None:
            return
        self.add_class("-commenting")
        line = self.query_one(Input)
        line.value, line.cursor_position = self._comment, len(self._comment)
        line.focus()
        self._draw()

    def on_input_changed(self, event: Input.Changed) -> None:
        """A draft is in the log soon."""
        if not self.commenting or event.value == self._comment:
            return
        self._comment, self._stale = event.value, True
        if self._soon is not None:
            self._soon.stop()
        self._soon = self.set_timer(SOON, lambda: self._order(self._keep_comment))

    def on_input_submitted(self) -> None:
        """Written."""
        self._close_comment()

    def _close_comment(self) -> None:
        self.remove_class("-commenting")
        self.set_focus(None)
        self._order(self._keep_comment)
        self._draw()

    async def _keep_comment(self) -> None:
        if self._stale and self.shown is not None:
            await self.judging.comment(self._comment)
            self._stale = False

    # ways

    def action_back(self) -> None:
        """Leave; what was said is in the log, and the item is free for others."""
        if self.commenting:
            self._close_comment()
            return
        if self._zoomed:
            self.action_zoom()
            return
        if self._unsaved and not self._warned:
            self._warned = True
            self.notify("the last verdict is not saved; esc again leaves without it", severity="warning",
                        markup=False, timeout=4)  # fmt: skip
            return
        self._leave()

    @work(group="leave", exclusive=True, exit_on_error=False)
    async def _leave(self) -> None:
        try:
            await self._keep_comment()
            await self.judging.close()
        except expected() as error:  # the reservation ends by itself
            self.notify(one_line(str(error), 500), severity="error", markup=False)
        self.app.post_message(Go("back"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What can be done now."""
        if self.commenting:
            return action == "back"
        if action == "retry":
            return self._failing is not None
        if action == "disputed":
            return self._over and self._disputed
        if action in ("undo", "history", "guidelines", "back"):
            return True
        return self.shown is not None


def guidelines_dialog(name: str, guideline: Guideline | None) -> TextDialog:
    """The guidelines of a queue to read, with their version."""
    name = one_line(name, 40)
    if guideline is None:
        return TextDialog("Guidelines", f"{name} has none; `playpen-tui annotate queue guidelines` gives it some.")
    return TextDialog(f"Guidelines of {name}, version {guideline.version}", guideline.text)


def _line(voted: Voted, beside: bool) -> str:
    flag = "⚑ " if voted.flag else ""
    comment = f"  “{one_line(voted.comment, 60)}”" if voted.comment else ""
    return f"{voted.at[11:16]}  {flag}{said(voted.verdict, voted.much, beside)}{comment}"
