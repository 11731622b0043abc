"""How the screens look: one picture a scene, at 120×36 and 80×24.

All that could differ between two runs is fixed: instances of the frozen benchmark, scripted replies, the clock of
the seats, the cursor, what Home tells. After a change on purpose: look at the pictures, then `--snapshot-update`.
"""

from __future__ import annotations

import asyncio

import pytest
from textual.widgets import Input

from players.base import PlayerError
from playpen_tui.app import PlaypenApp
from playpen_tui.overview import Overview, Recent, Unfinished
from playpen_tui.sitting import Setup
from playpen_tui.widgets.seats import Seats

MODEL = "scripted"
WIDE, SMALL = (120, 36), (80, 24)
DESCRIBER = Setup("taboo", {"describer": "human", "guesser": MODEL}, instance="high-en-004", seed=1)
GUESSER = Setup("taboo", {"describer": MODEL, "guesser": "human"}, instance="high-en-004", seed=1)
WORDLE = Setup("wordle_withclue", {"guesser": "human"}, instance="high-en-001", seed=1)
CRITIC = Setup("wordle_withcritic", {"guesser": MODEL, "critic": "human"}, instance="high-en-001", seed=1)
PICTURES = "letter_grids-en-001"
DRAWER = Setup("referencegame", {"describer": "human", "guesser": MODEL}, instance=PICTURES, seed=1)
CHOOSER = Setup("referencegame", {"describer": MODEL, "guesser": "human"}, instance=PICTURES, seed=1)
PEOPLE = Setup("taboo", {"describer": "human", "guesser": "human"}, instance="high-en-004", seed=1)
REPLIES = {
    "describer": ["CLUE: a silent house where stories wait in rows", "CLUE: one borrows there"],
    "guesser": ["GUESS: museum", "GUESS: library"],
}
PAST = Overview(
    "episodes.sqlite · 1,204 episodes",
    DESCRIBER,
    (
        Unfinished("01J", "wordle_withclue · you · turn 4 · yesterday"),
        Unfinished("01H", "taboo · you · smollm2 · turn 3 · 2026-11-02"),
    ),
    (
        Recent("a", "taboo", ("you", "smollm2"), "success", "guessed · 50", "10:41"),
        Recent("b", "wordle", ("openai:qwen2.5-7b",), "failure", "rounds · 0", "10:02"),
        Recent("c", "taboo", ("llama", "bot:competent"), "aborted", "format", "09:58"),
        Recent("d", "referencegame", ("you", "smollm2"), "success", "right · 100", "yesterday"),
    ),
)


async def nothing(stage) -> None:
    """As it opens."""
    await stage.settle()


async def describing(stage) -> None:
    await stage.my_turn("describer")
    await stage.say("stories wait there in rows")
    await stage.my_turn("describer")


async def forbidden(stage) -> None:
    await describing(stage)
    stage.type("a house to read in")
    await stage.sees("✗")


async def over(stage) -> None:
    await describing(stage)
    await stage.say("one borrows there")
    await stage.over()


async def thinking(stage) -> None:
    stage.bench.hold = asyncio.Event()
    await stage.my_turn("describer")
    stage.bench.models[0].hold = stage.bench.hold
    await stage.say("stories wait there in rows")
    await stage.sees("writing", "▏", "esc stop")


async def trouble(stage) -> None:
    await stage.my_turn("describer")
    error = "127.0.0.1:8080 refuses connections: start the server, or give the seat to another player"
    stage.bench.models[0].fail = PlayerError("refused", error)
    await stage.say("stories wait there in rows")
    await stage.sees("⊘")


async def guessing(stage) -> None:
    await stage.my_turn("guesser")
    await stage.say("museum")
    await stage.my_turn("guesser")
    stage.type("libr")
    await stage.until(lambda: stage.draft == "libr", "the draft")


async def wordle(stage) -> None:
    for word in ("crane", "argue"):
        await stage.my_turn()
        await stage.say(word)
    await stage.my_turn()
    stage.type("agr")
    await stage.sees("3 of 5 letters")


async def judging(stage) -> None:
    await stage.my_turn("critic")
    stage.press("2")
    await stage.settle()


async def drawing(stage) -> None:
    await stage.my_turn("describer")


async def choosing(stage) -> None:
    await stage.my_turn("guesser")
    stage.press("2")
    await stage.settle()


async def picking(stage) -> None:
    await stage.to("PickScreen")
    await stage.sees("bot:random", "Reference game")


async def helping(stage) -> None:
    await stage.my_turn("describer")
    stage.press("?")
    await stage.sees("Ask again")
    await stage.still()


async def home(stage) -> None:
    await stage.to("HomeScreen")
    await stage.sees("Play", "enter")


async def consent(stage) -> None:
    await stage.to("Choose")
    await stage.sees("not recorded at all")


async def curtain(stage) -> None:
    await stage.to("Curtain")
    await stage.sees("Hand the terminal to")


async def light(stage) -> None:
    await forbidden(stage)
    stage.app.theme = "playpen-light"
    await stage.settle()


SCENES = {
    "taboo_describer": (DESCRIBER, describing),
    "taboo_forbidden": (DESCRIBER, forbidden),
    "taboo_end": (DESCRIBER, over),
    "taboo_writing": (DESCRIBER, thinking),
    "taboo_trouble": (DESCRIBER, trouble),
    "taboo_guesser": (GUESSER, guessing),
    "taboo_light": (DESCRIBER, light),
    "wordle": (WORDLE, wordle),
    "critic": (CRITIC, judging),
    "reference_describer": (DRAWER, drawing),
    "reference_guesser": (CHOOSER, choosing),
    "curtain": (PEOPLE, curtain),
    "consent": (DESCRIBER, consent),
    "help": (DESCRIBER, helping),
    "picker": (None, picking),
    "home_empty": (None, home),
    "home": (None, home),
}
BOTH = [
    *("taboo_describer", "taboo_forbidden", "taboo_end", "taboo_guesser", "wordle"),
    *("reference_describer", "reference_guesser", "consent", "home", "picker"),
]
SMALL_ONLY = ["taboo_writing", "taboo_trouble", "critic"]
SHOTS = [
    *((scene, WIDE) for scene in SCENES if scene not in SMALL_ONLY),
    *((scene, SMALL) for scene in (*BOTH, *SMALL_ONLY)),
]


@pytest.mark.parametrize(
    ("scene", "size"), SHOTS, ids=[f"{scene}-{width}x{height}" for scene, (width, height) in SHOTS]
)
def test_looks_as_it_did(stage, snap_compare, monkeypatch, scene, size):
    setup, act = SCENES[scene]
    bench = stage.bench
    monkeypatch.setattr(Seats.__init__, "__defaults__", (lambda: 100.0,))
    said = {role: iter(texts) for role, texts in REPLIES.items()}
    bench.model_name = "smollm2"
    bench.say = (lambda ask: next(said[ask.role])) if setup is not None and setup.game == "taboo" else None
    if scene != "consent":
        asyncio.run(bench.people.give_consent("local"))
    if scene == "home":

        async def overview() -> Overview:
            return PAST

        monkeypatch.setattr(bench, "overview", overview)
    stage.app = PlaypenApp(bench, setup, picker=scene == "picker")
    stage.app.animation_level = "none"

    async def before(pilot) -> None:
        stage.pilot = pilot
        await act(stage)
        for line in stage.screen.query(Input):
            line.cursor_blink = False
        await stage.settle()

    assert snap_compare(stage.app, terminal_size=size, run_before=before)
