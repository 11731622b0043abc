"""How it looks to play from two terminals: an open seat with its code, the guest's seat, what became of it, the dialog.

The other terminal is another workbench over the same file; the code is one that was chosen.
"""

from __future__ import annotations

import asyncio

import pytest
from textual.widgets import Input

from playpen_tui import terminals
from playpen_tui.app import PlaypenApp
from playpen_tui.sitting import Setup
from playpen_tui.widgets.seats import Seats

CODE = "KTR-WQM"
WIDE, SMALL = (120, 36), (80, 24)
TABLE = Setup("taboo", {"describer": "human", "guesser": f"human@{CODE}"}, instance="high-en-004", seed=1)


async def waiting(stage) -> None:
    """Whoever opened the table, before anybody has joined."""
    await stage.my_turn("describer")
    await stage.sees("Nobody has taken the seat")


async def joined(stage) -> None:
    """The guest, in the middle of a word."""
    await stage.my_turn("guesser")
    stage.type("libr")
    await stage.until(lambda: stage.draft == "libr", "the draft")


async def given_away(stage) -> None:
    """The guest, whose seat went to a bot while they wrote."""
    await joined(stage)
    await stage.sitting.shared.log.withdraw(CODE)
    await stage.sees("Your seat was given to another player")


async def dialog(stage) -> None:
    """Who shall sit where: the guesser's seat is open to another terminal."""
    await stage.my_turn("describer")
    await stage.sees("Nobody has taken the seat")
    stage.press("f3")
    await stage.to("SeatsDialog")
    stage.press("shift+tab", "down")
    await stage.sees("bot:random")
    await stage.settle()


SCENES = {"waiting": waiting, "joined": joined, "given_away": given_away, "dialog": dialog}


async def lay(bench, other) -> None:
    """The table that a guest joins: laid by another, who has said something."""
    await other.people.give_consent("local")
    table = await other.deal(TABLE)
    table.say({"clue": "stories wait there in rows"})
    playing = asyncio.create_task(table.play())
    async with asyncio.timeout(20):
        while table.match.ply < 1:
            await asyncio.sleep(0.01)
    playing.cancel()
    await asyncio.wait((playing,))
    await other.close()
    await bench.people.give_consent("local", Setup("", join=CODE))
    await bench.close()


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["120x36", "80x24"])
@pytest.mark.parametrize("scene", SCENES)
def test_looks_as_it_did(stage, snap_compare, monkeypatch, tmp_path, scene, size):
    monkeypatch.setattr(Seats.__init__, "__defaults__", (lambda: 100.0,))
    monkeypatch.setattr(terminals, "AWAY", 1e9)
    if scene in ("joined", "given_away"):
        monkeypatch.setattr(terminals.Host, "there", True)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "host"))
        asyncio.run(lay(stage.bench, type(stage.bench)(stage.bench.path)))
        setup = Setup("", join=CODE)
    else:
        asyncio.run(stage.bench.people.give_consent("local"))
        setup = TABLE
    stage.app = PlaypenApp(stage.bench, setup)
    stage.app.animation_level = "none"

    async def before(pilot) -> None:
        stage.pilot = pilot
        await SCENES[scene](stage)
        for line in stage.screen.query(Input):
            line.cursor_blink = False
        await stage.settle()

    assert snap_compare(stage.app, terminal_size=size, run_before=before)
