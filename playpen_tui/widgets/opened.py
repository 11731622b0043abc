"""One match that fills the stands: board and dialogue through one pair of eyes, or both seats side by side.

The dialogue can be read back in peace; what `Dialogue.show` says of readers holds here.
"""

from __future__ import annotations

from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Horizontal

from games.engine import Role
from playpen_tui.transcript import entries, spoken
from playpen_tui.watching import Watched
from playpen_tui.widgets.board import BoardView
from playpen_tui.widgets.card import BOTH, MatchCard
from playpen_tui.widgets.dialogue import Dialogue
from playpen_tui.widgets.talk import untold

ROOMY = 100
"""Columns from which the board is wider."""


class Opened(Horizontal):
    """The match that is opened. Its lower edge says how the run goes on."""

    DEFAULT_CSS = """
    Opened { height: 1fr; border-top: solid $border; border-bottom: solid $border; border-subtitle-color: $secondary; }
    Opened #board { width: 40; height: 100%; border-right: solid $border; }
    Opened.-roomy #board { width: 46; }
    Opened #dialogue { width: 1fr; height: 100%; }
    Opened.-stacked { layout: vertical; }
    Opened.-stacked #board { width: 100%; height: auto; max-height: 60%; border-right: none;
                             border-bottom: solid $border; }
    Opened.-stacked #dialogue { height: 1fr; }
    Opened #whole { display: none; }
    """

    def compose(self) -> ComposeResult:
        """Board and dialogue, and a card for both seats at once."""
        yield BoardView(id="board")
        yield Dialogue(id="dialogue")
        yield MatchCard(id="whole")

    def on_mount(self) -> None:
        """Arrows scroll."""
        self.query_one(Dialogue).can_focus = True

    def on_resize(self) -> None:
        """A board has some columns more where there are many: default styles see no class of the screen."""
        self.set_class(self.size.width >= ROOMY, "-roomy")

    async def show(self, watched: Watched, eyes: str | None, changed: bool) -> None:
        """Paint the match through these eyes; where nothing has changed, only clocks."""
        whole, match = eyes == BOTH, watched.match
        self.query_one("#whole").display = whole
        self.query_one("#board").display = self.query_one("#dialogue").display = not whole
        if whole:
            self.query_one("#whole", MatchCard).show(watched, None, eyes)
            return
        if not changed:
            return
        role: Role | None = None if match.over else eyes
        board, said = match.game.board(match.state, role), entries(match, role)
        await self.query_one(BoardView).show(replace(board, panels=tuple(untold(board.panels, said))))
        dialogue = self.query_one(Dialogue)
        mine = frozenset(role for role, name in watched.names.items() if name == "you")
        await dialogue.show(said, watched.speakers, mine, f"{watched.key} {eyes}")
        writing = watched.doing.writing
        if writing is not None and not watched.over and role in (None, writing[0]):
            read = spoken(match, *writing)
            dialogue.stream(writing[0], read[0] if read else "…")
        else:
            dialogue.quiet()
