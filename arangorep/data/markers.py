"""Markers of everything but documents: the line of each kind, with the order of its members.

Source: leader-api 7.7. Markers of documents are built where they are written, because there every
microsecond counts (`transactions.py`).
"""

from __future__ import annotations

from arangorep.storage.commit import Commit
from arangorep.storage.store import Store
from arangorep.values.marker import MarkerType

TYPE_BEHIND_IDS = frozenset(
    {
        MarkerType.COLLECTION_CREATE,
        MarkerType.COLLECTION_RENAME,
        MarkerType.COLLECTION_CHANGE,
    }
)
TYPE_LAST = frozenset({MarkerType.VIEW_CREATE, MarkerType.VIEW_CHANGE})


def log_marker(
    store: Store,
    commit: Commit,
    kind: MarkerType,
    database: tuple[int, bytes],
    collection: tuple[int, bytes] | None = None,
    data: bytes | None = None,
) -> None:
    """Add a marker at the next tick.

    `database` and `collection` are an id and the name or globallyUniqueId as JSON text without
    quotes; `data` is JSON.
    """
    tick = store.ticks.next()
    ids = b'"db":"%b"' % database[1]
    if collection is not None:
        ids += b',"cuid":"%b"' % collection[1]
    if kind in TYPE_BEHIND_IDS:
        members = b'%b,"type":%d' % (ids, kind)
    else:
        members = b'"type":%d,%b' % (kind, ids)
    if kind in TYPE_LAST:
        members = ids
    if data is not None:
        members += b',"data":' + data
    if kind in TYPE_LAST:
        members += b',"type":%d' % kind
    line = b'{"tick":"%d",%b}\n' % (tick, members)
    commit.log(kind, database[0], collection[0] if collection else 0, tick, line, store.moment)
