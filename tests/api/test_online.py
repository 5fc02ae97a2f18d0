"""`/{collection}/:dump` and `/{collection}/:restore`: all forms, both ways (backups 2.5, 2.6)."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgpack
import pytest
import requests
from support.process import ServerProcess
from support.raw import RawConnection
from support.server import Api, ServerThread

from arangorep.config import Config
from arangorep.limits import RESTORE_ITEMS_SHOWN

JSON, LINES, MESSAGEPACK = "application/json", "application/x-ndjson", "application/msgpack"
FORMS = (JSON, LINES, MESSAGEPACK)
NAME = "Ünï cø∂e 城市"
COUNTS = (
    "total", "processed", "prepared", "indexed", "created", "replaced", "ignored", "errors"
)  # fmt: skip


def encoded(form: str, documents: list[Any]) -> bytes:
    """A body in one of the three forms."""
    if form == MESSAGEPACK:
        return b"".join(map(msgpack.packb, documents))
    if form == LINES:
        return b"".join(json.dumps(d).encode() + b"\n" for d in documents)
    return json.dumps(documents).encode()


def decoded(form: str, body: bytes) -> list[Any]:
    """The documents of a dump."""
    if form == MESSAGEPACK:
        return msgpack.unpackb(body)
    if form == LINES:
        return [json.loads(line) for line in body.splitlines()]
    return json.loads(body)


def dump(api: Api, name: str, accept: str | None = None, **params: Any) -> requests.Response:
    headers = {} if accept is None else {"Accept": accept}
    return api.request("GET", f"/{quote(name, safe='')}/:dump", params=params, headers=headers)


def restore(
    api: Api, name: str, body: Any, form: str | None = JSON, **params: Any
) -> requests.Response:
    headers = {} if form is None else {"Content-Type": form}
    path = f"/{quote(name, safe='')}/:restore"
    return api.request("POST", path, body, params=params, headers=headers)


def counted(answer: requests.Response) -> dict[str, int]:
    """The figures that are not 0."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == {*COUNTS, "items", "itemsOmitted", "took"}
    assert isinstance(body["took"], float)
    assert body["indexed"] == body["created"] + body["replaced"]
    assert body["processed"] == body["indexed"] + body["errors"]
    return {name: body[name] for name in COUNTS if body[name]}


def problem(answer: requests.Response) -> tuple[int, int]:
    """Status and errorNum of an error, in both forms at once."""
    body = answer.json()
    assert body["status"] == body["code"] == answer.status_code
    assert body["message"] == body["errorMessage"]
    assert body["error"] is True
    assert isinstance(body["type"], str)
    return answer.status_code, body["errorNum"]


def values(api: Api, name: str) -> dict[str, Any]:
    """Documents by key, without what the server adds."""
    found = dump(api, name).json()
    return {
        d["_key"]: {n: v for n, v in d.items() if n not in ("_key", "_id", "_rev")} for d in found
    }


# -- dump ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("form", FORMS)
def test_a_dump_is_all_documents_as_they_are(api: Api, form: str, method: str) -> None:
    api.create_collection(NAME)
    documents = [{"_key": f"k{n}", "n": n, "text": "é\n\"\\", "deep": [{"a": None}]}
                 for n in range(2500)]  # fmt: skip
    api.insert(NAME, documents)
    path = f"/{quote(NAME, safe='')}/%3Adump"
    answer = api.request(method, path, headers={"Accept": form})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == f"{form}; charset=utf-8"
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.headers["x-arangorep-count"] == "2500"
    assert int(answer.headers["x-arango-replication-lastincluded"]) > 0
    found = decoded(form, answer.content)
    assert [{n: d[n] for n in ("_key", "n", "text", "deep")} for d in found] == documents
    assert found[0]["_id"] == f"{NAME}/k0"
    assert found == api.dump(NAME, api.create_batch())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("pretty", [False, True])
def test_an_empty_collection_is_an_empty_dump(api: Api, form: str, pretty: bool) -> None:
    api.create_collection("empty")
    answer = dump(api, "empty", form, **({"pretty": "true"} if pretty else {}))
    assert answer.status_code == 200
    assert decoded(form, answer.content) == []


