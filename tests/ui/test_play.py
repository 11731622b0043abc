"""Playing by keys, game by game: both roles, what breaks a rule, hints while writing, and what the log then holds."""

from __future__ import annotations

from playpen_tui.sitting import Setup
from playpen_tui.widgets.composer import Options

MODEL = "scripted"
TARGET, FORBIDDEN = "library", "read"


async def test_a_describer_plays_taboo_to_the_end(stage, taboo):
    async with stage.open(taboo()):
        await stage.my_turn("describer")
        await stage.sees("L I B R A R Y", "only you see this", "round 1 of 3")
        clue = stage.good()["clue"]
        stage.line(clue)
        await stage.over()
        assert "✓ won" in stage.text and "guessed in 1 of 3" in stage.text and "score 100 of 100" in stage.text
        assert clue in stage.text and "CLUE:" not in stage.text and "GUESS:" not in stage.text
    turns = stage.bench.rows("select role, text, verdict, assisted from turns order by ply")
    assert turns == [("describer", f"CLUE: {clue}", "ok", 0), ("guesser", f"GUESS: {TARGET}", "ok", 1)]
    assert stage.bench.rows("select outcome, main from results") == [("success", 100.0)]
    assert stage.bench.rows("select tokens_in, tokens_out, finish from calls") == [(40, 6, "stop")]


async def test_a_guesser_never_sees_the_card_before_the_end(stage, taboo):
    async with stage.open(taboo("guesser")):
        for number in (1, 2):
            await stage.my_turn("guesser")
            await stage.sees(f"round {number} of 3")
            assert "only you see this" not in stage.text
            assert "L I B R A R Y" not in stage.text and TARGET not in stage.text
            await stage.say("banana" if number == 1 else TARGET)
        await stage.over()
        assert "guessed in 2 of 3" in stage.text and "score 50 of 100" in stage.text
        assert "L I B R A R Y" in stage.text
    assert [text for (text,) in stage.bench.rows("select text from turns where role = 'guesser' order by ply")] == [
        "GUESS: banana",
        f"GUESS: {TARGET}",
    ]


async def test_three_wrong_guesses_lose_and_name_the_word(stage, taboo):
    async with stage.open(taboo("guesser")):
        for word in ("apple", "banana", "cherry"):
            await stage.my_turn("guesser")
            await stage.say(word)
        await stage.over()
        assert "✗ lost" in stage.text and f"the word was {TARGET}" in stage.text and "score 0 of 100" in stage.text


async def test_a_forbidden_word_is_pointed_out_while_writing_and_never_sent(stage, taboo):
    async with stage.open(taboo()):
        await stage.my_turn()
        stage.type(f"where one {FORBIDDEN}s")
        await stage.sees(f'✗ "{FORBIDDEN}s" is a form of the forbidden word "{FORBIDDEN}"')
        stage.press("enter")
        await stage.settle()
        assert stage.match.ply == 0 and stage.draft == f"where one {FORBIDDEN}s"
        stage.press(*["backspace"] * 5)
        await stage.until(lambda: "✗" not in stage.text, "the complaint gone")
        await stage.say("paper to borrow")
    assert stage.bench.rows("select text from turns where ply = 0") == [("CLUE: where one paper to borrow",)]


async def test_a_guess_of_two_words_is_pointed_out(stage, taboo):
    async with stage.open(taboo("guesser")):
        await stage.my_turn("guesser")
        stage.type("reading room")
        await stage.sees("✗ a guess is one single word")


async def test_nothing_written_is_said_to_be_missing(stage, taboo):
    async with stage.open(taboo()):
        await stage.my_turn()
        stage.press("enter")
        await stage.sees("clue is still missing")
        assert stage.match.ply == 0


async def test_a_tag_typed_by_hand_is_not_doubled(stage, taboo):
    async with stage.open(taboo()):
        await stage.my_turn()
        await stage.say("CLUE: a house of paper")
        assert stage.match.steps[0].text == "CLUE: a house of paper"


async def test_wordle_counts_letters_refuses_unknown_words_and_shows_marks(stage):
    async with stage.open(Setup("wordle", {"guesser": "human"}, instance="high-en-001", seed=1)):
        await stage.my_turn()
        stage.type("cra")
        await stage.until(lambda: stage.hint() == "3 of 5 letters", "the count of letters")
        stage.type("zz")
        await stage.until(lambda: stage.hint().startswith("✗"), "a complaint about crazz")
        stage.press("enter")
        await stage.settle()
        assert stage.match.ply == 0 and stage.draft == "crazz"
        stage.press("backspace", "backspace")
        await stage.say("ne")
        await stage.my_turn()
        await stage.sees(" C ○ ", " R ◐ ", " A ◐ ", " N ○ ", " E ● ", "● here", "guess 2 of 6")
        stage.line("agree")
        await stage.over()
        assert " A ● " in stage.text and "found in 2 of 6" in stage.text
        assert "explanation:" not in stage.text.lower().replace("explanation ▸", "")
    assert stage.bench.rows("select outcome from results") == [("success",)]


