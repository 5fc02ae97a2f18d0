"""Whether two servers hold the same: asked over HTTP, told in lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from support.server import Api

from arangorep.protocol.revision_tree import decode_tree

LOCAL = ("id", "objectId", "code", "error", "count")
"""Members of properties that belong to one server."""

SHOWN_DOCUMENTS = 5


def differences(one: str, other: str, database: str | None = None) -> list[str]:
    """What `other` holds differently from `one`, both URLs; of one database or of all."""
    if database is not None:
        return _databases_differ(one, other, database)
    here, there = database_names(one), database_names(other)
    found = _names_differ("databases", here, there)
    for name in sorted(here & there):
        found += _databases_differ(one, other, name)
    return found


def database_names(url: str) -> set[str]:
    """All databases of a server."""
    with Api(url, "_system") as api:
        return set(api.get("/_api/database").json()["result"])


def _names_differ(what: str, here: set[str], there: set[str]) -> list[str]:
    found = []
    if here - there:
        found.append(f"{what} missing: {', '.join(sorted(here - there))}")
    if there - here:
        found.append(f"{what} too many: {', '.join(sorted(there - here))}")
    return found


def _databases_differ(one: str, other: str, database: str) -> list[str]:
    with Api(one, database) as first, Api(other, database) as second:
        here, there = _collection_names(first), _collection_names(second)
        found = _names_differ("collections", here, there)
        with _batch(first) as batch, _batch(second) as other_batch:
            for name in sorted(here & there):
                found += _collections_differ(
                    _Side(first, name, batch), _Side(second, name, other_batch)
                )
    return [f"{database}: {line}" for line in found]


def _collection_names(api: Api) -> set[str]:
    return {each["name"] for each in _json(api, "/_api/collection")["result"]}


@contextmanager
def _batch(api: Api) -> Iterator[str]:
    batch = api.create_batch()
    try:
        yield batch
    finally:
        api.delete(f"/_api/replication/batch/{batch}")


def _json(api: Api, path: str, **params: Any) -> Any:
    answer = api.get(path, **params)
    assert answer.status_code == 200, f"{api.url} {path}: {answer.text}"
    return answer.json()


class _Side:
    """One collection of one server."""

    def __init__(self, api: Api, name: str, batch: str) -> None:
        self._api = api
        self._name = name
        self._path = f"/_api/collection/{quote(name, safe='')}"
        self._batch = batch

    def properties(self) -> dict[str, Any]:
        found = _json(self._api, f"{self._path}/properties")
        # a refused insert moves it too, and no marker tells of that
        found["keyOptions"].pop("lastValue", None)
        return {name: value for name, value in found.items() if name not in LOCAL}

    def indexes(self) -> dict[str, Any]:
        listed = _json(self._api, "/_api/index", collection=self._name)["indexes"]
        return {index["id"]: index for index in listed}

    def count(self) -> int:
        return int(_json(self._api, f"{self._path}/count")["count"])

    def checksum(self) -> str:
        params = {"withData": "true", "withRevisions": "true"}
        return str(_json(self._api, f"{self._path}/checksum", **params)["checksum"])

    def tree(self) -> Any:
        params = {"collection": self._name, "batchId": self._batch, "onlyPopulated": "true"}
        answer = self._api.get("/_api/replication/revisions/tree", **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def documents(self) -> dict[str, Any]:
        return {each["_key"]: each for each in self._api.dump(self._name, self._batch)}


def _collections_differ(here: _Side, there: _Side) -> list[str]:
    found = _values_differ("property", here.properties(), there.properties())
    found += _values_differ("index", here.indexes(), there.indexes())
    if here.count() != there.count():
        found.append(f"{there.count()} documents instead of {here.count()}")
    tree, other_tree = here.tree(), there.tree()
    if (tree["count"], tree["hash"]) != (other_tree["count"], other_tree["hash"]):
        found.append("another revision tree")
    elif decode_tree(tree).difference(decode_tree(other_tree)):
        found.append("another revision tree, though its hash is the same")
    if here.checksum() != there.checksum():
        found.append("another checksum")
    dumped, other_dumped = here.documents(), there.documents()
    found += _values_differ("document", dumped, other_dumped)[:SHOWN_DOCUMENTS]
    if tree["count"] != len(dumped) or other_tree["count"] != len(other_dumped):
        found.append("the tree counts other documents than the dump holds")
    return [f"{here._name}: {line}" for line in found]


def _values_differ(what: str, here: dict[str, Any], there: dict[str, Any]) -> list[str]:
    return [
        f"{what} {name}: {there.get(name)} instead of {here.get(name)}"
        for name in sorted(here.keys() | there.keys())
        if here.get(name) != there.get(name)
    ]
