"""What stands on a card and in an opened match: whole boards, whole names, nothing twice; frames, and the key line."""

from __future__ import annotations

from random import Random

import pytest

from games import catalog
from games.boards import Card, Facts, Grid, Tile, Tiles
from games.engine import Match
from players.base import Token
from playpen_tui.doing import Doing
from playpen_tui.messages import Go
from playpen_tui.screens.spectate import SpectateScreen
from playpen_tui.sitting import Setup
from playpen_tui.text import named
from playpen_tui.watching import Listeners, Watched, still
from playpen_tui.widgets.card import draw_card
from playpen_tui.widgets.dialogue import Dialogue
from playpen_tui.widgets.fitting import fitted
from playpen_tui.widgets.panels import Look, draw

MODEL = "transformers:SmolLM2-135M-Instruct"


def played(game: str, *texts: str, bots: int = 0, instance: str = "") -> Match:
    """A match after these replies, or so many of the competent bot's."""
    rules = catalog.get(game)
    every = catalog.instances(rules)
    match = Match.new(rules, next((one for one in every if one.name == instance), every[0]), 1)
    for text in texts:
        match = match.play(text)
    for _ in range(bots):
        match = match.play(rules.bots()["competent"](match.view(match.turn), Random(match.ply)))
    return match


def watched(match: Match, *names: str, **more) -> Watched:
    return Watched("x", match, dict(zip(match.game.roles, names, strict=False)), doing=Doing(lambda: 9.0), **more)


def card(shown: Watched, width: int, height: int, number: int | None = 1) -> str:
    drawn = draw_card(shown, number, None, width, height).plain
    assert len(drawn.split("\n")) == height and all(len(line) <= width for line in drawn.split("\n")), drawn
    return drawn


SMALL = pytest.mark.parametrize("height", [7, 8, 9])


@SMALL
def test_the_tiles_of_wordle_with_a_critic_stand_on_a_small_card(height):
    """The proposal and its reasons took the place of the tiles."""
    drawn = card(watched(played("wordle_withcritic", bots=4), MODEL, "bot:competent"), 36, height)
    assert "S ○" in drawn and "R ◐" in drawn and "large" in drawn.lower(), drawn


@SMALL
@pytest.mark.parametrize("said", [0, 1, 2])
def test_pictures_are_whole_or_smaller_and_never_half(height, said):
    """Two or three of five rows stood there, and an ellipsis."""
    match = played("referencegame", bots=said, instance="letter_grids-en-001")
    drawn = card(watched(match, MODEL, "bot:competent"), 36, height)
    assert "▸ Second" in drawn and not any(line.strip() == "…" for line in drawn.split("\n")), drawn
    rows = drawn.count("X . . . X") == 5 and drawn.count("X X X X X") == 2
    halves = drawn.count("█▀▀▀█") == 1 and drawn.count("▀   ▀") == 1
    assert rows or halves, drawn  # all five rows of an H
    assert rows == (height == 9 and said == 0), drawn


def test_pictures_beside_a_long_description_are_small_and_it_is_read():
    shown = watched(played("referencegame", bots=1, instance="letter_grids-en-001"), MODEL, "bot:competent")
    drawn = card(shown, 57, 9)
    assert "▀" in drawn and "row 3 is full" in drawn, drawn


def test_what_cannot_be_shown_whole_is_named():
    grids = [Grid(name, tuple(("X", ".", "O") for _ in range(9)), target=name == "B") for name in "ABC"]
    (line,) = fitted(grids, 40, 4)
    assert line.plain == "3 × 3×9  A, ▸ B, C"
    (name, *rows) = fitted(grids, 40, 10)
    assert len(rows) == 9 and rows[0].plain.split() == ["X", ".", "O"] * 3 and "▸ B" in name.plain


def test_words_make_room_for_tiles():
    tiles = Tiles(tuple(tuple(Tile(letter) for letter in word) for word in ("crane", "slate", "moist")), height=6)
    panels = [Facts((("clue", "a thing " * 9),)), tiles, Card("proposal", "large", items=("because " * 20,))]
    drawn = "\n".join(row.plain for row in fitted(panels, 36, 4))
    assert all(letter in drawn for letter in "MOIST") and drawn.startswith("clue  a thing"), drawn


