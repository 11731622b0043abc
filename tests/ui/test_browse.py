"""The episodes on the screen: query, order, marks, tags, trash, views, one episode and its pages, two side by side."""

from __future__ import annotations

import json

import pytest
from textual.widgets import Input, Static

from bench.big_log import RARE, make
from playpen_tui.messages import Find
from playpen_tui.sitting import Setup
from playpen_tui.widgets.rows import Rows
from store.render import TABS

SIZES = pytest.mark.parametrize("size", [(120, 36), (80, 24)])


@pytest.fixture
def full(stage):
    """A stage whose log holds 350 episodes."""
    make(stage.bench.path, 350)
    return stage


async def browse(stage, query: str = "", *episodes: str):
    stage.app.post_message(Find(query, episodes))
    await stage.to("BrowseScreen" if not episodes else "EpisodeScreen" if len(episodes) == 1 else "CompareScreen")
    await stage.settle()


async def edit(stage, *keys: str) -> None:
    """Keys of a writing line: Textual does them after letters that come in the same burst."""
    stage.press(*keys)
    await stage.settle()


def copied(stage) -> str:
    return stage.app.clipboard


@SIZES
async def test_from_home_through_the_list_and_back(full, size):
    async with full.open(size=size) as stage:
        await stage.sees("Recent")
        stage.press("b")
        await stage.to("BrowseScreen")
        await stage.sees("350 found · newest first", "✓ success", "/ query")
        rows = stage.screen.query_one(Rows)
        stage.press("end")
        await stage.until(lambda: rows.cursor == 349 and stage.screen.found is not None, "the last row")
        assert stage.screen.found.id == min(id for (id,) in stage.bench.rows("SELECT id FROM episodes"))
        stage.press("k", "k", "pageup", "j")
        await stage.until(lambda: rows.cursor < 349 - 10, "further up")
        stage.press("home")
        await stage.until(lambda: rows.cursor == 0, "the first row")
        assert len(stage.screen.browsing._pages) <= 5
        stage.press("escape")
        await stage.to("HomeScreen")


@SIZES
async def test_a_query_is_written_completed_corrected_and_shortened(full, size):
    async with full.open(size=size) as stage:
        await browse(stage)
        await stage.sees("350 found")
        stage.press("/")
        await stage.sees("query ▸", '"exact words"', "enter looks")
        stage.type("ga")
        await stage.until(lambda: stage.screen.query_one(Input)._suggestion == "game:", "a suggestion")
        await edit(stage, "right")
        stage.type("tab")
        await stage.until(lambda: stage.screen.query_one(Input)._suggestion == "game:taboo", "another")
        await edit(stage, "right")
        stage.type(" outcom:success")
        await stage.sees("✗ there is no outcom: to ask for; did you mean outcome:?")
        stage.press("enter")
        await stage.settle()
        assert stage.screen.has_class("-asking")
        await edit(stage, *["backspace"] * 8)
        stage.type("e:success")
        await stage.until(lambda: "✗" not in str(stage.screen.query_one("#hint").render()), "no objection")
        stage.press("enter")
        await stage.sees("game:taboo", "outcome:success")
        count = stage.bench.rows(
            "SELECT count(*) FROM episodes JOIN results ON id = episode_id WHERE game = 'taboo' AND outcome = 'success'"
        )[0][0]
        await stage.sees(f"{count} found")
        stage.press("backspace")
        await stage.until(lambda: str(stage.screen.browsing.query) == "game:taboo", "the shorter query")
        stage.press("/", "escape")
        await stage.settle()
        assert stage.at == "BrowseScreen" and not stage.screen.has_class("-asking")


async def test_words_that_were_said_are_found_and_shown(full):
    async with full.open() as stage:
        await browse(stage, RARE)
        await stage.sees("3 found", RARE)
        await stage.settle()
        assert any(style == "hit" for _, style in stage.screen.line(0, 117))
        await browse(stage, "quincun")
        await stage.sees("no episode fits", "a star finds what begins so")
        await edit(stage, "/")
        await edit(stage, "backspace")
        stage.type("*")
        stage.press("enter")
        await stage.sees("3 found")


