"""A real server in a thread of the test process, and a small HTTP client for it."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote

import requests

from arangorep.clock import Clock
from arangorep.config import Config
from arangorep.server.app import Server

T = TypeVar("T")
TIMEOUT_S = 60

_numbers = itertools.count(1)


class ServerThread:
    """Runs a `Server` on an event loop of its own thread."""

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        self.config = config
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.server = Server(config, clock)

    def __enter__(self) -> ServerThread:
        self._thread.start()
        try:
            self.run(self.server.start())
        except BaseException:
            self._end_loop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.run(self.server.stop())
        finally:
            self._end_loop()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT_S)
        self._loop.close()

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT_S)

    def call(self, function: Callable[[], T]) -> T:
        """Run a function on the server's thread: the only way to touch its node."""

        async def run() -> T:
            return function()

        return self.run(run())

    @contextmanager
    def fresh_database(self, name: str | None = None) -> Iterator[Api]:
        """A client in a new database; dropped at the end."""
        name = name or f"db{next(_numbers)}"
        with Api(self.url, "_system") as system:
            assert system.post("/_api/database", {"name": name}).status_code == 201
            with Api(self.url, name) as client:
                yield client
            system.delete(f"/_api/database/{quote(name, safe='')}")


class Api:
    """Requests to one database of a server. Bodies that are no bytes or text are sent as JSON."""

    def __init__(self, url: str, database: str) -> None:
        self.url = url
        self.database = database
        self.session = requests.Session()
        self.session.trust_env = False

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> requests.Response:
        """`path` starts with `/_api` or `/_admin` and is sent below `/_db/<database>`."""
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        url = f"{self.url}/_db/{quote(self.database, safe='')}{path}"
        return self.session.request(
            method, url, data=body, params=params, headers=headers, timeout=TIMEOUT_S
        )

    def get(self, path: str, **params: Any) -> requests.Response:
        return self.request("GET", path, params=params)

    def post(self, path: str, body: Any = None, **params: Any) -> requests.Response:
        return self.request("POST", path, body, params=params)

    def put(self, path: str, body: Any = None, **params: Any) -> requests.Response:
        return self.request("PUT", path, body, params=params)

    def patch(self, path: str, body: Any = None, **params: Any) -> requests.Response:
        return self.request("PATCH", path, body, params=params)

    def delete(self, path: str, body: Any = None, **params: Any) -> requests.Response:
        return self.request("DELETE", path, body, params=params)

    # -- what nearly every test needs ----------------------------------------------------------

    def create_collection(self, name: str, **attributes: Any) -> dict[str, Any]:
        """Create a collection; returns its properties."""
        response = self.post("/_api/collection", {"name": name, **attributes})
        assert response.status_code == 200, response.text
        return response.json()

    def insert(self, collection: str, documents: Any, **params: Any) -> Any:
        """Insert one document or a list; returns the answer's body."""
        response = self.post(f"/_api/document/{quote(collection, safe='')}", documents, **params)
        assert response.status_code in (201, 202), response.text
        return response.json()

    def create_batch(self, ttl: float = 600, **params: Any) -> str:
        """Create a replication batch; returns its id."""
        response = self.post("/_api/replication/batch", {"ttl": ttl}, **params)
        assert response.status_code == 200, response.text
        return response.json()["id"]

    def dump(self, collection: str, batch: str, **params: Any) -> list[dict[str, Any]]:
        """All documents of a collection at a batch, in dump order, without envelope."""
        documents: list[dict[str, Any]] = []
        while True:
            response = self.get(
                "/_api/replication/dump",
                collection=collection,
                batchId=batch,
                **{"useEnvelope": "false", **params},
            )
            assert response.status_code in (200, 204), response.text
            documents += map(json.loads, response.content.splitlines())
            if response.headers["x-arango-replication-checkmore"] == "false":
                return documents

    def tail(self, after: str | int, **params: Any) -> list[dict[str, Any]]:
        """All markers after a tick that this database may see."""
        markers: list[dict[str, Any]] = []
        scanned = 0
        while True:
            response = self.get(
                "/_api/wal/tail", **{"from": after, "lastScanned": scanned, **params}
            )
            assert response.status_code in (200, 204), response.text
            markers += map(json.loads, response.content.splitlines())
            if response.headers["x-arango-replication-checkmore"] == "false":
                return markers
            after = response.headers["x-arango-replication-lastincluded"]
            scanned = response.headers["x-arango-replication-lastscanned"]


def error_of(response: requests.Response) -> tuple[int, int]:
    """Status and errorNum, after checking that it is an error body of the right shape."""
    body = response.json()
    assert body["error"] is True, body
    assert body["code"] == response.status_code, body
    assert isinstance(body["errorMessage"], str)
    assert body["errorMessage"]
    return response.status_code, body["errorNum"]
