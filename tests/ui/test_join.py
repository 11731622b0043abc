"""Two terminals at one table, in one process: who opens a seat, who joins it, and what each is told of the other."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from players.elsewhere import OPEN
from playpen_tui import sitting, terminals
from playpen_tui.screens import play
from playpen_tui.sitting import Setup

TABLE = Setup("taboo", {"describer": "human", "guesser": OPEN}, instance="high-en-004", seed=1)


@pytest.fixture
def guest(stage, tmp_path, monkeypatch):
    """The stage of somebody else, with a home of their own, over the same file."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "guest" / "config"))
    return type(stage)(type(stage.bench)(stage.bench.path))


@pytest.fixture
def brisk(monkeypatch):
    """Signs come quickly, and are missed soon."""
    monkeypatch.setattr(terminals, "EVERY", 0.05)
    monkeypatch.setattr(terminals, "AWAY", 0.8)
    monkeypatch.setattr(sitting, "LOOK", 0.05)
    monkeypatch.setattr(play, "LOOK", 0.05)


@asynccontextmanager
async def seated(host, guest, setup=TABLE, size=(120, 36)):
    """Both at the table; gives the code."""
    async with host.open(setup, size=size):
        await host.until(lambda: host.at == "PlayScreen" and host.sitting.open_seats, "the open seat")
        (code,) = host.sitting.open_seats.values()
        async with guest.open(Setup("", join=code), size=size):
            await guest.to("PlayScreen")
            await host.sees("at another terminal")
            yield code


async def one_clue(host, guest, clue="a house full of paper"):
    """The describer has spoken, the guesser may write."""
    await host.my_turn()
    await host.say(clue)
    await guest.my_turn()


async def give(host, spec, role="guesser"):
    """Give a seat to another player in mid-game, by its dialog."""
    host.press("f3")
    await host.to("SeatsDialog")
    host.screen.query_one("#seats-which").highlighted = list(host.sitting.setup.seats).index(role)
    host.screen.query_one("#seats-spec").focus()
    host.line(spec)
    await host.until(lambda: host.sitting.setup.seats[role] == spec, f"{spec} as {role}")


async def test_an_open_seat_says_how_it_is_joined_and_the_game_is_played_to_its_end(stage, guest):
    async with stage.open(TABLE, size=(80, 24)):
        await stage.sees("Nobody has taken the seat of the guesser yet", "guesser nobody yet")
        (code,) = stage.sitting.open_seats.values()
        await stage.sees(f"playpen-tui join {code} --db ~/episodes.sqlite")
        async with guest.open(Setup("", join=code.lower())):
            await guest.sees(f"seat {code}", "describer at another terminal")
            await stage.until(lambda: "Nobody has taken" not in stage.text, "the card gone")
            assert "L I B R A R Y" in stage.text and "L I B R A R Y" not in guest.text
            await one_clue(stage, guest)
            await guest.sees("a house full of paper")
            await guest.say("museum")
            await stage.sees("guesser museum", "round 2 of 3")
            await one_clue(stage, guest, "you borrow there")
            await guest.say("library")
            await stage.over()
            await guest.over()
            for one in (stage, guest):
                assert "✓ won" in one.text and "guessed in 2 of 3" in one.text and code + " " not in one.words[-200:]
            await guest.sees("g another game")
            assert "a again" not in guest.text and "n next" not in guest.text
    turns = stage.bench.rows("select role, person_id from turns order by ply")
    (host_person,), (guest_person,) = ({person for role, person in turns if role == name} for name, _ in turns[:2])
    assert host_person and guest_person and host_person != guest_person
    assert [role for role, _ in turns] == ["describer", "guesser"] * 2
    assert stage.bench.rows("select count(*) from results") == [(1,)]


async def test_guesser_and_critic_play_wordle_from_two_terminals(stage, guest):
    table = Setup("wordle_withcritic", {"guesser": OPEN, "critic": "human"}, instance="high-en-001", seed=1)
    async with seated(stage, guest, table):
        for word, verdict in (("crane", "y"), ("agree", "n")):
            await guest.my_turn("guesser")
            await guest.say(word)
            await stage.my_turn("critic")
            stage.press(verdict, "enter")
            if not guest.match.over:
                await guest.my_turn("guesser")
                await guest.say(word)
        await stage.until(lambda: stage.match.ply == guest.match.ply, "both at the same ply")
    roles = [role for (role,) in stage.bench.rows("select role from turns order by ply")]
    assert roles[:4] == ["guesser", "critic", "guesser", "guesser"] or set(roles) == {"guesser", "critic"}


