"""The operation log: every committed marker in tick order, kept in segments.

Value of a log row (big-endian), 44 bytes of header before the line:

| offset | width | content                                                           |
|--------|-------|-------------------------------------------------------------------|
| 0      | 2     | marker type                                                       |
| 2      | 2     | flags, 0                                                          |
| 4      | 8     | database id                                                       |
| 12     | 8     | collection id, 0 if none                                          |
| 20     | 8     | tick                                                              |
| 28     | 8     | revision that came to be, 0 if none; of markers that are not of   |
|        |       | documents: when they came to be, as a revision                    |
| 36     | 8     | revision that went away, 0 if none                                |
| 44     | …     | the marker exactly as `wal/tail` sends it, JSON, with its newline |

The first 20 bytes decide who may see a marker; the revisions let a restart bring the trees up to
date without reading a document. A segment is a run of ticks of about `SEGMENT_BYTES`, the unit of
pruning, and what `logger-tick-ranges` lists.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt

from arangorep.codec import msgpack
from arangorep.storage import keys
from arangorep.storage.engine import Cursor, Engine, Family, Scan, WriteSet
from arangorep.values.marker import MarkerType
from arangorep.values.tree_leaves import U64Array

HEADER = struct.Struct(">HHQQQQQ")
HEADER_BYTES = HEADER.size
SCOPE_BYTES = 20
TICK_AT = slice(20, 28)
SEGMENT_BYTES = 16 * 1024 * 1024

pack_header = HEADER.pack


def document_entries(
    database_id: int,
    collection_id: int,
    line_scope: bytes,
    ticks: range,
    revisions: U64Array,
    rows: Sequence[bytes],
) -> tuple[list[bytes], list[bytes]]:
    """Keys and values of the markers (2300) of many new documents.

    `line_scope` stands between type and row in the line: `"db":…,"cuid":…,"tid":…,"data":`.
    """
    digits = len(str(ticks.start))
    alike = 10**digits - ticks.start
    if alike < len(ticks):  # the rest has one digit more
        place = database_id, collection_id, line_scope
        one = document_entries(*place, ticks[:alike], revisions[:alike], rows[:alike])
        other = document_entries(*place, ticks[alike:], revisions[alike:], rows[alike:])
        return one[0] + other[0], one[1] + other[1]
    positions = np.arange(ticks.start, ticks.stop, dtype=np.uint64)
    head = pack_header(MarkerType.DOCUMENT, 0, database_id, collection_id, 0, 0, 0)
    fronts = _side_by_side(
        head[:SCOPE_BYTES],
        positions.astype(">u8"),
        revisions.astype(">u8"),
        bytes(8) + b'{"tick":"',
        np.frombuffer(b"%d" * len(ticks) % tuple(ticks), dtype=f"S{digits}"),
        b'","type":%d,%b' % (MarkerType.DOCUMENT, line_scope),
    )
    values = map(b"".join, zip(fronts, rows, repeat(b"}\n")))  # repeat() never ends
    return keys.pack_many(positions), list(values)


def _side_by_side(*columns: bytes | npt.NDArray[Any]) -> list[bytes]:
    """The rows of a table of bytes; what stands in every row is given once."""
    rows = max(len(column) for column in columns if not isinstance(column, bytes))
    widths = [len(c) if isinstance(c, bytes) else c.itemsize for c in columns]
    table = np.empty((rows, sum(widths)), dtype=np.uint8)
    start = 0
    for column, width in zip(columns, widths, strict=True):
        given = np.frombuffer(column, dtype=np.uint8)
        is_same = isinstance(column, bytes)
        table[:, start : start + width] = given if is_same else given.reshape(rows, width)
        start += width
    found: list[bytes] = table.view(f"V{start}").ravel().tolist()
    return found


def transaction_line(kind: MarkerType, tick: int, tid: bytes, name_json: bytes) -> bytes:
    """The marker that begins (2200) or ends (2201) a transaction of a database."""
    return b'{"tick":"%d","type":%d,"tid":"%b","db":"%b"}\n' % (tick, kind, tid, name_json)


@dataclass(slots=True)
class Segment:
    """A run of the log: ticks above `after` up to and including `last`; sizes in bytes."""

    after: int
    last: int
    size_bytes: int
    closed_us: int
    """Wall clock of the segment's last marker, microseconds."""

    def pack(self) -> bytes:
        return msgpack.pack([self.after, self.last, self.size_bytes, self.closed_us])


