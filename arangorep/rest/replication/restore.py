"""`/_api/replication/restore-*`: what arangorestore calls (leader-api 9)."""

from __future__ import annotations

import asyncio

from arangorep.codec import velocypack
from arangorep.data.restoring import (
    parse_structure,
    restore_documents,
    restore_indexes,
    restore_lines,
    restore_structure,
)
from arangorep.data.views import create_view, drop_view
from arangorep.errors import BadParameter, CollectionNotFound, HttpBadParameter
from arangorep.pacing import drive
from arangorep.rest.answer import Answer, json_answer
from arangorep.rest.context import Request
from arangorep.rest.negotiation import is_velocypack
from arangorep.rest.writing import writing
from arangorep.values.account import Level


def _done() -> Answer:
    return json_answer({"result": True})


async def collection(request: Request) -> Answer:
    """`PUT restore-collection`. Errors: 400/400, 1208, 1232; 409/1207; 403/11, 403/1004."""
    parameters, _ = parse_structure(await request.json())
    overwrite = request.query.flag("overwrite")
    name = parameters["name"]
    services = request.services
    request.check_documents_writable()
    async with services.write_lock:
        is_new = request.database.named(name) is None
        if overwrite or is_new:
            request.require_database_write()
        else:
            request.check_collection_level(name, Level.WRITE)
        request.check_not_followed(name)
        created = restore_structure(
            request.store, request.database, parameters, overwrite=overwrite
        )
        account = request.identity.account
        if created is not None and account is not None and not request.may(name, Level.WRITE):
            services.users.set_level(account.name, request.database_name, name, Level.WRITE)
    return _done()


async def indexes(request: Request) -> Answer:
    """`PUT restore-indexes`. Errors: 400/400; 404/1203; those of the first index that fails."""
    parameters, definitions = parse_structure(await request.json())
    if not definitions:
        return _done()
    request.check_documents_writable()
    async with writing(request, parameters["name"], alone=True) as found:
        await drive(restore_indexes(request.store, request.database, found, definitions))
    return _done()


async def data(request: Request) -> Answer:
    """`PUT restore-data`: a piece of a data file, or one array of documents as VelocyPack.

    Errors: 400/400; 404/1203; 400/600; those of the first document that fails, with nothing stored.
    """
    name = request.query.text("collection")
    if not name:
        raise HttpBadParameter("invalid collection parameter, not given")
    request.check_documents_writable()
    body = await request.read_body()
    packed = await _unpacked(body) if is_velocypack(request.header("Content-Type")) else None
    users = request.services.users
    try:
        async with writing(request, name) as found:
            where = request.store, request.database, found
            if packed is None:
                await drive(restore_lines(*where, body, users))
            else:
                await drive(restore_documents(*where, packed, users))
    except CollectionNotFound as error:
        error.message = f"unable to start transaction: {error.message}"
        raise
    return _done()


async def _unpacked(body: bytes) -> list[dict[str, object]]:
    """Errors: 400/600; 400/10 for what holds no documents."""
    values = await asyncio.to_thread(list, velocypack.decode_all(body)) if body else []
    if len(values) == 1 and isinstance(values[0], list):
        values = values[0]
    if not all(isinstance(v, dict) and isinstance(v.get("_key"), str) for v in values):
        raise BadParameter("bad parameter: expecting an array of documents with '_key'")
    return values


async def view(request: Request) -> Answer:
    """`PUT restore-view`. Errors: 400/10, 1208; 404/1203; 409/1207."""
    body = await request.json()
    if not isinstance(body, dict) or not all(
        isinstance(body.get(m), str) for m in ("name", "type")
    ):
        raise BadParameter("bad parameter: a view needs 'name' and 'type'")
    request.check_catalog_writable()
    async with request.services.write_lock:
        request.check_not_followed()
        present = request.database.view_named(body["name"])
        if present is not None and request.query.flag("overwrite"):
            drop_view(request.store, request.database, present)
        create_view(request.store, request.database, body)
    return _done()
