"""Write a small log as this version writes it, to be kept forever: `python tests/store/freeze.py 0.1.0`.

Run it once for every release that changed the schema. The file in `frozen/` is never written again; the tests open it
with every later version, and compare its tables with a new log's while no migration has been added.
"""

from __future__ import annotations

import asyncio
import gzip
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from tiny_game import Script, new_match, train  # noqa: E402

from players.base import PlayerError  # noqa: E402
from players.driver import drive  # noqa: E402
from players.ports import Place  # noqa: E402
from store.log import Log  # noqa: E402


async def play(path):
    """One won, one aborted, one unfinished episode, with calls and a person."""
    async with Log.open(path, split_of=train) as log:
        run = log.new_run("play", {"frozen": True}, seed=1, app_version="frozen")
        me = log.people.add("public", id="amber-otter-417").id
        human = {"kind": "human", "name": me, "person": me}
        for slot, (asker, teller) in enumerate(
            [
                (Script("is it round?", "win", kind="model", name="m", calls=True), Script("yes", **human)),
                (Script("!", "!"), Script()),
                (Script("one", **human), Script("zwölf")),
            ]
        ):
            try:
                await drive(
                    new_match(), {"asker": asker, "teller": teller}, log.recorder, place=Place(run=run, slot=slot)
                )
            except PlayerError:
                assert slot == 2


def main():
    to = HERE / "frozen" / f"{sys.argv[1]}.sqlite.gz"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "e.sqlite"
        asyncio.run(play(path))
        to.parent.mkdir(exist_ok=True)
        with to.open("xb") as file:
            file.write(gzip.compress(path.read_bytes(), mtime=0))
    print(to)


if __name__ == "__main__":
    main()
