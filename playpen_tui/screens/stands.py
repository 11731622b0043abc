"""The list before the stands: runs and episodes to choose from, what goes on now on top, filtered by typing.

It is read anew every two seconds; the cursor stays with the row it was on, however the rows move.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual import events, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from playpen_tui.actions import bindings
from playpen_tui.messages import Go, Look, NewRun
from playpen_tui.programme import NOTHING, Item, programme
from playpen_tui.text import one_line, short
from playpen_tui.theme import GLYPHS
from playpen_tui.widgets.keys import KeyLine
from playpen_tui.workbench import Workbench, expected

EVERY = 2.0
"""Seconds between two looks at the log."""
TITLES = {"running": "Running", "runs": "Runs", "bookmarked": "Bookmarked", "episodes": "Episodes"}
STATES = {
    "running": ("●", "$accent"),
    "done": ("✓", "$secondary"),
    "stopped": ("…", "$warning"),
    "killed": ("⊘", "$error"),
    "success": (GLYPHS["success"], "$success"),
    "failure": (GLYPHS["failure"], "$error"),
}
"""Glyph and colour of a state; the word stands beside it."""
STATE, AGE, NAMES = 13, 11, 10
"""Columns of the state, of the age, and of games and players at the least."""


class StandsScreen(Screen[None]):
    """What there is to watch."""

    BINDINGS = bindings("stands")
    DEFAULT_CSS = """
    StandsScreen { background: $background; }
    StandsScreen #head { height: 1; padding: 0 2; }
    StandsScreen #title { width: 1fr; color: $accent; text-style: bold; }
    StandsScreen #hint { width: auto; color: $secondary; }
    StandsScreen #filter { height: 1; padding: 0 2; background: $panel; display: none; }
    StandsScreen #filter.on { display: block; }
    StandsScreen #list, StandsScreen #list:focus {
        height: 1fr; border: none; border-top: solid $border; border-bottom: solid $border;
        background: $background; background-tint: $foreground 0%; padding: 0 1; scrollbar-size-vertical: 1;
    }
    StandsScreen #list > .option-list--option-highlighted { background: $panel; color: $foreground; }
    StandsScreen #none { height: 1fr; content-align: center middle; text-align: center; padding: 0 4;
                         color: $secondary; display: none; }
    StandsScreen Footer { background: $background; }
    """

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self.bench = bench
        self._items: list[Item] | None = None
        self._rows: list[Item | None] = []
        self._trouble = ""
        self._filter: str | None = None

    def compose(self) -> ComposeResult:
        """Title, filter, rows, keys."""
        with Horizontal(id="head"):
            yield Static("Watch", id="title")
            yield Static("enter watches   typing filters", id="hint")
        yield Static("", id="filter")
        yield OptionList(id="list")
        yield Static("", id="none")
        yield KeyLine()

    def on_mount(self) -> None:
        """Read the log, and again and again."""
        self.query_one(OptionList).focus()
        self.action_look()
        self.set_interval(EVERY, self.action_look)

    def on_screen_resume(self) -> None:
        """Back from the stands, where something may have been bookmarked."""
        self.action_look()

    def on_resize(self) -> None:
        """Other widths have other lines."""
        self.call_after_refresh(self._fill)

    @work(group="look", exclusive=True, exit_on_error=False)
    async def action_look(self) -> None:
        """Read the log again."""
        try:
            items, trouble = await programme(self.bench), ""
        except expected() as error:
            items, trouble = [], str(error)
        if (items, trouble) != (self._items, self._trouble):
            self._items, self._trouble = items, trouble
            self._fill()

    # rows

    def _fill(self) -> None:
        """Draw the rows that fit the filter; the cursor stays with its row, else it stands on the first."""
        if self._items is None or not self.is_attached or not self.query("#list"):
            return
        box, before = self.query_one(OptionList), self.chosen
        found = [item for item in self._items if item.fits(self._filter or "")]
        width = max(40, self.size.width - 5)
        drawn: list[Option] = []
        self._rows = []
        rooms = {group: columns([one for one in found if one.group == group], width) for group in TITLES}
        for number, item in enumerate(found):
            if number == 0 or found[number - 1].group != item.group:
                if drawn:
                    drawn.append(Option(Content(""), disabled=True))
                drawn.append(Option(Content.styled(TITLES[item.group], "$secondary"), disabled=True))
                self._rows += [None] * (len(drawn) - len(self._rows))
            drawn.append(Option(row(item, width, rooms[item.group])))
            self._rows.append(item)
        at, top = self._place(before), box.scroll_y
        box.clear_options()
        box.add_options(drawn)
        box.highlighted = at
        if before is not None:
            box.scroll_to(y=top, animate=False, force=True)
        self._say_none(bool(found))

    def _place(self, before: Item | None) -> int | None:
        """Where the cursor belongs: at the item it was on, else at the first."""
        there = [at for at, item in enumerate(self._rows) if item is not None]
        same = [
            at for at in there if before is not None and (one := self._rows[at]) is not None and one.id == before.id
        ]
        return (same or there or [None])[0]

    def _say_none(self, some: bool) -> None:
        box = self.query_one("#list")
        box.display = some
        if some and self.focused is None:
            box.focus()
        none = self.query_one("#none", Static)
        none.display = not some
        if self._trouble:
            none.update(Content.styled(f"⊘ {one_line(self._trouble, 600)}", "$error"))
        elif self._items:
            none.update(Content(f"nothing here has “{one_line(self._filter or '', 60)}” in it; esc shows all again"))
        else:
            none.update(Content(NOTHING))

    @property
    def chosen(self) -> Item | None:
        """The row under the cursor."""
        at = self.query_one(OptionList).highlighted
        return self._rows[at] if at is not None and at < len(self._rows) else None

    # keys

    def on_key(self, event: events.Key) -> None:
        """Whatever is typed filters. It is all one line of keys: no focus changes in the middle of a word."""
        if event.is_printable and event.character and event.character not in "/?":  # these have actions
            event.stop()
            self._narrow((self._filter or "") + event.character)
        elif event.key == "backspace" and self._filter is not None:
            event.stop()
            self._narrow(self._filter[:-1])
        elif event.key == "ctrl+u" and self._filter is not None:
            event.stop()
            self._narrow("")

    def action_filter(self) -> None:
        """Show the line that filters."""
        self._narrow(self._filter or "")

    def _narrow(self, words: str | None) -> None:
        """Fewer rows, or more; None shows all."""
        self._filter = words
        line = self.query_one("#filter", Static)
        line.set_class(words is not None, "on")
        hint = "a game, a player, running, won, bookmarked …"
        line.update(Content.styled("filter ▸ ", "$accent") + Content(f"{one_line(words or '', 200)}▏"))
        if not words:
            line.update(Content.styled("filter ▸ ▏", "$accent") + Content.styled(hint, "$secondary"))
        self._fill()
        if self._rows:
            self.query_one(OptionList).scroll_home(animate=False)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter, or a click."""
        self.action_open()

    def action_open(self) -> None:
        """Into the stands."""
        if (item := self.chosen) is not None and item.state == "not begun":
            way = f"; `playpen-tui selfplay --resume {item.id}` begins it"
            self.notify(f"nothing was ever begun in this run, so there is nothing to watch{way}", markup=False)
        elif item is not None:
            self.app.post_message(Look(item.watch, over=True))

    def action_new(self) -> None:
        """Another run."""
        self.app.post_message(NewRun())

    def action_back(self) -> None:
        """Without the filter, else home."""
        if self._filter is not None:
            self._narrow(None)
        else:
            self.app.post_message(Go("home"))


