"""`/_api/analyzer`: definitions in `_analyzers` (data-api 11)."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from support.server import Api, ServerThread, error_of

from arangorep.config import Config

ANALYZER = "/_api/analyzer"
MINE = {"name": "mine", "type": "norm", "properties": {"locale": "de"}, "features": ["norm"]}


def create(api: Api, body: Any = MINE) -> dict[str, Any]:
    response = api.post(ANALYZER, body)
    assert response.status_code == 201, response.text
    return response.json()


def names(api: Api) -> list[str]:
    response = api.get(ANALYZER)
    assert response.status_code == 200, response.text
    return [one["name"] for one in response.json()["result"]]


def by_hand(api: Api, document: Any) -> None:
    """A document in `_analyzers` that did not come through `/_api/analyzer`."""
    create(api)  # which makes the collection
    api.insert("_analyzers", document)


def test_the_life_of_an_analyzer(api: Api) -> None:
    built_in = names(api)
    assert {"identity", "text_en", "text_de"} <= set(built_in)
    full = f"{api.database}::mine"
    assert create(api) == {**MINE, "name": full}
    again = api.post(ANALYZER, {**MINE, "name": full})
    assert (again.status_code, again.json()["name"]) == (200, full)
    assert names(api) == [*built_in, full]
    for name in ("mine", full, "::mine"):
        shown = api.get(f"{ANALYZER}/{quote(name, safe='')}").json()
        assert shown == {**MINE, "name": full, "code": 200, "error": False}
    gone = api.delete(f"{ANALYZER}/mine")
    assert gone.json() == {"name": full, "code": 200, "error": False}
    assert names(api) == built_in
    assert error_of(api.delete(f"{ANALYZER}/mine")) == (404, 1202)
    assert error_of(api.get(f"{ANALYZER}/mine")) == (404, 1202)


def test_built_in_ones(api: Api) -> None:
    shown = api.get(f"{ANALYZER}/identity").json()
    assert (shown["name"], shown["type"], shown["properties"]) == ("identity", "identity", {})
    assert error_of(api.delete(f"{ANALYZER}/identity")) == (400, 10)
    same = {"name": "identity", "type": "identity", "features": ["norm", "frequency"]}
    assert api.post(ANALYZER, same).status_code == 200
    assert error_of(api.post(ANALYZER, {**same, "features": []})) == (400, 10)


def test_another_definition_of_a_name(api: Api) -> None:
    create(api)
    for changed in ({"type": "stem"}, {"properties": {}}, {"features": []}):
        assert error_of(api.post(ANALYZER, {**MINE, **changed})) == (400, 10)
    assert api.get(f"{ANALYZER}/mine").json()["type"] == "norm"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (None, (400, 10)),
        ([], (400, 10)),
        (b"{", (400, 600)),
        ({}, (400, 10)),
        ({**MINE, "name": 5}, (400, 10)),
        ({**MINE, "name": ""}, (400, 10)),
        ({**MINE, "name": "1a"}, (400, 10)),
        ({**MINE, "name": "_a"}, (400, 10)),
        ({**MINE, "name": "a b"}, (400, 10)),
        ({**MINE, "name": "a:b"}, (400, 10)),
        ({**MINE, "name": "::"}, (400, 10)),
        ({**MINE, "name": "other::a"}, (404, 1202)),
        ({**MINE, "type": "other"}, (400, 10)),
        ({**MINE, "type": None}, (400, 10)),
        ({**MINE, "properties": "x"}, (400, 10)),
        ({**MINE, "properties": [1]}, (400, 10)),
        ({**MINE, "features": "norm"}, (400, 10)),
        ({**MINE, "features": [5]}, (400, 10)),
        ({**MINE, "features": [[]]}, (400, 10)),
        ({**MINE, "features": ["other"]}, (400, 10)),
    ],
)
def test_bodies_that_make_no_analyzer(api: Api, body: Any, expected: tuple[int, int]) -> None:
    before = names(api)
    assert error_of(api.post(ANALYZER, body)) == expected
    assert names(api) == before


@pytest.mark.parametrize("kind", [[], {}, ["norm"]])
def test_a_type_that_is_no_text(api: Api, kind: Any) -> None:
    assert error_of(api.post(ANALYZER, {**MINE, "type": kind})) == (400, 10)


@pytest.mark.parametrize(
    "document",
    [
        {"name": "x", "properties": {}, "features": []},
        {"name": "x", "type": "norm", "properties": {}, "features": [[]]},
    ],
)
def test_documents_written_by_hand(api: Api, document: Any) -> None:
    by_hand(api, document)
    for response in (
        api.get(ANALYZER),
        api.get(f"{ANALYZER}/x"),
        api.post(ANALYZER, {"name": "x", "type": "norm"}),
    ):
        assert response.status_code < 500, response.text


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"name": 5},
        {"name": "x"},
        {"name": ["x"], "type": "norm", "properties": {}, "features": []},
        {"name": "x", "type": "norm", "properties": [], "features": []},
        {"name": "x", "type": "norm", "properties": {}, "features": {}},
    ],
)
def test_documents_that_are_no_analyzers(api: Api, document: Any) -> None:
    by_hand(api, document)
    assert names(api)[-1] == f"{api.database}::mine"
    assert error_of(api.get(f"{ANALYZER}/x")) == (404, 1202)
    assert api.post(ANALYZER, {**MINE, "name": "x"}).status_code == 201


def test_paths_and_methods(api: Api) -> None:
    assert error_of(api.get(f"{ANALYZER}/a/b")) == (400, 400)
    assert error_of(api.delete(ANALYZER)) == (400, 400)
    assert error_of(api.post(f"{ANALYZER}/a", MINE)) == (400, 400)
    assert error_of(api.put(ANALYZER, MINE)) == (405, 405)
    assert error_of(api.get(f"{ANALYZER}/other::identity")) == (404, 1202)


def test_a_name_of_letters(api: Api) -> None:
    create(api, {**MINE, "name": "größe-名_1"})
    quoted = quote("größe-名_1")
    assert api.get(f"{ANALYZER}/{quoted}").json()["name"] == f"{api.database}::größe-名_1"
    assert api.delete(f"{ANALYZER}/{quoted}").status_code == 200


def test_they_replicate_as_documents(api: Api) -> None:
    create(api)
    before = api.get("/_api/wal/lastTick").json()["tick"]
    create(api, {**MINE, "name": "second"})
    [marker] = api.tail(before)
    assert marker["type"] == 2300
    assert {n: marker["data"][n] for n in MINE} == {**MINE, "name": "second"}


def test_read_only_mode(api: Api, system: Api) -> None:
    create(api)
    system.put("/_admin/server/mode", {"mode": "readonly"})
    try:
        assert error_of(api.post(ANALYZER, {**MINE, "name": "x"})) == (403, 11)
        assert error_of(api.delete(f"{ANALYZER}/mine")) == (403, 11)
        assert api.get(f"{ANALYZER}/mine").status_code == 200
    finally:
        system.put("/_admin/server/mode", {"mode": "default"})


def test_levels_and_restart(tmp_path: Path) -> None:
    config = Config(tmp_path / "data", port=0, root_password="pw")
    with ServerThread(config) as server, Api(server.url, "_system") as root:
        root.session.auth = ("root", "pw")
        create(root)
        root.post("/_api/user", {"user": "ann", "passwd": "p"})
        with Api(server.url, "_system") as ann:
            ann.session.auth = ("ann", "p")
            assert error_of(ann.get(ANALYZER)) == (401, 11)
            root.put("/_api/user/ann/database/_system", {"grant": "ro"})
            assert names(ann)[-1] == "_system::mine"
            assert error_of(ann.post(ANALYZER, {**MINE, "name": "x"})) == (403, 11)
            assert error_of(ann.delete(f"{ANALYZER}/mine")) == (403, 11)
    with ServerThread(config) as server, Api(server.url, "_system") as root:
        root.session.auth = ("root", "pw")
        assert root.get(f"{ANALYZER}/mine").json()["properties"] == {"locale": "de"}
