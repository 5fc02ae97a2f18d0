"""Reading the revisions of a collection without its documents, for whoever compares two servers."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from arangorep.errors import CorruptionError
from arangorep.storage.catalog import Collection
from arangorep.storage.engine import Engine, Family, Scan
from arangorep.values.tree_leaves import U64Array

ROWS_PER_SLICE = 4096
NOTHING = np.empty(0, dtype=np.uint64)


def all_revisions(engine: Engine, collection: Collection) -> Generator[None, None, U64Array]:
    """All revisions, ascending, from the primary index: a fifth of the bytes of the documents.

    Errors: `CorruptionError` when they are not as many as there are documents.
    """
    expected = collection.count
    scan = engine.scan(Family.PRIMARY, collection.prefix, collection.document_end)
    parts = []
    while found := scan.take(ROWS_PER_SLICE):
        parts.append(np.frombuffer(b"".join(found), dtype=">u8").astype(np.uint64))
        yield
    scan.close()
    revisions = np.concatenate(parts) if parts else NOTHING
    # the library's fast scans end silently at an unreadable block
    if len(revisions) != expected:
        raise CorruptionError(f"the store ended after {len(revisions)} of {expected} keys")
    revisions.sort()
    return revisions


def take_revisions(scan: Scan, rows: int) -> Generator[None, None, U64Array]:
    """The next revisions of a scan of documents' keys, at most `rows`.

    Errors: those of the scan.
    """
    parts: list[U64Array] = []
    while rows:
        wanted = min(rows, ROWS_PER_SLICE)
        found = scan.take(wanted)
        parts.append(np.frombuffer(b"".join(found), dtype=">u8")[1::2].astype(np.uint64))
        rows -= len(found)
        if len(found) < wanted:
            break
        yield
    return np.concatenate(parts) if parts else NOTHING
