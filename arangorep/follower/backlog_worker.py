"""The process that turns lines of a leader's log into sorted files, when a follower is far behind.

A program of `workers.program`: the bytes of a task are the lines. What it cannot do it leaves to
the server's own `MarkerApplier`, which is never wrong and tells what is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from operator import ge
from pathlib import Path
from typing import Any

import numpy as np

from arangorep.codec.json import loads
from arangorep.follower.lines import Marker, count_lines, parse_marker
from arangorep.follower.plain_rows import front_pattern
from arangorep.follower.sorted_rows import write_rows
from arangorep.storage.keys import pack_many, u64
from arangorep.storage.log import document_entries, pack_header, transaction_line
from arangorep.storage.rocks import write_sorted
from arangorep.values.marker import MarkerType
from arangorep.values.revision_arrays import decode_many
from arangorep.values.tree_leaves import U64Array
from arangorep.workers.program import answer_tasks

DOCUMENT = (
    rb'^\{"tick":"([0-9]{1,20})","type":2300,"db":"%b","cuid":"%b","tid":"([0-9]*)","data":'
    rb"(%b.*\})\}$"
)
"""The line of a document; groups are tick, transaction, row, key and revision."""

BORDER = b'","type":220'
border_at = re.compile(rb'\{"tick":"[0-9]{1,20}","type":220[0-9],.*').match


class NotPlain(Exception):
    """A backlog that must go the slow way."""


def _borders(text: bytes) -> Iterator[re.Match[bytes]]:
    """The lines that begin or end a transaction. What looks like one may be within a document."""
    at = -1
    while (at := text.find(BORDER, at + 1)) >= 0:
        found = border_at(text, text.rfind(b"\n", 0, at) + 1)
        if found is not None:
            yield found
            at = found.end()


class Piece:
    """What the lines of a task become: rows of three families."""

    def __init__(self, task: dict[str, Any]) -> None:
        self._task = task
        scope = re.escape(task["db"]), re.escape(task["guid"])
        pattern = DOCUMENT % (*scope, front_pattern(task["name"], 4))
        self._documents = re.compile(pattern, re.MULTILINE).findall
        self._own_tid = b"0"
        self._tick = task["tick"]
        """Of the next marker here."""
        self.last_tick = 0
        """Of the leader."""
        self.positions: list[bytes] = []
        self.entries: list[bytes] = []
        self.rows: list[bytes] = []
        self.names: list[bytes] = []
        self.revisions: list[U64Array] = []

    def read(self, text: bytes) -> None:
        """Errors: `NotPlain`."""
        start, tid = 0, b""  # outside of a transaction
        for border in _borders(text):
            self._take_run(text[start : border.start()], tid)
            tid = self._take_border(parse_marker(border[0]), tid)
            start = border.end() + 1
        self._take_run(text[start:], tid)
        if tid:
            raise NotPlain("a transaction does not end")

    def _take_border(self, marker: Marker, tid: bytes) -> bytes:
        """The begin or the end of a transaction; returns the one that is open behind it."""
        self._advance(marker.tick)
        given, task = marker.tid.encode(), self._task
        is_start = marker.type == MarkerType.TRANSACTION_START
        if is_start and not tid:
            self._own_tid = b"%d" % self._tick
        elif marker.type != MarkerType.TRANSACTION_COMMIT or given != tid:
            raise NotPlain(f"a marker of type {marker.type}")
        kind = MarkerType(marker.type)
        header = pack_header(kind, 0, task["database"], 0, self._tick, task["moment"], 0)
        line = transaction_line(kind, self._tick, self._own_tid, task["own_db"])
        self.positions.append(u64(self._tick))
        self.entries.append(header + line)
        self._tick += 1
        return given if is_start else b""

    def _take_run(self, text: bytes, tid: bytes) -> None:
        """Documents one after the other, outside of transactions or in one."""
        if not text:
            return
        found = self._documents(text)
        if len(found) != count_lines(text):
            raise NotPlain("something else than documents of one collection")
        ticks, tids, rows, names, texts = zip(*found, strict=True)
        if set(tids) != {tid or b"0"}:
            raise NotPlain("a document of another transaction")
        numbers = list(map(int, ticks))
        self._advance(numbers[0])
        if any(map(ge, numbers, numbers[1:])):
            raise NotPlain("ticks do not ascend")
        self.last_tick = numbers[-1]
        self._write(rows, texts, self._own_tid if tid else b"0")
        self.rows += rows
        self.names += names

    def _write(self, rows: Sequence[bytes], texts: Sequence[bytes], own_tid: bytes) -> None:
        task = self._task
        scope = b'"db":"%b","cuid":"%b","tid":"%b","data":'
        scope %= (task["own_db"], task["own_guid"], own_tid)
        ticks = range(self._tick, self._tick + len(rows))
        revisions = decode_many(texts)
        if revisions is None:
            raise NotPlain("a revision of another form")
        self.revisions.append(revisions)
        place = task["database"], task["collection"]
        positions, entries = document_entries(*place, scope, ticks, revisions, rows)
        self.positions += positions
        self.entries += entries
        self._tick = ticks.stop

    def _advance(self, tick: int) -> None:
        # a real leader gives the ends of a transaction the ticks of its first and last document
        if tick < self.last_tick:
            raise NotPlain("ticks do not ascend")
        self.last_tick = tick


def prepare(task: dict[str, Any], body: bytes) -> dict[str, Any]:
    """Write three files: documents by revision, revisions by key, markers by tick.

    The answer is empty when the lines are not plain new documents of one collection.
    """
    piece = Piece(task)
    try:
        piece.read(body)
    except NotPlain:
        return {}
    if not piece.rows:
        return {}
    if task["is_checked"]:
        for row in piece.rows:
            loads(row)
    files = {name: Path(path) for name, path in task["files"].items()}
    stamps = pack_many(np.concatenate(piece.revisions))
    answer = write_rows(task, files["documents"], files["primary"], piece.rows, piece.names, stamps)
    if not answer:
        return {}
    write_sorted(files["log"], piece.positions, piece.entries, bloom=False)
    log_bytes = sum(map(len, piece.entries))
    return answer | {"tick": piece.last_tick, "log_bytes": log_bytes}


if __name__ == "__main__":
    answer_tasks(prepare)
