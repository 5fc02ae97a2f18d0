"""`/_api/index` (data-api 8)."""

from __future__ import annotations

from typing import Any

from arangorep.data.indexes import create_index, drop_index, find_index
from arangorep.errors import (
    ArangoError,
    CollectionNotFound,
    CrossCollectionRequest,
    Forbidden,
    IndexNotFound,
    MethodNotAllowed,
)
from arangorep.pacing import drive
from arangorep.rest.answer import Answer, ok
from arangorep.rest.context import Request
from arangorep.rest.writing import writing
from arangorep.storage.catalog import Collection
from arangorep.values.index import edge_index, primary_index

EDGE = 3


async def handle(request: Request) -> Answer:
    """List, describe, create and drop indexes."""
    match request.method:
        case "GET" | "HEAD" if not request.parts:
            return _list(request)
        case "GET" | "HEAD" if request.parts == ["selectivity"]:
            return _selectivity(request)
        case "GET" | "HEAD":
            request.require_parts(2)
            return ok(_show(_path_collection(request), request.parts[1]))
        case "POST" if request.parts == ["sync-caches"]:
            return ok({"result": {}})
        case "POST":
            request.require_parts(0)
            return await _create(request)
        case "DELETE":
            request.require_parts(2)
            return await _drop(request)
    raise MethodNotAllowed


def _query_collection(request: Request) -> Collection:
    name = request.query.text("collection")
    if not name:
        raise CollectionNotFound("collection or view not found: the parameter is missing")
    return request.collection(name)


def _path_collection(request: Request) -> Collection:
    return request.collection(request.parts[0])


def _all(collection: Collection) -> list[dict[str, Any]]:
    name = collection.info.name
    builtin = [primary_index(name)]
    if collection.info.type == EDGE:
        builtin.append(edge_index(name))
    return [*builtin, *(index.describe_api(name) for index in collection.info.indexes)]


def _list(request: Request) -> Answer:
    listed = _all(_query_collection(request))
    if request.query.flag("withStats"):
        listed = [{**index, "figures": {"memory": 0}} for index in listed]
    return ok({"indexes": listed, "identifiers": {index["id"]: index for index in listed}})


def _selectivity(request: Request) -> Answer:
    listed = _all(_query_collection(request))
    known = {i["id"]: i["selectivityEstimate"] for i in listed if "selectivityEstimate" in i}
    return ok({"indexes": known})


def _show(collection: Collection, handle: str) -> dict[str, Any]:
    for index in _all(collection)[:2]:
        if handle in (index["name"], index["id"].rpartition("/")[2]):
            return index
    return find_index(collection, handle).describe_api(collection.info.name)


async def _create(request: Request) -> Answer:
    request.check_documents_writable()
    request.require_database_write()
    name = _query_collection(request).info.guid
    body = await request.json()
    async with writing(request, name, alone=True) as collection:
        try:
            index, is_new = await drive(
                create_index(request.store, request.database, collection, body)
            )
        except (Forbidden, IndexNotFound):
            raise
        except ArangoError as error:
            error.http_status = 400  # everything else is a 400 here (data-api 8.3)
            raise
    described = index.describe_api(collection.info.name)
    return ok({**described, "isNewlyCreated": is_new}, 201 if is_new else 200)


async def _drop(request: Request) -> Answer:
    request.check_documents_writable()
    request.require_database_write()
    collection = _path_collection(request)
    handle = request.parts[1]
    if "/" in handle:
        other, _, handle = handle.partition("/")
        if other not in (collection.info.name, str(collection.info.id)):
            raise CrossCollectionRequest
    async with writing(request, request.parts[0], alone=True) as collection:
        index_id = drop_index(request.store, request.database, collection, handle)
    return ok({"id": f"{collection.info.name}/{index_id}"})
