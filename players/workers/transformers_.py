"""transformers as a process: `python transformers_.py`, told by one line of JSON on standard input what to load.

Then lines go both ways, many requests at once; `players/backends/worker.py` tells the protocol. Requests join the batch
that is being decoded as they come and leave it when they are done, so it stays full although replies differ in length;
each keeps its own decoding settings and its own random generator. Model, cache, chat template, samplers and detokenizer
are the library's; only the loop is ours (`rows_.py` beside this file has the batch). One process has one model with at
most one adapter: rows with and without it could not share a forward pass. Imports nothing else of this project.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

if __package__:
    from players.workers.rows_ import Batch, Row
else:  # as a script it has its own folder and nothing else
    from rows_ import Batch, Row  # pyright: ignore[reportMissingImports]

BEAT = 0.05
"""Seconds between two lines of deltas: what arrives in between shares a line."""
LINE_LIMIT = 64 * 2**20
SETTINGS = (
    *("temperature", "top_p", "top_k", "min_p", "max_tokens", "seed", "stop", "repeat_penalty"),
    *("presence_penalty", "frequency_penalty", "logprobs", "thinking", "ignore_eos"),
)


class Refused(Exception):
    """A request, or a start, that cannot be served as it is. `kind` is one of the kinds of `players.base`."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Out:
    """Standard output: one JSON object a line, deltas gathered for a beat. Any thread may tell."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._waiting: dict[str, list[str]] = {}
        self._flushed = 0.0

    def delta(self, name: str, text: str) -> None:
        """Let this text go out with the next beat."""
        with self._lock:
            self._waiting.setdefault(name, []).append(text)

    def beat(self) -> None:
        """Flush, if it is time."""
        if time.monotonic() - self._flushed >= BEAT:
            with self._lock:
                self._flush()

    def tell(self, **what: Any) -> None:
        """One line, after all deltas that came before it."""
        with self._lock:
            self._flush()
            self._line(what)

    def _flush(self) -> None:
        self._flushed = time.monotonic()
        if self._waiting:
            waiting, self._waiting = self._waiting, {}
            self._line({"deltas": [[name, "".join(parts)] for name, parts in waiting.items()]})

    def _line(self, what: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(what, ensure_ascii=True, separators=(",", ":")).encode() + b"\n")
        self._file.flush()


class Model:
    """The library's model, tokenizer and samplers."""

    def __init__(self, wanted: Mapping[str, Any]) -> None:
        torch: Any = importlib.import_module("torch")
        library: Any = importlib.import_module("transformers")
        library.utils.logging.disable_progress_bar()
        self.torch = torch
        threads = int(wanted.get("threads") or 0)
        if threads:
            torch.set_num_threads(threads)
        self.device = device(torch, str(wanted.get("device") or "auto"))
        self.dtype = dtype(torch, str(wanted.get("dtype") or "auto"), self.device)
        path = Path(str(wanted["model"])).expanduser()
        if not path.exists():
            raise Refused(
                "not_found", f"there are no weights at {path}: name a folder with config.json, or a GGUF file"
            )
        source, more = str(path), {}
        if path.suffix == ".gguf":
            source, more = str(path.parent), {"gguf_file": path.name}
        self.tokenizer = library.AutoTokenizer.from_pretrained(source, **more)
        if more:
            more["quantization_config"] = library.GgufConfig(dequantize=True)
        self.model = (
            library.AutoModelForCausalLM.from_pretrained(source, dtype=self.dtype, **more).to(self.device).eval()
        )
        if adapter := str(wanted.get("adapter") or ""):
            if not (Path(adapter) / "adapter_config.json").is_file():
                raise Refused(
                    "not_found", f"{adapter} holds no LoRA adapter (no adapter_config.json): name the folder of one"
                )
            peft: Any = importlib.import_module("peft")
            self.model = peft.PeftModel.from_pretrained(self.model, adapter).merge_and_unload()
        config = self.model.config
        most = int(getattr(config, "max_position_embeddings", 0) or 0) or 4096
        self.context = min(int(wanted.get("context") or 0) or most, most)
        defaults = self.model.generation_config
        ends = defaults.eos_token_id if defaults.eos_token_id is not None else self.tokenizer.eos_token_id
        self.ends = frozenset([ends] if isinstance(ends, int) else ends or [])
        self.defaults = {
            key: getattr(defaults, key)
            for key in ("temperature", "top_p", "top_k")
            if getattr(defaults, key, None) is not None
        }
        self.library = library
        self.process: Any = importlib.import_module("transformers.generation.logits_process")
        self.cache_type = library.DynamicCache
        self.version = library.__version__

    def prompt(self, messages: Sequence[Mapping[str, str]], template: Mapping[str, Any]) -> list[int]:
        """Token ids of the messages in the chat template. Raises Refused."""
        try:
            ids = self.tokenizer.apply_chat_template(
                list(messages), add_generation_prompt=True, tokenize=True, return_dict=False, **template
            )
        except Exception as error:  # templates raise what they like
            raise Refused(
                "rejected", f"the chat template of this model does not take that: {str(error)[:300]}"
            ) from error
        if len(ids) >= self.context:
            raise Refused(
                "too_long",
                f"the dialogue has {len(ids)} tokens and the model's context {self.context}:"
                " allow more with ?context=TOKENS, or play shorter matches",
            )
        return [int(one) for one in ids]

    def row(self, request: Mapping[str, Any]) -> Row:
        """A row for a request. Raises Refused."""
        asked: dict[str, Any] = dict(request.get("sampling") or {})
        given = {key: value for key, value in asked.items() if value is not None}
        unknown = [key for key in given if key not in SETTINGS]
        if unknown:
            raise Refused("rejected", f"transformers has no sampling setting {unknown[0]!r} here: leave it out")
        if request.get("structured"):
            raise Refused("rejected", "transformers keeps no grammar here: use --no-assist, llama.cpp or vLLM")
        sampling = {**self.defaults, **given}
        ids = self.prompt(request["messages"], dict(request.get("template") or {}))
        limit = min(int(sampling.get("max_tokens") or self.context), self.context - len(ids))
        row = Row(str(request["id"]), ids, sampling, limit, self._detokenizer())
        if not row.greedy:
            row.generator = self.torch.Generator(device=self.device)
            seed = sampling.get("seed")
            row.generator.manual_seed(int(seed) if seed is not None else int.from_bytes(os.urandom(4), "big"))
        row.warpers = self._warpers(row)
        return row

    def _detokenizer(self) -> Any:
        """Text of one token after the other, whole characters only."""
        tokenizers: Any = importlib.import_module("tokenizers")
        inner = self.tokenizer._tokenizer
        stream = tokenizers.decoders.DecodeStream(skip_special_tokens=True)

        def text(token: int) -> str:
            return stream.step(inner, token) or ""

        return text

    def _warpers(self, row: Row) -> list[Any]:
        """The library's processors for this row's settings, in the library's order."""
        settings, kinds = row.sampling, self.process

        def get(name: str, default: float = 0.0) -> float:
            value = settings.get(name)
            return default if value is None else float(value)

        found: list[Any] = []
        if get("repeat_penalty", 1.0) != 1.0:
            found.append(kinds.RepetitionPenaltyLogitsProcessor(get("repeat_penalty")))
        if row.greedy:
            return found
        if get("temperature", 1.0) != 1.0:
            found.append(kinds.TemperatureLogitsWarper(get("temperature")))
        if get("top_k"):
            found.append(kinds.TopKLogitsWarper(int(get("top_k"))))
        if get("top_p", 1.0) < 1.0:
            found.append(kinds.TopPLogitsWarper(get("top_p")))
        if get("min_p"):
            found.append(kinds.MinPLogitsWarper(get("min_p")))
        return found

    def choose(self, row: Row, scores: Any) -> int:
        """The next token of a row from its scores (a vector of float32)."""
        torch, get = self.torch, row.sampling.get
        presence, frequency = float(get("presence_penalty") or 0), float(get("frequency_penalty") or 0)
        if (presence or frequency) and row.made:
            tokens, counts = torch.tensor(row.made, device=scores.device).unique(return_counts=True)
            scores = scores.clone()
            scores[tokens] -= presence + frequency * counts.to(scores.dtype)
        if row.warpers:
            ids = torch.tensor([row.ids + row.made], device=scores.device)
            scores = scores.unsqueeze(0)
            for warper in row.warpers:
                scores = warper(ids, scores)
            scores = scores[0]
        if row.greedy:
            return int(scores.argmax())
        return int(torch.multinomial(torch.softmax(scores, -1), 1, generator=row.generator))


