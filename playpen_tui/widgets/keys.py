"""The line of keys at the foot of a screen.

In a narrow terminal the last keys are left out, help and the palette stay: these lead to all others.
"""

from __future__ import annotations

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer

KEPT = ("help", "command_palette")
"""Actions whose keys stay."""
AROUND = 3
"""Cells around the words of a key."""


class KeyLine(Footer):
    """Made anew only where it would look different.

    The library makes all of its widgets anew whenever a screen looks at what may be pressed, which lists do at every
    move of their cursor.
    """

    def __init__(self) -> None:
        super().__init__(show_command_palette=False)
        self._drawn: list[tuple[object, ...]] | None = None

    def compose(self) -> ComposeResult:
        """As the library does, and what it was made from."""
        if self._bindings_ready:
            self._drawn = self._wanted()
        keys = list(super().compose())
        self._fit(keys)
        yield from keys

    def on_resize(self) -> None:
        """More keys, or fewer."""
        self._fit(list(self.children))

    def _fit(self, keys: list[Widget]) -> None:
        """Show those keys only that stand there whole."""
        room = self.app.size.width
        for key in sorted(keys, key=lambda key: getattr(key, "action", "") not in KEPT):
            room -= sum(cell_len(getattr(key, part, "")) for part in ("key_display", "description")) + AROUND
            key.display = room >= 0
            room = room if key.display else -1

    def bindings_changed(self, screen: Screen[object]) -> None:
        """Something may be pressed now, or not any more."""
        if self._drawn is None or not self.is_attached or self._wanted() != self._drawn:
            super().bindings_changed(screen)

    def _wanted(self) -> list[tuple[object, ...]]:
        return [
            (binding.action, self.app.get_key_display(binding), binding.description, binding.group, enabled, tooltip)
            for _, binding, enabled, tooltip in self.screen.active_bindings.values()
            if binding.show
        ]
