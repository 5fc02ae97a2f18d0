"""Names, orders and bodies of a restore are arangorestore's (follower 10)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from arangorep.backup.directory import CollectionFiles, DatabaseFiles, DumpDirectory
from arangorep.backup.layout import DatabaseHead, structure_of
from arangorep.cli.restore_plan import (
    RestoreOptions,
    identity,
    missing_names,
    parse_names,
    targets,
    views,
)


def collection(name: str, kind: int = 2, **more: Any) -> CollectionFiles:
    parameters = {"name": name, "type": kind, "id": "7", "globallyUniqueId": "h1/7", **more}
    described = {"parameters": parameters, "indexes": more.pop("indexes", [])}
    return CollectionFiles(structure_of(described, name), f"{name}.structure.json", [])


def database(*collections: CollectionFiles, **more: Any) -> DatabaseFiles:
    head = DatabaseHead("db", "1", False, {})
    return DatabaseFiles("", "db", head, list(collections), more.get("views", []))


def options(**more: Any) -> RestoreOptions:
    defaults: dict[str, Any] = {
        "database": None,
        "all_databases": False,
        "create_database": False,
        "collections": (),
        "include_system": True,
        "overwrite": True,
        "import_data": True,
        "create_collection": True,
        "threads": 2,
        "batch_size": 1000,
        "names": {},
        "force": False,
    }
    return RestoreOptions(**{**defaults, **more})


def body_of(files: CollectionFiles, **names: str) -> dict[str, Any]:
    [target] = targets(database(files), "db", options(names=names))
    return target.body


def test_the_order_of_creation() -> None:
    found = database(
        collection("a", 3),
        collection("follows", 2, distributeShardsLike="z"),
        collection("B"),
        collection("_graphs"),
        collection("_edges", 3),
        collection("z"),
    )
    names = [target.name for target in targets(found, "db", options())]
    assert names == ["_graphs", "B", "z", "_edges", "a", "follows"]


def test_system_collections_are_chosen_or_named() -> None:
    found = database(collection("_users"), collection("_graphs"), collection("a"))

    def chosen(**more: Any) -> list[str]:
        return [t.name for t in targets(found, "db", options(include_system=False, **more))]

    assert chosen() == ["a"]
    assert chosen(collections=("_graphs",)) == ["_graphs"]


def test_what_arangorestore_adds() -> None:
    parameters = body_of(collection("a", replicationFactor="satellite", extra={}))["parameters"]
    assert parameters["replicationFactor"] == "satellite"
    assert parameters["numberOfShards"] == parameters["writeConcern"] == 1
    assert parameters["syncByRevision"] is parameters["usesRevisionsAsDocumentIds"] is True
    assert (parameters["globallyUniqueId"], parameters["extra"]) == ("h1/7", {})
    old = body_of(collection("a", usesRevisionsAsDocumentIds=False))["parameters"]
    assert old["usesRevisionsAsDocumentIds"] is False
    assert "syncByRevision" not in old


def test_a_new_name_is_a_new_identity() -> None:
    files = collection("a", distributeShardsLike="b")
    parameters = body_of(files, a="c", b="d")["parameters"]
    assert (parameters["name"], parameters["distributeShardsLike"]) == ("c", "d")
    assert not {"globallyUniqueId", "id"} & parameters.keys()
    assert files.structure.parameters["name"] == "a"


def test_vector_indexes_come_after_the_data() -> None:
    indexes = [{"type": "vector", "name": "v"}, {"type": "persistent", "name": "p"}]
    [target] = targets(database(collection("a", indexes=indexes)), "db", options())
    for vector, name in ((True, "v"), (False, "p")):
        body = target.with_indexes(vector=vector)
        assert body is not None
        assert [index["name"] for index in body["indexes"]] == [name]
    [bare] = targets(database(collection("a")), "db", options())
    assert bare.with_indexes(vector=False) is None


def test_views() -> None:
    search = {"name": "s", "type": "arangosearch", "links": {"a": {"x": 1}, "k": {}}}
    alias = {"name": "l", "type": "search-alias", "indexes": [{"collection": "a", "index": "i"}, 7]}
    found = database(views=[search, alias])
    assert views(found, options(), aliases=False) == [search]
    assert views(found, options(), aliases=True) == [alias]
    assert views(found, options(collections=("a",)), aliases=False) == []
    names = options(names={"a": "b"})
    assert views(found, names, aliases=False)[0]["links"] == {"b": {"x": 1}, "k": {}}
    assert views(found, names, aliases=True)[0]["indexes"] == [{"collection": "b", "index": "i"}, 7]


def test_pairs_of_names() -> None:
    assert parse_names(["a=b", "c=d=e"]) == {"a": "b", "c": "d=e"}
    for bad in (["a"], ["=b"], ["a="], ["a=b", "a=c"], ["a=c", "b=c"]):
        with pytest.raises(ValueError, match=r"OLD=NEW|same name"):
            parse_names(bad)


def test_names_that_are_not_there() -> None:
    dump = DumpDirectory(Path(), [database(collection("a"))], None, False)
    assert missing_names(dump, options(collections=("a", "b"), names={"c": "d"})) == ["b", "c"]


def test_one_restore_is_told_from_another() -> None:
    dump = DumpDirectory(Path(), [database(collection("a"))], None, False)
    other = DumpDirectory(Path(), [database(collection("b"))], None, False)
    found = [
        identity(dump, options(), "http://a"),
        identity(dump, options(), "http://b"),
        identity(other, options(), "http://a"),
        identity(dump, options(database="x"), "http://a"),
        identity(dump, options(names={"a": "b"}), "http://a"),
    ]
    assert len(set(found)) == len(found)
    assert identity(dump, options(threads=9), "http://a") == found[0]
