"""Xapiand's document files, built by hand from the reference (backups 2.3, 2.4)."""

from __future__ import annotations

import io
from typing import Any

import msgpack
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from arangorep.backup.items import as_document, without_binary
from arangorep.backup.problems import DumpCorrupt
from arangorep.backup.records import Source
from arangorep.backup.xapiand import (
    documents_of_generation_1,
    documents_of_generation_2,
    is_generation_1,
    is_generation_2,
    take_length,
)
from arangorep.errors import ArangoError

LENGTHS = {0: "00", 254: "fe", 255: "ff80", 256: "ff81", 382: "ffff", 383: "ff0081", 1000: "ff6985"}


def source(data: bytes) -> Source:
    return Source(io.BytesIO(data).read)


def coded(number: int) -> bytes:
    """Xapiand's form of a length."""
    if number < 255:
        return bytes([number])
    number -= 255
    groups = bytearray()
    while True:
        groups.append(number & 0x7F)
        number >>= 7
        if not number:
            groups[-1] |= 0x80
            return b"\xff" + bytes(groups)


class File:
    """A file of generation 1 in the making."""

    def __init__(self, header: bytes = b"xapiand-dump-docs") -> None:
        self._bytes = b""
        self._hash = xxhash.xxh32()
        self.string(header).string(b"xapian://localhost:8880/twitter")

    def string(self, data: bytes) -> File:
        self._bytes += coded(len(data)) + data
        self._hash.update(data)
        return self

    def document(self, value: Any, *blobs: tuple[bytes, bytes, int]) -> File:
        for blob, content_type, word in ((msgpack.packb(value), b"", 0), *blobs):
            self.string(blob).string(content_type)
            self._bytes += bytes([word])
            self._hash.update(bytes([word]))
        return self.string(b"")

    def end(self) -> bytes:
        self.string(b"")
        return self._bytes + coded(self._hash.intdigest())


@pytest.mark.parametrize("number", LENGTHS)
def test_lengths_of_the_reference(number: int) -> None:
    data = bytes.fromhex(LENGTHS[number])
    assert coded(number) == data
    read = source(data + b"rest")
    assert take_length(read) == number
    assert read.take(4) == b"rest"


@given(st.integers(0, 2**62))
def test_every_length_is_read_back(number: int) -> None:
    assert take_length(source(coded(number))) == number


@pytest.mark.parametrize("data", ["", "ff", "ff00", "ff0000", "ff" + "00" * 20])
def test_lengths_without_an_end(data: str) -> None:
    with pytest.raises(DumpCorrupt):
        take_length(source(bytes.fromhex(data)))


BLOB = b"\x89PNG" + bytes(range(256)) * 3


def sample() -> bytes:
    file = File()
    file.document({"_id": 1, "name": "Ann"}).document({"_id": "é", "n": [1.5, None]})
    file.document({"_id": "3"}, (BLOB, b"image/png", 3), (b"", b"text/plain", 0))
    return file.end()


def test_generation_1() -> None:
    looked = source(sample())
    assert is_generation_1(looked)
    # an empty blob ends its document: nothing can stand behind it
    with pytest.raises(DumpCorrupt):
        list(documents_of_generation_1(looked))
    file = File().document({"_id": 1, "name": "Ann"}).document({"_id": "é", "n": [1.5, None]})
    file.document({"_id": "3"}, (BLOB, b"image/png", 3), (b"x", b"text/plain", 2))
    found = list(documents_of_generation_1(source(file.end())))
    assert found[:2] == [{"_id": 1, "name": "Ann"}, {"_id": "é", "n": [1.5, None]}]
    assert found[2] == {
        "_id": "3",
        "_data": [
            {"_content_type": "image/png", "_type": "stored", "_blob": BLOB},
            {"_content_type": "text/plain", "_type": "inplace", "_blob": b"x"},
        ],
    }
    plain = as_document(without_binary(found[2]))
    assert plain["_key"] == "3"
    assert plain["_data"][1]["_blob"] == "eA=="


def test_generation_1_without_documents() -> None:
    assert list(documents_of_generation_1(source(File().end()))) == []


def test_generation_1_is_checked_to_the_last_byte() -> None:
    whole = File().document({"_id": 1, "t": "x" * 300}).document({"_id": 2}).end()
    assert len(list(documents_of_generation_1(source(whole)))) == 2
    for length in range(len(whole)):
        with pytest.raises(DumpCorrupt):
            list(documents_of_generation_1(source(whole[:length])))
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 0x10
        with pytest.raises(DumpCorrupt):
            list(documents_of_generation_1(source(bytes(damaged))))
    with pytest.raises(DumpCorrupt, match="follows"):
        list(documents_of_generation_1(source(whole + b"\0")))


@pytest.mark.parametrize("header", [b"xapiand-dump-meta", b"xapiand-dump-schm"])
def test_other_kinds_are_refused_by_name(header: bytes) -> None:
    looked = source(File(header).end())
    assert is_generation_1(looked)
    with pytest.raises(DumpCorrupt, match="only documents"):
        list(documents_of_generation_1(looked))


ITEMS: list[Any] = [{"_id": n, "t": "x" * n} for n in range(300)]


@pytest.mark.parametrize(
    "data",
    [
        b"".join(map(msgpack.packb, ITEMS)),
        msgpack.packb(ITEMS),
        msgpack.packb(ITEMS[:10]) + msgpack.packb([]) + b"".join(map(msgpack.packb, ITEMS[10:])),
    ],
)
def test_generation_2(data: bytes) -> None:
    looked = source(data)
    assert is_generation_2(looked)
    assert not is_generation_1(looked)
    assert list(documents_of_generation_2(looked)) == ITEMS


def test_generation_2_cut_within_an_item() -> None:
    data = b"".join(map(msgpack.packb, ITEMS))
    for cut in (1, 5, 100):
        with pytest.raises(DumpCorrupt, match="cut off"):
            list(documents_of_generation_2(source(data[:-cut])))
    with pytest.raises(DumpCorrupt, match="lacks 1"):
        list(documents_of_generation_2(source(b"\x92" + msgpack.packb(ITEMS[0]))))


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"\x00", b"\xc0", b"arangorep"])
def test_what_no_generation_begins_with(data: bytes) -> None:
    assert not is_generation_1(source(data))
    assert not is_generation_2(source(data))


@pytest.mark.parametrize(
    ("item", "document"),
    [
        ({"_id": "c/1", "a": 1}, {"_key": "1", "a": 1}),
        ({"a": 1, "_id": "a/b/c"}, {"_key": "a/b/c", "a": 1}),
        ({"a": 1, "_rev": "x"}, {"a": 1}),
        ({"_id": {"_value": 10**18}}, {"_key": "1000000000000000000"}),
        ({"_id": {}}, {}),
        ({"_id": False}, {"_key": "false"}),
        ({"_key": 5}, {"_key": 5}),
    ],
)
def test_identifiers(item: dict[str, Any], document: dict[str, Any]) -> None:
    found = as_document(item)
    assert found == document
    assert "_key" not in found or next(iter(found)) == "_key"


@pytest.mark.parametrize("item", [None, 1, "x", [], {"_id": []}, {"_id": {"_value": {}}}])
def test_what_is_no_document(item: object) -> None:
    with pytest.raises(ArangoError):
        as_document(item)


def test_values_that_json_has_not() -> None:
    assert without_binary({"a": [b"\xff", {"b": b""}]}) == {"a": ["/w==", {"b": ""}]}
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    for wrong in ({1: 2}, {"a": msgpack.Timestamp(1)}, {"a": deep}):
        with pytest.raises(ArangoError):
            without_binary(wrong)
