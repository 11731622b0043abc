"""vLLM as a process: `python vllm_.py`, told by one line of JSON on standard input what to load.

Then lines go both ways: requests in, deltas and results out, many at once, batched by vLLM as they come. It runs in an
environment of vLLM's own and imports nothing of this project; it speaks to nobody but whoever started it, and ends when
its standard input does. The protocol is told in `players/backends/worker.py`; `main` here is its other end.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

BEAT = 0.05
"""Seconds between two lines of deltas: what arrives in between shares a line."""
LINE = 64 * 2**20
"""Bytes of the longest request."""
RANKED = 64
"""The most alternatives of a token that a request may ask for."""
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Sizes that vLLM makes room for in adapters; the smallest one that fits is taken."""
ADAPTERS = 4
"""Adapters that may be in one batch. On a CPU there is a slot more that stays empty, and no adapter is ever let go:
vLLM 0.32 marks rows of the bare model with index -1 there, which torch reads as the last slot. An adapter in it would
speak for the bare model too."""
GIB = 2**30

SAMPLING = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "max_tokens": "max_tokens",
    "min_tokens": "min_tokens",
    "ignore_eos": "ignore_eos",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "repeat_penalty": "repetition_penalty",
}
"""Our names of decoding settings, and vLLM's."""
ELSEWHERE = ("stop", "logprobs", "top_logprobs", "thinking")
"""Settings that are no single argument of vLLM's."""


class Refused(Exception):
    """A request, or a start, that cannot be served as it is. `kind` is one of the kinds of `players.base`."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def environment(wanted: Mapping[str, Any]) -> dict[str, str]:
    """Variables that must stand before vLLM and torch are imported. What the user has set stays as it is."""
    found = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "VLLM_HOST_IP": "127.0.0.1"}
    found["VLLM_WORKER_MULTIPROC_METHOD"] = "spawn"  # so that the engine's process runs `tied`, below
    if Path(str(wanted["model"])).is_dir():
        found.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")
    if threads := int(wanted.get("threads") or 0):
        found.update(OMP_NUM_THREADS=str(threads), VLLM_CPU_OMP_THREADS_BIND="nobind")
    return {name: value for name, value in found.items() if name not in os.environ}


def cache_bytes(config: Mapping[str, Any], context: int, batch: int, free: int) -> int:
    """Bytes for keys and values on a CPU: as much as a full batch of full contexts needs, up to a third of `free`.

    `config` is the model's `config.json`; what it does not say counts as it does in models of the Llama family.
    """
    heads = int(config.get("num_attention_heads") or 32)
    groups = int(config.get("num_key_value_heads") or heads)
    width = int(config.get("head_dim") or int(config.get("hidden_size") or 4096) // heads)
    token = 4 * int(config.get("num_hidden_layers") or 32) * groups * width
    return max(min(token * context * batch, free // 3), GIB // 4)


def free_memory(nodes: Path = Path("/sys/devices/system/node")) -> int:
    """Bytes of memory that are free on this machine; 4 GiB where the system does not say.

    vLLM asks the memory node of its processors, which may hold less than the machine: the smallest node counts.
    """
    try:
        free = [os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    except (ValueError, OSError):
        free = [4 * GIB]
    for node in nodes.glob("node*/meminfo"):
        try:
            words = re.search(r"MemFree:\s+(\d+) kB", node.read_text(encoding="utf-8"))
        except OSError:
            continue
        free += [int(words[1]) * 1024] if words and int(words[1]) else []
    return min(free)


def number_format(processors: Path = Path("/proc/cpuinfo")) -> str:
    """bfloat16 where this machine's processors have instructions for it (or do not say), else float32.

    Without them each product is made of several others: on AVX2 bfloat16 took six to eight times as long as float32.
    """
    try:
        said = processors.read_text(encoding="utf-8")
    except OSError:
        return "bfloat16"
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", said, re.MULTILINE)
    fast = {"avx512_bf16", "amx_bf16", "bf16"}
    return "bfloat16" if found is None or fast & set(found[1].split()) else "float32"


def rank_of(folder: Path) -> int:
    """The rank of a peft adapter. Raises Refused where there is none."""
    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        return max([int(config["r"]), *map(int, dict(config.get("rank_pattern") or {}).values())])
    except (OSError, ValueError, KeyError, TypeError):
        raise Refused("not_found", f"{folder} holds no LoRA adapter that can be read: name the folder of one") from None


class Out:
    """Standard output: one JSON object a line, deltas gathered for a beat."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._waiting: dict[str, list[str]] = {}

    def delta(self, name: str, text: str) -> None:
        """Let this text go out with the next beat."""
        self._waiting.setdefault(name, []).append(text)

    def tell(self, **what: Any) -> None:
        """One line, after all deltas that came before it."""
        self._flush()
        self._line(what)

    def _flush(self) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, dict[str, list[str]]()
            self._line({"deltas": [[name, "".join(parts)] for name, parts in waiting.items()]})

    def _line(self, what: Mapping[str, Any]) -> None:
        self._writer.write(json.dumps(what, ensure_ascii=True, separators=(",", ":")).encode() + b"\n")

    async def beat(self) -> None:
        """Flush for ever."""
        while True:
            await asyncio.sleep(BEAT)
            self._flush()
            await self._writer.drain()


