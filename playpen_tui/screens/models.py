"""The models room: whom one can play with, what each is, and how it did when it was tried.

On the left all there are, by where they come from; on the right the one under the cursor. Servers are looked for in
the background. Every text goes through `_plain`: what is a key is taken out, what is hostile becomes harmless.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from players.base import Event, Token
from players.known import Known, details, key_names, lying, registered
from players.masking import HIDDEN, mask, may_be_key
from players.trying import Step, Trial, try_spec
from playpen_tui import workbench
from playpen_tui.actions import bindings
from playpen_tui.messages import Go
from playpen_tui.screens.dialogs import Choose
from playpen_tui.screens.form import FormScreen, filled
from playpen_tui.text import clean, one_line, short
from playpen_tui.widgets.keys import KeyLine
from playpen_tui.workbench import Workbench, expected

PAINT = 0.1
"""Seconds between two paintings of a test that runs."""
LABEL = 10
"""Columns of the labels of the details."""
STREAMED = 600
"""Characters of the streamed text that are shown."""
MARKS = {
    "ok": ("✓", "$success"),
    "failed": ("✗", "$error"),
    "skipped": ("≈", "$secondary"),
    "running": ("…", "$accent"),
}


@dataclass(slots=True)
class _Running:
    """A test under way."""

    spec: str
    steps: dict[str, Step] = field(default_factory=dict[str, Step])
    text: str = ""
    dirty: bool = True


class Names(OptionList):
    """The list. Enter is the screen's, so that the footer tells of it and a click only looks."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """All but `select`."""
        return action != "select"


