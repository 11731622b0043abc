"""At the table beyond the moves: what models are doing, stop and retry, errors, drafts, watching, sizes, leaving."""

from __future__ import annotations

import asyncio

import pytest

from players.base import PlayerError, Restart, Thinking
from playpen_tui.sitting import Setup
from playpen_tui.widgets.dialogue import Dialogue
from playpen_tui.widgets.endcard import EndCard
from playpen_tui.widgets.page import draw
from playpen_tui.widgets.seats import Seats
from store.render import Piece

MODEL = "scripted"
TAGS = ("clue:", "guess:", "expression:", "answer:", "explanation:", "agreement:")


async def test_esc_stops_a_model_and_ctrl_r_asks_it_again(stage, taboo):
    stage.bench.hold = asyncio.Event()
    stage.bench.say = lambda ask: "GUESS: library"
    async with stage.open(taboo()):
        await stage.my_turn()
        await stage.say("a house of paper")
        await stage.until(lambda: stage.screen.query_one(Seats).busy, "the model at work")
        await stage.sees("esc stop")
        assert "esc leave" not in stage.text
        stage.press("escape")
        await stage.sees("you stopped scripted", "ctrl+r ask again", "stopped")
        await stage.until(lambda: stage.bench.rows("select count(*) from calls") == [(1,)], "the call logged")
        assert stage.bench.rows("select finish, text, turn_id from calls") == [("cancelled", "GUESS: libra", None)]
        assert stage.bench.rows("select count(*) from turns") == [(1,)]
        assert "libra" not in stage.text
        stage.bench.hold.set()
        stage.press("ctrl+r")
        await stage.over()
        assert "guessed in 1 of 3" in stage.text and "you stopped" not in stage.text
    assert stage.bench.rows("select finish from calls order by id") == [("cancelled",), ("stop",)]
    assert stage.bench.rows("select count(*) from turns") == [(2,)]


async def test_a_player_that_fails_says_why_and_can_be_asked_again(stage, taboo):
    stage.bench.fail = PlayerError("rate_limited", "scripted is asked too often: wait a minute, then ask again")
    async with stage.open(taboo()):
        await stage.my_turn()
        await stage.say("a house of paper")
        await stage.sees("⊘ scripted is asked too often: wait a minute, then ask again", "no reply", "ctrl+r ask again")
        assert stage.match.ply == 1
        stage.press("ctrl+r")
        await stage.until(lambda: stage.match.ply >= 2, "the reply")
        await stage.until(lambda: "asked too often" not in stage.text, "the trouble gone")


async def test_a_reply_without_a_word_is_told_as_such(stage, taboo):
    stage.bench.say = lambda ask: " "
    async with stage.open(taboo()):
        await stage.my_turn()
        await stage.say("a house of paper")
        await stage.over()
        await stage.sees("not a word", "⊘")


async def test_ctrl_r_does_nothing_while_all_is_well(stage, taboo):
    async with stage.open(taboo()):
        await stage.my_turn()
        stage.press("ctrl+r")
        await stage.settle()
        assert "ask again" not in stage.text and stage.match.ply == 0
        await stage.say("a house of paper")


async def test_esc_clears_a_draft_up_brings_it_back_and_esc_again_leaves(stage, taboo):
    async with stage.open(taboo()):
        await stage.my_turn()
        stage.type("a house of pa")
        await stage.until(lambda: stage.draft, "the draft")
        stage.press("escape")
        await stage.until(lambda: not stage.draft and stage.at == "PlayScreen", "the draft cleared")
        assert "up brings it back" in stage.notes
        stage.press("up")
        await stage.until(lambda: stage.draft == "a house of pa", "the draft back")
        stage.type("per")
        await stage.until(lambda: stage.draft == "a house of paper", "more of it")
        stage.press("escape")
        await stage.until(lambda: not stage.draft, "the draft cleared again")
        stage.press("escape")
        await stage.to("HomeScreen")
        await stage.sees("Go on", "taboo · you · scripted · turn 1")
        assert stage.app.last.command() == f"playpen-tui play --resume {stage.app.last.episode}"


async def test_scrolling_and_back_leaves_the_draft_alone(stage, taboo):
    async with stage.open(taboo()):
        await stage.my_turn()
        stage.type("a house")
        await stage.until(lambda: stage.draft == "a house", "the draft")
        stage.press("f6")
        await stage.until(lambda: isinstance(stage.screen.focused, Dialogue), "the dialogue in focus")
        stage.press("f6")
        await stage.my_turn()
        stage.type(" of paper")
        await stage.until(lambda: stage.draft == "a house of paper", "the draft continued")


