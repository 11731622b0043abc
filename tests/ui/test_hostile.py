"""Hostile text through every screen: nothing crashes, acts as markup, hides, or reaches the terminal as a command.

`tests/hostile_games/hostile.py` is a game made of such text; it comes in as replies, names, boards, fields, problems,
verdicts, rules and rows of the log. The last test runs the real program in a pseudo-terminal and reads its bytes.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from textual import events

from games import catalog
from playpen_tui.messages import Find
from playpen_tui.overview import Overview, Recent, Unfinished
from playpen_tui.screens.dialogs import TextDialog
from playpen_tui.sitting import Setup
from playpen_tui.text import clean, one_line
from playpen_tui.widgets.dialogue import Dialogue

GAMES = Path(__file__).parents[1] / "hostile_games"
MODEL = "scripted"
RAW = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2028\u2029\u2060-\u206f\ufeff\ud800-\udfff"
    "\U000e0001-\U000e007f]"
)
"""What must never stand in a drawn line."""


@pytest.fixture
def hostile(calm, monkeypatch):
    """The module of the hostile game, which the catalog now knows."""
    monkeypatch.setenv("PLAYPEN_GAMES", str(GAMES))
    catalog.get.cache_clear()
    catalog.get("hostile")
    yield sys.modules["playpen_games.hostile"]
    catalog.get.cache_clear()


def harmless(stage) -> None:
    """Nothing on the screen steers a terminal, hides, or is clickable; nothing is drawn beyond the edge."""
    for strip in stage.screen._compositor.render_strips():
        for segment in strip:
            assert segment.control is None and not RAW.search(segment.text), repr(segment.text)
            assert not (segment.style and segment.style.meta.get("@click")), segment
        assert strip.cell_length <= stage.app.size.width


def nasty(hostile) -> list[str]:
    """One text of each kind, for what takes a second apiece."""
    kinds = "closing tag, action, screen, clipboard, c1, nul, bidi, invisible, surrogate, long word, many lines"
    return [hostile.HOSTILE[kind] for kind in kinds.split(", ")]


def seats(hostile, first: str, second: str) -> dict[str, str]:
    return {hostile.SAYER: first, hostile.LISTENER: second}


@pytest.mark.slow
async def test_every_reply_of_a_model_is_shown_in_full_as_plain_text(stage, hostile):
    stage.bench.model_name = "mod[/]el\u202e\x1b[7777h"
    stage.bench.pace = 2_000
    async with stage.open(Setup("hostile", seats(hostile, MODEL, "bot"), seed=1), size=(80, 24)):
        await stage.over()
        dialogue = stage.screen.query_one(Dialogue)
        drawn = [str(words.render()) for words in dialogue.query(".said .words")]
        assert drawn[::2] == [clean(text.replace("\ud800", "?")) for text in hostile.TEXTS]
        assert "and 96,000 characters more" in drawn[2 * list(hostile.HOSTILE).index("very long")]
        harmless(stage)
        dialogue.scroll_home(animate=False)
        await stage.sees("[/foo] and [/]")
        for _ in range(8):
            harmless(stage)
            dialogue.scroll_page_down(animate=False)
            await stage.pilot.pause(0)
        stage.press("escape")
        await stage.to("HomeScreen")
        await stage.sees("Recent")
        harmless(stage)
    logged = [text for (text,) in stage.bench.rows("select text from turns where ply % 2 = 0 order by ply")]
    assert logged == [text.encode("utf-8", "replace").decode() for text in hostile.TEXTS]


async def test_replies_that_break_the_form_are_shown_raw_and_harmless(stage, hostile):
    replies = iter([*["illegal"] * len(hostile.TEXTS), "fine"])
    stage.bench.say = lambda ask: next(replies)
    async with stage.open(Setup("hostile", seats(hostile, MODEL, "human"), seed=1)):
        await stage.my_turn(hostile.LISTENER)
        harmless(stage)
        assert stage.match.ply == len(hostile.TEXTS) + 1


@pytest.mark.slow
async def test_what_people_paste_is_sent_and_shown_harmlessly(stage, hostile):
    async with stage.open(Setup("hostile", seats(hostile, "human", "bot"), seed=1)):
        for text in nasty(hostile):
            await stage.my_turn(hostile.SAYER)
            stage.screen.focused.post_message(events.Paste(text))
            await stage.until(lambda: stage.draft or stage.screen.focused.answer, "something pasted")
            harmless(stage)
            before = stage.match.ply
            stage.press("enter")
            await stage.until(lambda before=before: stage.match.ply > before, "it is said")
    for (text,) in stage.bench.rows("select text from turns where ply % 2 = 0"):
        assert text and not RAW.search(text), text


@pytest.mark.slow
async def test_problems_dialogs_help_and_notes_hold_plain_text(stage, hostile):
    async with stage.open(Setup("hostile", seats(hostile, "human", "bot"), seed=1), size=(80, 24)):
        await stage.my_turn()
        stage.type("wrong")
        await stage.until(lambda: "✗" in stage.text, "problems")
        harmless(stage)
        stage.press("enter", "f2")
        await stage.to("TextDialog")
        harmless(stage)
        await stage.sees("[/foo] and [/]")
        stage.press("escape")
        await stage.to("PlayScreen")
        for number, text in enumerate(nasty(hostile)):
            stage.screen._say_trouble(text)
            stage.app.notify(one_line(text, 500), markup=False, timeout=0.05 if number % 2 else 1)
            stage.app.push_screen(TextDialog(text, text))
            await stage.to("TextDialog")
            harmless(stage)
            stage.press("escape")
            await stage.to("PlayScreen")
            harmless(stage)
        stage.press("ctrl+y")
        await stage.settle()
        harmless(stage)


async def test_home_and_picker_show_hostile_names(stage, hostile, monkeypatch):
    unfinished = tuple(Unfinished("01J", text) for text in hostile.TEXTS[:9])
    recent = tuple(
        Recent("01K", text, (text, text), outcome, text, "10:41")
        for text, outcome in zip(hostile.TEXTS, ("success", "failure", "aborted", "draw", None) * 9, strict=False)
    )
    setup = Setup("hostile", seats(hostile, "human", "bot"))

    async def overview() -> Overview:
        return Overview(hostile.TEXTS[9], setup, unfinished, recent)

    async def partners() -> list[tuple[str, str]]:
        return [(text[:300], text) for text in hostile.TEXTS if len(text) < 300]

    monkeypatch.setattr(stage.bench, "overview", overview)
    monkeypatch.setattr(stage.bench, "partners", partners)
    async with stage.open():
        await stage.sees("Go on", "Recent")
        harmless(stage)
        stage.press("p")
        await stage.to("PickScreen")
        await stage.sees("[@click=app.quit]press")
        harmless(stage)
        stage.press("right", "right", *["down"] * 9, "right", *["down"] * 12)
        await stage.settle()
        harmless(stage)


@pytest.mark.parametrize("size", [(60, 18), (80, 24)])
async def test_watching_the_whole_corpus_at_small_sizes(stage, hostile, size):
    async with stage.open(Setup("hostile", seats(hostile, "bot", "bot"), seed=1), size=size):
        await stage.over()
        harmless(stage)


@pytest.mark.slow
async def test_browsing_the_whole_corpus(stage, hostile):
    """A log of hostile replies, names, tags and instances, through the list, all pages, eyes, comparison, dialogs."""
    stage.bench.model_name = "mod[/]el\u202e\x1b[7777h"
    stage.bench.pace = 2_000
    for _ in range(2):
        sitting = await stage.bench.deal(Setup("hostile", seats(hostile, MODEL, "bot"), seed=1))
        await sitting.play()
    log = await stage.bench.log()
    ids = [row.id for row in log.queries.recent(2)]
    for number, text in enumerate(hostile.TEXTS):
        await log.tag(ids[0], text.encode("utf-8", "replace").decode()[:500])
        log.write(
            lambda db, n=number, t=text: (
                db.execute(
                    "INSERT INTO saved_views VALUES (?, ?, '')",
                    (f"{n} {t[:60]}".encode("utf-8", "replace").decode(), "x"),
                ).rowcount
            )
        )
    async with stage.open(size=(80, 24)):
        for query in ("", "[/foo]", '"press me"', "wwww*", "-[b]"):
            stage.app.post_message(Find(query))
            await stage.to("BrowseScreen")
            await stage.sees("found")
            await stage.settle()
            harmless(stage)
        stage.app.post_message(Find())
        await stage.sees("2 found")
        for keys in (("/",), ("escape",), ("T",), ("escape",), ("v",), ("end",), ("home",)):
            stage.press(*keys)
            await stage.settle()
            harmless(stage)
        stage.press("escape")
        await stage.to("BrowseScreen")
        stage.press("enter")
        await stage.to("EpisodeScreen")
        await stage.until(lambda: stage.screen.dossier is not None, "the episode")
        for key in ("1", "v", "v", "2", "3", "4", "5", "y", "escape", "t", "escape"):
            stage.press(key)
            await stage.settle()
            harmless(stage)
            page = next(iter(stage.screen.query("#page")), None)
            for _ in range(6 if page else 0):
                page.scroll_page_down(animate=False)
                await stage.pilot.pause(0)
                harmless(stage)
        stage.app.post_message(Find("", tuple(ids)))
        await stage.to("CompareScreen")
        for key in ("pagedown", "end", "x", "d"):
            stage.press(key)
            await stage.settle()
            harmless(stage)


@pytest.mark.slow
def test_no_injected_sequence_reaches_a_real_terminal(hostile, tmp_path):
    """The program itself in a pseudo-terminal: watch the corpus, look at the rules, leave by the keys."""
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    command = [sys.executable, "-m", "playpen_tui", "play", "hostile"]
    for role in (hostile.SAYER, hostile.LISTENER):
        command += ["--seat", f"{role}=bot"]
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    env |= {"TERM": "xterm-256color", "TEXTUAL_ANIMATIONS": "none", "PYTHONPATH": str(GAMES.parents[1])}
    child = subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, env=env, cwd=tmp_path, start_new_session=True
    )
    os.close(terminal)
    seen = b""

    def read(seconds: float) -> bool:
        """Take what is drawn; False where nothing more came in this time, or the other end is closed."""
        nonlocal seen
        if not select.select([main], [], [], seconds)[0]:
            return False
        try:
            seen += os.read(main, 65536)
        except OSError:
            return False
        return True

    def then(keys: bytes, awaited: str) -> None:
        """When all is drawn, send keys, and wait until this is drawn because of them."""
        while keys and read(0.5):  # else what is still drawn is taken for an answer, and escape for half a key
            pass
        begin, end = len(seen), time.monotonic() + 60
        if keys:
            os.write(main, keys)
        while awaited.encode() not in seen[begin:] and time.monotonic() < end and child.poll() is None:
            read(0.1)
        while awaited.encode() not in seen[begin:] and read(0.5):  # what it drew before it ended
            pass
        assert awaited.encode() in seen[begin:], (keys, seen[begin:][-3000:].decode(errors="replace"))

    try:
        then(b"", "✓ won")
        then(b"?", "The same instance once more")
        then(b"\x1b", "✓ won")
        then(b"\x1b[17~", "leave")  # F6: into the dialogue
        then(b"\x1b[H", "[@click=app.quit]")
        then(b"\x1b[6~", "before")
        then(b"\x11", "go on with: playpen-tui play hostile")
        assert child.wait(20) == 0
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        os.close(main)
    commands = ("\x1b]0;owned", "\x1b]52;", "\x1b[7777h", "\x1bPowned", "\x9b", "\x9d", "\x00", "\u202e", "\u200b")
    for injected in commands:
        assert injected.encode() not in seen, injected.encode()