def test_pretty_indents(api: Api) -> None:
    api.create_collection("c")
    api.insert("c", [{"_key": "1", "a": {"b": [1]}}, {"_key": "2", "t": "x\ny"}])
    for query in ("?pretty", "?pretty=1", "?pretty=true"):
        text = api.request("GET", f"/c/:dump{query}").text
        assert text.startswith('[\n  {\n    "_key": "1",\n')
        assert '\n    "a": {\n      "b": [\n        1\n      ]\n    }\n  },\n  {\n' in text
        assert text.endswith("\n  }\n]\n")
        assert [d["_key"] for d in json.loads(text)] == ["1", "2"]
    assert "\n" not in api.request("GET", "/c/:dump?pretty=false").text


@pytest.mark.parametrize(
    ("accept", "content_type", "chosen"),
    [
        (None, None, JSON),
        ("*/*", None, JSON),
        ("*/*", MESSAGEPACK, MESSAGEPACK),
        (None, "application/ndjson", LINES),
        ("application/*", LINES, LINES),
        ("application/x-msgpack", None, "application/x-msgpack"),
        ("application/json;q=0.5, application/msgpack;q=0.9", None, MESSAGEPACK),
        ("application/msgpack, application/json", None, MESSAGEPACK),
        ("text/html, application/x-ndjson;q=0.1", JSON, LINES),
        ("application/json;q=0, */*;q=0.1", None, LINES),
        ("text/html, */*;q=0.8", None, JSON),
        ("application/msgpack, */*", JSON, MESSAGEPACK),
    ],
)
def test_the_form_is_negotiated(
    api: Api, accept: str | None, content_type: str | None, chosen: str
) -> None:
    api.create_collection("c")
    headers: dict[str, Any] = {"Accept": accept, "Content-Type": content_type}
    answer = api.request("POST", "/c/:dump", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == f"{chosen}; charset=utf-8"


@pytest.mark.parametrize(
    "accept", ["text/html", "application/json;q=0", "image/*", "application/x-velocypack"]
)
def test_nothing_acceptable_is_406(api: Api, accept: str) -> None:
    api.create_collection("c")
    answer = dump(api, "c", accept)
    assert answer.status_code == 406
    if "velocypack" not in accept:
        assert problem(answer) == (406, 406)
        assert answer.json()["type"] == "Not Acceptable"


def test_wrong_paths_and_methods(api: Api) -> None:
    api.create_collection("c")
    assert problem(dump(api, "nobody")) == (404, 1203)
    assert problem(api.get("/c/d/:dump")) == (400, 400)
    assert problem(api.get("/:dump")) == (400, 400)
    assert problem(api.delete("/c/:dump")) == (405, 405)
    assert problem(api.get("/c/:restore")) == (405, 405)
    assert api.get("/c/:else").status_code == 404
    headers = {"x-arango-async": "store"}
    refused = api.request("GET", "/c/:dump", headers=headers)
    assert refused.status_code == 202
    job = api.put(f"/_api/job/{refused.headers['x-arango-async-id']}")
    assert job.json()["errorNum"] == 10


def test_a_document_may_be_called_like_the_command(api: Api) -> None:
    api.create_collection("c")
    api.insert("c", {"_key": ":dump", "a": 1})
    assert api.get("/_api/document/c/:dump").json()["a"] == 1


def test_the_head_of_a_dump(api: Api, server: ServerThread) -> None:
    api.create_collection("c")
    api.insert("c", [{"a": 1}] * 3)
    answer = api.request("HEAD", "/c/:dump")
    assert answer.status_code == 200
    assert answer.headers["x-arangorep-count"] == "3"
    assert server.call(lambda: len(server.server.node.store._snapshots)) == 0


def test_a_renamed_collection_shows_its_present_name(api: Api) -> None:
    api.create_collection("old")
    api.insert("old", {"_key": "1"})
    assert api.put("/_api/collection/old/rename", {"name": "new"}).status_code == 200
    for form in FORMS:
        assert decoded(form, dump(api, "new", form).content)[0]["_id"] == "new/1"


def test_a_dump_while_others_write_is_one_moment(api: Api, server: ServerThread) -> None:
    """Two documents always hold the same number: never another one in a dump."""
    api.create_collection("c")
    filler = [{"_key": f"m{n}", "t": "x" * 900} for n in range(6000)]
    api.insert("c", [{"_key": "a", "n": 0}, *filler, {"_key": "z", "n": 0}])
    stop = threading.Event()
    written = []

    def write() -> None:
        with Api(server.url, api.database) as other:
            number = 0
            while not stop.is_set():
                number += 1
                pair = [{"_key": "a", "n": number}, {"_key": "z", "n": number}]
                other.insert("c", [*pair, {"_key": f"x{number}"}], overwriteMode="replace")
            written.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for form in FORMS * 2:
            answer = dump(api, "c", form)
            found = {d["_key"]: d for d in decoded(form, answer.content)}
            assert found["a"]["n"] == found["z"]["n"]
            assert len(found) == int(answer.headers["x-arangorep-count"])
            assert sum(key.startswith("x") for key in found) == found["a"]["n"]
    finally:
        stop.set()
        writer.join()
    assert written[0] > 6


def test_a_reader_that_leaves_releases_the_snapshot(api: Api, server: ServerThread) -> None:
    api.create_collection("c")
    api.insert("c", [{"t": "x" * 2000} for _ in range(8000)])
    sock = socket.create_connection(("127.0.0.1", server.port))
    sock.sendall(f"GET /_db/{api.database}/c/:dump HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert sock.recv(100).startswith(b"HTTP/1.1 200")
    assert server.call(lambda: len(server.server.node.store._snapshots)) == 1
    sock.close()
    for _ in range(200):
        if not server.call(lambda: len(server.server.node.store._snapshots)):
            return
        threading.Event().wait(0.02)
    raise AssertionError("the snapshot is still pinned")


# -- restore ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_what_was_dumped_is_restored(api: Api, form: str, is_chunked: bool) -> None:
    api.create_collection("c")
    api.insert("c", [{"_key": f"k{n}", "n": n, "t": 'é"\\]'} for n in range(2500)])
    body = dump(api, "c", form).content
    pieces = (body[at : at + 997] for at in range(0, len(body), 997))
    url = f"{api.url}/_db/{api.database}/{quote(NAME, safe='')}/:restore"
    data: Any = pieces if is_chunked else body
    answer = api.session.post(url, data=data, headers={"Content-Type": form})
    assert counted(answer) == {
        "total": 2500, "processed": 2500, "prepared": 2500, "indexed": 2500, "created": 2500
    }  # fmt: skip
    assert answer.json()["items"][1] == {"_id": f"{NAME}/k1"}
    assert answer.json()["itemsOmitted"] == 2500 - RESTORE_ITEMS_SHOWN
    assert values(api, NAME) == values(api, "c")
    again = counted(restore(api, NAME, body, form))
    assert again["replaced"] == 2500
    assert "created" not in again
    assert values(api, NAME) == values(api, "c")


def test_a_body_without_a_type_is_json_and_gzip_is_unpacked(api: Api) -> None:
    body = encoded(JSON, [{"_key": "1", "a": 1}])
    assert counted(restore(api, "c", body, None))["created"] == 1
    headers = {"Content-Encoding": "gzip", "Content-Type": LINES}
    packed = gzip.compress(encoded(LINES, [{"_key": "1", "a": 2}, {"_key": "2"}]))
    answer = api.request("POST", "/c/:restore", packed, headers=headers)
    assert counted(answer)["replaced"] == 1
    assert values(api, "c") == {"1": {"a": 2}, "2": {}}


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"_id": "c/7"}, "7"),
        ({"_id": "elsewhere/7"}, "7"),
        ({"_id": "7"}, "7"),
        ({"_id": 7}, "7"),
        ({"_id": -7}, "-7"),
        ({"_id": 1.5}, "1.5"),
        ({"_id": True}, "true"),
        ({"_id": {"_value": 12, "_type": "integer"}}, "12"),
        ({"_id": {"_value": "x:y"}}, "x:y"),
        ({"_key": "k", "_id": "c/other"}, "k"),
        ({"_key": "k", "_rev": "_md4tq8O---", "_id": 3}, "k"),
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_forms_of_the_identifier(api: Api, form: str, given: dict[str, Any], key: str) -> None:
    body = encoded(form, [{**given, "a": 1}])
    assert restore(api, "c", body, form).json()["items"] == [{"_id": f"c/{key}"}]
    assert values(api, "c") == {key: {"a": 1}}


