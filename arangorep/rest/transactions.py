"""`/_api/transaction`: stream transactions (data-api 10.1)."""

from __future__ import annotations

import asyncio

from arangorep.data.streams import Declaration, parse_declaration
from arangorep.errors import HttpNotFound, MethodNotAllowed, NotImplementedHere
from arangorep.pacing import drive
from arangorep.rest.answer import Answer, json_answer, result
from arangorep.rest.context import Request, transaction_number
from arangorep.rest.writing import wait_for_end
from arangorep.storage.catalog import Collection
from arangorep.values.account import Level


async def handle(request: Request) -> Answer:
    """Begin, list, look at, commit and abort. Errors: 405/405; 404/404; 501/9 for JavaScript."""
    match request.method, request.parts:
        case (("GET" | "HEAD"), []):
            return _list(request)
        case "POST", ["begin"]:
            return await _begin(request)
        case "POST", []:
            raise NotImplementedHere("not implemented: JavaScript transactions")
        case (("GET" | "HEAD" | "PUT" | "DELETE"), [text]):
            return await _one(request, text)
        case (("GET" | "HEAD" | "PUT" | "DELETE" | "POST"), _):
            raise HttpNotFound
    raise MethodNotAllowed


def _list(request: Request) -> Answer:
    """Everybody's for administrators; those of all databases in `_system`."""
    owner = None if request.identity.is_admin else request.user
    database = None if request.database.info.is_system else request.database_name
    ids = request.services.streams.running(owner, database)
    return json_answer({"transactions": [{"id": str(i), "state": "running"} for i in ids]})


async def _begin(request: Request) -> Answer:
    """Errors: 400/10; 404/1203; 403/11, 403/1004; 400/32; 500/18 after `lockTimeout`."""
    declared = parse_declaration(await request.json())
    services = request.services
    deadline_s = asyncio.get_running_loop().time() + declared.lock_wait_s
    while True:
        async with services.write_lock:
            reading, writing, exclusive = _collections(request, declared)
            if services.streams.may_begin(writing, exclusive):
                transaction = services.streams.begin(
                    request.database, request.user, reading, writing, exclusive, declared
                )
                return _described(transaction.id, "running", 201)
        await wait_for_end(services, deadline_s)


def _collections(
    request: Request, declared: Declaration
) -> tuple[list[Collection], list[Collection], list[Collection]]:
    if declared.write or declared.exclusive:
        request.check_documents_writable()
    return (
        [request.collection(name) for name in declared.read],
        [request.writable_collection(name) for name in declared.write],
        [request.writable_collection(name) for name in declared.exclusive],
    )


async def _one(request: Request, text: str) -> Answer:
    services = request.services
    transaction_id = transaction_number(text)
    place = transaction_id, request.user, request.database_name
    if request.method == "PUT":
        async with services.write_lock:
            for collection in services.streams.written(*place):
                # much may have happened since the first write
                request.check_documents_writable()
                request.check_collection_level(collection.info.name, Level.WRITE)
                request.check_not_followed(collection.info.name)
            wants_sync = await drive(services.streams.commit(*place))
        if wants_sync:
            await services.group_sync.wait()
        return _described(transaction_id, "committed")
    if request.method == "DELETE":
        # a request that is writing into the transaction ends first
        async with services.write_lock:
            services.streams.abort(*place)
        return _described(transaction_id, "aborted")
    return _described(transaction_id, services.streams.state(*place))


def _described(transaction_id: int, state: str, status: int = 200) -> Answer:
    return result({"id": str(transaction_id), "status": state}, status)
