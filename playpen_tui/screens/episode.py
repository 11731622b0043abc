"""One episode: turns through the game master's or one seat's eyes, rule checks, scores, provenance, raw requests.

`n` and `p` go through the list it was opened from. What is copied is everything, also where the screen cuts it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

from textual import events, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from playpen_tui.actions import bindings
from playpen_tui.browsing import Browsing, Superseded
from playpen_tui.messages import Follow, Look
from playpen_tui.remarks import Remarks
from playpen_tui.screens.dialogs import Choose, Prompt
from playpen_tui.screens.turns import TurnsScreen
from playpen_tui.text import one_line, short
from playpen_tui.theme import GLYPHS
from playpen_tui.watching import Watch
from playpen_tui.widgets.keys import KeyLine
from playpen_tui.widgets.page import Page
from playpen_tui.workbench import Workbench, expected
from store import curate, render
from store.curate import Change
from store.dossier import Dossier
from store.log import Log
from store.render import TABS, Format, Tab
from store.trace import Node

CLIPBOARD = 70_000
"""Characters above which many terminals take nothing into the clipboard."""
ENDINGS: dict[Format, str] = {"text": "txt", "markdown": "md", "json": "json"}


class EpisodeScreen(TurnsScreen[int | None]):
    """One episode. Gives the position in the list at which it was left, None without a list."""

    BINDINGS = bindings("episode")
    CSS_PATH = "episode.tcss"

    def __init__(self, bench: Workbench, browsing: Browsing, episode: str, position: int | None = None) -> None:
        super().__init__()
        self.bench = bench
        self.remarks = Remarks(bench)
        self.browsing = browsing
        self.dossier: Dossier | None = None
        self.tab: Tab = "turns"
        self.eyes: str | None = None
        self._episode = episode
        self._position = position

    def compose(self) -> ComposeResult:
        """What it is, its pages, the one that is open, keys."""
        with Horizontal(id="head"):
            yield Static("", id="what")
            yield Static("", id="where")
        yield Static("", id="tabs")
        yield Page(id="page")
        yield KeyLine()

    def on_mount(self) -> None:
        """Read it."""
        self.query_one("#page").focus()
        self.browsing.changed = lambda: None
        self._load(self._episode)

    @work(group="load", exclusive=True, exit_on_error=False)
    async def _load(self, id: str) -> None:
        try:
            self.dossier = await self.browsing.dossier(id)
        except Superseded:
            return
        except expected() as error:
            self.query_one(Page).say(Content.styled(f"⊘ {one_line(str(error), 500)}", "$error"))
            return
        if self.eyes not in self.dossier.roles:
            self.eyes = None
        self._draw(top=True)
        self.query_one(Page).mark({})
        self.show_marks()

    def turns_here(self) -> tuple[str, str | None] | None:
        """The episode that is read; whoever reads may know everything."""
        return None if self.dossier is None else (self.dossier.id, None)

    def on_resize(self) -> None:
        """Other widths have other lines."""
        self._draw()

    def _draw(self, top: bool = False) -> None:
        dossier = self.dossier
        if dossier is None or not self.is_attached:
            return
        row = dossier.detail.row
        mark = GLYPHS.get(row.outcome, "…")
        style = {"success": "$success", "failure": "$error"}.get(row.outcome or "", "$warning")
        tags = "".join(f" #{tag}" for tag in dossier.detail.tags) + (" · in the trash" if dossier.trashed else "")
        self.query_one("#what", Static).update(
            Content("").join(
                [
                    Content.styled(f"{mark} ", style),
                    Content(one_line(render.headline(dossier), 200)),
                    Content.styled(one_line(tags, 100), "$accent"),
                ]
            )
        )
        where = "" if self._position is None else f"{self._position + 1:,} of {self.browsing.known:,}"
        self.query_one("#where", Static).update(Content(where))
        self.query_one("#tabs", Static).update(tabs(self.tab, self.eyes, self.size.width))
        width = max(30, self.size.width - 6)
        page = self.query_one(Page)
        page.show(render.page(dossier, self.tab, self.eyes), width, self.tab == "turns")
        if top:
            page.to_turn(None)
            page.scroll_home(animate=False)
        self.refresh_bindings()

    # pages

    def on_key(self, event: events.Key) -> None:
        """Digits open a page."""
        if event.character and event.character.isdigit() and 1 <= int(event.character) <= len(TABS):
            event.stop()
            self.tab = list(TABS)[int(event.character) - 1]
            self._draw(top=True)

    def _turn(self, by: int) -> None:
        order = list(TABS)
        self.tab = order[(order.index(self.tab) + by) % len(order)]
        self._draw(top=True)

    def action_tab(self) -> None:
        """The next page."""
        self._turn(1)

    def action_tab_back(self) -> None:
        """The page before."""
        self._turn(-1)

    def action_eyes(self) -> None:
        """The next eyes."""
        if self.dossier is not None:
            eyes = [None, *self.dossier.roles]
            self.eyes = eyes[(eyes.index(self.eyes) + 1) % len(eyes)]
            self.tab = "turns"
            self._draw(top=True)

    # through the list

    def action_next(self) -> None:
        """The next one."""
        self._step(1)

    def action_previous(self) -> None:
        """The one before."""
        self._step(-1)

    def _step(self, by: int) -> None:
        if self._position is None:
            return
        if not 0 <= self._position + by < self.browsing.known:
            self.notify("this is the last one" if by > 0 else "this is the first one", markup=False, timeout=2)
            return
        self._position += by
        self._go(self._position)

    @work(group="load", exclusive=True, exit_on_error=False)
    async def _go(self, position: int) -> None:
        try:
            found = await self.browsing.at(position)
        except Superseded:
            return
        except expected() as error:
            self.notify(one_line(str(error), 500), severity="error", markup=False)
            return
        if found is not None:
            self._load(found.id)

    # copying

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_copy(self) -> None:
        """In one of three forms, to the clipboard or a file."""
        dossier = self.dossier
        if dossier is None:
            return
        forms = {"text": "as text", "markdown": "as markdown", "json": "as JSON, with everything"}
        answers = [(form, f"{words}, to the clipboard") for form, words in forms.items()]
        answers += [(f"{form}:file", f"{words}, into a file") for form, words in forms.items()]
        pages = "turns" if self.tab == "turns" else f"turns and {TABS[self.tab]}"
        answer = await self.app.push_screen_wait(Choose(f"Copy {pages} of this episode", answers))
        if answer is None:
            return
        form, _, file = answer.partition(":")
        how = cast(Format, form)
        chosen: tuple[Tab, ...] = ("turns",) if self.tab == "turns" else ("turns", self.tab)
        text = render.copied(dossier, how, chosen, self.eyes)
        if file:
            await self._write(text, f"{dossier.id}.{ENDINGS[how]}")
            return
        self.app.copy_to_clipboard(text)
        told = f"copied {len(text):,} characters"
        if len(text) > CLIPBOARD:
            told += "; many terminals take no more than 70,000, a file takes all"
        self.notify(told, markup=False)

    async def _write(self, text: str, name: str) -> None:
        path = await self.app.push_screen_wait(Prompt("Write it to", str(Path.cwd() / name), check=_no_file))
        if path is None:
            return
        try:
            with Path(path).expanduser().open("x", encoding="utf-8", errors="replace") as file:
                file.write(text)
        except OSError as error:
            self.notify(one_line(f"not written: {error}", 300), severity="error", markup=False)
            return
        self.notify(one_line(f"wrote {path}", 300), markup=False)

    # what else

    def action_watch(self) -> None:
        """In the stands."""
        if self.dossier is None:
            return
        if not self.dossier.watchable:
            self.notify(one_line(self.dossier.code, 300), markup=False)
            return
        self.app.post_message(Look(Watch(episodes=(self.dossier.id,)), over=True))

    def action_follow(self) -> None:
        """What it comes from, and what came of it."""
        if self.dossier is not None:
            row = self.dossier.detail.row
            label = f"{row.game} · {row.instance} · {row.outcome or 'unfinished'} · {row.started_at[:16]}"
            self.app.post_message(Follow(Node("episode", row.id, label)))

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_tag(self) -> None:
        """A word on it, or off it."""
        if (dossier := self.dossier) is None:
            return
        tags = dossier.detail.tags
        word: str | None = ""
        if tags:
            answers = [("", "put another word on it"), *((tag, f"take {tag} off") for tag in tags)]
            word = await self.app.push_screen_wait(Choose("Tags", answers))
        if word:
            await self._change(lambda log: curate.untag(log, [dossier.id], word))
        elif word == "":
            added = await self.app.push_screen_wait(Prompt("A word for this episode", check=_no_tag))
            if added is not None:
                await self._change(lambda log: curate.tag(log, [dossier.id], added))

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_trash(self) -> None:
        """Into the trash, or out of it."""
        if (dossier := self.dossier) is not None:
            how = curate.restore if dossier.trashed else curate.trash
            await self._change(lambda log: how(log, [dossier.id]))

    @work(group="ask", exclusive=True, exit_on_error=False)
    async def action_undo(self) -> None:
        """Take the last change back."""
        try:
            change = await self.browsing.undo()
        except expected() as error:
            self.notify(one_line(str(error), 500), severity="error", markup=False)
            return
        self._told(change)

    async def _change(self, how: Callable[[Log], Change]) -> None:
        try:
            self._told(await self.browsing.change(how))
        except expected() as error:
            self.notify(one_line(str(error), 500), severity="error", markup=False)

    def _told(self, change: Change | None) -> None:
        self.notify(one_line(str(change) if change else "nothing to take back"), markup=False, timeout=3)
        if change is not None and self.dossier is not None:
            self.browsing.stale = True
            self._load(self.dossier.id)

    def action_back(self) -> None:
        """To the list."""
        self.dismiss(self._position)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what can be done with this one."""
        if self.judging:
            return action == "eyes"
        if action in ("next", "previous"):
            return self._position is not None
        if action == "watch":
            return self.dossier is not None and self.dossier.watchable
        return True