def test_the_status_stays_in_a_narrow_title_and_the_experiment_goes():
    shown = watched(played("wordle_withcritic", bots=4), MODEL, MODEL)
    assert card(shown, 36, 8).split("\n")[0].rstrip() == "1 Wordle with critic · guess 2 of 6"
    assert card(shown, 60, 8).split("\n")[0].rstrip() == "1 Wordle with critic · high · guess 2 of 6"


def test_why_a_reply_was_not_accepted_is_read_whole():
    broken = played("taboo", bots=1).play("I think that the word could be a large animal of Africa, perhaps")
    for height in (7, 8, 12, 20):
        drawn = card(watched(broken, MODEL, "smollm2"), 36, height)
        assert "⊘ this is not the form of a reply" in " ".join(drawn.split()), drawn


def test_a_cut_utterance_says_so():
    """The beginning of a description was missing, and nothing showed it."""
    match = played("taboo", "CLUE: " + " ".join(f"word{n}" for n in range(40)))
    drawn = card(watched(match, "qwen", "smollm2"), 36, 8)
    assert "qwen     word0 word1" in drawn and " …\n" in drawn, drawn
    shown = watched(played("taboo"), "qwen", "smollm2")
    shown.doing.hear(Token("describer", "CLUE: " + " ".join(f"word{n}" for n in range(40))))
    drawn = card(shown, 36, 8)
    assert "… word" in drawn and "word39▏" in drawn and "word0 " not in drawn, drawn


@pytest.mark.parametrize(("width", "height"), [(36, 7), (36, 10), (57, 9), (48, 22), (110, 30)])
def test_no_name_is_cut_on_a_card(width, height):
    match = played("taboo", "CLUE: a house", "GUESS: museum")
    for names in ((MODEL, "bot:competent"), ("smollm2", "bot:competent"), (MODEL, MODEL)):
        drawn = card(watched(match, *names), width, height)
        body = "\n".join(drawn.split("\n")[: -1 if height < 8 else -2])
        assert "…" not in body and "……" not in drawn and "characters more" not in drawn, drawn
        assert drawn.count("· waiting") == (1 if height < 8 else 2), drawn


def test_a_name_loses_its_kind_before_it_is_cut():
    assert named("transformers:/models/SmolLM2-135M-Instruct?temperature=0", 40) == MODEL
    assert named(MODEL, 24) == "SmolLM2-135M-Instruct"
    assert named(MODEL, 10) == "SmolLM2-1…"
    assert named("smollm2", 24) == "smollm2"


def test_wordle_alone_says_nothing_beside_its_tiles_but_reasons():
    match = played("wordle", bots=2)
    drawn = card(watched(match, "smollm2"), 57, 9)
    assert drawn.count("smollm2") == 1 and "stare" not in drawn.lower().replace(" ", ""), drawn
    broken = match.play("I cannot say.")
    assert "I cannot say" in card(watched(broken, "smollm2"), 57, 9)


def test_without_a_number_a_card_has_neither_title_nor_seats():
    shown = watched(played("taboo", bots=1), "smollm2", "qwen")
    both = draw_card(shown, None, "both", 110, 20).plain
    assert "Taboo" not in both and "waiting" not in both and "without" in both


def test_a_long_fact_hangs_beside_its_label():
    ((_, content),) = draw([Facts((("clue 1", "one borrows there, and brings back what was lent"),))], Look(width=30))
    lines = content.plain.split("\n")
    assert lines[0].startswith("clue 1  one") and all(line.startswith(" " * 8) for line in lines[1:])
    ((_, content),) = draw([Facts((("description", "one borrows there, and brings back"),))], Look(width=24))
    assert content.plain.split("\n") == ["description", "  one borrows there, and", "  brings back"]


class Table(Listeners):
    """A stand on which nothing moves by itself."""

    title, abilities = "a run", frozenset({"hold", "stop", "seat", "bookmark"})

    def __init__(self, *offered: Watched) -> None:
        super().__init__()
        self.all = list(offered)

    def head(self, width: int = 1000) -> str:
        return "a run"

    def offered(self) -> list[Watched]:
        return self.all

    async def follow(self) -> None:
        return None


async def look(stage, *shown: Watched) -> Table:
    stand = Table(*shown)
    stage.app.push_screen(SpectateScreen(stage.bench, stand))
    await stage.to("SpectateScreen")
    await stage.until(lambda: len(stage.screen._shown) == len(shown), "the boards")
    await stage.settle()
    return stand


