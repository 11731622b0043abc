"""The waiting card: how an open seat is taken from another terminal, and how long whoever took it has been away."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.content import Content
from textual.widgets import Static

from playpen_tui.terminals import OpenSeat
from playpen_tui.text import clean, one_line


class InviteCard(Static):
    """Stands over the seats while an open seat is empty."""

    DEFAULT_CSS = """
    InviteCard { height: auto; padding: 0 2; display: none; border-left: outer $accent; margin: 0 0 0 1; }
    InviteCard.on { display: block; }
    """

    def show(self, seats: Sequence[OpenSeat], command: Callable[[str], str]) -> None:
        """Show those of the open seats where nobody is; `command` gives what to type for a code."""
        parts: list[Content] = []
        for seat in seats:
            if not seat.there:
                parts.append(Content(f"{one_line(seat.words)}. In another terminal:"))
                parts.append(Content.styled(clean(command(seat.code), None), "bold $accent"))
        self.set_class(bool(parts), "on")
        self.update(Content("\n").join(parts))