async def test_orders_go_round(full):
    async with full.open() as stage:
        await browse(stage)
        for words in ("oldest first", "highest score first", "lowest score first", "longest first", "shortest first"):
            stage.press("o")
            await stage.sees(f"350 found · {words}")
        assert stage.screen.found.row.plies == 6


async def test_marks_tags_and_the_trash_with_undo(full):
    async with full.open() as stage:
        await browse(stage)
        await stage.sees("350 found")
        first = stage.screen.found.id
        stage.press("space", "space", "space", "k", "space")
        await stage.sees("2 marked", "●")
        assert next(iter(stage.screen.browsing.marked)) == first
        stage.press("t")
        await stage.to("Prompt")
        stage.type("a,b")
        stage.press("enter")
        await stage.sees("✗ a tag is up to 60 characters")
        await edit(stage, *["backspace"] * 3)
        stage.type("special")
        stage.press("enter")
        await stage.to("BrowseScreen")
        await stage.until(lambda: "tagged 2 episodes special; u takes it back" in stage.notes, "the note")
        assert stage.bench.rows("SELECT count(*) FROM tags WHERE tag = 'special'") == [(2,)]
        await stage.sees("special")
        stage.press("T")
        await stage.sees("Which word off 2 episodes?")
        stage.press("escape", "u")
        await stage.until(lambda: "took special off 2 episodes" in stage.notes, "undone")
        stage.press("d")
        await stage.sees("348 found")
        assert "moved 2 episodes to the trash" in stage.notes and "marked" not in stage.text
        await browse(stage, "in:trash")
        await stage.sees("2 found", "in the trash")
        stage.press("d")
        await stage.sees("1 found")
        stage.press("u")
        await stage.sees("2 found")
        stage.press("a")
        await stage.sees("2 marked")
        stage.press("d")
        await stage.sees("0 found", "no episode fits")
        assert stage.bench.rows("SELECT count(*) FROM trash") == [(0,)]


async def test_views_are_chosen_saved_and_forgotten(full):
    async with full.open() as stage:
        await browse(stage, "game:wordle plies>9")
        stage.press("v")
        await stage.to("ViewsScreen")
        await stage.sees("lost or broken off", "outcome:failure,aborted")
        stage.press("s")
        await stage.sees("A name for game:wordle plies>9")
        stage.type("long wordle")
        stage.press("enter")
        await stage.to("ViewsScreen")
        await stage.sees("long wordle")
        assert stage.bench.rows("SELECT name, query FROM saved_views") == [("long wordle", "game:wordle plies>9")]
        stage.press("end", "up", "enter")
        await stage.to("BrowseScreen")
        await stage.until(lambda: str(stage.screen.browsing.query) == "outcome:unfinished", "the view")
        stage.press("v")
        await stage.sees("long wordle")
        stage.press("d")
        await stage.until(lambda: stage.bench.rows("SELECT count(*) FROM saved_views") == [(0,)], "forgotten")
        stage.press("escape")
        await stage.to("BrowseScreen")


@SIZES
async def test_an_episode_is_read_on_all_its_pages_and_through_every_seats_eyes(full, size):
    async with full.open(size=size) as stage:
        id, run = stage.bench.rows(
            "SELECT e.id, e.run_id FROM episodes e JOIN calls c ON c.episode_id = e.id WHERE game = 'taboo' LIMIT 1"
        )[0]
        await browse(stage, "", id)
        await stage.sees("taboo · taboo-", "0 describer", "→ guesser hears", "eyes: game master")
        stage.press("v")
        await stage.sees("eyes: describer", "describer heard", "You are the describer")
        assert "You are the guesser" not in stage.words
        stage.press("v")
        await stage.sees("eyes: guesser", "You are the guesser")
        assert "You are the describer" not in stage.words
        for key, sight in (("2", "broke a rule"), ("3", "reward describer"), ("4", run), ("5", "request 1")):
            stage.press(key)
            await stage.sees(sight)
        stage.press("tab")
        await stage.until(lambda: stage.screen.tab == "turns", "the first page again")
        stage.press("shift+tab")
        await stage.until(lambda: stage.screen.tab == list(TABS)[-1], "the last")


