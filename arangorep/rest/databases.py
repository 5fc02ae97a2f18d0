"""`/_api/database` (data-api 4)."""

from __future__ import annotations

from arangorep.data.databases import create_database, drop_database, droppable_database
from arangorep.errors import (
    ArangoError,
    BadParameter,
    DuplicateName,
    Forbidden,
    HttpBadParameter,
    MethodNotAllowed,
    UseSystemDatabase,
)
from arangorep.rest.answer import Answer, result
from arangorep.rest.context import Request


async def handle(request: Request) -> Answer:
    """List, describe, create and drop databases."""
    match request.method:
        case "GET" | "HEAD":
            return _show(request)
        case "POST":
            _require_system(request)
            request.require_parts(0)
            return await _create(request)
        case "DELETE":
            _require_system(request)
            request.require_parts(1)
            return await _drop(request)
    raise MethodNotAllowed


def _require_system(request: Request) -> None:
    if not request.database.info.is_system:
        raise UseSystemDatabase


def _show(request: Request) -> Answer:
    if len(request.parts) > 1:
        raise HttpBadParameter
    word = request.parts[0] if request.parts else ""
    if word == "current":
        info = request.database.info
        answer = {"id": str(info.id), "name": info.name, "isSystem": info.is_system}
        return result({**answer, "path": "none"})
    if word not in ("", "user"):
        raise BadParameter(f"bad parameter: unknown word '{word}'")
    if not word:
        _require_system(request)
    names = [database.info.name for database in request.store.catalog.databases]
    if word:
        names = [name for name in names if request.identity.database_level(name)]
    return result(names)


async def _create(request: Request) -> Answer:
    request.check_catalog_writable()
    body = await request.json()
    async with request.services.write_lock:
        request.check_databases_not_followed()
        try:
            name = create_database(request.store, body)
        except (Forbidden, DuplicateName):
            raise
        except ArangoError as error:
            error.http_status = 400  # everything else is a 400 here (data-api 4.2)
            raise
        users = body.get("users") if isinstance(body, dict) else None
        request.services.users.grant_new_database(name, users, request.user)
    return result(True, 201)


async def _drop(request: Request) -> Answer:
    request.check_catalog_writable()
    services = request.services
    async with services.write_lock:
        request.check_databases_not_followed()
        name = droppable_database(request.store, request.parts[0])
        if request.may_change_accounts():
            services.users.forget(name)
        database_id = drop_database(request.store, name)
        services.streams.sweep()
        services.cursors.forget_database(database_id)
    await services.appliers.forget_database(database_id)
    request.services.clients.forget_database(database_id)
    return result(True)
