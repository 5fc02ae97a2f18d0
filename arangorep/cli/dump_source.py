"""The server that is dumped: one batch for all databases, inventories, and chunks of documents.

The requests are arangodump's in its classic mode, which every version understands. A server keeps
the position within a collection, so what was read by a request whose answer got lost would be
missing: arangorep is told the place (`from`), of other servers the rest is read to its end, after
which they begin anew. Source: follower 9.1, leader-api 2 to 4.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

from arangorep.cli.wire import Connections, Reply, ServerRefused, Unreachable
from arangorep.clock import pause
from arangorep.limits import DUMP_FILE_CHUNK_BYTES, DUMP_TRIES, LEADER_BATCH_TTL_S
from arangorep.protocol.headers import CHECK_MORE, DUMP_FROM, LAST_INCLUDED

RENEWALS_PER_TTL = 3
BUSY_TRIES = 20
DUMP_TYPE = "application/x-arango-dump"


class Stopped(Exception):
    """Another thread failed, or the person wants to end."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A moment of the server: `tick` is where a follower goes on."""

    id: str
    tick: str


class Source:
    """Requests about one dump. `stop` ends every thread at its next chunk."""

    def __init__(self, connections: Connections, home: str) -> None:
        self._connections = connections
        self._home = home
        self._ids = {"serverId": secrets.randbits(48) or 1, "syncerId": secrets.randbits(63) or 1}
        self.stop = threading.Event()
        self.server_id: str | None = None
        self._honours_from = False

    def identify(self) -> None:
        """Ask who the server is. Errors: also when it is none, or has no such database."""
        found = self._call("GET", self._home, "/_api/version")
        if not isinstance(found.get("version"), str):
            raise click.ClickException(f"{self._connections.endpoint} is no ArangoDB server")
        try:
            server = self._call("GET", self._home, "/_api/replication/logger-state").get("server")
        except ServerRefused:
            return
        if isinstance(server, dict):
            identity = server.get("serverId")
            self.server_id = identity if isinstance(identity, str) else None
            features = server.get("features")
            self._honours_from = isinstance(features, list) and DUMP_FROM in features

    def databases(self) -> list[str]:
        """All that the user may read: `_system` first, then by name."""
        found = self._call("GET", "_system", "/_api/database/user").get("result")
        if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
            raise click.ClickException("the server does not list its databases")
        return sorted(found, key=lambda name: (name != "_system", name))

    # -- batch --------------------------------------------------------------------------------

    def open_batch(self) -> Batch:
        """Take hold of one moment of all databases."""
        ttl = {"ttl": LEADER_BATCH_TTL_S}
        found = self._call("POST", self._home, "/_api/replication/batch", self._ids, ttl)
        batch_id, tick = found.get("id"), found.get("lastTick")
        if not isinstance(batch_id, str) or not isinstance(tick, str) or not tick.isdigit():
            raise click.ClickException("the server gives no batch")
        return Batch(batch_id, tick)

    def prolong(self, batch: Batch) -> bool:
        """Whether the batch is still there; then it is for another while."""
        try:
            ttl = {"ttl": LEADER_BATCH_TTL_S}
            self._call("PUT", self._home, f"/_api/replication/batch/{batch.id}", self._ids, ttl)
        except ServerRefused as error:
            if error.status == 404:
                return False
            raise
        return True

    def release(self, batch: Batch) -> None:
        """Let the moment go; a server that does not answer will do so by itself."""
        try:
            self._call("DELETE", self._home, f"/_api/replication/batch/{batch.id}", self._ids)
        except (ServerRefused, Unreachable):
            return

    def inventory(self, batch: Batch, database: str, *, include_system: bool) -> dict[str, Any]:
        """What a database consists of."""
        query = {
            "includeSystem": str(include_system).lower(),
            "includeFoxxQueues": "false",
            "batchId": batch.id,
        }
        found = self._call("GET", database, "/_api/replication/inventory", query)
        if not isinstance(found.get("collections"), list):
            raise click.ClickException(f"the server gives no inventory of {database}")
        return found

    def _call(
        self,
        method: str,
        database: str,
        path: str,
        query: dict[str, Any] | None = None,
        body: Any = None,
    ) -> dict[str, Any]:
        return self._connections.mine.members(method, database, path, query, body)

    # -- documents ----------------------------------------------------------------------------

    def chunks(
        self, batch: Batch, database: str, collection: str, *, is_torn: bool
    ) -> Iterator[bytes]:
        """All documents of a collection, by its id, as blocks of whole lines.

        `is_torn` when an earlier reading may have stopped half way. Errors: `Unreachable`, after
        which the reading is torn; `Stopped`.
        """
        if is_torn and not self._honours_from:
            self._drain(batch, database, collection)
        # 0 would leave the place to the server
        after = "1" if self._honours_from else "0"
        while True:
            reply = self._chunk(batch, database, collection, after)
            if reply.body:
                _check_lines(reply.body, collection)
                yield reply.body
            following = _next_place(reply, after)
            if following is None:
                return
            after = following

    def _chunk(self, batch: Batch, database: str, collection: str, after: str) -> Reply:
        for wait_s in range(1, DUMP_TRIES):
            try:
                return self._ask(batch, database, collection, after)
            except Unreachable:
                if not self._honours_from:
                    raise
                pause(wait_s)
        return self._ask(batch, database, collection, after)

    def _drain(self, batch: Batch, database: str, collection: str) -> None:
        """Read on to the end, so that the next reading starts at the beginning."""
        place: str | None = "0"
        busy = 0
        while place is not None:
            try:
                place = _next_place(self._ask(batch, database, collection, place), place)
            except ServerRefused as error:
                # the request whose answer got lost may still be at work
                busy += 1
                if error.status != 400 or busy > BUSY_TRIES:
                    raise
                pause(1)

    def _ask(self, batch: Batch, database: str, collection: str, after: str) -> Reply:
        if self.stop.is_set():
            raise Stopped
        query = {
            "collection": collection,
            "batchId": batch.id,
            "ticks": "false",
            "useEnvelope": "false",
            "flush": "false",
            "from": after,
            "chunkSize": DUMP_FILE_CHUNK_BYTES,
        }
        reply = self._connections.mine.send(
            "GET",
            database,
            "/_api/replication/dump",
            query,
            is_repeatable=self._honours_from,  # else it would give what comes next
        )
        if reply.body and not reply.headers.get("content-type", "").startswith(DUMP_TYPE):
            raise click.ClickException(f"{collection}: the answer is no dump")
        if CHECK_MORE not in reply.headers:
            raise click.ClickException(f"{collection}: the answer has no {CHECK_MORE}")
        return reply


