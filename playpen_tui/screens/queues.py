"""The queues of the log: what waits to be judged, how far oneself and all are, and what is disputed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import work
from textual.content import Content

from playpen_tui.actions import bindings
from playpen_tui.listing import fit
from playpen_tui.messages import Adjudicate, Agree, Differ, Go, Judge
from playpen_tui.screens.annotate import guidelines_dialog
from playpen_tui.screens.dialogs import Choose, Prompt
from playpen_tui.screens.lists import ListScreen
from playpen_tui.text import one_line
from playpen_tui.workbench import Workbench, expected

if TYPE_CHECKING:
    from playpen_tui.judging import QueueLine

NOTHING = (
    "No pairs wait to be judged yet. n makes a queue from the log, as `playpen-tui annotate queue new NAME` does;\n"
    "it needs several replies to the same words, such as those of\n"
    "`playpen-tui selfplay taboo --player bot:random --per-instance 4`."
)
JUDGES = (("1", "one person each"), ("2", "two, so that their agreement can be told"), ("3", "three"))


class QueuesScreen(ListScreen):
    """The list."""

    BINDINGS = bindings("queues")
    HEADING = "Annotate"

    def __init__(self, bench: Workbench) -> None:
        super().__init__(bench)
        self._lines: list[QueueLine] | None = None

    @work(group="look", exclusive=True, exit_on_error=False)
    async def action_look(self) -> None:
        """Read the log again."""
        from playpen_tui.judging import queue_lines

        try:
            self._lines, self._trouble = await queue_lines(self.bench), ""
        except expected() as error:
            self._lines, self._trouble = [], str(error)
        self._fill()

    def fill(self) -> None:
        """One line a queue."""
        if (lines := self._lines) is None:
            return
        width, waiting = self.width, sum(line.left for line in lines)
        what = f"{waiting:,} wait for you" if lines else ""
        drawings = [(line.id, drawn(line, width)) for line in lines]
        self.put_lines(what, _titles(width) if lines else "", drawings, NOTHING)

    @property
    def chosen(self) -> QueueLine | None:
        """The queue under the cursor."""
        id = self.at
        return next((line for line in self._lines or () if line.id == id), None)

    # keys

    def on_option_list_option_selected(self) -> None:
        """Enter, or a click."""
        self.action_judge()

    def action_judge(self) -> None:
        """Judge."""
        if (line := self.chosen) is not None:
            if line.open:
                self.app.post_message(Judge(line.id))
            else:
                self.notify("this queue is closed; x opens it again", markup=False, timeout=3)

    def action_disputed(self) -> None:
        """Decide."""
        if (line := self.chosen) is not None:
            self.app.post_message(Adjudicate(line.id))

    def action_agreement(self) -> None:
        """How well judges agree."""
        if (line := self.chosen) is not None:
            self.app.post_message(Agree(line.id))

    def action_against(self) -> None:
        """Where people and games disagree: in this queue, or in all that was judged where there is no queue."""
        line = self.chosen
        self.app.post_message(Differ(None if line is None else line.id))

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_guidelines(self) -> None:
        """What judges go by."""
        line = self.chosen
        if line is None:
            return
        from playpen_tui.queueing import queue_of

        try:
            queue = await queue_of(self.bench, line.id)
        except expected() as error:
            self.notify(one_line(str(error), 500), severity="error", markup=False)
            return
        self.app.push_screen(guidelines_dialog(queue.name, queue.guideline))

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_new(self) -> None:
        """Ask for a name, for episodes, and for how many judges; then look for pairs among them."""
        from playpen_tui.queueing import make_queue

        name = await self.app.push_screen_wait(Prompt("A name for the queue"))
        if not name:
            return
        about = "Pairs from which episodes? As in browsing: game:taboo split:train; empty for all"
        query = await self.app.push_screen_wait(Prompt(about, check=_wrong_query))
        if query is None:
            return
        judges = await self.app.push_screen_wait(Choose("How many people should judge each item?", JUDGES))
        if judges is None:
            return
        try:
            said = await make_queue(self.bench, name, query, int(judges))
        except (ValueError, *expected()) as error:
            self.notify(one_line(str(error), 500), severity="error", timeout=12, markup=False)
            return
        self.notify(one_line(said, 300), markup=False, timeout=6)
        self.action_look()

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_shut(self) -> None:
        """Close or open it."""
        from playpen_tui.queueing import shut

        line = self.chosen
        if line is None:
            return
        try:
            await shut(self.bench, line.id, again=not line.open)
        except expected() as error:
            self.notify(one_line(str(error), 500), severity="error", markup=False)
        self.action_look()

    def action_back(self) -> None:
        """Home."""
        self.app.post_message(Go("home"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What is done with a queue needs one."""
        if action == "disputed":
            return self.chosen is not None and self.chosen.disputed > 0
        return self.chosen is not None if action in ("judge", "agreement", "guidelines", "shut") else True


def _wrong_query(text: str) -> str:
    """What is wrong with a query; empty where nothing is."""
    from store.query import parse

    try:
        parse(text)
    except expected() as error:
        return str(error)
    return ""


def _columns(width: int) -> list[tuple[str, int, bool]]:
    """Title, size and side of each column."""
    end = [("items", 7, True), ("mine", 11, True), ("all", 13, True), ("disputed", 8, True), ("state", 6, False)]
    return [("queue", max(12, width - sum(size + 2 for _, size, _ in end)), False), *end]


def _titles(width: int) -> str:
    return "  ".join(fit(title, size, right) for title, size, right in _columns(width))


def drawn(line: QueueLine, width: int) -> Content:
    """One queue in so many cells."""
    values = {
        "queue": (one_line(line.name, 80), "bold"),
        "items": (f"{line.items:,}", ""),
        "mine": (f"{line.mine:,}/{line.mine + line.left:,}", ""),
        "all": (f"{line.votes:,}/{line.items * line.judges:,}", "$secondary"),
        "disputed": (f"{line.disputed:,}" if line.disputed else "–", "$accent" if line.disputed else "$secondary"),
        "state": ("open" if line.open else "closed", "" if line.open else "$secondary"),
    }
    cells = [Content.styled(fit(values[title][0], size, right), values[title][1] or "$foreground")
             for title, size, right in _columns(width)]  # fmt: skip
    return Content("  ").join(cells)
