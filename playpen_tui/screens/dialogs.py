"""Small screens over the others: the curtain, a text to read, help, and the question about consent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from games.engine import Role
from playpen_tui.actions import Action, bindings
from playpen_tui.plain_text import bare
from playpen_tui.text import clean, one_line, short


class Curtain(ModalScreen[None]):
    """Falls between two people at one terminal, so that neither sees the other's card."""

    BINDINGS = bindings("curtain")
    DEFAULT_CSS = """
    Curtain { align: center middle; background: $background; }
    Curtain Static { width: auto; text-align: center; }
    """

    def __init__(self, role: Role) -> None:
        super().__init__()
        self._role = role

    def compose(self) -> ComposeResult:
        """One sentence in the middle."""
        yield Static(
            Content.styled("Hand the terminal to the ", "$secondary")
            + Content.styled(one_line(self._role), "bold $accent")
            + Content.styled("\n\nenter when only they are looking", "$secondary")
        )

    def action_lift(self) -> None:
        """They are looking."""
        self.dismiss(None)


class TextDialog(ModalScreen[None]):
    """A text to read, closed with esc."""

    BINDINGS = bindings("dialog")
    DEFAULT_CSS = """
    TextDialog { align: center middle; }
    TextDialog > Vertical { width: 72; max-width: 96%; height: auto; max-height: 90%; background: $surface;
                            border: round $border; padding: 1 2; }
    TextDialog VerticalScroll { height: auto; max-height: 100%; }
    TextDialog #text-title { color: $accent; text-style: bold; margin: 0 0 1 0; }
    TextDialog #text-close { color: $secondary; margin: 1 0 0 0; }
    """

    def __init__(self, title: str, body: str | Content) -> None:
        super().__init__()
        self._heading = title
        self._body = body

    def compose(self) -> ComposeResult:
        """Title, text, and how to close it."""
        body = self._body if isinstance(self._body, Content) else Content(clean(self._body, None))
        with Vertical():
            yield Static(Content(one_line(self._heading)), id="text-title")
            with VerticalScroll():
                yield Static(body)
            yield Static("esc close", id="text-close")

    def on_mount(self) -> None:
        """Arrows scroll."""
        self.query_one(VerticalScroll).focus()

    def action_back(self) -> None:
        """Close."""
        self.dismiss(None)


class Opening(ModalScreen[None]):
    """What is being opened, where that takes more than a moment; esc gives it up."""

    BINDINGS = bindings("opening")
    DEFAULT_CSS = """
    Opening { align: center middle; }
    Opening > Vertical { width: 72; max-width: 96%; height: auto; background: $surface; border: round $border;
                         padding: 1 2; }
    Opening #opening-title { color: $accent; text-style: bold; margin: 0 0 1 0; }
    Opening #opening-keys { color: $secondary; margin: 1 0 0 0; }
    """

    def __init__(self, title: str, loading: Callable[[], str]) -> None:
        super().__init__()
        self._heading = title
        self._loading = loading
        self._since = monotonic()
        self.given_up = asyncio.Event()

    def compose(self) -> ComposeResult:
        """What it is, what it waits for, and how to give it up."""
        with Vertical():
            yield Static(Content(one_line(self._heading, 200)), id="opening-title")
            yield Static("", id="opening-text")
            yield Static("esc stop; nothing has been played yet", id="opening-keys")

    def on_mount(self) -> None:
        """Count the seconds."""
        self._draw()
        self.set_interval(0.5, self._draw)

    def _draw(self) -> None:
        name = self._loading()
        doing = f"loading {one_line(bare(name), 200)}" if name else "opening"
        line = Content(f"{doing} …") + Content.styled(f"  {monotonic() - self._since:.0f} s", "$secondary")
        self.query_one("#opening-text", Static).update(line)

    def action_stop(self) -> None:
        """Give it up."""
        self.given_up.set()


def help_text(groups: Sequence[tuple[str, Sequence[Action]]]) -> Content:
    """Keys and what they do, group by group."""
    lines: list[Content] = []
    wide = max((len(action.shown_key) for _, actions in groups for action in actions), default=0)
    for title, actions in groups:
        lines.append(Content.styled(title, "bold"))
        for action in actions:
            key = Content.styled(f"  {action.shown_key:<{max(7, wide)}} ", "$accent")
            lines.append(key + Content(action.help))
        lines.append(Content(""))
    return Content("\n").join(lines)


