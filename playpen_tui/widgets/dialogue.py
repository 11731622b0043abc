"""The dialogue: who said what, the newest at the bottom, with the line that is being written.

Only the last turns are mounted. While somebody reads further up, nothing moves under their eyes: following resumes
at the end. Tokens arrive by `stream`, are kept, and are painted at most ten times a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from games.engine import Role
from playpen_tui.text import SILENT, clean, one_line, short
from playpen_tui.transcript import YOU, Entry
from playpen_tui.widgets.put import put
from playpen_tui.widgets.turns import TurnCursor, mark_words
from store.turn_judging import Mark

WINDOW = 60
"""Utterances that stay mounted."""

WIDEST = 14
"""Columns of a name; what is longer is cut."""


def words(entry: Entry, mine: bool, mark: Mark | None = None) -> Content:
    """What was said, the lesser part after it, why it broke the form where it did, and what one thinks of it."""
    said = Content.styled(clean(entry.text), "bold" if mine else "")
    parts = [said if entry.text.strip() else Content.styled(SILENT, "$secondary italic")]
    if entry.extra:
        parts.append(Content.styled(f"  {clean(entry.extra, 600)}", "$secondary"))
    if entry.broken:
        parts.append(Content.styled(f"\n⊘ {one_line(entry.broken)}", "$error"))
    if mark:
        parts += [Content("\n"), mark_words(mark)]
    return Content("").join(parts)


class Utterance(Horizontal):
    """A speaker and what they said, the text hanging beside the name."""

    DEFAULT_CSS = """
    Utterance { height: auto; margin: 1 0 0 0; padding: 0 0 0 1; }
    Utterance.at { padding: 0; border-left: outer $accent; background: $panel; }
    Utterance > .speaker { height: auto; color: $primary; margin: 0 2 0 0; }
    Utterance.mine > .speaker { color: $accent; }
    Utterance > .words { width: 1fr; height: auto; }
    """

    def __init__(self, name: str, width: int, text: Content, *, mine: bool = False, classes: str = "said") -> None:
        super().__init__(classes=classes + (" mine" if mine else ""))
        self._who = Static(Content(short(name, width)), classes="speaker")
        self._who.styles.width = width
        self._words = Static(text, classes="words")

    def compose(self) -> ComposeResult:
        """Name and words."""
        yield self._who
        yield self._words

    def put(self, text: Content) -> None:
        """Change the words."""
        put(self._words, text)

    def say(self, name: str, width: int, text: Content) -> None:
        """Change both."""
        self._who.styles.width = width
        put(self._who, Content(short(name, width)), layout=False)
        put(self._words, text)


class Dialogue(TurnCursor):
    """A scroll of utterances. Turns that are mounted can be judged."""

    DEFAULT_CSS = """
    Dialogue { padding: 0 1 0 1; scrollbar-size-vertical: 1; }
    Dialogue #older { display: none; color: $secondary; padding: 0 0 0 1; }
    Dialogue #older.some { display: block; }
    Dialogue .live.idle { display: none; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._names: Mapping[Role, str] = {}
        self._mine: frozenset[Role] = frozenset()
        self._shown: list[Entry] = []
        self._live: tuple[Role, str, str] | None = None
        self._stale = False
        self._following = True
        self._story = ""
        self._waiting: tuple[list[Entry], dict[Role, str], frozenset[Role]] | None = None
        self._one = asyncio.Lock()
        """What is mounted is known only when nobody else mounts."""

    def compose(self) -> ComposeResult:
        """A note about older turns, and the line being written."""
        yield Static("", id="older")
        yield Utterance("", 8, Content(""), classes="live idle")

    def on_mount(self) -> None:
        """Paint streamed text in a steady rhythm."""
        self.set_interval(0.1, self._paint)

    async def show(
        self, entries: Sequence[Entry], names: Mapping[Role, str], mine: frozenset[Role], story: str = ""
    ) -> None:
        """Bring the scroll up to these entries: appends what is new, redraws what has changed.

        `story` says whose dialogue this is, through whose eyes. While it stays the same, nothing above the reader's
        eyes is redrawn or taken away: that waits until they are back at the end. Calls wait for each other.
        """
        async with self._one:
            await self._bring(entries, names, mine, story)

    async def _bring(
        self, entries: Sequence[Entry], names: Mapping[Role, str], mine: frozenset[Role], story: str
    ) -> None:
        same = story == self._story and bool(self._shown and entries) and entries[-1].ply >= self._shown[-1].ply
        reading = same and not self._following
        if story != self._story:
            self._story, self._following, self.marks = story, True, {}
            self.to_turn(None)
        start = max(0, len(entries) - WINDOW)
        if reading:
            last = self._shown[-1].ply
            fresh = [entry for entry in entries if entry.ply > last]
            self._waiting = (list(entries), dict(names), mine)
            await self._append(fresh, names, mine)
            self._shown += fresh
            return
        self._waiting = None
        window = list(entries[start:])
        renamed = names != self._names or mine != self._mine
        self._names, self._mine = dict(names), mine
        gone = next((at for at, entry in enumerate(self._shown) if window and entry.ply == window[0].ply), None)
        known = len(self._shown) - gone if gone is not None else 0
        if renamed or gone is None or window[:known] != self._shown[gone:]:
            await self.query(".said").remove()
            known = 0
        elif gone:
            await self.remove_children(list(self.query(".said"))[:gone])
        older = self.query_one("#older", Static)
        older.set_class(start > 0, "some")
        put(older, Content(f"{start} older turns are in the log"))
        self._shown = window
        if self.at is not None and self.at not in self.turns():
            self.to_turn(None)
        await self._append(window[known:], names, mine)
        self._follow()

    async def _append(self, fresh: Sequence[Entry], names: Mapping[Role, str], mine: frozenset[Role]) -> None:
        if not fresh:
            return
        width = min(max(self._width, *(len(e.who) for e in fresh), 1), WIDEST)
        said = [
            Utterance(
                *(e.who or names.get(e.role, e.role), width, words(e, own, self.marks.get(e.ply))),
                mine=own,
                classes="said at" if e.ply == self.at else "said",
            )
            for e in fresh
            for own in [e.who == YOU or (e.role in mine and e.who in ("", names.get(e.role)))]
        ]
        await self.mount_all(said, before=".live")

    def turns(self) -> list[int]:
        """The plies of what is mounted."""
        return [entry.ply for entry in self._shown]

    def _said(self) -> dict[int, tuple[Entry, Utterance]]:
        pairs = zip(self._shown, self.query(".said").results(Utterance), strict=False)
        return {entry.ply: (entry, said) for entry, said in pairs}

    def redraw_turns(self, *plies: int) -> None:
        """Draw these utterances anew."""
        there = self._said()
        for entry, said in (there[ply] for ply in plies if ply in there):
            said.set_class(entry.ply == self.at, "at")
            said.put(words(entry, said.has_class("mine"), self.marks.get(entry.ply)))

    def show_turn(self, ply: int) -> None:
        """Scroll to an utterance; the newest one has the end of the scroll with it."""
        if found := self._said().get(ply):
            if self._shown and ply == self._shown[-1].ply:
                self.scroll_end(animate=False, immediate=True)
            else:
                self.scroll_to_widget(found[1], animate=False, immediate=True)

    def stream(self, role: Role, text: str, note: str = "") -> None:
        """Show this as what `role` is writing, or has said where a note says what it waits for; painted soon."""
        self._live = (role, text, note)
        self._stale = True

    def quiet(self) -> None:
        """Nobody is writing."""
        self._live = None
        self._stale = True

    @property
    def _width(self) -> int:
        return min(max((len(name) for name in self._names.values()), default=8), WIDEST)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Whoever scrolls to the end follows from there on; whoever scrolls away reads in peace."""
        super().watch_scroll_y(old_value, new_value)
        self._following = new_value >= self.max_scroll_y - 1
        if self._following and self._waiting is not None:
            self.call_next(self._catch_up)

    async def _catch_up(self) -> None:
        """Draw what had to wait while somebody read further up."""
        if self._waiting is not None and self._following:
            entries, names, mine = self._waiting
            await self.show(entries, names, mine, self._story)

    def on_resize(self) -> None:
        """Other widths have other heights."""
        self._follow()

    def _follow(self) -> None:
        if self._following:
            self.call_after_refresh(self._to_the_end)

    def _to_the_end(self) -> None:
        if self._following:  # asked again: the reader may have left the end since this was put off
            self.scroll_end(animate=False, immediate=True)

    def _paint(self) -> None:
        if not self._stale or not self.is_attached:
            return
        self._stale = False
        live = self.query_one(".live", Utterance)
        live.set_class(self._live is None, "idle")
        if self._live is not None:
            role, text, note = self._live
            content = Content(clean(text)) + (Content.styled(f"  {note}", "$secondary") if note else Content("▏"))
            live.say(self._names.get(role, role), self._width, content)
            self._follow()
