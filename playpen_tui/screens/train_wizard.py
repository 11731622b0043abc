"""A new training: what is wanted on one side, and what the log gives for it on the other, counted while one types.

A process of its own counts, so that the fields answer at once; where the wish has changed it is ended and begun anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from textual import work
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from playpen_tui import beginning
from playpen_tui.actions import bindings
from playpen_tui.beginning import CannotCount
from playpen_tui.listing import fit
from playpen_tui.messages import Go, OpenTraining
from playpen_tui.screens.browse import chips
from playpen_tui.screens.dialogs import Choose
from playpen_tui.screens.form import Field
from playpen_tui.screens.wizard import PAUSE, WizardScreen, good, wrong
from playpen_tui.text import one_line
from playpen_tui.training_wish import Wish
from playpen_tui.workbench import Workbench, expected
from store.query import parse

METHODS = ("sft", "dpo", "kto", "grpo")
FIELDS = (
    Field(
        "method",
        "method",
        "sft learns good turns, dpo from pairs, kto from good and bad ones, grpo by playing",
        METHODS,
    ),
    Field("learner", "learner", "a model whose weights lie here; ctrl+o lists them"),
    Field("name", "name", "what the result is called; it is a player then"),
    Field("recipe", "recipe", "tiny, smoke, paper-… or a file that ends in .toml; ctrl+o lists them"),
    Field("query", "episodes", "which ones, as in browse: game:taboo speaker:human tag:good; empty takes all"),
    Field("mix", "mix", "shares of trained turns: human=0.3,synthetic=0.7; empty takes them as they come"),
    Field("steps", "steps", "how many, instead of the recipe's"),
    Field("folder", "folder", "where its files go; empty for trainings/NAME here"),
)


class TrainwizardScreen(WizardScreen):
    """The wizard."""

    BINDINGS = bindings("trainwizard")
    HEADING = "A new training"
    FIELDS = FIELDS
    LISTED = ("learner", "recipe")

    def __init__(self, bench: Workbench, wish: Wish | None = None) -> None:
        super().__init__(bench, wish or bench.wished or Wish())
        self.facts: Mapping[str, Any] | None = None
        self.wrong = ""
        self._counting = False
        self._beginning = False

    def below(self, key: str) -> Iterator[Widget]:
        """Under the query, how it is understood."""
        if key == "query":
            yield Static("", id="chips")

    @property
    def wish(self) -> Wish:
        """What stands in the fields."""
        return Wish(**self.values)

    # counting

    def changed(self, key: str) -> None:
        """Count anew, but for another name."""
        if key == "name":
            self.draw()
            return
        try:
            query = parse(self.wish.query)
        except expected() as error:
            self.query_one("#chips", Static).update(Content.styled(f"✗ {one_line(str(error), 200)}", "$error"))
            self.workers.cancel_group(self, "count")
            self.facts, self.wrong, self._counting = None, "", False
        else:
            shown = any(chip.key != "sort" for chip in query.chips)
            self.query_one("#chips", Static).update(chips(query) if shown else Content(""))
            self._count()
        self.draw()

    @work(group="count", exclusive=True, exit_on_error=False)
    async def _count(self) -> None:
        self._counting = True
        self.draw()
        await asyncio.sleep(PAUSE)
        try:
            await self.bench.log()  # made where it is not there yet
            told = await beginning.ask("choose", self.bench.path, self.wish)
            self.facts, self.wrong = told, ""
        except (CannotCount, *expected()) as error:
            self.facts, self.wrong = None, str(error)
        self._counting = False
        self.counted()

    @property
    def counting(self) -> bool:
        """Whether the log is being counted."""
        return self._counting

    # drawing

    def draw(self) -> None:
        """How it stands, and what would be trained."""
        if not self.is_attached or not self.query("#facts"):
            return
        state = "beginning …" if self._beginning else self.waiting
        self.query_one("#state", Static).update(Content(state))
        pale = " " if not self._counting else " …"
        lines = [Content.styled(f"What the log gives{pale}", "bold $accent")]
        if self.wrong:
            lines.append(wrong(one_line(self.wrong, 500)))
        if name := self._name_trouble():
            lines.append(wrong(name))
        elif self.ready:
            lines.append(Content.styled("ctrl+s", "$accent") + Content(" begins it"))
        if self.facts is not None:
            lines += table(self.facts, max(30, self.query_one("#facts").size.width))
        self.query_one("#facts", Static).update(Content("\n").join(lines))
        self.refresh_bindings()

    def _name_trouble(self) -> str:
        """What is wrong with the name, as a sentence; empty where nothing is."""
        name = self.wish.name
        if not name:
            return "a name is missing: what the result shall be called"
        from training import launch

        try:
            launch.free_name(name, self.bench.registry, self.wish.learner)
        except ValueError as error:
            return one_line(str(error), 160)
        if launch.taken(self.wish.out):
            return f"there is a training in {one_line(str(self.wish.out), 120)} already; take another name or folder"
        return ""

    @property
    def ready(self) -> bool:
        """Whether it can begin."""
        counted = self.facts is not None and not self._counting and not self._beginning
        return counted and not self._name_trouble()

    # keys

    @work(group="fill", exclusive=True, exit_on_error=False)
    async def action_fill(self) -> None:
        """From a list: learners that lie here, or recipes."""
        entry = self.listed
        if entry is None:
            return
        found = await asyncio.to_thread(self._recipes if entry.key == "recipe" else self._learners)
        if not found:
            self.notify("no model with weights is registered; m on Home adds one", markup=False)
            return
        asked = "Recipe" if entry.key == "recipe" else "Who learns"
        answer = await self.app.push_screen_wait(
            Choose(asked, [(str(at), label) for at, (_, label) in enumerate(found)])
        )
        if answer is not None:
            self.put(entry, found[int(answer)][0])

    def _learners(self) -> list[tuple[str, str]]:
        from training import launch

        registry = self.bench.registry
        found: list[tuple[str, str]] = []
        for name in registry.names():
            try:
                base = launch.base_of(name, registry)
            except (ValueError, *expected()):
                continue  # no weights here: it cannot learn, and so is not offered
            found.append((name, f"{one_line(name, 40)}   {one_line(str(base.path), 60)}"))
        return found

    def _recipes(self) -> list[tuple[str, str]]:
        from training import recipe

        method = self.wish.method
        found: list[tuple[str, str]] = []
        for name in recipe.names():
            made = recipe.load(name, "sft")
            if made.method == method:
                found.append((name, f"{one_line(name, 30)}   {one_line(made.about, 120)}"))
        return found

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Begin nothing without a name."""
        if action == "begin" and self._name_trouble():
            return False
        return super().check_action(action, parameters)

    def begin(self) -> None:
        """Begin it, in a worker."""
        self._begin()

    @work(group="begin", exclusive=True, exit_on_error=False)
    async def _begin(self) -> None:
        """Freeze the rows, start the process, and go to the dashboard."""
        wish = self.wish
        self._beginning = True
        self.draw()
        try:
            told = await beginning.ask("begin", self.bench.path, wish)
        except CannotCount as error:
            self.wrong, self.facts = str(error), None
        else:
            self.bench.wished = None
            self.app.post_message(OpenTraining(str(told["training"]), instead=True))
        self._beginning = False
        self.draw()

    def action_back(self) -> None:
        """Away; what is written comes back with the next wizard."""
        self.bench.wished = self.wish
        self.app.post_message(Go("back"))


