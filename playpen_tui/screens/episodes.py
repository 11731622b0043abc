"""The episodes behind a number, as a list over the screen that shows it.

`open_episodes` is the one way from a cell to its episodes.
"""

from __future__ import annotations

import asyncio

from textual import work
from textual.app import App, ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from playpen_tui.actions import bindings
from playpen_tui.messages import Look, Read
from playpen_tui.text import one_line, short
from playpen_tui.theme import GLYPHS
from playpen_tui.watching import Watch
from playpen_tui.workbench import Workbench, expected
from store.filters import Filters
from store.records import EpisodeRow

MOST = 500
"""Episodes that are listed; the rest is counted."""


def open_episodes(app: App[int], bench: Workbench, filters: Filters, title: str) -> None:
    """Show the episodes that fit."""
    app.push_screen(EpisodesDialog(bench, filters, title))


class EpisodesDialog(ModalScreen[None]):
    """A list of episodes; enter opens one."""

    BINDINGS = bindings("episodes")
    CSS_PATH = "results.tcss"

    def __init__(self, bench: Workbench, filters: Filters, title: str) -> None:
        super().__init__()
        self.bench = bench
        self.filters = filters
        self._title = title
        self._rows: list[EpisodeRow] = []

    def compose(self) -> ComposeResult:
        """Title, list, keys."""
        with Vertical():
            yield Static(Content(one_line(self._title, 200)), id="episodes-title")
            yield OptionList(id="episodes")
            yield Static("enter read   w watch again   y copy the id   esc close", id="episodes-keys")

    def on_mount(self) -> None:
        """Read them."""
        self.query_one(OptionList).focus()
        self._read()

    @work(group="episodes", exclusive=True, exit_on_error=False)
    async def _read(self) -> None:
        try:
            log = await self.bench.log()
            rows = await asyncio.to_thread(log.queries.matching, self.filters, MOST + 1)
        except expected() as error:
            self.notify(one_line(str(error), 500), severity="error", timeout=12, markup=False)
            self.dismiss(None)
            return
        self._rows = rows[:MOST]
        box = self.query_one(OptionList)
        box.clear_options()
        width = max(40, self.size.width - 12)
        box.add_options([Option(Content("").join([_line(row, min(96, width))])) for row in self._rows])
        if self._rows:
            box.highlighted = 0
        if len(rows) > MOST:
            box.add_option(Option(Content(f"and more; these are the latest {MOST}"), disabled=True))

    @property
    def chosen(self) -> EpisodeRow | None:
        """The episode under the cursor."""
        at = self.query_one(OptionList).highlighted
        return None if at is None or at >= len(self._rows) else self._rows[at]

    def on_option_list_option_selected(self) -> None:
        """Enter opens one."""
        self.action_read()

    def action_read(self) -> None:
        """Open it."""
        if (row := self.chosen) is not None:
            self.app.post_message(Read(row.id))

    def action_watch(self) -> None:
        """Watch it again; leaving leads back here."""
        if (row := self.chosen) is not None:
            self.app.post_message(Look(Watch(episodes=(row.id,)), over=True))

    def action_copy(self) -> None:
        """The id, for `spectate --episode`."""
        if (row := self.chosen) is not None:
            self.app.copy_to_clipboard(row.id)
            self.notify(f"copied {row.id}", markup=False)

    def action_back(self) -> None:
        """Close."""
        self.dismiss(None)


def _line(row: EpisodeRow, width: int) -> Content:
    style = {"success": "$success", "failure": "$error"}.get(row.outcome or "", "$warning")
    score = "–" if row.main is None else f"{row.main:.1f}"
    word = (row.outcome or "unfinished") + (f", {row.reason}" if row.reason else "")
    who = " · ".join(dict.fromkeys(row.seats.values()))
    name, said = (24, 22) if width >= 90 else (16, 16)
    rest = max(10, width - 2 - 6 - 2 - name - 2 - said - 2)
    return Content.styled(f"{GLYPHS.get(row.outcome, '…')} ", style) + Content(
        f"{score:>6}  {short(row.instance, name):<{name}}  {short(word, said):<{said}}  {short(who, rest)}"
    )
