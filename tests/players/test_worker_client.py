"""The parts of vLLM's worker that need no vLLM, and its client against a worker that only pretends."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from games.engine import Message
from players.backends import worker as clients
from players.base import Called, PlayerError
from players.workers import vllm_ as worker

PRETENDED = """
import json, sys
tell = lambda **what: print(json.dumps(what), flush=True)
wanted = json.loads(sys.stdin.readline())
if wanted["model"] == "broken":
    tell(failed={"kind": "server", "message": "vLLM could not load broken: no"})
    sys.exit(1)
if wanted["model"] == "dead":
    sys.exit(3)
tell(ready={"adapters": True, "version": "0", "dtype": "bfloat16", "context": 8})
for line in sys.stdin:
    asked = json.loads(line)
    name = asked["id"]
    if asked["op"] == "cancel":
        print("cancelled " + name, file=sys.stderr, flush=True)
    elif asked["op"] == "generate":
        words = asked["messages"][-1]["content"]
        if words == "long":
            tell(error={"id": name, "kind": "too_long", "message": "the dialogue has 9 tokens"})
        elif words == "wait":
            tell(deltas=[[name, "a be"]])
        elif words == "die":
            sys.exit(1)
        else:
            tell(deltas=[[name, "<think>hm</think>"], ["other", "x"]])
            seen = [asked["adapter"], asked["template"], asked["sampling"], asked.get("structured")]
            tell(deltas=[[name, json.dumps(seen)]])
            tell(done={"id": name, "finish": "stop", "tokens_in": 3, "tokens_out": 2, "token_ids": [5, 6],
                       "logprobs": [-1.0, -2.0], "text": "", "cached": 1})
"""


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    script = tmp_path / "worker.py"
    script.write_text(PRETENDED)
    monkeypatch.setitem(clients.SCRIPTS, "vllm", script)

    async def made(model: str = "m") -> clients.WorkerClient:
        return clients.WorkerClient(await clients.start("vllm", Path(sys.executable), {"model": model}, 20), model)

    return made


async def ask(one: clients.WorkerClient, text: str, sampling=None, **more):
    heard = []
    call = one.complete((Message("user", text),), sampling or {}, role="x", emit=heard.append, **more)
    return await call, heard


async def test_a_reply_has_all_that_the_worker_says(client):
    base = await client()
    tuned = base.with_adapter("/a")
    call, heard = await ask(tuned, "hello", {"temperature": 0, "thinking": False, "top_p": None}, grammar="root ::= x")
    assert json.loads(call.text) == [
        "/a",
        {"enable_thinking": False},
        {"temperature": 0},
        {"grammar": "root ::= x"},
    ]
    assert call.reasoning == "hm" and call.token_ids == (5, 6) and call.logprobs == (-1.0, -2.0)
    assert (call.tokens_in, call.tokens_out, call.finish, call.raw["cached_tokens"]) == (3, 2, "stop", 1)
    assert heard[-1] == Called("x", call)
    await base.aclose()
    assert base.engine.alive
    await tuned.aclose()
    assert not base.engine.alive


async def test_failures_are_named_and_logged(client):
    one = await client()
    with pytest.raises(PlayerError, match="the dialogue has 9 tokens") as failure:
        await ask(one, "long")
    assert failure.value.kind == "too_long"
    with pytest.raises(PlayerError, match="did not finish within"):
        await ask(one, "wait", deadline=0.2)
    with pytest.raises(PlayerError) as gone:
        await ask(one, "die")
    assert gone.value.kind == "gone"
    assert "has ended" in gone.value.message and not one.engine.alive
    call, _ = await ask(one, "hello")  # the next request starts it anew
    assert call.tokens_out == 2 and one.engine.alive
    await one.aclose()


async def test_cancelling_tells_the_worker_and_keeps_what_had_come(client, tmp_path: Path):
    one = await client()
    heard = []
    call = one.complete((Message("user", "wait"),), {}, role="x", emit=heard.append)
    task = asyncio.create_task(call)
    while not any(getattr(event, "text", "") for event in heard):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (heard[-1].call.finish, heard[-1].call.text) == ("cancelled", "a be")
    await one.aclose()
    assert "cancelled 1" in (tmp_path / "playpen-tui" / "log" / "vllm.log").read_text()


@pytest.mark.parametrize(("model", "said"), [("broken", "could not load broken"), ("dead", "ended while it loaded")])
async def test_a_worker_that_does_not_start_says_why(client, model: str, said: str):
    with pytest.raises(PlayerError, match=said):
        await client(model)


def test_memory_is_for_full_contexts_within_bounds():
    small = {"num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3, "hidden_size": 576}
    assert worker.cache_bytes(small, 2048, 64, 64 * worker.GIB) == 2 * 2 * 30 * 3 * 64 * 2048 * 64
    assert worker.cache_bytes(small, 2048, 64, 3 * worker.GIB) == worker.GIB
    assert worker.cache_bytes({}, 64, 1, 0) == worker.GIB // 4


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("flags\t\t: fpu avx2 avx512f avx512_bf16\n", "bfloat16"),
        ("flags\t\t: fpu avx2 fma\nbugs: avx512_bf16\n", "float32"),
        ("Features\t: fp asimd bf16\n", "bfloat16"),
        ("processor: 0\n", "bfloat16"),
        (None, "bfloat16"),
    ],
)
def test_numbers_are_what_the_processors_are_made_for(tmp_path, said, kind):
    if said is not None:
        (tmp_path / "cpuinfo").write_text(said)
    assert worker.number_format(tmp_path / "cpuinfo") == kind


def test_memory_is_that_of_the_smallest_node(tmp_path):
    whole = worker.free_memory(tmp_path)
    for name, text in (("node0", "Node 0 MemFree:  20480 kB"), ("node1", "Node 1 MemFree:  0 kB"), ("node2", "?")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "meminfo").write_text(text)
    assert worker.free_memory(tmp_path) == 20480 * 1024 < whole


def test_the_environment_keeps_what_the_user_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for name in ("OMP_NUM_THREADS", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VLLM_CPU_OMP_THREADS_BIND", "0-3")
    found = worker.environment({"model": str(tmp_path), "threads": 2})
    assert found["OMP_NUM_THREADS"] == "2" and found["HF_HUB_OFFLINE"] == "1"
    assert "VLLM_CPU_OMP_THREADS_BIND" not in found
    assert "HF_HUB_OFFLINE" not in worker.environment({"model": "org/name"})


def test_room_for_adapters_is_made_by_their_rank(tmp_path: Path):
    assert "enable_lora" not in worker.arguments({"model": "m"}, on_cpu=False)
    (tmp_path / "adapter_config.json").write_text('{"r": 20, "rank_pattern": {"q": 40}}')
    told = worker.arguments({"model": "m", "adapter": str(tmp_path)}, on_cpu=False)
    assert told["enable_lora"] and told["max_lora_rank"] == 64 and told["max_loras"] == worker.ADAPTERS
    assert worker.arguments({"model": "m", "adapter": str(tmp_path)}, on_cpu=True)["max_loras"] == worker.ADAPTERS + 1
    with pytest.raises(worker.Refused) as failure:
        worker.arguments({"model": "m", "adapter": str(tmp_path / "no")}, on_cpu=False)
    assert failure.value.kind == "not_found"
