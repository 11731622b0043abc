"""What screens tell the app: where to go and what to play. Screens know no other screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from textual.message import Message

from playpen_tui.sitting import Setup

if TYPE_CHECKING:
    from playpen_tui.watching import Watch


class Go(Message):
    """Go to a place; to the picker with a partner, if one was chosen already."""

    def __init__(self, where: Literal["home", "pick", "models"], partner: str | None = None) -> None:
        super().__init__()
        self.where: Literal["home", "pick", "models"] = where
        self.partner = partner


class Look(Message):
    """Go to the stands and watch this."""

    def __init__(self, what: Watch) -> None:
        super().__init__()
        self.what = what


class Sit(Message):
    """Sit down to play this. `avoid` names an instance that should not come again at once."""

    def __init__(self, setup: Setup, avoid: str | None = None) -> None:
        super().__init__()
        self.setup = setup
        self.avoid = avoid