def test_without_an_identifier_the_collection_makes_one(api: Api) -> None:
    body = [{"a": 1}, {"_id": None, "a": 2}, {"_id": {"_value": None}, "a": 3}]
    assert counted(restore(api, "c", body))["created"] == 3
    assert sorted(d["a"] for d in values(api, "c").values()) == [1, 2, 3]


@pytest.mark.parametrize("form", FORMS)
def test_failures_are_told_in_their_place(api: Api, form: str) -> None:
    api.create_collection("c", schema={"rule": {"properties": {"n": {"type": "number"}}}})
    items = [
        {"_key": "1", "n": 1}, {"_key": "2", "n": "two"}, 3, {"_id": "a/b/c"}, {"_id": [1]},
        {"_key": "", "n": 1}, {"_key": "6", "n": 6},
    ]  # fmt: skip
    answer = restore(api, "c", encoded(form, items), form)
    assert counted(answer) == {
        "total": 7, "processed": 7, "prepared": 4 + 0, "indexed": 2, "created": 2, "errors": 5
    } | {"prepared": answer.json()["prepared"]}  # fmt: skip
    shown = answer.json()["items"]
    assert [item.get("errorNum", 0) for item in shown] == [0, 1620, 1227, 1221, 1205, 1221, 0]
    assert [item.get("position") for item in shown] == [None, 1, 2, 3, 4, 5, None]
    assert {item["type"] for item in shown if "type" in item} == {"Bad Request"}
    assert set(values(api, "c")) == {"1", "6"}


