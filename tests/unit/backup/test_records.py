"""The format of offline dumps: written, read, cut off and changed (backups 6.4)."""

from __future__ import annotations

import io
from typing import Any

import msgpack
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from arangorep.backup.problems import DumpCorrupt
from arangorep.backup.records import (
    MAGIC,
    Kind,
    RecordReader,
    RecordWriter,
    Section,
    Source,
    is_record_file,
)

HEADER = {"origin": {"database": "d", "collection": "c"}, "tick": 2**63 + 1}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
RECORDS = st.dictionaries(st.text(), VALUES, max_size=5)


def written(blocks: list[list[dict[str, Any]]], kind: Kind = Kind.DOCUMENTS) -> bytes:
    """A whole file with one section."""
    writer = RecordWriter(kind)
    pieces = [writer.start(HEADER), writer.section({"collection": "c"})]
    pieces += [writer.records(block) for block in blocks]
    return b"".join([*pieces, writer.end()])


def source(data: bytes, piece: int = 1 << 20) -> Source:
    """Bytes that come in pieces, as a pipe gives them."""
    stream = io.BytesIO(data)
    return Source(lambda count: stream.read(min(count, piece)))


def read(data: bytes, piece: int = 1 << 20) -> tuple[RecordReader, list[Any]]:
    """Everything, up to the end that says that it was everything."""
    reader = RecordReader(source(data, piece))
    return reader, list(reader.frames())


FILE = written([[{"_key": str(n), "n": n} for n in range(5)], [{"é": [None, 1.5]}], []])


@pytest.mark.parametrize("kind", list(Kind))
@given(blocks=st.lists(st.lists(RECORDS, max_size=5), max_size=4), piece=st.integers(1, 50))
def test_what_is_written_is_read(kind: Kind, blocks: list[list[Any]], piece: int) -> None:
    reader, frames = read(written(blocks, kind), piece)
    assert (reader.kind, reader.header) == (kind, HEADER)
    assert frames == [Section({"collection": "c"}), *blocks]
    assert reader.count == sum(map(len, blocks))


def test_the_layout_is_the_documented_one() -> None:
    header = msgpack.packb(HEADER)
    head = b"arangorep-dump-docs\x00\x01" + len(header).to_bytes(4, "big") + header
    head += xxhash.xxh64_digest(head)
    section = msgpack.packb({"collection": "c"})
    frames = b""
    records = msgpack.packb({"a": 1}) + msgpack.packb({"b": 2})
    for tag, payload in ((b"S", section), (b"R", records)):
        framed = tag + len(payload).to_bytes(4, "big") + payload
        frames += framed + xxhash.xxh64_digest(framed)
    before = head + frames
    trailer = b"E\x00\x00\x00\x10" + (2).to_bytes(8, "big") + xxhash.xxh64_digest(before)
    expected = before + trailer + xxhash.xxh64_digest(trailer)
    assert written([[{"a": 1}, {"b": 2}]]) == expected


def test_every_cut_is_noticed() -> None:
    for length in range(len(FILE)):
        with pytest.raises(DumpCorrupt):
            read(FILE[:length])


@pytest.mark.parametrize("change", [0x01, 0x80, 0xFF])
def test_every_changed_byte_is_noticed(change: int) -> None:
    for at in range(len(FILE)):
        damaged = bytearray(FILE)
        damaged[at] ^= change
        with pytest.raises(DumpCorrupt):
            read(bytes(damaged))


def test_blocks_that_are_missing_doubled_or_exchanged_are_noticed() -> None:
    writer = RecordWriter(Kind.DOCUMENTS)
    start, section = writer.start(HEADER), writer.section({"collection": "c"})
    one, two = writer.records([{"a": 1}]), writer.records([{"a": 2}])
    end = writer.end()
    assert read(start + section + one + two + end)
    for wrong in ([one, end], [two, one, end], [one, one, end], [one, two, two, end],
                  [one, two, end, end], [one, two, end, b"\n"]):  # fmt: skip
        with pytest.raises(DumpCorrupt, match="trailer"):
            read(start + section + b"".join(wrong))


def test_a_length_that_lies_costs_no_memory() -> None:
    front = FILE[: len(FILE) - 29]
    lying = front + b"R\x7f\xff\xff\xff" + b"x" * 100
    asked: list[int] = []
    stream = io.BytesIO(lying)

    def count(size: int) -> bytes:
        asked.append(size)
        return stream.read(size)

    with pytest.raises(DumpCorrupt, match="cut off"):
        list(RecordReader(Source(count)).frames())
    assert max(asked) <= 1 << 20


def rehashed(front: bytes) -> bytes:
    return front + xxhash.xxh64_digest(front)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cut off"),
        (b"arangorep", "cut off"),
        (b"[1,2,3]" * 10, "no dump of arangorep"),
        (rehashed(MAGIC + b"docs\x00\x02\x00\x00\x00\x01\x80"), "format 2"),
        (rehashed(MAGIC + b"what\x00\x01\x00\x00\x00\x01\x80"), "unknown kind"),
        (rehashed(MAGIC + b"docs\x00\x01\x00\x00\x00\x01\x90"), "no map"),
        (rehashed(MAGIC + b"docs\x00\x01\x00\x00\x00\x01\x81"), "no MessagePack"),
        (MAGIC + b"docs\x00\x01\x7f\x00\x00\x01\x81", "too long"),
    ],
)
def test_wrong_heads(data: bytes, reason: str) -> None:
    with pytest.raises(DumpCorrupt, match=reason):
        read(data)


def test_a_source_is_looked_at_without_being_used_up() -> None:
    for piece in (1, 7, 1000):
        looked = source(FILE, piece)
        assert is_record_file(looked)
        assert looked.peek(3) == b"ara"
        assert looked.offset == 0
        assert looked.take(5) == b"arang"
        assert looked.offset == 5
        assert b"".join(looked.rest()) == FILE[5:]
        assert looked.offset == len(FILE)
        assert looked.peek(1) == b""
    assert not is_record_file(source(b"\x80"))
