"""Judging pairs by keys: verdicts, undo, blindness, layouts, comments and drafts, history, what cannot be saved."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
from pathlib import Path

import pytest
from textual.widgets import Input

from playpen_tui import judging
from playpen_tui.app import PlaypenApp
from playpen_tui.messages import Judge
from playpen_tui.screens import annotate
from playpen_tui.widgets.pair import Pane
from store.errors import LogLocked

spec = importlib.util.spec_from_file_location("queued", Path(__file__).with_name("queued.py"))
queued = importlib.util.module_from_spec(spec)
spec.loader.exec_module(queued)

SIZES = pytest.mark.parametrize("size", [(120, 36), (80, 24)])
SECRETS = re.compile(r"bot:|competent|random|won|lost|score|success|failure|characters|assisted|sampling")


@pytest.fixture
def stand(stage):
    """A stage whose log has a queue of six pairs; `stand.queue` is it."""
    log = asyncio.run(queued.played(stage.bench))
    stage.queue = queued.queue(log, many=6)
    asyncio.run(stage.bench.close())
    return stage


async def sit(stage, name: str = "pairs") -> None:
    stage.app.post_message(Judge(name))
    await stage.to("AnnotateScreen")
    await at(stage, 1)


async def at(stage, number: int) -> None:
    """Wait until this item can be judged."""
    await stage.until(
        lambda: stage.screen.shown and stage.screen.shown.number == number and stage.screen._ready,
        f"item {number} on the screen",
    )
    assert f"{number}/{stage.screen.shown.of}" in stage.text


async def votes(stage, many: int, key: str = "1") -> None:
    """Judge so many items."""
    for _ in range(many):
        number = stage.screen.shown.number
        stage.press(key)
        await stage.until(lambda n=number: stage.screen._over or stage.screen.shown.number == n + 1, "the next")
        await stage.until(lambda: stage.screen._over or stage.screen._ready, "it can be judged")


def verdicts(stage) -> list[tuple]:
    """Of each item that stands: the verdict as it was seen, strength, in the order they were given."""
    rows = stage.bench.rows("SELECT verdict, strength, a_was_left FROM verdicts ORDER BY annotation")
    seen = {("a", 1): "left", ("b", 0): "left", ("a", 0): "right", ("b", 1): "right"}
    return [(seen.get((verdict, left), verdict), strength) for verdict, strength, left in rows]


@pytest.mark.parametrize(
    ("key", "verdict", "strength"),
    [
        *(("1", "left", 1), ("2", "right", 1), ("!", "left", 2), ("@", "right", 2), ('"', "right", 2)),
        *(("shift+1", "left", 2), ("shift+2", "right", 2), ("3", "tie", 0), ("t", "tie", 0), ("4", "bad", 0)),
        *(("b", "bad", 0), ("s", "skip", 0), ("space", "skip", 0)),
    ],
)
async def test_one_key_commits_and_goes_on(stand, key, verdict, strength):
    async with stand.open() as stage:
        await sit(stage)
        first = stage.screen.shown.item
        stage.press(key)
        await at(stage, 2)
        assert verdicts(stage) == [(verdict, strength)]
        assert stage.bench.rows("SELECT item FROM verdicts") == [(first,)] and stage.screen.shown.item != first
        await stage.sees("recorded:", "u takes it back", "today 1")


async def test_sides_are_those_that_follow_from_the_seed(stand):
    from store.judging import a_is_left

    async with stand.open() as stage:
        await sit(stage)
        person = stage.screen.judging.judge
        await votes(stage, 6)
        rows = stage.bench.rows("SELECT item, a_was_left FROM verdicts")
        assert len(rows) == 6
        assert all(a_is_left(stand.queue.seed, item, person) == bool(left) for item, left in rows)


async def test_a_second_press_is_not_taken_for_a_verdict_on_what_was_not_seen(stand):
    async with stand.open() as stage:
        await sit(stage)
        stage.press("1", "1", "2")
        await at(stage, 2)
        await stage.settle()
        assert verdicts(stage) == [("left", 1)]


async def test_undo_goes_back_without_end_and_nothing_is_overwritten(stand):
    async with stand.open() as stage:
        await sit(stage)
        items = []
        for _ in range(5):
            items.append(stage.screen.shown.item)
            await votes(stage, 1, "2")
        for number, key in zip((5, 4, 3, 2, 1), ("u", "backspace", "u", "u", "backspace"), strict=True):
            stage.press(key)
            await at(stage, number)
            assert stage.screen.shown.item == items[number - 1]
        assert verdicts(stage) == [] and stage.screen._today == 0
        stage.press("u")
        await stage.sees("nothing of yours is left to take back")
        assert len(stage.bench.rows("SELECT id FROM annotations")) == 10
        await votes(stage, 2, "3")
        stage.press("u", "u")  # in one burst, each takes one back
        await at(stage, 1)
        assert verdicts(stage) == []


async def test_the_audit_log_rebuilds_the_table(stand):
    async with stand.open() as stage:
        await sit(stage)
        for key in "12u3!uu4s@u1":
            number = stage.screen.shown.number
            stage.press(key)
            await at(stage, number - 1 if key == "u" else number + 1)
        standing: dict[str, str] = {}
        for item, value in stage.bench.rows("SELECT item_id, value FROM annotations ORDER BY id"):
            verdict = json.loads(value)["verdict"]
            standing.pop(item, None)
            if verdict is not None:
                standing[item] = verdict
        assert dict(stage.bench.rows("SELECT item, verdict FROM verdicts")) == standing and len(standing) == 4


def everything(stage) -> str:
    """All that the widgets of this screen hold and could show, and what is said of the window and by the palette."""
    parts = [stage.text, stage.app.title, stage.app.sub_title, stage.notes]
    for widget in stage.screen.walk_children(with_self=True):
        parts += [widget.id or "", widget.name or "", str(widget.tooltip or ""), " ".join(widget.classes)]
        content = getattr(widget, "content", "")
        parts.append(getattr(content, "plain", str(content)))
        parts.append(getattr(widget, "value", ""))
    for command in stage.app.get_system_commands(stage.screen):
        parts += [command.title, command.help]
    return "\n".join(str(part) for part in parts)


async def test_nothing_says_who_wrote_it_before_the_vote(stand):
    async with stand.open() as stage:
        await sit(stage)
        for key in ("d", "z", "z", "tab", "f", "f"):
            assert not SECRETS.search(everything(stage)), SECRETS.findall(everything(stage))
            stage.press(key)
            await stage.settle()
        assert not SECRETS.search(repr(stage.screen.shown))
        stage.press("2")
        await at(stage, 2)
        await stage.sees("bot:random", "bot:competent", "recorded: right better")
        stage.press("u")
        await at(stage, 1)
        assert not SECRETS.search(everything(stage))
        stage.press("1")
        await at(stage, 2)
        assert stage.bench.rows("SELECT blind FROM annotations ORDER BY id") == [(1,), (1,), (0,)]


async def test_a_queue_that_stays_blind_never_says_it(stage):
    log = await queued.played(stage.bench)
    queued.queue(log, config={"reveal": False})
    async with stage.open():
        await sit(stage)
        for _ in range(6):
            await votes(stage, 1)
            assert not SECRETS.search(everything(stage))
        await stage.sees("You have judged all that waits for you in pairs")
        stage.press("u")
        await at(stage, 6)
        assert not SECRETS.search(everything(stage))


async def test_stacked_below_110_columns_and_side_by_side_above(stand):
    async with stand.open(size=(120, 36)) as stage:
        await sit(stage)

        def panes():
            return [stage.screen.query_one(f"#{side}", Pane).region for side in ("left", "right")]

        left, right = panes()
        assert left.y == right.y and left.right <= right.x and "1 left better" in stage.text
        await stage.pilot.resize_terminal(109, 30)
        await stage.until(lambda: panes()[0].bottom <= panes()[1].y, "one over the other")
        await stage.sees("1 upper better", "▸ 1  upper")
        await stage.pilot.resize_terminal(80, 24)
        await stage.sees("1 upper", "4 bad", "u undo", "? help")
        assert all(region.height > 2 for region in panes())
        await stage.pilot.resize_terminal(80, 17)
        await stage.sees("tab shows the other")
        shown = stage.screen.shown
        await stage.until(lambda: shown.left.text in stage.text and shown.right.text not in stage.text, "one alone")
        stage.press("tab")
        await stage.until(lambda: shown.right.text in stage.text and shown.left.text not in stage.text, "the other")
        stage.press("left")
        await stage.until(lambda: shown.left.text in stage.text, "the first again")


async def test_zoom_focus_and_marked_words(stand):
    async with stand.open() as stage:
        await sit(stage)
        shown = stage.screen.shown
        stage.press("right", "z")
        await stage.until(lambda: shown.left.text not in stage.text, "the right one alone")
        await stage.sees("▸ 2  right", shown.right.text)
        stage.press("escape")
        await stage.sees("▸ 2  right", shown.left.text)
        stage.press("d")
        await stage.until(lambda: any("underline" in str(span.style) for span in text_of(stage, "left").spans), "marks")
        stage.press("d")
        await stage.until(lambda: not text_of(stage, "left").spans, "no marks")


def text_of(stage, side: str):
    return stage.screen.query_one(f"#{side}", Pane).query_one(".text").content


async def test_long_replies_scroll_and_a_vote_before_their_end_is_noted(stage):
    log = await queued.played(stage.bench)
    queued.queue(log)
    log.write(lambda db: db.execute("UPDATE candidates SET text = 'GUESS: ' || text || char(10) || ?",
                                    ("\n".join(f"line {n}" for n in range(60)),)).rowcount)  # fmt: skip
    async with stage.open(size=(80, 24)):
        await sit(stage)
        await stage.sees("more below ↓")
        stage.press("1")
        await at(stage, 2)
        for _ in range(2):
            stage.press(*["down"] * 70)
            await stage.until(lambda: stage.screen._panes[stage.screen._at].read, "its end")
            stage.press("tab")
        stage.press("k", "j")
        await stage.until(lambda: "more below" not in stage.text, "both read")
        stage.screen._seen_at -= 60
        stage.press("2")
        await at(stage, 3)
        early = [json.loads(value).get("early") for (value,) in stage.bench.rows("SELECT value FROM annotations")]
        assert early == [True, None]


async def test_keys_are_letters_while_a_comment_is_written(stand):
    async with stand.open() as stage:
        await sit(stage)
        stage.press("c")
        stage.type("1 is bad, u2!")  # in the burst that opened the line
        await stage.until(lambda: stage.screen.query_one(Input).value == "1 is bad, u2!", "the comment")
        await stage.sees("comment ▸ 1 is bad", "returns to the keys")
        stage.press("tab", "up", "pageup")
        await stage.settle()
        assert verdicts(stage) == [] and stage.screen.commenting
        stage.press("escape")
        await stage.sees("comment  1 is bad, u2!")
        assert stage.at == "AnnotateScreen" and not stage.screen.commenting
        stage.press("f")
        await stage.sees("⚑ flagged")
        stage.press("2")
        await at(stage, 2)
        await stage.sees("⚑ “1 is bad")
        (value,) = stage.bench.rows("SELECT value FROM annotations")[0]
        told = json.loads(value)
        assert told["comment"] == "1 is bad, u2!" and told["flag"] is True
        assert "⚑ flagged" not in stage.text and not stage.screen.query_one("#note").display
        stage.press("u")
        await at(stage, 1)
        await stage.sees("⚑ flagged", "comment  1 is bad")
        stage.press("f")
        await stage.until(lambda: "⚑ flagged" not in stage.text, "no flag")
        stage.press("c")
        await stage.sees("comment ▸ 1 is bad")
        stage.press("enter")
        await stage.until(lambda: not stage.screen.commenting, "the keys")


async def test_a_draft_outlives_the_app(stand):
    async with stand.open() as stage:
        await sit(stage)
        item = stage.screen.shown.item
        stage.press("c")
        await stage.until(lambda: stage.screen.commenting and stage.screen.focused is not None, "the line")
        stage.type("half a thou")
        await stage.until(lambda: stage.bench.rows("SELECT text FROM drafts") == [("half a thou",)], "the draft")
        stage.app._exit = True  # no key, no leaving: as if it were killed
    async with stand.open() as stage:
        await sit(stage)
        assert stage.screen.shown.item == item
        await stage.sees("comment  half a thou")
        stage.press("1")
        await at(stage, 2)
        assert stage.bench.rows("SELECT count(*) FROM drafts") == [(0,)]
        assert json.loads(stage.bench.rows("SELECT value FROM annotations")[0][0])["comment"] == "half a thou"


@SIZES
async def test_an_item_of_the_history_is_opened_again_and_changed(stand, size):
    async with stand.open(size=size) as stage:
        await sit(stage)
        stage.press("h")
        await stage.until(lambda: "nothing of yours is here yet" in stage.notes, "the note")
        await votes(stage, 3)
        stage.press("h")
        await stage.to("Choose")
        stage.press("end", "enter")
        await stage.to("AnnotateScreen")
        await at(stage, 1)
        await stage.sees("another verdict takes its place")
        stage.press("4")
        await at(stage, 4)
        assert sorted(verdicts(stage)) == [("bad", 0), ("left", 1), ("left", 1)]
        assert stage.bench.rows("SELECT count(*) FROM annotations WHERE supersedes IS NOT NULL") == [(1,)]
        stage.press("h")
        await stage.to("Choose")
        stage.press("escape")
        await stage.to("AnnotateScreen")
        await at(stage, 4)


async def test_guidelines_have_a_version_and_help_lists_the_keys(stand):
    async with stand.open(size=(80, 24)) as stage:
        await sit(stage)
        stage.press("i")
        await stage.sees("Guidelines of pairs, version 1", "true before clever")
        stage.press("escape")
        await stage.to("AnnotateScreen")
        stage.press("?")
        await stage.sees("The left one is better")


async def test_what_cannot_be_saved_is_kept_and_tried_again(stand, monkeypatch):
    monkeypatch.setattr(annotate, "RETRY", 3600)
    vote, broken = judging.Judging.vote, True

    async def refuse(self, verdict, **how):
        if broken:
            raise LogLocked("another process keeps the log; wait, or stop it")
        return await vote(self, verdict, **how)

    monkeypatch.setattr(judging.Judging, "vote", refuse)
    async with stand.open(size=(80, 24)) as stage:
        await sit(stage)
        stage.press("1")
        await stage.sees("✗ not saved: upper better.", "another process keeps the log", "r tries now")
        stage.press("2")
        await stage.until(lambda: "not saved yet" in stage.notes, "a second one is refused")
        stage.press("r")
        await stage.until(lambda: not stage.screen._pending, "tried")
        assert verdicts(stage) == [] and stage.screen.shown.number == 1
        stage.press("u")
        await stage.until(lambda: "not saved:" not in stage.text, "forgotten")
        stage.press("2")
        await stage.sees("✗ not saved: lower better.")
        broken = False
        stage.press("r")
        await at(stage, 2)
        assert verdicts(stage) == [("right", 1)] and "not saved" not in stage.text.replace("not saved yet", "")
        broken = True
        monkeypatch.setattr(annotate, "RETRY", 0.05)
        stage.press("3")
        await stage.sees("✗ not saved: a tie.")
        broken = False
        await at(stage, 3)  # tried again by itself
        assert verdicts(stage) == [("right", 1), ("tie", 0)]


async def test_leaving_with_something_unsaved_asks_once(stand, monkeypatch):
    async def refuse(self, verdict, **how):
        raise LogLocked("locked")

    monkeypatch.setattr(judging.Judging, "vote", refuse)
    async with stand.open() as stage:
        await sit(stage)
        stage.press("1")
        await stage.sees("not saved")
        stage.press("escape")
        await stage.until(lambda: "esc again leaves" in stage.notes, "the question")
        assert stage.at == "AnnotateScreen"
        stage.press("escape")
        await stage.to("HomeScreen")


async def test_a_place_that_somebody_else_filled_is_said_and_passed(stand, monkeypatch):
    vote = judging.Judging.vote
    taken = iter([True])

    async def refuse(self, verdict, **how):
        if next(taken, False):
            queued.says(await stand.bench.log(), stand.queue, "amber-otter-417", "a", 6)
            await self.close()
            raise judging.PlaceTaken("somebody else filled the last place")
        return await vote(self, verdict, **how)

    monkeypatch.setattr(judging.Judging, "vote", refuse)
    async with stand.open() as stage:
        await sit(stage)
        stage.press("1")
        await stage.until(lambda: "somebody else filled the last place" in stage.notes, "the note")
        await stage.until(lambda: stage.screen.shown is None or stage.screen._ready, "what is next")
        assert "not saved" not in stage.text


async def test_the_clock_stands_still_while_nobody_looks(stand):
    async with stand.open() as stage:
        await sit(stage)
        now = [0.0]
        stage.screen.pace = annotate.Pace(lambda: now[0])
        stage.app.app_focus = False
        await stage.sees("‖ paused")
        assert stage.screen.judging._left_at is not None
        now[0] = 100.0
        stage.app.app_focus = True
        await stage.until(lambda: "paused" not in stage.text, "the clock goes on")
        assert stage.screen.pace.spent == 0.0 and stage.screen.judging._left_at is None
        for seconds in (104.0, 108.0, 112.0):
            now[0] = seconds
            await votes(stage, 1)
        await stage.sees("15/min")


async def test_the_end_says_what_is_left_for_others_and_what_is_disputed(stage):
    log = await queued.played(stage.bench)
    made = queued.queue(log, judges=3)
    queued.says(log, made, "amber-otter-417", "tie")
    async with stage.open():
        await sit(stage)
        await votes(stage, 6, "4")
        await stage.sees(
            "You have judged all that waits for you", "6 items wait for other judges", "6 items are judged"
        )
        stage.press("d")
        await stage.to("AdjudicateScreen")
        stage.press("escape")
        await stage.to("AnnotateScreen")
        stage.press("u")
        await at(stage, 6)
        stage.press("4")
        await stage.sees("You have judged all that waits for you")
        stage.press("escape")
        await stage.to("HomeScreen")
        assert stage.bench.rows("SELECT count(*) FROM reservations") == [(0,)]


async def test_who_was_never_asked_is_asked_first(stand):
    async with stand.open(consent=None) as stage:
        stage.app.post_message(Judge("pairs"))
        await stage.to("Choose")
        await stage.sees("How may your games be used?")
        stage.press("enter")
        await stage.to("AnnotateScreen")
        await at(stage, 1)
        await votes(stage, 1)
        (who,) = stage.bench.rows("SELECT annotator_id FROM annotations")[0]
        assert stage.bench.rows("SELECT consent FROM people WHERE id = ?", who) == [("local",)]


async def test_an_unknown_queue_is_one_sentence(stage):
    async with stage.open():
        stage.app.post_message(Judge("nothing"))
        await stage.until(lambda: "no queue 'nothing'" in stage.notes, "the sentence")
        assert stage.at == "HomeScreen"


async def test_what_nobody_expected_is_told_and_keys_go_on(stand, monkeypatch):
    async def fault(self):
        raise RuntimeError("boom")

    async with stand.open() as stage:
        await sit(stage)
        monkeypatch.setattr(judging.Judging, "flag", fault)
        stage.press("f")
        await stage.to("TextDialog")
        await stage.sees("A fault of ours", "boom")
        stage.press("escape")
        await stage.to("AnnotateScreen")
        await votes(stage, 1)
        assert verdicts(stage) == [("left", 1)]
        assert [str(fault) for fault in stage.faults] == ["boom"]
        stage.faults.clear()


def test_the_app_can_begin_with_a_queue(stand):
    async def run():
        await stand.bench.people.give_consent("local")
        stand.app = PlaypenApp(stand.bench, first=Judge("pairs"))
        async with stand.app.run_test(size=(80, 24), notifications=True) as stand.pilot:
            await at_last(stand)

    async def at_last(stage):
        await stage.to("AnnotateScreen")
        await at(stage, 1)

    asyncio.run(run())