async def test_a_guest_is_asked_for_consent_and_who_declines_gets_no_seat(stage, guest):
    async with stage.open(TABLE):
        await stage.until(lambda: stage.at == "PlayScreen" and stage.sitting.open_seats, "the open seat")
        (code,) = stage.sitting.open_seats.values()
        async with guest.open(Setup("", join=code), consent=None):
            await guest.to("Choose")
            await guest.sees("You appear under a random pseudonym")
            guest.press("end", "enter")
            await guest.sees("without consent it cannot be taken")
            assert guest.at == "HomeScreen"
        async with guest.open(Setup("", join=code), consent=None):
            await guest.to("Choose")
            guest.press("down", "enter")
            await guest.to("PlayScreen")
    assert [level for (level,) in stage.bench.rows("select consent from people order by rowid")] == [
        "local",
        "research",
    ]


async def test_codes_that_lead_nowhere_are_refused_in_a_sentence(stage, guest):
    async with stage.open(TABLE):
        await stage.my_turn()
        (code,) = stage.sitting.open_seats.values()
        async with guest.open(Setup("", join="AAA-BBB")):
            await guest.until(lambda: "no seat was opened under 'AAA-BBB'" in guest.notes, "the sentence")
            assert guest.at == "HomeScreen"
        again = Setup("taboo", {"describer": "human", "guesser": f"human@{code}"}, seed=2)
        async with guest.open(again):
            await guest.until(lambda: f"the code {code} was used already" in guest.notes, "the sentence")
        await give(stage, "bot")
        async with guest.open(Setup("", join=code)):
            await guest.until(lambda: f"the seat {code} was closed" in guest.notes, "the sentence")
        await stage.say("place from which you borrow novels and where you must whisper")
        await stage.over()
        async with guest.open(Setup("", join=code)):
            await guest.until(lambda: f"the game behind {code} is over (success)" in guest.notes, "the sentence")


@pytest.mark.usefixtures("brisk")
async def test_a_guest_who_goes_is_missed_and_finds_the_game_again(stage, guest):
    async with seated(stage, guest) as code:
        await one_clue(stage, guest)
        guest.press("escape")
        await guest.to("HomeScreen")
        await stage.sees("The guesser has been away for", "the seat waits", f"join {code}", "guesser away")
    async with stage.open(Setup("", resume=stage.app.last.episode)), guest.open(Setup("", join=code)):
        await guest.my_turn()
        await stage.until(lambda: "the seat waits" not in stage.text, "the card gone")
        await guest.sees("a house full of paper")
        await guest.say("library")
        await stage.over()
    assert stage.bench.rows("select count(distinct person_id) from turns") == [(2,)]


@pytest.mark.usefixtures("brisk")
async def test_a_guest_is_told_that_the_host_has_gone_and_what_they_say_is_there_when_it_comes_back(stage, guest):
    async with stage.open(TABLE):
        await stage.my_turn()
        (code,) = stage.sitting.open_seats.values()
        async with guest.open(Setup("", join=code)):
            await guest.to("PlayScreen")
            await one_clue(stage, guest)
            await guest.until(lambda: "Whoever opened" not in guest.text, "the host at its table")
            stage.press("escape")
            await stage.to("HomeScreen")
            episode = stage.app.last.episode
            await guest.sees("Whoever opened this table has left it", f"playpen-tui play --resume {episode}")
            await guest.sees("describer away")
            await guest.say("museum")
            stage.press("1")
            await stage.my_turn("describer")
            await stage.sees("guesser museum", "round 2 of 3")
            await guest.until(lambda: "Whoever opened" not in guest.text, "the card gone")
            await one_clue(stage, guest, "you borrow there")
            await guest.say("library")
            await stage.over()


