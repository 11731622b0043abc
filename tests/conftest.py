"""For tests of all floors: a real OpenAI-compatible server on loopback, scripted per model name; and `tests/store`
on the path, since test folders are no packages and others fill logs by its `finished`.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import settings

settings.register_profile("any machine", deadline=None)  # how long an example takes says how busy the machine is
settings.load_profile("any machine")

HELPERS = str(Path(__file__).parent / "store")
if HELPERS not in sys.path:
    sys.path.insert(0, HELPERS)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every core is busy with other tests, a server on loopback may take seconds to answer."""
    monkeypatch.setattr("players.backends.discovery.TIMEOUT", 10.0)
    monkeypatch.setattr("players.backends.discovery.WHOLE", 20.0)


@pytest.fixture(scope="session")
def _data_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def unpacked_once(_data_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One data folder for all trainings of the built-in model: to unpack its weights takes longer than to train it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(_data_home))


class Reply:
    """What a script may do with the request at hand."""

    usage: ClassVar = {
        "id": "c-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "served-model",
        "choices": [],
        "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
    }

    @staticmethod
    def chunk(content: str | None = None, *, finish: str | None = None, **delta: Any) -> dict[str, Any]:
        """One chunk of a stream as servers send it."""
        body = {**({} if content is None else {"content": content}), **delta}
        return {
            "id": "c-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "served-model",
            "choices": [{"index": 0, "delta": body, "finish_reason": finish}],
        }

    def __init__(self, handler: BaseHTTPRequestHandler, body: Mapping[str, Any], number: int) -> None:
        self.handler = handler
        self.body = body
        self.number = number
        """How many requests for this model came before."""

    def status(self, code: int, data: Any, headers: Mapping[str, str] | None = None) -> None:
        """An answer that is not a stream: JSON, or a string as it is."""
        raw = data.encode() if isinstance(data, str) else json.dumps(data).encode()
        self.handler.send_response(code)
        self.handler.send_header("Content-Length", str(len(raw)))
        self.handler.send_header("Content-Type", "text/html" if isinstance(data, str) else "application/json")
        for key, value in (headers or {}).items():
            self.handler.send_header(key, value)
        self.handler.end_headers()
        self.handler.wfile.write(raw)

    def error(self, status: int, message: str, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        """An error as OpenAI words it."""
        self.status(status, {"error": {"message": message, **more}}, headers)

    def begin(self) -> None:
        """Start a stream."""
        self.handler.send_response(200)
        self.handler.send_header("Content-Type", "text/event-stream")
        self.handler.send_header("Transfer-Encoding", "chunked")
        self.handler.end_headers()

    def send(self, data: Any) -> None:
        """One event: JSON, or a string as it is."""
        raw = f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()
        self.handler.wfile.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
        self.handler.wfile.flush()

    def end(self) -> None:
        """The proper end of a stream."""
        self.send("[DONE]")
        self.handler.wfile.write(b"0\r\n\r\n")

    def stream(self, *events: Any) -> None:
        """A whole stream."""
        self.begin()
        for event in events:
            self.send(event)
        self.end()

    def say(self, *pieces: str, finish: str = "stop") -> None:
        """A whole stream of these pieces, with usage."""
        self.stream(self.chunk("", role="assistant"), *map(self.chunk, pieces), self.chunk(finish=finish), self.usage)

    def reset(self) -> None:
        """Cut the connection hard."""
        self.handler.wfile.flush()
        linger = struct.pack("ii", 1, 0)
        self.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.handler.connection.close()
        self.handler.close_connection = True


Script = Callable[[Reply], None]


@dataclass
class Server:
    """The running server: scripts by model name, and what was asked of it."""

    url: str
    port: int
    scripts: dict[str, Script] = field(default_factory=dict)
    paths: dict[str, Any] = field(default_factory=dict)
    """GET answers by path: JSON data or (status, data)."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)
    """Set when a client left in the middle of a stream."""
    banner: str = "test"

    @staticmethod
    def until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
        """Wait for another thread's doing."""
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            time.sleep(0.01)
        return condition()

    def count(self, model: str) -> int:
        """How many chat requests named this model."""
        return sum(request.get("model") == model for request in self.requests)


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def version_string(self) -> str:
            return server.banner

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            server.headers.append({key.lower(): value for key, value in self.headers.items()})
            answer = server.paths.get(self.path, (404, {"error": {"message": "no such path"}}))
            code, data = answer if isinstance(answer, tuple) else (200, answer)
            Reply(self, {}, 0).status(code, data)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            number = server.count(body["model"])
            server.requests.append(body)
            server.headers.append({key.lower(): value for key, value in self.headers.items()})
            script = server.scripts.get(body["model"])
            reply = Reply(self, body, number)
            if script is None:
                reply.error(404, f"model {body['model']} not found")
                return
            try:
                script(reply)
            except (BrokenPipeError, ConnectionResetError):
                server.gone.set()
                self.close_connection = True

    return Handler


class _Threading(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    faults: ClassVar[list[BaseException]] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Remember what went wrong in a script; a connection that was cut is no error of the test."""
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):
            self.faults.append(error)


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on a free port of 127.0.0.1."""
    running = Server("", 0)
    http = _Threading(("127.0.0.1", 0), _handler(running))
    running.port = http.server_address[1]
    running.url = f"http://127.0.0.1:{running.port}/v1"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield running
    http.shutdown()
    http.server_close()
    faults, _Threading.faults[:] = list(_Threading.faults), []
    assert not faults


@pytest.fixture
def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]