class Worker:
    """Takes lines and decodes. `most` rows are decoded at once; the others wait."""

    def __init__(self, model: Model, out: Out, most: int) -> None:
        self.model = model
        self.out = out
        self.most = most
        self.lines: queue.Queue[bytes | None] = queue.Queue()
        self.waiting: list[Row] = []
        self.batch = Batch(model)
        self.served = 0
        self.wasted = 0.0
        """What those that wait have cost since they do, in steps of the whole batch."""

    def run(self) -> None:
        """Serve until the lines end."""
        while self._listen():
            told: list[tuple[Row, str]] = []
            joining: list[Row] = []
            try:
                with self.model.torch.inference_mode():
                    joining = self._joining()
                    if joining:
                        told += self.batch.join(joining)
                    elif self.batch.rows:
                        told += self.batch.step()
            except Exception as error:
                self._fail(error, joining)
                continue
            for row, text in told:
                if text:
                    self.out.delta(row.name, text)
            for row in self.batch.leave():
                self.served += 1
                self.out.tell(done=row.done())
            self.out.beat()

    def _joining(self) -> list[Row]:
        """Those whose prompts are read now.

        To read prompts takes about as long as a step, one or several, and everybody waits for it; to let some wait
        for company costs their share of every step. So they wait until that has come to as much as the reading.
        """
        under_way, waiting = len(self.batch.rows), len(self.waiting)
        room = self.most - under_way
        if not waiting or room <= 0:
            self.wasted = 0.0
            return []
        self.wasted += waiting / (under_way + waiting)
        if under_way and waiting < room and self.wasted < 1:
            return []
        self.wasted = 0.0
        joining, self.waiting = self.waiting[:room], self.waiting[room:]
        return joining

    def _listen(self) -> bool:
        """Take what has come; wait for it when there is nothing else to do. False where the lines have ended."""
        while True:
            idle = not self.waiting and not self.batch.rows
            try:
                line = self.lines.get(block=idle)
            except queue.Empty:
                return True
            if line is None:
                return False
            self._take(line)

    def _take(self, line: bytes) -> None:
        name = ""
        try:
            request = json.loads(line)
            name = str(request.get("id", ""))
            match request.get("op"):
                case "generate":
                    if not name or any(row.name == name for row in (*self.waiting, *self.batch.rows)):
                        raise Refused("rejected", f"a request needs an id of its own, and {name!r} is none")
                    self.waiting.append(self.model.row(request))
                case "cancel":
                    self._cancel(name)
                case "stats":
                    running, waiting = len(self.batch.rows), len(self.waiting)
                    stats = {"running": running, "waiting": waiting, "served": self.served}
                    self.out.tell(stats=stats, id=name)
                case other:
                    raise Refused("rejected", f"there is no op {other!r} here")
        except Refused as error:
            self.out.tell(error={"id": name, "kind": error.kind, "message": str(error)})
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            self.out.tell(error={"id": name, "kind": "rejected", "message": f"this is no request: {error}"})

    def _cancel(self, name: str) -> None:
        for row in self.waiting:
            if row.name == name:
                self.waiting.remove(row)
                row.finish = "cancelled"
                self.out.tell(done=row.done())
                return
        for row in self.batch.rows:
            if row.name == name:
                row.finish = "cancelled"
        for row in self.batch.leave():
            self.out.tell(done=row.done())

    def _fail(self, error: Exception, joining: Sequence[Row]) -> None:
        """A forward pass broke (out of memory, most often): the rows of it are lost, the process goes on."""
        lost = dict.fromkeys((*self.batch.rows, *joining))  # some of those that join may have joined
        memory = "out of memory" in str(error).lower()
        way = "make the batch smaller with ?batch=N" if memory else "see the log"
        for row in lost:
            message = f"{type(error).__name__}: {str(error)[:200]}; {way}"
            self.out.tell(error={"id": row.name, "kind": "server", "message": message})
        print(f"batch of {len(lost)} lost: {error!r}", file=sys.stderr, flush=True)
        self.batch = Batch(self.model)