class OperationLog:
    """Positions, segments and reading of the log. Appending is part of a commit (`store.py`)."""

    def __init__(self, engine: Engine, wall_us: int) -> None:
        self._engine = engine
        floor = engine.get(Family.META, keys.LOG_FLOOR)
        self.floor = keys.from_u64(floor) if floor is not None else 0
        """The last tick that was pruned; everything above is there."""
        cursor = engine.cursor(Family.META)
        stored = cursor.values(keys.SEGMENT, keys.after(keys.SEGMENT), 1 << 30)
        cursor.close()
        self.segments = [Segment(*msgpack.unpack(row)) for row in stored]
        self.last_tick = self._find_last(wall_us)

    def _find_last(self, wall_us: int) -> int:
        """Walk what was written after the last closed segment; it becomes a segment of its own."""
        after = self.segments[-1].last if self.segments else self.floor
        cursor = self._engine.cursor(Family.LOG)
        last, size = after, 0
        while rows := cursor.items(keys.u64(last + 1), keys.u64(keys.U64_MAX), 1024):
            last = keys.from_u64(rows[-1][0])
            size += sum(len(value) for _, value in rows)
        cursor.close()
        self.open = Segment(after=after, last=last, size_bytes=size, closed_us=wall_us)
        return last

    @property
    def first_tick(self) -> int | None:
        """The oldest tick still present, or None when the log is empty."""
        if self.last_tick <= self.floor:
            return None
        cursor = self._engine.cursor(Family.LOG)
        found = cursor.keys(keys.u64(self.floor + 1), keys.u64(keys.U64_MAX), 1)
        cursor.close()
        return keys.from_u64(found[0]) if found else None

    def scan(self, after: int) -> Scan:
        """Rows with a tick above `after`, as of now."""
        # never start below the floor: the seek would walk the tombstones of what was pruned
        start = max(after, self.floor) + 1
        return self._engine.scan(Family.LOG, keys.u64(start), keys.u64(keys.U64_MAX))

    def cursor(self) -> Cursor:
        """A checked, slower way to read the log (recovery, integrity)."""
        return self._engine.cursor(Family.LOG)

    def append(self, last: int, size_bytes: int, wall_us: int, changes: WriteSet) -> Segment:
        """The open segment with the rows that `changes` adds, and its own row when it is full.

        Nothing is taken over before the caller has written `changes` and calls `appended`.
        """
        size_bytes += self.open.size_bytes
        grown = Segment(self.open.after, last, size_bytes, wall_us)
        if grown.size_bytes >= SEGMENT_BYTES:
            _put_segment(grown, changes)
        return grown

    def appended(self, grown: Segment) -> None:
        """Take over what `append` returned, now that it is written."""
        self.open = grown
        self.last_tick = grown.last
        if grown.size_bytes >= SEGMENT_BYTES:
            self._start_segment()

    def close_segment(self) -> None:
        """Write the open segment's row and start the next one."""
        if self.open.last > self.open.after:
            changes = WriteSet()
            _put_segment(self.open, changes)
            self._engine.write(changes)
            self._start_segment()

    def _start_segment(self) -> None:
        last = self.open
        self.segments.append(last)
        self.open = Segment(last.last, last.last, 0, last.closed_us)

    @property
    def size_bytes(self) -> int:
        """Bytes of all rows before compression."""
        return sum(segment.size_bytes for segment in self.segments) + self.open.size_bytes

    def prune(self, up_to: int) -> int:
        """Drop whole closed segments whose ticks are all <= `up_to`; returns the new floor."""
        gone = [segment for segment in self.segments if segment.last <= up_to]
        if not gone:
            return self.floor
        floor = gone[-1].last
        changes = WriteSet()
        changes.ranges.append((Family.LOG, keys.u64(0), keys.u64(floor + 1)))
        meta = changes.entries[Family.META]
        meta[keys.LOG_FLOOR] = keys.u64(floor)
        for segment in gone:
            meta[keys.SEGMENT + keys.u64(segment.last)] = None
        self._engine.write(changes)
        self.segments = self.segments[len(gone) :]
        self.floor = floor
        return floor

    def restart(self, tick: int) -> None:
        """Forget everything and go on above `tick`: who tails from below is told so."""
        changes = WriteSet()
        changes.ranges.append((Family.LOG, keys.u64(0), keys.u64(tick + 1)))
        meta = changes.entries[Family.META]
        meta[keys.LOG_FLOOR] = meta[keys.TREES_VALID] = meta[keys.TICKS] = keys.u64(tick)
        for segment in self.segments:
            meta[keys.SEGMENT + keys.u64(segment.last)] = None
        self._engine.write(changes)
        self.segments = []
        self.floor = self.last_tick = tick
        self.open = Segment(tick, tick, 0, self.open.closed_us)


def _put_segment(segment: Segment, changes: WriteSet) -> None:
    changes.entries[Family.META][keys.SEGMENT + keys.u64(segment.last)] = segment.pack()
