"""Who sits here: the person of this user and guests at their tables, what they agreed to, and under which name.

Nobody is recorded unasked. Whoever was asked keeps their pseudonym; one who was not gets one for this machine only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from playpen_tui.settings import Settings
from playpen_tui.sitting import Setup
from playpen_tui.terminals import Guests
from store.people import CONSENT
from store.people import VERSION as CONSENT_VERSION
from store.people import Level as Answer

if TYPE_CHECKING:
    from store.log import Log
    from store.people import Person
    from store.records import Invitation


def question(language: str) -> tuple[str, list[tuple[Answer, str]]]:
    """The text about consent, and its answers as (level, label); the first is the default."""
    asked = CONSENT.get(language, CONSENT["en"])
    return asked.text, list(asked.answers.items())


class Persons:
    """The people of one workbench. `log` opens the log when somebody is looked for."""

    def __init__(self, settings: Settings, log: Callable[[], Awaitable[Log]]) -> None:
        self._settings = settings
        self._log = log
        self._person: str | None = None
        self._guests = Guests(settings)

    async def needs_consent(self, setup: Setup | None = None) -> bool:
        """Whether whoever sits here was never asked for this log, or under another text, or took it back.

        One who joins (`setup.join`) a table at which the person of this user sits already is somebody else.
        """
        known = await self._who(setup)
        return known is None or not known.may_record or known.consent_version != CONSENT_VERSION

    async def give_consent(self, level: Answer, setup: Setup | None = None) -> None:
        """Remember the answer, under the person's pseudonym of before or a new one."""
        log = await self._log()
        seat = await self._guest_seat(setup)
        known = await self._who(setup)
        if known is not None:
            known = await asyncio.to_thread(log.people.agree, known.id, level)
        else:
            known = await asyncio.to_thread(log.people.add, level)
        if seat is not None:
            self._guests.keep(seat.code, known.id)
        else:
            self._settings.keep(person=known.id)
            self._person = known.id

    async def _who(self, setup: Setup | None) -> Person | None:
        """Who was asked before: the person of this user, or the guest who came with this code."""
        log = await self._log()
        seat = await self._guest_seat(setup)
        name = self._settings.get("person") if seat is None else self._guests.get(seat.code)
        return await asyncio.to_thread(log.people.find, name)

    async def _guest_seat(self, setup: Setup | None) -> Invitation | None:
        """The seat that `setup` joins, if the person of this user sits at that table in another place."""
        if setup is None or setup.join is None:
            return None
        log = await self._log()
        seat = await asyncio.to_thread(log.queries.invitation, setup.join)
        if seat is None:
            return None
        there = await asyncio.to_thread(log.queries.others_at, seat)
        mine = {self._settings.get("person"), self._settings.get("unasked")}
        return seat if mine & set(there) else None

    async def person_of_user(self) -> str | None:
        """The pseudonym of whoever uses this terminal, where this log knows them; nobody is added."""
        log = await self._log()
        for key in ("person", "unasked"):
            known = await asyncio.to_thread(log.people.find, self._settings.get(key))
            if known is not None:
                return known.id
        return None

    async def pseudonym(self) -> str:
        """Who sits here: the person who was asked, else one of whom nobody asked anything (this machine only)."""
        if self._person is None and await self.known_person() is None:
            log = await self._log()
            added = await asyncio.to_thread(log.people.add)
            self._settings.keep(unasked=added.id)
            self._person = added.id
        assert self._person is not None
        return self._person

    async def known_person(self) -> str | None:
        """The same, where somebody has sat here before; nobody is made up."""
        if self._person is None:
            log = await self._log()
            for key in ("person", "unasked"):
                known = await asyncio.to_thread(log.people.find, self._settings.get(key))
                if known is not None and known.may_record:
                    self._person = known.id
                    break
        return self._person

    async def welcome(self, name: str) -> None:
        """Somebody who sits down as `human:NAME` is in the log under that name, on this machine only."""
        log = await self._log()
        if await asyncio.to_thread(log.people.find, name) is None:
            await asyncio.to_thread(log.people.add, "local", name)

    async def guest(self, setup: Setup) -> str:
        """The pseudonym of one who joins; one whom nobody asked gets a new one, for this machine only."""
        seat = await self._guest_seat(setup)
        if seat is None:
            return await self.pseudonym()
        known = await self._who(setup)
        if known is None or not known.may_record:
            log = await self._log()
            known = await asyncio.to_thread(log.people.add)
            self._guests.keep(seat.code, known.id)
        return known.id