class ModelsScreen(Screen[None]):
    """Whom one can play with."""

    BINDINGS = bindings("models")
    CSS_PATH = "models.tcss"

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self.bench = bench
        self._known: list[Known] = []
        self._found: list[Known] = []
        self._looking = False
        self._trouble = ""
        self._tested: _Running | None = None
        self._drafts: dict[str | None, Mapping[str, str]] = {}
        self._names: list[str] = []

    def compose(self) -> ComposeResult:
        """Title, list, details, keys."""
        with Horizontal(id="head"):
            yield Static("Models", id="title")
            yield Static("", id="status")
        with Horizontal(id="room"):
            yield Names(id="list")
            with VerticalScroll(id="one"):
                yield Static("", id="details")
        yield KeyLine()

    def on_mount(self) -> None:
        """What is known stands there at once; servers are looked for beside."""
        self.query_one(OptionList).focus()
        self._fill()
        self._look()
        self.set_interval(PAINT, self._tick)

    def on_resize(self) -> None:
        """Other sizes have other lines."""
        self.call_after_refresh(self._fill)

    # the list

    @work(group="look", exclusive=True, exit_on_error=False)
    async def _look(self) -> None:
        self._looking = True
        self._fill()
        try:
            self._found = await self.bench.served()
        finally:
            self._looking = False
        self._fill()

    def _gather(self) -> None:
        try:
            entries = registered(self.bench.registry, workbench.built_in_ready())
            self._names = key_names(self.bench.registry.entries.values())
            self._trouble = ""
        except expected() as error:  # a registry that cannot be read must not hide what runs here
            entries, self._trouble = [], str(error)
        self._known = [*entries, *self._found, *lying()]

    def _fill(self, at: str | None = None) -> None:
        """Draw the list; the cursor stays with whom it was, or goes to `at`."""
        if not self.is_attached or not self.query("#list"):
            return
        before = at or (chosen.spec if (chosen := self.chosen) is not None else None)
        self._gather()
        box = self.query_one(OptionList)
        box.clear_options()
        width = max(10, box.size.width - 4)
        numbers: list[int | None] = []
        for title, rows, empty in self._groups():
            if numbers:
                box.add_option(Option(Content(""), disabled=True))
                numbers.append(None)
            head = Content.styled(short(self._plain(title), width + 2), "$secondary")
            box.add_option(Option(head, disabled=True))
            numbers.append(None)
            for number in rows:
                box.add_option(Option(Content("").join([self._row(self._known[number], width)]), id=str(number)))
                numbers.append(number)
            if not rows:
                box.add_option(Option(Content.styled(f"  {short(empty, width)}", "$secondary"), disabled=True))
                numbers.append(None)
        wanted = [at for at, n in enumerate(numbers) if n is not None and self._known[n].spec == before]
        first = [at for at, n in enumerate(numbers) if n is not None]
        box.highlighted = (wanted or first or [None])[0]
        self._head()
        self._details()

    def _groups(self) -> list[tuple[str, list[int], str]]:
        """Title, places in `_known`, and what to say where there is nobody, of each group."""
        found: list[tuple[str, list[int], str]] = []
        for group, empty in (("built in", ""), ("registered", "none yet: a adds one"), ("from clemcore", "")):
            rows = self._of(group)
            if rows or empty:
                found.append((group, rows, empty))
        servers = list(dict.fromkeys(known.where for known in self._found))
        for server in servers:
            rows = [n for n in self._of("found here") if self._known[n].where == server]
            found.append((server, rows, ""))
        if not servers:
            found.append(("found here", [], "looking …" if self._looking else "no server answers"))
        if rows := self._of("weights here"):
            found.append(("weights here", rows, ""))
        return found

    def _of(self, group: str) -> list[int]:
        return [number for number, known in enumerate(self._known) if known.group == group]

    def _row(self, known: Known, width: int) -> Content:
        """A mark for how it did, and its name; what cannot be played with yet is dim."""
        trial = self.bench.trials.get(known.spec)
        glyph, style = (" ", "$secondary") if trial is None else MARKS["ok" if trial.ok else "failed"]
        if known.trouble and trial is None:
            glyph, style = "⊘", "$warning"
        if self._tested is not None and self._tested.spec == known.spec:
            glyph, style = MARKS["running"]
        name = known.entry.model if known.group == "found here" else known.spec
        body = short(self._plain(name), width - 2)
        return Content.styled(f"{glyph} ", style) + (
            Content.styled(body, "$secondary") if known.trouble else Content(body)
        )

    @property
    def chosen(self) -> Known | None:
        """Who stands under the cursor."""
        box = self.query_one(OptionList)
        if box.highlighted is None or box.highlighted >= box.option_count:
            return None
        id = box.get_option_at_index(box.highlighted).id
        return None if id is None or int(id) >= len(self._known) else self._known[int(id)]

    def on_option_list_option_highlighted(self) -> None:
        """Tell of another one."""
        self._details()
        self.query_one("#one").scroll_home(animate=False)
        self.refresh_bindings()

    # the details

    def _plain(self, text: str, limit: int = 400) -> str:
        """The text on one line, without keys and harmless."""
        return one_line(mask(text[: 4 * limit], self._names), limit)

    def _head(self) -> None:
        servers = len({known.where for known in self._found})
        words = "looking for servers …" if self._looking else f"{servers or 'no'} server{'s' * (servers != 1)} found"
        words += "" if self._looking else "   r looks again"
        if self._tested is not None:
            words = f"testing {short(self._plain(self._tested.spec), 30)}"
        self.query_one("#status", Static).update(Content(words))

    def _details(self) -> None:
        if not self.query("#details"):
            return
        width = max(24, self.query_one("#one").size.width - 5)
        lines: list[Content] = []
        if self._trouble:
            lines += [*_wrapped("⊘ ", self._plain(self._trouble, 600), width, "$error"), Content("")]
        known = self.chosen
        if known is not None:
            for label, words in details(known):
                lines += _wrapped(f"{label:<{LABEL}}", self._plain(words), width)
            if known.trouble:
                lines += [Content(""), *_wrapped("⊘ first   ", self._plain(known.trouble), width, "$warning")]
            lines += [Content(""), *self._test(known, width)]
        elif not self._trouble:
            lines.append(Content.styled("nobody yet: a adds a model, r looks for servers again", "$secondary"))
        self.query_one("#details", Static).update(Content("\n").join(lines))

    def _test(self, known: Known, width: int) -> list[Content]:
        """How the last test went, or goes."""
        running = self._tested if self._tested is not None and self._tested.spec == known.spec else None
        trial = self.bench.trials.get(known.spec)
        if running is None and trial is None:
            if not known.nameable:
                return []
            return [Content.styled("not tested yet: t asks it for a few words", "$secondary")]
        steps = list(running.steps.values()) if running is not None else list(trial.steps if trial is not None else ())
        lines = [_verdict(running is not None, trial)]
        for step in steps:
            glyph, style = MARKS[step.state]
            head = Content.styled(f"{glyph} ", style) + Content.styled(f"{step.name:<{LABEL - 2}}", "$secondary")
            said = "failed: " if step.state == "failed" else "left out: " if step.state == "skipped" else ""
            words = self._plain(said + step.said) if step.said else "…"
            lines += _hung(head, words, width, "$error" if step.state == "failed" else "")
        text = running.text if running is not None else (trial.text if trial is not None else "")
        if text:
            said = " ".join(mask(text, self._names).split())
            if running is not None:  # the end of it, from a whole word on
                said = "… " + said[-STREAMED:].partition(" ")[2] if len(said) > STREAMED else said
                before, space, last = said.rpartition(" ")
                said = before + space + (HIDDEN if may_be_key(last) else last) + "▏"
            lines += [Content(""), *_wrapped("it said   ", clean(said, None if running else STREAMED), width)]
        return lines

    # testing

    def action_test(self) -> None:
        """Try the one under the cursor."""
        known = self.chosen
        if known is None:
            return
        if self._tested is not None:
            self.notify("a test is running: esc stops it", markup=False)
        elif self._can_be_named(known):
            self._try(known)

    @work(group="trial", exclusive=True, exit_on_error=False)
    async def _try(self, known: Known) -> None:
        running = self._tested = _Running(known.spec)

        def hear(step: Step) -> None:
            running.steps[step.name] = step
            running.dirty = True

        def emit(event: Event) -> None:
            if isinstance(event, Token):
                running.text = (running.text + event.text)[-4 * STREAMED :]
                running.dirty = True

        self._fill()
        self.refresh_bindings()
        try:
            self.bench.trials[known.spec] = await try_spec(known.spec, self.bench.registry, hear=hear, emit=emit)
        except expected() as error:
            step = Step("ping", "failed", str(error))
            self.bench.trials[known.spec] = Trial(known.spec, steps=(step,))
        finally:
            self._tested = None
            self._fill()
            self.refresh_bindings()

    def _tick(self) -> None:
        if self._tested is not None and self._tested.dirty:
            self._tested.dirty = False
            self._head()
            self._details()

    def _can_be_named(self, known: Known) -> bool:
        if not known.nameable:
            self.notify(self._plain(known.trouble), severity="warning", markup=False)
        return known.nameable

    # changing the registry

    def action_add(self) -> None:
        """A new entry, from what is under the cursor where that is served here or lies here."""
        known = self.chosen
        given = known is not None and known.group in ("found here", "weights here") and known.nameable
        self._edit(None, filled(known.entry) if given and known is not None else {})

    def action_edit(self) -> None:
        """Change the user's own entry; of anybody else make one of their own."""
        known = self.chosen
        if known is None or not self._can_be_named(known):
            return
        self._edit(known.spec if known.group == "registered" else None, filled(known.entry))

    @work(group="form", exclusive=True, exit_on_error=False)
    async def _edit(self, name: str | None, values: Mapping[str, str]) -> None:
        if self._trouble:
            self.notify(self._plain(self._trouble, 500), severity="error", timeout=12, markup=False)
            return
        served = [known for known in self._found if known.nameable]
        draft = self._drafts.pop(name, {}) if name is not None or not values else {}
        form = FormScreen(self.bench.registry, name, {**values, **draft}, served)
        saved = await self.app.push_screen_wait(form)
        if saved is None:
            if form.changed:
                self._drafts[name] = form.values
                self.notify("what you typed is kept until you open the form again", markup=False)
            return
        self._fill(at=saved)
        self.notify(f"{saved} stands in {self.bench.registry.path}; t tries it, enter plays with it", markup=False)

    @work(group="form", exclusive=True, exit_on_error=False)
    async def action_remove(self) -> None:
        """Take the user's own entry out, after a question."""
        known = self.chosen
        if known is None:
            return
        if known.group != "registered":
            self.notify(f"it is {known.group}, and stays; only your own entries can go", markup=False)
            return
        asked = (
            f"Take {self._plain(known.spec)} out of {self.bench.registry.path}?\n\nEpisodes in the log keep its name."
        )
        if await self.app.push_screen_wait(Choose(asked, [("no", "keep it"), ("yes", "take it out")])) != "yes":
            return
        try:
            self.bench.registry.remove(known.spec)
        except expected() as error:
            self.notify(self._plain(str(error), 500), severity="error", timeout=12, markup=False)
            return
        self.bench.trials.pop(known.spec, None)
        self._drafts.pop(known.spec, None)
        self._fill()

    # ways

    def action_play(self) -> None:
        """To the picker, with this partner."""
        known = self.chosen
        if known is not None and self._can_be_named(known):
            self.app.post_message(Go("pick", known.spec))

    def action_look(self) -> None:
        """Read the registry and look for servers again."""
        try:
            self.bench.registry.reload()
        except expected() as error:
            self.notify(self._plain(str(error), 500), severity="error", timeout=12, markup=False)
        self._look()

    def action_copy(self) -> None:
        """The spec, as one would type it."""
        known = self.chosen
        if known is not None and self._can_be_named(known):
            self.app.copy_to_clipboard(known.spec)
            self.notify(f"copied {self._plain(known.spec)}", markup=False)

    def action_scroll(self) -> None:
        """Between the list and the details."""
        box = self.query_one(OptionList)
        (self.query_one("#one") if self.focused is box else box).focus()

    def action_stop(self) -> None:
        """Stop the test."""
        self.workers.cancel_group(self, "trial")

    def action_back(self) -> None:
        """Home."""
        self.app.post_message(Go("home"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done with the one under the cursor."""
        if action in ("play", "test", "edit", "remove", "copy"):
            known = self.chosen if self.query("#list") else None
            return known is not None and (action != "remove" or known.group == "registered")
        if action in ("stop", "back"):
            return (self._tested is not None) == (action == "stop")
        return True


def _verdict(running: bool, trial: Trial | None) -> Content:
    if running:
        return Content.styled("test runs   esc stops it", "$accent")
    well = trial is not None and trial.ok
    return Content.styled("test passed" if well else "test failed", "bold $success" if well else "bold $error")


def _wrapped(head: str, words: str, width: int, style: str = "") -> list[Content]:
    """A label and its words, further lines under the words."""
    return _hung(Content.styled(head, style or "$secondary"), words, width, style)


def _hung(head: Content, words: str, width: int, style: str = "") -> list[Content]:
    pieces = textwrap.wrap(words, max(10, width - head.cell_length), break_on_hyphens=False) or [""]
    lines = [head + (Content.styled(pieces[0], style) if style else Content(pieces[0]))]
    indent = " " * head.cell_length
    for piece in pieces[1:]:
        lines.append(Content.styled(indent + piece, style) if style else Content(indent + piece))
    return lines
