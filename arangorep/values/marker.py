"""Marker types: the numbers of logged events (leader-api 7.7)."""

from __future__ import annotations

from enum import IntEnum


class MarkerType(IntEnum):
    """What a line of the write-ahead log reports."""

    DATABASE_CREATE = 1100
    DATABASE_DROP = 1101
    COLLECTION_CREATE = 2000
    COLLECTION_DROP = 2001
    COLLECTION_RENAME = 2002
    COLLECTION_CHANGE = 2003
    COLLECTION_TRUNCATE = 2004
    INDEX_CREATE = 2100
    INDEX_DROP = 2101
    VIEW_CREATE = 2110
    VIEW_DROP = 2111
    VIEW_CHANGE = 2112
    TRANSACTION_START = 2200
    TRANSACTION_COMMIT = 2201
    DOCUMENT = 2300
    REMOVE = 2302