async def test_what_each_seat_does_is_said_in_words(stage, taboo):
    stage.bench.hold = asyncio.Event()
    async with stage.open(taboo()):
        await stage.my_turn()
        await stage.sees("describer you · to speak", "guesser scripted assisted · waiting")
        await stage.say("a house of paper")
        await stage.sees("scripted assisted · writing", "describer you · waiting")
        seats = stage.screen.query_one(Seats)
        clock = [100.0]
        seats._doing.clock = lambda: clock[0]
        for event, words in (
            (Restart("guesser", "not a word"), "thinking 0.0 s, once more"),
            (Thinking("guesser", "retry 2 in 1.0 s: rate limited"), "thinking 3.2 s, retry 2 in 1.0 s: rate limited"),
        ):
            seats.hear(event)
            await stage.sees(words)
            clock[0] += 3.2
        stage.bench.hold.set()
        await stage.until(lambda: stage.match.ply >= 2, "the reply")
        await stage.sees("50 tok/s")


async def test_nobody_waits_when_it_is_over(stage, taboo):
    async with stage.open(taboo()):
        await stage.my_turn("describer")
        stage.line(stage.good()["clue"])
        await stage.over()
        await stage.sees("describer you · done")
        assert "waiting" not in stage.text


def test_a_reply_without_a_word_is_named_on_the_page_of_an_episode():
    pieces = [Piece("said", "guesser", " ", 1), Piece("bad", "⊘", "empty", 1), Piece("told", "game", "", 2)]
    assert draw(pieces, 60).plain.split("\n")[0].split() == ["guesser", "not", "a", "word"]


@pytest.mark.parametrize(
    ("game", "roles"),
    [("taboo", "describer guesser"), ("referencegame", "describer guesser"), ("wordle_withcritic", "guesser critic")],
)
async def test_watching_two_models_no_protocol_tag_is_ever_streamed(stage, monkeypatch, game, roles):
    streamed: list[str] = []
    stream = Dialogue.stream

    def overheard(dialogue, role, text, note="") -> None:
        streamed.append(text)
        stream(dialogue, role, text, note)

    monkeypatch.setattr(Dialogue, "stream", overheard)
    stage.bench.pace = 2
    async with stage.open(Setup(game, dict.fromkeys(roles.split(), MODEL), seed=3)):
        await stage.until(lambda: hasattr(stage.screen, "sitting") and stage.match.ply >= 2, "two turns", 20)
        shown = stage.text.lower()
    assert len(streamed) > 20 and streamed[0] == "…"
    for text in (*(text.lower() for text in streamed), shown):
        assert not [tag for tag in TAGS if tag in text], text


async def test_the_game_master_sees_the_card_while_two_models_play(stage):
    stage.bench.hold = asyncio.Event()
    setup = Setup("taboo", {"describer": MODEL, "guesser": MODEL}, instance="high-en-004", seed=1)
    async with stage.open(setup):
        await stage.to("PlayScreen")
        await stage.sees("L I B R A R Y", "The word", "writing")
        assert "only you see this" not in stage.text
        assert not stage.screen.query("#composer").first().display
        stage.bench.hold.set()
        await stage.over()


async def test_what_is_streamed_is_shown_without_its_tag_while_it_comes(stage, taboo):
    stage.bench.hold = asyncio.Event()
    stage.bench.say = lambda ask: "CLUE: paper to borrow"
    async with stage.open(taboo("guesser")):
        await stage.sees("scripted  paper▏")
        assert "CLUE" not in stage.text
        stage.bench.hold.set()
        await stage.my_turn("guesser")
        assert "paper to borrow" in stage.text and "CLUE" not in stage.text


async def test_a_seat_whose_words_stay_hidden_is_not_streamed(stage):
    """With three parties at hand nobody but the addressee reads along: here the critic's view of a fresh proposal."""
    stage.bench.hold = asyncio.Event()
    setup = Setup("wordle_withcritic", {"guesser": MODEL, "critic": "human"}, instance="high-en-001", seed=1)
    async with stage.open(setup):
        await stage.sees("writing")
        assert "agree" not in stage.text.lower().replace("share the same opinion", "")
        stage.bench.hold.set()
        await stage.my_turn("critic")


