"""Branches of one turn: its candidates with what came of each, live while they are played on in the background.

The tree is read from the log, at most a few times a second, and only lines that changed are drawn again.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from games.engine import Role
from playpen_tui import branch_view
from playpen_tui.actions import bindings
from playpen_tui.branching import Branching, BranchWish, composed
from playpen_tui.messages import Look, Read
from playpen_tui.screens.consent import agreed
from playpen_tui.screens.dialogs import Choose, Prompt, in_columns
from playpen_tui.text import one_line, short
from playpen_tui.theme import GLYPHS
from playpen_tui.transcript import entries
from playpen_tui.watching import Watch
from playpen_tui.widgets.keys import KeyLine
from playpen_tui.workbench import Workbench, expected
from store import branches
from store.branches import Branch, Point, Rollout, Tree

EVERY = 0.4
"""Seconds between two readings while something changes."""
BEFORE = 4
"""Lines of the dialogue before the turn."""
BAR = 16
NOTHING = "No candidates yet. n samples some from a player and plays each on, w lets you write one."
MANY = re.compile(r"\s*(\d{1,3})\s*(?:[x×*,]\s*|\s)(\d{1,3})\s*")


@dataclass(frozen=True, slots=True)
class _Line:
    """What stands on a line: a candidate, or one of its rollouts."""

    branch: Branch
    rollout: Rollout | None = None


class BranchesScreen(Screen[None]):
    """The candidates of a turn of an episode. With a wish it begins with that, at this turn."""

    BINDINGS = bindings("branches")
    CSS_PATH = "branches.tcss"

    def __init__(self, bench: Workbench, episode: str, ply: int, wish: BranchWish | None = None) -> None:
        super().__init__()
        self.bench = bench
        self.grown: Tree | None = None
        self.where: Point | None = None
        self._asked = (episode, ply)
        self._wish = wish
        self._seats: dict[Role, str] = dict(wish.seats) if wish else {}
        self._everybody = wish.everybody if wish else ""
        self._open: set[str] = set()
        self._lines: list[_Line] = []
        self._drawn: list[Content] = []
        self._stale = True
        self._reading = False
        self._deaf = lambda: None
        self._clock: Timer | None = None

    def compose(self) -> ComposeResult:
        """Which turn, what came before, the candidates, keys."""
        with Horizontal(id="head"):
            yield Static("", id="title", markup=False)
            yield Static("", id="status", markup=False)
        yield Static("", id="before", markup=False)
        yield OptionList(id="list", markup=False)
        yield Static("", id="none", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Find the turn, then listen."""
        self._deaf = self.bench.branches.listen(self._heard)
        self._clock = self.set_interval(EVERY, self._look)
        self._begin()

    def on_unmount(self) -> None:
        """Nobody looks any more."""
        self._deaf()

    def _heard(self) -> None:
        self._stale = True

    @work(group="begin", exclusive=True, exit_on_error=False)
    async def _begin(self) -> None:
        try:
            log = await self.bench.log()
            self.where = await asyncio.to_thread(branches.point, log, *self._asked)
        except expected() as error:
            self._say_none(Content.styled(f"⊘ {one_line(str(error), 500)}", "$error"))
            return
        self._draw_head()
        await self._read()
        if self._wish is not None:
            wish, self._wish = replace(self._wish, points=(self.where.key,)), None
            if wish.rollouts or wish.wide:
                await self._start(wish)

    # reading and drawing

    def _look(self) -> None:
        if self._stale and not self._reading and self.where is not None and self.is_current:
            self._again()

    @work(group="look", exclusive=True, exit_on_error=False)
    async def _again(self) -> None:
        await self._read()

    async def _read(self) -> None:
        where = self.where
        assert where is not None
        self._stale, self._reading = False, True
        try:
            log = await self.bench.log()
            self.grown = await asyncio.to_thread(lambda: branches.tree(log.reader(), *where.key))
        except expected() as error:
            self._say_none(Content.styled(f"⊘ {one_line(str(error), 500)}", "$error"))
            return
        finally:
            self._reading = False
        self._draw()

    def on_screen_resume(self) -> None:
        """Something may have come meanwhile."""
        self._stale = True

    def on_resize(self) -> None:
        """Other widths have other lines."""
        self._draw_head()
        self._draw()

    def _draw_head(self) -> None:
        where = self.where
        if where is None or not self.is_attached:
            return
        game = where.match.game
        words = f"{game.title} · {where.match.instance.name} · turn {where.ply + 1}, of the {where.role}"
        self.query_one("#title", Static).update(Content(one_line(words, 160)))
        said = entries(where.match, where.role)[-BEFORE:]
        rows = [
            Content.styled(f"{short(one_line(one.role), 12):<12}  ", "$secondary")
            + Content(short(one.text + (f" · {one.extra}" if one.extra else ""), max(20, self.size.width - 20)))
            for one in said
        ]
        before = self.query_one("#before", Static)
        before.update(Content("\n").join(rows) if rows else Content.styled("nothing was said before", "$secondary"))

    def _draw(self) -> None:
        if self.grown is None or not self.is_attached:
            return
        self._draw_status()
        width = max(40, self.size.width - 6)
        lines, drawn = list[_Line](), list[Content]()
        for one in self.grown.branches:
            lines.append(_Line(one))
            drawn.append(self._candidate(one, width))
            if one.candidate in self._open:
                for each in one.rollouts:
                    lines.append(_Line(one, each))
                    drawn.append(_rollout(each, width))
        box, chosen = self.query_one(OptionList), self._chosen
        before, self._lines = len(self._lines), lines
        self.query_one("#none").display = not lines
        box.display = bool(lines)
        if not lines:
            self.query_one("#none", Static).update(Content(NOTHING))
        if len(drawn) == before == box.option_count:
            for at, (old, new) in enumerate(zip(self._drawn, drawn, strict=True)):
                if old != new:
                    box.replace_option_prompt_at_index(at, new)
        else:
            top = box.scroll_y
            box.clear_options()
            box.add_options([Option(Content("").join([row])) for row in drawn])
            if lines:
                box.highlighted = _same(lines, chosen)
                box.scroll_to(y=top, animate=False, force=True)
        self._drawn = drawn
        if lines and self.focused is None:
            box.focus()
        self.refresh_bindings()

    def _draw_status(self) -> None:
        assert self.grown is not None
        running = self._runs
        tallies = [one.scheduler.count() for one in running]
        if running:
            done, planned = sum(one.done for one in tallies), sum(one.planned for one in tallies)
            words = f"{done:,} of {planned:,} rollouts · {sum(one.running for one in tallies)} running"
        else:
            count = self.grown.rollouts
            words = f"{len(self.grown.branches):,} candidates · {count:,} rollout{'' if count == 1 else 's'}"
            if trouble := self.bench.branches.trouble:
                words += f" · {trouble}"
        self.query_one("#status", Static).update(Content(short(one_line(words), max(20, self.size.width // 2))))

    def _candidate(self, one: Branch, width: int) -> Content:
        """Two lines: what it says and its value; who wrote it and how its rollouts ended."""
        assert self.where is not None
        estimate = branch_view.value(one)
        value = f"{branch_view.number(estimate):>18}"
        bar = branch_view.bar(estimate, BAR) if width >= 74 else ""
        room = width - len(value) - len(bar) - 6
        wrong = branch_view.wrong(self.where.match, one)
        text = short(branch_view.words(self.where.match, one), room - len(wrong) - 2)
        left = Content.styled("▾ " if one.candidate in self._open else "▸ ", "$accent")
        left += Content(text) + Content.styled(f"  {wrong}" if wrong else "", "$error")
        pad = " " * max(1, room - left.cell_length + 4)
        first = left + Content(pad) + Content.styled(bar, "$primary") + Content(value)
        told = one_line(branch_view.author(one))
        count = len(one.rewards)
        going = sum(each.outcome is None for each in one.rollouts)
        how = f"{count} rollout{'' if count == 1 else 's'}" + (f", {going} under way" if going else "")
        second = Content.styled(f"  {short(told, width // 2)}", "$secondary") + Content.styled(
            f"   {how}   ", "$secondary"
        )
        return first + Content("\n") + second + _marks(one)

    def _say_none(self, words: Content) -> None:
        self.query_one("#list").display = False
        none = self.query_one("#none", Static)
        none.display = True
        none.update(words)

    # what is chosen

    @property
    def _runs(self) -> list[Branching]:
        return [] if self.where is None else list(self.bench.branches.at(*self.where.key))

    @property
    def _chosen(self) -> _Line | None:
        at = self.query_one(OptionList).highlighted
        return self._lines[at] if at is not None and at < len(self._lines) else None

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter, or a click."""
        self.action_open()

    def action_open(self) -> None:
        """A rollout's episode, or a candidate's rollouts."""
        line = self._chosen
        if line is not None and line.rollout is not None:
            self.app.post_message(Read(line.rollout.episode))
        else:
            self.action_unfold()

    def action_unfold(self) -> None:
        """Show or hide the rollouts."""
        if (line := self._chosen) is not None:
            self._open ^= {line.branch.candidate}
            self._draw()

    def action_watch(self) -> None:
        """In the stands."""
        line = self._chosen
        if line is None or line.rollout is None:
            self.notify("choose a rollout; space shows those of a candidate", markup=False, timeout=4)
            return
        self.app.post_message(Look(Watch(episodes=(line.rollout.episode,)), over=True))

    def action_copy(self) -> None:
        """As text."""
        if self.grown is not None:
            self.app.copy_to_clipboard("\n".join(branch_view.lines(self.grown, self.where)))
            self.notify("copied", markup=False, timeout=2)

    # growing

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_sample(self) -> None:
        """From whom, how many."""
        if self.where is None:
            return
        answers = [("", "whoever plays this role on"), *await self._partners()]
        by = await self.app.push_screen_wait(Choose(f"Who writes candidates for the {self.where.role}?", answers))
        if by is None:
            return
        many = await self.app.push_screen_wait(Prompt("How many candidates × rollouts of each", "4 × 4", check=_many))
        if many is None or not await self._seated(bool(by)):
            return
        candidates, rollouts = _numbers(many)
        await self._start(self._planned(candidates, rollouts, by=(by,) if by else ()))

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_write(self) -> None:
        """A candidate by the person."""
        where = self.where
        if where is None:
            return
        fields = where.match.game.fields(where.match.state)
        label = fields[0].label if len(fields) == 1 else "the whole reply, in the form of the game"
        text = await self.app.push_screen_wait(Prompt(f"What the {where.role} should say ({label})", check=_some))
        if text is None:
            return
        if where.match.view(where.role).check(composed(where.match, text)):
            answers = [("no", "leave it"), ("yes", "keep it, and see what comes of it")]
            if await self.app.push_screen_wait(Choose("The game master would not accept this.", answers)) != "yes":
                return
        if not await self._seated(False) or not await self._agreed():
            return
        await self._start(self._planned(0, 4, texts=(text,)))

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_more(self) -> None:
        """More rollouts of the candidate under the cursor."""
        line = self._chosen
        if line is None:
            return
        many = await self.app.push_screen_wait(Prompt("How many more rollouts", "4", check=_count))
        if many is not None and await self._seated(False):
            await self._start(self._planned(0, int(many), chosen=(line.branch.candidate,)))

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_seats(self) -> None:
        """Who plays on, role by role."""
        if self.where is None:
            return
        for role in self.where.match.game.roles:
            if not await self._ask_seat(role, f"Who plays {role} on from here?"):
                return

    def action_stop(self) -> None:
        """What goes on here."""
        if self.where is not None:
            for one in self.bench.branches.at(*self.where.key):
                one.stop()

    def action_back(self) -> None:
        """Back."""
        self.dismiss(None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what can be done."""
        if action == "stop":
            return bool(self._runs)
        if action in ("sample", "write", "seats"):
            return self.where is not None
        if action in ("open", "more", "unfold", "watch"):
            return bool(self._lines)
        return True

    def _planned(
        self,
        candidates: int,
        rollouts: int,
        by: tuple[str, ...] = (),
        texts: tuple[str, ...] = (),
        chosen: tuple[str, ...] = (),
    ) -> BranchWish:
        assert self.where is not None
        seats: Mapping[Role, str] = dict(self._seats)
        return BranchWish(
            (self.where.key,), candidates, rollouts, by, texts, chosen, seats=seats, everybody=self._everybody
        )

    async def _start(self, wish: BranchWish) -> None:
        try:
            await self.bench.branches.start(wish)
        except expected() as error:
            self.notify(one_line(str(error), 500), severity="error", timeout=12, markup=False)
            return
        self._stale = True

    async def _partners(self) -> list[tuple[str, str]]:
        found = [one for one in await self.bench.partners() if one[0].partition(":")[0] != "human"]
        return in_columns(found)

    async def _seated(self, written: bool) -> bool:
        """Whether every seat has somebody who plays on; asks for those that have not."""
        assert self.where is not None
        for role in self.where.match.game.roles:
            who = self.where.seats.get(role)
            lacking = who is None or who.kind in ("human", "replay")
            known = not lacking or bool(self._everybody) or role in self._seats
            if not known and not await self._ask_seat(role, f"A person sat at {role}. Who plays on there?"):
                return False
        return True

    async def _ask_seat(self, role: Role, words: str) -> bool:
        answer = await self.app.push_screen_wait(Choose(words, await self._partners()))
        if answer is not None:
            self._seats[role] = answer
        return answer is not None

    async def _agreed(self) -> bool:
        """Whether the person may be recorded; asks where nobody asked before."""
        assert self.where is not None
        sorry = "without your consent you cannot play a branch that is recorded"
        return await agreed(self.app, self.bench.people, sorry, self.where.match.instance.language)


def _rollout(one: Rollout, width: int) -> Content:
    style = {"success": "$success", "failure": "$error", "aborted": "$warning"}.get(one.outcome or "", "$secondary")
    how = one.outcome or "under way"
    reward = "" if one.reward is None else f"reward {one.reward:.2f}"
    told = f"{one_line(how):<10}{short(one_line(one.reason), 16):<18}{one.plies:>3} turns   {reward}"
    return (
        Content.styled(f"     {GLYPHS.get(one.outcome, '…')} ", style)
        + Content(told[: max(10, width - 22)])
        + Content.styled(f"   {one.episode[:10]}…", "$secondary")
    )


def _marks(one: Branch) -> Content:
    """Glyphs of the outcomes, one a rollout, the first two dozen."""
    styles = {"success": "$success", "failure": "$error"}
    marks = [
        Content.styled(GLYPHS.get(each.outcome, "…"), styles.get(each.outcome or "", "$warning"))
        for each in one.rollouts
    ]
    more = f" +{len(marks) - 24}" if len(marks) > 24 else ""
    return Content(" ").join(marks[:24]) + Content.styled(more, "$secondary")


def _same(lines: list[_Line], before: _Line | None) -> int:
    """Where the cursor belongs: on the line it stood on, else on the first."""
    if before is None:
        return 0
    episode = before.rollout.episode if before.rollout else None
    for at, line in enumerate(lines):
        if (
            line.branch.candidate == before.branch.candidate
            and (line.rollout.episode if line.rollout else None) == episode
        ):
            return at
    return 0


def _numbers(text: str) -> tuple[int, int]:
    found = MANY.fullmatch(text)
    assert found is not None
    return int(found[1]), int(found[2])


def _many(text: str) -> str:
    found = MANY.fullmatch(text)
    return "" if found and 1 <= int(found[1]) <= 256 else "write two numbers, such as 8 × 4"


def _count(text: str) -> str:
    return "" if text.strip().isdecimal() and 1 <= int(text) <= 999 else "write a number, such as 4"


def _some(text: str) -> str:
    return "" if text.strip() else "write something"