class Worker:
    """One engine, and the requests under way by their ids."""

    def __init__(self, engine: Any, wanted: Mapping[str, Any], out: Out, gauge: Any) -> None:
        self.engine = engine
        self.adapter = str(wanted.get("adapter") or "")
        self.out = out
        self.gauge = gauge
        self.tokenizer = engine.get_tokenizer()
        config = engine.vllm_config.model_config
        self.context = int(config.max_model_len)
        self.defaults = dict(config.get_diff_sampling_param())
        self.lora = engine.vllm_config.lora_config
        self.adapters: dict[str, int] = {}
        self.room = ADAPTERS if self.lora and self.lora.max_loras > ADAPTERS else 0
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.served = 0
        self.broken = asyncio.Event()
        known: Any = importlib.import_module("vllm.exceptions")
        self.refusals: tuple[type[Exception], ...] = tuple(
            kind for name in ("VLLMClientError", "GracefulHTTPError") if (kind := getattr(known, name, None))
        )

    def take(self, line: bytes) -> None:
        """One request line; what cannot be read is answered with an error under whatever id it has."""
        name = ""
        try:
            request = json.loads(line)
            name = str(request.get("id", ""))
            match request.get("op"):
                case "generate":
                    self._begin(name, request)
                case "cancel":
                    if task := self.tasks.get(name):
                        task.cancel()
                case "stats":
                    self.out.tell(stats=self.stats(), **({"id": name} if name else {}))
                case other:
                    raise Refused("rejected", f"there is no op {other!r} here")
        except Refused as error:
            self.out.tell(error={"id": name, "kind": error.kind, "message": str(error)})
        except (ValueError, AttributeError) as error:
            self.out.tell(error={"id": name, "kind": "rejected", "message": f"this is no request: {error}"})

    def _begin(self, name: str, request: Mapping[str, Any]) -> None:
        if not name or name in self.tasks:
            raise Refused("rejected", f"a request needs an id of its own, and {name!r} is none")
        task = self.tasks[name] = asyncio.create_task(self._serve(name, request))
        task.add_done_callback(lambda _: self.tasks.pop(name, None))

    async def _serve(self, name: str, request: Mapping[str, Any]) -> None:
        """One request, from its prompt to its `done` or `error`."""
        reply = Reply(name)
        try:
            ids = self.prompt(request)
            reply.tokens_in = len(ids)
            params = self.params(request, len(ids))
            stream = self.engine.generate(
                {"prompt_token_ids": ids}, params, f"{self.served}-{name}", lora_request=self.lora_of(request)
            )
            self.served += 1
            async for result in stream:
                if text := reply.take(result, self.tokenizer):
                    self.out.delta(name, text)
            self.out.tell(done=reply.done())
        except asyncio.CancelledError:  # the generator has told the engine to abort by now
            reply.finish = "cancelled"
            self.out.tell(done=reply.done())
        except Refused as error:
            self.out.tell(error={"id": name, "kind": error.kind, "message": str(error)})
        except Exception as error:
            logging.getLogger("worker").exception("request %s", name)
            kind = "rejected" if isinstance(error, (ValueError, TypeError, *self.refusals)) else "server"
            self.out.tell(error={"id": name, "kind": kind, "message": _said(error)})
            if self.engine.errored:
                self.broken.set()

    def prompt(self, request: Mapping[str, Any]) -> list[int]:
        """Token ids of the messages in the model's chat template. Raises Refused."""
        template = dict(request.get("template") or {})
        try:
            ids = self.tokenizer.apply_chat_template(
                list(request["messages"]),
                **{"add_generation_prompt": True, **template},
                tokenize=True,
                return_dict=False,
            )
        except Exception as error:  # templates raise what they like
            raise Refused("rejected", f"the chat template of this model does not take that: {_said(error)}") from error
        if len(ids) >= self.context:
            raise Refused(
                "too_long",
                f"the dialogue has {len(ids)} tokens and the model's context {self.context}:"
                " allow more with ?context=TOKENS, or play shorter matches",
            )
        return [int(one) for one in ids]

    def params(self, request: Mapping[str, Any], used: int) -> Any:
        """vLLM's sampling parameters. What the request leaves open is as the model's own settings say."""
        known: Any = importlib.import_module("vllm.sampling_params")
        given = {key: value for key, value in dict(request.get("sampling") or {}).items() if value is not None}
        unknown = [key for key in given if key not in SAMPLING and key not in ELSEWHERE]
        if unknown:
            raise Refused("rejected", f"vLLM has no sampling setting {unknown[0]!r}: leave it out")
        more = {**self.defaults, **{SAMPLING[key]: value for key, value in given.items() if key in SAMPLING}}
        more["max_tokens"] = min(int(more.get("max_tokens") or self.context), self.context - used)
        if stop := given.get("stop"):
            more["stop"] = [stop] if isinstance(stop, str) else list(stop)
        if (ranked := int(given.get("top_logprobs") or 0)) or given.get("logprobs"):
            more["logprobs"] = min(ranked, RANKED)
        if form := request.get("structured"):
            more["structured_outputs"] = known.StructuredOutputsParams(**dict(form))
        return known.SamplingParams(output_kind=known.RequestOutputKind.DELTA, **more)

    def lora_of(self, request: Mapping[str, Any]) -> Any:
        """The adapter of this request: its own, else the one named at the start; empty means the bare model."""
        named = request.get("adapter")
        path = self.adapter if named is None else str(named)
        if not path:
            return None
        rank = rank_of(Path(path))
        if self.lora is None:
            raise Refused("rejected", "this worker was started without adapters: name one when it starts")
        if rank > self.lora.max_lora_rank:
            raise Refused(
                "rejected",
                f"{path} has rank {rank} and this worker takes up to {self.lora.max_lora_rank}: start another",
            )
        if self.room and path not in self.adapters and len(self.adapters) >= self.room:
            raise Refused(
                "rejected", f"on a CPU one vLLM worker takes {self.room} adapters and has them: {path} needs another"
            )
        number = self.adapters.setdefault(path, len(self.adapters) + 1)
        return cast(Any, importlib.import_module("vllm.lora.request")).LoRARequest(f"adapter-{number}", number, path)

    def stats(self) -> dict[str, Any]:
        """What the engine said last of its queue, and what it saved by its prefix cache since it began."""
        seen = dict(self.gauge.seen)
        seen["running"] = min(seen["running"], len(self.tasks))  # an engine without work reports no more
        return {"open": len(self.tasks), "served": self.served, **seen}

    async def close(self) -> None:
        """Cancel what is under way and let the engine go."""
        for task in list(self.tasks.values()):
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        self.engine.shutdown()


