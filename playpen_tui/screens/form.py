"""The form of a registry entry: one line a field, checked while it is typed by the very checks of the registry.

What may become a key while it is typed is drawn as dots at once, so that no screen and no picture ever shows one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textual import events, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from players.entry import IT, LIKE_A_KEY, BadField, ModelEntry, RegistryError, check_field, checked, table_of, typed
from players.known import Known, settings_text
from players.masking import mask, may_be_key, unlike_a_name
from players.registry import Registry
from players.spec import BACKENDS
from playpen_tui.actions import bindings
from playpen_tui.screens.dialogs import Choose
from playpen_tui.text import one_line, short
from playpen_tui.widgets.composer import moved

LENGTH = 1_000
"""Characters that a field takes."""
USUAL = "if asked for"
AROUND = 11
"""Lines of the form around its fields, when the sentence below them is long."""


@dataclass(frozen=True, slots=True)
class Field:
    """One line of a form; with `choices`, one of them."""

    key: str
    label: str
    hint: str
    choices: tuple[str, ...] = ()


FIELDS = (
    Field("name", "name", "how you will call it: letters, digits and . _ + / -"),
    Field(
        "backend", "backend", "openai: any compatible server, vllm: its server or weights, llamacpp: a GGUF", BACKENDS
    ),
    Field("model", "model", "its name on the server, or the file or folder of its weights"),
    Field("base_url", "address", "http://HOST:PORT/v1; empty for the backend's usual one"),
    Field("api_key_env", "key variable", "the NAME of the variable that holds the key, never the key"),
    Field("sampling", "settings", "decoding, such as temperature=0 max_tokens=300"),
    Field("adapter", "adapter", "folder of a LoRA adapter"),
    Field("assist", "assisted", "help its seats to keep the form of a game", (USUAL, "on", "off")),
    Field("price_in", "price in", "US dollars per million tokens that are sent"),
    Field("price_out", "price out", "US dollars per million tokens that come back"),
    Field("description", "about", "what it is, in a few words"),
)


LABELS = {one.key: one.label for one in FIELDS}


def _sentence(error: RegistryError) -> str:
    """What is wrong, in the words of the form."""
    return error.called(LABELS.get(error.key, error.key)) if isinstance(error, BadField) else str(error)


def filled(entry: ModelEntry) -> dict[str, str]:
    """The fields of an entry as one would type them; the name only where it is the user's own."""
    prices = {key: f"{value:.10g}" for key in ("price_in", "price_out") if (value := getattr(entry, key)) is not None}
    return {
        "name": entry.name if entry.source == "user" else "",
        "backend": entry.backend,
        "model": entry.model,
        "base_url": entry.base_url,
        "api_key_env": entry.api_key_env,
        "sampling": settings_text(entry).replace("&", " "),
        "adapter": entry.adapter,
        "assist": USUAL if entry.assist is None else "on" if entry.assist else "off",
        "description": entry.description if entry.source == "user" else "",
        **prices,
    }


class Entry(Input):
    """One line; dots where a key may stand in it."""

    def __init__(self, key: str, value: str) -> None:
        self.key = key
        super().__init__(value, max_length=LENGTH, compact=True, select_on_focus=False, password=hides(key, value))

    async def _on_key(self, event: events.Key) -> None:
        if await at_once(self, event):
            event.stop()
            event.prevent_default()
        elif bound := self._bindings.key_to_bindings.get(event.key):  # backspace and the like, in their order
            event.stop()
            event.prevent_default()
            await self.run_action(bound[0].action)
        else:
            await super()._on_key(event)

    def _watch_value(self, value: str) -> None:
        if not value.isprintable():
            self.value = value = "".join(c if c.isprintable() else " " for c in value).strip()
        self.password = hides(self.key, value)
        super()._watch_value(value)

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        text = " ".join("".join(c if c.isprintable() else " " for c in event.text[: 4 * LENGTH]).split())
        self.password = self.password or hides(self.key, text)
        self.insert_text_at_cursor(text[: max(0, LENGTH - len(self.value))])


async def at_once(field: Entry | Choice, event: events.Key) -> bool:
    """Do what the form binds before the key bubbles up to it, since keys typed behind it may belong to another field.

    True where that was done.
    """
    if moved(field, event):
        return True
    form = field.screen
    for bound in form._bindings.key_to_bindings.get(event.key, ()):
        if form.check_action(bound.action, ()):
            await form.run_action(bound.action)
            return True
    return False


