"""`Commit`: all that one atomic write does, gathered before anything is touched.

Documents, primary and index entries, log markers, counters and catalog rows go into one write set;
`Store.commit` applies it to the engine and, when that succeeded, to memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from arangorep.storage import keys
from arangorep.storage.engine import Family, WriteSet
from arangorep.storage.log import HEADER_BYTES, pack_header
from arangorep.storage.state import CollectionState
from arangorep.values.collection import CollectionInfo
from arangorep.values.database import DatabaseInfo
from arangorep.values.marker import MarkerType
from arangorep.values.revision_tree import RevisionTree
from arangorep.values.tree_leaves import U64Array
from arangorep.values.view import ViewInfo


@dataclass(slots=True)
class CollectionDelta:
    """What a commit does to one collection's counters and revision tree.

    `cleared` happens first: everything that was there before the commit goes away.
    """

    inserted: list[int] = field(default_factory=list)
    blocks: list[U64Array] = field(default_factory=list)
    """More of what is inserted: ascending revisions of many documents at once."""
    removed: list[int] = field(default_factory=list)
    cleared: bool = False
    last_value: int | None = None
    revision: int = 0
    largest_bytes: int = 0

    @property
    def documents(self) -> int:
        """How many more there are by it, but for what `cleared` takes away."""
        return len(self.inserted) + sum(map(len, self.blocks)) - len(self.removed)

    def insert_into(self, tree: RevisionTree) -> None:
        """Errors: `RevisionTreeError`."""
        tree.insert(self.inserted)
        for block in self.blocks:
            tree.insert_sorted_array(block)


@dataclass(frozen=True, slots=True)
class PutDatabase:
    """A database comes into being."""

    info: DatabaseInfo


@dataclass(frozen=True, slots=True)
class DropDatabase:
    """A database goes away with all its collections."""

    database_id: int


@dataclass(frozen=True, slots=True)
class PutCollection:
    """A collection comes into being or changes its definition."""

    info: CollectionInfo


@dataclass(frozen=True, slots=True)
class PutLoaded:
    """A collection comes into being whose rows are there already (`aside.py`)."""

    info: CollectionInfo
    state: CollectionState
    gap: int
    """See `Collection.gap`; behind the marker that tells of the collection. 0: no documents."""


@dataclass(frozen=True, slots=True)
class DropCollection:
    """A collection goes away."""

    collection_id: int


@dataclass(frozen=True, slots=True)
class PutView:
    """A view comes into being or changes its definition."""

    info: ViewInfo


@dataclass(frozen=True, slots=True)
class DropView:
    """A view goes away."""

    view_id: int


CatalogChange = (
    PutDatabase | DropDatabase | PutCollection | PutLoaded | DropCollection | PutView | DropView
)


class Commit:
    """One atomic write in preparation. Ticks must be handed out in the order of `log` calls."""

    __slots__ = ("catalog", "changes", "deltas", "last_tick", "log_bytes")

    def __init__(self) -> None:
        self.changes = WriteSet()
        self.deltas: dict[int, CollectionDelta] = {}
        self.catalog: list[CatalogChange] = []
        self.last_tick = 0
        self.log_bytes = 0

    def delta(self, collection_id: int) -> CollectionDelta:
        """The (possibly new) delta of a collection."""
        found = self.deltas.get(collection_id)
        if found is None:
            found = self.deltas[collection_id] = CollectionDelta()
        return found

    def log(
        self,
        kind: MarkerType,
        database_id: int,
        collection_id: int,
        tick: int,
        line: bytes,
        revision: int = 0,
        old_revision: int = 0,
    ) -> None:
        """Append a marker; `line` is the finished tail line with its newline."""
        header = pack_header(kind, 0, database_id, collection_id, tick, revision, old_revision)
        self.changes.entries[Family.LOG][keys.u64(tick)] = header + line
        self.log_bytes += HEADER_BYTES + len(line)
        self.last_tick = tick

    def clear_rows(self, family: Family, start: bytes, end: bytes) -> None:
        """Remove a range before anything else of this commit is written."""
        self.changes.ranges.append((family, start, end))
        self.changes.settle(family)
        entries = self.changes.entries[family]
        for key in [key for key in entries if start <= key < end]:
            del entries[key]
