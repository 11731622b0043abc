"""How good the judgements in a queue are: each judge alone, and with each other, each figure with its interval."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from playpen_tui.actions import bindings
from playpen_tui.listing import fit
from playpen_tui.messages import Differ, Go
from playpen_tui.screens.faults import Telling
from playpen_tui.text import one_line
from playpen_tui.widgets.keys import KeyLine
from playpen_tui.widgets.page import wrapped
from playpen_tui.workbench import Workbench, expected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluation.agreement import AgreementReport

LISTED = 50
"""Disputed items that are listed."""


class AgreementScreen(Telling):
    """The tables."""

    BINDINGS = bindings("agreement")
    CSS_PATH = "annotate.tcss"

    def __init__(self, bench: Workbench, queue: str) -> None:
        super().__init__()
        self.bench = bench
        self.queue = queue
        self.found: AgreementReport | None = None

    def compose(self) -> ComposeResult:
        """Head, tables, keys."""
        with Horizontal(id="head"):
            yield Static("Agreement", id="where")
            yield Static("reckoning …", id="what")
        with VerticalScroll(id="tables"):
            yield Static("", id="text")
        yield KeyLine()

    def on_mount(self) -> None:
        """Reckon, in a thread: intervals take a moment."""
        self.query_one("#tables").focus()
        self._reckon()

    def on_resize(self) -> None:
        """Other widths have other lines."""
        self.call_after_refresh(self._draw)

    @work(group="reckon", exclusive=True, exit_on_error=False)
    async def _reckon(self) -> None:
        from evaluation.agreement import agreement

        state = ""
        try:
            log = await self.bench.log()
            self.found = await asyncio.to_thread(lambda: agreement(log.reader(), self.queue))
        except expected() as error:
            state = "not reckoned"
            self.query_one("#text", Static).update(Content.styled(f"⊘ {one_line(str(error), 600)}", "$error"))
        self.query_one("#what", Static).update(Content(state))
        self._draw()

    def _draw(self) -> None:
        if self.found is not None and self.is_attached and self.query("#text"):
            lines = _lines(self.found, max(40, self.size.width - 6))
            self.query_one("#text", Static).update(Content("\n").join(lines))

    def action_copy(self) -> None:
        """As text."""
        if self.found is not None:
            self.app.copy_to_clipboard("\n".join(line.plain.rstrip() for line in _lines(self.found, 160)))
            self.notify("copied as text", markup=False, timeout=2)

    def action_against(self) -> None:
        """Where its judges and the games disagree."""
        self.app.post_message(Differ(self.queue))

    def action_back(self) -> None:
        """Back."""
        self.app.post_message(Go("back"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What is not reckoned cannot be copied."""
        return action != "copy" or self.found is not None


def _lines(found: AgreementReport, width: int) -> list[Content]:
    from evaluation import agreement_report as told

    lines: list[Content] = []
    for title, (head, rows) in told.plain_tables(found):
        lines += [Content.styled(one_line(title), "bold $accent")] if title else []
        lines += [*_table(head, rows, width), Content("")]
    rest = [*told.summary(found), *(told.disputed_line(one) for one in found.disputed[:LISTED]), "", told.METHOD]
    return lines + [Content(row) for text in rest for row in wrapped(text, width)]


def _table(head: Sequence[str], rows: Sequence[Sequence[object]], width: int) -> list[Content]:
    """A table; one that is too wide is told row by row, each cell behind its title."""
    cells = [[one_line(str(cell)) for cell in row] for row in rows]
    sizes = [max(cell_len(row[at]) for row in [list(head), *cells]) for at in range(len(head))]
    if sum(sizes) + 2 * len(sizes) <= width:
        return [
            Content.styled("  ".join(fit(cell, size) for cell, size in zip(row, sizes, strict=True)), style)
            for style, row in [("$secondary", list(head)), *(("$foreground", row) for row in cells)]
        ]
    lines: list[Content] = []
    for row in cells:
        said = " · ".join(f"{name} {cell}" for name, cell in zip(head[1:], row[1:], strict=True))
        lines += [Content.styled(row[0], "$primary")]
        lines += [Content(f"  {line}") for line in wrapped(said, width - 2)]
    return lines
