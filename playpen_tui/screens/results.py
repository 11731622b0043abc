"""Results: how much each model played and how well, game by game, and two models head to head.

Played and quality stand apart, each with its interval as a bar. Every difference has a glyph and a word beside its
colour. The row under the cursor is told in full below, and enter shows its episodes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from evaluation import report
from evaluation.compare import MEASURES, Comparison, Difference, GameComparison, Measure, ScoreComparison
from evaluation.intervals import Estimate
from evaluation.results import Line, Overall
from playpen_tui import figures
from playpen_tui.actions import bindings
from playpen_tui.figures import Asked, CannotCompare, Figures, Form
from playpen_tui.messages import Behind, Go
from playpen_tui.screens.dialogs import Choose, TextDialog
from playpen_tui.text import one_line, short
from playpen_tui.widgets.keys import KeyLine
from playpen_tui.workbench import Workbench, expected
from store.log import Log

STYLES = {"higher": "$success", "lower": "$error", "not significant": "$secondary", "too few": "$secondary"}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Row:
    """One row: what it shows, what is told of it below, and the episodes behind it (first, second)."""

    content: Content
    about: tuple[str, ...] = ()
    title: str = ""
    ids: tuple[str, ...] = ()
    model: str = ""
    """Of a row of the table."""

    @property
    def head(self) -> bool:
        """Whether it is only a heading."""
        return not self.about


class ResultsScreen(Screen[None]):
    """Figures, painted."""

    BINDINGS = bindings("results")
    CSS_PATH = "results.tcss"

    def __init__(self, bench: Workbench, asked: Asked | None = None) -> None:
        super().__init__()
        self.bench = bench
        self.asked = asked or Asked()
        self.found: Figures | None = None
        self.measure: Measure = "quality"
        self._pair = 0
        self._rows: list[_Row] = []

    def compose(self) -> ComposeResult:
        """Title, names of the columns, rows, what is told of one of them, keys."""
        with Horizontal(id="head"):
            yield Static("Results", id="title")
            yield Static("reckoning …", id="state")
        yield Static("", id="names")
        yield OptionList(id="rows")
        yield Static("", id="nothing")
        yield Static("", id="about")
        yield KeyLine()

    def on_mount(self) -> None:
        """Read the log."""
        self.query_one(OptionList).focus()
        self._reckon(lambda log: figures.read(log, self.asked))

    def on_resize(self) -> None:
        """Other sizes have other bars."""
        self.call_after_refresh(self._draw)

    # reckoning

    @work(group="results", exclusive=True, exit_on_error=False)
    async def _reckon(self, make: Callable[[Log], Figures]) -> None:
        """Let a thread make the figures, and show them."""
        found = await self._apart(make)
        if found is None:
            if self.found is None:
                self.query_one("#state", Static).update("")
            return
        self.found, self._pair = found, 0
        self._draw()
        self.refresh_bindings()

    async def _apart(self, make: Callable[[Log], T]) -> T | None:
        """What a function makes of the log, in a thread; None after telling what is wrong."""
        state = self.query_one("#state", Static)
        state.update("reckoning …")
        try:
            log = await self.bench.log()
            return await asyncio.to_thread(make, log)
        except (CannotCompare, OSError, *expected()) as error:
            self.notify(one_line(str(error), 500), severity="error", timeout=12, markup=False)
            return None
        finally:
            if self.found is not None:
                state.update(Content(self._state(self.found)))

    # drawing

    @property
    def pair(self) -> Comparison | None:
        """The two models that are shown head to head; None for the table."""
        return self.found.pairs[self._pair % len(self.found.pairs)] if self.found and self.found.pairs else None

    @property
    def chosen(self) -> _Row | None:
        """The row under the cursor."""
        at = self.query_one(OptionList).highlighted
        return None if at is None or at >= len(self._rows) else self._rows[at]

    def _state(self, found: Figures) -> str:
        filtered = "filtered · " if found.asked.filters else ""
        if (pair := self.pair) is None:
            return f"{filtered}{len(found.rows):,} episodes · 95% intervals · by {found.asked.by}"
        shared = sum(game.instances for game in pair.games)
        which = f"{self._pair % len(found.pairs) + 1} of {len(found.pairs)} · " if len(found.pairs) > 1 else ""
        paired = "paired instances · 95% intervals" if self.size.width >= 100 else "instances · 95%"
        return f"{filtered}{which}{shared:,} {paired}"

    def _draw(self) -> None:
        """Draw the rows anew; the cursor stays in its place."""
        found = self.found
        if found is None or not self.is_attached or not self.query("#rows"):
            return
        box = self.query_one(OptionList)
        width = max(60, self.size.width - 5)  # two columns at either side, and one for the scroll bar
        at = box.highlighted
        pair = self.pair
        if pair is None:
            title, names, self._rows = _table(found, width)
        else:
            title, names, self._rows = _opposed(pair, self.measure, width, self.asked.held_out)
        self.query_one("#title", Static).update(Content(one_line(title, 200)))
        self.query_one("#state", Static).update(Content(self._state(found)))
        self.query_one("#names", Static).update(Content(names))
        nothing = self.query_one("#nothing", Static)
        nothing.update("no finished episodes yet; enter on Home starts a game, `playpen-tui selfplay` plays many")
        nothing.display, box.display = not self._rows, bool(self._rows)
        box.clear_options()
        box.add_options([Option(Content("").join([row.content]), disabled=row.head) for row in self._rows])
        real = [number for number, row in enumerate(self._rows) if not row.head]
        if real:
            box.highlighted = at if at in real else real[0]
        self._tell()

    def on_option_list_option_highlighted(self) -> None:
        """Tell of the row under the cursor."""
        self._tell()

    def _tell(self) -> None:
        row = self.chosen
        lines = [one_line(text, 400) for text in row.about] if row is not None else []
        self.query_one("#about", Static).update(Content("\n".join(lines)))

    # ways

    def on_option_list_option_selected(self) -> None:
        """Enter shows the episodes."""
        self.action_episodes()

    def action_episodes(self) -> None:
        """The episodes behind the row."""
        row, found = self.chosen, self.found
        if row is None or found is None or not row.ids:
            return
        self.app.post_message(Behind(figures.behind(found.asked.filters, row.ids), row.title))

    @work(group="results", exclusive=True, exit_on_error=False)
    async def action_head(self) -> None:
        """The model under the cursor against another."""
        found, row = self.found, self.chosen
        if found is None or row is None:
            return
        others = [model for model in found.models if model != row.model]
        if not others:
            self.notify("there is only one model here; a second one to compare it with must have played", markup=False)
            return
        other: str | None = others[0]
        if len(others) > 1:
            asked = f"{one_line(row.model, 60)} against"
            every = [("all", "each other model"), *((str(n), one_line(name, 60)) for n, name in enumerate(others))]
            answer = await self.app.push_screen_wait(Choose(asked, every))
            if answer is None:
                return
            other = None if answer == "all" else others[int(answer)]
        names = [row.model, *(others if other is None else [other])]
        after = await self._apart(lambda _: figures.opposed(found, names))
        if after is not None:
            self.found, self._pair = after, 0
            self.query_one(OptionList).highlighted = None
            self._draw()
            self.refresh_bindings()

    def action_by(self) -> None:
        """By game, experiment or role."""
        if (found := self.found) is not None:
            self._reckon(lambda _: figures.turned(found))

    def action_measure(self) -> None:
        """The difference of another measure."""
        self.measure = MEASURES[(MEASURES.index(self.measure) + 1) % len(MEASURES)]
        self._draw()

    def action_next_pair(self) -> None:
        """The next two models."""
        self._pair += 1
        self._draw()

    @work(group="text", exclusive=True, exit_on_error=False)
    async def action_text(self) -> None:
        """As markdown, to read or copy."""
        if (found := self.found) is None:
            return
        text = await self._apart(lambda log: figures.document(log, found, "markdown"))
        if text is not None:
            self.app.copy_to_clipboard(text)
            self.app.push_screen(TextDialog("As text, and copied", text))

    @work(group="text", exclusive=True, exit_on_error=False)
    async def action_export(self) -> None:
        """Into a file here."""
        if (found := self.found) is None:
            return
        forms: dict[str, Form] = {form: form for form in figures.FORMS}
        labels = [("json", "JSON, which `results verify` checks"), ("csv", "CSV"), ("markdown", "markdown")]
        answer = await self.app.push_screen_wait(Choose("Export into the current folder as", labels))
        if answer is None:
            return
        path = await self._apart(lambda log: figures.export(log, found, forms[answer], Path.cwd()))
        if path is not None:
            self.notify(f"wrote {path}", markup=False)

    def action_back(self) -> None:
        """From head to head to the table, and from there to where one came from."""
        if self.found is not None and self.found.pairs and not self.asked.names:
            self.found = figures.opposed(self.found, ())
            self._draw()
            self.refresh_bindings()
        else:
            self.app.post_message(Go("back"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what can be done with what is shown."""
        shown = self.found is not None and bool(self.found.rows)
        if action in ("episodes", "text", "export"):
            return shown
        if action in ("head", "by"):
            return shown and self.pair is None
        if action == "measure":
            return self.pair is not None
        if action == "next_pair":
            return self.found is not None and len(self.found.pairs) > 1
        return True