def test_the_list_of_items_is_cut_and_says_so(api: Api) -> None:
    items: list[Any] = [{"_key": str(n)} for n in range(3000)] + [None] * 1500
    body = restore(api, "c", items).json()
    assert (body["created"], body["errors"]) == (3000, 1500)
    assert len(body["items"]) == 2 * RESTORE_ITEMS_SHOWN
    assert body["items"][RESTORE_ITEMS_SHOWN]["position"] == 3000
    assert body["itemsOmitted"] == 4500 - 2 * RESTORE_ITEMS_SHOWN


@pytest.mark.parametrize(
    ("form", "body", "place"),
    [
        (JSON, b"", {"offset": 0}),
        (JSON, b"  ", {"offset": 2}),
        (JSON, b'{"_key":"1"}', {"offset": 0}),
        (JSON, b'[{"_key":"1"}', {"offset": 13}),
        (JSON, b'[{"_key":"1"},]', {"offset": 14}),
        (JSON, b'[{"_key":"1"},{"_key":2x}]', {"offset": 14}),
        (JSON, b'[{"_key":"1"}] true', {"offset": 14}),
        (LINES, b'{"_key":"1"}\n{"_key":\n{"_key":"2"}\n', {"offset": 13, "line": 2}),
        (LINES, b'{"_key":"1"}\n\n{"_key":"2"', {"offset": 14, "line": 3}),
        (MESSAGEPACK, msgpack.packb({"_key": "1"}) + b"\xc1", {"offset": 8}),
        (MESSAGEPACK, msgpack.packb({"_key": "1"})[:-1], {"offset": 0}),
        (MESSAGEPACK, b"\x92\x80", {"offset": 2}),
    ],
)
def test_a_body_that_cannot_be_read_is_400_and_says_where(
    api: Api, form: str, body: bytes, place: dict[str, int]
) -> None:
    api.create_collection("c")
    answer = restore(api, "c", body, form)
    assert problem(answer) == (400, 600)
    assert {name: answer.json().get(name) for name in place} == place
    assert str(place["offset"]) in answer.json()["message"]
    assert "nothing is stored" in answer.json()["message"]
    assert values(api, "c") == {}


def test_empty_lines_and_streams(api: Api) -> None:
    assert counted(restore(api, "c", b"\n\n  \n", LINES)) == {"ignored": 3}
    assert counted(restore(api, "c", b"", LINES)) == {}
    assert counted(restore(api, "c", b"", MESSAGEPACK)) == {}
    assert counted(restore(api, "c", b"[]", JSON)) == {}
    assert values(api, "c") == {}


def test_a_bad_line_in_the_middle_tells_what_was_stored(api: Api) -> None:
    lines = [json.dumps({"_key": str(n)}) for n in range(2500)]
    lines[2300] = '{"_key": broken}'
    answer = restore(api, "c", "\n".join(lines), LINES)
    assert problem(answer) == (400, 600)
    assert answer.json()["line"] == 2301
    assert answer.json()["committed"]["indexed"] == 2000
    assert "2000 documents of the body are stored" in answer.json()["message"]
    assert len(values(api, "c")) == 2000