async def test_an_opened_match_is_stacked_in_a_narrow_terminal(stage):
    """Forty columns of sixty were the board's, and the dialogue was four words wide."""
    clue = "a silent house where stories wait in long rows for you"
    shown = watched(played("taboo", f"CLUE: {clue}"), MODEL, "bot:competent")
    async with stage.open(size=(60, 20)):
        await look(stage, shown, still(shown))
        stage.press("1")
        await stage.sees("esc all", "S H I R T", clue.split(" where")[0])
        await stage.until(lambda: stage.screen.query_one(Dialogue).size.width > 50, "a wide dialogue")
        assert clue in stage.words, stage.text
        board, dialogue = stage.screen.query_one("#zoom #board"), stage.screen.query_one(Dialogue)
        assert board.region.bottom <= dialogue.region.y and dialogue.size.height >= 5
        await stage.pilot.resize_terminal(120, 36)
        await stage.until(lambda: board.region.y == dialogue.region.y, "side by side")
        assert board.outer_size.width == 46


async def test_an_opened_match_says_nothing_twice(stage):
    shown = watched(played("taboo", "CLUE: zebra crossing", "GUESS: museum"), "a", "b")
    async with stage.open(size=(120, 36)):
        await look(stage, shown, still(shown))
        stage.press("1")
        await stage.sees("esc all", "zebra crossing")
        assert stage.text.count("zebra") == 1 and "clue 1" not in stage.text, stage.text
        stage.press("v", "v", "v")
        await stage.sees("eyes: both seats")
        await stage.settle()
        assert stage.text.count("Taboo") == 1 and stage.text.count("describer a ·") == 1, stage.text


async def test_whoever_plays_in_a_narrow_terminal_reads_the_dialogue(stage):
    table = Setup("wordle_withclue", {"guesser": "human"}, instance="high-en-001", seed=1)
    async with stage.open(table, size=(60, 20)):
        await stage.my_turn()
        await stage.say("crane")
        await stage.my_turn()
        board, dialogue = stage.screen.query_one("#board"), stage.screen.query_one(Dialogue)
        await stage.until(lambda: board.region.bottom <= dialogue.region.y, "one under the other")
        assert dialogue.size.width > 50 and "C ○" in stage.text and "share the same opinion" in stage.text, stage.text


@pytest.mark.parametrize("counts", [(5, 7), (7, 5)])
async def test_frames_are_whole_however_many_boards_there_are(stage, counts):
    """Where boards came, or went, the frame stayed the one that was drawn before."""
    every = [watched(played("wordle", bots=1), "smollm2") for _ in range(7)]
    for number, one in enumerate(every):
        one.key = str(number)
    before, after = counts
    async with stage.open(size=(200, 50)):
        stand = await look(stage, *every[:before])
        stand.all = every[:after]
        stand.tell(None)
        stage.screen._places = type(stage.screen._places)()
        await stage.until(lambda: len(stage.screen._shown) == after, "the boards")
        await stage.settle()
        last = [line for line in stage.text.split("\n") if line.startswith("└")]
        assert len(last) == 1 and last[0].count("┴") == after - 5 and last[0].endswith("┘"), stage.text


@pytest.mark.parametrize("width", [40, 60, 80, 120])
async def test_the_key_line_is_whole_and_keeps_help_and_more(stage, width):
    async with stage.open(size=(width, 20)):
        await stage.to("HomeScreen")
        await stage.sees("? help")
        foot = stage.text.split("\n")[-1]
        assert foot.endswith("? help  ctrl+p more") and len(foot) < width, foot
        assert ("m models" in foot) == (width == 120), foot
        await stage.pilot.resize_terminal(120, 20)
        await stage.until(lambda: "m models" in stage.text.split("\n")[-1], "all keys")
        stage.app.post_message(Go("models"))
        await stage.to("ModelsScreen")
        await stage.pilot.resize_terminal(width, 20)
        await stage.until(lambda: stage.text.split("\n")[-1].endswith("ctrl+p more"), "help and more")


def test_long_words_that_are_written_end_where_the_column_ends():
    """One word of any length, and no room at all: it is cut, and drawn in no time."""
    for text in ("CLUE: " + "x" * 3000, "CLUE: " + "word " * 600):
        shown = watched(played("taboo"), MODEL, "smollm2")
        shown.doing.hear(Token("describer", text))
        for width, height in ((20, 4), (36, 7), (36, 9), (57, 9), (48, 20)):
            assert "▏" in card(shown, width, height) or height == 4
