"""What handlers may use: the server's services and the request at hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arangorep.auth.authenticator import Authenticator
from arangorep.backup.runner import TaskRunner
from arangorep.backup.transfers import Transfers
from arangorep.clock import Clock
from arangorep.codec.json import loads, loads_shallow
from arangorep.data.stream import StreamTransaction
from arangorep.data.streams import StreamTransactions
from arangorep.data.users import UserDirectory
from arangorep.errors import ArangoError, BadParameter, Forbidden, HttpBadParameter, ReadOnly
from arangorep.follower.appliers import Appliers
from arangorep.leader.batches import BatchRegistry
from arangorep.leader.clients import ClientIdentity, ReplicationClients
from arangorep.leader.parallel_dump import ParallelDumps
from arangorep.pacing import GroupSync, LoopMonitor, Signal
from arangorep.protocol import headers
from arangorep.protocol.params import Query, parse_client_id, parse_number
from arangorep.rest.answer import Answer
from arangorep.rest.cursor_registry import CursorRegistry
from arangorep.rest.cutter import Cutter
from arangorep.rest.jobs import JobRegistry
from arangorep.rest.negotiation import decoded, is_velocypack
from arangorep.rest.observation import Observation
from arangorep.storage.catalog import Collection, Database
from arangorep.storage.store import Store
from arangorep.values.account import USERS_COLLECTION, Identity, Level
from arangorep.values.database import SYSTEM_DATABASE


@dataclass(slots=True)
class Services:
    """Everything a handler may touch. Filled once by `server.node`."""

    store: Store
    clock: Clock
    authenticator: Authenticator
    users: UserDirectory
    clients: ReplicationClients
    batches: BatchRegistry
    dumps: ParallelDumps
    dump_lock: asyncio.Lock
    """Held while one batch of a parallel dump is read."""
    verify_lock: asyncio.Lock
    """Held while a dump is read to its end."""
    jobs: JobRegistry
    cursors: CursorRegistry
    cutter: Cutter
    runner: TaskRunner
    transfers: Transfers
    write_lock: asyncio.Lock
    """Held from the first tick of a write to its commit, so that transactions never interleave."""
    streams: StreamTransactions
    stream_ended: Signal
    """Told whenever a stream transaction ends."""
    group_sync: GroupSync
    loop_monitor: LoopMonitor
    appliers: Appliers
    version: str
    """The ArangoDB version that is reported."""
    product_version: str
    backup_api: str = "true"
    """Who may use `/_admin/backup/*`: `true` for administrators, `jwt` for superusers, `false`."""
    backup_path_prefix: Path = Path("/")
    """Backups are copied to and from places below this directory only."""
    endpoint: str = ""
    read_only: bool = False
    writable_follower: bool = False
    """Whether users may write where an applier does."""
    stopping: bool = False
    maintenance: set[asyncio.Future[None]] = field(default_factory=set)
    """Work of threads on the store; it must end before the store is closed."""
    observation: Observation = field(kw_only=True)
    restarts: bool = False
    """Whether the server is to start again after the stop that was asked for."""
    shut_down: Callable[[], None] | None = None
    """Begins a clean stop of the process; set by whoever runs the server as one."""


@dataclass(slots=True)
class Request:
    """One request, already routed: `parts` are the decoded path parts behind the route's prefix."""

    services: Services
    method: str
    path: str
    database_name: str
    parts: list[str]
    query: Query
    headers: Mapping[str, str]
    read_body: Callable[[], Awaitable[bytes]]
    identity: Identity
    read_chunks: Callable[[], AsyncIterator[bytes]] | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body while it comes. Errors: 413/413; 400/10."""
        if self.read_chunks is None:
            yield await self.read_body()
            return
        async for chunk in self.read_chunks():
            yield chunk

    @property
    def user(self) -> str:
        """The name of who sent this; `root` for superusers."""
        return self.identity.user

    @property
    def store(self) -> Store:
        return self.services.store

    @property
    def database(self) -> Database:
        """Errors: 404/1228."""
        return self.services.store.catalog.database(self.database_name)

    def collection(self, text: str) -> Collection:
        """A collection that the user may read. Errors: 404/1203, 404/1228, 403/11."""
        collection = self.database.find(text)
        self.check_collection_level(collection.info.name, Level.READ)
        return collection

    async def json(self) -> Any:
        """The body's value, None when there is none. Errors: 400/600."""
        data = await self.read_body()
        if data and is_velocypack(self.header("Content-Type")):
            return await decoded(data)
        return loads(data) if data.strip() else None

    async def documents(self) -> Any:
        """The body's value, whose depth is checked later, document by document. Errors: 400/600."""
        data = await self.read_body()
        if data and is_velocypack(self.header("Content-Type")):
            return await decoded(data)
        return loads_shallow(data) if data.strip() else None

    def header(self, name: str) -> str | None:
        return self.headers.get(name)

    @contextmanager
    def stream(self) -> Iterator[StreamTransaction | None]:
        """The stream transaction that the request is part of.

        Errors: 400/10 for an id that is no number; 404/1655; 410/1654.
        """
        text = self.headers.get(headers.TRANSACTION_ID)
        if text is None:
            yield None
            return
        number = transaction_number(text)
        streams = self.services.streams
        with streams.use(number, self.user, self.database_name) as found:
            try:
                yield found
            except ArangoError as error:
                if found.is_torn:
                    error.message += "; the transaction was aborted"
                raise

    def client_identity(self) -> ClientIdentity:
        """Who sent this, from the query. Errors: 400/10 for a malformed `syncerId`."""
        query = self.query
        return ClientIdentity(
            syncer_id=parse_client_id(query.text("syncerId")) if "syncerId" in query else 0,
            server_id=query.number("serverId"),
            info=query.text("clientInfo"),
        )

    def require_parts(self, count: int) -> None:
        """Errors: 400/400 unless the path has exactly `count` more parts."""
        if len(self.parts) != count:
            raise HttpBadParameter(f"bad parameter: expecting {count} path parts")

    def writable_collection(self, text: str) -> Collection:
        """A collection that the user may change. Errors: 404/1203, 404/1228, 403/11, 403/1004."""
        collection = self.database.find(text)
        self.check_collection_level(collection.info.name, Level.WRITE)
        self.check_not_followed(collection.info.name)
        return collection

    def may(self, collection: str, level: Level) -> bool:
        """Whether the user has this level on a collection of the request's database."""
        return self.identity.collection_level(self.database_name, collection) >= level

    def check_collection_level(self, collection: str, level: Level) -> None:
        """Errors: 403/11."""
        if not self.may(collection, level):
            verb = "change" if level is Level.WRITE else "read"
            raise Forbidden(f"forbidden: user may not {verb} collection '{collection}'")

    def require_admin(self) -> None:
        """Errors: 403/11 for users who may not write into `_system`."""
        if not self.identity.is_admin:
            raise Forbidden("forbidden: this is for administrators")

    def require_database_write(self) -> None:
        """Errors: 403/11 for users who may only read the database."""
        if self.identity.database_level(self.database_name) is not Level.WRITE:
            raise Forbidden("forbidden: user may not change the database")

    def check_documents_writable(self) -> None:
        """Errors: 403/1004 in read-only mode."""
        if self.services.read_only:
            raise ReadOnly

    def check_not_followed(self, collection: str = "") -> None:
        """Errors: 403/1004 where an active applier writes and users must not.

        `collection` is a name; "" stands for the database itself.
        """
        services = self.services
        if services.writable_follower:
            return
        if services.appliers.guards(self.database_name, collection):
            what = f"collection '{collection}'" if collection else "the database"
            raise ReadOnly(
                f"read-only: {what} is replicated from a leader; write there, or stop the applier"
            )

    def may_change_accounts(self) -> bool:
        """Whether no applier owns the accounts."""
        services = self.services
        return services.writable_follower or not services.appliers.guards(
            SYSTEM_DATABASE, USERS_COLLECTION
        )

    def check_databases_not_followed(self) -> None:
        """Errors: 403/1004 while the global applier creates and drops databases."""
        services = self.services
        if services.appliers.whole.is_active and not services.writable_follower:
            raise ReadOnly("read-only: all databases are replicated from a leader")

    def check_catalog_writable(self) -> None:
        """Errors: 403/11 in read-only mode, and for users who may only read the database."""
        if self.services.read_only:
            raise Forbidden("forbidden: the server is in read-only mode")
        self.require_database_write()


def transaction_number(text: str) -> int:
    """The id of a stream transaction. Errors: 400/10 for text that is no number."""
    if not text.isascii() or not text.isdigit():
        raise BadParameter("bad parameter: a transaction id is a number")
    return parse_number(text)


Handler = Callable[[Request], Awaitable[Answer]]
