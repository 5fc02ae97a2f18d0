"""Header names of the replication protocol (leader-api 4, 7.4, 10.5)."""

from typing import Final

CHECK_MORE: Final = "x-arango-replication-checkmore"
LAST_INCLUDED: Final = "x-arango-replication-lastincluded"
LAST_SCANNED: Final = "x-arango-replication-lastscanned"
TRANSACTION_ID: Final = "x-arango-trx-id"
LAST_TICK: Final = "x-arango-replication-lasttick"
FROM_PRESENT: Final = "x-arango-replication-frompresent"
DUMP_FROM: Final = "dump-from"
"""Feature that this server announces: `from` of a dump is honoured, so a chunk can be asked for
again."""

ACTIVE: Final = "x-arango-replication-active"

DUMP_ID: Final = "x-arango-dump-id"
DUMP_SHARD: Final = "x-arango-dump-shard-id"
DUMP_BLOCKS: Final = "x-arango-dump-block-counts"
ASYNC: Final = "x-arango-async"
ASYNC_ID: Final = "x-arango-async-id"
ERROR_CODES: Final = "x-arango-error-codes"
HLC: Final = "x-arango-hlc"
QUEUE_TIME: Final = "x-arango-queue-time-seconds"
DIRTY_READ: Final = "x-arango-allow-dirty-read"
POTENTIAL_DIRTY_READ: Final = "x-arango-potential-dirty-read"
OMIT_WWW_AUTHENTICATE: Final = "x-omit-www-authenticate"

JSON: Final = "application/json; charset=utf-8"
VELOCYPACK: Final = "application/x-velocypack"
DUMP: Final = "application/x-arango-dump; charset=utf-8"
BINARY: Final = "application/octet-stream"
TEXT: Final = "text/plain; charset=utf-8"


def flag(value: bool) -> str:
    """Booleans in headers are the words `true` and `false`."""
    return "true" if value else "false"
