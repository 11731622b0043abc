"""A cursor over turns: a scroll whose turns can be walked through and judged by keys.

The cursor is off until somebody asks for it; while it is off, no key of it is taken from the screen. Which turns there
are and how they look is the business of those who derive from it; what a key means, of the screen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message

from playpen_tui.actions import bindings
from playpen_tui.text import one_line
from store.turn_judging import Mark

Wish: TypeAlias = Literal["good", "bad", "correct", "another", "ask_other", "branch", "take_back", "off"]


def mark_words(mark: Mark) -> Content:
    """What somebody thinks of a turn, as a line: a glyph and a word for each thing."""
    parts: list[Content] = []
    if mark.label is not None:
        parts.append(Content.styled("+ good", "$success") if mark.label == "+" else Content.styled("− bad", "$error"))
    if mark.edit is not None:
        parts.append(Content.styled("✎ corrected  ", "$accent") + Content(one_line(mark.edit, 300)))
    if mark.won:
        parts.append(Content.styled("≻ better than another", "$success"))
    if mark.lost:
        parts.append(Content.styled("≺ another is better", "$warning"))
    return Content("   ").join(parts)


class TurnCursor(VerticalScroll):
    """Turns by ply, one of which may be under the cursor."""

    BINDINGS = bindings("turn")

    class Wanted(Message):
        """What somebody wants with the turn under the cursor."""

        def __init__(self, wish: Wish, ply: int) -> None:
            super().__init__()
            self.wish: Wish = wish
            self.ply = ply

    def __init__(self, *, id: str | None = None, can_focus: bool | None = None) -> None:
        super().__init__(id=id, can_focus=can_focus)
        self.at: int | None = None
        """The ply under the cursor."""
        self.marks: Mapping[int, Mark] = {}

    # for those who derive from it

    def turns(self) -> list[int]:
        """The plies that can be under the cursor, in order."""
        raise NotImplementedError

    def redraw_turns(self, *plies: int) -> None:
        """Draw these turns anew: the cursor came or went, or their marks have changed."""
        raise NotImplementedError

    def show_turn(self, ply: int) -> None:
        """Bring a turn into sight."""
        raise NotImplementedError

    # the cursor

    def mark(self, marks: Mapping[int, Mark]) -> None:
        """Show these marks instead of those before."""
        before, self.marks = self.marks, dict(marks)
        changed = {ply for ply in {*before, *marks} if before.get(ply) != marks.get(ply)}
        if changed:
            self.redraw_turns(*sorted(changed))

    def judge(self) -> bool:
        """Put the cursor on the newest turn, if it is on none; whether there is a turn."""
        there = self.turns()
        if there and self.at not in there:
            self.to_turn(there[-1])
        return bool(there)

    def to_turn(self, ply: int | None) -> None:
        """Put the cursor on this turn, or take it off."""
        before, self.at = self.at, ply
        self.redraw_turns(*(one for one in (before, ply) if one is not None))
        if ply is not None:
            self.show_turn(ply)
        if (before is None) != (ply is None):
            self.screen.refresh_bindings()

    def _move(self, by: int) -> None:
        there = self.turns()
        if self.at is None or self.at not in there:
            return
        place = there.index(self.at) + by
        if 0 <= place < len(there):
            self.to_turn(there[place])

    # keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a cursor there is nothing to do but to get one."""
        if action == "judge_turns":
            return self.at is None and bool(self.turns())
        if action in _ON_A_TURN:
            return self.at is not None
        return super().check_action(action, parameters)

    def action_scroll_up(self) -> None:
        """With the cursor, a turn up."""
        super().action_scroll_up() if self.at is None else self._move(-1)

    def action_scroll_down(self) -> None:
        """With the cursor, a turn down."""
        super().action_scroll_down() if self.at is None else self._move(1)

    def action_judge_turns(self) -> None:
        """The cursor onto the newest turn."""
        self.judge()

    def action_turn_down(self) -> None:
        """The turn after."""
        self._move(1)

    def action_turn_up(self) -> None:
        """The turn before."""
        self._move(-1)

    def _want(self, wish: Wish) -> None:
        if self.at is not None:
            self.post_message(self.Wanted(wish, self.at))

    def action_good(self) -> None:
        """It was good."""
        self._want("good")

    def action_bad(self) -> None:
        """It was bad."""
        self._want("bad")

    def action_correct(self) -> None:
        """Something else should have been said."""
        self._want("correct")

    def action_another(self) -> None:
        """Another reply, by whoever spoke."""
        self._want("another")

    def action_ask_other(self) -> None:
        """Another reply, by somebody else."""
        self._want("ask_other")

    def action_branch(self) -> None:
        """What would have come of other words."""
        self._want("branch")

    def action_take_back(self) -> None:
        """The last remark."""
        self._want("take_back")

    def action_off(self) -> None:
        """Take the cursor off."""
        self._want("off")
        self.to_turn(None)


_ON_A_TURN = ("turn_down", "turn_up", *get_args(Wish))
