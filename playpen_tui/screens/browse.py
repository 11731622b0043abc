"""The episodes of the log: a query as chips, a list of any length, and what can be done with what is marked.

The screen only draws a `Browsing`. Lines are fetched as they come into view; a query that is replaced by another is
given up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.suggester import Suggester
from textual.widgets import Input, Static

from playpen_tui.actions import bindings
from playpen_tui.browsing import SORTS, Browsing, Superseded
from playpen_tui.listing import Cell, cells, excerpt, head
from playpen_tui.messages import Go
from playpen_tui.screens.compare import CompareScreen
from playpen_tui.screens.dialogs import Choose, Prompt
from playpen_tui.screens.episode import EpisodeScreen
from playpen_tui.screens.views import ViewsScreen
from playpen_tui.text import clean, one_line, short
from playpen_tui.widgets.keys import KeyLine
from playpen_tui.widgets.rows import Rows
from playpen_tui.workbench import Workbench, expected
from store import curate
from store.browse import Found
from store.curate import Change
from store.query import KEYS, BadQuery, Query, parse, suggest
from store.query import SORTS as ORDERS

LOOK = 2.0
"""Seconds between two looks for episodes that came since."""
T = TypeVar("T")


class Completion(Suggester):
    """Completes the last word of a query."""

    def __init__(self) -> None:
        super().__init__(case_sensitive=True, use_cache=False)
        self.vocabulary: dict[str, list[str]] = {}

    async def get_suggestion(self, value: str) -> str | None:
        """The line with its last word completed."""
        return suggest(value, self.vocabulary)


class BrowseScreen(Screen[None]):
    """The list."""

    BINDINGS = bindings("browse")
    CSS_PATH = "browse.tcss"

    def __init__(
        self, bench: Workbench, browsing: Browsing, query: Query, sought: Callable[[str], None] = lambda query: None
    ) -> None:
        super().__init__()
        self.bench = bench
        self.browsing = browsing
        self._query = query
        self._sought = sought
        self._trouble = ""
        self._completion = Completion()
        self._offered: object = None

    def compose(self) -> ComposeResult:
        """Title, query, list, the line under the cursor in full, keys."""
        with Horizontal(id="head"):
            yield Static("Episodes", id="title")
            yield Static("", id="status")
        yield Static("", id="chips")
        with Horizontal(id="asked"):
            yield Static("query ▸", id="ask-label")
            yield Input(id="line", suggester=self._completion, select_on_focus=False, disabled=True)
        yield Static("", id="hint")
        yield Static("", id="columns")
        yield Rows(self, id="rows")
        yield Static("", id="nothing")
        yield Static("", id="under")
        yield KeyLine()

    def on_mount(self) -> None:
        """Read the first page."""
        self.browsing.changed = self._fill
        self.query_one("#nothing").display = False
        self.query_one(Rows).focus()
        self._open(self._query)
        self.set_interval(LOOK, self._look)

    def on_unmount(self) -> None:
        """Give up what is being read."""
        self.browsing.close()

    def on_resize(self) -> None:
        """Other widths have other columns."""
        self._fill()

    # reading

    @work(group="open", exclusive=True, exit_on_error=False)
    async def _open(self, query: Query, stay: int | None = None) -> None:
        self._trouble = ""
        self._sought(str(query))
        rows = self.query_one(Rows)
        if stay is None:
            rows.go(0)
        try:
            await self.browsing.open(query)
            if stay is not None:
                rows.go(stay)
            self._completion.vocabulary = await self.browsing.vocabulary()
        except Superseded:
            return
        except expected() as error:
            self._trouble = str(error)
        self._fill()

    @work(group="look", exclusive=True, exit_on_error=False)
    async def _look(self) -> None:
        if self.browsing.total is not None:
            await self.browsing.look()

    @work(group="fetch", exit_on_error=False)
    async def _fetch(self, number: int) -> None:
        await self._try(self.browsing.fetch(number))

    async def _try(self, doing: Awaitable[T]) -> T | None:
        """What came of it; None, and a note, where it could not be done."""
        try:
            return await doing
        except Superseded:
            return None
        except expected() as error:
            self.notify(one_line(str(error), 500), severity="error", timeout=12, markup=False)
            return None

    def _need(self) -> None:
        """Fetch what is in view, and what comes next."""
        first, last = self.query_one(Rows).in_view
        for number in self.browsing.lacking(first - 40, last + 40):
            self._fetch(number)

    def on_rows_moved(self) -> None:
        """Other lines are in view, or the cursor stands on another."""
        self._need()
        self._under()

    # drawing

    def line(self, position: int, width: int) -> list[Cell] | None:
        """One line of the list."""
        found = self.browsing.peek(position)
        return None if found is None else cells(found, width, marked=found.id in self.browsing.marked)

    def _fill(self) -> None:
        """Draw all that may have changed."""
        if not self.is_attached or not self.query("#rows"):
            return
        browsing, rows = self.browsing, self.query_one(Rows)
        rows.fill(0 if self._trouble else browsing.known)
        empty = bool(self._trouble) or browsing.total == 0
        rows.display = self.query_one("#columns").display = not empty
        self.query_one("#under").display = not empty
        if not empty and self.focused is None:
            rows.focus()
        nothing = self.query_one("#nothing", Static)
        nothing.display = empty
        if empty:
            nothing.update(no_rows(browsing.query, self._trouble))
        self.query_one("#columns", Static).update(Content(head(max(20, self.size.width - 3))))
        self._status()
        self.query_one("#chips", Static).update(chips(browsing.query))
        self._need()
        self._under()
        self._rebind()

    def _rebind(self) -> None:
        """Draw the keys anew where others are offered now: that costs more than all the rest of a key."""
        offered = (self.browsing.known > 0, len(self.browsing.marked) == 2, self.browsing.query.chips, self._trouble)
        if offered != self._offered:
            self._offered = offered
            self.refresh_bindings()

    def _status(self) -> None:
        browsing = self.browsing
        parts = ["counting …" if browsing.total is None else f"{browsing.total:,} found", ORDERS[browsing.query.sort]]
        parts += [f"{len(browsing.marked):,} marked"] if browsing.marked else []
        parts += [f"{browsing.news:,} new, r reads them"] if browsing.news else []
        self.query_one("#status", Static).update(Content(" · ".join(parts)), layout=False)

    @property
    def found(self) -> Found | None:
        """The episode under the cursor."""
        return self.browsing.peek(self.query_one(Rows).cursor)

    def _under(self) -> None:
        """Tell of the line under the cursor what it has no room for."""
        found, width = self.found, max(20, self.size.width - 4)
        box = self.query_one("#under", Static)
        if found is None:
            box.update("", layout=False)
            return
        row = found.row
        seats = " · ".join(f"{role} {name}" for role, name in row.seats.items())
        about = [f"{row.instance}", *([row.reason] if row.reason else []), *(f"#{tag}" for tag in found.tags)]
        about += ["in the trash"] if found.trashed else []
        run = (row.run_kind or "no run").replace("_", "-")
        third = [Content.styled(short(f"{row.id}  {run}", width), "$secondary")]
        if found.excerpt:
            styles = {"hit": "bold $accent"}
            third = [Content.styled(text, styles.get(style, "$secondary")) for text, style in excerpt(found.excerpt)]
        lines = [
            Content(short(seats, width)),
            Content.styled(short(" · ".join(about), width), "$secondary"),
            Content("").join(third),
        ]
        box.update(Content("\n").join(lines), layout=False)

    # the query

    def action_edit(self) -> None:
        """Write the query."""
        line = self.query_one("#line", Input)
        line.disabled = False
        self.add_class("-asking")
        query = self.browsing.query
        line.value = clean(str(Query(tuple(chip for chip in query.chips if chip.key != "sort"))), None)
        line.value += " " if line.value else ""
        line.cursor_position = len(line.value)
        line.focus()
        self._hint("")

    def _hint(self, wrong: str) -> None:
        box = self.query_one("#hint", Static)
        box.set_class(bool(wrong), "wrong")
        keys = " ".join(f"{key}:" for key in KEYS if key not in ("score", "plies")) + " score>50 plies<4"
        known = f'{keys} "exact words" -word   enter looks, → completes, esc leaves'
        box.update(Content(f"✗ {one_line(wrong, 300)}" if wrong else known))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say what is wrong while it is written."""
        if not self.has_class("-asking"):
            return
        try:
            parse(event.value)
        except BadQuery as error:
            self._hint(str(error))
        else:
            self._hint("")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Look for it, where it is a query."""
        try:
            query = parse(event.value)
        except BadQuery as error:
            self._hint(str(error))
            return
        if not any(chip.key == "sort" for chip in query.chips):
            query = query.sorted(self.browsing.query.sort)
        self._leave_line()
        self._open(query)

    def _leave_line(self) -> None:
        self.remove_class("-asking")
        self.query_one("#line", Input).disabled = True  # else it takes the focus where the list is empty
        self.query_one(Rows).focus()

    def action_drop_chip(self) -> None:
        """Take the last condition away."""
        chips = self.browsing.query.chips
        kept = [chip for chip in chips if chip.key != "sort"][:-1]
        self._open(Query((*kept, *(chip for chip in chips if chip.key == "sort"))))

    def action_sort(self) -> None:
        """The next order."""
        now = self.browsing.query.sort
        at = SORTS.index(now) if now in SORTS else -1
        self._open(self.browsing.query.sorted(SORTS[(at + 1) % len(SORTS)]))

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_views(self) -> None:
        """Choose a view."""
        query = await self.app.push_screen_wait(ViewsScreen(self.browsing))
        if query is not None:
            self._open(parse(query))

    def action_reload(self) -> None:
        """Read the log again."""
        self._open(self.browsing.query, self.query_one(Rows).cursor)

    # marks, and what is done with them

    def action_mark(self) -> None:
        """Mark this one, and go on."""
        if (found := self.found) is not None:
            self.browsing.mark(found.id)
            rows = self.query_one(Rows)
            rows.go(rows.cursor + 1)
            rows.refresh()
            self._status()
            self._rebind()

    @work(group="mark", exclusive=True, exit_on_error=False)
    async def action_mark_all(self) -> None:
        """All, or none."""
        await self._try(self.browsing.mark_all())
        self._fill()

    @property
    def _meant(self) -> list[str]:
        """The marked episodes, else the one under the cursor."""
        if self.browsing.marked:
            return list(self.browsing.marked)
        return [self.found.id] if self.found is not None else []

    async def _change(self, change: Change | None, undone: bool = False) -> None:
        if change is None:
            return
        told = f"{change}" + ("" if undone or not change.episodes else "; u takes it back")
        self.notify(one_line(told), markup=False)
        if change.episodes:
            self._open(self.browsing.query, self.query_one(Rows).cursor)

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_tag(self) -> None:
        """Put a word on them."""
        meant = self._meant
        if not meant:
            return
        known = self._completion.vocabulary.get("tag", [])
        word = await self.app.push_screen_wait(Prompt(f"A word for {_many(meant)}", known=known, check=_no_tag))
        if word is not None:
            await self._change(await self._try(self.browsing.change(lambda log: curate.tag(log, meant, word))))

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_untag(self) -> None:
        """Take a word off them."""
        meant = self._meant
        tags = await self._try(self.browsing.tags(meant)) or []
        if not tags:
            self.notify(f"{_many(meant)} without a tag", markup=False)
            return
        word = await self.app.push_screen_wait(Choose(f"Which word off {_many(meant)}?", [(tag, tag) for tag in tags]))
        if word is not None:
            await self._change(await self._try(self.browsing.change(lambda log: curate.untag(log, meant, word))))

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_trash(self) -> None:
        """Into the trash, or out of it."""
        meant = self._meant
        how = curate.restore if self.browsing.query.filters.trash == "in" else curate.trash
        change = await self._try(self.browsing.change(lambda log: how(log, meant)))
        if change is not None:
            for id in change.episodes:
                self.browsing.marked.pop(id, None)
        await self._change(change)

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_undo(self) -> None:
        """Take the last change back."""
        change = await self._try(self.browsing.undo())
        if change is None:
            self.notify("nothing to take back", markup=False, timeout=3)
        await self._change(change, undone=True)

    def action_copy(self) -> None:
        """Ids, one a line."""
        if meant := self._meant:
            self.app.copy_to_clipboard("\n".join(meant))
            self.notify(f"copied {len(meant):,} id{'s' * (len(meant) != 1)}", markup=False, timeout=3)

    # ways

    def on_rows_chosen(self) -> None:
        """Read it."""
        self.action_open()

    def action_open(self) -> None:
        """Read the one under the cursor."""
        if (found := self.found) is not None:
            screen = EpisodeScreen(self.bench, self.browsing, found.id, self.query_one(Rows).cursor)
            self.app.push_screen(screen, self._came_back)

    def _came_back(self, position: int | None) -> None:
        """From an episode: stand on the one that was read last."""
        if position is not None:
            self.query_one(Rows).go(position)
        self.browsing.changed = self._fill
        if self.browsing.stale:
            self.action_reload()
        self._fill()

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_compare(self) -> None:
        """Side by side."""
        one, other = self.browsing.marked
        left = await self._try(self.browsing.dossier(one))
        right = await self._try(self.browsing.dossier(other))
        if left is not None and right is not None:
            self.app.push_screen(CompareScreen(left, right))

    def action_back(self) -> None:
        """Out of the query line, or home."""
        if self.has_class("-asking"):
            self._leave_line()
        else:
            self.app.post_message(Go("home"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done now."""
        if action in ("open", "mark", "mark_all", "tag", "untag", "trash", "copy"):
            return not self._trouble and self.browsing.known > 0
        if action == "drop_chip":
            return any(chip.key != "sort" for chip in self.browsing.query.chips)
        if action == "compare":
            return len(self.browsing.marked) == 2
        return True


