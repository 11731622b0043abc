"""How judging looks at 120×36 and 80×24. Ids, sides and moments are fixed; nothing moves meanwhile."""

from __future__ import annotations

import asyncio
import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from playpen_tui import judging
from playpen_tui.app import PlaypenApp
from playpen_tui.comparing import Side
from playpen_tui.judging import Shown
from playpen_tui.messages import Adjudicate, Go, Judge
from store.errors import LogLocked

spec = importlib.util.spec_from_file_location("queued", Path(__file__).with_name("queued.py"))
queued = importlib.util.module_from_spec(spec)
spec.loader.exec_module(queued)

SIZES = [(120, 36), (80, 24)]
BEFORE = (
    ("describer", "a large animal in Africa that never forgets, with tusks and a long grey nose it drinks through"),
    ("guesser", "rhinoceros"),
    ("describer", "no, it is afraid of mice in cartoons, and a circus may have one"),
)
ONE = Side("1", "elephant (the nose is a trunk, and the only other animal with tusks on land would be a boar)")
OTHER = Side("2", "mammoth (the nose is a trunk, and the other animals with tusks would be a boar or a walrus)")
ENDS = (("guesser", "elephant"), ("describer", "yes"))
SHOWN = Shown("x", "pair", "taboo", "guesser", BEFORE, ONE, OTHER, False, 37, 200)


async def judge(stage) -> None:
    stage.app.post_message(Judge("pairs"))
    await stage.until(lambda: stage.at == "AnnotateScreen" and stage.screen._ready, "an item")


async def pair(stage) -> None:
    await judge(stage)


async def words(stage) -> None:
    await judge(stage)
    stage.press("d")


async def voted(stage) -> None:
    await judge(stage)
    for number, key in enumerate(("1", "@", "3", "4", "2"), 38):
        stage.press(key)
        await stage.until(lambda n=number: stage.screen.shown.number == n and stage.screen._ready, "the next")
    stage.press("f")
    await stage.sees("⚑ flagged")


async def comment(stage) -> None:
    await judge(stage)
    stage.press("c")
    stage.type("the left one says why")
    await stage.sees("comment ▸ the left one says why")
    await stage.until(lambda: stage.bench.rows("SELECT text FROM drafts"), "the draft")


async def unsaved(stage) -> None:
    async def refuse(self, verdict, **how):
        raise LogLocked("another process has kept the log locked for 30 s; wait for it, or stop it")

    judging.Judging.vote = refuse
    await judge(stage)
    stage.press("1")
    await stage.sees("✗ not saved")


async def endings(stage) -> None:
    await judge(stage)


async def finished(stage) -> None:
    stage.app.post_message(Judge("pairs"))
    await stage.sees("You have judged all")


async def the_list(stage) -> None:
    stage.app.post_message(Go("queues"))
    await stage.sees("wait for you")


async def empty(stage) -> None:
    stage.app.post_message(Go("queues"))
    await stage.sees("No pairs wait")


async def disputed(stage) -> None:
    stage.app.post_message(Adjudicate("pairs"))
    await stage.sees("disputed · 1/2")


SCENES = {
    one.__name__: one for one in (pair, words, voted, comment, unsaved, endings, finished, the_list, empty, disputed)
}
SHOTS = [(scene, size) for scene in SCENES for size in SIZES]


def prepared(stage, scene: str) -> None:
    async def make() -> None:
        log = await queued.played(stage.bench)
        await stage.bench.people.give_consent("local")
        if scene == "empty":
            return
        made = queued.queue(log, judges=3)
        queued.says(log, made, "amber-otter-417", "a", comment="the left one is what was meant")
        queued.says(log, made, "merry-mole-221", "a", 4)
        queued.says(log, made, "merry-mole-221", "b", 2, "both could be meant, and this one is shorter")
        if scene == "finished":
            queued.says(log, made, await stage.bench.people.pseudonym(), "tie")
        queued.queue(log, "more of them", 4)

    asyncio.run(make())
    asyncio.run(stage.bench.close())


@pytest.mark.parametrize(
    ("scene", "size"), SHOTS, ids=[f"{scene}-{width}x{height}" for scene, (width, height) in SHOTS]
)
def test_looks_as_it_did(stage, snap_compare, monkeypatch, scene, size):
    prepared(stage, scene)
    shown = SHOWN
    if scene == "endings":
        shown = replace(SHOWN, kind="endings", left=replace(ONE, goes_on=ENDS), right=replace(OTHER, goes_on=ENDS * 6))
    monkeypatch.setattr(judging, "_shown", lambda log, reserved: replace(shown, number=reserved.number + 36))
    monkeypatch.setattr(judging, "revealed", lambda log, id: "bot:competent · won · score 100 · 9 characters")
    monkeypatch.setattr(judging.Judging, "vote", judging.Judging.vote)  # put back what a scene changes
    stage.app = PlaypenApp(stage.bench)
    stage.app.animation_level = "none"

    async def before(pilot) -> None:
        stage.pilot = pilot
        await SCENES[scene](stage)
        await stage.settle()
        pace = getattr(stage.screen, "pace", None)
        if pace is not None:
            pace._marks.clear()
            pace._marks.append(0.0)
            stage.screen._draw()
        await stage.still()

    assert snap_compare(stage.app, terminal_size=size, run_before=before)
