"""Large arrays of documents, which a worker parses: the answers are those of small ones."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from support.server import Api, ServerThread, error_of
from support.wait import wait_for

from arangorep.config import Config
from arangorep.data.cutting import CutBlock
from arangorep.rest.cutter import Cutter
from arangorep.values.key_generator import KeyOptions

PAD = "\u00fc" * 200
FILLER = [{"_key": f"f{n:04}", "pad": PAD} for n in range(300)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    """Its worker is ready."""
    with ServerThread(Config(tmp_path_factory.mktemp("large") / "data", port=0)) as running:
        cutter = running.server.node.services.cutter = Cutter(cores=2)
        with Api(running.url, "_system") as api:
            api.create_collection("first")
            api.insert("first", FILLER)
        wait_for(lambda: (cutter._worker is not None and cutter._worker.is_ready) or None)
        yield running


@pytest.fixture
def api(server: ServerThread) -> Iterator[Api]:
    with server.fresh_database() as found:
        yield found


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many documents of each body the worker has cut."""
    found: list[int] = []
    plain = Cutter.cut

    async def counted(self: Cutter, data: bytes, options: KeyOptions) -> list[CutBlock] | None:
        blocks = await plain(self, data, options)
        if blocks is not None:
            found.append(sum(len(block.tails) for block in blocks))
        return blocks

    monkeypatch.setattr(Cutter, "cut", counted)
    return found


def both(api: Api, documents: list[Any], **params: Any) -> tuple[requests.Response, list[Any]]:
    """The answer to a large array, and what one request for each document gives."""
    for name in ("large", "single"):
        api.create_collection(name)
        api.insert(name, [{"_key": "f0007", "old": 1}, {"_key": "other", "old": 2}])
    single = []
    for document in documents:
        answer = api.post("/_api/document/single", document, params=params)
        single.append(answer.json())
    return api.post("/_api/document/large", documents, params=params), single


def shown(items: list[Any]) -> list[Any]:
    return [item.get("errorNum", item.get("_key")) for item in items]


def stored(api: Api, name: str) -> dict[str, Any]:
    rows = {row.pop("_key"): row for row in api.dump(name, api.create_batch())}
    for row in rows.values():
        del row["_id"], row["_rev"]
    return rows


@pytest.mark.parametrize(
    "params",
    [
        {}, {"overwriteMode": "ignore"}, {"overwriteMode": "replace"},
        {"overwriteMode": "update"}, {"returnNew": "true"},
    ],
)  # fmt: skip
def test_with_a_key_that_exists(api: Api, cut: list[int], params: dict[str, str]) -> None:
    answer, single = both(api, FILLER, **params)
    assert cut == [300]
    assert answer.status_code == 202
    assert shown(answer.json()) == shown(single)
    assert stored(api, "large") == stored(api, "single")
    assert [set(item) for item in answer.json()] == [
        {"error", "errorNum", "errorMessage"} if "errorNum" in item else set(item)
        for item in single
    ]
    if not params:
        assert json.loads(answer.headers["x-arango-error-codes"]) == {"1210": 1}


@pytest.mark.parametrize(
    "odd", [7, None, "x", {"_key": "a/b"}, {"_key": 7}, {"pad": 1}, {"_key": "x", "_rev": "y"}]
)
def test_with_something_that_is_not_plain(api: Api, cut: list[int], odd: object) -> None:
    answer, single = both(api, [*FILLER[:150], odd, *FILLER[150:]])
    assert cut == []
    keys = [item for item in shown(answer.json()) if not str(item).isdigit()]
    assert keys == [item for item in shown(single) if not str(item).isdigit()]
    assert answer.status_code == 202
    assert sorted(stored(api, "large").values(), key=str) == sorted(
        stored(api, "single").values(), key=str
    )


def test_generated_keys(api: Api, cut: list[int]) -> None:
    api.create_collection("c")
    answer = api.post("/_api/document/c", [{"n": n, "pad": PAD} for n in range(300)])
    keys = [int(item["_key"]) for item in answer.json()]
    assert cut == [300]
    assert keys == sorted(set(keys))
    assert stored(api, "c")[str(keys[7])]["n"] == 7