def in_columns(rows: Sequence[tuple[str, str]], width: int = 68) -> list[tuple[str, str]]:
    """Answers for `Choose`: a name, which is also what is answered, and in a column beside it what it is."""
    wide = min(24, max((len(name) for name, _ in rows), default=0))
    return [(name, short(f"{one_line(name):<{wide}}  {one_line(about)}", width)) for name, about in rows]


FRAME = 8
"""Lines of `Choose` that are neither text nor answers: border, padding, keys, blanks."""


class Choose(ModalScreen[str | None]):
    """A question with a few answers; the first is the default. Esc gives None."""

    BINDINGS = bindings("choose")
    DEFAULT_CSS = """
    Choose { align: center middle; }
    Choose > Vertical { width: 76; max-width: 96%; height: auto; max-height: 94%; background: $surface;
                        border: round $border; padding: 1 2; }
    Choose VerticalScroll { height: auto; margin: 0 0 1 0; }
    Choose OptionList, Choose OptionList:focus {
        height: auto; max-height: 8; border: none; background: $surface; background-tint: $foreground 0%; padding: 0;
    }
    Choose #choose-keys { color: $secondary; margin: 1 0 0 0; }
    """

    def __init__(self, text: str, answers: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._text = text
        self._answers = answers

    def compose(self) -> ComposeResult:
        """The text and the answers."""
        with Vertical():
            with VerticalScroll(can_focus=False):
                yield Static(Content(clean(self._text, None)))
            yield OptionList(*(Option(Content(label), id=name) for name, label in self._answers))
            yield Static("↑ ↓ enter choose   esc back", id="choose-keys")

    def on_mount(self) -> None:
        """The first answer is one enter away."""
        self.query_one(OptionList).focus()
        self.watch(self.query_one(VerticalScroll), "show_vertical_scrollbar", self._tell_keys)

    def on_resize(self) -> None:
        """The text has what the answers and the frame leave."""
        text, room = self.query_one(VerticalScroll), int(0.94 * self.size.height) - min(8, len(self._answers)) - FRAME
        text.styles.max_height = max(3, room)

    def _tell_keys(self, more_below: bool) -> None:
        more = "   pgup pgdn read on" if more_below else ""
        self.query_one("#choose-keys", Static).update(Content(f"↑ ↓ enter choose   esc back{more}"))

    def action_text_up(self) -> None:
        """Read what stands above."""
        self.query_one(VerticalScroll).scroll_page_up(animate=False)

    def action_text_down(self) -> None:
        """Read on."""
        self.query_one(VerticalScroll).scroll_page_down(animate=False)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answered."""
        self.dismiss(event.option.id)

    def action_back(self) -> None:
        """Not answered."""
        self.dismiss(None)


class Prompt(ModalScreen[str | None]):
    """A line to write. Esc gives None, enter what was written, once `check` has no objection to it."""

    BINDINGS = bindings("dialog")
    DEFAULT_CSS = """
    Prompt { align: center middle; }
    Prompt > Vertical { width: 72; max-width: 96%; height: auto; background: $surface;
                        border: round $border; padding: 1 2; }
    Prompt Static { height: auto; }
    Prompt Input, Prompt Input:focus { height: 1; border: none; padding: 0; margin: 1 0; background: $panel; }
    Prompt #prompt-keys { color: $secondary; }
    Prompt #prompt-keys.wrong { color: $error; }
    """

    def __init__(
        self,
        text: str,
        value: str = "",
        *,
        known: Sequence[str] = (),
        check: Callable[[str], str] = lambda text: "",
    ) -> None:
        super().__init__()
        self._text = text
        self._value = value
        self._known = known
        self._check = check

    def compose(self) -> ComposeResult:
        """What is asked, the line, and what is wrong with it."""
        known = [clean(word) for word in self._known]
        with Vertical():
            yield Static(Content(clean(self._text, None)))
            yield Input(self._value, suggester=SuggestFromList(known) if known else None)
            yield Static(Content(self._keys), id="prompt-keys")

    @property
    def _keys(self) -> str:
        return "enter done   → take what is suggested   esc back" if self._known else "enter done   esc back"

    def on_mount(self) -> None:
        """Write."""
        self.query_one(Input).focus()

    def on_input_changed(self) -> None:
        """What was wrong may be right now."""
        box = self.query_one("#prompt-keys", Static)
        box.remove_class("wrong")
        box.update(Content(self._keys))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Done, where nothing is wrong."""
        wrong = self._check(event.value)
        if not wrong:
            self.dismiss(event.value)
            return
        box = self.query_one("#prompt-keys", Static)
        box.add_class("wrong")
        box.update(Content(f"✗ {one_line(wrong)}"))

    def action_back(self) -> None:
        """Nothing."""
        self.dismiss(None)
