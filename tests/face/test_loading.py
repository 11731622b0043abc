"""What takes a moment is said once a model, and a cancellation reaches what is opened."""

from __future__ import annotations

import asyncio

import pytest

from playpen_tui import loading
from playpen_tui.plain_text import bare


class Bench:
    """Loads whatever it is told to."""

    loading = ""


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(loading, "PATIENCE", 0.01)


async def test_each_model_is_named_once():
    bench, said = Bench(), []

    async def opening():
        for name in ("vllm:a", "vllm:b"):
            bench.loading = name
            await asyncio.sleep(0.1)
        return 7

    assert await loading.told(bench, opening(), said.append) == 7
    assert said == ["loading vllm:a …", "loading vllm:b …"]


async def test_what_is_there_at_once_is_not_spoken_of():
    said = []
    assert await loading.told(Bench(), asyncio.sleep(0, 7), said.append) == 7 and said == []


async def test_errors_come_through():
    async def opening():
        raise LookupError("none")

    with pytest.raises(LookupError):
        await loading.told(Bench(), opening(), print)


async def test_who_gives_up_stops_it():
    stopped = asyncio.Event()

    async def opening():
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    task = asyncio.ensure_future(loading.told(Bench(), opening(), print))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopped.is_set()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("smollm2?temperature=0", "smollm2"),
        ("transformers:/a/b/c.gguf?max_tokens=3", "transformers:c.gguf"),
        ("transformers:~/runs/mine/", "transformers:mine"),
        ("vllm:org/model", "vllm:org/model"),
        ("bot:random", "bot:random"),
        ("human", "human"),
    ],
)
def test_names_are_short_without_losing_who_it_is(name, shown):
    assert bare(name) == shown