async def test_next_and_previous_follow_the_list_also_when_typed_in_a_burst(full):
    async with full.open() as stage:
        await browse(stage, "game:taboo")
        screen = stage.screen
        ids = [screen.browsing.peek(at).id for at in range(12)]
        stage.press("enter")
        await stage.to("EpisodeScreen")
        await stage.sees("1 of ")
        stage.press(*"nnnnnnnp")
        await stage.until(lambda: stage.screen.dossier and stage.screen.dossier.id == ids[6], "the seventh")
        await stage.sees("7 of ")
        stage.press("escape")
        await stage.to("BrowseScreen")
        await stage.until(lambda: screen.query_one(Rows).cursor == 6, "the cursor on it")
        stage.press("home", "enter")
        await stage.to("EpisodeScreen")
        stage.press("p")
        await stage.until(lambda: "this is the first one" in stage.notes, "a note")


async def test_an_episode_is_copied_and_written_to_a_file(full, tmp_path):
    async with full.open() as stage:
        id = stage.bench.rows("SELECT id FROM episodes WHERE game = 'taboo' LIMIT 1")[0][0]
        await browse(stage, "", id)
        await stage.sees("0 describer")
        for downs, begins in ((0, "taboo · "), (1, "# taboo"), (2, "{")):
            stage.press("y")
            await stage.sees("as JSON, with everything, to the clipboard")
            stage.press(*["down"] * downs, "enter")
            await stage.until(lambda begins=begins: copied(stage).startswith(begins), begins)
        assert json.loads(copied(stage))["id"] == id
        stage.press("y")
        await stage.sees("into a file")
        stage.press(*["down"] * 4, "enter")
        await stage.to("Prompt")
        await stage.sees(f"{id}.md")
        stage.press("enter")
        path = tmp_path / f"{id}.md"
        await stage.until(path.exists, "the file")
        assert path.read_text().startswith("# taboo")
        stage.press("y")
        await stage.sees("into a file")
        stage.press(*["down"] * 4, "enter")
        await stage.to("Prompt")
        stage.press("enter")
        keys = stage.screen.query_one("#prompt-keys", Static)  # where its lines break depends on the folder's name
        await stage.until(lambda: "nothing is overwritten" in str(keys.render()), "the refusal")
        stage.press("escape")
        await stage.to("EpisodeScreen")


async def test_an_episode_is_tagged_and_thrown_away_where_it_is_read(full):
    async with full.open() as stage:
        await browse(stage)
        await stage.sees("350 found")
        stage.press("enter")
        await stage.sees("1 of 350")
        stage.press("t")
        await stage.to("Prompt")
        stage.type("special")
        stage.press("enter")
        await stage.sees("#special")
        stage.press("t")
        await stage.sees("take special off")
        stage.press("down", "enter")
        await stage.until(lambda: "#special" not in stage.text, "the tag gone")
        stage.press("d")
        await stage.sees("in the trash")
        stage.press("escape")
        await stage.to("BrowseScreen")
        await stage.sees("349 found")


async def test_a_played_episode_is_watched_as_a_replay_and_left_for_its_page(stage):
    async with stage.open():
        sitting = await stage.bench.deal(Setup("taboo", {"describer": "bot", "guesser": "bot"}, seed=1))
        await sitting.play()
        await browse(stage, "game:taboo")
        await stage.sees("1 found")
        stage.press("enter")
        await stage.sees("w replay")
        stage.press("w")
        await stage.to("SpectateScreen")
        await stage.sees("replay")
        stage.press("escape")
        await stage.to("EpisodeScreen")
        stage.press("escape")
        await stage.to("BrowseScreen")


