"""`/_api/analyzer`: definitions of analyzers; nothing analyzes here (data-api 11)."""

from __future__ import annotations

from arangorep.data.analyzers import (
    ANALYZERS,
    all_analyzers,
    create_analyzer,
    drop_analyzer,
    find_analyzer,
)
from arangorep.errors import HttpBadParameter, MethodNotAllowed
from arangorep.rest.answer import Answer, json_answer, ok, result
from arangorep.rest.context import Request


async def handle(request: Request) -> Answer:
    """List, describe, create and remove. Errors: 400/400 for other paths; 405/405."""
    match request.method, request.parts:
        case (("GET" | "HEAD"), []):
            return result(all_analyzers(request.store, request.database))
        case (("GET" | "HEAD"), [name]):
            return ok(find_analyzer(request.store, request.database, name))
        case "POST", []:
            return await _create(request)
        case "DELETE", [name]:
            return await _drop(request, name)
        case (("GET" | "HEAD" | "POST" | "DELETE"), _):
            raise HttpBadParameter("bad parameter: expecting /_api/analyzer/<name>")
    raise MethodNotAllowed


async def _create(request: Request) -> Answer:
    request.check_catalog_writable()
    body = await request.json()
    async with request.services.write_lock:
        request.check_not_followed(ANALYZERS)
        definition, is_new = create_analyzer(request.store, request.database, body)
    return json_answer(definition, 201 if is_new else 200)


async def _drop(request: Request, name: str) -> Answer:
    request.check_catalog_writable()
    async with request.services.write_lock:
        request.check_not_followed(ANALYZERS)
        full_name = drop_analyzer(request.store, request.database, name)
    return ok({"name": full_name})
