"""A screen whose workers, where they die of what nobody expected, say so through the app instead of standing still."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.screen import Screen
from textual.worker import Worker

if TYPE_CHECKING:
    from playpen_tui.app import PlaypenApp


class Telling(Screen[None]):
    """Hands what becomes of its workers to the app, which a worker's own messages do not reach."""

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """The app knows what to say."""
        cast("PlaypenApp", self.app).on_worker_state_changed(event)
