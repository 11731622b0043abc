"""What wizards have in common: fields on one side, and on the other what would come of them, told anew while one types.

A field is a line or a choice; arrows and enter go from one to the next. What a wizard counts and begins is its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from playpen_tui.screens.faults import Telling
from playpen_tui.screens.form import Choice, Entry, Field
from playpen_tui.widgets.keys import KeyLine
from playpen_tui.workbench import Workbench

PAUSE = 0.35
"""Seconds without a key before a wizard counts."""


class WizardScreen(Telling):
    """Fields, and a table beside them. `first` has what stands in the fields at the beginning, by their keys."""

    CSS_PATH = "wizard.tcss"
    HEADING: ClassVar[str]
    FIELDS: ClassVar[tuple[Field, ...]]
    LISTED: ClassVar[tuple[str, ...]]
    """Keys of the fields that can be filled from a list."""

    def __init__(self, bench: Workbench, first: object) -> None:
        super().__init__()
        self.bench = bench
        self._first = first
        self._soon = False
        """Whether it begins as soon as it is counted: the key came before."""

    def compose(self) -> ComposeResult:
        """Fields, and the table."""
        with Horizontal(id="head"):
            yield Static(Content(self.HEADING), id="title")
            yield Static("", id="state")
        with Container(id="room"):
            with Vertical(id="left"):
                with VerticalScroll(id="fields", can_focus=False):
                    for field in self.FIELDS:
                        value = str(getattr(self._first, field.key))
                        with Horizontal(classes="row"):
                            yield Static(Content(field.label), classes="label")
                            yield Choice(field.key, field.choices, value) if field.choices else Entry(field.key, value)
                        yield from self.below(field.key)
                yield Static("", id="about")
            with VerticalScroll(id="table", can_focus=False):
                yield Static("", id="facts")
        yield KeyLine()

    def below(self, key: str) -> Iterator[Widget]:
        """What stands under a field."""
        yield from ()

    def on_mount(self) -> None:
        """Count with what stands there."""
        self.set_focus(self.fields[0])
        self.changed("")

    def on_resize(self) -> None:
        """Other widths have another table."""
        self.call_after_refresh(self.draw)

    @property
    def fields(self) -> list[Choice | Entry]:
        """The fields in order."""
        return [field for field in self.query("#fields .row > *") if isinstance(field, Choice | Entry)]

    @property
    def values(self) -> dict[str, str]:
        """What stands in the fields, by their keys."""
        return {field.key: field.value.strip() for field in self.fields}

    def changed(self, key: str) -> None:
        """Something else stands in this field; in any of them, where none is named."""
        raise NotImplementedError

    def begin(self) -> None:
        """Begin it."""
        raise NotImplementedError

    def draw(self) -> None:
        """Draw the table."""
        raise NotImplementedError

    @property
    def ready(self) -> bool:
        """Whether it can begin."""
        raise NotImplementedError

    @property
    def counting(self) -> bool:
        """Whether what stands in the fields is still to be counted."""
        raise NotImplementedError

    def counted(self) -> None:
        """It is counted: begin, if somebody has asked for that meanwhile."""
        soon, self._soon = self._soon, False
        self.draw()
        if soon and self.ready:
            self.begin()

    @property
    def waiting(self) -> str:
        """What is waited for."""
        return ("counting, then it begins …" if self._soon else "counting …") if self.counting else ""

    def on_choice_changed(self) -> None:
        """Another choice."""
        self.changed("")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Another wish."""
        self.changed(getattr(event.input, "key", ""))

    def on_descendant_focus(self) -> None:
        """Say what the field takes."""
        key = getattr(self.focused, "key", "")
        hint = next((field.hint for field in self.FIELDS if field.key == key), "")
        self.query_one("#about", Static).update(Content(hint))
        self.refresh_bindings()
        self.call_after_refresh(self._show_focused)

    def _show_focused(self) -> None:
        if self.focused is not None:
            self.focused.scroll_visible(animate=False, immediate=True)

    # keys

    def _step(self, by: int) -> None:
        fields = self.fields
        at = next((number for number, one in enumerate(fields) if one is self.focused), 0)
        self.set_focus(fields[(at + by) % len(fields)])

    def action_begin(self) -> None:
        """Begin it, as soon as it is counted."""
        if self.counting:
            self._soon = True
            self.draw()
        elif self.ready:
            self.begin()

    def action_next_field(self) -> None:
        """Down."""
        self._step(1)

    def action_previous_field(self) -> None:
        """Up."""
        self._step(-1)

    def action_choose(self) -> None:
        """The next of a choice."""
        if isinstance(self.focused, Choice):
            self.focused.turn(1)

    def action_choose_back(self) -> None:
        """The one before."""
        if isinstance(self.focused, Choice):
            self.focused.turn(-1)

    @property
    def listed(self) -> Entry | None:
        """The field with the cursor, if a list fills it."""
        here = self.focused
        return here if isinstance(here, Entry) and here.key in self.LISTED else None

    def put(self, entry: Entry, value: str) -> None:
        """Write this into a field, with the cursor behind it."""
        entry.value = value
        entry.cursor_position = len(value)
        self.set_focus(entry)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Begin only what can begin, and list only what has a list."""
        if action == "begin":
            return self.ready or self.counting
        if action == "fill":
            return self.listed is not None
        if action in ("choose", "choose_back"):
            return isinstance(self.focused, Choice)
        return True


def good(text: str) -> Content:
    """Something that is well."""
    return Content.styled("✓ ", "$success") + Content(text)


def wrong(text: str) -> Content:
    """Something that will not do."""
    return Content.styled(f"✗ {text}", "$error")
