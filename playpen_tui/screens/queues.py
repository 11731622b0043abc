"""The queues of the log: what waits to be judged, how far oneself and all are, and what is disputed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Footer, OptionList, Static
from textual.widgets.option_list import Option

from playpen_tui.actions import bindings
from playpen_tui.listing import fit
from playpen_tui.messages import Adjudicate, Agree, Go, Judge
from playpen_tui.screens.annotate import guidelines_dialog
from playpen_tui.screens.dialogs import Choose, Prompt
from playpen_tui.screens.faults import Telling
from playpen_tui.text import one_line
from playpen_tui.widgets.put import put
from playpen_tui.workbench import Workbench, expected

if TYPE_CHECKING:
    from playpen_tui.judging import QueueLine

NOTHING = (
    "No pairs wait to be judged yet. n makes a queue from the log, as `playpen-tui annotate queue new NAME` does;\n"
    "it needs several replies to the same words, such as those of\n"
    "`playpen-tui selfplay taboo --player bot:random --per-instance 4`."
)
JUDGES = (("1", "one person each"), ("2", "two, so that their agreement can be told"), ("3", "three"))


class QueuesScreen(Telling):
    """The list."""

    BINDINGS = bindings("queues")
    CSS_PATH = "annotate.tcss"

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self.bench = bench
        self._lines: list[QueueLine] | None = None
        self._trouble = ""

    def compose(self) -> ComposeResult:
        """Title, columns, rows, keys."""
        with Horizontal(id="head"):
            yield Static("Annotate", id="where")
            yield Static("reading …", id="what")
        yield Static("", id="names")
        yield OptionList(id="list")
        yield Static("", id="nothing")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Read the log."""
        self.query_one(OptionList).focus()

    def on_screen_resume(self) -> None:
        """Also when one is back from judging."""
        self.action_look()

    def on_resize(self) -> None:
        """Other widths have other columns."""
        self.call_after_refresh(self._fill)

    @work(group="look", exclusive=True, exit_on_error=False)
    async def action_look(self) -> None:
        """Read the log again."""
        from playpen_tui.judging import queue_lines

        try:
            self._lines, self._trouble = await queue_lines(self.bench), ""
        except expected() as error:
            self._lines, self._trouble = [], str(error)
        self._fill()

    def _fill(self) -> None:
        if self._lines is None or not self.is_attached or not self.query("#list"):
            return
        box, before, lines = self.query_one(OptionList), self.chosen, self._lines
        width = max(60, self.size.width - 5)
        put(self.query_one("#names", Static), Content(_titles(width) if lines else ""), layout=False)
        waiting = sum(line.left for line in lines)
        put(self.query_one("#what", Static), Content(f"{waiting:,} wait for you" if lines else ""))
        box.clear_options()
        box.add_options([Option(Content("").join([drawn(line, width)]), id=line.id) for line in lines])
        ids = [line.id for line in lines]
        if ids:
            box.highlighted = ids.index(before.id) if before is not None and before.id in ids else 0
        nothing = self.query_one("#nothing", Static)
        nothing.display, box.display = not ids, bool(ids)
        if ids and self.focused is None:
            box.focus()
        text = Content.styled(f"⊘ {one_line(self._trouble, 600)}", "$error") if self._trouble else Content(NOTHING)
        nothing.update(text)
        self.refresh_bindings()

    @property
    def chosen(self) -> QueueLine | None:
        """The queue under the cursor."""
        box = self.query_one(OptionList)
        at = box.highlighted
        id = box.get_option_at_index(at).id if at is not None and at < box.option_count else None
        return next((line for line in self._lines or () if line.id == id), None)

    # keys

    def on_option_list_option_selected(self) -> None:
        """Enter, or a click."""
        self.action_judge()

    def on_option_list_option_highlighted(self) -> None:
        """Not every queue has something disputed."""
        self.refresh_bindings()

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
