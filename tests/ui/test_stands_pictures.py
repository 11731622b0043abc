"""How the stands look at 120×36 and 80×24: the list, four and eight boards, one opened, held, a replay, nothing.

Matches are played by scripts to a fixed ply, moments and ids are fixed; while a picture is taken nothing runs.
"""

from __future__ import annotations

import asyncio

import pytest

from games import catalog
from games.engine import Match
from players.base import Thinking, Token
from playpen_tui import programme as listing
from playpen_tui.app import PlaypenApp
from playpen_tui.doing import Doing
from playpen_tui.programme import Item
from playpen_tui.screens import stands
from playpen_tui.screens.spectate import SpectateScreen
from playpen_tui.screens.stands import StandsScreen
from playpen_tui.stands import ReplayStand
from playpen_tui.watching import Listeners, Watched, headline

SIZES = [(120, 36), (80, 24)]
TABOO = [
    ("describer", "CLUE: a silent house where stories wait in rows"),
    ("guesser", "GUESS: museum"),
    ("describer", "CLUE: one borrows there, and brings back after some weeks what was lent"),
]
WORDLE = ["crane", "slate", "moist", "pudgy", "fleck"]


def taboo(plies: int) -> Match:
    game = catalog.get("taboo")
    instance = next(one for one in catalog.instances(game) if one.name == "high-en-004")
    match = Match.new(game, instance, 1)
    for _, text in TABOO[:plies]:
        match = match.play(text)
    return match


def wordle(plies: int, name: str = "wordle") -> Match:
    game = catalog.get(name)
    match = Match.new(game, catalog.instances(game)[0], 1)
    for word in WORDLE[:plies]:
        match = match.play(match.game.compose(match.state, "guesser", {"guess": word, "explanation": "letters"}))
    return match


def pictures() -> Match:
    game = catalog.get("referencegame")
    instance = next(one for one in catalog.instances(game) if one.name == "letter_grids-en-001")
    return Match.new(game, instance, 1)


def board(number: int, match: Match, state: str = "playing", **more) -> Watched:
    names = dict(zip(match.game.roles, ("qwen2.5-1.5b", "smollm2"), strict=False))
    return Watched(f"board{number}", match, names, f"01J{number}", state, doing=Doing(lambda: 100.0), **more)  # type: ignore[arg-type]


def boards() -> list[Watched]:
    found = [
        board(1, taboo(2)),
        board(2, wordle(5)),
        board(3, pictures()),
        board(4, taboo(0), "failed", error="127.0.0.1:8080 refuses connections: start the server", ended_at=1.0),
        board(5, taboo(3), bookmarked=True),
        board(6, wordle(2, "wordle_withclue")),
        board(7, wordle(1)),
        board(8, taboo(1), "held"),
    ]
    for word in ("CLUE: ", "one ", "borrows ", "there, ", "and ", "brings "):
        found[0].doing.hear(Token("describer", word))
    found[1].doing.hear(Thinking("guesser"))
    return found


class Standing(Listeners):
    """A stand on which nothing moves by itself."""

    title = "self-play 01JD2Q8ZK4"
    abilities = frozenset({"hold", "stop", "seat", "bookmark"})

    def __init__(self, offered: list[Watched]) -> None:
        super().__init__()
        self._offered = offered

    def head(self, width: int = 1000) -> str:
        counts = ("812 of 2,000 done", "8 running", "3 failed")
        return headline((self.title, "01JD2Q8ZK4", ""), counts, ("41/s", "1,140 tok/s", "ETA 6 min"), width)

    def offered(self) -> list[Watched]:
        return self._offered

    async def follow(self) -> None:
        return None


def replay(*numbers: int) -> ReplayStand:
    found = []
    for number in numbers:
        steps = [taboo(ply) for ply in range(4)] if number % 2 else [wordle(ply) for ply in range(6)]
        found.append(board(number, steps[2], steps=steps, running=False))
    return ReplayStand(found)


