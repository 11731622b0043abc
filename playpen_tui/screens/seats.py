"""The dialog that changes who sits where in mid-game: a seat on top, whom to give it below, or any player by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from games.engine import Role
from players.elsewhere import OPEN
from playpen_tui.actions import bindings
from playpen_tui.plain_text import bare
from playpen_tui.sitting import HUMAN, is_elsewhere
from playpen_tui.text import one_line, short

Partners = Callable[[], Awaitable[Sequence[tuple[str, str]]]]


class SeatsDialog(ModalScreen[tuple[Role, str] | None]):
    """Gives (role, player spec), or None where nothing shall change.

    `sitters` says who sits where, `specs` by which spec, `before` has the spec of who sat in a seat before, `chosen` is
    the seat under the cursor at first. `partners` may take its time: what is known at once can be chosen meanwhile.
    """

    BINDINGS = bindings("dialog")
    DEFAULT_CSS = """
    SeatsDialog { align: center middle; }
    SeatsDialog > Vertical { width: 76; max-width: 96%; height: auto; max-height: 94%; background: $surface;
                             border: round $border; padding: 1 2 0 2; }
    SeatsDialog OptionList, SeatsDialog OptionList:focus {
        height: auto; max-height: 8; border: none; background: $surface; background-tint: $foreground 0%; padding: 0;
    }
    SeatsDialog OptionList > .option-list--option-highlighted { background: $surface; color: $accent; }
    SeatsDialog OptionList:focus > .option-list--option-highlighted { background: $panel; color: $accent; }
    SeatsDialog .head { color: $secondary; margin: 1 0 0 0; }
    SeatsDialog #seats-title { color: $accent; text-style: bold; }
    SeatsDialog Input, SeatsDialog Input:focus { background: transparent; border: none; padding: 0; height: 1; }
    SeatsDialog #seats-keys { color: $secondary; margin: 1 0; }
    """

    def __init__(
        self,
        sitters: Mapping[Role, str],
        specs: Mapping[Role, str],
        before: Mapping[Role, str],
        chosen: Role | None,
        partners: Partners,
    ) -> None:
        super().__init__()
        self._sitters = dict(sitters)
        self._specs = dict(specs)
        self._before = dict(before)
        self._chosen = chosen or next(iter(sitters))
        self._partners = partners
        self._others: list[tuple[str, str]] = []

    def compose(self) -> ComposeResult:
        """Seats, players, a line for any other player, keys."""
        pad = max(len(one_line(role)) for role in self._sitters)
        with Vertical():
            yield Static("Who sits where", id="seats-title")
            yield Static("this seat", classes="head")
            yield OptionList(
                *(
                    Option(Content(f"{one_line(role):<{pad}}   {short(name, 40)}"), id=role)
                    for role, name in self._sitters.items()
                ),
                id="seats-which",
            )
            yield Static("goes to", classes="head")
            yield OptionList(id="seats-whom")
            yield Input(placeholder="any other player, such as openai:MODEL or bot:random", id="seats-spec")
            yield Static("↑ ↓ choose   tab next   enter change   esc leave all as it is", id="seats-keys")

    def on_mount(self) -> None:
        """The seat whose turn it is stands under the cursor, and the players are one enter away."""
        which = self.query_one("#seats-which", OptionList)
        which.highlighted = list(self._sitters).index(self._chosen)
        self._fill()
        self.query_one("#seats-whom").focus()
        self._look_around()

    @work(group="partners", exit_on_error=False)
    async def _look_around(self) -> None:
        """Ask who else could play; servers may take their time."""
        self._others = [(spec, about) for spec, about in await self._partners() if spec != HUMAN]
        self._fill()

    def _fill(self) -> None:
        """The players for the seat under the cursor; whoever sat there before comes first."""
        here = self._specs.get(self._chosen, "")
        found: dict[str, tuple[str, str]] = {}
        if before := self._before.get(self._chosen):
            found[before] = f"back to {_short_name(before)}", _about(before)
        if HUMAN not in found:
            found[HUMAN] = "you", "at this terminal"
        if not any(is_elsewhere(spec) for spec in (here, *found)):
            found[OPEN] = "somebody", "at another terminal: the seat gets a code to join with"
        for spec, about in self._others or (("bot", "scripted, knows the game well"),):
            found.setdefault(spec, (spec, about))
        found.pop(here, None)
        pad = max(len(one_line(name, 24)) for name, _ in found.values())
        whom = self.query_one("#seats-whom", OptionList)
        at = whom.get_option_at_index(whom.highlighted).id if whom.highlighted is not None else None
        whom.clear_options()
        whom.add_options(
            Option(Content(f"{one_line(name, 24):<{pad}}   {short(about, 66 - pad)}"), id=spec)
            for spec, (name, about) in found.items()
        )
        whom.highlighted = list(found).index(at) if at in found else 0

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Another seat has had others in it before."""
        if event.option_list.id == "seats-which" and event.option.id not in (None, self._chosen):
            self._chosen = event.option.id or self._chosen
            self._fill()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """From the seat to the players; a player is the answer."""
        if event.option_list.id == "seats-which":
            self.query_one("#seats-whom").focus()
        elif event.option.id is not None:
            self.dismiss((self._chosen, event.option.id))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """A player by name."""
        if spec := event.value.strip():
            self.dismiss((self._chosen, spec))

    def action_back(self) -> None:
        """Nothing changes."""
        self.dismiss(None)


def _short_name(spec: str) -> str:
    """Who this spec is, in the list."""
    return "you" if spec == HUMAN else "whoever joined" if is_elsewhere(spec) else bare(spec)


def _about(spec: str) -> str:
    """What is to be said of somebody who sat here before."""
    if is_elsewhere(spec):
        return f"at another terminal, with the code {spec.partition('@')[2]}"
    return "at this terminal" if spec == HUMAN else "as before"
