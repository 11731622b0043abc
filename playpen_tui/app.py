"""The app: themes, the last fence against escape sequences, and the way between screens."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from textual.app import App, SystemCommand
from textual.dom import DOMNode
from textual.filter import LineFilter
from textual.message import Message
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from playpen_tui.actions import Action, bindings, of
from playpen_tui.loading import PATIENCE
from playpen_tui.messages import (
    Adjudicate,
    Agree,
    Behind,
    Differ,
    Evaluate,
    Find,
    Follow,
    Fork,
    Go,
    Judge,
    Look,
    NewRun,
    NewTraining,
    OpenPair,
    OpenTraining,
    Overlay,
    Read,
    Sit,
    TakePart,
    Weigh,
)
from playpen_tui.persons import question
from playpen_tui.screens.consent import agreed
from playpen_tui.screens.dialogs import Choose, Opening, Prompt, TextDialog, help_text
from playpen_tui.sitting import Setup, Sitting
from playpen_tui.text import ControlFilter, one_line
from playpen_tui.theme import THEMES
from playpen_tui.workbench import Workbench, described, expected

if TYPE_CHECKING:
    from playpen_tui.figures import Asked
    from playpen_tui.stands import LiveStand
    from playpen_tui.watching import Stand, Watch
    from store.people import Level

FAULT = "The log is as it was. `playpen-tui --debug play … --plain` shows where it happened."


T = TypeVar("T")


def _title(what: Watch) -> str:
    """What is opened there, in words."""
    plan = what.wish.plan if what.wish is not None else None
    return f"Self-play of {', '.join(plan.games)}" if plan is not None else "Opening a run"


class PlaypenApp(App[int]):
    """Play, and all that will come to stand beside it."""

    TITLE = "playpen"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS = bindings("app")
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012
    CSS = """
    Toast { max-width: 70; }
    FooterKey .footer-key--key { color: $accent; background: $background; }
    FooterKey .footer-key--description { color: $secondary; }
    CommandPalette SearchIcon { display: none; }
    """

    def __init__(
        self,
        bench: Workbench,
        setup: Setup | None = None,
        *,
        picker: bool = False,
        watch: Watch | None = None,
        first: Message | None = None,
    ) -> None:
        super().__init__()
        self._first = first
        self._picker = picker
        self._watch = watch
        self.unopened: Exception | None = None
        """What kept the run that a command asked for from being opened: said where the command was given."""
        self._evaluated: set[str] = set()
        self.live: LiveStand | None = None
        """The run that this process plays, also while nobody looks."""
        self._playing: asyncio.Task[None] | None = None
        self.bench = bench
        self._wanted = setup
        self._home: Screen[None] | None = None
        self._sought = ""
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
        elif self._first is not None:
            self.post_message(self._first)

    # ways

    async def on_go(self, message: Go) -> None:
        """To Home, the picker, the models, the list of episodes or the results; whatever lay above Home is closed."""
        if message.where == "back":
            await self.pop_screen()
            return
        await self._to_home()
        if message.where == "pick":
            from playpen_tui.screens.pick import PickScreen

            overview = await self.bench.overview()
            await self.push_screen(PickScreen(self.bench, overview.default, message.partner))
        elif message.where == "models":
            from playpen_tui.screens.models import ModelsScreen

            await self.push_screen(ModelsScreen(self.bench))
        elif message.where == "results":
            await self._weigh(None)
        elif message.where == "trainings":
            from playpen_tui.screens.trainings import TrainingsScreen

            await self.push_screen(TrainingsScreen(self.bench))
        elif message.where == "queues":
            from playpen_tui.screens.queues import QueuesScreen

            await self.push_screen(QueuesScreen(self.bench))
        elif message.where == "stands":
            from playpen_tui.screens.stands import StandsScreen

            await self.push_screen(StandsScreen(self.bench))
        elif message.where == "browse":
            self.post_message(Find(self._sought))

    async def on_weigh(self, message: Weigh) -> None:
        """To the results; whatever lay above Home is closed."""
        await self._to_home()
        await self._weigh(message.asked)

    async def _weigh(self, asked: Asked | None) -> None:
        from playpen_tui.screens.results import ResultsScreen

        await self.push_screen(ResultsScreen(self.bench, asked))

    def on_behind(self, message: Behind) -> None:
        """Over the screen that shows a number, the episodes behind it."""
        from playpen_tui.screens.episodes import open_episodes

        open_episodes(self, self.bench, message.filters, message.title)

    async def on_read(self, message: Read) -> None:
        """Over the screen that names it, an episode."""
        from playpen_tui.browsing import Browsing
        from playpen_tui.screens.episode import EpisodeScreen

        browsing = Browsing(await self.bench.log())
        await self.push_screen(EpisodeScreen(self.bench, browsing, message.episode), lambda _: browsing.close())

    def on_find(self, message: Find) -> None:
        """To the list of episodes."""
        self.run_worker(self._browse(message), group="sit", exclusive=True, exit_on_error=False)

    async def _browse(self, message: Find) -> None:
        from playpen_tui.browsing import Browsing
        from playpen_tui.screens.browse import BrowseScreen
        from playpen_tui.screens.episode import EpisodeScreen
        from store.query import parse

        try:
            query = parse(message.query)
            browsing = Browsing(await self.bench.log())
        except expected() as error:
            self.notify(one_line(str(error), 500), severity="error", timeout=12, markup=False)
            return
        await self._to_home()
        await self.push_screen(BrowseScreen(self.bench, browsing, query, self._seek))
        if len(message.episodes) == 2:
            from playpen_tui.screens.compare import CompareScreen

            await self.push_screen(CompareScreen(*[await browsing.dossier(id) for id in message.episodes]))
        elif message.episodes:
            await self.push_screen(EpisodeScreen(self.bench, browsing, message.episodes[0]))

    def _seek(self, query: str) -> None:
        """Remember what was looked for last, for when one comes back from Home."""
        self._sought = query

    async def on_follow(self, message: Follow) -> None:
        """Trace something, on top of whatever is open."""
        from playpen_tui.screens.trace import TraceScreen

        await self.push_screen(TraceScreen(self.bench, message.node))

    async def on_fork(self, message: Fork) -> None:
        """The branches of a turn, on top of whatever is open."""
        from playpen_tui.screens.branches import BranchesScreen

        await self.push_screen(BranchesScreen(self.bench, message.episode, message.ply, message.wish))

    async def on_open_training(self, message: OpenTraining) -> None:
        """To its dashboard."""
        from playpen_tui.screens.training import TrainingScreen

        if message.instead:
            await self.pop_screen()
        await self.push_screen(TrainingScreen(self.bench, message.training, message.evaluate))

    async def on_new_training(self, message: NewTraining) -> None:
        """To the wizard."""
        from playpen_tui.screens.train_wizard import TrainwizardScreen

        await self.push_screen(TrainwizardScreen(self.bench, message.wish))

    async def on_new_run(self, message: NewRun) -> None:
        """To the form of a self-play run."""
        from playpen_tui.screens.selfplay import SelfplayScreen

        await self.push_screen(SelfplayScreen(self.bench, message.draft))

    def on_judge(self, message: Judge) -> None:
        """To the pairs of a queue."""
        self.run_worker(self._judge(message), group="sit", exclusive=True, exit_on_error=False)

    async def _judge(self, message: Judge) -> None:
        from playpen_tui.judging import open_judging
        from playpen_tui.screens.annotate import AnnotateScreen

        try:
            if message.judge is not None or await self._may_judge():
                judging = await open_judging(self.bench, message.queue, message.judge)
                await self.push_screen(AnnotateScreen(self.bench, judging))
        except expected() as error:
            self.notify(one_line(str(error), 500), severity="error", timeout=12, markup=False)

    async def _may_judge(self) -> bool:
        """Whether verdicts of who sits here may be written; asks where it was never asked."""
        sorry = "verdicts are only of use in the log; without it there is nothing to judge"
        return await agreed(self, self.bench.people, sorry)

    async def on_agree(self, message: Agree) -> None:
        """To how well the judges of a queue agree."""
        from playpen_tui.screens.agreement import AgreementScreen

        await self.push_screen(AgreementScreen(self.bench, message.queue))

    async def on_differ(self, message: Differ) -> None:
        """To where people and games disagree."""
        from playpen_tui.screens.disagreement import DisagreementScreen

        await self.push_screen(DisagreementScreen(self.bench, message.queue, message.filters))

    async def on_open_pair(self, message: OpenPair) -> None:
        """To one of them in full."""
        from playpen_tui.screens.disagreed import DisagreedScreen

        await self.push_screen(DisagreedScreen(self.bench, message.pairs, message.place))

    def on_adjudicate(self, message: Adjudicate) -> None:
        """To what people judged differently."""
        self.run_worker(self._adjudicate(message), group="sit", exclusive=True, exit_on_error=False)

    async def _adjudicate(self, message: Adjudicate) -> None:
        from playpen_tui.judging import disputed
        from playpen_tui.screens.adjudicate import AdjudicateScreen

        try:
            found = await disputed(self.bench, message.queue)
            if not found:
                self.notify("nothing is disputed here: where people judged, they agree", markup=False, timeout=4)
            elif await self._may_judge():
                await self.push_screen(AdjudicateScreen(self.bench, message.queue, found))
        except expected() as error:
            self.notify(one_line(str(error), 500), severity="error", timeout=12, markup=False)

    def on_overlay(self, message: Overlay) -> None:
        """Ask for another training, and lay their curves over each other."""
        self.run_worker(self._overlay(message.training), group="sit", exclusive=True, exit_on_error=False)

    async def _overlay(self, training: str) -> None:
        from playpen_tui import trainings
        from playpen_tui.screens.train_compare import TraincompareScreen

        log = await self.bench.log()
        found = [item.row for item in await asyncio.to_thread(trainings.listed, log) if item.row.id != training]
        if not found:
            self.notify("there is only one training; a second one is needed to compare with", markup=False)
            return
        answers = [
            (row.id, one_line(f"{trainings.name_of(row)}   {row.method.upper()} on {row.base}   {row.created_at[:16]}"))
            for row in found
        ]
        answer = await self.push_screen_wait(Choose("Its curves beside those of", answers))
        if answer is not None:
            await self.push_screen(TraincompareScreen(self.bench, (training, answer)))

    def on_evaluate(self, message: Evaluate) -> None:
        """Base and result of a training, head to head."""
        self.run_worker(self._evaluate(message.training, message.play), group="evaluate", exit_on_error=False)

    async def _evaluate(self, training: str, play: int | None) -> None:
        from playpen_tui import beginning, evaluating
        from store import trainings
        from store.filters import OUTCOMES, Filters

        log = await self.bench.log()
        row = await asyncio.to_thread(trainings.get, log, training)
        if row.result is None:
            self.notify("nothing has come out of this training yet", markup=False)
            return
        if training in self._evaluated:
            self.notify("base and result are playing; the comparison opens when they have", markup=False)
            return
        name = one_line(row.result, 40)
        played = row.folder is None or (Path(row.folder) / evaluating.FILE).is_file()
        if not played and play is None:
            many = f"play {evaluating.INSTANCES} instances of each game and role now, beside what you do"
            answers = [("play", many)]
            if await asyncio.to_thread(log.queries.count, Filters(models=(row.result,), outcomes=OUTCOMES[:-1])):
                answers.append(("show", "show what was played so far"))
            chosen = await self.push_screen_wait(
                Choose(f"{name} and its base have not played the same validation instances yet.", answers)
            )
            if chosen is None:
                return
            play = evaluating.INSTANCES if chosen == "play" else None
        if not played and play is not None:
            self._evaluated.add(training)
            self.notify("base and result play; this goes on where you leave", markup=False)
            try:
                await beginning.evaluate(self.bench.path, training, play)
            except beginning.CannotCount as error:
                self.notify(str(error), severity="error", markup=False)
                return
            finally:
                self._evaluated.discard(training)
            if getattr(self.screen, "training", None) != training:
                self.notify(f"{name} and its base have played; e in its training compares them", markup=False)
                return
        await self._weigh(await asyncio.to_thread(evaluating.asked, row))

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
            if setup.has_people and setup.record and await self.bench.people.needs_consent(setup):
                answer = await self.push_screen_wait(Choose(*question(setup.language)))
                if answer is None:
                    return
                if answer == "none":
                    setup = replace(setup, record=False)
                else:
                    await self.bench.people.give_consent(cast("Level", answer), setup)
            sitting = await self._opened(described(setup), self.bench.deal(setup, avoid=message.avoid))
            if sitting is None:
                return
        except expected() as error:
            self.notify(one_line(str(error), 500), severity="error", timeout=12, markup=False)
            return
        from playpen_tui.screens.play import PlayScreen

        await self._to_home()
        self.last = sitting
        await self.push_screen(PlayScreen(sitting, self.bench))

    async def _opened(self, title: str, opening: Coroutine[Any, Any, T]) -> T | None:
        """What comes of `opening`; None where a person gave it up. A word over the screen says what is waited for.

        Raises what `opening` raises.
        """
        task = asyncio.ensure_future(opening)
        word = Opening(title, lambda: self.bench.loading)
        try:
            if not (await asyncio.wait([task], timeout=PATIENCE))[0]:
                await self.push_screen(word)
                given_up = asyncio.ensure_future(word.given_up.wait())
                await asyncio.wait([task, given_up], return_when=asyncio.FIRST_COMPLETED)
                given_up.cancel()
            return task.result() if task.done() else None
        finally:
            if task.cancel():
                await asyncio.wait([task])
            while word in self.screen_stack:
                await self.pop_screen()

    def on_take_part(self, message: TakePart) -> None:
        """Into a study."""
        self.run_worker(self._take_part(message), group="sit", exclusive=True, exit_on_error=False)

    async def _take_part(self, message: TakePart) -> None:
        from playpen_tui.screens.study import StudyScreen

        try:
            message.taking = await message.begin(self.bench)
        except expected() as error:
            self.notify(one_line(str(error), 500), severity="error", timeout=12, markup=False)
            return
        await self._to_home()
        await self.push_screen(StudyScreen(message.taking))

    def on_look(self, message: Look) -> None:
        """To the stands."""
        self.run_worker(self._look(message.what, message.over), group="sit", exclusive=True, exit_on_error=False)

    async def _look(self, what: Watch, over: bool) -> None:
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
                found = await self._opened(_title(what), open_stand(self.bench, what))
                if found is None:
                    return
                stand = found
        except expected() as error:
            if what is self._watch and what.wish is not None:
                self.unopened = error
                self.exit(1)
                return
            self.notify(one_line(str(error), 500), severity="error", timeout=12, markup=False)
            return
        if isinstance(stand, LiveStand) and stand is not live:
            self.live = stand
            self._playing = asyncio.ensure_future(stand.follow())
            self._playing.add_done_callback(self._played)
        if not over:
            await self._to_home()
        await self.push_screen(SpectateScreen(self.bench, stand, over=over))

    def _played(self, playing: asyncio.Task[None]) -> None:
        """The run is over, or the log could not be written."""
        error = None if playing.cancelled() else playing.exception()
        if error is not None and self.is_running:
            self.notify(one_line(str(error) or type(error).__name__, 500), severity="error", timeout=20, markup=False)

    async def settle(self) -> list[str]:
        """Stop the run of this process and wait for its last word; returns how it stands and how to go on with it."""
        if self.live is None or self._playing is None:
            return []
        from playpen_tui.run_end import closing
        from playpen_tui.selfplay import line

        self.live.played.scheduler.stop()
        await asyncio.wait([self._playing])
        return [line(self.live.played), *closing(self.live.played, self.bench.named_db)]

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
        name = type(screen).__name__.removesuffix("Screen").removesuffix("Dialog").lower()
        name = "dialog" if isinstance(screen, TextDialog | Prompt) or name == "correct" else name
        groups = [("On this screen", [*(of("line") if name == "play" else ()), *of(name)])]
        if name == "play":
            groups.append(("When the game is over", of("end")))
        if name == "browse":
            groups.append(("In the list", of("rows")))
        if screen.query("TurnCursor"):
            groups.append(("On a turn", of("turn")))
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
        elif action.place in ("rows", "turn"):
            node = next(iter(screen.query("Rows" if action.place == "rows" else "TurnCursor")), None)
        return node if node is not None and node.check_action(action.name, ()) else None
