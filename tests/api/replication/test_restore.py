"""`restore-collection`, `restore-indexes`, `restore-data`, `restore-view` (leader-api 9)."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from support.server import Api, ServerThread, error_of

from arangorep.codec import velocypack
from arangorep.config import Config

PATH = "/_api/replication/restore-"


def structure(name: str, *indexes: Any, **parameters: Any) -> dict[str, Any]:
    return {"parameters": {"name": name, "type": 2, **parameters}, "indexes": list(indexes)}


def restore(api: Api, what: str, body: Any, **params: Any) -> requests.Response:
    return api.request("PUT", PATH + what, body, params=params)


def done(response: requests.Response) -> None:
    assert (response.status_code, response.json()) == (200, {"result": True}), response.text


def properties(api: Api, name: str) -> dict[str, Any]:
    return api.get(f"/_api/collection/{name}/properties").json()


def documents(api: Api, name: str) -> dict[str, dict[str, Any]]:
    return {d["_key"]: d for d in api.dump(name, api.create_batch())}


def test_what_was_dumped_comes_back(api: Api) -> None:
    api.create_collection(
        "c", keyOptions={"type": "autoincrement", "increment": 3}, waitForSync=True
    )
    api.create_collection("e", type=3)
    api.post(
        "/_api/index",
        {"type": "persistent", "fields": ["n"], "unique": True, "name": "by n"},
        collection="c",
    )
    api.insert("c", [{"n": n, "t": "Zürich"} for n in range(300)])
    api.insert("e", {"_from": "c/1", "_to": "c/4", "x": 1})
    batch = api.create_batch()
    inventory = api.get("/_api/replication/inventory", batchId=batch).json()
    before = {name: documents(api, name) for name in ("c", "e")}
    shown = {c["parameters"]["name"]: c for c in inventory["collections"]}
    for name in ("c", "e"):
        done(restore(api, "collection", shown[name], overwrite="true"))
        assert api.get(f"/_api/collection/{name}/count").json()["count"] == 0
        done(restore(api, "indexes", shown[name]))
        lines = "\n".join(map(json.dumps, before[name].values())) + "\n"
        done(restore(api, "data", lines, collection=name))
        after = documents(api, name)
        assert after.keys() == before[name].keys()
        for key, document in after.items():
            assert {**document, "_rev": ""} == {**before[name][key], "_rev": ""}
            assert document["_rev"] != before[name][key]["_rev"]
    kept = properties(api, "c")
    assert kept["globallyUniqueId"] == shown["c"]["parameters"]["globallyUniqueId"]
    assert kept["waitForSync"] is True
    assert kept["keyOptions"]["increment"] == 3
    [index] = api.get("/_api/index", collection="c").json()["indexes"][1:]
    assert index["name"] == "by n"
    assert index["id"] == f"c/{shown['c']['indexes'][0]['id']}"
    assert error_of(api.post("/_api/document/c", {"n": 5})) == (409, 1210)
    assert int(api.insert("c", {"n": 1000})["_key"]) > 890


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (None, (400, 400)),
        ([], (400, 400)),
        ({}, (400, 400)),
        ({"parameters": {}}, (400, 400)),
        ({"parameters": [], "indexes": []}, (400, 400)),
        ({"parameters": {"name": ""}, "indexes": []}, (400, 400)),
        ({"parameters": {"name": 5}, "indexes": []}, (400, 400)),
        ({"parameters": {"name": "a/b"}, "indexes": []}, (400, 1208)),
        (b"{", (400, 600)),
    ],
)
def test_structures_that_are_none(api: Api, body: Any, expected: tuple[int, int]) -> None:
    assert error_of(restore(api, "collection", body)) == expected


def test_a_name_that_is_taken(api: Api) -> None:
    api.create_collection("c")
    api.insert("c", {"_key": "k"})
    assert error_of(restore(api, "collection", structure("c"))) == (409, 1207)
    guid = properties(api, "c")["globallyUniqueId"]
    done(restore(api, "collection", structure("c", globallyUniqueId=guid)))
    assert "k" in documents(api, "c")
    done(restore(api, "collection", structure("c", type=3), overwrite="true"))
    assert properties(api, "c")["type"] == 3
    done(restore(api, "collection", structure("_analyzers")))
    done(restore(api, "collection", structure("gone", deleted=True)))
    assert error_of(api.get("/_api/collection/gone")) == (404, 1203)


def test_a_copy_beside_the_original(api: Api) -> None:
    created = api.create_collection("c")
    guid = created["globallyUniqueId"]
    done(restore(api, "collection", structure("d", globallyUniqueId=guid)))
    assert properties(api, "d")["globallyUniqueId"] != guid
    done(restore(api, "collection", structure("n", globallyUniqueId="12345")))
    assert properties(api, "n")["globallyUniqueId"] != "12345"


def test_indexes(api: Api) -> None:
    api.create_collection("c")
    body = structure(
        "c",
        {"type": "primary", "id": "0", "fields": ["_key"]},
        {"type": "geo1", "id": "77", "name": "geo", "fields": ["g"]},
        {"type": "ttl", "id": "c/78", "fields": ["t"], "expireAfter": 60},
        {"fields": ["x"]},
        "nonsense",
        {"type": "persistent", "fields": ["y"]},
    )
    done(restore(api, "indexes", body))
    found = api.get("/_api/index", collection="c").json()["indexes"]
    assert [i["type"] for i in found] == ["primary", "geo", "ttl", "persistent"]
    assert [i["id"] for i in found][1:3] == ["c/77", "c/78"]
    done(restore(api, "indexes", body))
    done(restore(api, "indexes", structure("nope")))
    assert error_of(restore(api, "indexes", structure("nope", {"type": "geo"}))) == (404, 1203)
    bad = restore(api, "indexes", structure("c", {"type": "persistent", "id": "9", "fields": []}))
    assert error_of(bad) == (400, 10)
    assert bad.json()["errorMessage"].startswith("could not create index: ")


def test_pieces_in_any_order_and_shape(api: Api) -> None:
    api.create_collection("c")
    lines = [
        json.dumps({"_key": str(n), "_id": f"c/{n}", "_rev": "_abc", "n": n}) for n in range(5000)
    ]
    data = "\n".join(lines).encode() + b"\n"
    cuts = sorted(random.Random(5).sample([i for i, b in enumerate(data) if b == 10], 40))
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    random.Random(6).shuffle(pieces)
    assert any(piece.startswith(b"\n") for piece in pieces)

    def send(piece: bytes) -> None:
        with Api(api.url, api.database) as own:
            done(restore(own, "data", piece, collection="c", force="false"))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(send, pieces))
    assert {int(k): d["n"] for k, d in documents(api, "c").items()} == {n: n for n in range(5000)}


@pytest.mark.parametrize("body", [b"", b"\n", b"\n\n", b" \r\n", b"x"])
def test_pieces_without_documents(api: Api, body: bytes) -> None:
    api.create_collection("c")
    done(restore(api, "data", body, collection="c"))


def test_documents_and_markers(api: Api) -> None:
    api.create_collection("c")
    api.insert("c", [{"_key": "old"}, {"_key": "gone"}])
    lines = [
        {"type": 2300, "data": {"_key": "a", "n": 1}},
        {"type": 2301, "data": {"_key": "a", "n": 2}},
        {"_key": "b", "type": 2302, "n": 3},
        {"type": 2302, "data": {"_key": "gone"}},
        {"type": 2302, "key": "never"},
        {"type": 2302, "data": {"_key": "again"}},
        {"_key": "again"},
        {"_key": "old", "new": True},
        {"_key": "old", "new": 2},
    ]
    done(restore(api, "data", "\n".join(map(json.dumps, lines)), collection="c"))
    found = documents(api, "c")
    assert found.keys() == {"a", "b", "again", "old"}
    assert (found["a"]["n"], found["b"]["n"], found["old"]["new"]) == (2, 3, 2)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{x", (400, 600)),
        ("[1]", (400, 600)),
        ('{"a":1}', (400, 600)),
        ('{"_key":5}', (400, 600)),
        ('{"type":2300}', (400, 600)),
        ('{"type":2302}', (400, 600)),
        ('{"_key":"a b"}', (400, 1221)),
        ('{"_key":"u","n":1}', (409, 1210)),
    ],
)
def test_a_bad_line_undoes_the_piece(api: Api, line: str, expected: tuple[int, int]) -> None:
    api.create_collection("c")
    index = {"type": "persistent", "fields": ["n"], "unique": True, "sparse": True}
    api.post("/_api/index", index, collection="c")
    body = '{"_key":"first","n":1}\n\n' + line + '\n{"_key":"last"}'
    response = restore(api, "data", body, collection="c")
    assert error_of(response) == expected
    if expected == (400, 600):
        assert "on line 3" in response.json()["errorMessage"]
    assert documents(api, "c") == {}


def test_where_it_cannot_go(api: Api) -> None:
    assert error_of(restore(api, "data", "")) == (400, 400)
    response = restore(api, "data", "", collection="nope")
    assert error_of(response) == (404, 1203)
    assert response.json()["errorMessage"].startswith("unable to start transaction: ")


def test_rules_do_not_count(api: Api) -> None:
    rule = {"rule": {"required": ["n"]}, "message": "n!"}
    computed = [{"name": "c", "expression": "RETURN 1", "overwrite": True}]
    done(restore(api, "collection", structure("c", schema=rule, computedValues=computed)))
    done(restore(api, "data", '{"_key":"a"}', collection="c"))
    assert "c" not in documents(api, "c")["a"]
    assert error_of(api.post("/_api/document/c", {})) == (400, 1620)


def test_velocypack(api: Api) -> None:
    api.create_collection("c")
    headers = {"Content-Type": "application/x-velocypack"}
    found = [{"_key": str(n), "f": n / 2} for n in range(1000)]
    for body in (velocypack.encode(found), b"".join(map(velocypack.encode, found)), b""):
        response = api.request(
            "PUT", PATH + "data", body, params={"collection": "c"}, headers=headers
        )
        done(response)
    assert documents(api, "c")["7"]["f"] == 3.5
    for bad in (velocypack.encode([1]), velocypack.encode({"a": 1})):
        response = api.request(
            "PUT", PATH + "data", bad, params={"collection": "c"}, headers=headers
        )
        assert error_of(response) == (400, 10)


def test_views(api: Api) -> None:
    api.create_collection("c")
    body = {
        "name": "v",
        "type": "arangosearch",
        "id": "5",
        "globallyUniqueId": "x/5",
        "links": {"c": {}},
    }
    done(restore(api, "view", body))
    assert error_of(restore(api, "view", body)) == (409, 1207)
    done(restore(api, "view", {**body, "cleanupIntervalStep": 9}, overwrite="true"))
    shown = api.get("/_api/view/v/properties").json()
    assert (shown["cleanupIntervalStep"], list(shown["links"])) == (9, ["c"])
    assert shown["id"] != "5"
    for bad in (
        {},
        [],
        {"name": "w"},
        {"name": "w", "type": "x"},
        {"name": 1, "type": "arangosearch"},
    ):
        assert error_of(restore(api, "view", bad)) == (400, 10)


def test_accounts_are_matched_by_name(tmp_path: Any) -> None:
    config = Config(tmp_path, port=0, root_password="pw")
    with ServerThread(config) as server, Api(server.url, "_system") as root:
        root.session.auth = ("root", "pw")
        root.post("/_api/user", {"user": "ann", "passwd": "old"})
        dumped = root.dump("_users", root.create_batch())
        root.put("/_api/user/ann", {"passwd": "new"})
        root.post("/_api/user", {"user": "ben"})
        done(restore(root, "collection", structure("_users"), overwrite="true"))
        lines = "\n".join(json.dumps({**d, "_key": f"9{d['_key']}"}) for d in dumped)
        done(restore(root, "data", lines, collection="_users"))
        names = [user["user"] for user in root.get("/_api/user").json()["result"]]
        assert names == ["ann", "ben", "root"]
        assert root.post("/_api/user/ann", {"passwd": "old"}).status_code == 200


def test_rights(tmp_path: Any) -> None:
    config = Config(tmp_path, port=0, root_password="pw")
    with ServerThread(config) as server, Api(server.url, "_system") as root:
        root.session.auth = ("root", "pw")
        root.post("/_api/database", {"name": "d", "users": [{"username": "ann", "passwd": "p"}]})
        with Api(server.url, "d") as ann:
            ann.session.auth = ("ann", "p")
            root.put("/_api/user/ann/database/d/*", {"grant": "none"})
            done(restore(ann, "collection", structure("c")))
            done(restore(ann, "data", '{"_key":"a"}', collection="c"))
            root.put("/_api/user/ann/database/d", {"grant": "ro"})
            refused = restore(ann, "collection", structure("e"))
            assert error_of(refused) == (403, 11)
            assert error_of(restore(ann, "collection", structure("c"), overwrite="true")) == (
                403,
                11,
            )
            root.put("/_api/user/ann/database/d/c", {"grant": "ro"})
            assert error_of(restore(ann, "data", "", collection="c")) == (403, 11)
