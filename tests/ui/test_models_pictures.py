"""How the models room looks, at 120×36 and 80×24: one picture a scene.

Who is there and how their tests went is fixed. After a change on purpose: look at the pictures, `--snapshot-update`.
"""

from __future__ import annotations

import asyncio

import pytest
from textual.widgets import Input, OptionList

from players.backends.discovery import Server
from players.known import of_server
from players.registry import ModelEntry, Registry
from players.trying import Step, Trial
from playpen_tui import workbench
from playpen_tui.app import PlaypenApp

SIZES = [(120, 36), (80, 24)]
OLLAMA = Server("ollama", "http://127.0.0.1:11434/v1", ("llama3.2:1b", "qwen2.5:7b-instruct-q4_K_M"))
VLLM = Server("vllm", "http://127.0.0.1:8000/v1", ("meta-llama/Llama-3.1-8B-Instruct",))
OWN = (
    ModelEntry(
        "desk",
        "openai",
        "qwen2.5:7b",
        base_url="http://127.0.0.1:11434/v1",
        sampling={"temperature": 0.0, "max_tokens": 300},
        description="the one on the desk",
    ),
    ModelEntry(
        "far",
        "openai",
        "gpt-x-2026",
        base_url="https://far.example/v1",
        api_key_env="FAR_KEY",
        price_in=0.15,
        price_out=0.6,
        description="a far one, which costs money",
    ),
)
PASSED = Trial(
    "desk",
    steps=(
        Step("ping", "ok", "127.0.0.1:11434 answers in 12 ms and has the model among 2"),
        Step("stream", "ok", "first token after 240 ms, 38 tokens/s, in 61 pieces"),
        Step("stop", "ok", "stopped in 0.6 ms, and the next request took 290 ms"),
    ),
    text="one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen, fifteen",
)
FAILED = Trial(
    "far",
    steps=(
        Step("ping", "ok", "far.example answers in 80 ms and has the model among 31"),
        Step(
            "stream", "failed", "the whole reply came in one piece: this server, or a proxy before it, does not stream"
        ),
    ),
    text="one, two, three, four, five, six",
)


async def go(stage, spec: str) -> None:
    """The cursor to this one."""
    box = stage.screen.query_one(OptionList)
    places = {known.spec: str(number) for number, known in enumerate(stage.screen._known)}
    box.highlighted = box.get_option_index(places[spec])
    await stage.until(lambda: stage.screen.chosen.spec == spec, spec)


async def listed(stage) -> None:
    await go(stage, "far")
    await stage.sees("a far one")


async def empty(stage) -> None:
    await stage.sees("none yet")


async def passed(stage) -> None:
    stage.bench.trials |= {"desk": PASSED, "far": FAILED}
    stage.screen._fill(at="desk")
    await stage.sees("test passed")


async def failed(stage) -> None:
    await passed(stage)
    await go(stage, "far")
    await stage.sees("test failed")


async def form(stage) -> None:
    await go(stage, "openai:llama3.2:1b?base_url=http://127.0.0.1:11434/v1")
    stage.press("a")
    await stage.to("FormScreen")
    await stage.settle()
    stage.type("llama-here")
    await stage.sees("llama-here")


async def form_with_error(stage) -> None:
    await form(stage)
    next(one for one in stage.screen.query(Input) if one.key == "base_url").focus()
    stage.press("ctrl+u")
    stage.type("localhost:11434")
    await stage.sees("✗ address must be http://HOST:PORT/v1")


async def form_with_key(stage) -> None:
    await form(stage)
    next(one for one in stage.screen.query(Input) if one.key == "api_key_env").focus()
    stage.type("sk-planted-0123456789abcdef")
    await stage.sees("✗ key variable holds what looks like a key")


async def change(stage) -> None:
    await go(stage, "far")
    stage.press("e")
    await stage.sees("Change far")


async def remove(stage) -> None:
    await go(stage, "far")
    stage.press("d")
    await stage.sees("Take far out of")


SCENES = {
    "empty": empty,
    "list": listed,
    "passed": passed,
    "failed": failed,
    "form": form,
    "form_with_error": form_with_error,
    "form_with_key": form_with_key,
    "change": change,
    "remove": remove,
}


@pytest.mark.parametrize("size", SIZES, ids=[f"{width}x{height}" for width, height in SIZES])
@pytest.mark.parametrize("scene", SCENES)
def test_looks_as_it_did(stage, snap_compare, monkeypatch, scene, size):
    monkeypatch.setenv("XDG_CONFIG_HOME", "config")  # the same path in every run
    monkeypatch.setenv("FAR_KEY", "sk-planted-0123456789abcdef")
    monkeypatch.setattr(workbench, "built_in_ready", lambda: True)
    bench = stage.bench
    bench._registry = Registry.load()
    if scene != "empty":
        for entry in OWN:
            bench.registry.add(entry)

    async def served():
        there = () if scene == "empty" else (OLLAMA, VLLM)
        return [of_server(server, model) for server in there for model in server.models]

    monkeypatch.setattr(bench, "served", served)
    asyncio.run(bench.people.give_consent("local"))
    stage.app = PlaypenApp(bench)
    stage.app.animation_level = "none"

    async def before(pilot) -> None:
        stage.pilot = pilot
        await stage.to("HomeScreen")
        stage.press("m")
        await stage.to("ModelsScreen")
        await stage.until(lambda: not stage.screen._looking, "the servers looked for")
        await SCENES[scene](stage)
        await stage.still()

    assert snap_compare(stage.app, terminal_size=size, run_before=before)
