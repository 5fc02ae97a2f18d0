"""Random requests of users: writes of every kind, few names and keys, so that they meet."""

from __future__ import annotations

import random
from typing import Any

from arangorep.storage.catalog import Catalog

NAMES = ("c0", "c1", "c2", "c3")
KEYS = ("k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "1", "7", "12")

Request = tuple[str, str, Any]
"""Method, target, body."""


def random_write(
    chance: random.Random, catalog: Catalog, place: str, *, is_global: bool
) -> Request:
    """A request to the database `place`; where databases are followed too, perhaps about them."""
    name = chance.choice(NAMES)
    api = f"/_db/{place}/_api"
    document, key = _document(chance), chance.choice(KEYS)
    kind = chance.choices(
        (
            "insert",
            "array",
            "update",
            "remove",
            "remove-array",
            "truncate",
            "create",
            "drop",
            "rename",
            "index",
            "drop-index",
            "change",
            "database",
            "import",
        ),
        (10, 8, 6, 6, 2, 2, 7, 2, 3, 4, 2, 1, 2 if is_global else 0, 2),
    )[0]
    request: Request
    match kind:
        case "insert":
            mode = chance.choice(("", "?overwriteMode=replace", "?overwriteMode=update"))
            request = "POST", f"{api}/document/{name}{mode}", document
        case "array":
            several = [_document(chance) for _ in range(chance.randint(1, 9))]
            mode = chance.choice(("", "?overwriteMode=replace"))
            request = "POST", f"{api}/document/{name}{mode}", several
        case "update":
            method = chance.choice(("PUT", "PATCH"))
            request = method, f"{api}/document/{name}/{key}", document
        case "remove":
            request = "DELETE", f"{api}/document/{name}/{key}", None
        case "remove-array":
            several = [chance.choice(KEYS) for _ in range(3)]
            request = "DELETE", f"{api}/document/{name}", several
        case "truncate":
            request = "PUT", f"{api}/collection/{name}/truncate", None
        case "create":
            body: dict[str, Any] = {"name": name}
            if chance.random() < 0.15:
                body["syncByRevision"] = False
            if chance.random() < 0.1:
                body["keyOptions"] = {"type": "autoincrement"}
            request = "POST", f"{api}/collection", body
        case "drop":
            request = "DELETE", f"{api}/collection/{name}", None
        case "rename":
            body = {"name": chance.choice(NAMES)}
            request = "PUT", f"{api}/collection/{name}/rename", body
        case "index":
            body = {
                "type": "persistent",
                "unique": chance.random() < 0.7,
                "sparse": chance.random() < 0.5,
                "fields": [chance.choice(("v", "v", "text", "w"))],
            }
            if chance.random() < 0.4:
                body["name"] = chance.choice(("i1", "i2"))
            request = "POST", f"{api}/index?collection={name}", body
        case "drop-index":
            request = (
                "DELETE",
                f"{api}/index/{name}/{_index_of(chance, catalog, place, name)}",
                None,
            )
        case "change":
            body = {"cacheEnabled": chance.random() < 0.5}
            request = "PUT", f"{api}/collection/{name}/properties", body
        case "import":
            several = [_document(chance) for _ in range(chance.randint(1, 9))]
            query = f"collection={name}&type=list&onDuplicate=replace"
            request = "POST", f"{api}/import?{query}", several
        case _:
            other = chance.choice(("d1", "d2"))
            if chance.random() < 0.6:
                request = "POST", "/_api/database", {"name": other}
            else:
                request = "DELETE", f"/_api/database/{other}", None
    return request


def _document(chance: random.Random) -> dict[str, Any]:
    document: dict[str, Any] = {"v": chance.randint(0, 5)}
    if chance.random() < 0.7:
        document["_key"] = chance.choice(KEYS)
    if chance.random() < 0.3:
        document["text"] = chance.choice(("x" * 90, 'ä\n"é', {"a": [1, None, 2.5]}))
    return document


def _index_of(chance: random.Random, catalog: Catalog, place: str, name: str) -> str:
    if not catalog.has_database(place):
        return "i1"
    collection = catalog.database(place).named(name)
    indexes = collection.info.indexes if collection is not None else ()
    return str(chance.choice(indexes).id) if indexes else "i1"
