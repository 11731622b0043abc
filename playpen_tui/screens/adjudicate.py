"""Disputed items, one by one: both candidates, what each judge said of them and why, and a decision with its reason.

The decision is a verdict of its own, which counts over the votes; those stay as they are. Who wrote the candidates is
not shown here either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from textual import work
from textual.content import Content

from playpen_tui.actions import bindings
from playpen_tui.screens.dialogs import Prompt
from playpen_tui.screens.pairs import PairsScreen
from playpen_tui.text import one_line
from playpen_tui.verdicts import choices, glyph, said
from playpen_tui.workbench import Workbench, expected
from store.judging import Verdict

if TYPE_CHECKING:
    from playpen_tui.judging import Shown
    from store.adjudication import Dispute, Opinion


AS_LOGGED: dict[str, Verdict] = {"left": "a", "right": "b", "tie": "tie", "bad": "bad"}
"""Verdicts as the log has them: here a stands left."""
AS_SHOWN = {logged: seen for seen, logged in AS_LOGGED.items()}


class AdjudicateScreen(PairsScreen):
    """What is disputed in one queue."""

    BINDINGS = bindings("adjudicate")

    def __init__(self, bench: Workbench, queue: str, found: Sequence[tuple[Dispute, Shown]]) -> None:
        super().__init__(bench, [shown for _, shown in found])
        self.queue = queue
        self.found = list(found)

    @property
    def dispute(self) -> Dispute:
        """What is said of the item that is open."""
        return self.found[self._place][0]

    def heading(self) -> str:
        """Which one, and how many are decided."""
        decided = sum(bool(one.decided) for one, _ in self.found)
        return f"disputed · {self._place + 1:,}/{len(self.found):,} · {decided:,} decided"

    def said_of_it(self) -> list[Content]:
        """The votes, and the decision."""
        one = self.dispute
        return opinions(one.opinions, self.beside) + decision(one.decided or "", one.reason, self.beside)

    def line(self, width: int) -> Content:
        """The keys of decisions."""
        return choices(width, self.beside)

    # deciding

    def _decide(self, verdict: str) -> None:
        self._ask(self._place, verdict)

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def _ask(self, place: int, verdict: str) -> None:
        from playpen_tui.judging import decide

        dispute, shown = self.found[place]
        text = said(verdict, False, self.beside)
        reason = await self.app.push_screen_wait(
            Prompt(f"{text.capitalize()}. Why? Others will read it.", dispute.reason, check=_no_reason)
        )
        if reason is None:
            return
        decision = AS_LOGGED[verdict]
        try:
            await decide(self.bench, self.queue, shown.item, decision, reason.strip())
        except expected() as error:
            self.notify(one_line(str(error), 500), severity="error", timeout=12, markup=False)
            return
        self.found[place] = replace(dispute, decided=decision, reason=reason.strip()), shown
        self.notify(f"decided: {text}", markup=False, timeout=2)
        rest = [at for at in range(len(self.found)) if not self.found[at][0].decided]
        if rest:
            self._place = next((at for at in rest if at > place), rest[0])
        self.draw_pair(new=bool(rest))

    def action_left(self) -> None:
        """The left one is better."""
        self._decide("left")

    def action_right(self) -> None:
        """The right one is better."""
        self._decide("right")

    def action_tie(self) -> None:
        """Equally good."""
        self._decide("tie")

    def action_bad(self) -> None:
        """Neither will do."""
        self._decide("bad")


def opinions(said_by: Sequence[Opinion], beside: bool) -> list[Content]:
    """What each judge said, people first."""
    lines: list[Content] = []
    for one in sorted(said_by, key=lambda one: not one.person):
        verdict = AS_SHOWN.get(one.verdict, one.verdict)
        line = Content.styled(f"{one_line(one.judge, 40)}  ", "$primary")
        line += Content(f"{glyph(verdict, beside)} {said(verdict, one.much, beside)}")
        line += Content.styled("" if one.person else "  a model", "$secondary")
        line += Content.styled("  when shown again" if one.repeat else "", "$secondary")
        line += Content.styled("  ⚑ flagged" if one.flag else "", "$accent")
        line += Content(f"  “{one_line(one.comment, 400)}”" if one.comment else "")
        lines.append(line)
    return lines


def decision(verdict: str, reason: str, beside: bool) -> list[Content]:
    """What was decided and why, in one line; none where nothing was."""
    if not verdict:
        return []
    text = f"✓ decided: {said(AS_SHOWN.get(verdict, verdict), False, beside)}"
    return [Content.styled(text, "bold $success") + Content(f"  {one_line(reason, 400)}")]


def _no_reason(text: str) -> str:
    return "" if text.strip() else "say in a few words why; it is what makes a decision worth more than one more vote"
