"""What `backlog_worker` prepares, and what it leaves to the server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.codec.json import json_text
from arangorep.errors import CorruptedJson
from arangorep.follower.backlog_worker import prepare
from arangorep.storage.engine import Family
from arangorep.storage.keys import u64
from arangorep.storage.log import HEADER, HEADER_BYTES
from arangorep.storage.rocks import RocksEngine
from arangorep.values.revision import revision_text

REVISION = 1_790_000_000_000 << 20
GUID = "h1/5"
PREFIX = u64(77)


def line(tick: int, kind: int, tid: str, data: dict[str, Any] | None = None, **more: Any) -> str:
    marker: dict[str, Any] = {"tick": str(tick), "type": kind}
    if data is None:
        marker |= {"tid": tid, "db": "theirs"}
    else:
        marker |= {"db": "theirs", "cuid": GUID, "tid": tid, "data": data}
    return json.dumps(marker | more, separators=(",", ":"), ensure_ascii=False)


def document(number: int, key: str = "", name: str = "c", **more: Any) -> dict[str, Any]:
    key = key or f"k{number}"
    return {"_key": key, "_id": f"{name}/{key}", "_rev": revision_text(REVISION + number), **more}


def insert(tick: int, number: int, tid: str = "0", **more: Any) -> str:
    return line(tick, 2300, tid, document(number, **more))


def task(path: Path, **more: Any) -> dict[str, Any]:
    return {
        "db": b"theirs",
        "guid": GUID.encode(),
        "own_db": json_text("öurs"),
        "own_guid": GUID.encode(),
        "name": b"c",
        "database": 3,
        "collection": 77,
        "prefix": PREFIX,
        "keys": {},
        "last_value": 0,
        "tick": 500,
        "moment": 9,
        "is_checked": False,
        "files": {name: str(path / name) for name in ("documents", "primary", "log")},
        **more,
    }


def run(path: Path, *lines: str, **more: Any) -> dict[str, Any]:
    return prepare(task(path, **more), "".join(f"{one}\n" for one in lines).encode())


def taken_over(path: Path) -> dict[Family, list[tuple[bytes, bytes]]]:
    """The rows of the three files, in a store."""
    engine = RocksEngine(path / "store")
    found = {}
    for family in (Family.DOCUMENTS, Family.PRIMARY, Family.LOG):
        engine.ingest(family, [path / family.value])
        cursor = engine.cursor(family)
        found[family] = cursor.items(b"", b"\xff" * 9, 1000)
        cursor.close()
    engine.close()
    return found


def test_rows_of_three_families(tmp_path: Path) -> None:
    answer = run(
        tmp_path,
        insert(10, 1, key="b", s="ü"),
        line(12, 2200, "12"),
        insert(13, 5, "12", key="a"),
        insert(20, 6, "12", key="c"),
        line(21, 2201, "12"),
        line(30, 2200, "30"),
        line(31, 2201, "30"),
        insert(40, 9, key="d"),
    )
    revisions = [REVISION + number for number in (1, 5, 6, 9)]
    assert np.frombuffer(answer["revisions"], ">u8").tolist() == revisions
    assert (answer["first"], answer["last"], answer["tick"]) == (b"a", b"d", 40)
    rows = taken_over(tmp_path)
    assert [key for key, _ in rows[Family.DOCUMENTS]] == [PREFIX + u64(r) for r in revisions]
    assert [json.loads(row)["_key"] for _, row in rows[Family.DOCUMENTS]] == list("bacd")
    by_key = zip("abcd", [revisions[n] for n in (1, 0, 2, 3)], strict=True)
    assert rows[Family.PRIMARY] == [(PREFIX + k.encode(), u64(r)) for k, r in by_key]
    log = rows[Family.LOG]
    assert [key for key, _ in log] == [u64(tick) for tick in range(500, 508)]
    assert answer["log_bytes"] == sum(len(value) for _, value in log)
    markers = [json.loads(value[HEADER_BYTES:]) for _, value in log]
    assert [m["type"] for m in markers] == [2300, 2200, 2300, 2300, 2201, 2200, 2201, 2300]
    assert [m["tid"] for m in markers] == ["0", "501", "501", "501", "501", "505", "505", "0"]
    assert [m["tick"] for m in markers] == [str(tick) for tick in range(500, 508)]
    assert {m["db"] for m in markers} == {"öurs"}
    documents = [m["data"] for m in markers if m["type"] == 2300]
    assert documents == [json.loads(row) for _, row in rows[Family.DOCUMENTS]]
    headers = [HEADER.unpack_from(value) for _, value in log]
    assert [header[5] for header in headers if header[0] == 2300] == revisions
    assert {header[:4] for header in headers} == {
        (2300, 0, 3, 77),
        (2200, 0, 3, 0),
        (2201, 0, 3, 0),
    }
    assert {header[5] for header in headers if header[0] != 2300} == {9}


@pytest.mark.parametrize("shared", [True, False])
def test_ends_of_a_transaction_may_share_ticks(tmp_path: Path, shared: bool) -> None:
    """As those of ArangoDB do (leader-api 7.8)."""
    answer = run(
        tmp_path,
        line(10, 2200, "7"),
        insert(10 if shared else 11, 1, "7"),
        insert(15, 2, "7"),
        line(15 if shared else 16, 2201, "7"),
    )
    assert answer["tick"] == 15 + (not shared)


PLAIN = [insert(10, 1), insert(11, 2)]

OTHERS = {
    "a removal": line(20, 2302, "0", {"_key": "k1", "_rev": revision_text(REVISION + 50)}),
    "a definition": line(20, 2000, "0", {"name": "x"}),
    "another collection": insert(20, 9).replace(GUID, "h1/6"),
    "another database": insert(20, 9).replace("theirs", "yours"),
    "another name in _id": line(20, 2300, "0", document(9, name="d")),
    "another key in _id": insert(20, 9).replace("c/k9", "c/k8"),
    "an open transaction": line(20, 2200, "20"),
    "an end without begin": line(20, 2201, "20"),
    "an abort": line(20, 2202, "20"),
    "a document of a transaction": insert(20, 9, "4"),
    "a tick that does not ascend": insert(11, 9),
    "a tick before": insert(5, 9),
    "an old revision": insert(20, 1, key="zz"),
    "a revision before": insert(20, 0, key="zz"),
    "a decimal revision": insert(20, 9).replace(revision_text(REVISION + 9), "123"),
    "an undecodable revision": insert(20, 9).replace(revision_text(REVISION + 9), "N9999999999"),
    "a key twice": insert(20, 9, key="k1"),
    "a key that is none": insert(20, 9, key="k k"),
    "another order": line(20, 2300, "0", {"_id": "c/k9", **document(9)}),
    "more behind": insert(20, 9)[:-1] + ',"x":1}',
    "no JSON": "nonsense",
    "nothing": "",
}


@pytest.mark.parametrize("what", OTHERS)
@pytest.mark.parametrize("is_last", [True, False])
def test_everything_else_is_left_to_the_server(tmp_path: Path, what: str, is_last: bool) -> None:
    behind = [] if is_last else [insert(30, 30), insert(31, 31)]
    try:
        answer = run(tmp_path, *PLAIN, OTHERS[what], *behind)
    except CorruptedJson:
        return  # answered as an error by the program, and met again by the server
    assert answer == {}


@pytest.mark.parametrize(
    "lines",
    [
        [line(10, 2200, "7"), line(11, 2200, "8"), line(12, 2201, "8"), line(13, 2201, "7")],
        [line(10, 2200, "7"), insert(11, 1, "8"), line(12, 2201, "7")],
        [line(10, 2200, "7"), insert(11, 1), line(12, 2201, "7")],
        [line(10, 2200, "7"), insert(11, 1, "7"), line(12, 2201, "8")],
        [line(10, 2200, "7"), line(11, 2201, "7")],
    ],
)
def test_transactions_that_are_none(tmp_path: Path, lines: list[str]) -> None:
    assert run(tmp_path, *lines) == {}


def test_markers_within_documents_are_content(tmp_path: Path) -> None:
    """Only what stands at the beginning of a line is a marker."""
    nested = [{"tick": "5", "type": 2201, "tid": "7"}, line(1, 2200, "7")]
    answer = run(
        tmp_path,
        line(9, 2200, "9"),
        insert(10, 1, "9", x=nested),
        insert(11, 2, "9", x=nested),
        line(12, 2201, "9"),
    )
    assert answer["tick"] == 12


def test_lines_are_parsed_when_leaders_are_not_trusted(tmp_path: Path) -> None:
    broken = insert(20, 9, x=1).replace('"x":1', '"x":1,,')
    assert run(tmp_path, *PLAIN, broken)["tick"] == 20
    with pytest.raises(CorruptedJson):
        run(tmp_path, *PLAIN, broken, is_checked=True)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@given(contents=st.lists(values, min_size=1, max_size=6))
def test_any_content_is_kept(tmp_path_factory: pytest.TempPathFactory, contents: list[Any]) -> None:
    path = tmp_path_factory.mktemp("w")
    lines = [insert(10 + n, n, x=value) for n, value in enumerate(contents)]
    assert run(path, *lines)["tick"] == 9 + len(contents)
    rows = taken_over(path)
    assert [json.loads(row)["x"] for _, row in rows[Family.DOCUMENTS]] == contents
