"""The built-in backend: llama.cpp's own server, started by us on loopback and spoken to like any other server.

One server per weights file is shared by all clients of this process, and stays warm for a while after the last has
closed, since the next game is near. It runs in a worker process (`players/workers/llamacpp.py`) behind a key that is
new at every start; what it writes goes to a log file.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import secrets
import selectors
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, TypeAlias, cast

from games.engine import Message, Role
from players.backends import quiet
from players.backends.chat import ChatClient
from players.base import Call, Emit, PlayerError
from players.weights import find, is_gguf

INSTALL = 'pip install "playpen-tui[local]"'
WORKER = Path(__file__).parent.parent / "workers" / "llamacpp.py"
START = 60.0
"""Seconds within which a server must be up."""
LINGER = 120.0
"""Seconds that a server without clients is kept."""
LOG = "llamacpp"
SLOTS = 4
"""Replies made at once when nobody says: on two cores more of them are no faster, and each costs memory."""

Key: TypeAlias = tuple[str, int, int]
"""A file, a number of threads, and how many replies are made at once."""


def find_weights(name: str) -> Path | None:
    """The weights of a built-in or fetched model, by name; None where they are not here."""
    return find(name)


def threads_wanted() -> int:
    """`$PLAYPEN_THREADS`, or 1: on busy cores two threads wait for each other and fall to a tenth of the speed.

    Raises PlayerError where the variable holds no number of threads.
    """
    text = os.environ.get("PLAYPEN_THREADS", "").strip() or "1"
    if not (text.isdecimal() and 1 <= int(text) <= 256):
        raise PlayerError("server", f"PLAYPEN_THREADS must be a number from 1 to 256, not {text!r}")
    return int(text)


class Server:
    """A running llama.cpp server. Made by `_start`; `stop` may be called twice."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, secret: str) -> None:
        self.process = process
        self.url = url
        self.secret = secret

    @property
    def alive(self) -> bool:
        """Whether it still serves."""
        return self.process.poll() is None

    def stop(self) -> None:
        """End it: its standard input ends, and if that does not do, it is killed."""
        with contextlib.suppress(OSError):
            cast(Any, self.process.stdin).close()
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        cast(Any, self.process.stdout).close()


class _Shelf:
    """The servers of this process, and how many clients hold each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._starting: dict[Key, threading.Lock] = {}
        self._servers: dict[Key, Server] = {}
        self._held: dict[Key, int] = {}
        self._timers: dict[Key, threading.Timer] = {}

    def take(self, key: Key, seconds: float) -> Server:
        """The running server of this key, started if there is none. Blocks; raises PlayerError."""
        with self._lock:
            starting = self._starting.setdefault(key, threading.Lock())
            self._held[key] = self._held.get(key, 0) + 1
            if timer := self._timers.pop(key, None):
                timer.cancel()
        try:
            with starting:
                server = self._servers.get(key)
                if server is None or not server.alive:
                    if server is not None:
                        server.stop()
                    server = self._servers[key] = _start(Path(key[0]), key[1], key[2], seconds)
                return server
        except BaseException:
            self.give(key, 0.0)
            raise

    def give(self, key: Key, linger: float) -> None:
        """One client less; after `linger` seconds without any, the server stops."""
        with self._lock:
            self._held[key] -= 1
            if self._held[key] or key not in self._servers:
                return
            timer = self._timers[key] = threading.Timer(linger, self._expire, (key,))
            timer.daemon = True
            timer.start()

    def _expire(self, key: Key) -> None:
        with self._lock:
            if self._held.get(key) or self._timers.get(key) is not threading.current_thread():
                return
            del self._timers[key]
            server = self._servers.pop(key, None)
        if server is not None:
            server.stop()

    def stop(self) -> None:
        """Stop all servers, whoever holds them."""
        with self._lock:
            servers, self._servers = list(self._servers.values()), {}
            timers, self._timers = list(self._timers.values()), {}
        for timer in timers:
            timer.cancel()
        for server in servers:
            server.stop()


_shelf = _Shelf()
stop_all = _shelf.stop
"""Stop every server of this process; happens at exit by itself."""
atexit.register(stop_all)


def _start(path: Path, threads: int, slots: int, seconds: float) -> Server:
    """Start a worker and wait until it serves. Raises PlayerError with what is wrong and the way out."""
    if not path.is_file():
        raise PlayerError("not_found", f"there is no file {path}: bring weights with `playpen-tui models get smollm2`")
    if not is_gguf(path):
        raise PlayerError("not_found", f"{path} is not a GGUF file, which llama.cpp needs: name another file")
    secret = secrets.token_urlsafe(24)
    began, logged = monotonic(), quiet.size(LOG)
    with quiet.open_log(LOG) as log:
        process = subprocess.Popen(
            [sys.executable, "-P", str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            bufsize=0,
            start_new_session=True,  # ctrl-c at the terminal is for the one who plays
        )
    wanted = {
        "path": str(path),
        "alias": path.stem,
        "key": secret,
        "threads": threads,
        "slots": slots,
        "seconds": int(seconds) + 5,
    }
    server = Server(process, "", secret)
    try:
        with contextlib.suppress(BrokenPipeError):
            cast(Any, process.stdin).write(json.dumps(wanted).encode() + b"\n")
        answer = _answer(process, began + seconds)
        if "url" not in answer:
            raise _failure(path, answer, logged, seconds, process)
    except BaseException:
        process.kill()
        server.stop()
        raise
    server.url = answer["url"]
    return server


def _answer(process: subprocess.Popen[bytes], until: float) -> dict[str, str]:
    """The worker's line; empty where it ended or the time was up before."""
    line = b""
    stdout = cast(Any, process.stdout)
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        while not line.endswith(b"\n") and (left := until - monotonic()) > 0:
            if selector.select(left):
                piece: bytes = stdout.read(4096)
                if not piece:
                    process.wait()
                    break
                line += piece
    return cast(dict[str, str], json.loads(line)) if line.endswith(b"\n") else {}