def table(told: Mapping[str, Any], width: int) -> list[Content]:
    """The light table: what is trained, from whom it comes, and what is left out and why; in so many columns."""
    facts: Mapping[str, Any] = told["facts"]
    lines = [good(f"{facts['rows']:,} rows from {facts.get('used', facts['episodes']):,} episodes")]
    about = str(told.get("recipe", {}).get("about", ""))
    if about:
        lines.append(Content.styled(f"  {one_line(about, 200)}", "$secondary"))
    for speaker, counts in facts.get("speakers", {}).items():
        text = f"{counts['turns']:,} trained turns ({counts['turns_share']:.0%}), {counts['rows']:,} rows"
        lines.append(Content(f"  {one_line(speaker, 20):<10} {text}"))
    if facts.get("general"):
        lines.append(Content(f"  {'general':<10} {facts['general']:,} rows, against forgetting"))
    cells = {**facts.get("cells", {}), **facts.get("kinds", {}), **facts.get("labels", {})}
    most, room = max(cells.values(), default=1), max(12, min(34, width - 24))
    for cell, rows in cells.items():
        bar = "━" * max(1, round(12 * rows / most))
        lines.append(Content(f"  {fit(one_line(str(cell)), room)} {rows:>7,} ") + Content.styled(bar, "$primary"))
    left_out = {why: count for why, count in facts.get("left_out", {}).items() if count}
    if left_out:
        lines += [Content(""), Content.styled("left out", "bold")]
        lines += [
            Content.styled(f"  {fit(one_line(why), room)} {count:>7,}", "$secondary") for why, count in left_out.items()
        ]
    lines.append(Content(""))
    leaks = facts.get("leaks", ())
    held = sum(leak["perspectives"] for leak in leaks)
    if held:
        text = f"held back as validation or test: {held:,} dialogues of {len(leaks):,} instances"
        lines.append(Content.styled("▲ ", "$warning") + Content(text))
    else:
        lines.append(good("nothing kept for validation or test is in it"))
    if light := told.get("light"):
        size, free = light["weights_on_disk"] / 2**30, light["disk_free"] / 2**30
        lines.append(good(f"{size:.2f} GB of weights to load, {free:,.0f} GB free on the disk"))
    return lines
