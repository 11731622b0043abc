"""One training, watched live: how it stands, its figures and curves, its checkpoints and what they play.

The screen reads the log and the training's folder, and nothing else: leaving it leaves the training as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from textual import events, work
from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from playpen_tui import beginning, trainings
from playpen_tui.actions import bindings
from playpen_tui.messages import Evaluate, Follow, Go, Look, Overlay, Read
from playpen_tui.screens.dialogs import Choose, TextDialog
from playpen_tui.screens.faults import Telling
from playpen_tui.text import one_line, short
from playpen_tui.theme import GLYPHS
from playpen_tui.training_tiles import Tile, tiles
from playpen_tui.trainings import GOING, WORDS, Sight, Watcher
from playpen_tui.watching import Watch
from playpen_tui.widgets.chart import number
from playpen_tui.widgets.charts import Charts
from playpen_tui.widgets.keys import KeyLine
from playpen_tui.widgets.put import put
from playpen_tui.workbench import Workbench, expected
from store.trace import Node

EVERY = 0.7
"""Seconds between two looks at the log."""
LAST = 12
"""Lines of the process's own words beside the curves; `o` shows more."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the side list; `episode` is what it opens."""

    text: Content
    episode: str = ""


class Side(OptionList, inherit_bindings=False):
    """The list beside the curves: left and right are theirs."""

    BINDINGS = OptionList.BINDINGS