class Reply:
    """One reply while it is made."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = ""
        self.finish = "error"
        self.tokens_in = 0
        self.cached = 0
        self.ids: list[int] = []
        self.logprobs: list[float] = []
        self.ranked: list[Any] = []

    def take(self, result: Any, tokenizer: Any) -> str:
        """Add one result of the engine; the text that is new with it."""
        made = result.outputs[0]
        self.cached = int(result.num_cached_tokens or self.cached)
        fresh = [int(one) for one in made.token_ids]
        self.ids += fresh
        self.text += made.text
        for token, row in zip(fresh, cast(list[Any], made.logprobs or []), strict=False):
            self.logprobs.append(float(row[token].logprob))
            if len(row) > 1:
                words = {one.decoded_token or tokenizer.decode([key]): float(one.logprob) for key, one in row.items()}
                self.ranked.append([row[token].decoded_token or tokenizer.decode([token]), words])
        if made.finish_reason:
            self.finish = str(made.finish_reason)
        return made.text

    def done(self) -> dict[str, Any]:
        """What the client is told at the end."""
        return {
            "id": self.name,
            "finish": self.finish,
            "tokens_in": self.tokens_in,
            "tokens_out": len(self.ids),
            "token_ids": self.ids,
            "logprobs": self.logprobs or None,
            "text": self.text,
            "cached": self.cached,
            **({"top_logprobs": self.ranked} if self.ranked else {}),
        }


def _said(error: BaseException) -> str:
    """What an error says, on one line."""
    return " ".join(f"{error}".split())[:500] or type(error).__name__


def arguments(wanted: Mapping[str, Any], on_cpu: bool) -> dict[str, Any]:
    """What vLLM's engine is told."""
    context, batch = int(wanted.get("context") or 0), int(wanted.get("batch") or 64)
    found: dict[str, Any] = {
        "model": str(wanted["model"]),
        "dtype": str(wanted.get("dtype") or (number_format() if on_cpu else "auto")),
        "max_num_seqs": batch,
        "enable_prefix_caching": True,
        "max_logprobs": RANKED,
        "structured_outputs_config": {"backend": "guidance"},  # xgrammar compiles a grammar of free text for 10 s
        "enforce_eager": bool(wanted.get("eager", on_cpu)),
    }
    if context:
        found["max_model_len"] = context
    if wanted.get("adapter") or wanted.get("adapters"):
        rank = max(int(wanted.get("rank") or 16), rank_of(Path(str(wanted["adapter"]))) if wanted.get("adapter") else 0)
        if rank > RANKS[-1]:
            raise Refused("rejected", f"the adapter has rank {rank}, and vLLM takes up to {RANKS[-1]}")
        slots, room = ADAPTERS + on_cpu, next(one for one in RANKS if one >= rank)
        found.update(enable_lora=True, max_loras=slots, max_lora_rank=room)
    if on_cpu and "VLLM_CPU_KVCACHE_SPACE" not in os.environ:
        found["kv_cache_memory_bytes"] = _cache(str(wanted["model"]), context, batch)
    if tensor := int(wanted.get("tensor_parallel") or 0):
        found["tensor_parallel_size"] = tensor
    if share := wanted.get("memory"):
        found["gpu_memory_utilization"] = float(share)
    return found


