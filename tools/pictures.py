"""Draws the pictures of the README from the running app: `python tools/pictures.py`, with the built-in model installed.

The games are real: the clues are typed by this script, the guesses are the model's.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from pathlib import Path

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
CLUES = ("It is a common pet that barks and chases sticks", "man has no better friend", "it wags its tail")


async def main() -> None:
    """One game of Taboo, saved in the middle."""
    from games import catalog
    from playpen_tui.app import PlaypenApp
    from playpen_tui.messages import Sit
    from playpen_tui.sitting import Setup
    from playpen_tui.workbench import Workbench

    taboo = catalog.get("taboo")
    dog = next(i for i in taboo.instances("en") if i.key == "taboo:en:dog")
    async with Workbench(Path(tempfile.mkdtemp()) / "episodes.sqlite") as bench:
        await bench.people.give_consent("local")
        app = PlaypenApp(bench)
        async with app.run_test(size=(100, 26)) as pilot:
            await pilot.pause(0.5)
            app.post_message(Sit(Setup("taboo", role="describer", partner="smollm2", instance=dog.name, seed=3)))
            await _until(pilot, lambda: getattr(app.screen, "sitting", None) is not None)
            sitting = app.screen.sitting  # type: ignore[attr-defined]
            await _until(pilot, lambda: sitting.waiting_for is not None)
            await pilot.pause(0.5)
            await pilot.press(*"an animal that can live with people in a house", "enter")
            await _until(pilot, lambda: sitting.match.ply == 2)
            await pilot.pause(0.5)
            if not sitting.match.over:
                await pilot.press(*"it guards the house and chases cats")
            await pilot.pause(0.5)
            svg = app.export_screenshot(title="playpen-tui")
    PICTURES.mkdir(parents=True, exist_ok=True)
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.S)  # no fonts from the network
    (PICTURES / "play.svg").write_text(svg, encoding="utf-8")
    print(PICTURES / "play.svg")


async def _until(pilot, true) -> None:  # noqa: ANN001
    for _ in range(1500):
        await pilot.pause(0.02)
        if true():
            return
    raise SystemExit("it never came to that")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as config:
        os.environ["XDG_CONFIG_HOME"] = config
        os.environ["TEXTUAL_ANIMATIONS"] = "none"
        asyncio.run(main())