def hides(key: str, value: str) -> bool:
    """Whether a field is drawn as dots."""
    return may_be_key(value) or (key == "api_key_env" and (unlike_a_name(value.strip()) or not _variable(value)))


def _variable(value: str) -> bool:
    return all(c == "_" or (c.isascii() and c.isalnum()) for c in value.strip())


class Choice(Static, can_focus=True):
    """One of a few words, changed with the arrows."""

    class Changed(Message):
        """Another was chosen."""

    def __init__(self, key: str, choices: Sequence[str], value: str) -> None:
        super().__init__()
        self.key = key
        self.choices = tuple(choices)
        self.value = value if value in choices else self.choices[0]

    def on_mount(self) -> None:
        """Draw the words."""
        self.turn(0)

    async def on_key(self, event: events.Key) -> None:
        """Fields are changed at once."""
        if await at_once(self, event):
            event.stop()

    def turn(self, by: int) -> None:
        """Choose another."""
        self.value = self.choices[(self.choices.index(self.value) + by) % len(self.choices)]
        parts = [
            Content.styled(f" {word} ", "bold $background on $accent" if word == self.value else "$secondary")
            for word in self.choices
        ]
        self.update(Content(" ").join(parts))
        if by:
            self.post_message(self.Changed())


class FormScreen(ModalScreen[str | None]):
    """An entry to be written; gives its name, or None where it was not. `values` is what stands in it at the end."""

    BINDINGS = bindings("form")
    CSS_PATH = "models.tcss"

    def __init__(
        self, registry: Registry, editing: str | None, values: Mapping[str, str], served: Sequence[Known] = ()
    ) -> None:
        super().__init__()
        self._registry = registry
        self._editing = editing
        self._served = list(served)
        self._first = dict(values)
        self.values: dict[str, str] = {}
        self._problem: RegistryError | None = None
        self._tried: dict[str, str] = {}
        """What stood in the fields when `_problem` came of saving them."""

    @property
    def changed(self) -> bool:
        """Whether anything is written that was not there at the beginning."""
        blank = {"backend": BACKENDS[0], "assist": USUAL}
        return any(value != self._first.get(key, blank.get(key, "")) for key, value in self.values.items())

    def compose(self) -> ComposeResult:
        """A line a field, what is wrong, and the keys."""
        with Vertical():
            heading = "A new model" if self._editing is None else f"Change {one_line(self._editing)}"
            yield Static(Content(heading), id="form-title")
            with VerticalScroll(can_focus=False, id="form-rows"):
                for one in FIELDS:
                    if one.key == "name" and self._editing is not None:
                        continue
                    value = self._first.get(one.key, "")
                    with Horizontal(classes="row"):
                        yield Static(Content(one.label), classes="label")
                        yield Static("", classes="mark", id=f"mark-{one.key}")
                        yield Choice(one.key, one.choices, value) if one.choices else Entry(one.key, value)
            yield Static("", id="form-problem")
            yield Static("enter save   ↑ ↓ field   ← → choose   ctrl+o fill in   f1 help   esc close", id="form-keys")

    def on_mount(self) -> None:
        """The cursor to the first field that is empty and must not be."""
        widgets = self._widgets()
        empty = [w for w in widgets if w.key in ("name", "model") and not w.value]
        (empty or widgets)[0].focus()
        self._look()

    def on_resize(self) -> None:
        """On a low terminal the fields scroll, so that what is wrong and the keys stay in sight."""
        rows = self.query_one("#form-rows")
        rows.styles.height = "auto"
        rows.styles.max_height = max(1, self.size.height - AROUND)

    def _widgets(self) -> list[Entry | Choice]:
        return [w for w in self.query("#form-rows Entry, #form-rows Choice") if isinstance(w, Entry | Choice)]

    def on_input_changed(self, event: Input.Changed) -> None:
        """Look again."""
        event.stop()
        self._changed()

    def on_choice_changed(self) -> None:
        """Look again."""
        self._changed()

    def _changed(self) -> None:
        self._look()
        if (
            self._problem is not None and self.values != self._tried
        ):  # else this was typed before enter, and is only heard of now
            self._problem = None
            self._look()

    def on_descendant_focus(self) -> None:
        """Another field has another hint."""
        self._look()

    def _look(self) -> None:
        """Check every field as it stands, mark those that will not do, and tell of the one under the cursor."""
        widgets = self._widgets()
        if not widgets:
            return
        self.values = {w.key: w.value for w in widgets}
        wrong = {w.key: problem for w in widgets if (problem := self._wrong(w.key, w.value))}
        for w in widgets:
            self.query_one(f"#mark-{w.key}", Static).update(Content("✗" if w.key in wrong else ""))
        here = self.focused.key if isinstance(self.focused, Entry | Choice) else ""
        problem = _sentence(self._problem) if self._problem is not None else ""
        problem = problem or wrong.get(here) or next(iter(wrong.values()), "")
        hint = next((one.hint for one in FIELDS if one.key == here), "")
        if here == "api_key_env" and self.values[here].strip() and here not in wrong:
            there = bool(os.environ.get(self.values[here].strip(), "").strip())
            hint = f"the variable is {'set' if there else 'not set'} here"
        line = self.query_one("#form-problem", Static)
        line.set_class(bool(problem), "wrong")
        line.update(Content(f"✗ {one_line(mask(problem), 300)}" if problem else hint))

    def _wrong(self, key: str, value: str) -> str:
        try:
            if key != "assist":
                check_field(key, value)
            if key == "name" and self._editing is None and self._taken(value.strip()):
                return f"there is a model {value.strip()} already: choose another name, or change that one"
        except BadField as error:
            return _sentence(BadField(key, LIKE_A_KEY) if may_be_key(value) else error)
        return ""

    def _taken(self, name: str) -> bool:
        return name in self._registry.entries and self._registry.entries[name].source == "user"

    # actions

    def action_save(self) -> None:
        """Write it; what cannot be written stays in the form, with the reason."""
        self._look()
        values = dict(self.values)
        if values.get("assist") == USUAL:
            values["assist"] = ""
        name = self._editing or values.pop("name").strip()
        try:
            for key, value in self.values.items():
                if problem := self._wrong(key, value):
                    raise BadField(key, problem)
            if not name:
                raise BadField("name", f"{IT} is missing: how do you want to call it?")
            before = table_of(self._registry.get(name)) if self._editing is not None else {}
            self._registry.add(checked(name, typed(values, before)))
        except (RegistryError, LookupError) as error:
            self._problem = error if isinstance(error, RegistryError) else RegistryError(str(error.args[0]))
            self._tried = dict(self.values)
            for w in self._widgets():
                if isinstance(error, BadField) and w.key == error.key:
                    w.focus()
            self._look()
            return
        self.dismiss(name)

    def action_next_field(self) -> None:
        """Down."""
        self.focus_next("Entry, Choice")

    def action_previous_field(self) -> None:
        """Up."""
        self.focus_previous("Entry, Choice")

    def action_choose(self) -> None:
        """The next choice."""
        self._turn(1)

    def action_choose_back(self) -> None:
        """The choice before."""
        self._turn(-1)

    def _turn(self, by: int) -> None:
        if isinstance(self.focused, Choice):
            self.focused.turn(by)

    @work(group="fill", exclusive=True, exit_on_error=False)
    async def action_fill(self) -> None:
        """Model and address of somebody who is served here."""
        if not self._served:
            self.notify("no server on this machine offers a model now; r, in the list, looks again", markup=False)
            return
        answers = [
            (str(number), f"{short(known.entry.model, 40)} · {short(known.where, 40)}")
            for number, known in enumerate(self._served)
        ]
        chosen = await self.app.push_screen_wait(Choose("Which one?", answers))
        if chosen is None:
            return
        entry = self._served[int(chosen)].entry
        for w in self._widgets():
            if w.key in ("backend", "model", "base_url"):
                w.value = getattr(entry, w.key)
                if isinstance(w, Choice):
                    w.turn(0)
        self._changed()

    def action_close(self) -> None:
        """Close without writing."""
        self._look()
        self.dismiss(None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Choices only where there are some."""
        return isinstance(self.focused, Choice) if action in ("choose", "choose_back") else True
