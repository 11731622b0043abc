"""Items of a queue as a step of a study, in lines."""

from __future__ import annotations

import asyncio

import pytest
from judged_log import played, queue_of

from playpen_tui.plain_play import Ended
from playpen_tui.plain_study import _Study
from playpen_tui.study import take_part
from playpen_tui.study_file import parse_study
from playpen_tui.study_items import some_items
from playpen_tui.workbench import Workbench
from store.errors import Unknown

STUDY = {
    "name": "judging",
    "quota": 3,
    "consent": {"text": "May we?"},
    "judge": {"queue": "first", "items": 4},
    "questions": [{"id": "how", "text": "How did you judge?"}],
}


class Lines:
    """A keyboard that has been written to already."""

    def __init__(self, *lines: str) -> None:
        self._lines = list(lines)

    async def line(self) -> str | None:
        return self._lines.pop(0) if self._lines else None


def take(path, *lines, study=STUDY, person="P01"):
    """Take part with these lines; what was said, and whether the input was enough."""
    said: list[str] = []

    async def run():
        async with Workbench(path) as bench:
            taking = await take_part(bench, parse_study(study), person)
            try:
                await _Study(taking, Lines(*lines), said.append).run()
            except Ended:
                return False
            return True

    return asyncio.run(run()), "\n".join(said)


def votes(path):
    from store.log import Log

    with Log.open(path, readonly=True) as log:
        return [row[0] for row in log.reader().execute("SELECT judge FROM verdicts ORDER BY annotation")]


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "e.sqlite"
    with played(place, many=8) as log:
        queue_of(log, 8, repeats=0.0, judges=2)
    return place


def test_so_many_items_and_no_more_and_a_stop_between(path):
    enough, said = take(path, "1", "1", "2")
    assert not enough and len(votes(path)) == 2 and "code" not in said
    enough, said = take(path, "3", "4", "by feeling")
    assert enough and len(votes(path)) == 4 and set(votes(path)) == {"P01"} and "your completion code" in said


def test_a_queue_with_less_than_asked_for_ends_the_step(path):
    study = {**STUDY, "judge": {"queue": "first", "items": 50}}
    enough, said = take(path, "1", *["1"] * 8, "so", study=study)
    assert enough and len(votes(path)) == 8 and "your completion code" in said


def test_a_queue_that_is_not_there_is_said_before_anything(path):
    with pytest.raises(Unknown, match="no queue is called 'frist'; there is first"):
        take(path, study={**STUDY, "judge": {"queue": "frist", "items": 1}})


def test_so_many_items_for_the_screen(path):
    async def run():
        async with Workbench(path) as bench:
            items = await some_items(bench, "first", "P09", 2)
            assert not items.done
            for _ in range(2):
                assert await items.next() is not None
                await items.vote("left")
            assert items.done and await items.next() is None and not items.nothing_left
            await items.undo()
            assert not items.done
            await items.vote("tie")
            assert items.done
            await items.close()

    asyncio.run(run())
    assert len(votes(path)) == 2