class TrainingScreen(Telling):
    """The dashboard."""

    BINDINGS = bindings("training")
    CSS_PATH = "training.tcss"

    def __init__(self, bench: Workbench, training: str, evaluate: int | None = None) -> None:
        super().__init__()
        self.bench = bench
        self.training = training
        self._evaluate = evaluate
        """Instances that base and result play when it has ended; None where nobody asked for it."""
        self.sight: Sight | None = None
        self._watcher: Watcher | None = None
        self._lines: list[_Line] = []
        self._asked = ""
        self._filtering = False
        self._settled: tuple[str, int] | None = None

    def compose(self) -> ComposeResult:
        """Head, figures, curves, side list, keys."""
        with Horizontal(id="head"):
            yield Static("", id="title")
            yield Static("reading …", id="state")
        yield Static("", id="tiles")
        yield Static("", id="hint")
        with Container(id="room"):
            yield Static("", id="before")
            yield Charts(id="charts")
            yield Side(id="side")
        yield Static("", id="line")
        yield KeyLine()

    def on_mount(self) -> None:
        """Look, and again and again."""
        self.query_one(OptionList).focus()
        self._follow()

    def on_resize(self) -> None:
        """Other widths have other lines."""
        self.call_after_refresh(self._draw)

    @work(group="follow", exclusive=True, exit_on_error=False)
    async def _follow(self) -> None:
        """Read what is new, in a thread, as long as the screen is there."""
        trouble = ""
        while True:
            try:
                if self._watcher is None:
                    log = await self.bench.log()
                    self._watcher = await asyncio.to_thread(Watcher, log, self.training)
                self.sight = await asyncio.to_thread(self._watcher.look)
                row = self.sight.row
                stands = (row.state, row.progress.done if row.progress else 0)
                settled, self._settled = self._settled == stands, stands  # weights are read whole, so not at every look
                if not settled and (name := await asyncio.to_thread(trainings.settle, row, self.bench.registry)):
                    self.notify(f"{one_line(name, 60)} is a player now; e compares it with its base", markup=False)
                if settled and row.state == "done" and self._evaluate is not None:
                    self.app.post_message(Evaluate(self.training, self._evaluate))
                    self._evaluate = None
                trouble = ""
            except (ValueError, OSError, *expected()) as error:
                if str(error) != trouble:
                    trouble = str(error)
                    self.notify(one_line(trouble, 500), severity="error", timeout=12, markup=False)
            self._draw()
            await asyncio.sleep(EVERY)

    # drawing

    @property
    def charts(self) -> Charts:
        """The curves."""
        return self.query_one(Charts)

    def _draw(self) -> None:
        sight = self.sight
        if sight is None or not self.is_attached or not self.query("#tiles"):
            return
        width = max(40, self.size.width - 4)
        glyph, word, style = WORDS[sight.now]
        if self._asked and sight.now in ("running", "queued"):
            word += f", {self._asked} asked for"
        state = Content.styled(f"{glyph} {word}", style)
        if sight.now in ("running", "stalled", "paused") and width >= 76:
            state += Content(f" · {trainings.heartbeat(sight.row)}")
        put(self.query_one("#state", Static), state)
        row = sight.row
        name, base = one_line(trainings.name_of(row), 60), one_line(row.base, 60)
        put(self.query_one("#title", Static), Content(f"{name} · {row.method.upper()} on {base}"), layout=False)
        put(self.query_one("#tiles", Static), drawn(tiles(sight, number), width))
        self._say_hint(sight)
        self._say_before(sight)
        self.charts.show({name: [curve] for name, curve in sight.curves.items()})
        self._fill(sight)
        self._say_line()
        self.refresh_bindings()

    def _say_hint(self, sight: Sight) -> None:
        box = self.query_one("#hint", Static)
        told = sight.why and not (sight.now == "stopped" and sight.why.startswith("stopped at"))
        lines = [Content.styled(one_line(sight.why, 400), "$error")] if told else []
        if sight.hint:
            lines.append(
                Content.styled("" if sight.now == "queued" else "what helps  ", "$secondary")
                + Content(one_line(sight.hint, 300))
            )
        if sight.playing:
            lines.append(Content.styled("evaluation  ", "$secondary") + Content(one_line(sight.playing, 200)))
        box.set_class(bool(lines), "on")
        put(box, Content("\n").join(lines))

    def _say_before(self, sight: Sight) -> None:
        """Where no step has been taken yet, what is known before it, in place of the curves."""
        lines = sight.preflight.lines if sight.preflight is not None else ()
        nothing = all(curve.last < 1 for curve in sight.curves.values())
        self.set_class(bool(lines) and nothing, "-before")
        if lines and nothing:
            head = Content.styled("before the first step", "bold $accent")
            head += Content.styled("   i all of it", "$secondary")
            put(self.query_one("#before", Static), Content("\n").join([head, *map(Content, map(one_line, lines))]))

    def _say_line(self) -> None:
        charts = self.charts
        line = Content(charts.state)
        if self._filtering:
            line = Content.styled("curves ▸ ", "$accent") + Content(f"{one_line(charts.words, 80)}▏")
        elif charts.zoomed:
            line += Content("   ← → read values   z all")
        elif charts.words:
            line += Content(f" with “{one_line(charts.words, 40)}”")
        put(self.query_one("#line", Static), line, layout=False)

    def _fill(self, sight: Sight) -> None:
        """The side list; the cursor stays with its line, or with the newest game."""
        room = 36 if self.size.width >= 100 else max(40, self.size.width - 6)
        lines = _side(sight, room)
        if len(lines) == len(self._lines) and all(
            old.episode == new.episode and old.text.is_same(new.text)
            for old, new in zip(self._lines, lines, strict=True)
        ):
            return
        box = self.query_one(OptionList)
        newest = next((line.episode for line in self._lines if line.episode), "")
        before = "" if self.episode == newest else self.episode  # on the newest game it goes on to the next newest
        self._lines = lines
        top = box.scroll_y
        box.clear_options()
        box.add_options([Option(Content("").join([line.text]), disabled=not line.episode) for line in lines])
        real = [at for at, line in enumerate(lines) if line.episode]
        box.highlighted = next((at for at in real if lines[at].episode == before), real[0] if real else None)
        box.scroll_to(y=top, animate=False, force=True)

    @property
    def episode(self) -> str:
        """The game under the cursor; empty where there is none."""
        at = self.query_one(OptionList).highlighted
        return self._lines[at].episode if at is not None and at < len(self._lines) else ""

    # keys: curves

    def on_key(self, event: events.Key) -> None:
        """While the filter is written, keys are letters of it; they keep their order, however fast they come."""
        if not self._filtering and event.key != "slash":
            return
        if not self._filtering:
            self.action_filter()
        elif event.is_printable and event.character:
            self.charts.narrow(self.charts.words + event.character)
        elif event.key == "backspace":
            self.charts.narrow(self.charts.words[:-1])
        elif event.key in ("enter", "escape"):
            self._filtering = False
            if event.key == "escape":
                self.charts.narrow("")
            self.refresh_bindings()
        else:
            return
        event.stop()
        event.prevent_default()
        self._say_line()

    def action_filter(self) -> None:
        """Write which curves are shown."""
        self._filtering = True
        self._say_line()

    def action_next_chart(self) -> None:
        """The next curve, or the cross-hair to the right."""
        self._move(1)

    def action_previous_chart(self) -> None:
        """The curve before, or the cross-hair to the left."""
        self._move(-1)

    def _move(self, by: int) -> None:
        self.charts.move(by)
        self._say_line()

    def action_zoom(self) -> None:
        """One curve at full size, or all."""
        self.charts.zoom(not self.charts.zoomed)
        self.set_class(self.charts.zoomed, "-zoomed")
        self._say_line()

    def action_scale(self) -> None:
        """Logarithmic or not."""
        self.charts.turn_log()
        self._say_line()

    def action_smooth(self) -> None:
        """More smoothing, or none."""
        self.charts.turn_smooth()
        self._say_line()

    # keys: orders

    @work(group="order", exit_on_error=False)
    async def _order(self, what: trainings.Order, said: str) -> None:
        if self.sight is None:
            return
        try:
            log = await self.bench.log()
            await asyncio.to_thread(trainings.order, log, self.sight.row, what)
        except (ValueError, OSError, *expected()) as error:
            self.notify(one_line(str(error), 500), severity="error", timeout=10, markup=False)
            return
        self._asked = {"pause": "a pause", "stop": "a stop", "save": ""}.get(what, "")
        self.notify(said, timeout=5, markup=False)

    def action_pause(self) -> None:
        """Hold after this step, or go on."""
        if self.sight is not None and (self.sight.now == "paused" or self._asked == "a pause"):
            self._order("go", "it goes on")
        else:
            self._order("pause", "it pauses after this step; space goes on")

    def action_stop(self) -> None:
        """End after this step, and save."""
        self._order("stop", "it stops after this step and saves; r goes on from there")

    def action_save(self) -> None:
        """A checkpoint now."""
        self._order("save", "it saves a checkpoint after this step")

    @work(group="order", exit_on_error=False)
    async def action_kill(self) -> None:
        """End the process at once, after a question."""
        if self.sight is None:
            return
        name = one_line(trainings.name_of(self.sight.row), 60)
        asked = f"End the training {name} at once? What came after its last checkpoint is lost."
        answer = await self.app.push_screen_wait(Choose(asked, [("no", "no, let it run"), ("yes", "yes, end it now")]))
        if answer == "yes":
            try:
                log = await self.bench.log()
                await asyncio.to_thread(trainings.kill, log, self.sight.row)
            except (ValueError, OSError, *expected()) as error:
                self.notify(one_line(str(error), 500), severity="error", timeout=10, markup=False)

    @work(group="order", exclusive=True, exit_on_error=False)
    async def action_resume(self) -> None:
        """Go on from the last checkpoint, in a process of its own."""
        if self.sight is None:
            return
        row = self.sight.row
        folder = trainings.folder_of(row)
        if folder is None:
            self.notify("its folder is not here; resume it where it was trained", severity="error", markup=False)
            return
        self.notify("it goes on from its last checkpoint", timeout=5, markup=False)
        self._asked = ""
        more = {"out": str(folder), "training": row.id}
        try:
            await beginning.ask("resume", self.bench.path, beginning.Wish(), more)
        except beginning.CannotCount as error:
            self.notify(one_line(str(error), 500), severity="error", timeout=12, markup=False)

    # keys: ways

    def on_option_list_option_selected(self) -> None:
        """Enter, or a click."""
        self.action_read()

    def action_read(self) -> None:
        """The page of the game under the cursor."""
        if self.episode:
            self.app.post_message(Read(self.episode))

    def action_watch(self) -> None:
        """The game under the cursor, in the stands."""
        if self.episode:
            self.app.post_message(Look(Watch(episodes=(self.episode,)), over=True))

    def action_words(self) -> None:
        """All that its process printed lately."""
        if self.sight is not None:
            words = "\n".join(self.sight.words) or "its process has printed nothing, or its folder is not here"
            self.app.push_screen(TextDialog("What its process printed", words))

    def action_preflight(self) -> None:
        """What was known before the first step."""
        if self.sight is not None and self.sight.preflight is not None:
            self.app.push_screen(TextDialog("Before the first step", "\n".join(self.sight.preflight.lines)))

    def action_overlay(self) -> None:
        """Beside another training."""
        self.app.post_message(Overlay(self.training))

    def action_evaluate(self) -> None:
        """Base and result against each other."""
        self.app.post_message(Evaluate(self.training))

    def action_follow(self) -> None:
        """Where it comes from and what came of it."""
        if self.sight is not None:
            row = self.sight.row
            self.app.post_message(Follow(Node("training", row.id, trainings.name_of(row))))

    def action_copy(self) -> None:
        """The id, onto the clipboard."""
        self.app.copy_to_clipboard(self.training)
        self.notify(f"copied {self.training}", markup=False, timeout=3)

    def action_back(self) -> None:
        """From one curve to all, else away; the training goes on."""
        if self.charts.zoomed:
            self.action_zoom()
        elif self.charts.words:
            self.charts.narrow("")
            self._say_line()
        else:
            self.app.post_message(Go("back"))

    @property
    def _came_out(self) -> bool:
        """Whether there is a result: of a training that was ended at once there is none."""
        return self.sight is not None and self.sight.row.result is not None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what can be done with it now."""
        now = self.sight.now if self.sight is not None else None
        offered: dict[str, Callable[[], bool]] = {
            "pause": lambda: now in ("running", "paused", "queued"),
            "stop": lambda: now in ("running", "paused", "queued"),
            "save": lambda: now in ("running", "paused"),
            "kill": lambda: now in GOING,
            "resume": lambda: now in ("stopped", "crashed", "failed", "diverged"),
            "evaluate": lambda: now == "done" or (now == "stopped" and self._came_out),
            "preflight": lambda: self.sight is not None and self.sight.preflight is not None,
            "watch": lambda: bool(self.episode),
            "read": lambda: bool(self.episode),
            "filter": lambda: not self._filtering,
        }
        return offered.get(action, lambda: True)()


def drawn(tiles: list[Tile], width: int) -> Content:
    """Tiles one after the other, in as many lines as they need."""
    lines, line, used = list[Content](), Content(""), 0
    for tile in tiles:
        one = Content.styled(f"{tile.label} ", "$secondary") + Content.styled(tile.text, "bold")
        if tile.more:
            one += Content.styled(f" {tile.more}", "$secondary")
        if used and used + 4 + one.cell_length > width:
            lines.append(line)
            line, used = Content(""), 0
        line = line + Content("    ") + one if used else one
        used = line.cell_length
    return Content("\n").join([*lines, line])


def _side(sight: Sight, room: int) -> list[_Line]:
    """Warnings, checkpoints with their games, and the last words; those first where it went wrong."""
    words = [one_line(line, 200) for line in sight.words if line.strip()][-LAST:]
    said = [_Line(Content("")), _head("last words of its process")] if words else []
    said += [_Line(Content.styled(short(line, room), "$secondary")) for line in words]
    lines = [_head("warnings")] if sight.warnings else []
    lines += [_Line(Content.styled(short(f"▲ {line}", room), "$warning")) for line in sight.warnings[-4:]]
    lines += [_Line(Content(""))] if sight.warnings else []
    games: dict[int | None, list[_Line]] = {}
    for one in sight.samples:
        games.setdefault(one.step, []).append(_game(one.row, room))
    lines.append(_head("checkpoints"))
    if not sight.checkpoints:
        lines.append(_Line(Content.styled("  none yet" if sight.now in GOING else "  none", "$secondary")))
    for saved in reversed(sight.checkpoints):
        gone = "" if saved.there else "   removed"
        lines.append(_Line(Content(f"  step {saved.step:,}") + Content.styled(gone, "$secondary")))
        lines += games.pop(saved.step, [])
    if None in games:
        lines += [_head("played in training"), *games[None]]
    if sight.now in ("crashed", "failed", "diverged"):
        return [*said[1:], *([_Line(Content(""))] if said else []), *lines]
    return [*lines, *said]


def _head(text: str) -> _Line:
    return _Line(Content.styled(text, "bold $accent"))


def _game(row: trainings.EpisodeRow, room: int) -> _Line:
    style = {"success": "$success", "failure": "$error"}.get(row.outcome or "", "$warning")
    end = row.reason or row.outcome or "unfinished"
    text = short(f"{one_line(row.game, 30)} · {one_line(end, 40)}", max(8, room - 6))
    return _Line(Content.styled(f"    {GLYPHS.get(row.outcome, '…')} ", style) + Content(text), row.id)
