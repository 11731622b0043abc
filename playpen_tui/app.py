"""The app: themes, the last fence against escape sequences, and the way between screens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App, SystemCommand
from textual.dom import DOMNode
from textual.filter import LineFilter
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from playpen_tui.actions import Action, bindings, of
from playpen_tui.messages import Go, Look, Sit
from playpen_tui.screens.dialogs import Choose, TextDialog, help_text
from playpen_tui.sitting import Setup, Sitting
from playpen_tui.text import ControlFilter, one_line
from playpen_tui.theme import THEMES
from playpen_tui.workbench import Workbench, expected, question

if TYPE_CHECKING:
    from playpen_tui.stands import LiveStand
    from playpen_tui.watching import Stand, Watch

FAULT = "The log is as it was. `playpen-tui --debug play … --plain` shows where it happened."


class PlaypenApp(App[int]):
    """Play, and all that will come to stand beside it."""

    TITLE = "playpen"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS = bindings("app")
    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]]] = [(0, "-narrow"), (100, "-wide")]
    CSS = """
    Toast { max-width: 70; }
    FooterKey .footer-key--key { color: $accent; background: $background; }
    FooterKey .footer-key--description { color: $secondary; }
    """

    def __init__(
        self, bench: Workbench, setup: Setup | None = None, *, picker: bool = False, watch: Watch | None = None
    ) -> None:
        super().__init__()
        self._picker = picker
        self._watch = watch
        self.live: LiveStand | None = None
        """The run that this process plays, also while nobody looks."""
        self._playing: asyncio.Task[None] | None = None
        self.bench = bench
        self._wanted = setup
        self._home: Screen[None] | None = None
        self.last: Sitting | None = None

    def get_line_filters(self) -> list[LineFilter]:
        """Textual's own filters, and ours behind them."""
        return [*super().get_line_filters(), ControlFilter()]

    def on_mount(self) -> None:
        """Themes, then the first screen."""
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = self.bench.settings.theme if self.bench.settings.theme in self.available_themes else THEMES[0].name
        from playpen_tui.screens.home import HomeScreen

        self._home = HomeScreen(self.bench)
        self.push_screen(self._home)
        if self._wanted is not None:
            self.post_message(Sit(self._wanted))
        elif self._watch is not None:
            self.post_message(Look(self._watch))
        elif self._picker:
            self.post_message(Go("pick"))

    # ways

    async def on_go(self, message: Go) -> None:
        """To Home, to the picker or to the models; whatever lay above Home is closed."""
        await self._to_home()
        if message.where == "pick":
            from playpen_tui.screens.pick import PickScreen

            overview = await self.bench.overview()
            await self.push_screen(PickScreen(self.bench, overview.default, message.partner))
        elif message.where == "models":
            from playpen_tui.screens.models import ModelsScreen

            await self.push_screen(ModelsScreen(self.bench))

    async def _to_home(self) -> None:
        while len(self.screen_stack) > 1 and self.screen is not self._home:
            await self.pop_screen()

    def on_sit(self, message: Sit) -> None:
        """Deal and sit down, after the question about consent where it was never asked."""
        self.run_worker(self._sit(message), group="sit", exclusive=True, exit_on_error=False)

    async def _sit(self, message: Sit) -> None:
        setup = message.setup
        try:
            setup = await self.bench.complete(setup)
            if setup.has_people and setup.record and await self.bench.needs_consent(setup):
                answer = await self.push_screen_wait(Choose(*question(setup.language)))
                if answer is None:
                    return
                if answer == "none":
                    setup = replace(setup, record=False)
                else:
                    await self.bench.give_consent(answer, setup)
            sitting = await self.bench.deal(setup, avoid=message.avoid)
        except expected() as error:
            self.notify(one_line(str(error), 500), severity="error", timeout=12, markup=False)
            return
        from playpen_tui.screens.play import PlayScreen

        await self._to_home()
        self.last = sitting
        await self.push_screen(PlayScreen(sitting, self.bench))

    def on_look(self, message: Look) -> None:
        """To the stands."""
        self.run_worker(self._look(message.what), group="sit", exclusive=True, exit_on_error=False)

    async def _look(self, what: Watch) -> None:
        from playpen_tui.screens.spectate import SpectateScreen
        from playpen_tui.stands import LiveStand, open_stand

        live = self.live if self.live is not None and not self.live.finished else None
        try:
            if live is not None and what.run == live.played.run_id:
                stand: Stand = live
            elif live is not None and what.wish is not None:
                self.notify("a run goes on already; watch it from Home, or let it end first", markup=False)
                return
            else:
                stand = await open_stand(self.bench, what)
        except expected() as error:
            self.notify(one_line(str(error), 500), severity="error", timeout=12, markup=False)
            return
        if isinstance(stand, LiveStand) and stand is not live:
            self.live = stand
            self._playing = asyncio.ensure_future(stand.follow())
            self._playing.add_done_callback(self._played)
        await self._to_home()
        await self.push_screen(SpectateScreen(self.bench, stand))

    def _played(self, playing: asyncio.Task[None]) -> None:
        """The run is over, or the log could not be written."""
        error = None if playing.cancelled() else playing.exception()
        if error is not None and self.is_running:
            self.notify(one_line(str(error) or type(error).__name__, 500), severity="error", timeout=20, markup=False)

    async def settle(self) -> str | None:
        """Stop the run of this process and wait for its last word; returns the command that goes on with it."""
        if self.live is None or self._playing is None:
            return None
        self.live.played.scheduler.stop()
        await asyncio.wait([self._playing])
        tally = self.live.played.scheduler.tally
        return None if tally.done == tally.planned else f"playpen-tui selfplay --resume {self.live.played.run_id}"

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A worker died of what nobody expected: say so, instead of standing still."""
        error = event.worker.error
        if event.state is WorkerState.ERROR and error is not None:
            if isinstance(error, expected()):
                self.notify(one_line(str(error), 500), severity="error", timeout=12, markup=False)
            else:
                self.push_screen(TextDialog("A fault of ours", f"{type(error).__name__}: {error}\n\n{FAULT}"))

    # keys

    def _places(self, screen: Screen[Any]) -> list[tuple[str, list[Action]]]:
        name = type(screen).__name__.removesuffix("Screen").lower()
        name = "dialog" if isinstance(screen, TextDialog | Choose) else name
        groups = [(f"On this screen ({name})", [*(of("line") if name == "play" else ()), *of(name)])]
        if name == "play":
            groups.append(("When the game is over", of("end")))
        return [*(group for group in groups if group[1]), ("Everywhere", of("app"))]

    def action_help(self) -> None:
        """What can be done here."""
        if isinstance(self.screen, TextDialog):
            return
        self.push_screen(TextDialog("Help", help_text(self._places(self.screen))))

    def action_next_theme(self) -> None:
        """The next of our themes."""
        names = [theme.name for theme in THEMES]
        at = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(at + 1) % len(names)]
        self.bench.settings.keep(theme=self.theme)
        self.notify(f"theme {self.theme}", markup=False, timeout=2)

    def action_save_picture(self) -> None:
        """An SVG of the screen, in the current folder."""
        try:
            path = self.save_screenshot(path=str(Path.cwd()))
        except OSError as error:
            self.notify(f"no picture: {error}", severity="error", markup=False)
            return
        self.notify(f"saved {path}", markup=False)

    def action_leave(self) -> None:
        """Leave the app."""
        self.exit(0)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: every action that can be done on this screen now."""
        known: set[str] = set()
        for _, actions in self._places(screen):
            for action in actions:
                node = self._doer(screen, action)
                if node is None or action.name in known or action.name == "command_palette":
                    continue
                known.add(action.name)
                about = f"{action.help} ({action.shown_key})"
                yield SystemCommand(action.label.capitalize(), about, partial(self.run_action, action.name, node))

    def _doer(self, screen: Screen[Any], action: Action) -> DOMNode | None:
        """Who does it; None where it cannot be done now."""
        node: DOMNode | None = self if action.place == "app" else screen
        if action.place == "end":
            node = next(iter(screen.query("EndCard.on")), None)
        elif action.place == "line":
            lines = [widget for widget in screen.query("Line, Options") if widget.is_on_screen]
            node = screen.focused if screen.focused in lines else next(iter(lines), None)
        return node if node is not None and node.check_action(action.name, ()) else None
