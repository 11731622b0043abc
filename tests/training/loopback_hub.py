"""A hub on loopback: as much of the Hugging Face hub as a push asks for."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as a push asks for; keeps what came."""

    def _answer(self, value, code=200):
        body = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.server.asked.append(("GET", self.path))
        if self.server.refuses:
            self._answer({"error": "no"}, self.server.refuses)
            return
        self._answer({"id": "me/bars", "sha": "0" * 40, "siblings": [], "private": self.server.private})

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else self._chunks()
        self.server.asked.append(("POST", self.path))
        if self.server.refuses:
            self._answer({"error": "no"}, self.server.refuses)
        elif self.path.endswith("/repos/create"):
            self._answer({"url": f"http://{self.headers['Host']}/me/{json.loads(body)['name']}"})
        elif self.path.endswith("/validate-yaml"):
            self._answer({"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            files = json.loads(body)["files"]
            named = [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in files]
            self._answer({"files": named})
        else:
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    self.server.files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            self._answer(
                {"commitUrl": f"http://{self.headers['Host']}/me/bars/commit/{'0' * 40}", "commitOid": "0" * 40}
            )

    def _chunks(self):
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        return found

    def log_message(self, *args):
        pass


@pytest.fixture
def hub(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.asked, server.files, server.refuses, server.private = [], {}, 0, False
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
    monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", address)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_" + "x" * 20)
    yield server
    server.shutdown()
    server.server_close()
