"""The end card: result, why, score, and what one can do next."""

from __future__ import annotations

from typing import Literal

from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from games.engine import Match
from playpen_tui.actions import bindings
from playpen_tui.text import one_line
from playpen_tui.theme import GLYPHS

Next = Literal["again", "swap", "next_instance", "pick", "home"]
WORDS = {"success": "won", "failure": "lost", "aborted": "aborted", "draw": "draw"}


def summary(match: Match) -> Content:
    """Result, why and score in one line."""
    outcome = match.state.outcome
    scores = match.scores()
    style = {"success": "bold $success", "failure": "bold $error"}.get(outcome or "", "bold $warning")
    head = Content.styled(f"{GLYPHS.get(outcome, '…')} {WORDS.get(outcome or '', 'unfinished')}", style)
    score = "no score" if scores.main is None else f"score {scores.main:.4g} of 100"
    return head + Content(f"   {one_line(match.game.verdict(match), 120)}   ") + Content.styled(score, "$accent")


class EndCard(Static, can_focus=True):
    """Shown in place of the writing line when a match is over."""

    BINDINGS = bindings("end")
    DEFAULT_CSS = """
    EndCard { height: auto; padding: 1 2 0 2; display: none; }
    EndCard.on { display: block; }
    """

    _swap = True
    _guest = False
    _study = False

    class Chosen(Message):
        """What to do next."""

        def __init__(self, what: Next) -> None:
            super().__init__()
            self.what: Next = what

    def show(self, match: Match, swap: bool, guest: bool = False, study: bool = False, focus: bool = True) -> None:
        """Show the result and take the keys. A guest at another's table does not lay the next one; in a study one
        only goes on."""
        self._study = study
        self._swap = swap
        self._guest = guest
        self.update(summary(match))
        self.set_class(True, "on")
        if focus:
            self.focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Alone there is nobody to swap with."""
        if self._study:
            return action == "next_instance"
        if action in ("again", "swap", "next_instance") and self._guest:
            return False
        return self._swap if action == "swap" else True

    def action_again(self) -> None:
        """The same instance once more."""
        self.post_message(self.Chosen("again"))

    def action_swap(self) -> None:
        """Roles exchanged."""
        self.post_message(self.Chosen("swap"))

    def action_next_instance(self) -> None:
        """Another instance."""
        self.post_message(self.Chosen("next_instance"))

    def action_pick(self) -> None:
        """Another game."""
        self.post_message(self.Chosen("pick"))

    def action_home(self) -> None:
        """Home."""
        self.post_message(self.Chosen("home"))
