"""The writing line: asks a person for the fields of a reply, one line each, without any protocol tag.

A field with options is answered with its number, its first letters or the arrows; any other is a line of text. Pasted
text loses its line breaks and nothing else. What was typed survives until it has been said: `up` brings it back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from games.boards import Field
from playpen_tui.actions import bindings
from playpen_tui.text import clean, one_line

LENGTH = 4_000
"""Characters that a line takes."""


def moved(field: Widget, event: events.Key) -> bool:
    """Go to another field with tab, at once; what was typed behind the tab belongs to that one."""
    focused = field.screen.focused
    if focused is not None and focused is not field:
        focused._forward_event(events.Key(event.key, event.character))
    elif event.key in ("tab", "shift+tab"):
        (field.screen.focus_next if event.key == "tab" else field.screen.focus_previous)()
    else:
        return False
    return True


class Line(Input):
    """One line of text. `?` on an empty line is left to the screen, which shows help.

    Keys keep their order however fast they come: what this line binds (enter, backspace, arrows) is done when the key
    arrives, since a binding found by bubbling comes after keys typed later, and one with priority before earlier ones.
    """

    BINDINGS = bindings("line")

    class Typed(Message):
        """Something was typed; what is wrong with it may have changed."""

    class Sent(Message):
        """Enter was pressed in this field, which then held this text."""

        def __init__(self, field: str, text: str) -> None:
            super().__init__()
            self.field = field
            self.text = text

    def __init__(self, field: Field) -> None:
        super().__init__(placeholder=one_line(field.hint), max_length=LENGTH, compact=True, select_on_focus=False)
        self.field = field
        self._history: list[str] = []
        self._empty = True

    def check_consume_key(self, key: str, character: str | None = None) -> bool:
        """Whether this line takes the key for itself."""
        return super().check_consume_key(key, character) and not (key == "question_mark" and not self.value)

    def _watch_value(self, value: str) -> None:
        super()._watch_value(value)
        if bool(value) is self._empty and self.is_attached:
            self.screen.refresh_bindings()  # which key helps depends on it
        self._empty = not value

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "question_mark" and not self.value:
            event.prevent_default()  # else the base class, which hears it too, would type it
            return
        if await self._here_and_now(event):
            event.stop()
            event.prevent_default()
        else:
            await super()._on_key(event)

    async def _here_and_now(self, event: events.Key) -> bool:
        """Do what must not wait for the key to bubble up; whether there was anything to do."""
        if moved(self, event):
            return True
        if event.key == "up" and self._history:
            self.value = self._history[-1]
            self.cursor_position = len(self.value)
        elif bound := self._bindings.key_to_bindings.get(event.key):
            await self.run_action(bound[0].action)
        else:
            return False
        return True

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        text = clean(" ".join(event.text.split()), None)
        room = LENGTH - len(self.value)
        if len(text) > room:
            self.app.notify(
                f"of {len(text):,} characters only the first {room:,} fit", markup=False, severity="warning"
            )
        self.insert_text_at_cursor(text[:room])

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell the composer."""
        event.stop()
        self.post_message(self.Typed())

    async def action_submit(self) -> None:
        """Enter."""
        self.post_message(self.Sent(self.field.name, self.answer))

    @property
    def answer(self) -> str:
        """What is written, without outer spaces."""
        return self.value.strip()

    def fill(self, text: str) -> None:
        """Write this, with the cursor behind it."""
        self.value = text
        self.cursor_position = len(self.value)

    def clear_answer(self) -> None:
        """Empty the line; what stood in it comes back with `up`."""
        if self.answer:
            self._history.append(self.value)
        self.value = ""