def tabs(tab: Tab, eyes: str | None, width: int) -> Content:
    """The pages, the one that is open underlined, and through whose eyes its turns are read."""
    wide = width >= 100
    names = TABS if wide else {**TABS, "checks": "checks", "origin": "origin", "requests": "requests"}
    drawn: list[Content] = []
    for number, (name, words) in enumerate(names.items(), 1):
        style = "bold underline" if name == tab else "$secondary"
        drawn.append(Content.styled(f"{number} ", "$accent") + Content.styled(words, style))
    line = Content("   " if wide else "  ").join(drawn)
    if tab != "turns":
        return line
    seen = Content.styled(f"eyes: {short(one_line(eyes or render.MASTER), 16)}  v", "$secondary")
    room = width - 4 - line.cell_length - seen.cell_length
    return line if room < 2 else line + Content(" " * room) + seen


def _no_tag(text: str) -> str:
    """Why it cannot be a tag; empty where it can."""
    try:
        curate.tag_word(text)
    except curate.BadTag as error:
        return str(error)
    return ""


def _no_file(text: str) -> str:
    """Why nothing can be written there; empty where it can."""
    path = Path(text.strip()).expanduser()
    if not text.strip() or path.is_dir():
        return "name a file"
    if path.exists():
        return f"{path} exists, and nothing is overwritten; choose another name"
    return "" if path.absolute().parent.is_dir() else f"there is no folder {path.absolute().parent}; create it first"
