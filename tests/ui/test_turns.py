"""Turns judged by keys, in the play screen, the stands and the episode page, and what training makes of it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from players.base import PlayerError
from players.plan import Plan
from playpen_tui.messages import Look, Read
from playpen_tui.selfplay import Wish, open_selfplay
from playpen_tui.watching import Watch
from playpen_tui.widgets.turns import TurnCursor
from store.filters import Filters
from training.build import build_labels, build_pairs
from training.pairs import Mining
from training.selection import Selection

SIZES = pytest.mark.parametrize("size", [(120, 36), (80, 24)])
LABELS = "SELECT json_extract(value, '$.label') FROM annotations WHERE kind = 'label' ORDER BY id"


@pytest.fixture
def taboo(taboo):
    """On an instance that may be trained on; the word is `fish`."""
    return lambda *args, **more: replace(taboo(*args, **more), instance="high-en-031")


def cursor(stage) -> TurnCursor:
    return stage.screen.query_one(TurnCursor)


async def on(stage, ply: int) -> None:
    """Wait for the cursor on this turn."""
    await stage.until(lambda: cursor(stage).at == ply, f"the cursor on turn {ply}")


async def marked(stage, ply: int, **what) -> None:
    """Wait until the mark at a turn says so."""

    def so() -> bool:
        mark = cursor(stage).marks.get(ply) if stage.screen.query(TurnCursor) else None
        return mark is not None and all(getattr(mark, name) == value for name, value in what.items())

    await stage.until(so, f"turn {ply} marked {what}")


async def log_of(stage):
    return await stage.bench.log()


async def pairs(stage):
    log = await log_of(stage)
    return build_pairs(log.reader(), Filters(), Mining(), judged="only").rows


def texts(stage) -> str:
    """The first episode of the log."""
    return stage.bench.rows("SELECT id FROM episodes ORDER BY id LIMIT 1")[0][0]


def scripted(*words: str):
    """What the model says, one after the other, whatever it is asked; the last again and again."""
    left = list(words)
    return lambda ask: left.pop(0) if len(left) > 1 else left[0]


async def played(stage, episodes=1, players=("bot",)) -> list[str]:
    run = await open_selfplay(stage.bench, Wish(Plan(("taboo",), players, episodes=episodes, seed=4)))
    await run.run()
    return [id for (id,) in stage.bench.rows("SELECT id FROM episodes ORDER BY id")]


# the play screen


@SIZES
async def test_a_turn_is_labelled_while_playing_and_the_label_taken_back(stage, taboo, size):
    stage.bench.say = scripted("GUESS: museum", "GUESS: school")
    async with stage.open(taboo(), size=size):
        await stage.my_turn()
        await stage.say("a house of paper")
        await stage.sees("museum")
        await stage.my_turn()
        stage.type("half a clue")
        await stage.until(lambda: stage.draft == "half a clue", "the draft")
        stage.press("f4")
        await on(stage, 1)
        stage.press("-")
        await marked(stage, 1, label="-")
        await stage.sees("− bad")
        stage.press("k")
        await on(stage, 0)
        stage.press("+")
        await marked(stage, 0, label="+")
        stage.press("+")
        await stage.until(lambda: 0 not in cursor(stage).marks, "the label taken back")
        stage.press("u")
        await marked(stage, 0, label="+")
        stage.press("escape")
        await stage.my_turn()
        assert stage.draft == "half a clue", "what was being written is still there"
    assert [label for (label,) in stage.bench.rows(LABELS)] == ["-", "+", None, "+"]
    assert stage.bench.rows("SELECT count(*) FROM candidates") == [(0,)]


async def test_a_label_becomes_a_row_for_kto_and_a_correction_one_for_dpo(stage, taboo):
    stage.bench.say = scripted("GUESS: museum", "GUESS: fish")
    async with stage.open(taboo()):
        await stage.my_turn()
        await stage.say("a house of paper")
        await stage.my_turn()
        stage.press("f4")
        await on(stage, 1)
        stage.press("e")
        await stage.to("CorrectDialog")
        await stage.sees("What should guesser have said?", "said: museum")
        assert stage.draft == "museum", "it is written from what was said, without tags"
        stage.press("ctrl+u")
        stage.line("archive")
        await stage.to("PlayScreen")
        await marked(stage, 1, edit="archive")
        await stage.sees("✎ corrected archive")
        stage.press("-", "k", "+")
        await marked(stage, 0, label="+")
        stage.press("escape")
        await stage.my_turn()
        await stage.say("you borrow there")
        await stage.over()
        (row,) = await pairs(stage)
        said = [message[3] for message in row.new]
        assert said == ["GUESS: archive", "GUESS: museum"] and row.why.startswith("corrected")
        log = await log_of(stage)
        built = build_labels(log.reader(), Filters(), Selection(), judged="only")
        assert sorted((row.role, row.label) for row in built.rows) == [("describer", True), ("guesser", False)]


async def test_a_correction_is_checked_by_the_game_and_esc_leaves_it(stage, taboo):
    stage.bench.say = scripted("GUESS: museum")
    async with stage.open(taboo()):
        await stage.my_turn()
        await stage.say("a house of paper")
        await stage.my_turn()
        stage.press("f4")
        await on(stage, 1)
        stage.press("k")
        await on(stage, 0)
        stage.press("e")
        await stage.to("CorrectDialog")
        stage.press("ctrl+u")
        stage.line("it is a fish")
        await stage.until(lambda: "fish" in stage.hint(), "what is wrong with it")
        assert stage.at == "CorrectDialog"
        stage.press("escape")
        await stage.to("PlayScreen")
    assert stage.bench.rows("SELECT count(*) FROM annotations") == [(0,)]


async def test_another_reply_is_compared_with_the_turn(stage, taboo):
    stage.bench.say = scripted("GUESS: museum", "GUESS: archive")
    async with stage.open(taboo()):
        await stage.my_turn()
        await stage.say("a house of paper")
        await stage.my_turn()
        stage.press("f4")
        await on(stage, 1)
        stage.press("r")
        await stage.to("ReplyDialog")
        await stage.sees("museum", "archive", "Which is better for guesser, turn 1?")
        asked = stage.text.partition("Which is better")[2]  # the board behind it has one of the two as well
        left = asked.index("archive") < asked.index("museum")
        stage.press("1" if left else "2")
        await stage.to("PlayScreen")
        await marked(stage, 1, lost=1)
        await stage.sees("≺ another is better")
        (row,) = await pairs(stage)
        assert [message[3] for message in row.new] == ["GUESS: archive", "GUESS: museum"]
    order, ms = stage.bench.rows("SELECT shown_order, ms FROM annotations WHERE kind = 'preference'")[0]
    assert len(json.loads(order)) == 2 and ms > 0
    sql = "SELECT text, turn_id IS NOT NULL, call_id IS NOT NULL FROM candidates ORDER BY text"
    assert stage.bench.rows(sql) == [("GUESS: archive", 0, 1), ("GUESS: museum", 1, 1)]
    assert stage.bench.rows("SELECT count(*) FROM calls WHERE turn_id IS NULL") == [(1,)], "every request is logged"


async def test_a_player_who_cannot_be_asked_again_is_a_sentence(stage, taboo):
    stage.bench.say = scripted("GUESS: museum")
    async with stage.open(taboo()):
        await stage.my_turn()
        await stage.say("a house of paper")
        await stage.my_turn()
        stage.press("f4")
        await on(stage, 1)
        stage.bench.fail = PlayerError("server", "the server is gone: start it again")
        stage.press("r")
        await stage.until(lambda: "the server is gone" in stage.notes, "the sentence")
        stage.bench.fail = None
        stage.press("r")
        await stage.until(lambda: "said the same three times" in stage.notes, "the sentence")
        assert stage.at == "PlayScreen"
    assert stage.bench.rows("SELECT count(*) FROM candidates") == [(0,)]


async def test_a_turn_of_a_person_asks_whom_to_ask(stage, taboo):
    stage.bench.say = scripted("GUESS: museum", "CLUE: one borrows there", "GUESS: museum")
    async with stage.open(taboo()):
        await stage.my_turn()
        await stage.say("a house of paper")
        await stage.my_turn()
        stage.press("f4")
        await on(stage, 1)
        stage.press("k")
        await on(stage, 0)
        stage.press("r")
        await stage.sees("Who is asked for another reply?")
        stage.press("enter")
        await stage.to("ReplyDialog")
        await stage.sees("one borrows there")
        stage.press("3")
        await stage.to("PlayScreen")
    sql = "SELECT json_extract(value, '$.verdict'), strength FROM annotations"
    assert stage.bench.rows(sql) == [("tie", 0)]


async def test_the_cursor_keeps_the_keys_while_the_game_goes_on(stage, taboo):
    stage.bench.say = scripted("GUESS: museum", "GUESS: school")
    stage.bench.hold = asyncio.Event()
    async with stage.open(taboo()):
        await stage.my_turn()
        await stage.say("a house of paper")
        stage.press("f4")
        await on(stage, 0)
        stage.bench.hold.set()
        await stage.sees("museum")
        await stage.settle()
        assert cursor(stage).at == 0 and cursor(stage).has_focus, "the writing line does not take the keys away"
        stage.press("+", "j")
        await on(stage, 1)
        await marked(stage, 0, label="+")
        stage.press("escape")
        await stage.my_turn()


async def test_turns_can_be_judged_at_the_end(stage, taboo):
    stage.bench.say = scripted("GUESS: fish")
    async with stage.open(taboo()):
        await stage.my_turn()
        await stage.say("a house of paper")
        await stage.over()
        stage.press("f4")
        await on(stage, 1)
        stage.press("+")
        await marked(stage, 1, label="+")
        assert "good" in stage.words.split("fish", 1)[1].split("describer")[0]
        stage.press("escape")
        await stage.until(lambda: stage.screen.query_one("#end").has_focus, "the end card has the keys again")


async def test_what_is_not_recorded_cannot_be_judged(stage, taboo):
    stage.bench.say = scripted("GUESS: museum")
    async with stage.open(taboo(record=False)):
        await stage.my_turn()
        await stage.say("a house of paper")
        await stage.my_turn()
        stage.press("f4")
        await on(stage, 1)
        stage.press("+")
        await stage.until(lambda: "not recorded" in stage.notes, "the sentence")
        stage.press("f5")
        await stage.until(lambda: "would be lost" in stage.notes, "the sentence")


async def test_the_other_seats_secrets_stay_secret(stage, taboo):
    """Whoever guesses corrects a clue without learning from the check what the word is."""
    stage.bench.say = scripted("CLUE: a house of paper")
    async with stage.open(taboo("guesser")):
        await stage.my_turn()
        stage.press("f4")
        await on(stage, 0)
        stage.press("e")
        await stage.to("CorrectDialog")
        stage.press("ctrl+u")
        stage.line("is it a fish")
        await stage.to("PlayScreen")
        await marked(stage, 0, edit="is it a fish")
        stage.bench.say = scripted("CLUE: the fish itself")
        stage.press("r")
        await stage.to("ReplyDialog")
        await stage.sees("(it breaks a rule")
        assert "itself" not in stage.text
        stage.press("escape")
        await stage.to("PlayScreen")


# choosing what goes on


@SIZES
async def test_the_reply_that_is_chosen_is_the_move(stage, taboo, size):
    stage.bench.say = scripted("GUESS: museum", "GUESS: archive", "GUESS: school")
    async with stage.open(taboo(), size=size):
        await stage.my_turn()
        stage.press("f5")
        await stage.until(lambda: stage.sitting.chooser.mode == "next", "the next reply chosen")
        stage.line("a house of paper")
        await stage.to("ReplyDialog")
        await stage.sees("guesser: which goes on?", "museum", "archive", "goes on")
        asked = stage.text.partition("which goes on?")[2]
        left = asked.index("archive") < asked.index("museum")
        stage.press("1" if left else "2")
        await stage.my_turn()
        await stage.sees("archive")
        assert stage.match.texts == ["CLUE: a house of paper", "GUESS: archive"]
        await marked(stage, 1, won=1)
        await stage.sees("≻ better than another")
        assert stage.sitting.chooser.mode == "off"
        (row,) = await pairs(stage)
        assert [message[3] for message in row.new] == ["GUESS: archive", "GUESS: museum"]
        await stage.say("one borrows there")
        await stage.sees("school")
    sql = "SELECT text, turn_id IS NOT NULL, call_id IS NOT NULL FROM candidates ORDER BY text"
    assert stage.bench.rows(sql) == [("GUESS: archive", 1, 1), ("GUESS: museum", 0, 1)]
    assert stage.bench.rows("SELECT blind, strength FROM annotations") == [(1, 1)]


async def test_words_of_ones_own_go_on_in_place_of_a_reply(stage, taboo):
    stage.bench.say = scripted("GUESS: museum", "GUESS: archive", "GUESS: school")
    async with stage.open(taboo()):
        await stage.my_turn()
        stage.press("f5")
        await stage.until(lambda: stage.sitting.chooser.mode == "next", "the next reply chosen")
        stage.line("a house of paper")
        await stage.to("ReplyDialog")
        stage.press("e")
        await stage.to("CorrectDialog")
        stage.press("escape")
        await stage.to("ReplyDialog")
        stage.press("e")
        await stage.to("CorrectDialog")
        stage.press("ctrl+u")
        stage.line("bookshop")
        await stage.my_turn()
        assert stage.match.texts[-1] == "GUESS: bookshop"
        await stage.until(lambda: not stage.screen.remarks.pending, "the choice tied to its turn")
        (row,) = await pairs(stage)
        assert row.new[0][3] == "GUESS: bookshop"
    sql = "SELECT p.kind, t.person_id IS NOT NULL FROM turns t JOIN players p ON p.id = t.player_id WHERE t.ply = 1"
    assert stage.bench.rows(sql) == [("human", 1)]
    sql = "SELECT DISTINCT p.name FROM calls c JOIN players p ON p.id = c.player_id"
    assert stage.bench.rows(sql) == [("scripted",)]


async def test_esc_lets_the_first_go_on(stage, taboo):
    stage.bench.say = scripted("GUESS: museum", "GUESS: archive")
    async with stage.open(taboo()):
        await stage.my_turn()
        stage.press("f5")
        await stage.until(lambda: stage.sitting.chooser.mode == "next", "the next reply chosen")
        stage.line("a house of paper")
        await stage.to("ReplyDialog")
        stage.press("escape")
        await stage.my_turn()
        assert stage.match.texts[-1] == "GUESS: museum"
    assert stage.bench.rows("SELECT count(*) FROM annotations") == [(0,)]
    assert stage.bench.rows("SELECT text FROM calls ORDER BY id") == [("GUESS: archive",), ("GUESS: museum",)]


async def test_esc_while_the_second_is_made_lets_the_first_go_on(stage, taboo):
    asked = []

    def say(ask):
        asked.append(ask)
        if len(asked) == 2:
            stage.bench.models[-1].hold = asyncio.Event()
        return f"GUESS: {['museum', 'archive', 'school'][len(asked) - 1]}"

    stage.bench.say = say
    async with stage.open(taboo()):
        await stage.my_turn()
        stage.press("f5")
        await stage.until(lambda: stage.sitting.chooser.mode == "next", "the next reply chosen")
        stage.line("a house of paper")
        await stage.until(lambda: stage.sitting.chooser.waiting, "the second reply under way")
        assert "museum" not in stage.text, "the first is not shown before the second"
        await stage.sees("esc stop")
        stage.press("escape")
        await stage.my_turn()
        assert stage.match.texts[-1] == "GUESS: museum"
    assert [finish for (finish,) in stage.bench.rows("SELECT finish FROM calls ORDER BY id")] == ["cancelled", "stop"]


async def test_whoever_leaves_with_a_choice_open_loses_nothing(stage, taboo):
    from playpen_tui.messages import Go

    stage.bench.say = scripted("GUESS: museum", "GUESS: archive")
    async with stage.open(taboo()):
        await stage.my_turn()
        stage.press("f5")
        await stage.until(lambda: stage.sitting.chooser.mode == "next", "the next reply chosen")
        stage.line("a house of paper")
        await stage.to("ReplyDialog")
        stage.app.post_message(Go("home"))
        await stage.to("HomeScreen")
        await stage.until(lambda: stage.bench.rows("SELECT count(*) FROM calls") == [(2,)], "both requests in the log")
    assert stage.bench.rows("SELECT count(*) FROM annotations") == [(0,)]


# the stands


@SIZES
async def test_turns_of_a_replay_are_judged_and_its_own_keys_stay(stage, size):
    async with stage.open(size=size):
        (episode,) = await played(stage)
        stage.app.post_message(Look(Watch(episodes=(episode,))))
        await stage.to("SpectateScreen")
        stage.press("end")
        last = len(stage.screen.stand.offered()[0].steps) - 2
        await stage.until(lambda: last in cursor(stage).turns(), "all turns")
        stage.press("+")
        await stage.until(lambda: stage.screen.stand.speed == 2, "twice the pace: no turn is under the cursor")
        stage.press("j")
        await on(stage, last)
        stage.press("+")
        await marked(stage, last, label="+")
        stage.press("up", "-")
        await marked(stage, last - 1, label="-")
        assert stage.screen.stand.speed == 2
        stage.press("escape")
        await stage.until(lambda: cursor(stage).at is None, "the cursor off")
        stage.press("-")
        await stage.until(lambda: stage.screen.stand.speed == 1, "half the pace")
    assert [label for (label,) in stage.bench.rows(LABELS)] == ["+", "-"]


async def test_in_a_run_of_this_process_a_reply_is_chosen(stage):
    words = iter(["CLUE: one", "CLUE: two", "GUESS: house", "CLUE: three"])
    async with stage.open():
        from playpen_tui.stands import LiveStand

        run = await open_selfplay(stage.bench, Wish(Plan(("taboo",), ("bot",), episodes=1, seed=4)))
        stand = LiveStand(run, stage.bench)
        from players import scripted as bots

        hold = asyncio.Event()
        real = bots.BotPlayer.speak
        count = []

        async def speak(player, heard, ask):
            await hold.wait()
            count.append(ask)
            reply = await real(player, heard, ask)
            return reply if len(count) != 2 else type(reply)(next(words))

        bots.BotPlayer.speak = speak
        try:
            from playpen_tui.screens.spectate import SpectateScreen

            stage.app.live = stand
            going = asyncio.ensure_future(stand.follow())
            await stage.app.push_screen(SpectateScreen(stage.bench, stand))
            await stage.until(lambda: stand.offered(), "the match")
            await stage.settle()
            stage.press("c")
            await stage.until(lambda: stand.chooser(stand.offered()[0]) is not None, "somebody chooses")
            lane = stand.offered()[0].lane
            lane.hold()
            hold.set()
            await stage.until(lambda: lane.match.ply == 1, "the first turn, asked before")
            lane.go_on()
            await stage.until(lambda: lane.over or stage.at == "ReplyDialog", "the choice, or the end")
            if stage.at == "ReplyDialog":
                stage.press("1")
            await stage.until(lambda: stand.finished, "the end")
            await going
        finally:
            bots.BotPlayer.speak = real


# the page of an episode


@SIZES
async def test_turns_are_judged_where_they_are_read(stage, size):
    async with stage.open(size=size):
        (episode,) = await played(stage)
        stage.app.post_message(Read(episode))
        await stage.to("EpisodeScreen")
        await stage.sees("game master")
        stage.press("j")
        last = stage.bench.rows("SELECT max(ply) FROM turns")[0][0]
        await on(stage, last)
        await stage.sees("▸")
        stage.press("+")
        await marked(stage, last, label="+")
        stage.press("k", "-")
        await marked(stage, last - 1, label="-")
        stage.press("e")
        await stage.to("CorrectDialog")
        stage.press("ctrl+u")
        stage.line("something else")
        await stage.to("EpisodeScreen")
        await marked(stage, last - 1, edit="something else")
        stage.press("v")
        await stage.until(lambda: cursor(stage).at is None, "other eyes, no cursor")
        stage.press("escape")
        await stage.until(lambda: stage.at != "EpisodeScreen", "closed")
    kinds = stage.bench.rows("SELECT kind, count(*) FROM annotations GROUP BY kind ORDER BY kind")
    assert kinds == [("edit", 1), ("label", 2)]


async def test_marks_are_there_when_one_comes_back(stage):
    async with stage.open():
        (episode,) = await played(stage)
        stage.app.post_message(Read(episode))
        await stage.to("EpisodeScreen")
        await stage.until(lambda: cursor(stage).turns(), "the turns")
        stage.press("j", "+")
        await stage.until(lambda: cursor(stage).marks, "the mark")
        stage.press("escape", "escape")
        await stage.to("HomeScreen")
        stage.app.post_message(Read(episode))
        await stage.to("EpisodeScreen")
        await stage.until(lambda: cursor(stage).marks, "the mark")
        stage.press("end")
        await stage.sees("+ good")


async def test_nobody_judges_before_they_were_asked_for_consent(stage):
    async with stage.open(consent=None):
        (episode,) = await played(stage)
        stage.app.post_message(Read(episode))
        await stage.to("EpisodeScreen")
        await stage.until(lambda: cursor(stage).turns(), "the turns")
        stage.press("j", "+")
        await stage.sees("How may your games be used?")
        stage.press("escape")
        await stage.to("EpisodeScreen")
        assert stage.bench.rows("SELECT count(*) FROM annotations") == [(0,)]
        stage.press("+")
        await stage.sees("How may your games be used?")
        stage.press("enter")
        await stage.until(lambda: stage.at == "EpisodeScreen" and cursor(stage).marks, "the mark")
    ((person, consent),) = stage.bench.rows(
        "SELECT p.id, p.consent FROM annotations a JOIN people p ON p.id = a.annotator_id"
    )
    assert consent == "local" and person == stage.bench.settings.get("person")
