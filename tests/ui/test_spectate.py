"""The spectators' screen: live runs, runs of other processes, replays; eyes, places, seats that change hands."""

from __future__ import annotations

import asyncio

import pytest

from games import catalog
from games.engine import Match
from players.plan import Plan
from players.ports import Place
from playpen_tui.messages import Look
from playpen_tui.screens.spectate import SpectateScreen
from playpen_tui.selfplay import Wish
from playpen_tui.stands import FollowStand, ReplayStand
from playpen_tui.watching import LINGER, Places, Watch, Watched
from playpen_tui.widgets.composer import Composer
from playpen_tui.widgets.dialogue import Dialogue
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
        await stage.sees("4 of 4 done", "1 Taboo", "2 Wordle", "✓ won")
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
        await stage.sees("z all", "First")
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
        await stage.sees("picture held")
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
        await stage.sees("z all")
        stage.press("p")
        await stage.sees("held")
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
        stage.press("f6", "escape")
        stage.press("t")
        await stage.sees("hand describer back")
        stage.press("enter")
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
    from players.base import Identity, Reply

    async with stage.open():
        log = await stage.bench.log()
        run = log.new_run("self_play", {})
        await log.beat(run, Progress("running", 5, 0, 0, 1, host="elsewhere", pid=1, seconds=1.0))
        game = catalog.get("taboo")
        match = Match.new(game, catalog.instances(game)[0], 1)
        who = Identity("bot", "bot:competent")
        episode = await log.recorder.begin(match, dict.fromkeys(game.roles, who), Place(run=run, slot=0))
        await look(stage, Watch(run=run))
        await stage.sees("running · 0 of 5 done", "1 Taboo")
        match = match.play("CLUE: zebra crossing")
        other = Identity("model", "other")
        await log.recorder.turn(episode, match, match.steps[-1], other, Reply("CLUE: zebra crossing"))
        await stage.sees("zebra crossing", "describer other")
        stand = stage.screen.stand
        assert isinstance(stand, FollowStand) and "resume" not in stand.abilities
        log.write(lambda db: db.execute("UPDATE progress SET beat_at = '2020-01-01T00:00:00.000Z'"))
        await stage.sees("killed · 0 of 5 done")
        assert "resume" in stand.abilities


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