@pytest.mark.usefixtures("brisk")
async def test_a_seat_given_away_while_the_guest_writes_and_handed_back_is_in_the_log_turn_by_turn(stage, guest):
    stage.bench.hold = asyncio.Event()
    stage.bench.say = lambda ask: "GUESS: archive"
    async with seated(stage, guest) as code:
        await one_clue(stage, guest)
        guest.type("libr")
        await guest.until(lambda: guest.draft == "libr", "the draft")
        await give(stage, "scripted")
        await guest.sees("Your seat was given to another player; you look on. Not said: libr")
        assert not guest.screen.query_one("#composer").display and guest.sitting.waiting_for is None
        guest.type("ary")
        guest.press("enter")
        await guest.settle()
        stage.bench.hold.set()
        await guest.sees("archive", "guesser scripted")
        await stage.my_turn("describer")
        stage.press("f3")
        await stage.to("SeatsDialog")
        stage.screen.query_one("#seats-which").highlighted = 1
        await stage.sees("back to whoever joined", f"at another terminal, with the code {code}")
        stage.press("enter")
        await stage.to("PlayScreen")
        await guest.until(lambda: "handed back to you; up brings back" in guest.notes, "the word of it")
        assert "given to another" not in guest.text
        await one_clue(stage, guest, "you borrow there")
        guest.press("up")
        await guest.until(lambda: guest.draft == "libr", "the draft back")
        guest.type("ary")
        guest.press("enter")
        await guest.over()
        await stage.over()
    turns = stage.bench.rows(
        "select t.role, p.name, t.person_id is not null, t.text from turns t join players p on p.id = t.player_id "
        "order by ply"
    )
    assert turns == [
        ("describer", "human", 1, "CLUE: a house full of paper"),
        ("guesser", "scripted", 0, "GUESS: archive"),
        ("describer", "human", 1, "CLUE: you borrow there"),
        ("guesser", "human", 1, "GUESS: library"),
    ]
    assert stage.bench.rows("select code, closed_at from invitations") == [(code, None)]


async def test_what_is_said_after_the_seat_was_closed_is_not_heard(stage, guest, monkeypatch):
    monkeypatch.setattr(terminals, "EVERY", 3600.0)
    stage.bench.hold = asyncio.Event()
    stage.bench.say = lambda ask: "GUESS: library"
    async with seated(stage, guest):
        await one_clue(stage, guest)
        await give(stage, "scripted")
        guest.line("library")
        await guest.sees("Your seat was given to another player; you look on. Not said: library")
        stage.bench.hold.set()
        await stage.over()
    assert stage.bench.rows("select person_id from turns where role = 'guesser'") == [(None,)]


@pytest.mark.usefixtures("brisk")
async def test_a_seat_that_is_joined_twice_says_so_to_both_and_the_first_word_counts(
    stage, guest, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "third" / "config"))
    third = type(stage)(type(stage.bench)(stage.bench.path))
    async with seated(stage, guest) as code:
        await one_clue(stage, guest)
        async with third.open(Setup("", join=code)):
            await third.my_turn()
            for one in (guest, third):
                await one.sees("Your seat was joined from another terminal, too: what is said first counts")
            guest.type("libr")
            await guest.until(lambda: guest.draft == "libr", "the draft")
            await third.say("library")
            await guest.until(lambda: "another terminal spoke first; not said: libr" in guest.notes, "the word of it")
            await guest.over()
            await guest.sees("guesser library")
            await third.sees("you library")
            await stage.over()
    assert stage.bench.rows("select count(*) from turns") == [(2,)]


@pytest.mark.usefixtures("brisk")
async def test_a_seat_opened_in_mid_game_gets_a_code(stage, guest, taboo):
    stage.bench.say = lambda ask: "GUESS: museum"
    async with stage.open(taboo()):
        await stage.my_turn()
        await stage.say("a house full of paper")
        await stage.my_turn()
        stage.press("f3")
        await stage.to("SeatsDialog")
        stage.screen.query_one("#seats-which").highlighted = 1
        await stage.sees("somebody", "at another terminal: the seat gets a code to join with")
        stage.screen.query_one("#seats-spec").focus()
        stage.line("human@")
        await stage.sees("Nobody has taken the seat of the guesser yet")
        (code,) = stage.sitting.open_seats.values()
        async with guest.open(Setup("", join=code)):
            await guest.sees("a house full of paper", "museum")
            await one_clue(stage, guest, "you borrow there")
            await guest.say("library")
            await stage.over()
            await guest.over()
    names = "select p.name from turns t join players p on p.id = t.player_id where role = 'guesser' order by ply"
    assert stage.bench.rows(names) == [("scripted",), ("human",)]