@pytest.mark.parametrize("form", FORMS)
def test_abort_is_all_or_nothing(api: Api, form: str) -> None:
    api.create_collection("c")
    api.insert("c", {"_key": "1", "old": True})
    items: list[Any] = [{"_key": str(n)} for n in range(2500)]
    broken = [*items[:2200], {"_key": "no key"}, *items[2200:]]
    answer = restore(api, "c", encoded(form, broken), form, onError="abort")
    assert problem(answer) == (400, 1221)
    assert answer.json()["position"] == 2200
    cut = restore(api, "c", encoded(form, items)[:-3], form, onError="abort")
    assert problem(cut) == (400, 600)
    assert values(api, "c") == {"1": {"old": True}}
    tick = api.get("/_api/wal/lastTick").json()["tick"]
    whole = counted(restore(api, "c", encoded(form, items), form, onError="abort"))
    assert (whole["created"], whole["replaced"]) == (2499, 1)
    kinds = [marker["type"] for marker in api.tail(tick)]
    assert (kinds.count(2200), kinds.count(2201)) == (1, 1)


def test_abort_leaves_no_new_collection(api: Api) -> None:
    assert problem(restore(api, "c", [{"_key": "1"}, 2], onError="abort")) == (400, 1227)
    late = [{"_key": "1"}, {"_key": "a b"}]
    assert problem(restore(api, "c", late, onError="abort")) == (400, 1221)
    assert problem(dump(api, "c")) == (404, 1203)


def test_the_collection_is_created_unless_forbidden(api: Api) -> None:
    refused = restore(api, "c", [{"_key": "1"}], createCollection="false")
    assert problem(refused) == (404, 1203)
    assert counted(restore(api, "c", [{"_key": "1"}]))["created"] == 1
    assert problem(restore(api, "_mine", [])) == (400, 1208)
    assert problem(restore(api, "1c", [])) == (400, 1208)


def test_other_wishes(api: Api) -> None:
    assert problem(restore(api, "c", [], onError="maybe")) == (400, 10)
    assert problem(restore(api, "c", b"a: 1", "application/yaml")) == (415, 415)
    pretty = api.request("POST", "/c/:restore?pretty", [{"_key": "1"}])
    assert pretty.text.startswith('{\n  "total": 1,\n')
    waited = restore(api, "c", [{"_key": "1"}], waitForSync="true")
    assert counted(waited)["replaced"] == 1
    headers = {"x-arango-trx-id": "1"}
    refused = api.request("POST", "/c/:restore", [], headers=headers)
    assert problem(refused) == (400, 10)


def test_edges_and_unique_indexes_are_checked(api: Api) -> None:
    api.create_collection("e", type=3)
    body = [{"_key": "1", "_from": "c/1", "_to": "c/2"}, {"_key": "2", "_from": "c/1"}]
    assert [i.get("errorNum") for i in restore(api, "e", body).json()["items"]] == [None, 1233]
    api.create_collection("u")
    index = {"type": "persistent", "unique": True, "fields": ["n"]}
    assert api.post("/_api/index", index, collection="u").status_code == 201
    answer = restore(api, "u", [{"_key": "1", "n": 1}, {"_key": "2", "n": 1}])
    assert answer.json()["items"][1]["errorNum"] == 1210
    assert answer.json()["items"][1]["type"] == "Conflict"


def test_binary_values_become_base64(api: Api) -> None:
    item = {"_id": 1, "_data": [{"_content_type": "image/png", "_blob": b"\x00\xff"}]}
    assert counted(restore(api, "c", msgpack.packb(item), MESSAGEPACK))["created"] == 1
    assert values(api, "c")["1"]["_data"][0]["_blob"] == "AP8="
    stamp = msgpack.packb({"_key": "2", "t": msgpack.Timestamp(1)})
    answer = restore(api, "c", stamp, MESSAGEPACK).json()
    assert answer["items"][0]["errorNum"] == 1227


