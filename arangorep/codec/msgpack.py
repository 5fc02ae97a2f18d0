"""MessagePack for the server's own small records (catalog, counters); options decided once."""

from __future__ import annotations

from typing import Any

import msgpack


def pack(value: Any) -> bytes:
    """Encode plain values; integers up to 64 bit, text as UTF-8."""
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return packed


def unpack(data: bytes) -> Any:
    """Decode what `pack` wrote."""
    return msgpack.unpackb(data, raw=False, strict_map_key=False)