class Options(Static, can_focus=True):
    """A few options, one of which is chosen."""

    BINDINGS = bindings("line")
    DEFAULT_CSS = "Options { width: 1fr; height: 1; } Options:focus { background: $panel; }"

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.field = field
        self._at: int | None = None

    def on_mount(self) -> None:
        """Draw the options."""
        self._draw()

    def _draw(self) -> None:
        parts: list[Content] = []
        for number, option in enumerate(self.field.options):
            chosen = number == self._at
            style = "bold $background on $accent" if chosen else "$foreground"
            parts.append(Content.styled(f" {number + 1} {one_line(option)} ", style))
        hint = "" if self._at is not None else f"   press 1–{len(self.field.options)}, then enter"
        self.update(Content("  ").join(parts) + Content.styled(hint, "$secondary"))

    def on_key(self, event: events.Key) -> None:
        """Numbers, first letters and arrows choose."""
        if moved(self, event):
            event.stop()
            return
        count = len(self.field.options)
        starts = [
            n
            for n, option in enumerate(self.field.options)
            if event.character and option.lower().startswith(event.character)
        ]
        if event.character and event.character.isdigit() and 1 <= int(event.character) <= count:
            self._at = int(event.character) - 1
        elif event.key in ("left", "right"):
            step = 1 if event.key == "right" else -1
            self._at = (0 if step > 0 else count - 1) if self._at is None else (self._at + step) % count
        elif starts:
            self._at = starts[0]
        else:
            return
        event.stop()
        self._draw()
        self.post_message(Line.Typed())

    def action_submit(self) -> None:
        """Enter."""
        self.post_message(Line.Sent(self.field.name, self.answer))

    @property
    def answer(self) -> str:
        """The chosen option, or nothing."""
        return "" if self._at is None else self.field.options[self._at]

    def fill(self, text: str) -> None:
        """Choose this option, where there is such a one."""
        self._at = self.field.options.index(text) if text in self.field.options else None
        self._draw()

    def clear_answer(self) -> None:
        """Nothing is chosen."""
        self._at = None
        self._draw()


class Composer(Vertical):
    """The fields a person is asked for, and what would be wrong with what stands there."""

    class Changed(Message):
        """The answers changed."""

    class Sent(Message):
        """The person wants to say this: answers by field name, as they were when enter was pressed."""

        def __init__(self, answers: Mapping[str, str]) -> None:
            super().__init__()
            self.answers = answers

    DEFAULT_CSS = """
    Composer { height: auto; padding: 0 2; }
    Composer #lines { height: auto; }
    Composer Horizontal { height: 1; }
    Composer .label { width: auto; color: $secondary; }
    Composer #problems { height: auto; max-height: 3; color: $error; padding: 0; }
    Composer #problems.hint { color: $secondary; }
    Composer Input { background: transparent; border: none; padding: 0; height: 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._fields: tuple[Field, ...] = ()

    def compose(self) -> ComposeResult:
        """The lines, and the line of problems."""
        yield Vertical(id="lines")
        yield Static("", id="problems", classes="hint")

    async def ask(self, fields: Sequence[Field], focus: bool = True) -> None:
        """Ask for these fields; what is already written stays when they are the same as before."""
        if tuple(fields) != self._fields:
            self._fields = tuple(fields)
            box = self.query_one("#lines", Vertical)
            await box.remove_children()
            pad = max((len(field.label) for field in fields), default=0)
            for field in fields:
                label = Static(Content(f"{one_line(field.label):>{pad}} ▸ "), classes="label")
                await box.mount(Horizontal(label, Options(field) if field.options else Line(field)))
        self.display = True
        if focus:
            self.focus_first()

    def focus_first(self) -> None:
        """Put the cursor on the first field that is not answered."""
        widgets = self._widgets()
        for widget in widgets:
            if not widget.answer:
                widget.focus()
                return
        if widgets:
            widgets[0].focus()

    def _widgets(self) -> list[Line | Options]:
        return [w for w in self.query("#lines Line, #lines Options") if isinstance(w, Line | Options)]

    @property
    def answers(self) -> dict[str, str]:
        """What is written, by field name."""
        return {w.field.name: w.answer for w in self._widgets()}

    @property
    def missing(self) -> Line | Options | None:
        """The first required field without an answer."""
        return next((w for w in self._widgets() if not w.answer and not w.field.optional), None)

    @property
    def draft(self) -> bool:
        """Whether anything is written."""
        return any(self.answers.values())

    def clear_answers(self) -> None:
        """Empty every field; lines keep it for `up`."""
        for widget in self._widgets():
            widget.clear_answer()

    def complain(self, problems: Sequence[str], hint: str = "") -> None:
        """Show what would be wrong, or else a hint."""
        box = self.query_one("#problems", Static)
        box.set_class(not problems, "hint")
        box.update(Content("\n".join(f"✗ {one_line(p)}" for p in problems) if problems else hint))

    def fill(self, answers: Mapping[str, str]) -> None:
        """Put text into the lines (a draft that could not be sent)."""
        for widget in self._widgets():
            if widget.field.name in answers:
                widget.fill(answers[widget.field.name])

    def on_line_typed(self, event: Line.Typed) -> None:
        """Pass it on once for the whole form."""
        event.stop()
        self.post_message(self.Changed())

    def on_line_sent(self, event: Line.Sent) -> None:
        """Pass it on."""
        event.stop()
        self.post_message(self.Sent({**self.answers, event.field: event.text}))
