"""Home: start a game in two keys, go on with what is unfinished, see the last episodes."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events, work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from playpen_tui.actions import bindings
from playpen_tui.messages import Differ, Go, Look, NewRun, OpenTraining, Sit
from playpen_tui.overview import Overview
from playpen_tui.sitting import Setup
from playpen_tui.text import one_line, short
from playpen_tui.theme import GLYPHS
from playpen_tui.watching import Watch
from playpen_tui.widgets.keys import KeyLine
from playpen_tui.workbench import Workbench, described, expected

NAME = 14
LOW = 20
"""Lines below which Home names no more than what it must."""


@dataclass(frozen=True, slots=True)
class _Row:
    label: str
    body: Content
    key: str = ""


class HomeScreen(Screen[None]):
    """The first thing one sees."""

    BINDINGS = bindings("home")
    DEFAULT_CSS = """
    HomeScreen { background: $background; }
    HomeScreen #top { height: 2; padding: 1 3 0 3; }
    HomeScreen #rows { padding: 1 3; scrollbar-size-vertical: 1; }
    HomeScreen #rows Static { width: 1fr; height: auto; }
    HomeScreen Footer { background: $background; }
    """

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self.bench = bench
        self.overview: Overview | None = None
        self._here = "opening the log …"

    def compose(self) -> ComposeResult:
        """A title line, rows, keys."""
        yield Static("", id="top")
        with VerticalScroll(id="rows", can_focus=False):
            yield Static("", id="text")
        yield KeyLine()

    def action_leave(self) -> None:
        """Leave the app."""
        self.app.exit(0)

    def on_mount(self) -> None:
        """Draw at once what needs no log, and read the log beside."""
        self._draw(None)

    def on_screen_resume(self) -> None:
        """Back from a game: read the log again."""
        self.action_refresh()

    def on_resize(self) -> None:
        """Fit the lines to the width."""
        self._draw(self.overview)

    @work(group="home", exclusive=True, exit_on_error=False)
    async def action_refresh(self) -> None:
        """Read the log again."""
        try:
            self.overview = await self.bench.overview()
        except expected() as error:
            self.overview, self._here = None, f"{self.bench.path.name} · not opened"
            self._draw(None)
            self.query_one("#text", Static).update(Content.styled(f"⊘ {one_line(str(error), 600)}", "$error"))
            return
        self._draw(self.overview)
        for notice in self.bench.new_notices():
            self.notify(one_line(notice, 400), severity="warning", timeout=10, markup=False)

    def _draw(self, overview: Overview | None) -> None:
        width = max(40, self.size.width - 7)
        here = overview.place if overview else self._here
        gap = max(1, width - len("playpen") - len(here))
        right = Content.styled(" " * gap + short(here, width - 8), "$secondary")
        self.query_one("#top", Static).update(Content.styled("playpen", "bold $accent") + right)
        if overview is None:
            return
        rows = [_Row("Play", Content(short(described(overview.default), width - NAME - 7)), "enter")]
        rows.append(
            _Row(
                "",
                Content.styled(short("another game, another seat, another partner", width - NAME - 3), "$secondary"),
                "p",
            )
        )
        if self.size.height >= LOW:
            rows.append(_Row("", Content.styled("many matches, models among themselves", "$secondary"), "n"))
        lines = self._lines(rows, width)
        unfinished = [
            _Row("Go on" if n == 0 else "", Content(short(u.line, width - NAME - 4)), str(n + 1))
            for n, u in enumerate(overview.unfinished[:9])
        ]
        if overview.more:
            unfinished.append(_Row("", Content.styled(f"and {overview.more} more runs", "$secondary"), "s"))
        if unfinished:
            lines += [Content(""), *self._lines(unfinished, width)]
        recent = []
        moment = max((len(episode.when) for episode in overview.recent), default=0)
        for number, episode in enumerate(overview.recent):
            glyph = GLYPHS.get(episode.outcome, "…")
            style = {"success": "$success", "failure": "$error"}.get(episode.outcome or "", "$warning")
            room = width - NAME - 2 - moment - 2
            name, who = min(18, room // 3), min(26, room // 3)
            rest = room - name - who - 2
            body = Content.styled(f"{glyph} ", style) + Content(
                f"{short(episode.game, name):<{name}} {short(' · '.join(episode.players), who):<{who}} "
                f"{short(episode.verdict, rest)}"
            )
            recent.append(_Row("Recent" if number == 0 else "", body, episode.when))
        if recent:
            lines += [Content(""), *self._lines(recent, width)]
        else:
            none = "no game has ended yet" if unfinished else "nothing played yet; enter starts a game"
            lines += [Content(""), Content.styled(f"{'':<{NAME}}{none}", "$secondary")]
        self.query_one("#text", Static).update(Content("\n").join(lines))

    @staticmethod
    def _lines(rows: list[_Row], width: int) -> list[Content]:
        drawn: list[Content] = []
        for row in rows:
            space = max(1, width - NAME - row.body.cell_length - len(row.key))
            label = Content.styled(f"{row.label:<{NAME}}", "$secondary")
            drawn.append(label + row.body + Content(" " * space) + Content.styled(row.key, "$accent"))
        return drawn

    def on_key(self, event: events.Key) -> None:
        """Digits resume what is unfinished."""
        if self.overview is None or not event.character or not event.character.isdigit():
            return
        place = int(event.character) - 1
        if 0 <= place < len(self.overview.unfinished):
            event.stop()
            chosen = self.overview.unfinished[place]
            if chosen.training is not None:
                self.app.post_message(OpenTraining(chosen.training))
            elif chosen.run is not None:
                self.app.post_message(Look(Watch(run=chosen.run)))
            else:
                self.app.post_message(Sit(Setup(game="", resume=chosen.episode)))

    def action_start(self) -> None:
        """The same as last time, with a new instance."""
        if self.overview is not None:
            self.app.post_message(Sit(self.overview.default))

    def action_spectate(self) -> None:
        """What there is to watch."""
        self.app.post_message(Go("stands"))

    def action_new_run(self) -> None:
        """Many matches of models."""
        self.app.post_message(NewRun())

    def action_results(self) -> None:
        """The results."""
        self.app.post_message(Go("results"))

    def action_train(self) -> None:
        """The trainings."""
        self.app.post_message(Go("trainings"))

    def action_annotate(self) -> None:
        """The queues."""
        self.app.post_message(Go("queues"))

    def action_against(self) -> None:
        """Where people and games disagree."""
        self.app.post_message(Differ())

    def action_browse(self) -> None:
        """The episodes."""
        self.app.post_message(Go("browse"))

    def action_models(self) -> None:
        """The models."""
        self.app.post_message(Go("models"))

    def action_pick(self) -> None:
        """Choose."""
        self.app.post_message(Go("pick"))