def _cache(model: str, context: int, batch: int) -> int:
    try:
        config: dict[str, Any] = json.loads((Path(model) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        config = {}
    return cache_bytes(config, context or int(config.get("max_position_embeddings") or 4096), batch, free_memory())


def start(wanted: Mapping[str, Any]) -> tuple[Any, Any]:
    """The engine, and the gauge it reports to. Raises Refused, or whatever vLLM raises."""
    try:
        importlib.import_module("vllm")
    except ModuleNotFoundError as error:
        raise Refused(
            "not_found", f"this Python has no {error.name}: make vLLM's environment with `make test-vllm`"
        ) from error
    arg_utils: Any = importlib.import_module("vllm.engine.arg_utils")
    async_llm: Any = importlib.import_module("vllm.v1.engine.async_llm")
    loggers: Any = importlib.import_module("vllm.v1.metrics.loggers")
    current_platform: Any = importlib.import_module("vllm.platforms").current_platform

    on_cpu = bool(current_platform.is_cpu())
    if wanted.get("device") not in (None, "", "auto", "cpu" if on_cpu else "cuda"):
        here = "a CPU" if on_cpu else current_platform.device_type
        raise Refused(
            "rejected", f"this vLLM was built for {here}, not for {wanted['device']}: use an environment that is"
        )
    if on_cpu:  # one process less: the engine computes itself, and OpenMP gets its threads from the environment
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")

    class Gauge(loggers.StatLoggerBase):  # pyright: ignore[reportUntypedBaseClass]
        """Keeps the engine's last report."""

        seen: dict[str, Any]

        def __init__(self, vllm_config: Any, engine_index: int = 0) -> None:
            self.seen = Gauge.seen = {
                "running": 0,
                "waiting": 0,
                "prompt_tokens": 0,
                "cached_tokens": 0,
                "cache_used": 0.0,
            }

        def record(self, scheduler_stats: Any, iteration_stats: Any, *rest: Any, **more: Any) -> None:
            if scheduler_stats is not None:
                cache = scheduler_stats.prefix_cache_stats
                self.seen["running"] = int(scheduler_stats.num_running_reqs)
                self.seen["waiting"] = int(scheduler_stats.num_waiting_reqs)
                self.seen["cache_used"] = float(scheduler_stats.kv_cache_usage)
                if cache is not None:
                    self.seen["prompt_tokens"] += int(cache.queries)
                    self.seen["cached_tokens"] += int(cache.hits)

        def log_engine_initialized(self) -> None:
            """Nothing to say."""

    args: Any = arg_utils.AsyncEngineArgs(**arguments(wanted, on_cpu))
    engine: Any = async_llm.AsyncLLM.from_engine_args(args, stat_loggers=[Gauge])
    return engine, Gauge


def streams() -> tuple[int, int]:
    """Descriptors of our own for both directions; whatever libraries print or read goes elsewhere from now on."""
    given, told = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return given, told


async def serve(wanted: Mapping[str, Any], reader: asyncio.StreamReader, out: Out) -> int:
    """Load, say so, and serve until the input ends or the engine breaks; the exit status."""
    try:
        engine, gauge = start(wanted)
    except Refused as error:
        out.tell(failed={"kind": error.kind, "message": str(error)})
        return 1
    except Exception as error:
        logging.getLogger("worker").exception("start")
        out.tell(failed={"kind": "server", "message": f"vLLM could not load {wanted.get('model')}: {_said(error)}"})
        return 1
    worker = Worker(engine, wanted, out, gauge)
    out.tell(ready=about(engine, wanted, worker))
    beat = asyncio.create_task(out.beat())
    broken = asyncio.create_task(worker.broken.wait())
    try:
        while True:
            line = asyncio.create_task(reader.readline())
            await asyncio.wait({line, broken, beat}, return_when=asyncio.FIRST_COMPLETED)
            if broken.done() or beat.done() or not (got := await line):
                return 1 if broken.done() else 0
            worker.take(got)
    finally:
        await worker.close()


def about(engine: Any, wanted: Mapping[str, Any], worker: Worker) -> dict[str, Any]:
    """What is running here: model, context, batch, device, kind of numbers, version."""
    config = engine.vllm_config
    return {
        "backend": "vllm",
        "model": str(wanted["model"]),
        "context": worker.context,
        "batch": int(config.scheduler_config.max_num_seqs),
        "device": str(config.device_config.device_type),
        "dtype": re.sub(r"^torch\.", "", str(config.model_config.dtype)),
        "version": str(importlib.import_module("vllm").__version__),
        "adapters": worker.lora is not None,
        "structured": True,
    }


async def run() -> int:
    """Both directions as streams, then `serve`."""
    given, told = streams()
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(given, "rb", 0))
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(told, "wb", 0))
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    first = await reader.readline()
    if not first:
        return 0
    wanted = json.loads(first)
    os.environ.update(environment(wanted))
    try:
        return await serve(wanted, reader, Out(writer))
    finally:
        transport.close()
        await asyncio.sleep(0)


def tied() -> None:
    """End this process when the one that made it is gone, even if it was killed: engines do not by themselves."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="tied").start()


def main() -> None:
    """Load, serve, and leave with the one who asked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for whoever started us
    sys.exit(asyncio.run(run()))


if __name__ == "__main__":
    main()
elif __name__ == "__mp_main__":  # a process of the engine's, which reads this file before it begins
    tied()
