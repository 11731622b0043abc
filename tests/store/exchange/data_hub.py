"""As much of the Hugging Face hub, on loopback, as reading a data set asks for: files of one folder, by real HTTP."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class DataHub(ThreadingHTTPServer):
    """Serves `folder` as the data set `name`; everything else is not there."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name, self.folder = name, folder
        self.asked: list[tuple[str, str]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def entries(self) -> list[dict[str, Any]]:
        """Files and folders as the hub lists them."""
        found: list[dict[str, Any]] = []
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            if path.is_dir():
                found.append({"type": "directory", "oid": _hash(name.encode()), "size": 0, "path": name})
            else:
                content = path.read_bytes()
                found.append({"type": "file", "oid": _hash(content), "size": len(content), "path": name})
        return found


class _Handler(BaseHTTPRequestHandler):
    server: DataHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append(("POST", self.path))
        if self.path == f"/api/datasets/{self.server.name}/paths-info/{COMMIT}":
            told = parse_qs(body.decode()) if body[:1] != b"{" else json.loads(body)
            self._json([entry for entry in self.server.entries() if entry["path"] in told["paths"]])
        else:
            self._missing()

    def _serve(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append((self.command, path))
        api, files = f"/api/datasets/{self.server.name}", f"/datasets/{self.server.name}/resolve/"
        if path in (api, f"{api}/revision/{COMMIT}", f"{api}/revision/main"):
            names = [{"rfilename": entry["path"]} for entry in self.server.entries() if entry["type"] == "file"]
            self._json({"id": self.server.name, "sha": COMMIT, "siblings": names, "private": False, "tags": []})
        elif path.startswith((f"{api}/tree/{COMMIT}", f"{api}/tree/main")):
            self._tree(path.removeprefix(f"{api}/tree/").partition("/")[2])
        elif path.startswith(files):
            self._file(path.removeprefix(files).partition("/")[2])
        else:
            self._missing()

    def _tree(self, under: str) -> None:
        deep = parse_qs(urlsplit(self.path).query).get("recursive", ["false"])[0].lower() == "true"
        inside = f"{under}/" if under else ""
        below = [entry for entry in self.server.entries() if entry["path"].startswith(inside)]
        if under and not below:
            self._missing("EntryNotFound")
            return
        self._json([entry for entry in below if deep or "/" not in entry["path"].removeprefix(inside)])

    def _file(self, name: str) -> None:
        path = self.server.folder / name
        if not path.is_file():
            self._missing("EntryNotFound")
            return
        content = path.read_bytes()
        self.send_response(200)
        self.send_header("ETag", f'"{_hash(content)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self._body(content, "application/octet-stream")

    def _json(self, told: Any) -> None:
        self.send_response(200)
        self._body(json.dumps(told).encode(), "application/json")

    def _missing(self, code: str = "RepoNotFound") -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self._body(b"{}", "application/json")

    def _body(self, content: bytes, kind: str) -> None:
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(name: str, folder: Path) -> Iterator[DataHub]:
    """The hub while the block runs."""
    server = DataHub(name, folder)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _hash(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()