@pytest.mark.parametrize("body", [b"[" + b"x" * 100_000, b"[" * 100_000, b"[" + b" " * 100_000])
def test_bodies_that_are_no_json(api: Api, body: bytes) -> None:
    api.create_collection("c")
    answer = api.post("/_api/document/c", body)
    assert error_of(answer) == (400, 600)
    assert api.get("/_api/collection/c/count").json()["count"] == 0


def test_collections_with_rules_parse_here(api: Api, cut: list[int]) -> None:
    schema = {"rule": {"required": ["pad"]}, "level": "strict"}
    api.create_collection("c", schema=schema)
    answer = api.post("/_api/document/c", [*FILLER, {"_key": "bad"}])
    assert cut == []
    assert shown(answer.json())[-1] == 1620


def test_a_unique_index_is_kept(api: Api, cut: list[int]) -> None:
    api.create_collection("c")
    index = {"type": "persistent", "fields": ["n"], "unique": True}
    api.post("/_api/index?collection=c", index)
    documents = [{"_key": f"k{n}", "n": n % 250, "pad": PAD} for n in range(300)]
    answer = api.post("/_api/document/c", documents)
    assert cut == []
    assert shown(answer.json()).count(1210) == 50


def test_edges(api: Api, cut: list[int]) -> None:
    api.create_collection("e", type=3)
    documents = [{"_key": f"k{n}", "_from": "a/1", "_to": "a/2", "pad": PAD} for n in range(300)]
    answer = api.post("/_api/document/e", [*documents, {"_key": "none"}])
    assert cut == []
    assert shown(answer.json())[-1] == 1233
    assert stored(api, "e")["k7"] == {"_from": "a/1", "_to": "a/2", "pad": PAD}


def test_in_a_transaction(api: Api, cut: list[int]) -> None:
    api.create_collection("c")
    begun = api.post("/_api/transaction/begin", {"collections": {"write": "c"}}).json()["result"]
    mark = {"x-arango-trx-id": begun["id"]}
    answer = api.request("POST", "/_api/document/c", FILLER, headers=mark)
    assert (answer.status_code, cut) == (202, [])
    assert api.get("/_api/collection/c/count").json()["count"] == 0
    api.put(f"/_api/transaction/{begun['id']}")
    assert len(stored(api, "c")) == 300


@pytest.mark.parametrize(("depth", "is_cut"), [(150, True), (198, True), (199, False)])
def test_deep_documents_that_exist(api: Api, cut: list[int], depth: int, is_cut: bool) -> None:
    """They are parsed again, one by one, and nest no deeper for it."""
    api.create_collection("c")
    deep = json.loads("[" * depth + "]" * depth)
    documents = [{"_key": f"k{n}", "a": deep, "pad": PAD} for n in range(300)]
    first = api.post("/_api/document/c", documents)
    second = api.post("/_api/document/c", documents)
    assert cut == [300, 300] * is_cut
    assert (first.status_code, second.status_code) == (202, 202)
    assert shown(first.json()) == [f"k{n}" for n in range(300)] if is_cut else [600] * 300
    assert shown(second.json()) == ([1210] if is_cut else [600]) * 300


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Between the cutting of an array and its writing."""
    plain = Cutter.cut

    async def slow(self: Cutter, data: bytes, options: KeyOptions) -> list[CutBlock] | None:
        blocks = await plain(self, data, options)
        assert blocks is not None
        await asyncio.to_thread(act)
        return blocks

    monkeypatch.setattr(Cutter, "cut", slow)


def test_an_index_that_comes_meanwhile(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.create_collection("c")

    def index() -> None:
        with Api(api.url, api.database) as other:
            wish = {"type": "persistent", "fields": ["pad"], "unique": True}
            assert other.post("/_api/index?collection=c", wish).status_code == 201

    meanwhile(monkeypatch, index)
    answer = api.post("/_api/document/c", FILLER)
    assert shown(answer.json()).count(1210) == 299


def test_another_collection_of_the_name_meanwhile(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut for one collection, written into another with the same name."""
    api.create_collection("c")

    def exchange() -> None:
        with Api(api.url, api.database) as other:
            other.delete("/_api/collection/c")
            other.create_collection("c", keyOptions={"allowUserKeys": False})

    meanwhile(monkeypatch, exchange)
    answer = api.post("/_api/document/c", FILLER)
    assert set(shown(answer.json())) == {1222}