@pytest.mark.parametrize(
    ("key", "arrives", "same"),
    [
        ("a", "PlayScreen", True),
        ("n", "PlayScreen", False),
        ("enter", "PlayScreen", False),
        ("g", "PickScreen", None),
        ("h", "HomeScreen", None),
        ("escape", "HomeScreen", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_the_keys_of_the_end_card(stage, key, arrives, same):
    async with stage.open(Setup("wordle", {"guesser": "human"}, instance="high-en-001", seed=1)):
        await stage.my_turn()
        await stage.say("agree")
        await stage.over()
        first = stage.sitting
        stage.press(key)
        await stage.until(lambda: stage.at == arrives and not stage.screen.query("#end.on"), arrives)
        if same is not None:
            await stage.my_turn()
            assert stage.sitting.episode != first.episode
            assert (stage.match.instance.name == "high-en-001") == same


async def test_swapping_exchanges_the_seats_over_a_word_that_nobody_has_seen(stage, taboo):
    async with stage.open(taboo()):
        await stage.my_turn("describer")
        stage.line(stage.good()["clue"])
        await stage.over()
        stage.press("w")
        await stage.my_turn("guesser")
        assert stage.match.instance.name != "high-en-004"
        assert stage.sitting.setup.seats == {"describer": MODEL, "guesser": "human"}


async def test_alone_there_is_nobody_to_swap_with(stage):
    async with stage.open(Setup("wordle", {"guesser": "human"}, instance="high-en-001", seed=1)):
        await stage.my_turn()
        await stage.say("agree")
        await stage.over()
        assert "swap" not in stage.text
        stage.press("w")
        await stage.settle()
        assert stage.screen.query_one(EndCard).has_class("on")
        assert stage.app.last.command() == "playpen-tui play wordle --seat guesser=human"


async def test_resizing_keeps_draft_board_and_dialogue(stage, taboo):
    async with stage.open(taboo("guesser")):
        await stage.my_turn("guesser")
        clue = stage.match.state.clues[0]
        stage.type("libr")
        await stage.until(lambda: stage.draft == "libr", "the draft")
        for size in ((80, 24), (120, 36), (60, 18), (120, 36)):
            await stage.pilot.resize_terminal(*size)
            await stage.sees("round 1 of 3", "guess ▸ libr", "enter send", "describer scripted assisted")
            assert all(word in stage.text for word in clue.split()), stage.text
            assert max(map(len, stage.text.splitlines())) <= size[0]
        stage.line("ary")
        await stage.over()


async def test_help_opens_with_a_question_mark_only_on_an_empty_line(stage, taboo):
    async with stage.open(taboo()):
        await stage.my_turn()
        stage.type("is it?")
        await stage.until(lambda: stage.draft == "is it?", "the question mark in the line")
        assert stage.at == "PlayScreen"
        stage.press("escape")
        await stage.until(lambda: not stage.draft, "the line empty")
        stage.press("?")
        await stage.to("TextDialog")
        await stage.sees("Help", "ctrl+r", "Ask again whose turn it is", "When the game is over")
        stage.press("?")
        await stage.settle()
        stage.press("escape")
        await stage.my_turn()


async def test_the_rules_are_one_key_away_and_speak_of_no_tag(stage, taboo):
    async with stage.open(taboo()):
        await stage.my_turn()
        stage.type("half a cl")
        stage.press("f2")
        await stage.to("TextDialog")
        await stage.sees("Taboo", "must not say the word", "esc close")
        assert "CLUE" not in stage.text
        stage.press("escape")
        await stage.my_turn()
        assert stage.draft == "half a cl"


async def test_the_palette_offers_and_runs_what_can_be_done(stage, taboo):
    async with stage.open(taboo()):
        await stage.my_turn()
        stage.press("ctrl+p")
        await stage.to("CommandPalette")
        stage.type("rules")
        await stage.sees("The rules of this game")
        stage.press("enter")
        await stage.settle()
        stage.press("enter")
        await stage.to("TextDialog")
        await stage.sees("The describer must not say the word")


async def test_copying_puts_the_dialogue_on_the_clipboard_as_text(stage, taboo):
    async with stage.open(taboo("guesser")):
        await stage.my_turn("guesser")
        stage.press("ctrl+y")
        await stage.until(lambda: stage.notes.endswith("copied 1 line"), "a note")
        assert stage.app.clipboard == f"scripted: {stage.match.state.clues[0]}"


async def test_leaving_in_the_middle_prints_the_command_that_goes_on(stage, taboo):
    async with stage.open(taboo()):
        await stage.my_turn()
        await stage.say("a house of paper")
        stage.press("ctrl+q")
        await stage.until(lambda: stage.app.return_code is not None or not stage.app.is_running, "the app gone")
    last = stage.app.last
    assert last.command("my log.sqlite") == f"playpen-tui play --resume {last.episode} --db 'my log.sqlite'"


async def test_the_dialogue_follows_the_newest_until_somebody_scrolls_away(stage, monkeypatch):
    async with stage.open(Setup("wordle", {"guesser": "human"}, instance="high-en-001", seed=1), size=(80, 10)):
        await stage.my_turn()
        dialogue = stage.screen.query_one(Dialogue)
        for word in ("crane", "argue"):
            await stage.say(word)
            await stage.my_turn()
        await stage.until(lambda: dialogue.max_scroll_y > 0, "more than fits")
        await stage.until(lambda: dialogue.scroll_y == dialogue.max_scroll_y, "the end in sight")
        dialogue.scroll_home(animate=False)
        await stage.until(lambda: dialogue.scroll_y == 0, "the beginning in sight")
        await stage.say("arise")
        await stage.my_turn()
        assert dialogue.scroll_y == 0
        dialogue.scroll_end(animate=False)
        await stage.until(lambda: dialogue.scroll_y == dialogue.max_scroll_y, "the end in sight again")
        await stage.say("eager")
        await stage.my_turn()
        await stage.until(lambda: dialogue.scroll_y == dialogue.max_scroll_y, "following again")
        await stage.pilot.resize_terminal(70, 10)
        await stage.until(lambda: dialogue.scroll_y == dialogue.max_scroll_y, "still at the end in another size")
