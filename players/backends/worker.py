"""Models in worker processes of ours: vLLM (`players/workers/vllm_.py`) and transformers (`transformers_.py`).

One process has one model for all its seats. Requests go to it as they come and it batches them; nothing here waits for
a wave. It ends with the standard input that this process holds, and one that died is started anew with the next
request. Both sides speak lines of JSON:

* to the worker, first what to load, `{"model", "adapter", "device", "dtype", "threads", "batch", "context"}`; it says
  `{"ready": {…}}` or `{"failed": {"kind", "message"}}`;
* then `{"op": "generate", "id", "messages", "sampling", "template", "adapter", "structured"}`, `{"op": "cancel", "id"}`
  and `{"op": "stats", "id"}`;
* from it `{"deltas": [[id, text], …]}`, gathered some twenty times a second, since a line for every token would cost as
  much as the model; `{"done": {"id", "finish", "tokens_in", "tokens_out", "token_ids", "logprobs", "text", "cached"}}`,
  `{"error": {"id", "kind", "message"}}` and `{"stats": {…}, "id"}`.

What libraries write beside that goes to a log file.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from games.engine import Message, Role
from players.backends import quiet
from players.backends.chat import _Draft as Draft
from players.backends.errors import Empty
from players.base import Call, Called, Emit, PlayerError, Queued, Thinking

Kind: TypeAlias = Literal["vllm", "transformers"]
_FOLDER = Path(__file__).parent.parent / "workers"
SCRIPTS: dict[Kind, Path] = {"vllm": _FOLDER / "vllm_.py", "transformers": _FOLDER / "transformers_.py"}
TITLES: dict[Kind, str] = {"vllm": "vLLM", "transformers": "transformers"}
START = 1800.0
"""Seconds within which the weights must be loaded; large models take their time."""
LINE = 64 * 2**20
"""Bytes of the longest answer."""


class Engine:
    """A worker process, started when it is needed. `ready` is what it says of itself: context, batch, version, …"""

    def __init__(self, kind: Kind, python: Path, wanted: Mapping[str, Any], seconds: float) -> None:
        self.kind: Kind = kind
        self.title = TITLES[kind]
        self.ready: Mapping[str, Any] = {}
        self.holders = 0
        self.process: Process | None = None
        self._python = python
        self._wanted = dict(wanted)
        self._seconds = seconds
        self._ids = itertools.count(1)
        self._replies: dict[str, asyncio.Queue[dict[str, Any]]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    @property
    def alive(self) -> bool:
        """Whether it answers."""
        reading = self._reading is not None and not self._reading.done()
        return reading and self.process is not None and self.process.returncode is None

    async def up(self) -> None:
        """Make sure that it runs and its model is loaded. Raises PlayerError."""
        async with self._starting:
            if not self.alive:
                self.process, self.ready = await _start(self)
                self._reading = asyncio.create_task(self._read(self.process))

    @property
    def command(self) -> tuple[Path, Mapping[str, Any], float]:
        """The interpreter, what to load, and within how many seconds."""
        return self._python, self._wanted, self._seconds

    def ask(self, **request: Any) -> tuple[str, asyncio.Queue[dict[str, Any]]]:
        """Send a request under a new id; what is said about it comes through the queue."""
        name = str(next(self._ids))
        queue = self._replies[name] = asyncio.Queue()
        self.send(id=name, **request)
        return name, queue

    def send(self, **what: Any) -> None:
        """One line to the worker."""
        if self.process is None or not self.alive:
            raise self.gone()
        cast(Any, self.process.stdin).write(json.dumps(what).encode() + b"\n")

    def forget(self, name: str) -> None:
        """Nobody waits for this request any more."""
        self._replies.pop(name, None)

    async def stats(self) -> dict[str, Any]:
        """What the engine says of its queue and its prefix cache."""
        name, queue = self.ask(op="stats")
        try:
            return cast(dict[str, Any], (await queue.get())["stats"])
        finally:
            self.forget(name)

    async def _read(self, process: Process) -> None:
        stdout = cast(Any, process.stdout)
        while line := await stdout.readline():
            answer = cast(dict[str, Any], json.loads(line))
            for name, text in answer.get("deltas", ()):
                if name in self._replies:
                    self._replies[name].put_nowait({"delta": text})
            for key in ("done", "error", "stats"):
                about = answer.get(key)
                name = str(answer.get("id", "")) if key == "stats" else str(about["id"]) if about else ""
                if about is not None and name in self._replies:
                    self._replies[name].put_nowait({key: about})
        for queue in self._replies.values():
            queue.put_nowait({"gone": True})

    def gone(self) -> PlayerError:
        """What to say when the process ended by itself."""
        where = quiet.log_path(self.kind)
        return PlayerError(
            "gone", f"the process of {self.title} has ended; the next request starts it anew: see {where}"
        )

    async def stop(self) -> None:
        """End it: its standard input ends, and if that does not do, it is killed."""
        process = self.process
        if process is None or self._reading is None:
            return
        with contextlib.suppress(OSError):
            cast(Any, process.stdin).close()
        try:
            await asyncio.wait_for(process.wait(), 20)
        except TimeoutError:
            process.kill()
            await process.wait()
        await asyncio.gather(self._reading, return_exceptions=True)


async def start(kind: Kind, python: Path, wanted: Mapping[str, Any], seconds: float = START) -> Engine:
    """A worker under this interpreter, its model loaded. Raises PlayerError."""
    engine = Engine(kind, python, wanted, seconds)
    await engine.up()
    return engine


async def _start(engine: Engine) -> tuple[Process, Mapping[str, Any]]:
    python, wanted, seconds = engine.command
    title, kind = engine.title, engine.kind
    with quiet.open_log(kind) as log:
        process = await asyncio.create_subprocess_exec(
            str(python), str(SCRIPTS[kind]), stdin=PIPE, stdout=PIPE, stderr=log, limit=LINE, start_new_session=True
        )
    try:
        cast(Any, process.stdin).write(json.dumps(dict(wanted)).encode() + b"\n")
        async with asyncio.timeout(seconds):
            line = await cast(Any, process.stdout).readline()
    except BaseException as error:
        process.kill()
        await process.wait()
        if isinstance(error, TimeoutError):
            raise PlayerError("timeout", f"{title} did not load {wanted['model']} within {seconds:g} s") from error
        raise
    answer: dict[str, Any] = json.loads(line) if line else {}
    if "ready" in answer:
        return process, answer["ready"]
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
    failed: dict[str, Any] = answer.get("failed") or {
        "kind": "server",
        "message": f"{title} ended while it loaded {wanted['model']}: see {quiet.log_path(kind)}",
    }
    raise PlayerError(failed["kind"], str(failed["message"]))


class WorkerClient:
    """One model, or one adapter of it, in a shared engine; the last client that closes stops the engine."""

    def __init__(
        self, engine: Engine, model: str, adapter: str = "", template: Mapping[str, Any] | None = None
    ) -> None:
        self.engine = engine
        self.model = model
        self.adapter = adapter
        self.template: Mapping[str, Any] = dict(template or {})
        self.name = f"{engine.title} ({Path(model).name})"
        self._open = True
        engine.holders += 1

    @property
    def parallel(self) -> int:
        """How many replies it makes at once."""
        return int(self.engine.ready.get("batch") or 16)

    def with_adapter(self, adapter: str) -> WorkerClient:
        """Another client of the same engine."""
        return WorkerClient(self.engine, self.model, adapter, self.template)

    async def complete(
        self,
        messages: Sequence[Message],
        sampling: Mapping[str, Any],
        *,
        role: Role,
        emit: Emit,
        grammar: str | None = None,
        deadline: float | None = None,
        assisted: bool = False,
        extra: Mapping[str, Any] | None = None,
    ) -> Call:
        """One reply; see `ChatClient.complete`. A grammar goes to the worker as structured outputs."""
        wanted = {key: value for key, value in {**sampling, **(extra or {})}.items() if value is not None}
        thinking = wanted.pop("thinking", None)
        template = dict(self.template)
        if thinking is not None:
            template["enable_thinking"] = thinking not in (False, "off")
        draft = Draft(role, emit, tuple(messages), dict(sampling), assisted)
        emit(Queued(role))
        await self.engine.up()
        name, queue = self.engine.ask(
            op="generate",
            messages=[{"role": one.role, "content": one.content} for one in messages],
            sampling=wanted,
            template=template,
            adapter=self.adapter,
            **({"structured": {"grammar": grammar}} if grammar else {}),
        )
        emit(Thinking(role))
        limit = asyncio.timeout(deadline)
        try:
            async with limit:
                done = await self._until_done(queue, draft)
            return self._used(draft, done)
        except (asyncio.CancelledError, TimeoutError) as error:
            self._cancel(name)
            late = isinstance(error, TimeoutError)
            call = draft.call("error", "no complete reply before the deadline") if late else draft.call("cancelled")
            emit(Called(role, call))
            if late:
                raise PlayerError("timeout", f"{self.name} did not finish within {deadline or 0:g} s") from error
            raise
        except PlayerError as error:
            emit(Called(role, draft.call("error", error.message)))
            raise
        finally:
            self.engine.forget(name)

    async def _until_done(self, queue: asyncio.Queue[dict[str, Any]], draft: Draft) -> dict[str, Any]:
        while True:
            said = await queue.get()
            if "delta" in said:
                draft.started()
                draft.put(draft.splitter.feed(said["delta"]))
            elif "done" in said:
                return cast(dict[str, Any], said["done"])
            elif "error" in said:
                raise PlayerError(said["error"]["kind"], f"{self.name}: {said['error']['message']}")
            else:
                raise self.engine.gone()

    def _used(self, draft: Draft, done: Mapping[str, Any]) -> Call:
        """The whole reply as a call. Raises PlayerError where there is none to use."""
        from dataclasses import replace

        draft.tokens_in, draft.tokens_out = done["tokens_in"], done["tokens_out"]
        draft.logprobs = list(done.get("logprobs") or ())
        draft.raw.update(finish_reason=done["finish"], cached_tokens=done["cached"])
        if ranked := done.get("top_logprobs"):
            draft.raw["top_logprobs"] = ranked
        draft.ended, draft.reason = True, str(done["finish"])
        try:
            draft.check()
        except Empty as error:
            why = f", {error.why}" if error.why else ""
            raise PlayerError("empty", f"{self.name} sent an empty reply{why}: try again") from error
        call = draft.call("length" if draft.reason == "length" else "stop")
        call = replace(call, token_ids=tuple(done["token_ids"]))
        draft.emit(Called(draft.role, call))
        return call

    def _cancel(self, name: str) -> None:
        with contextlib.suppress(PlayerError):  # a process that is gone works on nothing
            self.engine.send(op="cancel", id=name)

    async def aclose(self) -> None:
        """Let go of the engine."""
        if self._open:
            self._open = False
            self.engine.holders -= 1
            if not self.engine.holders:
                await self.engine.stop()
