"""Index definitions: creation rules, forms and equality (data-api 8.2, 8.3)."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from arangorep.errors import ArangoError, BadParameter, IllegalName
from arangorep.values.index import (
    IndexDefinition,
    edge_index,
    parse_index,
    parse_stored_index,
    primary_index,
)


def parse(**body: Any) -> IndexDefinition:
    return parse_index(body, new_id=77, default_name="idx_1")


MINIMAL: dict[str, dict[str, Any]] = {
    "persistent": {"fields": ["a"]},
    "hash": {"fields": ["a"]},
    "skiplist": {"fields": ["a"]},
    "ttl": {"fields": ["a"], "expireAfter": 60},
    "geo": {"fields": ["a"]},
    "fulltext": {"fields": ["a"]},
    "mdi": {"fields": ["a"], "fieldValueTypes": "double"},
    "zkd": {"fields": ["a"], "fieldValueTypes": "double"},
    "mdi-prefixed": {"fields": ["a"], "fieldValueTypes": "double", "prefixFields": ["p"]},
    "inverted": {"fields": ["a"]},
}

DESCRIBED: dict[str, dict[str, Any]] = {
    "persistent": {
        "unique": False,
        "sparse": False,
        "deduplicate": True,
        "estimates": True,
        "cacheEnabled": False,
    },
    "ttl": {"unique": False, "sparse": True, "estimates": False, "expireAfter": 60},
    "geo": {
        "unique": False,
        "sparse": True,
        "bestIndexedLevel": 17,
        "geoJson": False,
        "legacyPolygons": False,
        "maxNumCoverCells": 8,
        "worstIndexedLevel": 4,
    },
    "fulltext": {"unique": False, "sparse": True, "minLength": 2},
    "mdi": {"unique": False, "sparse": False, "estimates": False, "fieldValueTypes": "double"},
    "mdi-prefixed": {
        "unique": False,
        "sparse": False,
        "estimates": False,
        "fieldValueTypes": "double",
        "prefixFields": ["p"],
    },
    "inverted": {
        "unique": False,
        "sparse": True,
        "fields": [{"name": "a"}],
        "analyzer": "identity",
        "cleanupIntervalStep": 2,
        "commitIntervalMsec": 1000,
        "consolidationIntervalMsec": 5000,
        "consolidationPolicy": {
            "type": "tier",
            "segmentsBytesFloor": 2097152,
            "segmentsBytesMax": 5368709120,
            "segmentsMax": 10,
            "segmentsMin": 1,
            "minScore": 0,
        },
        "features": ["frequency", "norm"],
        "includeAllFields": False,
        "optimizeTopK": [],
        "primarySort": {"fields": [], "compression": "lz4"},
        "searchField": False,
        "storedValues": [],
        "trackListPositions": False,
        "version": 1,
        "writebufferActive": 0,
        "writebufferIdle": 64,
        "writebufferSizeMax": 33554432,
    },
}
DESCRIBED |= {"hash": DESCRIBED["persistent"], "skiplist": DESCRIBED["persistent"]}
DESCRIBED |= {"zkd": DESCRIBED["mdi"]}

WITH_ESTIMATE = {"persistent", "hash", "skiplist", "mdi", "zkd", "mdi-prefixed"}


@pytest.mark.parametrize("word", MINIMAL)
def test_defaults_and_forms(word: str) -> None:
    index = parse(type=word, **MINIMAL[word])
    own = {"id": "77", "type": word, "name": "idx_1", "fields": ["a"], **DESCRIBED[word]}
    assert index.describe() == own
    estimate = {"selectivityEstimate": 1} if word in WITH_ESTIMATE else {}
    assert index.describe_api("coll") == {**own, **estimate, "id": "coll/77"}
    assert (index.id, index.type, index.fields) == (77, word, ("a",))


@pytest.mark.parametrize("word", MINIMAL)
def test_pack_and_unpack(word: str) -> None:
    index = parse(type=word, **MINIMAL[word], unique=True, sparse=True)
    assert IndexDefinition.unpack(orjson.loads(orjson.dumps(index.pack()))) == index


@pytest.mark.parametrize("word", MINIMAL)
def test_stored_definitions_keep_id_and_name(word: str) -> None:
    index = replace(parse(type=word, **MINIMAL[word], unique=True), name="own", id=5)
    form = {**index.describe(), "objectId": "1", "selectivityEstimate": 0.5}
    assert parse_stored_index(form) == index
    del form["name"]
    assert parse_stored_index(form).name == "idx_5"


@pytest.mark.parametrize("own_id", [None, 5, "", "c/5", "-5", "٥", str(2**64), "1" * 21])
def test_stored_definitions_need_an_id(own_id: object) -> None:
    form = {**parse(type="persistent", fields=["a"]).describe(), "id": own_id}
    with pytest.raises(BadParameter):
        parse_stored_index(form)


def test_a_stored_definition_is_an_object() -> None:
    with pytest.raises(BadParameter):
        parse_stored_index(["5"])


def test_estimates_decide_about_the_selectivity_estimate() -> None:
    def shows(**body: Any) -> bool:
        return "selectivityEstimate" in parse(fields=["a"], **body).describe_api("c")

    assert not shows(type="persistent", estimates=False)
    assert shows(type="persistent", estimates=False, unique=True)
    assert shows(type="ttl", expireAfter=1, estimates=True)


def test_built_in_indexes() -> None:
    assert primary_index("c") == {
        "id": "c/0",
        "type": "primary",
        "name": "primary",
        "fields": ["_key"],
        "selectivityEstimate": 1,
        "sparse": False,
        "unique": True,
    }
    assert edge_index("c") == {
        "id": "c/1",
        "type": "edge",
        "name": "edge",
        "fields": ["_from", "_to"],
        "selectivityEstimate": 1,
        "sparse": False,
        "unique": False,
    }


def test_options_are_taken_over() -> None:
    index = parse(
        type="hash",
        name="mine",
        fields=["a.b", "c[*].d"],
        unique=True,
        sparse=True,
        deduplicate=False,
        estimates=False,
        cacheEnabled=True,
        storedValues=["x", "y.z", "_id"],
        inBackground=True,
        whatever=1,
    )
    assert index.describe() == {
        "id": "77",
        "type": "hash",
        "name": "mine",
        "fields": ["a.b", "c[*].d"],
        "unique": True,
        "sparse": True,
        "deduplicate": False,
        "estimates": False,
        "cacheEnabled": True,
        "storedValues": ["x", "y.z", "_id"],
    }
    geo = parse(type="geo", fields=["lat", "lon"], geoJson=True, legacyPolygons=True)
    assert (geo.options["geoJson"], geo.options["legacyPolygons"]) == (True, True)
    assert parse(type="fulltext", fields=["a"], minLength=1).options["minLength"] == 1
    assert parse(type="ttl", fields=["a"], expireAfter=0).options["expireAfter"] == 0
    assert parse(type="ttl", fields=["a"], expireAfter=1.5).options["expireAfter"] == 1.5


def test_some_types_are_always_sparse_and_never_unique() -> None:
    for word in ("ttl", "geo", "fulltext", "inverted"):
        index = parse(type=word, **MINIMAL[word], unique=True, sparse=False)
        assert (index.unique, index.sparse) == (False, True)
    for word in ("persistent", "mdi", "zkd", "mdi-prefixed"):
        index = parse(type=word, **MINIMAL[word], unique=True, sparse=False)
        assert (index.unique, index.sparse) == (True, False)


def test_values_of_the_wrong_kind_count_as_absent() -> None:
    index = parse(
        type="persistent", fields=["a"], name=None, unique=1, sparse="true", deduplicate=0
    )
    assert index == parse(type="persistent", fields=["a"])
    index = parse(type="geo", fields=["a"], bestIndexedLevel="x", maxNumCoverCells=0)
    assert index == parse(type="geo", fields=["a"])
    assert parse(type="fulltext", fields=["a"], minLength=True).options["minLength"] == 2


def test_no_stored_values_do_not_show() -> None:
    nothing: tuple[object, ...] = ([], None)
    for none in nothing:
        index = parse(type="persistent", fields=["a"], storedValues=none)
        assert "storedValues" not in index.describe()


def test_old_words_for_geo() -> None:
    for word in ("geo1", "geo2"):
        assert parse(type=word, fields=["a", "b"]).type == "geo"


def test_inverted_fields_may_be_objects() -> None:
    index = parse(
        type="inverted",
        fields=["a", {"name": "b.c[*]", "analyzer": "text_en"}],
        analyzer="text_de",
        features=["position"],
    )
    assert index.fields == ("a", "b.c[*]")
    described = index.describe()
    assert described["fields"] == [{"name": "a"}, {"name": "b.c[*]", "analyzer": "text_en"}]
    assert (described["analyzer"], described["features"]) == ("text_de", ["position"])
    assert parse(type="inverted", includeAllFields=True).fields == ()


BAD_FIELDS: list[object] = [
    None,
    "a",
    {},
    [],
    [1],
    [None],
    ["a", ["b"]],
    [""],
    ["a", "a"],
    ["a."],
    [".a"],
    ["a..b"],
    ["a["],
    ["a[*"],
    ["a[0]"],
    ["[*]"],
    ["a[*]b"],
    ["a[*].b[*]"],
    ["a[*][*]"],
]


@pytest.mark.parametrize("word", MINIMAL)
@pytest.mark.parametrize("fields", BAD_FIELDS)
def test_bad_fields(word: str, fields: object) -> None:
    with pytest.raises(BadParameter):
        parse(**{"type": word, **MINIMAL[word], "fields": fields})


@pytest.mark.parametrize(
    "body",
    [
        {"fields": ["a"]},
        {"type": None, "fields": ["a"]},
        {"type": ["persistent"], "fields": ["a"]},
        {"type": "", "fields": ["a"]},
        {"type": "primary", "fields": ["_key"]},
        {"type": "edge", "fields": ["_from", "_to"]},
        {"type": "Persistent", "fields": ["a"]},
        {"type": "persistent"},
        {"type": "persistent", "fields": ["_id"]},
        {"type": "hash", "fields": ["a", "_id"]},
        {"type": "skiplist", "fields": ["a._id"]},
        {"type": "persistent", "fields": ["a[*]._id"]},
        {"type": "persistent", "fields": ["_id[*]"]},
        {"type": "persistent", "fields": ["a"], "storedValues": "b"},
        {"type": "persistent", "fields": ["a"], "storedValues": [1]},
        {"type": "persistent", "fields": ["a"], "storedValues": ["b", "b"]},
        {"type": "persistent", "fields": ["a"], "storedValues": ["b[*]"]},
        {"type": "persistent", "fields": ["a"], "storedValues": [f"f{n}" for n in range(33)]},
        {"type": "ttl", "fields": ["a"]},
        {"type": "ttl", "fields": ["a"], "expireAfter": -1},
        {"type": "ttl", "fields": ["a"], "expireAfter": "60"},
        {"type": "ttl", "fields": ["a"], "expireAfter": True},
        {"type": "ttl", "fields": ["a"], "expireAfter": float("nan")},
        {"type": "ttl", "fields": ["a", "b"], "expireAfter": 60},
        {"type": "geo", "fields": ["a", "b", "c"]},
        {"type": "fulltext", "fields": ["a", "b"]},
        {"type": "mdi", "fields": ["a"]},
        {"type": "zkd", "fields": ["a"], "fieldValueTypes": "int"},
        {"type": "mdi-prefixed", "fields": ["a"], "fieldValueTypes": "double"},
        {**MINIMAL["mdi-prefixed"], "type": "mdi-prefixed", "prefixFields": []},
        {**MINIMAL["mdi-prefixed"], "type": "mdi-prefixed", "prefixFields": ["a", "a"]},
        {"type": "inverted"},
        {"type": "inverted", "fields": [{}]},
        {"type": "inverted", "fields": [{"name": 1}]},
        {"type": "inverted", "fields": ["a", {"name": "a"}]},
        {"type": "inverted", "fields": "a", "includeAllFields": True},
        {"type": "inverted", "fields": ["a"], "analyzer": 1},
        {"type": "inverted", "fields": ["a"], "version": True},
        {"type": "inverted", "fields": ["a"], "features": None},
    ],
)
def test_bad_definitions(body: dict[str, Any]) -> None:
    with pytest.raises(BadParameter) as caught:
        parse(**body)
    assert (caught.value.error_num, caught.value.http_status) == (10, 400)


@pytest.mark.parametrize("body", [None, [], "persistent", 1])
def test_a_definition_is_an_object(body: object) -> None:
    with pytest.raises(BadParameter):
        parse_index(body, new_id=1, default_name="idx_1")


def test_32_stored_values_are_allowed() -> None:
    names = [f"f{n}" for n in range(32)]
    index = parse(type="persistent", fields=["a"], storedValues=names)
    assert index.options["storedValues"] == names


@pytest.mark.parametrize("name", ["", "1a", "a/b", "a:b", 5, ["a"]])
def test_bad_names(name: object) -> None:
    with pytest.raises(IllegalName) as caught:
        parse(type="persistent", fields=["a"], name=name)
    assert isinstance(caught.value, ArangoError)
    assert caught.value.http_status == 400


SAME: list[dict[str, Any]] = [
    {"name": "other"},
    {"deduplicate": False},
    {"estimates": False},
    {"cacheEnabled": True},
    {"inBackground": True},
]

DIFFERENT: list[dict[str, Any]] = [
    {"type": "hash"},
    {"fields": ["b", "a"]},
    {"fields": ["a"]},
    {"unique": True},
    {"sparse": True},
    {"storedValues": ["x"]},
]

PLAIN: dict[str, Any] = {"type": "persistent", "fields": ["a", "b"]}


@pytest.mark.parametrize("change", SAME)
def test_definitions_that_are_the_same(change: dict[str, Any]) -> None:
    first, second = parse(**PLAIN), replace(parse(**{**PLAIN, **change}), id=78)
    assert first.same_as(second)
    assert second.same_as(first)


@pytest.mark.parametrize("change", DIFFERENT)
def test_definitions_that_differ(change: dict[str, Any]) -> None:
    first, second = parse(**PLAIN), parse(**{**PLAIN, **change})
    assert not first.same_as(second)
    assert not second.same_as(first)


@pytest.mark.parametrize(
    ("word", "change"),
    [
        ("ttl", {"expireAfter": 61}),
        ("geo", {"geoJson": True}),
        ("fulltext", {"minLength": 3}),
        ("mdi-prefixed", {"prefixFields": ["q"]}),
        ("inverted", {"analyzer": "text_en"}),
        ("inverted", {"fields": [{"name": "a", "analyzer": "text_en"}]}),
    ],
)
def test_options_of_the_type_are_compared(word: str, change: dict[str, Any]) -> None:
    first = parse(type=word, **MINIMAL[word])
    assert first.same_as(parse(type=word, **MINIMAL[word]))
    assert not first.same_as(parse(**{"type": word, **MINIMAL[word], **change}))
