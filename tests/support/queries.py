"""Queries over HTTP: sending one, reading all of its batches."""

from __future__ import annotations

from typing import Any

import requests
from support.server import Api


def send(
    api: Api,
    text: str,
    binds: dict[str, Any] | None = None,
    *,
    headers: dict[str, str] | None = None,
    **members: Any,
) -> requests.Response:
    """`POST /_api/cursor` with any further members of the body."""
    body = {"query": text, "bindVars": binds or {}, **members}
    return api.request("POST", "/_api/cursor", body, headers=headers)


def rows(api: Api, text: str, binds: dict[str, Any] | None = None, **members: Any) -> list[Any]:
    """All results of a query that must succeed."""
    return [one for batch in batches(api, text, binds, **members) for one in batch]


def batches(
    api: Api, text: str, binds: dict[str, Any] | None = None, **members: Any
) -> list[list[Any]]:
    """The batches of a query that must succeed; its cursor must be gone after the last one."""
    response = send(api, text, binds, **members)
    assert response.status_code == 201, response.text
    answer = response.json()
    found = [answer["result"]]
    cursor = answer.get("id")
    while answer["hasMore"]:
        assert answer["id"] == cursor
        response = api.post(f"/_api/cursor/{cursor}")
        assert response.status_code == 200, response.text
        answer = response.json()
        found.append(answer["result"])
    assert "id" not in answer
    if cursor is not None:
        assert api.post(f"/_api/cursor/{cursor}").status_code == 404
    return found
