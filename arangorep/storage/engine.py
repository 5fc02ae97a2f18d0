"""The key-value contract that everything above storage relies on.

An engine holds five families of sorted keys. All calls are made from one thread (the event loop's)
except `sync_log`, `flush` and `compact`, which may run in a worker thread. A `Scan` or `Cursor`
shows the store as it was when it was opened, whatever is written, deleted, flushed or compacted
afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Family(StrEnum):
    """Keys by kind of data; the layout of each is in `keys.py`."""

    DOCUMENTS = "documents"
    PRIMARY = "primary"
    INDEX = "index"
    LOG = "log"
    META = "meta"


class WriteSet:
    """What one atomic write does: first remove whole ranges, then put and delete single keys.

    `entries[family][key]` is the new value, or None to delete the key. A key stands once, so the
    last word of a transaction wins. `blocks` hold keys and their values that nobody asks for before
    they are written; that happens at the end, so they win over entries.
    """

    __slots__ = ("blocks", "entries", "ranges")

    def __init__(self) -> None:
        self.ranges: list[tuple[Family, bytes, bytes]] = []
        self.blocks: list[tuple[Family, list[bytes], list[bytes]]] = []
        self.entries: dict[Family, dict[bytes, bytes | None]] = {family: {} for family in Family}

    def settle(self, *families: Family) -> None:
        """Turn the blocks of some families into entries, where single rows can be looked up."""
        for family, keys, values in self.blocks:
            if family in families:
                self.entries[family].update(zip(keys, values, strict=True))
        self.blocks = [block for block in self.blocks if block[0] not in families]


@dataclass(frozen=True, slots=True)
class EngineProperties:
    """Figures an engine keeps about itself, by RocksDB's names (`rocksdb.estimate-num-keys`)."""

    whole: dict[str, int]
    """What there is once for the whole store."""
    families: dict[Family, dict[str, int]]
    """What each family has of its own; the sum over all is the store's."""

    def totals(self) -> dict[str, int]:
        """Every figure of the store, those of the families summed."""
        totals = dict(self.whole)
        for figures in self.families.values():
            for name, value in figures.items():
                totals[name] = totals.get(name, 0) + value
        return totals


class Scan(Protocol):
    """The values of one key range in key order, read block by block."""

    def take(self, rows: int) -> list[bytes]:
        """The next `rows` values; fewer mean the end **or an unreadable block**.

        Callers compare with the count they expect (the library reports no error here).
        """
        ...

    def close(self) -> None:
        """Release what the scan pins; later `take`s return nothing."""
        ...


class Cursor(Protocol):
    """A pinned view of one family that can be read from any key, again and again.

    Slower per row than a `Scan`, but checked: errors: `CorruptionError` for an unreadable block.
    """

    def items(self, start: bytes, end: bytes, rows: int) -> list[tuple[bytes, bytes]]:
        """At most `rows` pairs with start <= key < end, ascending."""
        ...

    def keys(self, start: bytes, end: bytes, rows: int) -> list[bytes]:
        """As `items`, keys only."""
        ...

    def values(self, start: bytes, end: bytes, rows: int) -> list[bytes]:
        """As `items`, values only."""
        ...

    def last_key(self, start: bytes, end: bytes) -> bytes | None:
        """The greatest key with start <= key < end."""
        ...

    def close(self) -> None:
        """Release the pinned view."""
        ...


class Engine(Protocol):
    """Sorted keys on disk, atomic writes, pinned reads."""

    def get(self, family: Family, key: bytes) -> bytes | None:
        """The current value of `key`."""
        ...

    def get_many(self, family: Family, keys: Sequence[bytes]) -> list[bytes | None]:
        """The current values of `keys`, in their order. Callable from worker threads."""
        ...

    def write(self, changes: WriteSet) -> None:
        """Apply all of `changes` or nothing. Survives the death of the process, not of power."""
        ...

    @property
    def load_directory(self) -> Path | None:
        """Where files for `ingest` are written; None for an engine that takes none."""
        ...

    def ingest(self, family: Family, files: Sequence[Path]) -> None:
        """Take over files that `write_sorted` of this engine wrote; they are moved.

        Durable by itself and not part of the engine's log. Their keys should be new.
        """
        ...

    def scan(self, family: Family, start: bytes, end: bytes) -> Scan:
        """The values with start <= key < end as of now."""
        ...

    def scan_keys(self, family: Family, start: bytes, end: bytes) -> Scan:
        """As `scan`, but of the keys; `CorruptionError` where the values end silently."""
        ...

    def cursor(self, family: Family) -> Cursor:
        """A pinned view of `family` as of now."""
        ...

    def sync_log(self) -> None:
        """Bring every write so far to the disk."""
        ...

    def flush(self) -> None:
        """Move memory tables into files (clean stop, tests)."""
        ...

    def compact(self) -> None:
        """Rewrite all files without what was overwritten or deleted."""
        ...

    def checkpoint(self, path: Path) -> None:
        """Make a directory with a copy of the store as it is now, by hard links. Callable from
        worker threads; `path` must not exist, its parent must."""
        ...

    def size_bytes(self) -> int:
        """Bytes of the store's files on disk, live or still pinned."""
        ...

    def properties(self) -> EngineProperties:
        """What the engine tells about itself now; a figure it does not have is left out."""
        ...

    def close(self) -> None:
        """Release the data directory. All scans and cursors must be closed before."""
        ...
