"""Where people and games disagree: how often, and the pairs, each with who prefers what and what came of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from textual import work
from textual.content import Content
from textual.widgets import Static

from playpen_tui import disagreement_view as view
from playpen_tui.actions import bindings
from playpen_tui.listing import fit
from playpen_tui.messages import Fork, Go, OpenPair, Read
from playpen_tui.screens.dialogs import Choose
from playpen_tui.screens.disagreed import branched
from playpen_tui.screens.lists import ListScreen
from playpen_tui.text import one_line, short
from playpen_tui.widgets.put import put
from playpen_tui.workbench import Workbench, expected
from store.filters import Filters

if TYPE_CHECKING:
    from evaluation.disagreement import Order
    from playpen_tui.disagreeing import Seen
    from playpen_tui.judging import Shown
    from store.disagreement import Letter, Pair

NOTHING = (
    "Nobody has judged a pair here yet. a on Home lists the queues;\n"
    "`playpen-tui annotate queue new NAME` makes one, and b on a turn plays replies on."
)
ALIKE = "Where people prefer one and it is known what came of both, they agree."
ALL = "all"
ROOMY = 100
"""Columns from which there is an empty line between pairs."""


class DisagreementScreen(ListScreen):
    """The list, of one queue and game or of all."""

    BINDINGS = bindings("disagreement")
    HEADING = "Disagreement"

    def __init__(self, bench: Workbench, queue: str | None = None, filters: Filters | None = None) -> None:
        super().__init__(bench)
        self.queue = queue
        self.filters = filters or Filters()
        self.order: Order = "strongest"
        self.seen: Seen | None = None

    @work(group="look", exclusive=True, exit_on_error=False)
    async def action_look(self) -> None:
        """Read the log again."""
        from playpen_tui.disagreeing import look

        try:
            self.seen, self._trouble = await look(self.bench, self.queue, self.filters, self.order), ""
        except (ValueError, *expected()) as error:
            self.seen, self._trouble = None, str(error)
        self._fill()

    def fill(self) -> None:
        """Three lines a pair, under what all come to."""
        seen, width = self.seen, self.width
        if seen is None:
            if self._trouble:
                self.put_lines("", "", (), "")
            return
        put(self.query_one("#where", Static), Content(self._named(seen)), layout=False)
        found = seen.report
        names = ""
        if found.pairs:
            names = f"people against games: {view.share(found)}\n{self.order} first"
        if found.undecided:
            names += " · " + short(f"undecided: {view.undecided(found)}", width - len(self.order) - 9)
        lines = [(pair.id, drawn(pair, shown, width)) for pair, shown in seen.pairs]
        self.put_lines(view.counts(found) if found.pairs else "", names, lines, ALIKE if found.pairs else NOTHING)

    def _named(self, seen: Seen) -> str:
        """What is shown, in the heading."""
        parts = [self.HEADING, one_line(seen.queue, 24) if seen.queue else "", *self.filters.games[:1]]
        if replace(self.filters, games=()):
            parts.append("filtered")
        if len(seen.pairs) < seen.report.disagree:
            parts.append(f"first {len(seen.pairs):,}")
        return " · ".join(one_line(part, 40) for part in parts if part)

    @property
    def chosen(self) -> Pair | None:
        """The pair under the cursor."""
        place = self._place
        return None if place is None or self.seen is None else self.seen.pairs[place][0]

    @property
    def _place(self) -> int | None:
        id = self.at
        pairs = () if self.seen is None else self.seen.pairs
        return next((at for at, (pair, _) in enumerate(pairs) if pair.id == id), None)

    # keys

    def on_option_list_option_selected(self) -> None:
        """Enter, or a click."""
        self.action_open()

    def action_open(self) -> None:
        """In full."""
        if self.seen is not None and (place := self._place) is not None:
            self.app.post_message(OpenPair(self.seen.pairs, place))

    def action_episode(self) -> None:
        """The episode of the reply that people prefer."""
        if (pair := self.chosen) is not None:
            self.app.post_message(Read(pair.side(view.against(pair)).episode))

    def action_branches(self) -> None:
        """The tree at the turn of the reply that people prefer, where it was played on."""
        pair = self.chosen
        if pair is not None and (side := branched(pair, view.against(pair))) is not None:
            self.app.post_message(Fork(side.episode, side.ply))

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_queue(self) -> None:
        """Ask for the queue."""
        names = self.seen.queues if self.seen is not None else ()
        answer = await self._ask("Only what was judged in", names, "all queues, and outside of them")
        if answer is not None:
            self.queue = answer or None
            self.action_look()

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_game(self) -> None:
        """Ask for the game."""
        names = self.seen.games if self.seen is not None else ()
        answer = await self._ask("Only pairs of", names, "all games")
        if answer is not None:
            self.filters = replace(self.filters, games=(answer,) if answer else ())
            self.action_look()

    async def _ask(self, words: str, names: Sequence[str], everything: str) -> str | None:
        """One of these names; empty for all, None where it stays as it is."""
        answers = [(ALL, everything), *((str(at), one_line(name, 60)) for at, name in enumerate(names))]
        answer = await self.app.push_screen_wait(Choose(words, answers))
        if answer is None:
            return None
        return "" if answer == ALL else names[int(answer)]

    def action_order(self) -> None:
        """The other order."""
        self.order = "newest" if self.order == "strongest" else "strongest"
        self.action_look()

    def action_copy(self) -> None:
        """As text."""
        if self.seen is not None:
            words = {side.candidate: side.text for _, shown in self.seen.pairs for side in (shown.left, shown.right)}
            self.app.copy_to_clipboard("\n".join(view.lines(self.seen.report, words)))
            self.notify("copied as text", markup=False, timeout=2)

    def action_back(self) -> None:
        """Back."""
        self.app.post_message(Go("back"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What is done with a pair needs one, and its branches need some."""
        if action == "branches":
            pair = self.chosen
            return pair is not None and branched(pair, "a") is not None
        if action in ("open", "episode"):
            return self.chosen is not None
        return self.seen is not None if action in ("copy", "queue", "game") else True


def drawn(pair: Pair, shown: Shown, width: int) -> Content:
    """One pair in so many cells: where and who prefers it, then people's choice over the game's."""
    place = f"{one_line(pair.game, 24)} · {one_line(pair.role, 20)} · ply {pair.ply}"
    who, room = view.judges(pair), max(10, width - len(place) - 2)
    who = f"people say {who}" if len(who) + 11 <= room else who
    first = Content.styled(place, "$primary") + Content.styled("  " + fit(who, room, True), "$secondary")
    mine = view.against(pair)
    texts = {"a": shown.left.text, "b": shown.right.text}
    sides: tuple[tuple[str, Letter], ...] = (("people", mine), ("game", view.other(mine)))
    lines = [first]
    for name, letter in sides:
        value = view.came_to(pair, letter)
        text = fit(one_line(texts[letter], 400), max(10, width - len(value) - 15))
        label = Content.styled(f"  {name:<8}{letter.upper()}  ", "$accent" if name == "people" else "$secondary")
        lines.append(label + Content(text) + Content(f"  {value}"))
    return Content("\n").join([*lines, Content("")] if width >= ROOMY else lines)
