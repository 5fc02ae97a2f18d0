"""`GET|POST /_admin/echo`: the request as the server understood it (data-api 3)."""

from __future__ import annotations

from urllib.parse import quote

from arangorep.errors import BodyTooLarge
from arangorep.limits import ECHO_BODY_BYTES_MAX
from arangorep.rest.admin import allow
from arangorep.rest.answer import Answer, json_answer
from arangorep.rest.context import Request

SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})
"""Answers end up in logs and on screens: of these only the name is told."""

HIDDEN = "***"


async def handle(request: Request) -> Answer:
    """Errors: 405/405; 413/413 for a body over `ECHO_BODY_BYTES_MAX`."""
    allow(request, "GET", "POST")
    body = await request.read_body()
    if len(body) > ECHO_BODY_BYTES_MAX:
        raise BodyTooLarge("request body too large to be echoed")
    endpoint = request.services.endpoint
    return json_answer(
        {
            "authorized": True,
            "user": request.user,
            "isAdminUser": request.identity.is_admin,
            "database": request.database_name,
            "protocol": endpoint.partition(":")[0] or "http",
            "server": {"endpoint": endpoint},
            "requestType": request.method,
            "url": f"/_db/{quote(request.database_name, safe='')}{_text(request.path)}",
            "path": _text(request.path),
            "prefix": "/",
            "suffix": request.parts,
            "headers": {
                name.lower(): HIDDEN if name.lower() in SECRET_HEADERS else _text(value)
                for name, value in request.headers.items()
            },
            "requestBody": body.decode(errors="replace"),
            "rawRequestBody": {"type": "Buffer", "data": list(body)},
        }
    )


def _text(text: str) -> str:
    """Bytes of a request that are no UTF-8 came as surrogates, which JSON cannot hold."""
    return text.encode(errors="replace").decode()