def columns(items: Sequence[Item], width: int) -> tuple[int, int, int]:
    """Columns for games, players and counts of these rows. Counts get what they need, names share the rest."""
    games, who, how = (
        max((len(one_line(text, 80)) for text in some), default=0)
        for some in ([one.games for one in items], [one.who for one in items], [one.how for one in items])
    )
    room = width - STATE - AGE - 4
    how = min(how, max(room - NAMES, room - games - who))
    left = room - how
    if games + who > left:
        games = max(min(games, left * 3 // 5), left - who)
    return games, max(0, min(who, left - games)), how


def row(item: Item, width: int, columns: tuple[int, int, int]) -> Content:
    """One row of so many cells: state, games, who plays, how it stands, since when."""
    glyph, style = STATES.get(item.state, ("⊘" if item.state == "aborted" else "…", "$warning"))
    state = f"{glyph} {item.word}"
    games, who, how = (
        f"{short(one_line(text, 80), room):<{room}}"
        for text, room in zip((item.games, item.who, item.how), columns, strict=True)
    )
    left = Content.styled(f"{state:<{STATE}}", style) + Content(f"{games}  ") + Content.styled(f"{who}  ", "$secondary")
    left += Content(how)
    age = f"{item.age:>{max(AGE, width - left.cell_length)}}"
    return (left + Content.styled(age, "$secondary")).truncate(width, ellipsis=True)
