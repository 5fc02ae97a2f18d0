"""`MemoryEngine`: the engine contract on dicts, simple enough to be right by reading it.

Opening a scan or cursor shares the rows of a family; the next write to that family copies them
first, so whatever was opened goes on showing what was there.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

from arangorep.storage.engine import EngineProperties, Family, WriteSet


class _Rows:
    """The rows of one family at one moment, and their keys in order."""

    def __init__(self, content: dict[bytes, bytes]) -> None:
        self.content = content
        self.ordered = sorted(content)

    def between(self, start: bytes, end: bytes, rows: int) -> list[bytes]:
        """At most `rows` keys with start <= key < end."""
        return [key for key in self.ordered if start <= key < end][:rows]


class MemoryScan:
    """The values of a range, put aside when it was opened."""

    def __init__(self, values: list[bytes]) -> None:
        self._values = values

    def take(self, rows: int) -> list[bytes]:
        taken, self._values = self._values[:rows], self._values[rows:]
        return taken

    def close(self) -> None:
        self._values = []


class MemoryCursor:
    """One family as it was when the cursor was opened."""

    def __init__(self, rows: _Rows) -> None:
        self._rows: _Rows | None = rows

    def items(self, start: bytes, end: bytes, rows: int) -> list[tuple[bytes, bytes]]:
        view = self._view()
        return [(key, view.content[key]) for key in view.between(start, end, rows)]

    def keys(self, start: bytes, end: bytes, rows: int) -> list[bytes]:
        return self._view().between(start, end, rows)

    def values(self, start: bytes, end: bytes, rows: int) -> list[bytes]:
        return [value for _, value in self.items(start, end, rows)]

    def last_key(self, start: bytes, end: bytes) -> bytes | None:
        return max((key for key in self._view().content if start <= key < end), default=None)

    def close(self) -> None:
        self._rows = None

    def _view(self) -> _Rows:
        if self._rows is None:
            raise ValueError("the cursor is closed")
        return self._rows


class MemoryEngine:
    """Keys and values in memory. `copy` is what the next process would find after a crash."""

    def __init__(self) -> None:
        self._live: dict[Family, dict[bytes, bytes]] = {family: {} for family in Family}
        self._shared: dict[Family, _Rows | None] = dict.fromkeys(Family)
        self.syncs = 0
        """How often the log was synced."""

    def copy(self) -> MemoryEngine:
        """An engine of its own with the same rows."""
        twin = MemoryEngine()
        twin._live = {family: dict(content) for family, content in self._live.items()}
        return twin

    def content(self) -> dict[Family, dict[bytes, bytes]]:
        """All rows, copied: for comparing."""
        return {family: dict(content) for family, content in self._live.items()}

    def get(self, family: Family, key: bytes) -> bytes | None:
        return self._live[family].get(key)

    def get_many(self, family: Family, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self._live[family].get(key) for key in keys]

    def write(self, changes: WriteSet) -> None:
        for family, start, end in changes.ranges:
            content = self._for_writing(family)
            for key in [key for key in content if start <= key < end]:
                del content[key]
        for family, entries in changes.entries.items():
            if not entries:
                continue
            content = self._for_writing(family)
            for key, value in entries.items():
                if value is None:
                    content.pop(key, None)
                else:
                    content[key] = value
        for family, keys, values in changes.blocks:
            self._for_writing(family).update(zip(keys, values, strict=True))

    @property
    def load_directory(self) -> None:
        return None

    def ingest(self, family: Family, files: Sequence[Path]) -> None:
        raise AssertionError("without a load directory nobody ingests")

    def scan(self, family: Family, start: bytes, end: bytes) -> MemoryScan:
        rows = self._for_reading(family)
        return MemoryScan([rows.content[key] for key in rows.ordered if start <= key < end])

    def scan_keys(self, family: Family, start: bytes, end: bytes) -> MemoryScan:
        rows = self._for_reading(family)
        return MemoryScan([key for key in rows.ordered if start <= key < end])

    def cursor(self, family: Family) -> MemoryCursor:
        return MemoryCursor(self._for_reading(family))

    def sync_log(self) -> None:
        self.syncs += 1

    def flush(self) -> None:
        """There are no files."""

    def compact(self) -> None:
        """There are no files."""

    def checkpoint(self, path: Path) -> None:
        raise OSError(errno.ENOTSUP, "there are no files to link", str(path))

    def size_bytes(self) -> int:
        return sum(
            len(key) + len(value)
            for content in self._live.values()
            for key, value in content.items()
        )

    def properties(self) -> EngineProperties:
        counts = {
            family: {"rocksdb.estimate-num-keys": len(content)}
            for family, content in self._live.items()
        }
        return EngineProperties({}, counts)

    def close(self) -> None:
        """There is nothing to release; a store opened on a closed one finds everything."""

    def _for_reading(self, family: Family) -> _Rows:
        rows = self._shared[family]
        if rows is None:
            rows = self._shared[family] = _Rows(self._live[family])
        return rows

    def _for_writing(self, family: Family) -> dict[bytes, bytes]:
        if self._shared[family] is not None:
            self._live[family] = dict(self._live[family])
            self._shared[family] = None
        return self._live[family]
