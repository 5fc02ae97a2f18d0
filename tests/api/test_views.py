"""`/_api/view` and markers 2110 to 2112 (leader-api 3 and 7.7, follower 6.6)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from support.server import Api, ServerThread, error_of

from arangorep.config import Config

VIEW = "/_api/view"
SEARCH = {"name": "v", "type": "arangosearch"}
ALIAS = {"name": "a", "type": "search-alias"}
LINK = {
    "analyzers": ["identity"],
    "fields": {},
    "includeAllFields": False,
    "storeValues": "none",
    "trackListPositions": False,
}


@pytest.fixture
def c(api: Api) -> Api:
    api.create_collection("c")
    return api


def create(api: Api, body: Any = SEARCH) -> dict[str, Any]:
    response = api.post(VIEW, body)
    assert response.status_code == 201, response.text
    return response.json()


def properties(api: Api, name: str = "v") -> dict[str, Any]:
    response = api.get(f"{VIEW}/{quote(name, safe='')}/properties")
    assert response.status_code == 200, response.text
    return response.json()


def last_tick(api: Api) -> str:
    return api.get("/_api/wal/lastTick").json()["tick"]


def view_markers(api: Api, after: str) -> list[dict[str, Any]]:
    return [m for m in api.tail(after) if 2110 <= m["type"] <= 2112]


# -- life ------------------------------------------------------------------------------------------


def test_the_life_of_a_view(c: Api) -> None:
    made = create(c, {**SEARCH, "links": {"c": {"includeAllFields": True}}})
    base = {name: made[name] for name in ("id", "name", "type", "globallyUniqueId")}
    assert base["name"] == "v"
    assert base["id"].isdigit()
    assert made["links"] == {"c": {**LINK, "includeAllFields": True}}
    assert made["consolidationPolicy"]["type"] == "tier"
    assert c.get(f"{VIEW}/v").json() == {**base, "code": 200, "error": False}
    assert c.get(f"{VIEW}/{base['id']}").json()["name"] == "v"
    assert properties(c) == {**made, "code": 200}
    assert c.get(VIEW).json()["result"] == [base]
    renamed = c.put(f"{VIEW}/v/rename", {"name": "w"})
    assert renamed.json() == {**base, "name": "w", "code": 200, "error": False}
    assert error_of(c.get(f"{VIEW}/v")) == (404, 1203)
    assert c.delete(f"{VIEW}/w").json() == {"result": True, "code": 200, "error": False}
    assert c.get(VIEW).json()["result"] == []


def test_patch_changes_and_put_replaces(c: Api) -> None:
    c.create_collection("d")
    made = create(c, {**SEARCH, "links": {"c": {}}, "cleanupIntervalStep": 9, "writebufferIdle": 7})
    patched = c.patch(f"{VIEW}/v/properties", {"links": {"d": {}}, "writebufferIdle": 8}).json()
    assert patched["links"] == {"c": LINK, "d": LINK}
    assert (patched["cleanupIntervalStep"], patched["writebufferIdle"]) == (9, 7)
    patched = c.patch(f"{VIEW}/v/properties", {"links": {"c": None}}).json()
    assert patched["links"] == {"d": LINK}
    put = c.put(f"{VIEW}/v/properties", {"commitIntervalMsec": 5}).json()
    assert put["links"] == {}
    assert (put["commitIntervalMsec"], put["cleanupIntervalStep"]) == (5, 2)
    assert put["writebufferIdle"] == 7, "that is set at the creation only"
    assert put["globallyUniqueId"] == made["globallyUniqueId"]


def test_search_alias(c: Api) -> None:
    c.create_collection("d")
    one, two = ({"collection": name, "index": "i"} for name in ("c", "d"))
    assert create(c, ALIAS)["indexes"] == []
    path = f"{VIEW}/a/properties"
    assert c.patch(path, {"indexes": [one]}).json()["indexes"] == [one]
    assert c.patch(path, {"indexes": [two, one]}).json()["indexes"] == [one, two]
    gone = {**one, "operation": "del"}
    assert c.patch(path, {"indexes": [gone]}).json()["indexes"] == [two]
    assert c.put(path, {"indexes": [one]}).json()["indexes"] == [one]
    assert c.put(path, {}).json()["indexes"] == []


def test_a_change_of_nothing_is_not_logged(c: Api) -> None:
    create(c)
    before = last_tick(c)
    for response in (
        c.patch(f"{VIEW}/v/properties", {}),
        c.put(f"{VIEW}/v/properties", {}),
        c.put(f"{VIEW}/v/rename", {"name": "v"}),
    ):
        assert response.status_code == 200
    assert c.tail(before) == []


@pytest.mark.parametrize("name", ["ü", "名前", "a b", "😀", "%2F", "x" * 256, 'q"\\'])
def test_names(api: Api, name: str) -> None:
    assert create(api, {**SEARCH, "name": name})["name"] == name
    assert properties(api, name)["name"] == name
    response = api.put(f"{VIEW}/{quote(name, safe='')}/rename", {"name": "plain"})
    assert response.json()["name"] == "plain"
    assert api.put(f"{VIEW}/plain/rename", {"name": name}).json()["name"] == name
    assert api.delete(f"{VIEW}/{quote(name, safe='')}").status_code == 200


def test_names_are_normalized(api: Api) -> None:
    assert create(api, {**SEARCH, "name": "u\u0308"})["name"] == "ü"
    assert error_of(api.post(VIEW, {**SEARCH, "name": "ü"})) == (409, 1207)
    assert api.put(f"{VIEW}/ü/rename", {"name": "u\u0308"}).status_code == 200


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (None, (400, 10)),
        ([], (400, 10)),
        ("5", (400, 10)),
        (b"{", (400, 600)),
        ({}, (400, 1208)),
        ({"type": "arangosearch"}, (400, 1208)),
        ({"name": "v"}, (400, 10)),
        ({**SEARCH, "name": 5}, (400, 1208)),
        ({**SEARCH, "name": ""}, (400, 1208)),
        ({**SEARCH, "name": "_v"}, (400, 1208)),
        ({**SEARCH, "name": "1v"}, (400, 1208)),
        ({**SEARCH, "name": "a/b"}, (400, 1208)),
        ({**SEARCH, "name": "x" * 257}, (400, 1208)),
        ({**SEARCH, "type": "other"}, (400, 10)),
        ({**SEARCH, "type": []}, (400, 10)),
        ({**SEARCH, "type": {}}, (400, 10)),
        ({**SEARCH, "links": []}, (400, 10)),
        ({**SEARCH, "links": {"c": 5}}, (400, 10)),
        ({**SEARCH, "links": {"nope": {}}}, (404, 1203)),
        ({**SEARCH, "links": {"": {}}}, (404, 1203)),
        ({**SEARCH, "cleanupIntervalStep": "2"}, (400, 10)),
        ({**SEARCH, "cleanupIntervalStep": True}, (400, 10)),
        ({**SEARCH, "primarySort": {}}, (400, 10)),
        ({**SEARCH, "consolidationPolicy": None}, (400, 10)),
        ({**ALIAS, "indexes": {}}, (400, 10)),
        ({**ALIAS, "indexes": [5]}, (400, 10)),
        ({**ALIAS, "indexes": [{"collection": "c"}]}, (400, 10)),
        ({**ALIAS, "indexes": [{"collection": [], "index": "i"}]}, (400, 10)),
        ({**ALIAS, "indexes": [{"collection": "nope", "index": "i"}]}, (404, 1203)),
        ({**SEARCH, "name": "c"}, (409, 1207)),
    ],
)
def test_bodies_that_make_no_view(c: Api, body: Any, expected: tuple[int, int]) -> None:
    before = last_tick(c)
    assert error_of(c.post(VIEW, body)) == expected
    assert c.get(VIEW).json()["result"] == []
    assert c.tail(before) == []


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("v", None, (400, 10)),
        ("v", [], (400, 10)),
        ("v", b"{", (400, 600)),
        ("v", {"links": 5}, (400, 10)),
        ("v", {"links": {"c": []}}, (400, 10)),
        ("v", {"links": {"nope": {}}}, (404, 1203)),
        ("v", {"commitIntervalMsec": 1.5}, (400, 10)),
        ("a", {"indexes": [{}]}, (400, 10)),
        ("a", {"indexes": [None]}, (400, 10)),
        ("a", {"indexes": [{"collection": "nope", "index": "i"}]}, (404, 1203)),
        ("nope", {}, (404, 1203)),
    ],
)
def test_changes_that_are_refused(
    c: Api, method: str, name: str, body: Any, expected: tuple[int, int]
) -> None:
    create(c)
    create(c, ALIAS)
    before = properties(c), properties(c, "a")
    assert error_of(c.request(method, f"{VIEW}/{name}/properties", body)) == expected
    assert (properties(c), properties(c, "a")) == before


def test_paths_and_methods(c: Api) -> None:
    create(c)
    assert error_of(c.get(f"{VIEW}/v/other")) == (400, 400)
    assert error_of(c.get(f"{VIEW}/v/properties/more")) == (400, 400)
    assert error_of(c.post(f"{VIEW}/v", SEARCH)) == (400, 400)
    assert error_of(c.delete(VIEW)) == (400, 400)
    assert error_of(c.put(f"{VIEW}/v", {})) == (400, 400)
    for response in (
        c.get(f"{VIEW}/nope"),
        c.get(f"{VIEW}/nope/properties"),
        c.put(f"{VIEW}/nope/rename", {"name": "x"}),
        c.delete(f"{VIEW}/nope"),
        c.get(f"{VIEW}/c"),
    ):
        assert error_of(response) == (404, 1203)
    for body, expected in (
        ({"name": "c"}, (409, 1207)),
        ({"name": "_x"}, (400, 1208)),
        ({"name": None}, (400, 1208)),
        ({}, (400, 1208)),
        ([], (400, 1208)),
    ):
        assert error_of(c.put(f"{VIEW}/v/rename", body)) == expected
    assert properties(c)["name"] == "v"


def test_views_and_collections_share_their_names(c: Api) -> None:
    create(c)
    assert error_of(c.post("/_api/collection", {"name": "v"})) == (409, 1207)
    assert error_of(c.put("/_api/collection/c/rename", {"name": "v"})) == (409, 1207)
    assert error_of(c.get("/_api/collection/v")) == (404, 1203)
    assert error_of(c.post("/_api/document/v", {})) == (404, 1203)
    c.delete(f"{VIEW}/v")
    c.create_collection("v")
    assert error_of(c.post(VIEW, SEARCH)) == (409, 1207)


# -- links and their collections -------------------------------------------------------------------


def test_a_link_follows_its_collection_to_another_name(c: Api) -> None:
    create(c, {**SEARCH, "links": {"c": {}}})
    c.put("/_api/collection/c/rename", {"name": "d"})
    assert list(properties(c)["links"]) == ["d"]


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_view_can_be_changed_after_its_collection_went(c: Api, method: str) -> None:
    create(c, {**SEARCH, "links": {"c": {}}})
    c.delete("/_api/collection/c")
    body = {"cleanupIntervalStep": 5}
    if method == "PUT":
        body = {**properties(c), **body}  # as clients do: read, change, write back
    changed = c.request(method, f"{VIEW}/v/properties", body)
    assert changed.status_code == 200, changed.text


# -- restart, modes, levels ------------------------------------------------------------------------


def test_views_survive_a_restart(tmp_path: Path) -> None:
    config = Config(tmp_path / "data", port=0)
    with ServerThread(config) as server, Api(server.url, "_system") as api:
        api.create_collection("c")
        kept = create(api, {**SEARCH, "links": {"c": {}}})
        create(api, {**ALIAS, "indexes": [{"collection": "c", "index": "i"}]})
        api.put(f"{VIEW}/a/rename", {"name": "ä"})
        create(api, {**SEARCH, "name": "gone"})
        api.delete(f"{VIEW}/gone")
        api.post("/_api/database", {"name": "d"})
        with Api(server.url, "d") as other:
            create(other)
        api.delete("/_api/database/d")
    with ServerThread(config) as server, Api(server.url, "_system") as api:
        assert [v["name"] for v in api.get(VIEW).json()["result"]] == ["v", "ä"]
        assert properties(api) == {**kept, "code": 200}
        assert properties(api, "ä")["indexes"] == [{"collection": "c", "index": "i"}]
        assert int(create(api, {**SEARCH, "name": "new"})["id"]) > int(kept["id"])
        assert error_of(api.post(VIEW, SEARCH)) == (409, 1207)


@contextmanager
def read_only(server: ServerThread) -> Iterator[None]:
    with Api(server.url, "_system") as system:
        system.put("/_admin/server/mode", {"mode": "readonly"})
        try:
            yield
        finally:
            system.put("/_admin/server/mode", {"mode": "default"})


def test_read_only_mode(c: Api, server: ServerThread) -> None:
    create(c)
    with read_only(server):
        for response in (
            c.post(VIEW, ALIAS),
            c.patch(f"{VIEW}/v/properties", {}),
            c.put(f"{VIEW}/v/rename", {"name": "w"}),
            c.delete(f"{VIEW}/v"),
        ):
            assert error_of(response) == (403, 11)
        assert properties(c)["name"] == "v"


def test_levels(tmp_path: Path) -> None:
    config = Config(tmp_path / "data", port=0, root_password="pw")
    with ServerThread(config) as server, Api(server.url, "_system") as root:
        root.session.auth = ("root", "pw")
        create(root)
        root.post("/_api/user", {"user": "ann", "passwd": "p"})
        with Api(server.url, "_system") as ann:
            ann.session.auth = ("ann", "p")
            assert error_of(ann.get(VIEW)) == (401, 11)
            root.put("/_api/user/ann/database/_system", {"grant": "ro"})
            assert len(ann.get(VIEW).json()["result"]) == 1
            assert properties(ann)["name"] == "v"
            for response in (
                ann.post(VIEW, ALIAS),
                ann.patch(f"{VIEW}/v/properties", {}),
                ann.put(f"{VIEW}/v/rename", {"name": "w"}),
                ann.delete(f"{VIEW}/v"),
            ):
                assert error_of(response) == (403, 11)
            root.put("/_api/user/ann/database/_system", {"grant": "rw"})
            assert ann.delete(f"{VIEW}/v").status_code == 200


# -- the log and the inventory ---------------------------------------------------------------------


def test_markers(c: Api) -> None:
    before = last_tick(c)
    made = create(c, {**SEARCH, "links": {"c": {}}})
    changed = c.patch(f"{VIEW}/v/properties", {"cleanupIntervalStep": 5}).json()
    c.put(f"{VIEW}/v/rename", {"name": "ü"})
    markers = view_markers(c, before)
    assert [m["type"] for m in markers] == [2110, 2112, 2112]
    assert {m["db"] for m in markers} == {c.database}
    assert {m["cuid"] for m in markers} == {made["globallyUniqueId"]}
    outer = {name: made[name] for name in ("code", "error")}
    assert {**markers[0]["data"], **outer} == made
    assert markers[1]["data"] == {n: v for n, v in changed.items() if n not in outer}
    assert markers[2]["data"] == {**markers[1]["data"], "name": "ü"}
    c.delete(f"{VIEW}/ü")
    [dropped] = view_markers(c, before)  # what was said of it before is not told any more
    assert list(dropped) == ["tick", "type", "db", "cuid"]
    assert (dropped["type"], dropped["cuid"]) == (2111, made["globallyUniqueId"])


def test_members_of_markers_in_their_order(c: Api) -> None:
    before = last_tick(c)
    create(c)
    c.patch(f"{VIEW}/v/properties", {"cleanupIntervalStep": 5})
    expected = ["tick", "db", "cuid", "data", "type"]
    assert [list(m) for m in view_markers(c, before)] == [expected] * 2


def test_who_sees_markers(c: Api, system: Api) -> None:
    before = last_tick(c)
    create(c)
    assert view_markers(system, before) == []
    with_all = system.tail(before, **{"global": "true"})
    assert [m["db"] for m in with_all if m["type"] == 2110] == [c.database]
    assert [m["type"] for m in c.tail(before, collection="c")] == []
    assert [m["type"] for m in c.tail(before, includeSystem="false")] == [2110]
    c.delete(f"{VIEW}/v")
    assert [m["type"] for m in view_markers(c, before)] == [2111]
    assert c.tail(before, collection="c") == []


def test_inventory(c: Api, system: Api) -> None:
    made = create(c, {**SEARCH, "links": {"c": {}}})
    expected = [{n: v for n, v in made.items() if n not in ("code", "error")}]
    shown = c.get("/_api/replication/inventory", batchId=c.create_batch()).json()
    assert shown["views"] == expected
    batch = system.create_batch()
    everything = {"batchId": batch, "global": "true"}
    shown = system.get("/_api/replication/inventory", **everything).json()
    assert shown["databases"][c.database]["views"] == expected
    assert shown["databases"]["_system"]["views"] == []
    one = c.get("/_api/replication/inventory", batchId=c.create_batch(), collection="c").json()
    assert one["views"] == []
