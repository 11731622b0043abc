"""Pairs about which people and games disagree, one by one in full: both replies, all votes, and what came of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from playpen_tui import disagreement_view as view
from playpen_tui.actions import bindings
from playpen_tui.messages import Fork, Read
from playpen_tui.screens.adjudicate import decision, opinions
from playpen_tui.screens.pairs import PairsScreen
from playpen_tui.text import one_line
from playpen_tui.workbench import Workbench

if TYPE_CHECKING:
    from playpen_tui.judging import Shown
    from store.disagreement import Contender, Letter, Pair

LETTERS: tuple[Letter, Letter] = ("a", "b")


class DisagreedScreen(PairsScreen):
    """One of them."""

    BINDINGS = bindings("disagreed")

    def __init__(self, bench: Workbench, found: Sequence[tuple[Pair, Shown]], place: int = 0) -> None:
        super().__init__(bench, [shown for _, shown in found], place)
        self.found = list(found)

    @property
    def pair(self) -> Pair:
        """The pair that is open."""
        return self.found[self._place][0]

    def heading(self) -> str:
        """Which of how many."""
        return f"people against games · {self._place + 1:,}/{len(self.found):,}"

    def where(self) -> str:
        """Game, role and ply."""
        return f"{super().where()} · ply {self.pair.ply}"

    def label(self, at: int) -> tuple[str, str]:
        """Its letter, whose choice it is, and what came of it."""
        letter, (_, side) = LETTERS[at], super().label(at)
        whose = "people's choice" if letter == self.pair.preferred else "game's choice"
        return letter.upper(), f"{side} · {whose} · {view.came_to(self.pair, letter)}"

    def said_of_it(self) -> list[Content]:
        """The votes, the decision, and why it is called a disagreement."""
        pair = self.pair
        said = opinions(pair.opinions, self.beside)
        if pair.decision is not None:
            said += decision(pair.decision.verdict, pair.decision.reason, self.beside)
        first, *rest = (one_line(sentence, 600) for sentence in view.reasons(pair, self.beside))
        return [*said, Content(first), *(Content.styled(sentence, "$secondary") for sentence in rest)]

    def line(self, width: int) -> Content:
        """Which episodes they are of."""
        ids = list(dict.fromkeys((self.pair.a.episode, self.pair.b.episode)))
        return Content.styled(f"episode{'s' if len(ids) > 1 else ''}  {'  '.join(ids)}", "$secondary")

    def action_episode(self) -> None:
        """The episode of the side that keys go to."""
        self.app.post_message(Read(self.pair.side(LETTERS[self._at]).episode))

    def action_branches(self) -> None:
        """The tree at the turn of the side that keys go to, where that was played on, else of the other."""
        if (side := branched(self.pair, LETTERS[self._at])) is not None:
            self.app.post_message(Fork(side.episode, side.ply))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There are not always branches."""
        if action == "branches":
            return branched(self.pair, "a") is not None
        return super().check_action(action, parameters)


def branched(pair: Pair, letter: Letter) -> Contender | None:
    """This side where it was played on, else the other where that was; None where neither was."""
    return next((side for side in (pair.side(letter), pair.side(view.other(letter))) if side.rewards), None)
