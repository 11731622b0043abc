"""How browsing looks: one picture a scene, at 120×36 and 80×24, over a made log whose every byte is the same.

After a change on purpose: look at the pictures, then `--snapshot-update`.
"""

from __future__ import annotations

import asyncio

import pytest
from textual.widgets import Input

from bench.big_log import make
from playpen_tui import listing
from playpen_tui.app import PlaypenApp
from playpen_tui.messages import Find

WIDE, SMALL = (120, 36), (80, 24)
CALLED = "01KDW947000000000047MFC6B8"
"""An episode of Taboo with requests."""


async def listed(stage) -> None:
    await stage.sees("120 found")


async def marked(stage) -> None:
    await stage.sees("120 found")
    stage.press("space", "space", "down", "space")
    await stage.sees("3 marked")


async def found(stage) -> None:
    await stage.sees("found ·", "bako")


async def wrong(stage) -> None:
    await stage.sees("120 found")
    stage.press("/")
    await stage.sees("query ▸")
    stage.type("game:taboo outcome:faliure")
    await stage.sees("did you mean outcome:failure?")


async def writing(stage) -> None:
    await stage.sees("120 found")
    stage.press("/")
    await stage.sees("query ▸")
    stage.type("game:taboo mo")
    await stage.until(lambda: stage.screen.query_one(Input)._suggestion, "a suggestion")


async def views(stage) -> None:
    await stage.sees("found")
    stage.press("v")
    await stage.sees("lost or broken off", "best taboo")
    await stage.still()


async def tagging(stage) -> None:
    await stage.sees("120 found")
    await stage.settle()
    stage.press("t")
    await stage.sees("A word for this episode")
    await stage.settle()


async def nothing(stage) -> None:
    await stage.sees("no episode fits")


def page(key: str):
    async def act(stage) -> None:
        await stage.until(lambda: stage.at == "EpisodeScreen" and stage.screen.dossier is not None, "the episode")
        stage.press(*key)
        await stage.settle()

    return act


async def compared(stage) -> None:
    await stage.to("CompareScreen")
    await stage.sees("first difference")


SCENES = {
    "list": ("", (), listed),
    "list_light": ("", (), listed),
    "list_marked": ("", (), marked),
    "list_found": ("bako game:taboo -outcome:aborted", (), found),
    "query": ("", (), writing),
    "query_wrong": ("", (), wrong),
    "views": ("game:taboo score>50", (), views),
    "tagging": ("", (), tagging),
    "trash": ("in:trash", (), lambda stage: stage.sees("4 found", "in the trash")),
    "nothing": ("game:chess the", (), nothing),
    "empty": ("", (), lambda stage: stage.sees("nothing is in the log yet")),
    "episode": ("", (CALLED,), page("1")),
    "episode_eyes": ("", (CALLED,), page("v")),
    "episode_checks": ("", (CALLED,), page("2")),
    "episode_scores": ("", (CALLED,), page("3")),
    "episode_origin": ("", (CALLED,), page("4")),
    "episode_requests": ("", (CALLED,), page("5")),
    "episode_copy": ("", (CALLED,), page("y")),
    "compare": ("", ("first", "second"), compared),
}
WIDE_ONLY = ["list_light", "episode_copy", "tagging"]
SHOTS = [*((scene, WIDE) for scene in SCENES), *((scene, SMALL) for scene in SCENES if scene not in WIDE_ONLY)]


def prepared(bench) -> dict[str, str]:
    """A log of 124 episodes, four of them in the trash; ids by name."""
    make(bench.path, 124)
    log = asyncio.run(bench.log())
    alike = [row.id for row in log.queries.recent(200, game="taboo")][:2]

    def change(db) -> int:
        db.execute(
            "INSERT INTO trash SELECT id, '2026-01-02' FROM episodes WHERE id NOT IN (?, ?, ?) ORDER BY id LIMIT 4",
            (*alike, CALLED),
        )
        db.execute("INSERT INTO saved_views VALUES ('best taboo', 'game:taboo score>50 sort:score', '2026-01-02')")
        db.execute(  # two of one instance and one opening, which part at the second turn
            "UPDATE episodes SET instance_id = (SELECT instance_id FROM episodes WHERE id = ?1), opening = "
            "(SELECT opening FROM episodes WHERE id = ?1) WHERE id = ?2",
            alike,
        )
        db.execute("INSERT INTO redactions VALUES ('x', NULL, 'a picture', '2026-01-02', NULL)")
        db.execute(
            "UPDATE turns SET (text, says) = (SELECT text, says FROM turns WHERE episode_id = ?1 AND ply = 0) "
            "WHERE episode_id = ?2 AND ply = 0",
            alike,
        )
        return db.execute("DELETE FROM redactions").rowcount

    log.write(change)
    return dict(zip(("first", "second"), alike, strict=True))


@pytest.mark.parametrize(
    ("scene", "size"), SHOTS, ids=[f"{scene}-{width}x{height}" for scene, (width, height) in SHOTS]
)
def test_looks_as_it_did(stage, snap_compare, monkeypatch, scene, size):
    query, episodes, act = SCENES[scene]
    monkeypatch.setattr(listing, "moment", lambda text, now=None: text[5:16].replace("T", " "))
    names = prepared(stage.bench) if scene != "empty" else {}
    asyncio.run(stage.bench.close())
    if scene == "list_light":
        stage.bench.settings.keep(theme="playpen-light")
    find = Find(query, tuple(names.get(id, id) for id in episodes))
    stage.app = PlaypenApp(stage.bench, first=find)
    stage.app.animation_level = "none"

    async def before(pilot) -> None:
        stage.pilot = pilot
        await act(stage)
        for line in stage.screen.query(Input):
            line.cursor_blink = False
        await stage.settle()

    assert snap_compare(stage.app, terminal_size=size, run_before=before)
