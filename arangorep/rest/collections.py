"""`/_api/collection` (data-api 5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any
from urllib.parse import quote

from arangorep.codec.json import loads_shallow
from arangorep.data import collections
from arangorep.errors import (
    ClusterOnlyOnCoordinator,
    HttpBadParameter,
    HttpNotFound,
    MethodNotAllowed,
    NotImplementedHere,
)
from arangorep.limits import SCAN_ROWS_MAX
from arangorep.pacing import drive
from arangorep.rest.answer import Answer, ok, result
from arangorep.rest.context import Request
from arangorep.rest.writing import sync_if_wanted, writing
from arangorep.storage.catalog import Collection
from arangorep.storage.engine import Family
from arangorep.storage.store import Store
from arangorep.values.account import Level
from arangorep.values.checksum import document_checksum
from arangorep.values.revision import revision_text


async def handle(request: Request) -> Answer:
    """Create, list, describe, change and drop collections."""
    match request.method, len(request.parts):
        case "POST", _:
            return await _create(request)
        case (("GET" | "HEAD"), 0):
            return _list(request)
        case (("GET" | "HEAD"), 1):
            return ok(request.collection(request.parts[0]).info.base_info())
        case (("GET" | "HEAD"), 2):
            return await _sub_resource(request, READERS)
        case "PUT", 2:
            return await _sub_resource(request, WRITERS)
        case "DELETE", 1:
            return await _drop(request)
        case (("GET" | "HEAD" | "PUT" | "DELETE"), _):
            raise HttpBadParameter("bad parameter: unexpected number of path parts")
    raise MethodNotAllowed


async def _create(request: Request) -> Answer:
    request.check_catalog_writable()
    request.require_parts(0)
    body = await request.json()
    async with request.services.write_lock:
        _check_name_not_followed(request, body)
        collection = collections.create_collection(request.store, request.database, body)
    if collection.info.wait_for_sync:
        await request.services.group_sync.wait()
    return ok(_properties(collection))


def _check_name_not_followed(request: Request, body: object) -> None:
    """Errors: 403/1004 for a name under which an active applier may create a collection."""
    name = body.get("name") if isinstance(body, dict) else None
    request.check_not_followed(name if isinstance(name, str) else "")


def _list(request: Request) -> Answer:
    hide_system = request.query.flag("excludeSystem")
    listed = (c.info for c in request.database if not (hide_system and c.info.is_system))
    return result([info.base_info() for info in listed if request.may(info.name, Level.READ)])


async def _drop(request: Request) -> Answer:
    request.check_catalog_writable()
    collection = request.collection(request.parts[0])
    async with request.services.write_lock:
        collection = request.writable_collection(request.parts[0])
        if not collection.info.is_system and request.may_change_accounts():
            request.services.users.forget(request.database_name, collection.info.name)
        collections.drop_collection(
            request.store,
            request.database,
            collection,
            allow_system=request.query.flag("isSystem"),
        )
        request.services.streams.sweep()
    return ok({"id": str(collection.info.id)})


Sub = Callable[[Request, Collection], Awaitable[dict[str, Any]]]


async def _sub_resource(request: Request, table: dict[str, Sub]) -> Answer:
    name, word = request.parts
    collection = request.collection(name)
    handler = table.get(word)
    if handler is None:
        raise HttpNotFound(f"expecting one of the resources {', '.join(sorted(table))}")
    answer = ok(await handler(request, collection))
    answer.headers["location"] = f"/_db/{quote(request.database_name)}{request.path}"
    return answer


def _properties(collection: Collection) -> dict[str, Any]:
    return collection.info.properties(collection.state.counters.last_value)


# -- GET ---------------------------------------------------------------------------------------


async def _show_properties(request: Request, collection: Collection) -> dict[str, Any]:
    return _properties(collection)


async def _show_count(request: Request, collection: Collection) -> dict[str, Any]:
    with request.stream() as stream:
        count = collection.count if stream is None else stream.count(collection)
    return {**_properties(collection), "count": count}


async def _show_figures(request: Request, collection: Collection) -> dict[str, Any]:
    indexes = [("primary", "0"), *((i.type, str(i.id)) for i in collection.info.indexes)]
    figures: dict[str, Any] = {
        "indexes": {"count": len(indexes), "size": 0},
        "documentsSize": 0,
        "cacheInUse": False,
        "cacheSize": 0,
        "cacheUsage": 0,
    }
    if request.query.flag("details"):
        figures["engine"] = {
            "documents": collection.count,
            "indexes": [{"type": t, "id": i, "count": collection.count} for t, i in indexes],
        }
    return {**_properties(collection), "count": collection.count, "figures": figures}


def _revision(collection: Collection) -> str:
    return revision_text(collection.state.counters.revision)


async def _show_revision(request: Request, collection: Collection) -> dict[str, Any]:
    return {**_properties(collection), "revision": _revision(collection)}


async def _show_checksum(request: Request, collection: Collection) -> dict[str, Any]:
    revision = _revision(collection)
    total = await drive(
        _checksum(
            request.store,
            collection,
            with_revisions=request.query.flag("withRevisions"),
            with_data=request.query.flag("withData"),
        )
    )
    return {**collection.info.base_info(), "revision": revision, "checksum": str(total)}


def _checksum(
    store: Store, collection: Collection, *, with_revisions: bool, with_data: bool
) -> Generator[None, None, int]:
    cursor = store.engine.cursor(Family.DOCUMENTS)
    start, total = collection.prefix, 0
    try:
        while rows := cursor.items(start, collection.document_end, SCAN_ROWS_MAX // 32):
            for _, row in rows:
                total ^= document_checksum(
                    loads_shallow(row), with_revisions=with_revisions, with_data=with_data
                )
            start = rows[-1][0] + b"\0"
            yield
    finally:
        cursor.close()
    return total


async def _only_clusters(request: Request, collection: Collection) -> dict[str, Any]:
    raise NotImplementedHere("not implemented: there are no shards on a single server")


# -- PUT ---------------------------------------------------------------------------------------


async def _load(request: Request, collection: Collection) -> dict[str, Any]:
    body = await request.json()
    if isinstance(body, dict) and body.get("count") is False:
        return collection.info.base_info()
    return {**collection.info.base_info(), "count": collection.count}


async def _base_info(request: Request, collection: Collection) -> dict[str, Any]:
    return collection.info.base_info()


async def _truncate(request: Request, collection: Collection) -> dict[str, Any]:
    request.check_documents_writable()
    name = request.parts[0]
    with request.stream() as stream:
        async with writing(request, name, stream, alone=stream is None) as collection:
            if stream is None:
                collections.truncate_collection(request.store, request.database, collection)
            else:
                await drive(stream.writer(collection).clear_in_slices())
    await sync_if_wanted(request, collection, stream)
    return collection.info.base_info()


async def _change(request: Request, collection: Collection) -> dict[str, Any]:
    request.check_catalog_writable()
    body = await request.json()
    async with request.services.write_lock:
        collection = request.writable_collection(request.parts[0])
        collections.change_collection(request.store, request.database, collection, body)
    return _properties(collection)


async def _rename(request: Request, collection: Collection) -> dict[str, Any]:
    request.check_catalog_writable()
    body = await request.json()
    async with request.services.write_lock:
        _check_name_not_followed(request, body)
        collection = request.writable_collection(request.parts[0])
        collections.rename_collection(request.store, request.database, collection, body)
    return collection.info.base_info()


async def _no_effect(request: Request, collection: Collection) -> dict[str, Any]:
    return {"result": True}


async def _recount(request: Request, collection: Collection) -> dict[str, Any]:
    return {"result": True, "count": collection.count}


async def _only_coordinators(request: Request, collection: Collection) -> dict[str, Any]:
    raise ClusterOnlyOnCoordinator


READERS: dict[str, Sub] = {
    "properties": _show_properties,
    "count": _show_count,
    "figures": _show_figures,
    "revision": _show_revision,
    "checksum": _show_checksum,
    "shards": _only_clusters,
}
WRITERS: dict[str, Sub] = {
    "load": _load,
    "unload": _base_info,
    "compact": _base_info,
    "truncate": _truncate,
    "properties": _change,
    "rename": _rename,
    "loadIndexesIntoMemory": _no_effect,
    "recalculateCount": _recount,
    "responsibleShard": _only_coordinators,
}