def no_rows(query: Query, trouble: str) -> Content:
    """What stands there instead of a list."""
    if trouble:
        return Content.styled(f"⊘ {one_line(trouble, 500)}", "$error")
    if not any(chip.key != "sort" for chip in query.chips):
        return Content("nothing is in the log yet; p on Home starts a game")
    told = "no episode fits\nbackspace takes the last condition away, / changes the query"
    if any(not chip.key and not chip.values[0].endswith("*") for chip in query.chips):
        told += "\nwords are found whole; a star finds what begins so: volc*"
    return Content(told)


def chips(query: Query) -> Content:
    """The conditions, each apart; those that are turned round in another colour, with their minus."""
    drawn = [
        Content.styled(f" {one_line(str(chip), 80)} ", "$error on $panel" if chip.negated else "$primary on $panel")
        for chip in query.chips
        if chip.key != "sort"
    ]
    if not drawn:
        return Content.styled("all episodes   / looks for some, v has views", "$secondary")
    return Content("  ").join(drawn)


def _many(episodes: list[str]) -> str:
    return "this episode" if len(episodes) == 1 else f"{len(episodes):,} episodes"


def _no_tag(text: str) -> str:
    """Why it cannot be a tag; empty where it can."""
    try:
        curate.tag_word(text)
    except curate.BadTag as error:
        return str(error)
    return ""
