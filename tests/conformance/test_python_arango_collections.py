"""python-arango and single collections: settings, every kind of index, options of writes.

What `test_python_arango_data` does not ask for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from arango.collection import StandardCollection
from arango.database import StandardDatabase
from arango.exceptions import (
    ArangoServerError,
    CollectionChecksumError,
    CollectionCompactError,
    CollectionConfigureError,
    CollectionCreateError,
    CollectionInformationError,
    CollectionLoadError,
    CollectionPropertiesError,
    CollectionRecalculateCountError,
    CollectionRenameError,
    CollectionRevisionError,
    CollectionShardsError,
    CollectionStatisticsError,
    CollectionTruncateError,
    CollectionUnloadError,
    DocumentCountError,
    DocumentDeleteError,
    DocumentGetError,
    DocumentInsertError,
    DocumentParseError,
    DocumentReplaceError,
    DocumentRevisionError,
    DocumentUpdateError,
    IndexCreateError,
    IndexDeleteError,
    IndexGetError,
    IndexListError,
    IndexLoadError,
)

Json = dict[str, Any]


def refusal(error: ArangoServerError) -> tuple[int, int | None]:
    return error.http_code, error.error_code


# -- collections ---------------------------------------------------------------------------------


def test_loading_and_unloading(col: StandardCollection) -> None:
    with pytest.warns(DeprecationWarning, match="load"):
        assert col.load() is True
    with pytest.warns(DeprecationWarning, match="load"):
        assert col.unload() is True


def test_information_and_compaction_are_alike(col: StandardCollection) -> None:
    info = col.info()
    assert isinstance(info, dict)
    assert info == col.compact()
    assert {"id", "name", "type", "edge", "status", "system", "global_id"} <= set(info)


def test_checksums_and_revisions_follow_writes(col: StandardCollection) -> None:
    assert (col.checksum(), col.checksum(with_rev=True, with_data=True)) == ("0", "0")
    empty = col.revision()
    col.insert({"_key": "a"})
    assert int(col.checksum()) > 0
    assert col.revision() != empty
    assert col.truncate(sync=True, compact=True) is True
    assert col.checksum() == "0"


def test_statistics(col: StandardCollection) -> None:
    before = col.statistics()
    col.add_index({"type": "persistent", "fields": ["n"]})
    after = col.statistics()
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert (before["indexes"]["count"], after["indexes"]["count"]) == (1, 2)
    assert {"documents_size", "cache_in_use", "cache_size"} <= set(after)


def test_configuring(col: StandardCollection) -> None:
    assert col.configure(sync=True)["sync"] is True
    assert col.configure(sync=False, replication_factor=1, write_concern=1)["sync"] is False
    assert col.properties()["sync"] is False
    with pytest.raises(ValueError, match="non-empty"):
        col.configure(schema={})
    with pytest.raises(CollectionConfigureError) as wrong:
        col.configure(schema={"rule": {"type": "nonsense"}, "level": "strict"})
    assert wrong.value.http_code == 400


@pytest.mark.parametrize(
    ("level", "created", "changed"), [("new", 1620, None), ("strict", 1620, 1620)]
)
def test_a_schema(
    db: StandardDatabase, level: str, created: int | None, changed: int | None
) -> None:
    rule = {"properties": {"n": {"type": "number"}}, "required": ["n"]}
    schema = {"rule": rule, "level": level, "message": "n is a number"}
    col = db.create_collection("s", schema=schema)
    assert isinstance(col, StandardCollection)
    assert col.properties()["schema"] == {**schema, "type": "json"}
    col.insert({"_key": "good", "n": 1})
    with pytest.raises(DocumentInsertError, match="n is a number") as refused:
        col.insert({"_key": "bad", "n": "1"})
    assert refused.value.error_code == created
    if changed is None:
        assert col.update({"_key": "good", "n": "1"})
        bad = {"_key": "bad", "n": "1"}
        assert [getattr(one, "error_code", 0) for one in col.insert_many([bad])] == [created]
    else:
        for change, error in (
            (col.update, DocumentUpdateError),
            (col.replace, DocumentReplaceError),
        ):
            with pytest.raises(error) as kept:
                change({"_key": "good", "n": "1"})
            assert kept.value.error_code == changed
    assert col.configure(schema={"rule": {}, "level": "none"})["schema"]["level"] == "none"
    assert col.insert({"n": "anything"})


def test_computed_values(db: StandardDatabase) -> None:
    full = {
        "name": "full",
        "expression": "RETURN CONCAT(@doc.first, ' ', @doc.last)",
        "computeOn": ["insert", "update", "replace"],
        "overwrite": True,
        "failOnWarning": False,
        "keepNull": True,
    }
    col = db.create_collection("p", computedValues=[full])
    assert isinstance(col, StandardCollection)
    assert col.properties()["computedValues"] == [full]
    col.insert({"_key": "k", "first": "Ada", "last": "Lovelace", "full": "?"})
    assert col.get("k")["full"] == "Ada Lovelace"
    col.update({"_key": "k", "last": "Byron"})
    assert col.get("k")["full"] == "Ada Byron"
    inserted = {**full, "name": "kind", "expression": "RETURN 'person'", "computeOn": ["insert"]}
    assert col.configure(computed_values=[inserted])["computedValues"] == [inserted]
    col.insert({"_key": "l", "first": "x", "last": "y"})
    assert (col.get("l")["kind"], "full" in col.get("l")) == ("person", False)
    with pytest.raises(CollectionConfigureError) as wrong:
        col.configure(computed_values=[{**full, "expression": "FOR d IN p RETURN d"}])
    assert wrong.value.http_code in (400, 501)


def test_names(db: StandardDatabase, col: StandardCollection) -> None:
    assert col.rename("c") is True
    for wrong in ("1st", "a/b", "", "a b/"):
        with pytest.raises(CollectionCreateError) as refused:
            db.create_collection(wrong)
        assert refusal(refused.value) == (400, 1208)
    with pytest.raises(CollectionRenameError) as refused_too:
        col.rename("_system_name")
    assert refused_too.value.http_code in (400, 403)
    assert db["c"].name == db.collection("c").name == "c"


def test_key_generators_of_the_server(db: StandardDatabase) -> None:
    assert set(db.key_generators()) >= {"traditional", "autoincrement", "uuid", "padded"}


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda c: c.properties(), CollectionPropertiesError),
        (lambda c: c.info(), CollectionInformationError),
        (lambda c: c.configure(sync=True), CollectionConfigureError),
        (lambda c: c.statistics(), CollectionStatisticsError),
        (lambda c: c.revision(), CollectionRevisionError),
        (lambda c: c.checksum(), CollectionChecksumError),
        (lambda c: c.compact(), CollectionCompactError),
        (lambda c: c.truncate(), CollectionTruncateError),
        (lambda c: c.count(), DocumentCountError),
        (lambda c: c.recalculate_count(), CollectionRecalculateCountError),
        (lambda c: c.rename("other"), CollectionRenameError),
        (lambda c: c.load(), CollectionLoadError),
        (lambda c: c.unload(), CollectionUnloadError),
        (lambda c: c.load_indexes(), IndexLoadError),
        (lambda c: c.indexes(), IndexListError),
        (lambda c: c.add_index({"type": "persistent", "fields": ["n"]}), IndexCreateError),
        (lambda c: c.get_many(["a"]), DocumentGetError),
        (lambda c: c.import_bulk([{}]), DocumentInsertError),
        (lambda c: c.update_many([{"_key": "a"}]), DocumentUpdateError),
        (lambda c: c.replace_many([{"_key": "a"}]), DocumentReplaceError),
        (lambda c: c.delete_many([{"_key": "a"}]), DocumentDeleteError),
        (lambda c: c.delete("a"), DocumentDeleteError),
        (lambda c: c.replace({"_key": "a"}), DocumentReplaceError),
        (lambda c: c.update({"_key": "a"}), DocumentUpdateError),
    ],
)
@pytest.mark.filterwarnings("ignore:.*load:DeprecationWarning")
def test_a_collection_that_is_not_there(
    db: StandardDatabase, ask: Callable[[StandardCollection], Any], error: type[ArangoServerError]
) -> None:
    with pytest.raises(error) as missing:
        ask(db.collection("nowhere"))
    assert refusal(missing.value) == (404, 1203)


def test_shards_are_of_clusters(col: StandardCollection) -> None:
    with pytest.raises(CollectionShardsError) as refused:
        col.shards(details=True)
    assert refused.value.http_code == 501


# -- indexes -------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:add_.*_index is deprecated:DeprecationWarning")
def test_methods_for_each_kind_of_index(col: StandardCollection) -> None:
    stored = {"name": "p", "unique": True, "sparse": True, "in_background": True}
    persistent = col.add_persistent_index(
        ["a", "b"], **stored, storedValues=["c"], cacheEnabled=True
    )
    expected = {"type": "persistent", "fields": ["a", "b"], "name": "p", "new": True}
    assert persistent.items() >= expected.items()
    assert (persistent["unique"], persistent["sparse"]) == (True, True)
    assert (persistent["storedValues"], persistent["cacheEnabled"]) == (["c"], True)
    geo = col.add_geo_index(
        ["loc"], geo_json=True, name="g", in_background=False, legacyPolygons=True
    )
    assert (geo["type"], geo["geo_json"], geo["name"]) == ("geo", True, "g")
    assert geo["legacyPolygons"] is True
    ttl = col.add_ttl_index(["t"], expiry_time=1000, name="t", in_background=True)
    assert (ttl["type"], ttl["expiry_time"], ttl["name"]) == ("ttl", 1000, "t")
    inverted = col.add_inverted_index(
        [{"name": "text", "cache": True}],
        name="i",
        inBackground=False,
        parallelism=3,
        primarySort={"fields": [{"field": "n", "direction": "asc"}], "compression": "lz4"},
        storedValues=[],
        analyzer="identity",
        features=["frequency", "norm"],
        includeAllFields=False,
        trackListPositions=True,
        searchField=True,
    )
    assert (inverted["type"], inverted["name"]) == ("inverted", "i")
    assert inverted["analyzer"] == "identity"
    kinds = [index["type"] for index in col.indexes()]
    assert kinds == ["primary", "persistent", "geo", "ttl", "inverted"]
    for index in (persistent, geo, ttl, inverted):
        assert col.get_index(index["id"])["name"] == index["name"]
        assert col.delete_index(index["id"]) is True
    assert [index["type"] for index in col.indexes()] == ["primary"]


def test_indexes_as_the_server_names_them(col: StandardCollection) -> None:
    raw = col.add_index(
        {
            "type": "mdi",
            "fields": ["x", "y"],
            "fieldValueTypes": "double",
            "unique": True,
            "name": "m",
        }
    )
    assert (raw["isNewlyCreated"], raw["fieldValueTypes"]) == (True, "double")
    again = col.add_index(
        {"type": "mdi", "fields": ["x", "y"], "fieldValueTypes": "double", "unique": True}
    )
    assert (again["id"], again["isNewlyCreated"]) == (raw["id"], False)
    assert len(col.indexes(with_stats=True, with_hidden=True)) == 2
    prefixed = col.add_index(
        {
            "type": "mdi-prefixed",
            "fields": ["x", "y"],
            "prefixFields": ["z"],
            "fieldValueTypes": "double",
        }
    )
    assert prefixed["prefixFields"] == ["z"]


def test_indexes_that_are_not_there(col: StandardCollection) -> None:
    with pytest.raises(IndexGetError) as unknown:
        col.get_index("999999999")
    assert refusal(unknown.value) == (404, 1212)
    with pytest.raises(IndexGetError) as nowhere:
        StandardCollection(col.conn, col._executor, "nowhere").get_index("1")
    assert nowhere.value.error_code == 1203
    with pytest.raises(IndexDeleteError) as missing:
        col.delete_index("999999999")
    assert refusal(missing.value) == (404, 1212)
    with pytest.raises(IndexDeleteError) as primary:
        col.delete_index("0")
    assert primary.value.http_code in (400, 403)


@pytest.mark.parametrize(
    "data",
    [
        {"type": "persistent"},
        {"type": "persistent", "fields": "n"},
        {"type": "persistent", "fields": [1]},
        {"type": "ttl", "fields": ["a", "b"], "expireAfter": 1},
        {"type": "ttl", "fields": ["a"]},
        {"type": "geo", "fields": ["a", "b", "c"]},
        {"type": "nonsense", "fields": ["a"]},
        {"fields": ["a"]},
    ],
)
def test_indexes_that_cannot_be(col: StandardCollection, data: Json) -> None:
    with pytest.raises(IndexCreateError) as refused:
        col.add_index(data)
    assert refusal(refused.value) == (400, 10)


# -- options of writes ---------------------------------------------------------------------------


@pytest.mark.parametrize("sync", [True, False, None])
def test_waiting_for_the_disk(col: StandardCollection, sync: bool | None) -> None:
    cached = {"sync": sync, "refill_index_caches": True}
    assert col.insert({"_key": "k"}, **cached)
    assert col.update({"_key": "k", "n": 1}, **cached)
    assert col.replace({"_key": "k", "n": 2}, **cached)
    assert col.delete("k", **cached)
    assert col.insert_many([{"_key": "a"}], **cached)[0]["_key"] == "a"
    assert col.update_many([{"_key": "a", "n": 1}], **cached)[0]["_key"] == "a"
    assert col.replace_many([{"_key": "a", "n": 2}], **cached)[0]["_key"] == "a"
    assert col.delete_many([{"_key": "a"}], **cached)[0]["_key"] == "a"


def test_silence(col: StandardCollection) -> None:
    assert col.insert({"_key": "k"}, silent=True) is True
    assert col.update({"_key": "k", "n": 1}, silent=True) is True
    assert col.replace({"_key": "k", "n": 2}, silent=True) is True
    assert col.delete("k", silent=True) is True
    documents = [{"_key": "a", "n": 1}, {"_key": "b", "n": 2}]
    assert col.insert_many(documents, silent=True) is True
    assert col.update_many(documents, silent=True) is True
    assert col.replace_many(documents, silent=True) is True
    assert col.delete_many(documents, silent=True) is True
    assert col.count() == 0


@pytest.mark.parametrize("mode", ["replace", "update", "ignore", "conflict"])
def test_overwriting_many(col: StandardCollection, mode: str) -> None:
    col.insert_many([{"_key": "a", "n": 1}, {"_key": "b", "n": 1}])
    results = col.insert_many(
        [{"_key": "a", "m": 2}, {"_key": "c", "m": 2}],
        overwrite_mode=mode,
        return_new=True,
        return_old=True,
    )
    expected = {
        "replace": {"_key": "a", "m": 2},
        "update": {"_key": "a", "n": 1, "m": 2},
        "ignore": {"_key": "a", "n": 1},
        "conflict": {"_key": "a", "n": 1},
    }[mode]
    found = col.get("a")
    assert {name: found[name] for name in found if name not in ("_id", "_rev")} == expected
    assert col.has("c")
    if mode == "conflict":
        assert results[0].error_code == 1210
    elif mode != "ignore":
        assert (results[0]["old"]["n"], results[0]["new"]["m"]) == (1, 2)
        assert results[0]["_old_rev"] == results[0]["old"]["_rev"]


def test_merging_many(col: StandardCollection) -> None:
    col.insert_many([{"_key": "a", "o": {"x": 1}, "n": 1}])
    col.update_many([{"_key": "a", "o": {"y": 2}}], merge=True)
    assert col.get("a")["o"] == {"x": 1, "y": 2}
    col.update_many([{"_key": "a", "o": {"z": 3}, "n": None}], merge=False, keep_none=False)
    assert (col.get("a")["o"], "n" in col.get("a")) == ({"z": 3}, False)
    col.insert_many([{"_key": "a", "o": None}], overwrite_mode="update", keep_none=False)
    assert "o" not in col.get("a")
    [updated] = col.update_many([{"_key": "a", "v": 1}], return_new=True, return_old=True)
    assert (updated["new"]["v"], "v" in updated["old"]) == (1, False)
    col.update_many([{"_key": "a", "v": 0, "w": 1}], version_attribute="v")
    assert "w" not in col.get("a")


@pytest.mark.parametrize("many", ["insert_many", "update_many", "delete_many"])
def test_raising_on_the_first_error_of_many(col: StandardCollection, many: str) -> None:
    col.insert({"_key": "here"})
    wrong = {"_key": "here"} if many == "insert_many" else {"_key": "missing", "n": 1}
    with pytest.raises(ArangoServerError) as refused:
        getattr(col, many)([wrong], raise_on_document_error=True)
    assert refused.value.error_code == (1210 if many == "insert_many" else 1202)


def test_wrong_documents(col: StandardCollection) -> None:
    for wrong, number in (({"_key": "a b"}, 1221), ({"_key": ""}, 1221), ({"_key": 1}, 1221)):
        with pytest.raises(DocumentInsertError) as refused:
            col.insert(wrong)
        assert refusal(refused.value) == (400, number)
    for act in (col.get, col.has, col.delete):
        with pytest.raises(DocumentParseError):
            act({"_id": "other/k"})
        with pytest.raises(DocumentParseError):
            act({"n": 1})


def test_revisions_given_apart(col: StandardCollection) -> None:
    old = col.insert({"_key": "k"})["_rev"]
    current = col.update({"_key": "k", "n": 1})["_rev"]
    for act in (col.get, col.has, col.delete):
        with pytest.raises(DocumentRevisionError):
            act("k", rev=old)
    with pytest.raises(DocumentRevisionError):
        col.get({"_key": "k", "_rev": f"{old}0"})
    assert col.get("k", rev=current)["n"] == 1
    assert col.has("k", rev=current) is True
    assert col.has("k", rev=old, check_rev=False) is True
    assert col.get("k", rev=old, check_rev=False)["n"] == 1
    assert col.delete({"_key": "k", "_rev": old}, check_rev=False, return_old=True)["old"]["n"] == 1


def test_many_keys_in_many_forms(col: StandardCollection) -> None:
    col.insert_many([{"_key": key} for key in "abc"])
    found = col.get_many(["a", {"_key": "b"}, {"_id": "c/c"}, "nothing"], allow_dirty_read=True)
    assert [document["_key"] for document in found] == ["a", "b", "c"]
    assert col.get_many([]) == []
    deleted = col.delete_many(["a", {"_key": "b"}, {"_id": "c/c"}, "nothing"])
    assert [getattr(one, "error_code", None) for one in deleted] == [None, None, None, 1202]


def test_operators(db: StandardDatabase, col: StandardCollection) -> None:
    col.insert({"_key": "k", "n": 1})
    assert "k" in col
    assert {"_key": "other"} not in col
    assert (len(col), col["k"]["n"]) == (1, 1)
    nowhere = db.collection("nowhere")
    assert "k" not in nowhere  # the client takes every 404 for a missing document
    with pytest.raises(DocumentCountError):
        len(nowhere)


# -- imports -------------------------------------------------------------------------------------


def test_imports_name_what_is_wrong(col: StandardCollection) -> None:
    result = col.import_bulk(
        [{"_key": "a"}, {"_key": "a"}, {"_key": "b c"}, {"_id": "c/d"}],
        halt_on_error=False,
        details=True,
    )
    assert (result["created"], result["errors"], len(result["details"])) == (2, 2, 2)
    assert sorted(col.keys()) == ["a", "d"]
    quiet = col.import_bulk([{"_key": "a"}], halt_on_error=False, details=False)
    assert (quiet["errors"], "details" in quiet) == (1, False)


def test_imports_in_pieces(col: StandardCollection) -> None:
    documents = [{"_key": f"k{number}"} for number in range(10)]
    results = col.import_bulk(documents, batch_size=3, on_duplicate="ignore")
    assert [one["created"] for one in results] == [3, 3, 3, 1]
    again = col.import_bulk([*documents, {"_key": "new"}], batch_size=6, on_duplicate="ignore")
    assert [(one["created"], one["ignored"]) for one in again] == [(0, 6), (1, 4)]
    with pytest.raises(ValueError, match="batch_size"):
        col.import_bulk(documents, batch_size=3, overwrite=True)
