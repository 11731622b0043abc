"""The card over the seats: how an open seat is taken, who is away, and what became of one's own seat."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from playpen_tui.text import clean, one_line


class InviteCard(Static):
    """Stands over the seats while there is something to say of another terminal."""

    DEFAULT_CSS = """
    InviteCard { height: auto; padding: 0 2 0 1; display: none; border-left: outer $accent; }
    InviteCard.on { display: block; }
    """

    def show(self, notices: Sequence[tuple[str, str]]) -> None:
        """Show these sentences, each with the command below it that it speaks of, or none; no sentence, no card."""
        parts: list[Content] = []
        for sentence, command in notices:
            text = one_line(sentence, 500)
            parts.append(Content(text[:1].upper() + text[1:]))
            if command:
                parts.append(Content.styled(clean(command, None), "bold $accent"))
        self.set_class(bool(parts), "on")
        self.update(Content("\n").join(parts))
