"""A new self-play run: who plays what on one side, and how many episodes that comes to on the other, while one types.

Nothing is loaded before it begins. Then the stands open; a run that cannot be opened leaves the form as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from textual import work
from textual.content import Content
from textual.widgets import Static

from games import catalog
from players.plan import names_of
from players.spec import parse
from playpen_tui.actions import bindings
from playpen_tui.messages import Go, Look
from playpen_tui.screens.dialogs import Choose
from playpen_tui.screens.form import Field
from playpen_tui.screens.wizard import PAUSE, WizardScreen, good, wrong
from playpen_tui.selfplay import Outlook, Wish, outlook
from playpen_tui.selfplay_wish import NO, PAIRINGS, YES, Draft, words, written
from playpen_tui.sitting import HUMAN
from playpen_tui.text import one_line
from playpen_tui.watching import Watch
from playpen_tui.workbench import Workbench, expected

TABLES = 6
"""Tables of a game that are named; of more it is said how many there are."""
AGAIN = 2.0
"""Seconds in which a run is begun only once."""


class SelfplayScreen(WizardScreen):
    """The form of a run."""

    BINDINGS = bindings("selfplay")
    HEADING = "A new self-play run"
    FIELDS = (
        Field("games", "games", "one or several, such as: taboo wordle; ctrl+o lists them"),
        Field("players", "players", "who takes every seat that is free; several, with spaces; ctrl+o lists them"),
        Field("seats", "seats", "ROLE=PLAYER for seats that are fixed, such as guesser=bot; ctrl+o lists the roles"),
        Field(
            "pairing",
            "tables",
            "a player with itself, all with all, or whoever sits there in every seat in turn",
            PAIRINGS,
        ),
        Field("split", "split", "which instances; what is trained later must be of train", catalog.SPLITS),
        Field("language", "language", "of the games, such as en or de"),
        Field("episodes", "episodes", "how many in all; empty plays every instance once at every table"),
        Field("siblings", "siblings", "episodes of the same instance and luck, so that they can be compared"),
        Field("seed", "seed", "the same seed draws the same instances and luck"),
        Field("at_once", "at once", "matches under way at the same time; more keep a backend's batch full"),
        Field("tokens", "tokens", "that each player may use in all; empty sets no limit"),
        Field("assist", "assist", "help models to keep the form of a game; every such turn is marked", (NO, YES)),
    )
    LISTED = ("games", "players", "seats")

    def __init__(self, bench: Workbench, draft: Draft | None = None) -> None:
        super().__init__(bench, draft or bench.drafted or Draft())
        self.outlook: Outlook | None = None
        self.wrong = ""
        self._counted: Draft | None = None
        """What `outlook` and `wrong` are about."""
        self._opening = False

    @property
    def draft(self) -> Draft:
        """What stands in the fields."""
        return Draft(**self.values)

    def changed(self, key: str) -> None:
        """Count anew."""
        self.bench.drafted = self.draft
        self._count()

    @work(group="count", exclusive=True, exit_on_error=False)
    async def _count(self) -> None:
        self.draw()
        await asyncio.sleep(PAUSE)
        draft = self.draft
        try:
            plan = wish(draft).plan
            assert plan is not None
            self.outlook, self.wrong = await asyncio.to_thread(outlook, plan, self.bench), ""
        except (ValueError, *expected()) as error:
            self.outlook, self.wrong = None, str(error)
        self._counted = draft
        self.counted()

    @property
    def counting(self) -> bool:
        """Whether it is still to be counted."""
        return self._counted != self.draft

    @property
    def ready(self) -> bool:
        """Whether it can begin."""
        return self.outlook is not None and not self.counting

    def draw(self) -> None:
        """How it stands, and what would be played."""
        if not self.is_attached or not self.query("#facts"):
            return
        self.query_one("#state", Static).update(Content(self.waiting))
        lines = [Content.styled("What will be played", "bold $accent")]
        if self.wrong:
            lines.append(wrong(one_line(self.wrong, 500)))
        if self.outlook is not None and self._counted is not None:
            lines.append(Content.styled("ctrl+s", "$accent") + Content(" begins it"))
            lines += told(self.outlook, self._unhelped(self._counted))
            lines += [
                Content(""),
                Content.styled("ctrl+y", "$accent") + Content(" copies the command that does the same:"),
            ]
            lines.append(Content.styled(one_line(self._counted.command(self.bench.named_db), 800), "$secondary"))
        self.query_one("#facts", Static).update(Content("\n").join(lines))
        self.refresh_bindings()

    def _unhelped(self, draft: Draft) -> list[str]:
        """Small models that hardly keep the form of a game by themselves, and are not helped."""
        plan, entries = draft.plan(), self.bench.registry.entries
        heads = [] if plan.assist else [parse(spec).head for spec in names_of(plan)]
        return [head for head in dict.fromkeys(heads) if (entry := entries.get(head)) is not None and entry.assist]

    # keys

    @work(group="fill", exclusive=True, exit_on_error=False)
    async def action_fill(self) -> None:
        """Add a game, a player or a seat."""
        entry = self.listed
        if entry is None:
            return
        if entry.key == "players":
            asked = "Who plays?"
            found = [(spec, f"{spec}   {about}") for spec, about in await self.bench.partners() if spec != HUMAN]
        elif entry.key == "games":
            asked, found = "Which game?", [(card.name, f"{card.name}   {card.title}") for card in self.bench.games()]
        else:
            asked, found = "Which seat?", self._roles()
        answers = [(name, one_line(label, 100)) for name, label in found]
        answer = await self.app.push_screen_wait(Choose(asked, answers)) if answers else None
        if answer is not None:
            self.put(entry, f"{entry.value.strip()} {written([answer])}".strip())

    def _roles(self) -> list[tuple[str, str]]:
        """Seats of the games that are named and known."""
        try:
            named = words(self.draft.games)
        except ValueError:  # a quote that is open; the table says so
            return []
        cards = [card for card in self.bench.games() if card.name in named]
        found = dict.fromkeys(role for card in cards for role in card.roles)
        return [(f"{role}=", role) for role in found]

    def begin(self) -> None:
        """Open the stands on it."""
        if not self._opening:
            self._opening = True
            self.set_timer(AGAIN, self._opened)
            self.app.post_message(Look(Watch(wish=wish(self.draft))))

    def _opened(self) -> None:
        self._opening = False

    def action_copy(self) -> None:
        """The command, for a script or a cluster."""
        self.app.copy_to_clipboard(self.draft.command(self.bench.named_db))
        self.notify("the command is copied", markup=False, timeout=3)

    def action_back(self) -> None:
        """Away; what is written comes back with the next form."""
        self.bench.drafted = self.draft
        self.app.post_message(Go("back"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A command only of what can begin."""
        return self.ready if action == "copy" else super().check_action(action, parameters)


def wish(draft: Draft) -> Wish:
    """The run that is written there. Raises ValueError with a sentence."""
    return Wish(plan=draft.plan(), concurrency=draft.concurrency(), limits=draft.limits())


def told(found: Outlook, unhelped: Sequence[str]) -> list[Content]:
    """How many episodes there are, and who sits at which table."""
    lines = [good(counted(found.episodes, "episode"))]
    if unhelped:
        who = one_line(", ".join(unhelped), 60)
        lines.append(
            Content.styled("▲ ", "$warning") + Content(f"{who} hardly keeps the form of a game without assist")
        )
    for game, instances, tables in found.games:
        named = f"{one_line(game, 40)}   {counted(instances, 'instance')} to draw from, {counted(len(tables), 'table')}"
        lines.append(Content(f"  {named}"))
        for seats in tables[:TABLES]:
            who = "   ".join(f"{one_line(role, 20)} {one_line(player, 60)}" for role, player in seats.items())
            lines.append(Content.styled(f"    {who}", "$secondary"))
        if len(tables) > TABLES:
            lines.append(Content.styled(f"    and {len(tables) - TABLES:,} more", "$secondary"))
    return lines


def counted(number: int, noun: str) -> str:
    """`1 episode`, `20 episodes`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"