async def test_an_imported_episode_is_shown_from_its_messages(full):
    async with full.open() as stage:
        log = await stage.bench.log()
        log.write(lambda db: db.execute("UPDATE episodes SET game = 'clem:' || game, game_version = 0").rowcount)
        await browse(stage, "game:clem:taboo")
        stage.press("enter")
        await stage.sees("clem:taboo · taboo-", "it was imported and is shown as it was logged")
        stage.press("w")
        await stage.to("SpectateScreen")
        stage.press("escape")
        await stage.to("EpisodeScreen")
        stage.press("v")
        await stage.sees("heard", "You are the")


@pytest.mark.parametrize("size", [(120, 36), (100, 30), (80, 24)])
async def test_two_are_compared_side_by_side_or_stacked(full, size):
    async with full.open(size=size) as stage:
        log = await stage.bench.log()
        ids = [id for (id,) in stage.bench.rows("SELECT id FROM episodes WHERE game = 'taboo' ORDER BY id LIMIT 2")]
        log.write(
            lambda db: (
                db.execute(
                    "UPDATE episodes SET instance_id = (SELECT instance_id FROM episodes WHERE id = ?1), opening = "
                    "(SELECT opening FROM episodes WHERE id = ?1) WHERE id = ?2",
                    ids,
                ).rowcount
            )
        )
        await browse(stage, "", *ids)
        await stage.sees("first difference at ply 0: describer says something else", "▼")
        beside = any(line.count("0 describer") == 2 for line in stage.text.splitlines())
        assert beside == (size[0] >= 110)
        left = stage.screen.comparison.left.id
        stage.press("x")
        await stage.until(lambda: stage.screen.comparison.right.id == left, "sides exchanged")
        stage.press("end")
        stage.press("d")
        await stage.sees("▼")
        stage.press("y")
        await stage.until(lambda: "first difference" in copied(stage), "a copy")
        stage.press("escape")
        await stage.to("BrowseScreen")


async def test_from_two_marks_to_the_comparison(full):
    async with full.open() as stage:
        await browse(stage)
        await stage.sees("350 found")
        assert not stage.screen.check_action("compare", ())
        stage.press("space", "space")
        await stage.sees("= compare")
        stage.press("=")
        await stage.to("CompareScreen")
        await stage.sees("first difference")


async def test_what_comes_in_is_told_and_read_on_demand(full, monkeypatch):
    monkeypatch.setattr("playpen_tui.screens.browse.LOOK", 0.05)
    async with full.open() as stage:
        await browse(stage)
        await stage.sees("350 found")
        first = stage.screen.found.id
        sitting = await stage.bench.deal(Setup("taboo", {"describer": "bot", "guesser": "bot"}, seed=1))
        await sitting.play()
        await stage.sees("1 new, r reads them")
        assert stage.screen.found.id == first
        stage.press("r")
        await stage.sees("351 found")
        assert "new, r" not in stage.text


async def test_an_empty_log_says_how_to_begin(stage):
    async with stage.open(size=(80, 24)):
        await stage.sees("nothing played yet")
        stage.press("b")
        await stage.sees("nothing is in the log yet; p on Home starts a game")
        stage.press("/")
        await stage.sees("query ▸")


async def test_a_wrong_query_of_a_saved_view_is_told(full):
    async with full.open() as stage:
        stage.app.post_message(Find("gaem:x"))
        await stage.until(lambda: "did you mean game:?" in stage.notes, "a note")
        assert stage.at == "HomeScreen"


async def test_a_click_goes_to_a_row_and_another_opens_it(full):
    async with full.open() as stage:
        await browse(stage)
        await stage.sees("350 found")
        await stage.pilot.click(Rows, offset=(20, 4))
        await stage.until(lambda: stage.screen.query_one(Rows).cursor == 4, "the fifth row")
        await stage.pilot.click(Rows, offset=(20, 4))
        await stage.to("EpisodeScreen")
        await stage.sees("5 of 350")
