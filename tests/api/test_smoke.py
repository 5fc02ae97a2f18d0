"""The smoke sequence that all drivers reduce to (data-api 12.4)."""

from __future__ import annotations

from support.server import Api, error_of


def test_a_database_can_be_loaded_read_and_tailed(api: Api, system: Api) -> None:
    assert error_of(system.post("/_api/database", {"name": api.database})) == (409, 1207)
    api.create_collection("c1")
    assert error_of(api.post("/_api/collection", {"name": "c1"})) == (409, 1207)
    first = api.post("/_api/document/c1", {"_key": "a", "n": 1}, returnNew=0, silent=0)
    assert first.status_code == 202
    assert first.headers["location"] == f"/_db/{api.database}/_api/document/c1/a"
    assert first.headers["etag"] == f'"{first.json()["_rev"]}"'
    assert error_of(api.post("/_api/document/c1", {"_key": "a"})) == (409, 1210)
    many = api.post("/_api/document/c1", [{"_key": "b"}, {"_key": 1}, {"_key": "a"}])
    assert [item.get("errorNum") for item in many.json()] == [None, 1221, 1210]
    assert api.get("/_api/document/c1/a").json()["n"] == 1
    assert api.get("/_api/collection/c1/count").json()["count"] == 2
    assert {document["_key"] for document in api.dump("c1", api.create_batch())} == {"a", "b"}
    assert [m["data"]["_key"] for m in api.tail(0) if m["type"] == 2300] == ["a", "b"]
