"""A list of episodes as somebody reads it: a query, pages of what fits, marks, and what can be undone. No screen.

Only pages that are looked at are fetched, by one thread with one connection, so that the memory stays small however
long the list is. What arrives while somebody reads does not move the lines: they are as they were when the list was
opened, until it is read again.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from store import curate
from store.browse import Browser, Found
from store.connection import explain
from store.curate import Change, SavedView
from store.dossier import Dossier, gather
from store.errors import LogError
from store.log import Log
from store.query import Query, Sort

PAGE = 100
"""Rows of a page."""
KEPT = 12
"""Pages that are kept."""
SORTS: tuple[Sort, ...] = ("newest", "oldest", "score", "-score", "plies", "-plies", "game")
"""Orders in the order in which a key goes through them."""
GIVEN = (
    SavedView("all", ""),
    SavedView("lost or broken off", "outcome:failure,aborted"),
    SavedView("with people", "speaker:human"),
    SavedView("unfinished", "outcome:unfinished"),
    SavedView("trash", "in:trash"),
)
"""Views that everybody has."""

T = TypeVar("T")


class Superseded(Exception):
    """Somebody asks for something else by now."""


class Browsing:
    """One list. `changed` is called whenever there is something new to draw."""

    def __init__(self, log: Log, changed: Callable[[], None] = lambda: None) -> None:
        self.log = log
        self.changed = changed
        self.query = Query()
        self.total: int | None = None
        """How many fit; None while they are counted."""
        self.news = 0
        """Episodes that came since the list was opened."""
        self.marked: dict[str, None] = {}
        """Episodes that were marked, in the order in which they were."""
        self.stale = False
        """Whether something was changed that the rows do not show yet."""
        self._horizon: int | None = None
        self._pages: dict[int, list[Found]] = {}
        self._wanted: dict[int, asyncio.Future[None]] = {}
        self._browser = Browser(log.reader)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="browse")
        self._connection: sqlite3.Connection | None = None
        self._generation = 0
        self._done: list[Change] = []

    def close(self) -> None:
        """Give up what is under way."""
        self._supersede()
        self._pool.shutdown(wait=False, cancel_futures=True)

    # the thread

    def _supersede(self) -> None:
        self._generation += 1
        if self._connection is not None:
            self._connection.interrupt()

    async def _ask(self, call: Callable[[], T]) -> T:
        """Run it in the thread. Raises LogError, or Superseded where another query was opened meanwhile."""
        generation = self._generation

        def work() -> T:
            if generation != self._generation:
                raise Superseded
            self._connection = self.log.reader()
            return call()

        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except sqlite3.Error as error:
            if generation != self._generation:
                raise Superseded from error
            raise explain(error, self.log.path) from error
        if generation != self._generation:
            raise Superseded
        return answer

    # reading

    async def open(self, query: Query) -> None:
        """Begin a list; returns when the first page is there and all are counted. Raises LogError, Superseded.

        The same list read again stays as it is until then, so that no key falls into a gap.
        """
        self._supersede()
        if query != self.query:
            self._empty()
        self.query, self.news, self.stale = query, 0, False
        self._horizon, first = await self._ask(lambda: self._first(query))
        self._empty()
        self._pages[0] = first
        if len(first) < PAGE:
            self.total = len(first)
        self.changed()
        if self.total is None:
            horizon = self._horizon
            self.total = await self._ask(lambda: self._browser.count(query, horizon=horizon))
            self.changed()

    def _empty(self) -> None:
        self.total, self._pages, self._wanted = None, {}, {}

    def _first(self, query: Query) -> tuple[int, list[Found]]:
        self._browser.forget()
        horizon = self._browser.horizon()
        return horizon, self._browser.page(query, PAGE, horizon=horizon)

    async def reload(self) -> None:
        """The same once more, with what has come."""
        await self.open(self.query)

    async def look(self) -> None:
        """See how many episodes came since."""
        if self._horizon is None:
            return
        horizon = self._horizon
        try:
            news = await self._ask(self._browser.horizon) - horizon
        except Superseded:
            return
        if news != self.news:
            self.news = news
            self.changed()

    @property
    def known(self) -> int:
        """How many rows one can go to by now."""
        return len(self._pages.get(0, ())) if self.total is None else self.total

    def peek(self, position: int) -> Found | None:
        """The row at a position, where it is here already."""
        number, at = divmod(position, PAGE)
        rows = self._pages.get(number, ())
        return rows[at] if 0 <= at < len(rows) else None

    def lacking(self, first: int, last: int) -> list[int]:
        """Pages that these rows need and that are neither here nor on their way."""
        numbers = range(max(0, first) // PAGE, max(0, min(last, self.known - 1)) // PAGE + 1)
        return [number for number in numbers if number not in self._pages and number not in self._wanted]

    async def fetch(self, number: int) -> None:
        """Fetch a page; those furthest from it are forgotten. Raises LogError."""
        if number in self._pages:
            return
        if (under_way := self._wanted.get(number)) is not None:
            await asyncio.wait([under_way])
            return
        wanted, pages = self._wanted, self._pages
        coming = wanted[number] = asyncio.get_running_loop().create_future()
        try:
            rows = await self._ask(lambda: self._page(number))
        except Superseded:
            return
        finally:
            wanted.pop(number, None)
            coming.set_result(None)
        if pages is not self._pages:  # the list was read again meanwhile
            return
        pages[number] = rows
        while len(self._pages) > KEPT:
            furthest = max((other for other in self._pages if other), key=lambda other: abs(other - number))
            del self._pages[furthest]
        self.changed()

    def _page(self, number: int) -> list[Found]:
        """Read a page from the nearest row that is known: a page here, the beginning, or the end."""
        start = number * PAGE
        above = [(start - (n + 1) * PAGE, rows[-1].key) for n, rows in self._pages.items() if rows and n < number]
        below = [((n - number - 1) * PAGE, rows[0].key) for n, rows in self._pages.items() if rows and n > number]
        ways = [(skip, "after", key) for skip, key in above] + [(skip, "before", key) for skip, key in below]
        ways.append((start, "after", ()))
        limit = PAGE
        if self.total is not None:
            limit = min(PAGE, self.total - start)
            ways.append((self.total - start - limit, "before", ()))
        skip, way, key = min(ways, key=lambda one: one[0])
        if way == "after":
            return self._browser.page(self.query, limit, after=key or None, skip=skip, horizon=self._horizon)
        return self._browser.page(self.query, limit, before=key, skip=skip, horizon=self._horizon)

    async def at(self, position: int) -> Found | None:
        """The row at a position, fetched where it is not here; None beyond the ends. Raises LogError."""
        if not 0 <= position < self.known:
            return None
        if self.peek(position) is None:
            await self.fetch(position // PAGE)
        return self.peek(position)

    async def find(self, id: str) -> int:
        """At which position an episode stands, or would. Raises LogError."""
        key = await self._ask(lambda: self._browser.key(self.query.sort, id))
        if key is None:
            return 0
        horizon = self._horizon
        return await self._ask(lambda: self._browser.position(self.query, key, horizon=horizon))

    async def dossier(self, id: str) -> Dossier:
        """Everything about one episode. Raises UnknownEpisode, LogError."""
        return await self._ask(lambda: gather(self.log, id))

    async def vocabulary(self) -> dict[str, list[str]]:
        """What the log has behind the keys of a query."""
        return await self._ask(self._browser.vocabulary)

    # marks

    def mark(self, id: str) -> bool:
        """Mark an episode, or take the mark off; returns whether it is marked."""
        if id in self.marked:
            del self.marked[id]
            return False
        self.marked[id] = None
        return True

    async def mark_all(self) -> int:
        """Mark all that fit, or, where all of them are marked, none; returns how many are marked."""
        ids = await self._ask(lambda: self._browser.ids(self.query, horizon=self._horizon))
        if ids and all(id in self.marked for id in ids):
            self.marked.clear()
        else:
            self.marked.update(dict.fromkeys(ids))
        return len(self.marked)

    # changing

    async def change(self, how: Callable[[Log], Change]) -> Change:
        """Tag, untag, trash or restore, to be undone later. Raises LogError."""
        change = await self._ask(lambda: how(self.log))
        if change.episodes:
            self._done.append(change)
        return change

    async def undo(self) -> Change | None:
        """Take the latest change back; None where there is none. Raises LogError."""
        if not self._done:
            return None
        change = self._done.pop()
        return await self._ask(lambda: curate.undo(self.log, change))

    async def tags(self, episodes: Iterable[str]) -> list[str]:
        """Tags that some of these episodes have. Raises LogError."""
        ids = list(episodes)
        return await self._ask(lambda: self._browser.tags_of(ids))

    async def views(self) -> list[SavedView]:
        """Views that were saved, and those that everybody has. Raises LogError."""
        saved = await self._ask(lambda: curate.saved_views(self.log))
        return [*saved, *GIVEN]

    async def save_view(self, name: str) -> SavedView:
        """Keep the present query under a name. Raises LogError."""
        if name in {view.name for view in GIVEN}:
            raise LogError(f"{name} is a view that everybody has; choose another name")
        return await self._ask(lambda: curate.save_view(self.log, name, str(self.query)))

    async def drop_view(self, name: str) -> None:
        """Forget a saved view. Raises LogError."""
        await self._ask(lambda: curate.drop_view(self.log, name))