ITEMS = [
    Item("running", "01JD2Q8ZK4A", "running", "taboo, wordle, referencegame", "qwen2.5-1.5b · smollm2",
         "812 of 2,000 · 14 running · 3 failed", "6 min ago"),
    Item("runs", "01JD2Q8ZK3A", "killed", "taboo", "smollm2", "12 of 40 · 0 failed", "3 h ago"),
    Item("runs", "01JD2Q8ZK2A", "done", "wordle_withclue", "llama", "40 of 40 · 0 failed", "2 days ago"),
    Item("bookmarked", "01JD2Q8ZK1A", "success", "taboo", "you · smollm2", "guessed · 50", "yesterday", True),
    Item("episodes", "01JD2Q8ZK5A", "failure", "wordle", "qwen2.5-7b", "rounds · 0", "10:02"),
    Item("episodes", "01JD2Q8ZK6A", "aborted", "taboo", "llama · bot:competent", "format", "09:58"),
    Item("episodes", "01JD2Q8ZK7A", "unfinished", "referencegame", "you · smollm2", "turn 2", "09:41"),
]  # fmt: skip


async def nothing(stage) -> None:
    """As it opens."""


async def opened(stage) -> None:
    stage.press("1")
    await stage.sees("esc all")


async def both(stage) -> None:
    stage.press("v", "v", "v")
    await stage.sees("eyes: both seats")


async def held(stage) -> None:
    stage.press("space")
    await stage.sees("held, 0")
    (first, *_) = stage.screen.stand.offered()
    first.match = first.match.play(TABOO[2][1])
    stage.screen.stand.tell(first)
    await stage.sees("held, 1")


async def filtered(stage) -> None:
    stage.type("smollm2 taboo")
    await stage.until(lambda: "wordle_withclue" not in stage.text, "fewer rows")


SCENES = {
    "list": (ITEMS, nothing),
    "list_filtered": (ITEMS, filtered),
    "list_empty": ([], nothing),
    "four": (lambda: Standing(boards()[:4]), nothing),
    "eight": (lambda: Standing(boards()), nothing),
    "both": (lambda: Standing(boards()[:2]), both),
    "opened": (lambda: Standing(boards()), opened),
    "held": (lambda: Standing(boards()[:4]), held),
    "replay": (lambda: replay(5), nothing),
    "replay_four": (lambda: replay(1, 2, 3, 4), nothing),
    "empty": (lambda: Standing([]), nothing),
}
SHOTS = [(scene, size) for scene in SCENES for size in SIZES]


@pytest.mark.parametrize(
    ("scene", "size"), SHOTS, ids=[f"{scene}-{width}x{height}" for scene, (width, height) in SHOTS]
)
def test_looks_as_it_did(stage, snap_compare, monkeypatch, scene, size):
    shown, act = SCENES[scene]
    asyncio.run(stage.bench.people.give_consent("local"))
    stage.app = PlaypenApp(stage.bench)
    stage.app.animation_level = "none"

    async def rows(bench) -> list[Item]:
        return shown

    monkeypatch.setattr(stands, "programme", rows)
    assert listing.programme is not rows

    async def before(pilot) -> None:
        stage.pilot = pilot
        if callable(shown):
            stage.app.push_screen(SpectateScreen(stage.bench, shown()))
            await stage.to("SpectateScreen")
            count = len(stage.screen.stand.offered())
            await stage.until(lambda: len(stage.screen._shown) == count, "the boards")
        else:
            stage.app.push_screen(StandsScreen(stage.bench))
            await stage.to("StandsScreen")
            await stage.until(lambda: stage.screen._items is not None, "the rows")
        await stage.settle()
        await act(stage)
        for line in stage.screen.query("Input"):
            line.cursor_blink = False
        await stage.settle()

    assert snap_compare(stage.app, terminal_size=size, run_before=before)