def _failure(
    path: Path, answer: Mapping[str, str], logged: int, seconds: float, process: subprocess.Popen[bytes]
) -> PlayerError:
    if answer.get("missing") == "xllamacpp":
        return PlayerError("not_found", f"the built-in model runs in llama.cpp, which is missing: {INSTALL}")
    where = quiet.log_path(LOG)
    if answer:
        said = quiet.tail(LOG, ("error loading model", "error"), logged).rpartition("error loading model: ")[2]
        why = f": {said[:200]}" if said else ""
        return PlayerError("server", f"llama.cpp cannot load {path}{why}; bring the weights anew, or see {where}")
    code = process.poll()
    if code is None:
        return PlayerError("timeout", f"llama.cpp did not load {path} within {seconds:g} s: try again, or see {where}")
    if code in (-4, 132):
        return PlayerError(
            "server", "llama.cpp needs a processor with AVX2, which this one lacks: use a server instead"
        )
    return PlayerError("server", f"llama.cpp ended while it loaded {path} (exit {code}): see {where}")


class EmbeddedClient:
    """A model in a server of our own. A server that died is started anew with the next request."""

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        threads: int,
        slots: int = SLOTS,
        seconds: float = START,
        linger: float = LINGER,
    ) -> None:
        self.name = name
        self.model = path.stem
        self.parallel = slots
        self.max_retries = 3
        """As `ChatClient` has it."""
        self._key: Key = (str(path.resolve()), threads, slots)
        self._seconds = seconds
        self._linger = linger
        self._server: Server | None = None
        self._chat: ChatClient | None = None
        self._opening = asyncio.Lock()

    def __repr__(self) -> str:
        return f"EmbeddedClient({self.name!r}, {self._key[0]!r})"

    async def open(self) -> ChatClient:
        """The client of the running server; starts it if need be. Raises PlayerError."""
        async with self._opening:
            if self._chat is not None and self._server is not None and self._server.alive:
                return self._chat
            await self._release()
            taking = asyncio.ensure_future(asyncio.to_thread(_shelf.take, self._key, self._seconds))
            try:
                server = await asyncio.shield(taking)
            except asyncio.CancelledError:
                taking.add_done_callback(self._unwanted)
                raise
            self._server = server
            self._chat = ChatClient(server.url, self.model, server.secret, name=self.name)
            return self._chat

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
        """One reply; see `ChatClient.complete`."""
        chat = await self.open()
        chat.max_retries = self.max_retries
        return await chat.complete(
            messages,
            sampling,
            role=role,
            emit=emit,
            grammar=grammar,
            deadline=deadline,
            assisted=assisted,
            extra=extra,
        )

    async def aclose(self) -> None:
        """Let go of the server. A later request takes it again."""
        async with self._opening:
            await self._release()

    async def _release(self) -> None:
        chat, self._chat = self._chat, None
        held, self._server = self._server, None
        if held is not None:
            _shelf.give(self._key, self._linger)
        if chat is not None:
            await chat.aclose()

    def _unwanted(self, taken: asyncio.Future[Server]) -> None:
        if not taken.cancelled() and taken.exception() is None:
            _shelf.give(self._key, self._linger)


async def embedded_client(
    path: Path, *, name: str, threads: int = 0, slots: int = 0, seconds: float = START
) -> EmbeddedClient:
    """A client for these weights, its server up. `threads` 0 means `$PLAYPEN_THREADS` or one. Raises PlayerError."""
    client = EmbeddedClient(path, name=name, threads=threads or threads_wanted(), slots=slots or SLOTS, seconds=seconds)
    await client.open()
    return client
