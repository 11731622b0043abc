"""vLLM with the real small model, as our worker and as its own server; each is started once for all tests here."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from players.backends import worker
from players.backends.chat import ChatClient
from players.environments import worker_python
from players.weights import find

NEEDED = bool(os.environ.get("PLAYPEN_VLLM_NEEDED"))
CONTEXT = 512
RANK = 8


def missing() -> str:
    """What these tests lack here, or nothing."""
    if os.environ.get("PYTEST_XDIST_WORKER"):
        return "one engine is enough: make test-vllm runs these tests, without -n"
    if worker_python("vllm") is None:
        return "vLLM is not here: make test-vllm, or name its Python in $PLAYPEN_VLLM_PYTHON"
    if find("smollm2") is None:
        return "the weights are not here: playpen-tui models get smollm2"
    absent = [name for name in ("torch", "transformers", "peft", "gguf") if importlib.util.find_spec(name) is None]
    return f'{", ".join(absent)} missing: pip install "playpen-tui[train]"' if absent else ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    why = missing() if here else ""
    for item in here:
        item.add_marker(pytest.mark.slow)
        item.add_marker(pytest.mark.model)
        item.add_marker(pytest.mark.timeout(420))
        if why and not NEEDED:
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in model as a folder of safetensors, for vLLM reads no GGUF here."""
    assert not missing(), missing()
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
    """A LoRA adapter that says something else: its matrices are random."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(weights, dtype=torch.bfloat16)
    model = get_peft_model(model, LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules="all-linear"))
    for name, matrix in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(matrix, std=0.1)
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
    words += f"--dtype bfloat16 --max-model-len {CONTEXT} --max-num-seqs 16 --enforce-eager --max-logprobs 64".split()
    words += f"--enable-lora --max-lora-rank {RANK} --lora-modules tuned={adapter}".split()
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


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=["vllm", "vllm-http"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator:
    """Clients of the bare model and of its adapter, in a worker or at a server."""
    if request.param == "vllm":
        weights, adapter = request.getfixturevalue("weights"), request.getfixturevalue("adapter")
        wanted = {"context": CONTEXT, "batch": 16, "dtype": "bfloat16", "threads": 2}
        engine = await worker.start(
            "vllm", worker_python("vllm"), {**wanted, "model": str(weights), "adapter": str(adapter)}, 300
        )
        base = worker.WorkerClient(engine, str(weights))
        made = base, base.with_adapter(str(adapter))
    else:
        url = request.getfixturevalue("server")
        made = ChatClient(url, "smollm2", vllm=True), ChatClient(url, "tuned", vllm=True)
    yield made
    for one in made:
        await one.aclose()
