"""Trace: something in the log, what it comes from and what came of it; enter goes on from there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from playpen_tui.actions import bindings
from playpen_tui.messages import Look, Read
from playpen_tui.text import one_line
from playpen_tui.watching import Watch
from playpen_tui.widgets.keys import KeyLine
from playpen_tui.workbench import Workbench, expected
from store.trace import Branch, Node, Trace, Traced

EMPTY = {"from": "nothing in this log", "to": "nothing yet"}


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that can be gone to."""

    node: Node


class TraceScreen(Screen[None]):
    """One step either way at a time, with the way back kept."""

    BINDINGS = bindings("trace")
    CSS_PATH = "trace.tcss"

    def __init__(self, bench: Workbench, node: Node) -> None:
        super().__init__()
        self.bench = bench
        self.path: list[Node] = [node]
        self._lines: list[_Line | None] = []
        self.traced: Traced | None = None

    def compose(self) -> ComposeResult:
        """Where one stands, what is around it, keys."""
        with Horizontal(id="head"):
            yield Static("", id="title", markup=False)
            yield Static("", id="status", markup=False)
        yield OptionList(id="list", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Look around."""
        self._look()

    @property
    def node(self) -> Node:
        """Where one stands."""
        return self.path[-1]

    @work(group="trace", exclusive=True, exit_on_error=False)
    async def _look(self) -> None:
        node = self.node
        try:
            log = await self.bench.log()
            traced = await asyncio.to_thread(Trace(log.reader).around, node, 40)
        except expected() as error:
            self.notify(one_line(str(error), 500), severity="error", timeout=12, markup=False)
            return
        if node is self.node:
            self._draw(traced)

    def _draw(self, traced: Traced) -> None:
        self.traced = traced
        node = traced.node
        self.query_one("#title", Static).update(Content(f"{node.kind}  {one_line(node.label, 200)}"))
        step = "" if len(self.path) == 1 else f"   step {len(self.path)}"
        self.query_one("#status", Static).update(Content(one_line(node.id, 80) + step))
        lines = self.query_one("#list", OptionList)
        lines.clear_options()
        self._lines = []
        for way, title, branches in (
            ("from", "comes from", traced.sources),
            ("to", "what came of it", traced.uses),
        ):
            self._add(Content.styled(title, "bold $accent"))
            if not branches:
                self._add(Content.styled(f"  {EMPTY[way]}", "$secondary"))
            for branch in branches:
                self._branch(branch)
        first = next((at for at, line in enumerate(self._lines) if line is not None), None)
        lines.highlighted = first
        lines.focus()

    def _branch(self, branch: Branch) -> None:
        for at, node in enumerate(branch.nodes):
            relation = branch.relation if at == 0 else ""
            kind = Content.styled(f"{node.kind:<12}", "$secondary")
            self._add(
                Content.assemble(f"  {relation:<16}", kind, one_line(node.label, 160)),
                node,
            )
        if branch.total > len(branch.nodes):
            self._add(Content.styled(f"  {'':<16}… {branch.total - len(branch.nodes):,} more", "$secondary"))

    def _add(self, text: Content, node: Node | None = None) -> None:
        self._lines.append(None if node is None else _Line(node))
        self.query_one("#list", OptionList).add_option(Option(text, disabled=node is None))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter, or a click."""
        self.action_go()

    def action_go(self) -> None:
        """Go to what is under the bar."""
        if self._chosen is not self.node:
            self.path.append(self._chosen)
            self._look()

    @property
    def _chosen(self) -> Node:
        """The node under the bar, else where one stands."""
        at = self.query_one("#list", OptionList).highlighted
        line = None if at is None or at >= len(self._lines) else self._lines[at]
        return self.node if line is None else line.node

    def _episode(self) -> str | None:
        """The episode under the bar, else the one where one stands; says so where there is none."""
        for node in (self._chosen, self.node):
            if node.kind == "episode":
                return node.id
        self.notify("no episode is chosen; go to one first", markup=False)
        return None

    def action_read(self) -> None:
        """Its page."""
        if (episode := self._episode()) is not None:
            self.app.post_message(Read(episode))

    def action_watch(self) -> None:
        """In the stands; leaving leads back here."""
        if (episode := self._episode()) is not None:
            self.app.post_message(Look(Watch(episodes=(episode,)), over=True))

    def action_copy(self) -> None:
        """The id under the bar, onto the clipboard."""
        self.app.copy_to_clipboard(self._chosen.id)
        self.notify(f"copied {self._chosen.id}", markup=False, timeout=3)

    def action_back(self) -> None:
        """A step back; from the first one away."""
        if len(self.path) > 1:
            self.path.pop()
            self._look()
        else:
            self.dismiss()
