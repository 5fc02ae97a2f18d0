"""Taking the write lock for a collection, once no transaction has it to itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from arangorep.data.stream import StreamTransaction
from arangorep.errors import LockTimeout, ShuttingDown
from arangorep.limits import STREAM_LOCK_WAIT_S_DEFAULT
from arangorep.rest.context import Request, Services
from arangorep.storage.catalog import Collection


@asynccontextmanager
async def writing(
    request: Request, name: str, stream: StreamTransaction | None = None, *, alone: bool = False
) -> AsyncIterator[Collection]:
    """Hold the write lock with a collection that the request may change.

    `alone` is for what cannot happen while any transaction may write into the collection: creating
    and dropping indexes, truncating. A request that ends half way leaves its transaction torn.
    Errors: 404/1203, 403/11, 403/1004; 500/18 after `STREAM_LOCK_WAIT_S_DEFAULT`.
    """
    services = request.services
    streams = services.streams
    deadline_s = asyncio.get_running_loop().time() + STREAM_LOCK_WAIT_S_DEFAULT
    while True:
        async with services.write_lock:
            collection = request.writable_collection(name)
            collection_id = collection.info.id
            if (
                streams.is_unused(collection_id)
                if alone
                else streams.is_open_for(collection_id, stream.id if stream else 0)
            ):
                changes = 0 if stream is None else stream.changes
                try:
                    yield collection
                except BaseException:
                    if stream is not None and stream.changes != changes:
                        stream.is_torn = True
                    raise
                return
        await wait_for_end(services, deadline_s)


async def wait_for_end(services: Services, deadline_s: float) -> None:
    """Wait until some transaction ends. Errors: 500/18 when that takes too long; 503/30."""
    try:
        async with asyncio.timeout_at(deadline_s):
            await services.stream_ended.wait()
    except TimeoutError:
        raise LockTimeout from None
    if services.stopping:
        raise ShuttingDown


async def sync_if_wanted(
    request: Request,
    collection: Collection,
    stream: StreamTransaction | None,
    *,
    wanted: bool = False,
) -> None:
    """Wait for the disk where the collection or the request says so; a transaction does it at its
    commit."""
    if not (wanted or collection.info.wait_for_sync or request.query.flag("waitForSync")):
        return
    if stream is None:
        await request.services.group_sync.wait()
    else:
        stream.wait_for_sync = True
