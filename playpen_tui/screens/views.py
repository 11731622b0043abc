"""Views: queries under a name. Choose one, save the present one, forget one of your own."""

from __future__ import annotations

from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from playpen_tui.actions import bindings
from playpen_tui.browsing import GIVEN, Browsing
from playpen_tui.screens.dialogs import Prompt
from playpen_tui.text import clean, one_line, short
from playpen_tui.workbench import expected
from store.curate import SavedView

NAME = 24
"""Columns of the names."""


class ViewsScreen(ModalScreen[str | None]):
    """Gives the query of the view that was chosen; esc gives None."""

    BINDINGS = bindings("views")

    def __init__(self, browsing: Browsing) -> None:
        super().__init__()
        self._browsing = browsing
        self._views: list[SavedView] = []

    def compose(self) -> ComposeResult:
        """Title, views, keys."""
        with Vertical():
            yield Static("Views", id="views-title")
            yield OptionList()
            yield Static("", id="views-keys")

    def on_mount(self) -> None:
        """Read them."""
        self.query_one(OptionList).focus()
        self._fill()

    @work(group="views", exclusive=True, exit_on_error=False)
    async def _fill(self, at: str | None = None) -> None:
        try:
            self._views = await self._browsing.views()
        except expected() as error:
            self._say(str(error))
            return
        box = self.query_one(OptionList)
        before = box.highlighted or 0
        box.clear_options()
        room = max(10, min(84, self.size.width) - 8 - NAME)
        for view in self._views:
            name = Content(f"{short(view.name, NAME - 2):<{NAME}}")
            about = view.query or ("everything but the trash" if view in GIVEN else "everything")
            box.add_option(Option(name + Content(short(about, room))))
        names = [view.name for view in self._views]
        box.highlighted = names.index(at) if at in names else min(before, len(self._views) - 1)
        now = one_line(str(self._browsing.query) or "all episodes", 60)
        self._say(f"enter choose   s save “{now}”   d forget   esc back")
        self.refresh_bindings()

    def _say(self, text: str) -> None:
        self.query_one("#views-keys", Static).update(Content(clean(text, 300)))

    @property
    def _at(self) -> SavedView | None:
        at = self.query_one(OptionList).highlighted
        return None if at is None or at >= len(self._views) else self._views[at]

    def on_option_list_option_highlighted(self) -> None:
        """Those that everybody has cannot be forgotten."""
        self.refresh_bindings()

    def on_option_list_option_selected(self) -> None:
        """This one."""
        if (view := self._at) is not None:
            self.dismiss(view.query)

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_save(self) -> None:
        """Keep the present query."""
        query = one_line(str(self._browsing.query) or "all episodes", 200)
        name = await self.app.push_screen_wait(Prompt(f"A name for {query}"))
        if name is None:
            return
        try:
            saved = await self._browsing.save_view(name)
        except expected() as error:
            self._say(f"✗ {error}")
            return
        self._fill(saved.name)

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_drop(self) -> None:
        """Forget this one."""
        view = self._at
        if view is None or view in GIVEN:
            return
        try:
            await self._browsing.drop_view(view.name)
        except expected() as error:
            self._say(f"✗ {error}")
            return
        self._fill()

    def action_back(self) -> None:
        """None."""
        self.dismiss(None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only one's own views can be forgotten."""
        return action != "drop" or (self._at is not None and self._at not in GIVEN)
