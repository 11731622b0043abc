"""What ties a sitting to other terminals: signs of who is there, the guests of a user, the commands to type."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import pytest

from games import catalog
from games.engine import Match
from players.base import Identity
from players.elsewhere import OPEN
from players.ports import Place
from playpen_tui import terminals
from playpen_tui.settings import Settings
from playpen_tui.sitting import BadSetup, Setup
from playpen_tui.terminals import Guests, Host, OpenSeat, Shared, home_path, span
from playpen_tui.workbench import UnknownCode, Workbench
from store.errors import Taken
from store.follow import Follower
from store.log import Log

TABLE = Setup("taboo", {"describer": "human", "guesser": OPEN}, instance="high-en-004", seed=1)


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(terminals, "EVERY", 0.01)
    return tmp_path / "log.sqlite"


@pytest.fixture
async def shared(path):
    """The table of a host, with one seat open: (what the host holds, what the guest holds)."""
    log = Log.open(path)
    game = catalog.get("taboo")
    match = Match.new(game, catalog.instance(game, "high-en-004"), 1)
    run = log.new_run("play", {})
    nobody = Identity("replay", OPEN)
    episode = await log.recorder.begin(match, {"describer": nobody, "guesser": nobody}, Place(run=run))
    code = await log.invite(episode, "guesser")
    watch = Follower(path)
    yield Shared(log, watch, episode, game), Shared(log, watch, episode, game, code)
    await watch.close()
    log.close()


async def until(true) -> None:
    async with asyncio.timeout(20):
        while not await true():
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def running(work):
    task = asyncio.ensure_future(work)
    yield task
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled()


async def test_signs_of_a_guest_are_seen_at_the_table_until_the_seat_is_closed(shared):
    host, guest = shared
    (seat,) = await host.seats()
    assert (seat.code, seat.silent, seat.there, seat.who) == (guest.code, None, False, "nobody yet")
    assert seat.words == "nobody has taken the seat of the guesser yet" and await guest.still_mine()
    signs = []

    async def there() -> bool:
        return (await host.seats())[0].there

    async def closed() -> bool:
        return bool(signs) and not signs[-1].open

    async with running(guest.attend(signs.append)):
        await until(there)
        assert signs[-1].open and not signs[-1].other
        await host.log.withdraw(guest.code)
        await until(closed)
        assert await host.seats() == [] and not await guest.still_mine()


async def test_a_guest_learns_that_the_host_is_there_has_left_and_that_the_game_is_over(shared):
    host, guest = shared
    assert await guest.host() == Host() and (await guest.host()).words == ""
    over = False

    async def beaten() -> bool:
        found = await guest.host()
        return found.silent is not None and found.there

    async def left() -> bool:
        return (await guest.host()).left

    async with running(host.preside(lambda: over)):
        await until(beaten)
    await until(left)
    assert "has left it" in (await guest.host()).words
    over = True
    async with running(host.preside(lambda: over)):
        await until(beaten)
    run = host.log.queries.run_of(host.episode)
    assert host.log.queries.progress(run).state == "done"


async def test_an_episode_without_a_run_has_no_host_to_tell_of(shared):
    host, guest = shared
    seats = {role: Identity("replay", OPEN) for role in host.game.roles}
    lone = await host.log.recorder.begin(await host.match(), seats, Place())
    alone = Shared(host.log, host.watch, lone, host.game)
    await asyncio.wait_for(alone.preside(lambda: False), 5)
    assert await alone.host() == Host() and guest.code


def test_seats_and_hosts_in_words():
    assert OpenSeat("critic", "A", 3.0).words == "the critic sits at another terminal"
    assert OpenSeat("critic", "A", 190.0).words == "the critic has been away for 3 min; the seat waits"
    assert OpenSeat("critic", "A", 190.0).who == "away"
    assert Host(3.0).there and not Host(3.0).words and not Host(90.0).there
    assert Host(90.0).words.startswith("Whoever opened this table has been away for 2 min; what you say is kept")
    assert [span(seconds) for seconds in (0.4, 59, 60, 3600 * 5)] == ["0 s", "59 s", "1 min", "5 h"]


async def test_the_commands_can_be_pasted_from_any_folder(shared, path):
    host, guest = shared
    assert host.command(guest.code) == f"playpen-tui join {guest.code} --db ~/log.sqlite"
    assert guest.resume == f"playpen-tui play --resume {host.episode} --db ~/log.sqlite"
    assert home_path(path.parent / "my log.sqlite") == "~/'my log.sqlite'"
    assert home_path(path.parent.parent / "x y") == f"'{path.parent.parent}/x y'"


def test_the_last_guests_are_remembered_and_older_ones_forgotten(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    guests = Guests(Settings())
    for number in range(terminals.LAST_GUESTS + 2):
        guests.keep(f"C{number}", f"otter-{number}")
    guests.keep("C5", "quiet-heron")
    again = Guests(Settings())
    assert (
        again.get("C5") == "quiet-heron" and again.get("C0") == again.get("C1") == "" and again.get("C2") == "otter-2"
    )


async def test_a_table_is_laid_joined_and_its_seat_opened_again(path, tmp_path, monkeypatch):
    async with Workbench(path) as host:
        await host.people.give_consent("local")
        table = await host.deal(TABLE)
        code = table.open_seats["guesser"]
        assert table.setup.seats["guesser"] == f"human@{code}" and table.elsewhere("guesser")
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "guest"))
        async with Workbench(path) as guest:
            setup = await guest.complete(Setup("", join=code.lower()))
            assert setup.seats == {"describer": OPEN, "guesser": "human"} and await guest.people.needs_consent(setup)
            seat = await guest.deal(setup)
            assert seat.elsewhere("describer") and list(seat.humans) == ["guesser"] and not seat.open_seats
            assert seat.command() == f"playpen-tui join {code}"
            with pytest.raises(BadSetup, match="seats are changed at the terminal that opened the table"):
                await guest.reseat(seat, "guesser", "bot")
            await host.reseat(table, "guesser", "bot")
            with pytest.raises(BadSetup, match=f"the seat {code} was closed"):
                await guest.complete(Setup("", join=code))
            await host.reseat(table, "guesser", f"human@{code}")
            assert (await guest.complete(Setup("", join=code))).join == code
            with pytest.raises(BadSetup, match=f"guesser is open to another terminal already: {code}"):
                await host.reseat(table, "guesser", OPEN)
            with pytest.raises(Taken, match="is used already"):
                await host.reseat(table, "describer", f"human@{code}")
            assert table.setup.seats["describer"] == "human", "everybody sits where they sat"


async def test_two_people_of_one_user_are_two_people_in_the_log(path):
    async with Workbench(path) as host:
        await host.people.give_consent("local")
        table = await host.deal(TABLE)
        code = table.open_seats["guesser"]
        async with Workbench(path) as guest:
            setup = await guest.complete(Setup("", join=code))
            assert await guest.people.needs_consent(setup), "whoever joins is somebody else, and was not asked yet"
            await guest.people.give_consent("research", setup)
            assert not await guest.people.needs_consent(setup)
            seat = await guest.deal(setup)
            (here,), (there,) = ([p.identity.person for p in s.humans.values()] for s in (table, seat))
            assert here and there and here != there


async def test_what_cannot_be_joined_is_said_in_a_sentence(path):
    async with Workbench(path.parent / "nowhere.sqlite") as bench:
        with pytest.raises(UnknownCode, match=r"there is no log at .*: name the file of the other terminal with --db"):
            await bench.complete(Setup("", join="AAA-BBB"))
    async with Workbench(path) as bench:
        await bench.log()
        with pytest.raises(UnknownCode, match="no seat was opened under 'AAA-BBB'"):
            await bench.complete(Setup("", join="AAA-BBB"))
        with pytest.raises(BadSetup, match="needs a game that is recorded"):
            await bench.deal(Setup("taboo", {"describer": "human", "guesser": OPEN}, record=False))
    assert UnknownCode.exit_code == 2


def test_silence_is_counted_from_now():
    moment = datetime.now(UTC) - timedelta(seconds=30)
    assert 29 < (terminals._since(moment.isoformat()) or 0) < 60
    assert terminals._since(None) is None


async def test_each_open_table_has_a_run_of_its_own(path):
    """Two tables of one process in one run would say of the one that was left that somebody is there."""
    async with Workbench(path) as bench:
        await bench.people.give_consent("local")
        runs = [(await bench.deal(setup)).place.run for setup in (TABLE, TABLE, Setup("taboo", record=True))]
        assert len(set(runs[:2])) == 2 and runs[2] == runs[1]
