"""Offline dump and restore between stores: what is kept, what is refused, what a crash leaves."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import msgpack
import pytest
from support.stores import (
    Bench,
    WriteFault,
    bodies,
    failing_writes,
    insert,
    make_collection,
    make_index,
    open_store,
    stored,
    system,
    write,
)

from arangorep.backup.endpoint import Endpoint, parse_endpoint
from arangorep.backup.offline import OfflineDump
from arangorep.backup.offline_restore import OfflineRestore, Report
from arangorep.backup.problems import DumpCorrupt
from arangorep.backup.records import Kind, RecordWriter, Source
from arangorep.backup.target import RestoreRefused
from arangorep.data.collections import change_collection, rename_collection
from arangorep.data.databases import create_database
from arangorep.data.views import create_view
from arangorep.errors import ArangoError, CollectionNotFound, DatabaseNotFound
from arangorep.limits import FAILURES_SHOWN
from arangorep.storage.engine import Family
from arangorep.storage.integrity import findings, read_all
from arangorep.storage.loading import finish_loads
from arangorep.storage.store import Store

NAME = "Städte 城市"
RULE = {"rule": {"properties": {"n": {"type": "number"}}}, "level": "strict", "message": "no"}
DOCUMENTS = [{"_key": f"k{n}", "n": n, "t": "é\n" * (n % 7), "a": [n, None]} for n in range(700)]


def dumped(store: Store, kind: Kind, endpoint: str, *, include_system: bool = False) -> bytes:
    dump = OfflineDump(store, kind, parse_endpoint(endpoint), "1.0", include_system=include_system)
    return b"".join(dump.pieces())


def restored(store: Store, data: bytes, endpoint: str, **options: Any) -> Report:
    source = Source(io.BytesIO(data).read)
    work = OfflineRestore(store, source, parse_endpoint(endpoint), **options)
    for _ in work.steps():
        pass
    assert findings(store) == []
    return work.report


def everything(store: Store) -> dict[Family, list[tuple[bytes, bytes]]]:
    """All rows of the store but the promise of ticks."""
    return {
        family: [row for row in read_all(store.engine, family, b"") if row[0] != b"ticks"]
        for family in Family
    }


def filled(name: str = NAME, **attributes: Any) -> Store:
    store = open_store()
    collection = make_collection(store, name, **attributes)
    insert(store, collection, *DOCUMENTS)
    return store


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("cities", Endpoint("_system", "cities")),
        ("shop/orders", Endpoint("shop", "orders")),
        ("shop/", Endpoint("shop", None)),
        ("Sta\u0308dte", Endpoint("_system", "Städte")),
    ],
)
def test_endpoints(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text) == endpoint


@pytest.mark.parametrize("text", ["", "/", "/c", "a/b/c", "a//"])
def test_what_is_no_endpoint(text: str) -> None:
    with pytest.raises(ValueError, match="no endpoint"):
        parse_endpoint(text)


# -- round trips -----------------------------------------------------------------------------------


def test_three_files_make_the_same_collection() -> None:
    there = open_store()
    options = {
        "waitForSync": True,
        "cacheEnabled": True,
        "keyOptions": {"type": "autoincrement", "increment": 5, "offset": 3, "lastValue": 7},
        "schema": RULE,
        "computedValues": [
            {"name": "made", "expression": "RETURN 1", "overwrite": True, "computeOn": ["insert"]}
        ],
    }
    collection = make_collection(there, "c", **options)
    make_index(there, collection, "n", name="by n")
    make_index(there, collection, "t", unique=False, sparse=True)
    insert(there, collection, *[{"n": n} for n in range(300)])
    for document in stored(there, collection).values():
        write(there, collection, "update", {"_key": document["_key"], "made": 2})
    create_view(there, system(there), {"name": "v", "type": "arangosearch", "links": {"c": {}}})
    create_view(there, system(there), {"name": "other", "type": "arangosearch"})
    here = open_store()
    for kind in Kind:
        report = restored(here, dumped(there, kind, "c"), "c")
        assert (report.warnings, report.failures) == ([], [])
    copy = system(here).find("c")
    assert bodies(here, copy) == bodies(there, collection)
    assert {d["made"] for d in bodies(here, copy).values()} == {2}, "nothing is computed anew"
    assert copy.info.inventory_indexes() == collection.info.inventory_indexes()
    shown, expected = (
        {n: v for n, v in c.info.properties(c.state.counters.last_value).items()
         if n not in ("id", "objectId", "globallyUniqueId")}
        for c in (copy, collection)
    )  # fmt: skip
    assert shown == expected
    assert [view.name for view in system(here).views] == ["v"]
    assert copy.gap > copy.info.id


@pytest.mark.parametrize("key_options", [{"allowUserKeys": False}, {"type": "padded"},
                                         {"type": "uuid"}])  # fmt: skip
def test_keys_are_taken_as_they_were(key_options: dict[str, Any]) -> None:
    there = open_store()
    collection = make_collection(there, "c", keyOptions=key_options)
    insert(there, collection, *[{"n": n} for n in range(10)])
    here = open_store()
    restored(here, dumped(there, Kind.METADATA, "c"), "c")
    restored(here, dumped(there, Kind.DOCUMENTS, "c"), "c")
    copy = system(here).find("c")
    assert bodies(here, copy) == bodies(there, collection)
    assert copy.info.key_options == collection.info.key_options
    assert copy.state.counters.last_value == collection.state.counters.last_value


def test_edges_another_database_another_name() -> None:
    there = open_store()
    collection = make_collection(there, "e", type=3)
    insert(there, collection, *[{"_key": str(n), "_from": "a/1", "_to": f"b/{n}"}
                                for n in range(50)])  # fmt: skip
    here = open_store()
    create_database(here, {"name": "shop ü"})
    for kind in Kind:
        restored(here, dumped(there, kind, "e"), f"shop ü/{NAME}")
    copy = here.catalog.database("shop ü").find(NAME)
    assert copy.info.type == 3
    assert bodies(here, copy) == bodies(there, collection)
    assert {d["_id"] for d in stored(here, copy).values()} == {f"{NAME}/{n}" for n in range(50)}


def test_a_whole_database() -> None:
    there = filled("a")
    make_collection(there, "empty", type=3)
    insert(there, make_collection(there, "b"), {"_key": "x"})
    create_view(there, system(there), {"name": "v", "type": "arangosearch", "links": {}})
    here = open_store()
    for kind in Kind:
        report = restored(here, dumped(there, kind, "_system/"), "copy/")
        created = [w for w in report.warnings if "database" in w]
        assert len(created) == (kind is Kind.METADATA)
        assert report.collections >= 3
    copy = here.catalog.database("copy")
    assert {c.info.name for c in copy if not c.info.is_system} == {"a", "empty", "b"}
    assert bodies(here, copy.find("a")) == bodies(there, system(there).find("a"))
    assert copy.find("empty").info.type == 3
    assert copy.view_named("v") is not None
    assert {c.info.name for c in copy if c.info.is_system} == {"_analyzers", "_graphs"}


def test_system_collections_only_when_asked_for() -> None:
    there = open_store()
    graphs = system(there).find("_graphs")
    insert(there, graphs, {"_key": "g"})
    here = open_store()
    restored(here, dumped(there, Kind.DOCUMENTS, "_system/"), "new/")
    assert here.catalog.database("new").find("_graphs").count == 0
    data = dumped(there, Kind.DOCUMENTS, "_system/", include_system=True)
    restored(here, data, "newer/")
    restored(here, data, "new/")
    for name in ("new", "newer"):
        found = here.catalog.database(name).find("_graphs")
        assert (found.count, found.info.guid) == (1, "_graphs")


def test_documents_are_upserts() -> None:
    here = filled()
    collection = system(here).find(NAME)
    make_index(here, collection, "n")
    before = bodies(here, collection)
    there = open_store()
    news = [{"_key": "k5", "n": -5}, {"_key": "new", "n": -1}]
    insert(there, make_collection(there, "c"), *news)
    report = restored(here, dumped(there, Kind.DOCUMENTS, "c"), NAME)
    assert (report.documents, report.replaced, report.failed) == (2, 1, 0)
    after = system(here).find(NAME)
    assert bodies(here, after) == {**before, "k5": {"n": -5}, "new": {"n": -1}}
    assert after.info.guid == collection.info.guid
    assert [index.name for index in after.info.indexes] == [
        index.name for index in collection.info.indexes
    ]


def test_a_renamed_collection() -> None:
    there = filled("old")
    rename_collection(there, system(there), system(there).find("old"), {"name": "new"})
    data = dumped(there, Kind.DOCUMENTS, "new")
    restored(there, data, "new")
    restored(there, data, "third")
    assert bodies(there, system(there).find("new")) == bodies(there, system(there).find("third"))
    again = dumped(there, Kind.DOCUMENTS, "new")
    assert b"new/k1" in again
    assert b"old/k1" not in again


def test_what_was_restored_survives_a_restart(tmp_path: Path) -> None:
    there = filled()
    bench = Bench(tmp_path / "s")
    for kind in Kind:
        restored(bench.store, dumped(there, kind, NAME), "c")
    expected = bodies(there, system(there).find(NAME))
    for restart in (bench.stop, bench.crash):
        restart()
        found = system(bench.store).find("c")
        assert bodies(bench.store, found) == expected
        assert findings(bench.store) == []
        assert found.gap
        insert(bench.store, found, {"_key": f"more{bench.store.log.last_tick}"})
        expected = bodies(bench.store, found)
    bench.end()


# -- order and other schemas -----------------------------------------------------------------------


def test_documents_before_metadata_warn() -> None:
    there = filled(keyOptions={"type": "padded"})
    here = open_store()
    report = restored(here, dumped(there, Kind.DOCUMENTS, NAME), "c")
    assert "restore its metadata first" in report.warnings[0]
    assert system(here).find("c").info.key_options.type == "traditional"
    with pytest.raises(RestoreRefused, match="holds documents"):
        restored(here, dumped(there, Kind.METADATA, NAME), "c")
    report = restored(here, dumped(there, Kind.SCHEMA, NAME), "d")
    assert "restore its metadata first" in report.warnings[0]


def test_metadata_of_an_empty_collection_are_replaced() -> None:
    there = open_store()
    make_collection(there, "c", type=3, keyOptions={"type": "padded"}, waitForSync=True)
    here = open_store()
    make_collection(here, "c", schema=RULE)
    make_index(here, system(here).find("c"), "n")
    restored(here, dumped(there, Kind.METADATA, "c"), "c")
    info = system(here).find("c").info
    assert (info.type, info.key_options.type, info.wait_for_sync) == (3, "padded", True)
    assert info.schema is not None
    assert len(info.indexes) == 1


def test_another_schema_judges_every_document() -> None:
    there = open_store()
    items = [{"_key": f"{n}", "n": n if n % 100 else str(n)} for n in range(2000)]
    insert(there, make_collection(there, "c"), *items)
    data = dumped(there, Kind.DOCUMENTS, "c")
    here = open_store()
    strict = make_collection(here, "strict", schema=RULE)
    insert(here, strict, {"_key": "old"})
    before = everything(here)
    with pytest.raises(RestoreRefused, match="20 documents"):
        restored(here, data, "strict")
    assert everything(here) == before
    report = restored(here, data, "strict", skip_failed=True)
    assert (report.documents, report.failed) == (1980, 20)
    assert len(report.failures) == FAILURES_SHOWN
    assert "1620" in report.failures[0]
    assert len(bodies(here, system(here).find("strict"))) == 1981


def test_schema_on_documents_that_are_there() -> None:
    there = open_store()
    make_index(there, make_collection(there, "c", schema=RULE), "n")
    data = dumped(there, Kind.SCHEMA, "c")
    here = filled()
    make_index(here, system(here).find(NAME), "_key", name="goes")
    restored(here, data, NAME)
    found = system(here).find(NAME)
    assert found.info.schema is not None
    assert [index.fields for index in found.info.indexes] == [("n",)]
    assert bodies(here, found) == {d["_key"]: {n: v for n, v in d.items() if n != "_key"}
                                   for d in DOCUMENTS}  # fmt: skip
    clashing = open_store()
    insert(clashing, make_collection(clashing, "c"), {"n": 1}, {"n": 1})
    before = everything(clashing)
    with pytest.raises(ArangoError, match="unique"):
        restored(clashing, data, "c")
    assert everything(clashing) == before


def test_schema_in_place_and_back() -> None:
    here = filled()
    plain = dumped(here, Kind.SCHEMA, NAME)
    make_index(here, system(here).find(NAME), "n")
    change_collection(here, system(here), system(here).find(NAME), {"schema": RULE})
    number = system(here).find(NAME).info.id
    restored(here, plain, NAME)
    found = system(here).find(NAME)
    assert (found.info.schema, found.info.indexes, found.info.id) == (None, (), number)
    assert list(read_all(here.engine, Family.INDEX, b"")) == []


def test_views_under_another_name() -> None:
    there = filled("c")
    make_index(there, system(there).find("c"), "n", name="i")
    alias = [{"collection": "c", "index": "i"}]
    create_view(there, system(there), {"name": "v", "type": "arangosearch", "links": {"c": {}}})
    create_view(there, system(there), {"name": "a", "type": "search-alias", "indexes": alias})
    data = dumped(there, Kind.SCHEMA, "c")
    here = open_store()
    restored(here, data, "d")
    views = {view.name: view.collections() for view in system(here).views}
    assert views == {"v": ["d"], "a": ["d"]}
    report = restored(here, data, "e")
    assert sum("left as it is" in warning for warning in report.warnings) == 2
    restored(here, data, "c")
    make_collection(open_store(), "x")
    taken = open_store()
    make_collection(taken, "v")
    with pytest.raises(RestoreRefused, match="is a collection here"):
        restored(taken, data, "c")


# -- damage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(Kind))
def test_a_damaged_file_changes_nothing(kind: Kind) -> None:
    there = filled(schema=RULE)
    make_index(there, system(there).find(NAME), "n")
    data = dumped(there, kind, NAME)
    here = filled("c")
    make_index(here, system(here).find("c"), "n")
    before = everything(here)
    chance = random.Random(7)
    cuts = [data[:length] for length in (*range(0, len(data), 1024), len(data) - 1)]
    cuts += [data[: chance.randrange(len(data))] for _ in range(20)]
    flips = []
    for at in [*range(60), *range(len(data) - 60, len(data)), *chance.sample(range(len(data)), 40)]:
        damaged = bytearray(data)
        damaged[at] ^= 1 << chance.randrange(8)
        flips.append(bytes(damaged))
    for damaged_data in (*cuts, *flips, data + b"\0", b"", b"[]", b"nonsense"):
        with pytest.raises(DumpCorrupt):
            restored(here, damaged_data, "c", skip_failed=True, force=True)
    assert everything(here) == before


def test_a_write_that_fails_half_way_changes_nothing() -> None:
    data = dumped(filled(), Kind.DOCUMENTS, NAME)
    here = filled("c")
    before = everything(here)
    source = Source(io.BytesIO(data).read)
    steps = OfflineRestore(here, source, parse_endpoint("c")).steps()
    for _ in range(3):
        next(steps)
    with failing_writes(here.engine), pytest.raises(WriteFault):
        list(steps)
    finish_loads(here)
    assert everything(here) == before


@pytest.mark.parametrize("steps_done", [1, 2, 3])
def test_a_crash_half_way_leaves_the_old_documents(tmp_path: Path, steps_done: int) -> None:
    data = dumped(filled(), Kind.DOCUMENTS, NAME)
    bench = Bench(tmp_path / "s")
    insert(bench.store, make_collection(bench.store, "c"), *DOCUMENTS[:100])
    expected = bodies(bench.store, system(bench.store).find("c"))
    source = Source(io.BytesIO(data).read)
    steps = OfflineRestore(bench.store, source, parse_endpoint("c")).steps()
    for _ in range(steps_done):
        next(steps)
    bench.engine.flush()
    with failing_writes(bench.engine), pytest.raises(WriteFault):
        steps.close()  # a process that is gone cleans up nothing
    bench.crash()
    # nobody has repaired anything yet
    assert findings(bench.store) == []
    assert bodies(bench.store, system(bench.store).find("c")) == expected
    finish_loads(bench.store)
    known = {c.info.id for c in bench.store.catalog.collections}
    for family in (Family.DOCUMENTS, Family.PRIMARY, Family.INDEX):
        rows = read_all(bench.store.engine, family, b"")
        assert {int.from_bytes(key[:8], "big") for key, _ in rows} <= known
    restored(bench.store, data, "c")
    assert len(bodies(bench.store, system(bench.store).find("c"))) == len(DOCUMENTS)
    bench.end()


# -- what does not fit -----------------------------------------------------------------------------


def test_endpoints_that_are_not_there() -> None:
    store = open_store()
    with pytest.raises(CollectionNotFound):
        dumped(store, Kind.DOCUMENTS, "nobody")
    with pytest.raises(DatabaseNotFound):
        dumped(store, Kind.DOCUMENTS, "nobody/")
    data = dumped(filled(), Kind.DOCUMENTS, NAME)
    with pytest.raises(ArangoError, match="illegal name"):
        restored(store, data, "a:b/c")
    with pytest.raises(ArangoError, match="illegal name"):
        restored(store, data, "1c")
    assert [d.info.name for d in store.catalog.databases] == ["_system"]


def test_one_file_of_a_database_and_one_collection() -> None:
    there = filled()
    here = open_store()
    with pytest.raises(DumpCorrupt, match="whole database"):
        restored(here, dumped(there, Kind.DOCUMENTS, "_system/"), "c")
    restored(here, dumped(there, Kind.DOCUMENTS, NAME), "_system/")
    assert system(here).find(NAME).count == len(DOCUMENTS)


def test_other_parameters_need_force() -> None:
    writer = RecordWriter(Kind.DOCUMENTS)
    header = {"origin": {"database": "d", "collection": "c"}, "parameters": {"dataFormat": "7"}}
    data = writer.start(header) + writer.section({"collection": "c"})
    data += writer.records([{"_key": "1"}]) + writer.end()
    here = open_store()
    with pytest.raises(RestoreRefused, match="dataFormat is '7' in the file and '1' here"):
        restored(here, data, "c")
    report = restored(here, data, "c", force=True)
    assert report.documents == 1
    assert "dataFormat" in report.warnings[0]


def test_xapiand_streams() -> None:
    items = [{"_id": n, "_data": [{"_blob": b"\xff"}]} for n in range(1500)]
    data = b"".join(map(msgpack.packb, items))
    here = open_store()
    report = restored(here, data, "c")
    assert report.documents == 1500
    assert any("whether it is whole" in warning for warning in report.warnings)
    assert bodies(here, system(here).find("c"))["7"] == {"_data": [{"_blob": "/w=="}]}
    with pytest.raises(RestoreRefused, match="name it"):
        restored(here, data, "_system/")
    with pytest.raises(RestoreRefused, match="1 documents"):
        restored(here, data + msgpack.packb({"_id": "a b"}), "c")
    with pytest.raises(DumpCorrupt, match="cut off"):
        restored(here, data[:-2], "c")
