"""The question about consent, as every screen asks it before somebody's words or verdicts are recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from textual.app import App

from playpen_tui.persons import Persons, question
from playpen_tui.screens.dialogs import Choose

if TYPE_CHECKING:
    from store.people import Level


async def agreed(app: App[Any], people: Persons, sorry: str, language: str = "en") -> bool:
    """Whether whoever sits here may be recorded; asks where nobody asked before, and says `sorry` where they decline.

    For workers: it waits for the answer.
    """
    if not await people.needs_consent():
        return True
    answer = await app.push_screen_wait(Choose(*question(language)))
    if answer is None or answer == "none":
        app.notify(sorry, markup=False)
        return False
    await people.give_consent(cast("Level", answer))
    return True
