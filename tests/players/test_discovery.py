"""Discovery on loopback: who is who, what does not count, and that it costs nothing where nobody listens."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time

import pytest

from players.backends import discovery
from players.backends.discovery import PORTS, Server, addresses, discover, find_llama, is_llama, ollama_address


def listed(*names, **more):
    return {"object": "list", "data": [{"id": name, "object": "model", **more} for name in names]}


async def found(server):
    return await discover([("127.0.0.1", server.port)])


async def test_ollama(server):
    server.paths = {"/v1/models": listed("llama3.2:1b", owned_by="library"), "/api/version": {"version": "0.9.0"}}
    (one,) = await found(server)
    assert one == Server("ollama", server.url, ("llama3.2:1b",))
    assert one.title == f"Ollama at 127.0.0.1:{server.port}"


async def test_llama_server_is_known_by_its_banner_even_with_ollamas_paths(server):
    server.banner = "llama.cpp"
    server.paths = {"/v1/models": listed("m.gguf", owned_by="llamacpp"), "/api/version": {"version": "0.9.0"}}
    assert [one.family for one in await found(server)] == ["llama-server"]


async def test_vllm_with_an_adapter(server):
    server.paths = {"/v1/models": listed("base", "adv", owned_by="vllm"), "/version": {"version": "0.32.0"}}
    assert await found(server) == [Server("vllm", server.url, ("base", "adv"))]


async def test_lm_studio_without_its_embedders(server):
    kinds = {"data": [{"id": "qwen", "type": "llm"}, {"id": "nomic", "type": "embeddings"}]}
    server.paths = {"/v1/models": listed("qwen", "nomic"), "/api/v0/models": kinds, "/api/version": {"error": "no"}}
    assert await found(server) == [Server("lmstudio", server.url, ("qwen",))]


async def test_an_unknown_server_that_lists_models_counts(server):
    server.paths = {"/v1/models": listed("x")}
    assert [one.family for one in await found(server)] == ["other"]


@pytest.mark.parametrize(
    "answer",
    [
        (404, {}),
        (200, "<html>hello</html>"),
        (200, "[1, 2]"),
        (200, {"data": "none"}),
        (500, listed("x")),
        (200, "[" * 100_000),
        (200, "x" * 5_000_000),
    ],
)
async def test_other_programs_on_the_port_do_not_count(server, answer):
    server.paths = {"/v1/models": answer, "/api/version": {"version": "1"}}
    assert await found(server) == []


async def test_odd_entries_are_skipped(server):
    server.paths = {"/v1/models": {"data": [{"id": 3}, "x", {"id": "good"}, {}]}}
    assert [one.models for one in await found(server)] == [("good",)]


async def test_closed_ports_cost_nothing(closed_port):
    began = time.perf_counter()
    assert await discover([("127.0.0.1", closed_port)] * 4) == []
    assert time.perf_counter() - began < discovery.TIMEOUT / 2


async def test_servers_keep_the_order_of_the_addresses(server, closed_port):
    server.paths = {"/v1/models": listed("x")}
    here = ("127.0.0.1", server.port)
    assert [one.base_url for one in await discover([("127.0.0.1", closed_port), here])] == [server.url]


async def test_who_says_nothing_or_drips_is_left_after_a_moment(monkeypatch):
    monkeypatch.setattr(discovery, "TIMEOUT", 0.3)
    monkeypatch.setattr(discovery, "WHOLE", 1.0)
    dripped = []

    def drip(connection):
        try:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while True:
                connection.sendall(b" ")
                dripped.append(1)
                time.sleep(0.1)
        except OSError:
            return

    def accept(sock):
        while True:
            try:
                connection, _ = sock.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as silent, socket.create_server(("127.0.0.1", 0)) as dripping:
        threading.Thread(target=accept, args=(dripping,), daemon=True).start()
        began = time.perf_counter()
        assert await discover([silent.getsockname(), dripping.getsockname()]) == []
        assert 0.9 < time.perf_counter() - began < 4 and len(dripped) > 3


async def test_no_proxy_is_asked(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    server.paths = {"/v1/models": listed("x")}
    assert len(await found(server)) == 1


@pytest.mark.parametrize(
    ("setting", "wanted"),
    [
        ("127.0.0.1:11500", ("127.0.0.1", 11500)),
        ("http://localhost:11500/", ("127.0.0.1", 11500)),
        ("localhost", ("127.0.0.1", 11434)),
        (":11500", ("127.0.0.1", 11500)),
        ("0.0.0.0", ("127.0.0.1", 11434)),
        ("0.0.0.0:80", ("127.0.0.1", 80)),
        ("[::1]:11500", ("::1", 11500)),
        ("http://127.0.0.1", ("127.0.0.1", 80)),
        ('"127.0.0.1:9"', ("127.0.0.1", 9)),
        ("192.168.1.5:11434", None),
        ("https://ollama.example.org", None),
        ("https://127.0.0.1", None),
        ("127.0.0.1:notaport", None),
        ("localhost.example.org:1", None),
    ],
)
def test_ollama_host_only_on_this_machine(setting, wanted):
    assert ollama_address(setting) == wanted


def test_the_four_ports_on_loopback_and_nothing_else():
    usual = [("127.0.0.1", port) for port in PORTS.values()]
    assert addresses({}) == usual == addresses({"OLLAMA_HOST": "10.0.0.1"})
    assert addresses({"OLLAMA_HOST": "127.0.0.1:5"}) == [("127.0.0.1", 5), *usual[1:]]


@pytest.mark.parametrize(
    "name",
    [
        "llama3.2:1b",
        "llama2",
        "llama",
        "meta-llama/Llama-3.1-8B-Instruct",
        "Meta-Llama-3-8B-Instruct.Q4_K_M.gguf",
        "llama-3.3-70b-versatile",
        "library/llama4:scout",
        "/models/Llama-2-7b-chat.gguf",
        "C:\\models\\llama-2-7b.gguf",
    ],
)
def test_llamas(name):
    assert is_llama(name)


@pytest.mark.parametrize(
    "name",
    [
        "tinyllama",
        "codellama:7b",
        "ollama",
        "llamafile",
        "llama-guard-3-8b",
        "DeepSeek-R1-Distill-Llama-8B",
        "nvidia/Llama-3.1-Nemotron-70B-Instruct",
        "meta-llama/Prompt-Guard-86M",
        "llama3-chatqa",
        "llava-llama3",
        "qwen2.5",
        "smollm2",
    ],
)
def test_what_is_no_llama(name):
    assert not is_llama(name)


def test_the_first_server_with_a_llama_and_a_talking_one_first():
    none = Server("vllm", "http://127.0.0.1:8000/v1", ("qwen",))
    some = Server("ollama", "http://127.0.0.1:11434/v1", ("codellama", "llama3.2:1b-text", "llama3.2:1b"))
    chat = Server("lmstudio", "http://127.0.0.1:1234/v1", ("Llama-3.1-8B", "Llama-3.1-8B-Instruct"))
    assert find_llama([none]) is None and find_llama([]) is None
    assert find_llama([none, some, chat]) == (some, "llama3.2:1b")
    assert find_llama([chat, some]) == (chat, "Llama-3.1-8B-Instruct")


def test_nothing_heavy_is_loaded_where_nobody_listens(closed_port):
    code = (
        "import asyncio, sys; from players.backends.discovery import discover;"
        f"asyncio.run(discover([('127.0.0.1', {closed_port})]));"
        "print([m for m in ('openai', 'httpx2') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
