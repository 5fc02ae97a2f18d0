"""`/_api/view`: definitions of views; nothing searches here (data-api 11)."""

from __future__ import annotations

from arangorep.data.views import change_properties, create_view, drop_view, rename_view
from arangorep.errors import HttpBadParameter, MethodNotAllowed
from arangorep.rest.answer import Answer, ok, result
from arangorep.rest.context import Request


async def handle(request: Request) -> Answer:
    """List, create, describe, change, rename and drop. Errors: 400/400 for other paths; 405/405."""
    match request.method, request.parts:
        case (("GET" | "HEAD"), []):
            return result([view.base_info() for view in request.database.views])
        case (("GET" | "HEAD"), [name]):
            return ok(request.database.find_view(name).base_info())
        case (("GET" | "HEAD"), [name, "properties"]):
            return ok(request.database.find_view(name).describe())
        case "POST", []:
            return await _create(request)
        case (("PUT" | "PATCH"), [name, "properties"]):
            return await _change(request, name)
        case "PUT", [name, "rename"]:
            return await _rename(request, name)
        case "DELETE", [name]:
            return await _drop(request, name)
        case (("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE"), _):
            raise HttpBadParameter("bad parameter: expecting /_api/view/<view>/properties")
    raise MethodNotAllowed


async def _create(request: Request) -> Answer:
    request.check_catalog_writable()
    body = await request.json()
    async with request.services.write_lock:
        request.check_not_followed()
        info = create_view(request.store, request.database, body)
    return ok(info.describe(), 201)


async def _change(request: Request, name: str) -> Answer:
    request.check_catalog_writable()
    body = await request.json()
    async with request.services.write_lock:
        request.check_not_followed()
        info = change_properties(
            request.store,
            request.database,
            request.database.find_view(name),
            body,
            is_partial=request.method == "PATCH",
        )
    return ok(info.describe())


async def _rename(request: Request, name: str) -> Answer:
    request.check_catalog_writable()
    body = await request.json()
    async with request.services.write_lock:
        request.check_not_followed()
        view = request.database.find_view(name)
        info = rename_view(request.store, request.database, view, body)
    return ok(info.base_info())


async def _drop(request: Request, name: str) -> Answer:
    request.check_catalog_writable()
    async with request.services.write_lock:
        request.check_not_followed()
        drop_view(request.store, request.database, request.database.find_view(name))
    return result(True)
