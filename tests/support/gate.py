"""A gate before a server: it records requests, loses answers, holds requests back, or hides that
the server is no ArangoDB, whose dump keeps the position and ignores `from`.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 60
HIDDEN_HEADERS = ("connection", "transfer-encoding", "content-length", "date", "server")

Judge = Callable[[str, str], str]
"""Of method and target: `pass`, `lose` (the answer), `hold` until the gate opens, or `refuse`."""


class Gate:
    """`with Gate(url, judge) as gate`: requests to `gate.url` reach the server at `url`."""

    def __init__(
        self, url: str, judge: Judge = lambda *_: "pass", *, is_arangodb: bool = False
    ) -> None:
        self.requests: list[tuple[str, str]] = []
        self.held = threading.Event()
        self.opened = threading.Event()
        gate, target = self, urlsplit(url).netloc

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                gate._handle(self, target, judge, is_arangodb=is_arangodb)

            do_GET = do_PUT = do_POST = do_DELETE = _any

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Gate:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.opened.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(TIMEOUT_S)

    def seen(self, method: str, word: str) -> list[str]:
        """Targets of the requests so far."""
        return [target for m, target in self.requests if m == method and word in target]

    def _handle(
        self, handler: BaseHTTPRequestHandler, target: str, judge: Judge, *, is_arangodb: bool
    ) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", "0")))
        method, path = handler.command, handler.path
        self.requests.append((method, path))
        verdict = judge(method, path)
        if verdict == "hold":
            self.held.set()
            self.opened.wait(TIMEOUT_S)
        if verdict == "refuse":
            handler.close_connection = True
            return
        if is_arangodb:
            path = re.sub(r"(/replication/dump\?.*from=)[0-9]+", r"\g<1>0", path)
        status, headers, data = _forward(target, method, path, body, dict(handler.headers))
        if is_arangodb and "logger-state" in path:
            members = json.loads(data)
            members["server"].pop("features", None)
            data = json.dumps(members).encode()
        if verdict == "lose":
            handler.close_connection = True
            return
        handler.send_response(status)
        for name, value in headers:
            if name.lower() not in HIDDEN_HEADERS:
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)


def _forward(
    target: str, method: str, path: str, body: bytes, headers: dict[str, str]
) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = http.client.HTTPConnection(target, timeout=TIMEOUT_S)
    try:
        sent = {n: v for n, v in headers.items() if n.lower() not in ("host", "content-length")}
        connection.request(method, path, body or None, sent)
        response = connection.getresponse()
        return response.status, response.getheaders(), response.read()
    finally:
        connection.close()