async def test_a_wordle_explanation_is_optional_and_one_tab_away(stage):
    async with stage.open(Setup("wordle_withclue", {"guesser": "human"}, instance="high-en-001", seed=1)):
        await stage.my_turn()
        clue = stage.match.instance.clue
        assert clue in stage.text
        stage.type("agree")
        stage.press("tab")
        stage.line("it fits the clue")
        await stage.over()
        assert "it fits the clue" in stage.text
    assert stage.bench.rows("select text from turns") == [("explanation: it fits the clue\nguess: agree",)]


async def test_a_critic_answers_with_a_letter(stage):
    setup = Setup("wordle_withcritic", {"guesser": MODEL, "critic": "human"}, instance="high-en-001", seed=1)
    async with stage.open(setup):
        await stage.my_turn("critic")
        await stage.sees("1 yes", "2 no")
        stage.press("n", "tab")
        stage.line("another one")
        await stage.until(lambda: stage.match.ply >= 3, "the answer heard and the guess made")
        assert stage.match.steps[1].text == "explanation: another one\nagreement: no"


async def test_a_picture_is_chosen_by_number_letter_or_arrows(stage):
    seats = {"describer": MODEL, "guesser": "human"}
    async with stage.open(Setup("referencegame", seats, instance="letter_grids-en-001", seed=1)):
        await stage.my_turn("guesser")
        await stage.sees("1 first", "2 second", "3 third", "press 1–3, then enter")
        chosen = stage.screen.query_one(Options)
        for keys in ("2", "s", ("right", "right"), ("left", "left"), ("1", "right"), ("t", "left")):
            stage.press(*keys)
            await stage.until(lambda: chosen.answer == "second", f"second chosen by {keys}")
            stage.press("escape")
            await stage.until(lambda: not chosen.answer, "the choice cleared")
        stage.press("3", "enter")
        await stage.over()
        assert stage.match.steps[1].text == "Answer: third"


async def test_enter_without_a_choice_asks_for_one(stage):
    seats = {"describer": MODEL, "guesser": "human"}
    async with stage.open(Setup("referencegame", seats, instance="letter_grids-en-001", seed=1)):
        await stage.my_turn("guesser")
        stage.press("9", "x", "enter")
        await stage.sees("is still missing")
        assert stage.match.ply == 1


async def test_the_describer_of_a_picture_sees_the_target_boxed(stage):
    seats = {"describer": "human", "guesser": MODEL}
    async with stage.open(Setup("referencegame", seats, instance="letter_grids-en-001", seed=1)):
        await stage.my_turn("describer")
        await stage.sees("only you see this", "▸")
        stage.line(stage.good()["expression"])
        await stage.over()
        assert "✓ won" in stage.text
        assert "only you see this" not in stage.text


async def test_a_german_game_speaks_german(stage):
    seats = {"describer": "human", "guesser": MODEL}
    async with stage.open(Setup("taboo", seats, instance="high-de-003", language="de", seed=1)):
        await stage.my_turn()
        await stage.sees("Z E I T U N G")
        stage.line(stage.good()["clue"])
        await stage.over()
    assert stage.bench.rows("select language from instances") == [("de",)]


async def test_a_burst_of_keys_and_enter_keeps_its_order(stage, taboo):
    text = "the quick brown fox jumps over a lazy dog and 0123456789 other things"
    async with stage.open(taboo()):
        await stage.my_turn()
        await stage.say(text)
        assert stage.match.steps[0].text == f"CLUE: {text}"


async def test_keys_of_all_kinds_in_one_burst_keep_their_order(stage):
    async with stage.open(Setup("wordle_withclue", {"guesser": "human"}, instance="high-en-001", seed=1)):
        await stage.my_turn()
        stage.type("agrx")
        stage.press("backspace", "left", "left", "right", "right")
        stage.type("ee")
        stage.press("tab")
        stage.type("beac")
        stage.press("shift+tab", "end", "tab", "h", "enter", "z")
        await stage.over()
        assert stage.match.steps[0].text == "explanation: beach\nguess: agree"


async def test_pasted_lines_become_one_and_keep_every_word(stage, taboo):
    async with stage.open(taboo()):
        await stage.my_turn()
        stage.type("see: ")
        stage.paste("first\nsecond\r\n\tthird\n")
        await stage.until(lambda: stage.draft == "see: first second third", "the pasted text")
        assert stage.match.ply == 0


async def test_a_paste_in_the_middle_goes_where_the_cursor_is(stage, taboo):
    async with stage.open(taboo()):
        await stage.my_turn()
        stage.type("ad")
        stage.press("left")
        stage.paste("bc")
        await stage.until(lambda: stage.draft == "abcd", "the pasted text in the middle")


async def test_game_without_record_leaves_no_turn(stage, taboo):
    async with stage.open(taboo(record=False)):
        await stage.my_turn()
        await stage.sees("not recorded")
        stage.line(stage.good()["clue"])
        await stage.over()
    assert stage.bench.rows("select count(*) from episodes") == [(0,)]