# the table


def _table(found: Figures, width: int) -> tuple[str, str, list[_Row]]:
    """Title, names of the columns, rows: under each game its models, at the end the sums."""
    label = min(34, max(22, width - 62))
    bars = max(8, (width - label - 31) // 2)
    names = f"{'':<{label}} {'n':>5} {'played':>6} {'':<{bars}} {'quality':>7} {'':<{bars}} {'score':>7}"
    kind, called = figures.called(found.games)
    names = f"{kind:<{label}}{names[label:]}"
    rows: list[_Row] = []
    for game in found.games:
        rows.append(_Row(Content.styled(short(called[game], width), "bold")))
        rows += [_line(line, label, bars) for line in found.table.lines if line.game == game]
    for score in dict.fromkeys(one.score for one in found.table.overall):
        sums = [one for one in found.table.overall if one.score == score]
        games = sorted({len(one.games) for one in sums})
        over = f"{games[0]} to " if len(games) > 1 else ""
        head = f"{score}, {over}{figures.many(games[-1], 'game')}"
        rows.append(_Row(Content.styled(short(head, width), "bold $accent")))
        rows += [_sum(one, label, bars) for one in sums]
    models, games = figures.many(len(found.models), "model"), figures.many(len(found.games), "game")
    return f"Results · {models} · {games}", names, rows


def _line(line: Line, label: int, bars: int) -> _Row:
    part = line.experiment or line.role
    name = f"  {short(line.model, label - 2)}" if part is None else f"  {short(f'{part} · {line.model}', label - 2)}"
    content = (
        Content(f"{name:<{label}} {len(line.episodes):>5} {figures.number(line.played):>6} ")
        + Content.styled(figures.bar(line.played, bars), "$primary")
        + Content(f" {figures.number(line.quality):>7} ")
        + Content.styled(figures.bar(line.quality, bars), "$primary")
        + Content(f" {figures.number(line.clemscore):>7}")
    )
    title = " · ".join(word for word in (line.model, line.game, line.experiment, line.role) if word)
    return _Row(content, tuple(figures.about_line(line)), title, line.episodes, line.model)


def _sum(one: Overall, label: int, bars: int) -> _Row:
    name = f"  {short(one.model, label - 2)}"
    bounds = "" if one.clemscore is None else report.bounds(one.clemscore)
    content = (
        Content(f"{name:<{label}} {one.episodes:>5} {one.played:>6.1f} {'':<{bars}} {figures.number(one.quality):>7}")
        + Content.styled(f" {short(bounds, bars):>{bars}}", "$secondary")
        + Content.styled(f" {figures.number(one.clemscore):>7}", "bold")
    )
    return _Row(content, tuple(figures.about_overall(one)), "", (), one.model)


# head to head


def _opposed(
    pair: Comparison, measure: Measure, width: int, held_out: Sequence[str] = ()
) -> tuple[str, str, list[_Row]]:
    """Title, names of the columns, rows: the games, and the products at the end."""
    digits = 1 if width >= 90 else 0
    side, word = (7, 27) if digits else (4, 17)
    label = min(30, max(17, width - 66))
    space = _Space(label, side, digits, max(7, width - label - 4 * side - 9 - word), word)
    kind, called = figures.called([game.game for game in pair.games])
    names = f"{kind:<{label}}{'played':>{2 * side}}{'quality':>{2 * side}}   {measure}, paired difference"
    rows: list[_Row] = []
    for apart, heading in ((False, "trained"), (True, "held out")):
        games = [game for game in pair.games if (game.game in held_out) is apart]
        if games and held_out:
            rows.append(_Row(Content.styled(heading, "bold $accent")))
        rows += [_game(game, called[game.game], measure, space, pair) for game in games]
    for one in pair.scores:
        rows.append(_Row(Content("")))
        rows.append(_score(one, space))
    return f"{pair.first} against {pair.second}", names[:width], rows


@dataclass(frozen=True, slots=True)
class _Space:
    """Columns of the parts of a row, and digits behind the point of the models' own figures."""

    label: int
    side: int
    digits: int
    bars: int
    word: int

    def sides(self, *found: Estimate | float | None) -> str:
        """Figures one after the other."""
        return "".join(f"{figures.number(one, self.digits):>{self.side}}" for one in found)


def _difference(found: Difference | None, space: _Space) -> Content:
    if found is None:
        return Content(f"{'–':>7} ")
    said = found.short if len(found.short) <= space.word else f"{found.glyph} {found.word}"
    return (
        Content(f"{found.value:>+7.1f} ")
        + Content.styled(figures.bar(found, space.bars, -100.0, 100.0), "$primary")
        + Content.styled(f" {said}", STYLES[found.word])
    )


def _game(game: GameComparison, name: str, measure: Measure, space: _Space, pair: Comparison) -> _Row:
    sides = space.sides(game.first.played, game.second.played, game.first.quality, game.second.quality)
    content = Content(f"{short(name, space.label):<{space.label}}{sides}")
    ids = (*game.first.episodes, *game.second.episodes)
    title = f"{game.game} · {pair.first} and {pair.second}"
    about = tuple(figures.about_game(game, measure))
    return _Row(content + _difference(game.differences[measure], space), about, title, ids)


def _score(one: ScoreComparison, space: _Space) -> _Row:
    name = f"{short(one.score, space.label):<{space.label}}"
    sides = f"{'':<{2 * space.side}}{space.sides(one.first, one.second)}"
    found = one.difference
    bounds = "" if found.low is None else f" ({found.low:+.1f} to {found.high:+.1f})"
    about = (
        f"{one.score} {one.first:.2f} and {one.second:.2f}: {found.value:+.2f}{bounds}, {found}",
        f"over {figures.many(len(one.games), 'game')} that both played: {', '.join(one.games)}",
    )
    return _Row(Content.styled(name + sides, "bold") + _difference(found, space), about)
