"""The spectators' screen: live runs, runs of other processes, replays; eyes, places, seats that change hands."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from games import catalog
from games.engine import Match
from players.plan import Plan
from players.ports import Place
from playpen_tui.app import PlaypenApp
from playpen_tui.messages import Look
from playpen_tui.screens.spectate import SpectateScreen
from playpen_tui.selfplay import Wish
from playpen_tui.stands import FollowStand, ReplayStand
from playpen_tui.transcript import Entry
from playpen_tui.watching import LINGER, Places, Watch, Watched
from playpen_tui.widgets.card import draw_card
from playpen_tui.widgets.composer import Composer
from playpen_tui.widgets.dialogue import WINDOW, Dialogue
from store.records import Progress

SIZES = pytest.mark.parametrize("size", [(120, 36), (80, 24)])


def live(*games, episodes=4, **more) -> Watch:
    return Watch(wish=Wish(Plan(games or ("taboo",), ("bot",), episodes=episodes, **more), concurrency=4))


async def look(stage, watch) -> None:
    stage.app.post_message(Look(watch))
    await stage.to("SpectateScreen")


class Slow:
    """Holds every reply of bots until it is let go."""

    def __init__(self, monkeypatch):
        from players.scripted import BotPlayer

        self.go = asyncio.Event()
        real = BotPlayer.speak

        async def speak(player, heard, ask):
            await self.go.wait()
            return await real(player, heard, ask)

        monkeypatch.setattr(BotPlayer, "speak", speak)


@pytest.fixture
def slow(monkeypatch):
    return Slow(monkeypatch)


@SIZES
async def test_a_run_of_this_process_is_watched_to_its_end(stage, size):
    async with stage.open(size=size):
        await look(stage, live("taboo", "wordle", "referencegame", "wordle_withclue"))
        await stage.sees("4 of 4 done", "Taboo", "Wordle", "✓ won")
        await stage.until(lambda: stage.app.live.finished, "the last beat")
        assert stage.bench.rows("SELECT count(*) FROM results") == [(4,)]
        stage.press("escape")
        await stage.to("HomeScreen")
        await stage.sees("Recent")


async def test_a_match_is_opened_by_its_number_and_closed_again(stage, slow):
    async with stage.open():
        await look(stage, live("taboo", "referencegame"))
        await stage.sees("1 Taboo", "2 Reference game", "0 of 4 done")
        stage.press("2")
        await stage.sees("esc all", "First")
        assert stage.screen._open is stage.screen._shown[1]
        stage.press("z")
        await stage.sees("1 Taboo")
        slow.go.set()
        await stage.sees("4 of 4 done")


async def test_eyes_see_what_that_seat_knows_and_no_more(stage, slow):
    async with stage.open():
        await look(stage, live("taboo", episodes=1))
        await stage.sees("eyes: game master", "without")
        word = stage.screen._shown[0].match.instance.target
        stage.press("v")
        await stage.sees("eyes: describer")
        stage.press("v")
        await stage.sees("eyes: guesser")
        await stage.settle()
        assert " ".join(word.upper()) not in stage.text and word.upper() not in stage.text
        stage.press("v")
        await stage.sees("eyes: both seats", " ".join(word.upper()))
        stage.press("v")
        await stage.sees("eyes: game master")
        slow.go.set()


async def test_the_picture_can_be_held_while_the_run_goes_on(stage, slow):
    async with stage.open():
        await look(stage, live("taboo", episodes=2))
        await stage.sees("0 of 2 done")
        stage.press("space")
        await stage.sees("held, 0 turns since")
        slow.go.set()
        await stage.until(lambda: stage.app.live.finished, "the run's end")
        await stage.settle()
        assert "0 of 2 done" in stage.text
        stage.press("space")
        await stage.sees("2 of 2 done")


async def test_a_match_is_held_and_stopped_and_stays_in_the_log(stage, slow):
    async with stage.open():
        await look(stage, live("taboo", episodes=2))
        await stage.sees("0 of 2 done")
        stage.press("1")
        await stage.sees("esc all")
        stage.press("p")
        await stage.sees("paused")
        lane = stage.screen._open.lane
        assert lane.state == "held"
        stage.press("p")
        await stage.until(lambda: lane.state == "playing", "going on")
        stage.press("x")
        await stage.sees("Stop this match?")
        stage.press("down", "enter")
        await stage.until(lambda: lane.state == "stopped", "stopped")
        slow.go.set()
        await stage.until(lambda: stage.app.live.finished, "the run's end")
        assert stage.bench.rows("SELECT count(*), (SELECT count(*) FROM results) FROM episodes") == [(2, 1)]


async def test_a_seat_is_taken_played_and_handed_back_and_the_log_says_so(stage, slow):
    async with stage.open():
        await look(stage, live("taboo", episodes=1))
        await stage.sees("without")
        stage.press("t")
        await stage.sees("Which seat?", "describer, where bot:competent sits")
        (match,) = stage.app.live.offered()
        assert match.lane.state == "held"  # it waits for whoever chooses, and goes on when they have
        stage.press("escape")
        await stage.until(lambda: match.lane.state == "playing", "going on")
        stage.press("t")
        await stage.sees("Which seat?")
        stage.press("enter")
        await stage.sees("Who takes describer?", "you, here and now")
        stage.press("enter")
        await stage.sees("eyes: describer", "only you see this", "describer you · to speak")
        await stage.until(lambda: stage.screen.query_one(Composer).display, "the writing line")
        target = stage.screen._open.match.instance.target
        stage.type(f"it is a {target}")
        await stage.sees("✗")
        stage.press("enter")
        await stage.settle()
        assert stage.screen._open.match.ply == 0  # what breaks a rule is not sent
        stage.press("ctrl+u")
        stage.type("nobody could guess this")
        stage.press("enter")
        await stage.until(lambda: stage.screen._open.match.ply == 1, "the clue")
        stage.press("f3")
        await stage.sees("leave everybody where they sit", "hand describer back")
        stage.press("down", "enter")
        await stage.settle()
        slow.go.set()
        await stage.until(lambda: stage.app.live.finished, "the run's end")
        speakers = [name for (name,) in stage.bench.rows("SELECT speaker FROM transcript ORDER BY ply")]
        person = stage.bench.rows("SELECT id FROM people")[0][0]
        assert speakers[:2] == ["human", "bot:competent"] and speakers.count("human") == 1
        assert stage.bench.rows("SELECT person_id FROM turns ORDER BY ply")[0] == (person,)


async def test_a_seat_given_to_another_player_is_played_by_it(stage, slow):
    async with stage.open():
        await look(stage, live("taboo", episodes=1))
        await stage.sees("without")
        stage.press("t")
        await stage.sees("Which seat?")
        stage.press("down", "enter")
        await stage.sees("Who takes guesser?", "bot:random")
        at = [spec for spec, _ in await stage.bench.partners() if spec != "human"].index("bot:random")
        stage.press(*["down"] * (at + 1), "enter")
        await stage.sees("guesser bot:random")
        slow.go.set()
        await stage.until(lambda: stage.app.live.finished, "the run's end")
        assert stage.bench.rows("SELECT DISTINCT speaker FROM transcript WHERE role = 'guesser'") == [("bot:random",)]


async def test_the_run_goes_on_while_one_is_elsewhere_and_home_leads_back(stage, slow):
    async with stage.open():
        await look(stage, live("taboo", episodes=3))
        await stage.sees("0 of 3 done")
        stage.press("escape")
        await stage.sees("Home brings you back")
        stage.press("enter")
        await stage.to("HomeScreen")
        await stage.sees("self-play", "0 of 3 · running")
        stage.press("1")
        await stage.to("SpectateScreen")
        assert stage.screen.stand is stage.app.live
        slow.go.set()
        await stage.sees("3 of 3 done")


async def test_a_replay_is_stepped_sped_up_and_bookmarked(stage):
    async with stage.open():
        await look(stage, live("wordle", episodes=1))
        await stage.until(lambda: stage.app.live and stage.app.live.finished, "the run's end")
        episode = stage.bench.rows("SELECT id FROM episodes")[0][0]
        await look(stage, Watch(episodes=(episode,)))
        await stage.until(lambda: isinstance(getattr(stage.screen, "stand", None), ReplayStand), "the replay")
        stand = stage.screen.stand
        (watched,) = stand.offered()
        await stage.until(lambda: bool(stage.screen._shown), "the match")
        stage.press("p")
        await stage.until(lambda: not watched.running, "a pause")
        stage.press("home")
        await stage.until(lambda: watched.match.ply == 0, "the start")
        stage.press("]", "]", "[")
        await stage.until(lambda: watched.match.ply == 1, "ply 1")
        stage.press("end")
        await stage.until(lambda: watched.match.over, "the end")
        await stage.sees("✓ won")
        stage.press("+", "+", "-")
        await stage.until(lambda: stand.speed == 2.0, "twice the pace")
        stage.press("b")
        await stage.until(lambda: watched.bookmarked, "the bookmark")
        assert stage.bench.rows("SELECT episode_id, tag FROM tags") == [(episode, "bookmark")]
        stage.press("b")
        await stage.until(lambda: not watched.bookmarked, "the bookmark gone")
        assert stage.bench.rows("SELECT * FROM tags") == []


async def test_a_run_of_another_process_is_followed_and_a_killed_one_is_said_to_be(stage):
    from players.base import Identity, PlayerError, Reply

    async with stage.open():
        log = await stage.bench.log()
        run = log.new_run("self_play", {})
        await log.beat(run, Progress("running", 5, 0, 0, 1, host="elsewhere", pid=1, seconds=1.0))
        game = catalog.get("taboo")
        match = Match.new(game, catalog.instances(game)[0], 1)
        who = Identity("bot", "bot:competent")
        episode = await log.recorder.begin(match, dict.fromkeys(game.roles, who), Place(run=run, slot=0))
        await look(stage, Watch(run=run))
        await stage.sees("0 of 5 done · 1 running", "1 Taboo")
        for key in "pxt":
            before = len(stage.app._notifications)
            stage.press(key)
            await stage.until(lambda n=before: len(stage.app._notifications) > n, "why not")
        assert stage.notes.split("\n") == ["another process plays this run"] * 3
        match = match.play("CLUE: zebra crossing")
        other = Identity("model", "other")
        await log.recorder.turn(episode, match, match.steps[-1], other, Reply("CLUE: zebra crossing", assisted=True))
        await stage.sees("zebra crossing", "describer other", "guesser bot:competent · to speak")
        await look(stage, Watch(run=run))
        await stage.sees("zebra crossing", "describer other assisted")  # also where that was said before one looked
        stand = stage.screen.stand
        assert isinstance(stand, FollowStand) and "resume" not in stand.abilities
        log.write(lambda db: db.execute("UPDATE progress SET beat_at = '2020-01-01T00:00:00.000Z'"))
        await stage.sees("0 of 5 done · killed", "r resume", "guesser bot:competent · stopped")
        assert "resume" in stand.abilities
        stage.press("p")
        await stage.until(lambda: "r goes on with it here" in stage.notes, "what can be done")
        await log.beat(run, Progress("running", 5, 0, 0, 1, host="elsewhere", pid=1, seconds=1.0))
        await stage.sees("0 of 5 done · 1 running", "guesser bot:competent · to speak")
        await log.recorder.failure(episode, 1, "guesser", who, PlayerError("timeout", "too late"))
        await stage.sees("too late")
        assert "waiting" not in stage.text and "to speak" not in stage.text


def said(match, guess):
    """A guess with a long reason."""
    return match.game.compose(match.state, "guesser", {"guess": guess, "explanation": "because " * 60})


async def test_a_reader_who_has_scrolled_up_is_not_moved(stage):
    game = catalog.get("wordle")
    steps = [Match.new(game, catalog.instances(game)[0], 1)]
    for guess in ("crane", "slate", "moist", "pudgy", "fleck"):
        steps.append(steps[-1].play(said(steps[-1], guess)))
    shown = Watched("x", steps[4], {"guesser": "somebody"}, steps=steps, running=False)
    stand = ReplayStand([shown])
    async with stage.open(size=(80, 24)):
        stage.app.push_screen(SpectateScreen(stage.bench, stand))
        await stage.to("SpectateScreen")
        await stage.until(lambda: bool(stage.screen._shown), "a match")
        stage.press("1")
        dialogue = stage.screen.query_one(Dialogue)
        await stage.until(lambda: dialogue.max_scroll_y > 10 and dialogue.scroll_y == dialogue.max_scroll_y, "the end")
        dialogue.scroll_home(animate=False)
        await stage.until(lambda: dialogue.scroll_y == 0, "the top")
        stand.step(shown, 1)
        await stage.until(lambda: len(stage.screen.query(".said")) == 5, "the new turn")
        await stage.settle()
        assert dialogue.scroll_y == 0


async def test_nothing_moves_in_a_held_picture_and_what_came_is_counted(stage):
    steps = [Match.new(catalog.get("wordle"), catalog.instances(catalog.get("wordle"))[0], 1)]
    for guess in ("crane", "slate", "moist"):
        steps.append(steps[-1].play(said(steps[-1], guess)))
    shown = [Watched(key, steps[1], {"guesser": "somebody"}, steps=steps, running=False) for key in "xy"]
    stand = ReplayStand(shown)
    async with stage.open():
        stage.app.push_screen(SpectateScreen(stage.bench, stand))
        await stage.sees("1 Wordle", "2 Wordle", "guess 2 of 6")
        stage.press("space")
        await stage.sees("held, 0 turns since")
        before = stage.text
        stand.step(shown[0], 1)
        stand.step(shown[1], 1)
        await stage.sees("held, 2 turns since")
        left = before.replace("held, 0 turns since", "held, 2 turns since")
        assert stage.text == left and "guess 3 of 6" not in stage.text
        stage.press("1")  # opened, it is still the moment that was held
        await stage.sees("esc all", "held, 2 turns since", "guess 2 of 6")
        assert "slate" not in stage.text
        stage.press("space")
        await stage.sees("guess 3 of 6", "slate")
        assert "held" not in stage.text


async def test_a_step_lets_the_picture_go(stage):
    steps = [Match.new(catalog.get("wordle"), catalog.instances(catalog.get("wordle"))[0], 1)]
    for guess in ("crane", "slate"):
        steps.append(steps[-1].play(said(steps[-1], guess)))
    shown = Watched("x", steps[0], {"guesser": "somebody"}, steps=steps, running=False)
    async with stage.open():
        stage.app.push_screen(SpectateScreen(stage.bench, ReplayStand([shown])))
        await stage.sees("guess 1 of 6", "paused · ply 0 of 2")
        stage.press("space")
        await stage.sees("held, 0")
        stage.press("]")
        await stage.sees("guess 2 of 6", "ply 1 of 2")
        assert "held" not in stage.text


@SIZES
async def test_both_seats_are_drawn_at_full_size_where_nothing_ticks(stage, size):
    """A paused replay, and a run that is watched through the file: nobody paints again until something happens."""
    game = catalog.get("taboo")
    match = Match.new(game, catalog.instances(game)[0], 1).play("CLUE: zebra crossing")
    shown = Watched("x", match, {"describer": "a", "guesser": "b"}, steps=[match], running=False)
    async with stage.open(size=size):
        stage.app.push_screen(SpectateScreen(stage.bench, ReplayStand([shown])))
        await stage.until(lambda: bool(getattr(stage.screen, "_open", None)), "the match")
        stage.press("v", "v", "v")
        await stage.sees("eyes: both seats")
        await stage.settle()
        heads = [line.split() for line in stage.text.split("\n")]
        assert ["describer", "guesser"] in heads and stage.text.count("zebra crossing") == 2, stage.text


async def test_ctrl_c_ends_a_run_in_two_steps(stage, slow):
    """As the help of `selfplay` says: the first lets what is under way end, the second stops at once."""
    async with stage.open():
        await look(stage, live("taboo", episodes=40))
        await stage.sees("0 of 40 done")
        scheduler = stage.app.live.played.scheduler
        stage.press("ctrl+c")
        await stage.until(lambda: scheduler.finishing, "the end of beginnings")
        await stage.until(lambda: "ctrl-c again stops at once" in stage.notes, "what a second one does")
        assert scheduler.tally.running == 4 and not stage.app.live.finished
        stage.press("ctrl+c")
        await stage.until(lambda: stage.app.live.finished, "the stop")
        assert stage.bench.rows("SELECT count(*), (SELECT count(*) FROM results) FROM episodes") == [(4, 0)]


async def test_after_the_first_ctrl_c_matches_end(stage, slow):
    async with stage.open():
        await look(stage, live("taboo", episodes=40))
        await stage.sees("0 of 40 done")
        stage.press("ctrl+c")
        await stage.until(lambda: stage.app.live.played.scheduler.finishing, "the end of beginnings")
        slow.go.set()
        await stage.until(lambda: stage.app.live.finished, "the end")
        assert stage.bench.rows("SELECT count(*) FROM results") == [(4,)]


async def test_whoever_writes_at_a_seat_sees_keys_that_work_there(stage, slow):
    async with stage.open():
        await look(stage, live("taboo", episodes=2))
        await stage.sees("1-8 open")
        stage.press("1")
        await stage.sees("esc all")
        stage.press("t")
        await stage.sees("Which seat?")
        stage.press("enter")
        await stage.sees("Who takes describer?")
        stage.press("enter")
        await stage.to("SpectateScreen")
        await stage.until(lambda: stage.screen.query_one(Composer).display, "the writing line")
        await stage.settle()
        foot = stage.text.split("\n")[-1]
        assert "esc all" in foot and "z all" not in foot and "t seat" not in foot, foot
        assert "F3 seat" in foot and "F7 pause" in foot, foot
        stage.press("escape")
        await stage.sees("1-8 open")
        stage.press("1")
        await stage.sees("F3 seat")
        stage.press("f3")
        await stage.sees("describer, where you sit")
        assert "you sits" not in stage.text
        slow.go.set()


async def test_keys_that_do_nothing_in_a_match_that_is_over_are_not_offered(stage, slow):
    async with stage.open():
        await look(stage, live("taboo", episodes=2))
        await stage.sees("1-8 open")
        stage.press("1")
        await stage.sees("p pause", "x stop", "t seat")
        stage.press("x")
        await stage.sees("Stop this match?")
        slow.go.set()
        await stage.until(lambda: stage.app.live.finished, "the end")
        await stage.to("SpectateScreen")
        await stage.until(lambda: "the match is over" in stage.notes, "why the question went away")
        await stage.until(lambda: "p pause" not in stage.text, "fewer keys")
        assert "x stop" not in stage.text and "t seat" not in stage.text and "b bookmark" in stage.text
        assert "waiting" not in stage.text
        stage.press("p")
        await stage.until(lambda: "this match is over" in stage.notes, "why not")


async def test_nobody_waits_in_a_match_that_has_failed_or_was_stopped(stage, slow, monkeypatch):
    from players.base import PlayerError
    from players.scripted import BotPlayer

    async def fail(player, heard, ask):
        await slow.go.wait()
        raise PlayerError("timeout", "nobody there")

    monkeypatch.setattr(BotPlayer, "speak", fail)
    async with stage.open():
        await look(stage, live("taboo", episodes=2))
        await stage.sees("0 of 2 done")
        first, second = stage.app.live.offered()
        first.doing.of("describer").doing = "writing"
        stage.app.live.stop(first)
        slow.go.set()
        await stage.until(lambda: stage.app.live.finished, "the end")
        await stage.sees("… stopped", "nobody there")
        assert {name: state.doing for name, state in first.doing.states.items()} == {
            "describer": "stopped",
            "guesser": "done",
        }
        assert {name: state.doing for name, state in second.doing.states.items()} == {
            "describer": "no reply",
            "guesser": "done",
        }


async def test_eyes_of_all_go_on_after_one_had_its_own(stage, slow):
    async with stage.open():
        await look(stage, live("taboo", episodes=2))
        await stage.sees("1-8 open", "eyes: game master")
        stage.press("1")
        await stage.sees("esc all")
        stage.press("v")
        await stage.sees("eyes: describer")
        stage.press("z")
        await stage.sees("1-8 open", "eyes: game master")
        for eyes in ("describer", "guesser", "both seats", "game master"):
            stage.press("v")
            await stage.sees(f"eyes: {eyes}")
        slow.go.set()


async def test_keys_that_mean_one_match_say_so_where_there_are_several(stage, slow):
    async with stage.open():
        await look(stage, live("taboo", episodes=2))
        await stage.sees("1-8 open")
        assert "bookmark" not in stage.text
        stage.press("b")
        await stage.until(lambda: "open a match first" in stage.notes, "the note")
        slow.go.set()


async def test_a_match_closed_while_it_is_painted_does_no_harm(stage, slow):
    async with stage.open():
        await look(stage, live("taboo", episodes=2))
        await stage.sees("1-8 open")
        screen = stage.screen
        for steps in range(12):  # however far the painting has come
            screen._zoom(screen._shown[steps % 2])
            painting = asyncio.ensure_future(screen._paint(True))
            for _ in range(steps):
                await asyncio.sleep(0)
            screen._zoom(None)
            await painting
        await stage.sees("1-8 open", "0 of 2 done")
        slow.go.set()


async def test_the_opened_match_says_how_the_run_goes(stage, slow):
    async with stage.open(size=(80, 24)):
        await look(stage, live("taboo", episodes=2))
        await stage.sees("0 of 2 done · 2 running · 0 failed")
        stage.press("1")
        await stage.sees("Taboo · ", "0 of 2 done · 2 running · 0 failed")
        slow.go.set()
        await stage.sees("2 of 2 done · 0 failed")


@pytest.fixture
def long_story():
    """Entries of a story of 70 turns, and what is new after so many of them."""
    return [Entry(ply, "guesser", f"word number {ply} " + "and so on " * 12) for ply in range(80)]


def shown_by(text: str) -> list[str]:
    """The lines without the scroll bar, whose thumb tells how much there is."""
    return [line[:78].rstrip() for line in text.split("\n")]


async def test_the_reader_of_a_long_dialogue_is_not_moved_by_the_turns_that_come(stage, long_story):
    match = Match.new(catalog.get("wordle"), catalog.instances(catalog.get("wordle"))[0], 1)
    shown = Watched("x", match, {}, steps=[match], running=False)
    async with stage.open(size=(80, 24)):
        stage.app.push_screen(SpectateScreen(stage.bench, ReplayStand([shown])))
        await stage.to("SpectateScreen")
        await stage.until(lambda: bool(stage.screen._open), "the match")
        stage.press("space")  # its own painting must not come between
        await stage.sees("held")
        dialogue, names = stage.screen.query_one(Dialogue), {"guesser": "somebody"}
        await dialogue.show(long_story[:WINDOW], names, frozenset(), "a story")
        await stage.until(lambda: dialogue.max_scroll_y > 50 and dialogue.scroll_y == dialogue.max_scroll_y, "the end")
        dialogue.scroll_to(y=40, animate=False)
        await stage.until(lambda: dialogue.scroll_y == 40, "further up")
        await stage.settle()
        before = shown_by(stage.text)
        for count in range(WINDOW + 1, 80):
            await dialogue.show(long_story[:count], names, frozenset(), "a story")
        ended = [replace(entry, extra="its reason") for entry in long_story[:79]]
        await dialogue.show([*ended, long_story[79]], {"guesser": "another"}, frozenset(), "a story")
        await stage.settle()
        assert dialogue.scroll_y == 40 and shown_by(stage.text) == before
        dialogue.scroll_end(animate=False)
        await stage.until(lambda: len(stage.screen.query(".said")) == WINDOW, "what had to wait")
        await stage.sees("20 older turns are in the log" if dialogue.scroll_y == 0 else "word number 79", "another")


async def test_turns_stand_there_once_however_fast_one_opens_and_closes(stage, long_story):
    match = Match.new(catalog.get("wordle"), catalog.instances(catalog.get("wordle"))[0], 1)
    shown = Watched("x", match, {}, steps=[match], running=False)
    async with stage.open():
        stage.app.push_screen(SpectateScreen(stage.bench, ReplayStand([shown])))
        await stage.until(lambda: bool(stage.screen._open), "the match")
        stage.press("space")
        await stage.sees("held")
        dialogue = stage.screen.query_one(Dialogue)
        for story in ("opened", "closed and opened"):
            both = (dialogue.show(long_story[:count], {}, frozenset(), story) for count in (4, 5))
            await asyncio.gather(*both)
            assert len(stage.screen.query(".said")) == 5


def test_a_card_keeps_the_latest_tiles_and_whole_pictures():
    game = catalog.get("wordle")
    match = Match.new(game, catalog.instances(game)[0], 1)
    for guess in ("crane", "slate", "moist", "pudgy", "fleck"):
        match = match.play(said(match, guess))
    drawn = draw_card(Watched("x", match, {"guesser": "somebody"}), 1, None, 37, 7).plain
    assert "F ○" in drawn and "P ○" in drawn and " C ○" not in drawn.split("F ○")[0]
    assert len(drawn.split("\n")) == 7
    grids = catalog.get("referencegame")
    instance = next(one for one in catalog.instances(grids) if one.name == "letter_grids-en-001")
    drawn = draw_card(Watched("y", Match.new(grids, instance, 1), {}), 1, None, 37, 10).plain
    assert "…" not in drawn.split("\n", 1)[1]


def test_a_card_does_not_say_twice_what_the_dialogue_says():
    game = catalog.get("taboo")
    match = Match.new(game, catalog.instances(game)[0], 1).play("CLUE: zebra crossing")
    for width, height in ((37, 9), (57, 10), (110, 30)):
        assert draw_card(Watched("x", match, {}), 1, None, width, height).plain.count("zebra") == 1


def test_a_failed_card_says_why_in_full_where_there_is_room():
    game = catalog.get("taboo")
    match = Match.new(game, catalog.instances(game)[0], 1)
    why = "smollm2 said nothing within 4 s and was not to be reached after that: give it longer, or resume"
    failed = Watched("x", match, {}, state="failed", error=why)
    roomy = draw_card(failed, 1, None, 57, 20).plain.split("\n")
    assert len(roomy) == 20 and " ".join(" ".join(roomy[-2:]).split()) == f"⊘ {why}"
    tight = draw_card(failed, 1, None, 37, 4).plain.split("\n")
    assert len(tight) == 4 and tight[-1].startswith("⊘ smollm2") and tight[-1].endswith("…")


def watched(key, ended=None) -> Watched:
    state = "done" if ended is not None else "playing"
    return Watched(key, match=None, names={}, state=state, ended_at=ended)  # type: ignore[arg-type]


def test_places_are_kept_while_a_match_goes_on_and_a_while_after():
    a, b, c, d = (watched(key) for key in "abcd")
    places = Places()
    assert places.fill(2, [a, b, c], 0.0) == [a, b]
    assert places.fill(2, [c, b, a], 1.0) == [a, b]  # the order of the offer moves nobody
    a.state, a.ended_at = "done", 1.0
    assert places.fill(2, [b, c, a], 1.0 + LINGER / 2) == [a, b]
    assert places.fill(2, [b, c, a], 1.0 + LINGER + 0.1) == [c, b]
    b.state, b.ended_at = "done", 5.0
    places.pinned.add("b")
    assert places.fill(2, [c, d, b], 100.0) == [c, b]  # somebody looks at it
    places.pinned.clear()
    assert places.fill(2, [c, d, b], 100.0) == [c, d]
    assert places.fill(2, [c, d], 200.0) == [c, d]
    for one in (c, d):
        one.state, one.ended_at = "done", 200.0
    assert places.fill(2, [c, d], 900.0) == [c, d]  # nobody waits for the places


async def test_leaving_says_how_the_run_stands_and_how_to_go_on(stage, slow):
    async with stage.open():
        assert await stage.app.settle() == []
        await look(stage, live("taboo", episodes=8))
        await stage.sees("0 of 8 done")
        run = stage.app.live.played.run_id
        slow.go.set()
        counts, command = await stage.app.settle()
        left = 8 - stage.app.live.played.scheduler.tally.done
        assert f"{8 - left} of 8 done" in counts and left
        assert command.startswith(
            f"{left} of 8 are not finished; go on with: playpen-tui selfplay --resume {run} --db "
        )


async def test_what_a_command_cannot_open_is_said_where_it_was_given(stage, tmp_path):
    """A seat for which nobody can be had: the app ends, and the command says why."""
    plan = Plan(("taboo",), (f"llamacpp:{tmp_path / 'none.gguf'}",), episodes=1)
    wish = Watch(wish=Wish(plan))
    app = PlaypenApp(stage.bench, watch=wish)
    async with app.run_test():
        async with asyncio.timeout(20):
            while app.is_running and app.unopened is None:
                await asyncio.sleep(0.01)
    assert "none.gguf" in str(app.unopened)
    assert stage.bench.rows("SELECT count(*) FROM runs") == [(0,)], "and no run is left behind"
