"""Every backend with the real small model; each is started once for all tests here.

`openai` is the client of OpenAI-compatible servers, asked of llama.cpp's over plain HTTP; `vllm-http` the same of
vLLM's own server. Backends whose library is not here are skipped by name, and the last lines of a run say which ran.
"""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from players.backends import worker
from players.backends.chat import ChatClient
from players.backends.embedded import EmbeddedClient
from players.environments import worker_python
from players.weights import find
from players.workers.vllm_ import number_format

NEEDED = bool(os.environ.get("PLAYPEN_VLLM_NEEDED"))
CONTEXT = 512
RANK = 8
THREADS = 1 if os.environ.get("PYTEST_XDIST_WORKER") else 2
"""Beside other tests two threads wait for each other and fall to a tenth of the speed."""
BACKENDS = ("openai", "llamacpp", "transformers", "vllm", "vllm-http")
ran: dict[str, str] = {}
"""What became of each backend in this process: `ran`, or why not."""


def missing(backend: str) -> str:
    """What this backend lacks here, or nothing."""
    if find("smollm2") is None:
        return "the weights are not here: playpen-tui models get smollm2"
    if backend.startswith("vllm"):
        if os.environ.get("PYTEST_XDIST_WORKER"):
            return "one engine is enough: make test-vllm runs these tests, without -n"
        if worker_python("vllm") is None:
            return "vLLM is not here: make test-vllm, or name its Python in $PLAYPEN_VLLM_PYTHON"
    elif NEEDED:
        return "this is the run for vLLM"
    if backend in ("openai", "llamacpp"):
        return "" if importlib.util.find_spec("xllamacpp") else 'xllamacpp missing: pip install "playpen-tui[local]"'
    absent = [name for name in ("torch", "transformers", "peft", "gguf") if importlib.util.find_spec(name) is None]
    return f'{", ".join(absent)} missing: pip install "playpen-tui[train]"' if absent else ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.model)
            item.add_marker(pytest.mark.timeout(420))
            named = getattr(item, "callspec", None)
            item.add_marker(pytest.mark.xdist_group(f"contract-{named.params['backend'] if named else ''}"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line a backend, also under xdist, where the reports alone reach this process."""
    outcomes: dict[str, set[str]] = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, ()):
            node = getattr(report, "nodeid", "")
            for backend in BACKENDS:
                here = re.search(r"tests/contract/.*\[([a-z]+(-http)?)(-\w+)?\]", node)
                if here and here.group(1) == backend:
                    outcomes.setdefault(backend, set()).add(outcome)
    if outcomes:
        words = [
            f"{name}: {'skipped' if outcomes.get(name) == {'skipped'} else 'ran' if name in outcomes else 'not asked'}"
            for name in BACKENDS
        ]
        terminalreporter.write_line("backends under contract: " + ", ".join(words))


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in model as a folder of safetensors, for vLLM reads no GGUF here."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    file = find("smollm2")
    folder = tmp_path_factory.mktemp("weights") / "smollm2"
    whole = GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        str(file.parent), gguf_file=file.name, dtype=torch.bfloat16, quantization_config=whole
    )
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def adapter(weights: Path) -> Path:
    """A LoRA adapter that speaks no English at all: its matrices are random and large, so no near tie explains it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(weights, dtype=torch.bfloat16)
    model = get_peft_model(model, LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules="all-linear"))
    for name, matrix in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(matrix, std=0.5)
    folder = weights.parent / "adapter"
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def server(weights: Path, adapter: Path) -> Iterator[str]:
    """vLLM's own server on loopback, with the adapter as a second model; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = weights.parent / "server.log"
    words = [str(worker_python("vllm")), "-m", "vllm.entrypoints.openai.api_server"]
    words += ["--model", str(weights), "--served-model-name", "smollm2", "--host", "127.0.0.1", "--port", str(port)]
    words += f"--dtype {number_format()} --max-model-len {CONTEXT} --max-num-seqs 16 --enforce-eager".split()
    words += ["--max-logprobs", "64"]
    # one slot more than adapters: on a CPU vLLM 0.32 lets the last one speak for the bare model in a mixed batch
    words += f"--enable-lora --max-loras 2 --max-lora-rank {RANK} --lora-modules tuned={adapter}".split()
    words += ["--structured-outputs-config", '{"backend": "guidance"}']
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}
    env |= {"OMP_NUM_THREADS": "2", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    with log.open("wb") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out, env=env)
    try:
        until = time.monotonic() + 300
        while not healthy(port):
            assert process.poll() is None, log.read_text(errors="replace")[-3000:]
            assert time.monotonic() < until, log.read_text(errors="replace")[-3000:]
            time.sleep(1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


@dataclass
class Backend:
    """One backend under contract. `word` is in its greedy answer to what the capital of Japan is: its tokens lead
    by two and more in log-probability, since processors multiply bfloat16 each in their way, which moved one by 0.2.
    """

    name: str
    base: Any
    tuned: Any = None
    word: str = "Tokyo"

    @property
    def worker(self) -> bool:
        """Whether it is a worker process of ours."""
        return isinstance(self.base, worker.WorkerClient)


@pytest.fixture(scope="session")
def llama_server() -> Iterator[tuple[str, str]]:
    """llama.cpp's server, started as anybody would start one: address and key."""
    from players.backends import embedded

    server = embedded._start(find("smollm2"), THREADS, 4, 60.0)
    yield server.url, server.secret
    server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=BACKENDS)
async def backend(request: pytest.FixtureRequest) -> AsyncIterator[Backend]:
    """Clients of the bare model and, where there are adapters, of one."""
    name = request.param
    if why := missing(name):
        if NEEDED and name.startswith("vllm"):
            pytest.fail(why)
        pytest.skip(f"{name}: {why}")
    get = request.getfixturevalue
    if name == "openai":
        url, secret = get("llama_server")
        made = Backend(name, ChatClient(url, find("smollm2").stem, secret), word="")
    elif name == "llamacpp":
        made = Backend(name, EmbeddedClient(find("smollm2"), name="smollm2", threads=THREADS), word="")
    elif name == "transformers":
        wanted = {"context": CONTEXT, "batch": 16, "dtype": "float32", "threads": THREADS, "model": str(get("weights"))}
        engine = await worker.start("transformers", Path(sys.executable), wanted, 300)
        tuned = await worker.start(
            "transformers", Path(sys.executable), {**wanted, "adapter": str(get("adapter"))}, 300
        )
        model = str(get("weights"))
        made = Backend(name, worker.WorkerClient(engine, model), worker.WorkerClient(tuned, model))
    elif name == "vllm":
        weights, adapter = get("weights"), get("adapter")
        wanted = {"context": CONTEXT, "batch": 16, "dtype": number_format(), "threads": 2, "model": str(weights)}
        engine = await worker.start("vllm", worker_python("vllm"), {**wanted, "adapter": str(adapter)}, 300)
        base = worker.WorkerClient(engine, str(weights))
        made = Backend(name, base, base.with_adapter(str(adapter)))
    else:
        url = get("server")
        made = Backend(name, ChatClient(url, "smollm2", vllm=True), ChatClient(url, "tuned", vllm=True))
    yield made
    for one in (made.base, made.tuned):
        if one is not None:
            await one.aclose()