def test_a_hostile_body_costs_one_answer(api: Api) -> None:
    for body in (b"\xdd\xff\xff\xff\xff" * 2, b"\x91" * 3000, b"\x81\xa1a" + b"\x91" * 3000):
        assert problem(restore(api, "c", body, MESSAGEPACK)) == (400, 600)
    deep = b'{"_key":"1","a":' + b"[" * 300 + b"]" * 300 + b"}"
    assert restore(api, "c", deep, LINES).json()["items"][0]["errorNum"] == 600
    packed = msgpack.packb({"_key": "1", "a": json.loads("[" * 300 + "]" * 300)})
    assert restore(api, "c", packed, MESSAGEPACK).json()["items"][0]["errorNum"] == 600


def test_a_connection_goes_on_behind_a_refused_body(api: Api, server: ServerThread) -> None:
    body = b'[{"_key":"1"},x' + b" " * 200_000 + b"]"
    with RawConnection(server.port) as connection:
        path = f"/_db/{api.database}/c/:restore"
        assert connection.request("POST", path, body).status == 400
        assert connection.request("GET", "/_api/version").status == 200


def test_many_documents_in_bounded_memory(tmp_path: Path) -> None:
    """100,000 documents of 1 KB each way, by a process that may not grow by their size."""
    process = ServerProcess(tmp_path / "data")
    try:
        connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=60)

        def lines() -> Iterator[bytes]:
            for start in range(0, 100_000, 1000):
                yield b"".join(
                    b'{"_key":"%d","t":"%b"}\n' % (n, b"x" * 1000)
                    for n in range(start, start + 1000)
                )

        headers = {"Content-Type": LINES}
        # the first time fills the memory tables of the store
        for _ in range(3):
            before = resident_mib(process)
            connection.request("POST", "/c/:restore", lines(), headers, encode_chunked=True)
            answer = json.loads(connection.getresponse().read())
            assert (answer["indexed"], answer["errors"]) == (100_000, 0)
        assert resident_mib(process) - before < 80
        before = resident_mib(process)
        for form in FORMS:
            connection.request("GET", "/c/:dump", headers={"Accept": form})
            response = connection.getresponse()
            size = 0
            while piece := response.read(1 << 20):
                size += len(piece)
            assert size > 100_000_000
        assert resident_mib(process) - before < 60
        connection.close()
    finally:
        process.kill()


def resident_mib(process: Any) -> int:
    status = Path(f"/proc/{process._process.pid}/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1024


# -- rights ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    """A server with a user for each level on the collection `c` of `_system`."""
    config = Config(tmp_path_factory.mktemp("guarded"), port=0, root_password="pw")
    with ServerThread(config) as running:
        with user(running, "root", "pw") as root:
            root.create_collection("c")
            root.insert("c", {"_key": "1"})
            for name, level in (("writer", "rw"), ("reader", "ro"), ("nobody", "none")):
                root.post("/_api/user", {"user": name, "passwd": name})
                root.put(f"/_api/user/{name}/database/_system", {"grant": "ro"})
                root.put(f"/_api/user/{name}/database/_system/c", {"grant": level})
        yield running


def user(server: ServerThread, name: str, password: str) -> Api:
    client = Api(server.url, "_system")
    client.session.auth = (name, password)
    return client


@pytest.mark.parametrize(
    ("name", "may_read", "may_write"),
    [("writer", True, True), ("reader", True, False), ("nobody", False, False)],
)
def test_rights_on_the_collection(
    guarded: ServerThread, name: str, may_read: bool, may_write: bool
) -> None:
    with user(guarded, name, name) as client:
        assert dump(client, "c").status_code == (200 if may_read else 403)
        answer = restore(client, "c", [{"_key": "1"}])
        assert answer.status_code == (200 if may_write else 403)
        if not may_write:
            assert problem(answer) == (403, 11)
        # creating a collection is a right on the database
        assert problem(restore(client, "new", [{"_key": "1"}])) == (403, 11)
    assert requests.get(f"{guarded.url}/c/:dump", timeout=60).status_code == 401


def test_read_only_mode(guarded: ServerThread) -> None:
    with user(guarded, "root", "pw") as root:
        assert root.put("/_admin/server/mode", {"mode": "readonly"}).status_code == 200
        try:
            assert problem(restore(root, "c", [])) == (403, 1004)
            assert dump(root, "c").status_code == 200
        finally:
            root.put("/_admin/server/mode", {"mode": "default"})
