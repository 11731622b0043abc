"""The line of keys at the foot of a screen."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Footer


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
        yield from super().compose()

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
