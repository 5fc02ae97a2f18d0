"""The key layout. All integers are 8 bytes, big-endian, so that bytes sort like numbers.

| family    | key                          | value                                              |
|-----------|------------------------------|----------------------------------------------------|
| documents | collection id, revision      | the document's canonical JSON                      |
| primary   | collection id, key (UTF-8)   | revision                                           |
| index     | collection id, index id, term| revision (unique indexes only: nobody reads others)|
| log       | tick                         | header (see `log.py`), then the finished tail line |
| meta      | `format`                     | format version, decimal                            |
|           | `server-id`                  | decimal                                            |
|           | `ticks`                      | first tick not promised to memory, 8 bytes         |
|           | `log-floor`                  | last tick that was pruned, 8 bytes                 |
|           | `largest`                    | bytes of the largest document ever, 8 bytes        |
|           | `intake`                     | MessagePack of ranges that files were to fill, see  |
|           |                              | `intake.py`                                        |
|           | `trees-valid`                | tick from which a restart replays the log, 8 bytes |
|           | `database/` id               | MessagePack of `DatabaseInfo`                      |
|           | `collection/` id             | MessagePack of `CollectionInfo`                    |
|           | `view/` id                   | MessagePack of `ViewInfo`                          |
|           | `counter/` id                | MessagePack of `Counters`                          |
|           | `tree/` id                   | tick (8 bytes), then the revision tree's binary form|
|           | `segment/` last tick         | MessagePack of `Segment`                           |
|           | `building/` collection id, index id | empty: an index whose build is not finished |
|           | `loading/` collection id     | empty: documents are being loaded without the log, |
|           |                              | or beside the catalog when it does not know the id |
|           | `gap/` collection id         | tick up to which the log does not tell all, 8 bytes|
|           | `task/` uid                  | MessagePack of a backup's `Task`                   |
|           | `applier-config/` id         | MessagePack of the applier's configuration         |
|           | `applier-state/` id          | MessagePack of leader and ticks; id 0 is global    |
"""

from __future__ import annotations

from typing import Final

from arangorep.values.tree_leaves import U64Array

FORMAT: Final = b"format"
SERVER_ID: Final = b"server-id"
TICKS: Final = b"ticks"
LOG_FLOOR: Final = b"log-floor"
LARGEST: Final = b"largest"
TREES_VALID: Final = b"trees-valid"

DATABASE: Final = b"database/"
COLLECTION: Final = b"collection/"
VIEW: Final = b"view/"
COUNTER: Final = b"counter/"
TREE: Final = b"tree/"
SEGMENT: Final = b"segment/"
BUILDING: Final = b"building/"
LOADING: Final = b"loading/"
INTAKE: Final = b"intake"
GAP: Final = b"gap/"
TASK: Final = b"task/"
APPLIER_CONFIG: Final = b"applier-config/"
APPLIER_STATE: Final = b"applier-state/"

U64_MAX: Final = 2**64 - 1


def u64(number: int) -> bytes:
    """Eight bytes, big-endian."""
    return number.to_bytes(8, "big")


def index_prefix(collection_id: int, index_id: int) -> bytes:
    """What all entries of an index start with. A follower keeps the leader's index ids, which are
    unique only within their collection."""
    return u64(collection_id) + u64(index_id)


def pack_many(numbers: U64Array) -> list[bytes]:
    """`u64` of each."""
    # as void, which keeps bytes that are zero; a fifth of the price of slices
    found: list[bytes] = numbers.astype(">u8").view("V8").tolist()
    return found


def from_u64(data: bytes) -> int:
    """The inverse of `u64`; reads the first eight bytes."""
    return int.from_bytes(data[:8], "big")


def after(prefix: bytes) -> bytes:
    """The smallest key above everything that starts with `prefix`."""
    trimmed = prefix.rstrip(b"\xff")
    if not trimmed:
        raise ValueError("no key lies above an all-ones prefix")
    return trimmed[:-1] + bytes([trimmed[-1] + 1])
