"""What the benchmarks of following share: a proxy that counts bytes, changed documents."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from common import COLLECTION, Connection, document

ARRAY = 1000
DIFFERENCES = b'"revision-differences"'
HIDDEN_DIFFERENCES = b'"revision-differencex"'
"""As long as the name of the feature, so that lengths stay right."""


class CountingProxy:
    """Forwards connections to a port and counts the bytes of both directions.

    With `hide_differences` the follower does not learn that the leader knows more than the
    published protocol.
    """

    def __init__(self, port: int, *, hide_differences: bool) -> None:
        self._target = port
        self._hide_differences = hide_differences
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.bytes = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            for source, sink, answers in ((client, server, False), (server, client, True)):
                threading.Thread(
                    target=self._forward, args=(source, sink, answers), daemon=True
                ).start()

    def _forward(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        while data := source.recv(1 << 18):
            self.bytes += len(data)
            if answers and self._hide_differences and len(data) < 4096:
                data = data.replace(DIFFERENCES, HIDDEN_DIFFERENCES)
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listener.close()


@contextmanager
def counted(port: int, *, hide_differences: bool = False) -> Iterator[CountingProxy]:
    """A proxy for the time of one measurement."""
    proxy = CountingProxy(port, hide_differences=hide_differences)
    try:
        yield proxy
    finally:
        proxy.close()


def synchronise(follower: int, leader: int, **config: Any) -> Any:
    """`PUT sync` on the follower; returns its answer."""
    connection = Connection(follower)
    body = {"endpoint": f"tcp://127.0.0.1:{leader}", **config}
    answer = connection.json("PUT", "/_api/replication/sync", body)
    connection.close()
    assert "lastLogTick" in answer, answer
    return answer


def count(port: int) -> int:
    """Documents of the collection."""
    connection = Connection(port)
    answer = connection.json("GET", f"/_api/collection/{COLLECTION}/count")
    connection.close()
    return int(answer.get("count", 0))


def change(port: int, documents: int, share: float, seed: int) -> None:
    """Insert, update and remove `share` of the documents, a third each, spread evenly."""
    changes = max(3, int(documents * share))
    chosen = random.Random(seed).sample(range(documents), 2 * changes // 3)
    updated, removed = chosen[: changes // 3], chosen[changes // 3 :]
    connection = Connection(port)
    path = f"/_api/document/{COLLECTION}"
    for start in range(0, len(updated), ARRAY):
        body = [{"_key": document(n)["_key"], "n": -n} for n in updated[start : start + ARRAY]]
        connection.json("PATCH", path, body)
    for start in range(0, len(removed), ARRAY):
        connection.json(
            "DELETE", path, [document(n)["_key"] for n in removed[start : start + ARRAY]]
        )
    first = documents + seed * documents
    for start in range(first, first + changes // 3, ARRAY):
        stop = min(start + ARRAY, first + changes // 3)
        connection.json("POST", path, [document(n) for n in range(start, stop)])
    connection.close()
