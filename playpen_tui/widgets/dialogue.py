"""The dialogue: who said what, the newest at the bottom, with the line that is being written.

Only the last turns are mounted. While somebody reads further up, nothing moves under their eyes: following resumes
at the end. Tokens arrive by `stream`, are kept, and are painted at most ten times a second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from games.engine import Role
from playpen_tui.text import clean, one_line, short
from playpen_tui.transcript import Entry

WINDOW = 60
"""Utterances that stay mounted."""


def words(entry: Entry, mine: bool) -> Content:
    """What was said, the lesser part after it, and why it broke the form where it did."""
    parts = [Content.styled(clean(entry.text), "bold" if mine else "")]
    if entry.extra:
        parts.append(Content.styled(f"  {clean(entry.extra, 600)}", "$secondary"))
    if entry.broken:
        parts.append(Content.styled(f"\n⊘ {one_line(entry.broken)}", "$error"))
    return Content("").join(parts)


class Utterance(Horizontal):
    """A speaker and what they said, the text hanging beside the name."""

    DEFAULT_CSS = """
    Utterance { height: auto; margin: 1 0 0 0; }
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

    def say(self, name: str, width: int, text: Content) -> None:
        """Change both."""
        self._who.styles.width = width
        self._who.update(Content(short(name, width)))
        self._words.update(text)


class Dialogue(VerticalScroll):
    """A scroll of utterances."""

    DEFAULT_CSS = """
    Dialogue { padding: 0 1 0 2; scrollbar-size-vertical: 1; }
    Dialogue #older { display: none; color: $secondary; }
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

    def compose(self) -> ComposeResult:
        """A note about older turns, and the line being written."""
        yield Static("", id="older")
        yield Utterance("", 8, Content(""), classes="live idle")

    def on_mount(self) -> None:
        """Paint streamed text in a steady rhythm."""
        self.set_interval(0.1, self._paint)

    async def show(self, entries: Sequence[Entry], names: Mapping[Role, str], mine: frozenset[Role]) -> None:
        """Bring the scroll up to these entries: appends what is new, redraws when it is another story."""
        window = list(entries[-WINDOW:])
        renamed = names != self._names or mine != self._mine
        self._names, self._mine = dict(names), mine
        width = self._width
        known = len(self._shown)
        appended = not renamed and len(window) >= known and window[:known] == self._shown
        if not appended:
            await self.query(".said").remove()
            known = 0
        older = self.query_one("#older", Static)
        older.set_class(len(entries) > WINDOW, "some")
        older.update(Content(f"{len(entries) - WINDOW} older turns are in the log"))
        fresh = [
            Utterance(self._names.get(e.role, e.role), width, words(e, e.role in mine), mine=e.role in mine)
            for e in window[known:]
        ]
        if fresh:
            await self.mount_all(fresh, before=".live")
            self._follow()
        self._shown = window

    def stream(self, role: Role, text: str, note: str = "") -> None:
        """Show this as what `role` is writing; painted soon."""
        self._live = (role, text, note)
        self._stale = True

    def quiet(self) -> None:
        """Nobody is writing."""
        self._live = None
        self._stale = True

    @property
    def _width(self) -> int:
        return min(max((len(name) for name in self._names.values()), default=8), 14)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Whoever scrolls to the end follows from there on; whoever scrolls away reads in peace."""
        super().watch_scroll_y(old_value, new_value)
        self._following = new_value >= self.max_scroll_y - 1

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
            content = Content(clean(text) + "▏") + Content.styled(f"  {note}" if note else "", "$secondary")
            live.say(self._names.get(role, role), self._width, content)
            self._follow()
