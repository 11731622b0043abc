"""The embedded backend: first with workers that only pretend, then with llama.cpp itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from games.engine import Message
from players import weights
from players.backends import embedded, quiet
from players.backends.chat import ChatClient
from players.backends.embedded import EmbeddedClient, embedded_client
from players.base import Called, PlayerError, Token

SERVES = """
import json, os, sys
wanted = json.loads(sys.stdin.readline())
print(json.dumps(wanted), file=sys.stderr, flush=True)
print(json.dumps({"url": "http://127.0.0.1:%d" % os.getpid()}), flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("PLAYPEN_THREADS", raising=False)
    return tmp_path


@pytest.fixture
def shelf(monkeypatch):
    """Servers of this test alone."""
    made = embedded._Shelf()
    monkeypatch.setattr(embedded, "_shelf", made)
    yield made
    made.stop()


@pytest.fixture
def worker(monkeypatch, tmp_path, shelf):
    """Replace the worker by a script."""

    def use(code: str) -> None:
        script = tmp_path / "worker.py"
        script.write_text(code, encoding="utf-8")
        monkeypatch.setattr(embedded, "WORKER", script)

    use(SERVES)
    return use


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF and so on")
    return path


async def failure(path: Path, **more) -> PlayerError:
    with pytest.raises(PlayerError) as caught:
        await embedded_client(path, name="mine", **more)
    assert caught.value.message.isprintable() and len(caught.value.message) < 500
    return caught.value


def pid(client: EmbeddedClient) -> int:
    assert client._server is not None
    return client._server.process.pid


async def gone(client_pid: int, seconds: float = 5.0) -> bool:
    """Whether a process of ours ends within this time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{client_pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        await asyncio.sleep(0.02)
    return False


async def test_a_server_is_started_with_a_new_key_and_told_what_to_load(worker, file):
    client = await embedded_client(file, name="mine", threads=3)
    server = client._server
    assert server is not None and server.alive and len(server.secret) >= 24
    said = quiet.log_path("llamacpp").read_text(encoding="utf-8")
    assert '"threads": 3' in said and '"alias": "model"' in said and server.secret in said
    assert server.secret not in repr(client) and client.model == "model" and client.name == "mine"
    assert server.secret not in " ".join(Path(f"/proc/{server.process.pid}/cmdline").read_text().split("\0"))
    await client.aclose()
    embedded._shelf.stop()
    again = await embedded_client(file, name="mine", threads=3)
    assert again._server is not None and again._server.secret != server.secret


async def test_one_server_serves_all_clients_of_a_file(worker, file, tmp_path):
    (tmp_path / "sub").mkdir()
    one, two = await asyncio.gather(
        embedded_client(file, name="a"), embedded_client(tmp_path / "sub" / ".." / "model.gguf", name="b")
    )
    other = await embedded_client(file, name="c", threads=2)
    assert pid(one) == pid(two) != pid(other)


async def test_a_server_stays_warm_for_the_next_client_and_then_stops(worker, file):
    first = EmbeddedClient(file, name="a", threads=1, linger=0.4)
    await first.open()
    number = pid(first)
    await first.aclose()
    second = EmbeddedClient(file, name="b", threads=1, linger=0.1)
    await second.open()
    assert pid(second) == number
    await asyncio.sleep(0.6)
    assert second._server is not None and second._server.alive, "held: the old timer must not stop it"
    await second.aclose()
    await second.aclose()
    assert await gone(number)


async def test_a_dead_server_is_started_anew(worker, file):
    client = await embedded_client(file, name="mine")
    before, chat = pid(client), await client.open()
    os.kill(before, signal.SIGKILL)
    assert await gone(before)
    assert (await client.open()) is not chat and pid(client) != before
    assert (await client.open()).base_url.endswith("/v1")


async def test_a_closed_client_opens_again_when_it_is_asked(worker, file):
    client = await embedded_client(file, name="mine")
    await client.aclose()
    assert isinstance(await client.open(), ChatClient)


async def test_who_is_cancelled_while_it_loads_lets_go_of_the_server(worker, file, monkeypatch):
    monkeypatch.setattr(embedded, "LINGER", 0.0)
    worker("import time; time.sleep(0.5)\n" + SERVES)
    client = EmbeddedClient(file, name="mine", threads=1, linger=0.0)
    task = asyncio.create_task(client.open())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(200):
        if not embedded._shelf._servers and not any(embedded._shelf._held.values()):
            break
        await asyncio.sleep(0.02)
    assert not embedded._shelf._servers and not any(embedded._shelf._held.values())


async def test_what_can_be_wrong_with_the_file(shelf, tmp_path):
    assert "models get smollm2" in (await failure(tmp_path / "none.gguf")).message
    page = tmp_path / "page.gguf"
    page.write_text("<html>", encoding="utf-8")
    error = await failure(page)
    assert error.kind == "not_found" and "not a GGUF file" in error.message


async def test_the_extra_is_not_installed(worker, file):
    worker("import json, sys; sys.stdin.readline(); print(json.dumps({'missing': 'xllamacpp'})); sys.exit(1)")
    error = await failure(file)
    assert error.kind == "not_found" and 'pip install "playpen-tui[local]"' in error.message


async def test_a_library_that_is_missing_within_the_extra_is_no_missing_extra(worker, file):
    worker("import json, sys; sys.stdin.readline(); print(json.dumps({'missing': 'numpy'})); sys.exit(1)")
    assert "cannot load" in (await failure(file)).message


async def test_llama_cpp_cannot_load_it(worker, file):
    worker(
        "import json, sys; sys.stdin.readline(); print('E llama: error loading model: tensor x is missing',"
        " file=sys.stderr, flush=True); print(json.dumps({'error': 'no'})); sys.exit(1)"
    )
    error = await failure(file)
    assert error.kind == "server" and "tensor x is missing" in error.message and "llamacpp.log" in error.message


async def test_it_does_not_come_up_in_time(worker, file):
    worker("import time; time.sleep(60)")
    began = time.monotonic()
    error = await failure(file, seconds=0.3)
    assert error.kind == "timeout" and "0.3 s" in error.message and time.monotonic() - began < 10
    worker(SERVES)
    assert pid(await embedded_client(file, name="mine"))


@pytest.mark.parametrize(("code", "word"), [("os.kill(os.getpid(), 4)", "AVX2"), ("sys.exit(3)", "exit 3")])
async def test_it_dies_at_once(worker, file, code, word):
    worker(f"import os, sys; {code}")
    assert word in (await failure(file)).message


async def test_threads_come_from_the_environment(worker, file, monkeypatch):
    assert embedded.threads_wanted() == 1
    monkeypatch.setenv("PLAYPEN_THREADS", "2")
    client = await embedded_client(file, name="mine")
    assert client._key[1] == 2 and (await embedded_client(file, name="mine", threads=1))._key[1] == 1
    for wrong in ("0", "many", "-1", "1.5", "999"):
        monkeypatch.setenv("PLAYPEN_THREADS", wrong)
        assert "PLAYPEN_THREADS" in (await failure(file)).message


async def test_ctrl_c_at_the_terminal_is_not_for_the_server(worker, file):
    client = await embedded_client(file, name="mine")
    assert os.getsid(pid(client)) != os.getsid(0)


def test_the_server_goes_with_whoever_started_it(tmp_path, file):
    """Even where that one is killed and can say nothing any more."""
    script = tmp_path / "worker.py"
    script.write_text(SERVES, encoding="utf-8")
    code = (
        "import asyncio, os, pathlib, signal, sys\nfrom players.backends import embedded\n"
        f"embedded.WORKER = pathlib.Path({str(script)!r})\n"
        f"client = asyncio.run(embedded.embedded_client(pathlib.Path({str(file)!r}), name='x'))\n"
        "print(client._server.process.pid, flush=True)\n"
    )
    for end in ("os.kill(os.getpid(), signal.SIGKILL)", ""):
        done = subprocess.run([sys.executable, "-c", code + end], capture_output=True, text=True, check=False)
        assert asyncio.run(gone(int(done.stdout))), (end, done.stderr)
        assert done.stderr == ""


MISSING = 'the built-in model is not here: pip install "playpen-tui[local]", then playpen-tui models get smollm2'
SMOLLM2 = weights.find("smollm2")
real = pytest.mark.skipif(find_spec("xllamacpp") is None or SMOLLM2 is None, reason=MISSING)
SAY = [Message("user", "Write one sentence about the sea.")]


@pytest.fixture
async def smollm2(shelf):
    assert SMOLLM2 is not None
    client = await embedded_client(SMOLLM2, name="smollm2")
    yield client
    await client.aclose()


@pytest.mark.model
@pytest.mark.slow
@real
async def test_the_real_model_streams_counts_and_repeats_itself(smollm2):
    texts = []
    for _ in range(2):
        events = []
        settings = {"max_tokens": 12, "temperature": 0.8, "seed": 5}
        call = await smollm2.complete(SAY, settings, role="x", emit=events.append)
        pieces = [event.text for event in events if isinstance(event, Token)]
        assert "".join(pieces) == call.text and len(pieces) > 5
        assert call.tokens_out == 12 and call.finish == "length" and call.tokens_in and call.tokens_in > 5
        *retried, last = [event.call for event in events if isinstance(event, Called)]
        assert last == call and all(one.finish == "error" for one in retried)  # an idle connection may have been closed
        texts.append(call.text)
    assert texts[0] == texts[1]


@pytest.mark.model
@pytest.mark.slow
@real
async def test_the_real_model_tells_what_else_it_might_have_said(smollm2):
    call = await smollm2.complete(
        SAY,
        {"max_tokens": 4, "temperature": 0},
        role="x",
        emit=lambda event: None,
        extra={"logprobs": True, "top_logprobs": 5},
    )
    rows = call.raw["top_logprobs"]
    assert "".join(token for token, _ in rows) == call.text and len(rows) == len(call.logprobs)
    assert all(max(ranked, key=ranked.get) == token and len(ranked) == 5 for token, ranked in rows)


@pytest.mark.model
@pytest.mark.slow
@real
async def test_the_real_server_wants_the_key_and_answers_several_at_once(smollm2):
    calls = await asyncio.gather(
        *(smollm2.complete(SAY, {"max_tokens": 8, "seed": n}, role="x", emit=lambda event: None) for n in range(4))
    )
    assert all(call.text for call in calls)
    chat = await smollm2.open()
    stranger = ChatClient(chat.base_url, chat.model, "guessed", max_retries=0)
    with pytest.raises(PlayerError) as caught:
        await stranger.complete(SAY, {"max_tokens": 2}, role="x", emit=lambda event: None)
    assert caught.value.kind == "unauthorized"
    await stranger.aclose()


@pytest.mark.model
@pytest.mark.slow
@real
async def test_the_real_model_can_be_cancelled_and_asked_again(smollm2):
    events = []
    task = asyncio.create_task(smollm2.complete(SAY, {"max_tokens": 2000}, role="x", emit=events.append))
    while not any(isinstance(event, Token) for event in events):
        await asyncio.sleep(0.01)
        assert not task.done()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    (ended,) = [event.call for event in events if isinstance(event, Called)]
    assert ended.finish == "cancelled" and ended.text
    call = await smollm2.complete(SAY, {"max_tokens": 3}, role="x", emit=lambda event: None)
    assert call.text


@pytest.mark.model
@pytest.mark.slow
@real
@pytest.mark.parametrize("length", [1000, 3_000_000])
async def test_real_weights_that_were_cut_short(shelf, tmp_path, length):
    assert SMOLLM2 is not None
    cut = tmp_path / "cut.gguf"
    with SMOLLM2.open("rb") as whole:
        cut.write_bytes(whole.read(length))
    error = await failure(cut)
    assert error.kind == "server" and "cannot load" in error.message