def device(torch: Any, wished: str) -> str:
    """The device to run on. Raises Refused for a GPU that is not there."""
    there = torch.cuda.is_available()
    if wished == "cuda" and not there:
        raise Refused("rejected", "there is no CUDA device that torch can use here: leave ?device=cuda out")
    return "cuda" if there and wished in ("auto", "cuda") else "cpu"


def dtype(torch: Any, wished: str, where: str) -> Any:
    """The number format: bfloat16 where the processor has instructions for it, else float32."""
    if wished != "auto":
        return getattr(torch, wished)
    if where == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    fast = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return torch.bfloat16 if fast() else torch.float32


def read(lines: Iterable[bytes], worker: Worker) -> None:
    """Hand the lines over; their end is the end."""
    for line in lines:
        worker.lines.put(line)
    worker.lines.put(None)


def main() -> int:
    """Load, serve, and leave with the one who asked."""
    out = Out(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)  # whatever a library prints belongs in the log
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wanted = json.loads(sys.stdin.buffer.readline(LINE_LIMIT))
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # threads that spin while they wait take the cores from whoever computes beside them: two models at once were more
    # than twice as slow as one after the other; what spinning gains one alone is a fifth
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        model = Model(wanted)
    except Refused as error:
        out.tell(failed={"kind": error.kind, "message": str(error)})
        return 1
    except ModuleNotFoundError as error:
        out.tell(failed={"kind": "not_found", "message": f"{error.name} is missing here", "missing": error.name})
        return 1
    except Exception as error:
        message = f"transformers cannot load {wanted.get('model')}: {type(error).__name__}: {str(error)[:300]}"
        out.tell(failed={"kind": "server", "message": message})
        raise
    most = int(wanted.get("batch") or 0) or 32
    out.tell(
        ready={
            "model": str(wanted["model"]),
            "context": model.context,
            "device": model.device,
            "dtype": str(model.dtype).removeprefix("torch."),
            "version": model.version,
            "batch": most,
            "adapters": bool(wanted.get("adapter")),
        }
    )
    worker = Worker(model, out, most)
    threading.Thread(target=read, args=(sys.stdin.buffer, worker), daemon=True).start()
    with contextlib.suppress(BrokenPipeError):
        worker.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