class BatchKeeper(threading.Thread):
    """Prolongs a batch at a third of its TTL, whatever the work takes."""

    def __init__(self, source: Source, batch: Batch) -> None:
        super().__init__(name="batch-keeper", daemon=True)
        self._source = source
        self._batch = batch
        self._end = threading.Event()

    def __enter__(self) -> BatchKeeper:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self.join()

    def run(self) -> None:
        """Until the end, or until the batch is gone: whoever uses it will notice."""
        while not self._end.wait(LEADER_BATCH_TTL_S / RENEWALS_PER_TTL):
            try:
                if not self._source.prolong(self._batch):
                    return
            except click.ClickException:
                continue  # the next third of the TTL may go better


def _next_place(reply: Reply, after: str) -> str | None:
    """Where the next chunk begins; None at the end. Errors: `ClickException`."""
    if reply.headers[CHECK_MORE] != "true":
        return None
    last = reply.headers.get(LAST_INCLUDED, "")
    if not last.isdigit():
        raise click.ClickException(f"the answer has no {LAST_INCLUDED}")
    if int(last) <= int(after):
        raise click.ClickException("the server sends the same documents again and again")
    return last


def _check_lines(body: bytes, collection: str) -> None:
    if not body.startswith(b"{") or not body.endswith(b"}\n"):
        raise click.ClickException(f"{collection}: the answer does not hold whole lines")
