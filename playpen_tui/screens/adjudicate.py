"""Disputed items, one by one: both candidates, what each judge said of them and why, and a decision with its reason.

The decision is a verdict of its own, which counts over the votes; those stay as they are. Who wrote the candidates is
not shown here either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from textual import work
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Footer, Static

from playpen_tui.actions import bindings
from playpen_tui.messages import Go
from playpen_tui.screens.annotate import BESIDE
from playpen_tui.screens.dialogs import Prompt
from playpen_tui.screens.faults import Telling
from playpen_tui.text import one_line
from playpen_tui.verdicts import choices, glyph, said, word
from playpen_tui.widgets.pair import Pane, both, told
from playpen_tui.widgets.put import put
from playpen_tui.workbench import Workbench, expected
from store.judging import Verdict

if TYPE_CHECKING:
    from playpen_tui.judging import Shown
    from store.adjudication import Dispute


AS_LOGGED: dict[str, Verdict] = {"left": "a", "right": "b", "tie": "tie", "bad": "bad"}
"""Verdicts as the log has them: here a stands left."""
AS_SHOWN = {logged: seen for seen, logged in AS_LOGGED.items()}


class AdjudicateScreen(Telling):
    """What is disputed in one queue."""

    BINDINGS = bindings("adjudicate")
    CSS_PATH = "annotate.tcss"
    AUTO_FOCUS = ""

    def __init__(self, bench: Workbench, queue: str, found: Sequence[tuple[Dispute, Shown]]) -> None:
        super().__init__()
        self.bench = bench
        self.queue = queue
        self.found = list(found)
        self._place = 0
        self._at = 0
        self._diff = True

    def compose(self) -> ComposeResult:
        """Head, what was said before, both, the votes, verdicts and their keys."""
        with Horizontal(id="head"):
            yield Static("", id="where")
            yield Static("", id="what")
        with VerticalScroll(id="before", can_focus=False):
            yield Static("", id="said")
        with Container(id="both"):
            yield Pane(id="left")
            yield Pane(id="right")
        with VerticalScroll(id="votes", can_focus=False):
            yield Static("", id="opinions")
        yield Static("", id="bar")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """The first one."""
        self._draw(new=True)

    def on_resize(self) -> None:
        """Other sizes have other places."""
        self.call_after_refresh(self._draw)

    @property
    def dispute(self) -> Dispute:
        """What is said of the item that is open."""
        return self.found[self._place][0]

    @property
    def beside(self) -> bool:
        """Whether the two stand side by side."""
        return self.size.width >= BESIDE

    def _draw(self, new: bool = False) -> None:
        if not self.is_attached or not self.query("#bar"):
            return
        self.set_class(self.beside, "-beside")
        shown, width = self.found[self._place][1], max(40, self.size.width - 4)
        decided = sum(bool(one.decided) for one, _ in self.found)
        where = f"disputed · {self._place + 1:,}/{len(self.found):,} · {decided:,} decided"
        put(self.query_one("#where", Static), Content(where), layout=False)
        put(self.query_one("#what", Static), Content(f"{one_line(shown.game, 30)} · {one_line(shown.role, 20)}"))
        put(self.query_one("#said", Static), Content("\n").join(told(shown.context, width)))
        texts = both(shown.left, shown.right, self._diff)
        for at, (pane, text, side) in enumerate(zip(self._panes, texts, (shown.left, shown.right), strict=True)):
            pane.show(text, side.goes_on, new=new)
            pane.name_it(str(at + 1), word(("left", "right")[at], self.beside), at == self._at)
        put(self.query_one("#opinions", Static), Content("\n").join(opinions(self.dispute, self.beside)))
        put(self.query_one("#bar", Static), choices(width, self.beside), layout=False)
        if new:
            self.query_one("#before", VerticalScroll).scroll_end(animate=False, immediate=True)
            self.query_one("#votes", VerticalScroll).scroll_home(animate=False, immediate=True)
        self.call_after_refresh(self._note)
        self.refresh_bindings()

    @property
    def _panes(self) -> tuple[Pane, Pane]:
        return self.query_one("#left", Pane), self.query_one("#right", Pane)

    def _note(self) -> None:
        if not self.is_attached:
            return
        for at, pane in enumerate(self._panes):
            pane.note()
            pane.name_it(str(at + 1), word(("left", "right")[at], self.beside), at == self._at)

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
        self._draw(new=bool(rest))

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

    # looking

    def action_next(self) -> None:
        """The next one."""
        self._go(1)

    def action_previous(self) -> None:
        """The one before."""
        self._go(-1)

    def _go(self, way: int) -> None:
        self._place = (self._place + way) % len(self.found)
        self._draw(new=True)

    def action_diff(self) -> None:
        """Mark the words that differ, or do not."""
        self._diff = not self._diff
        self._draw()

    def action_swap(self) -> None:
        """Keys scroll the other one."""
        self._at = 1 - self._at
        self._note()

    def action_up(self) -> None:
        """A line up."""
        self._panes[self._at].move(-1)
        self.call_after_refresh(self._note)

    def action_down(self) -> None:
        """A line down."""
        self._panes[self._at].move(1)
        self.call_after_refresh(self._note)

    def action_before_up(self) -> None:
        """Further up among the votes."""
        self.query_one("#votes", VerticalScroll).scroll_page_up(animate=False)

    def action_before_down(self) -> None:
        """Further down among the votes."""
        self.query_one("#votes", VerticalScroll).scroll_page_down(animate=False)

    def action_back(self) -> None:
        """Back; what was decided is in the log."""
        self.app.post_message(Go("back"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """One alone has no next."""
        return len(self.found) > 1 if action in ("next", "previous") else True


def opinions(dispute: Dispute, beside: bool) -> list[Content]:
    """What each judge said, people first, and what was decided."""
    lines: list[Content] = []
    for one in sorted(dispute.opinions, key=lambda one: not one.person):
        verdict = AS_SHOWN.get(one.verdict, one.verdict)
        line = Content.styled(f"{one_line(one.judge, 40)}  ", "$primary")
        line += Content(f"{glyph(verdict, beside)} {said(verdict, one.much, beside)}")
        line += Content.styled("" if one.person else "  a model", "$secondary")
        line += Content.styled("  when shown again" if one.repeat else "", "$secondary")
        line += Content.styled("  ⚑ flagged" if one.flag else "", "$accent")
        line += Content(f"  “{one_line(one.comment, 400)}”" if one.comment else "")
        lines.append(line)
    if dispute.decided:
        text = f"✓ decided: {said(AS_SHOWN.get(dispute.decided, dispute.decided), False, beside)}"
        lines.append(Content.styled(text, "bold $success") + Content(f"  {one_line(dispute.reason, 400)}"))
    return lines


def _no_reason(text: str) -> str:
    return "" if text.strip() else "say in a few words why; it is what makes a decision worth more than one more vote"
