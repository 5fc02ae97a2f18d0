"""MessagePack for the server's own small records (catalog, counters); options decided once."""

from __future__ import annotations

from typing import Any

import msgpack


def pack(value: Any) -> bytes:
    """Encode plain values; integers up to 64 bit, text as UTF-8."""
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return packed


def array_header(count: int) -> bytes:
    """What stands in front of the elements of an array."""
    packed: bytes = msgpack.Packer().pack_array_header(count)
    return packed


def unpack(data: bytes) -> Any:
    """Decode what `pack` wrote."""
    return msgpack.unpackb(data, raw=False, strict_map_key=False)


def unpack_records(data: bytes) -> list[Any]:
    """All values of a sequence. Errors: `ValueError` for anything else.

    For data that a hash vouches for: see `splitting` for what comes from strangers.
    """
    unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, max_buffer_size=len(data))
    unpacker.feed(data)
    try:
        found = list(unpacker)
    except (ValueError, msgpack.UnpackException) as error:
        raise ValueError(f"no MessagePack: {error}") from None
    if unpacker.tell() != len(data):
        raise ValueError("no MessagePack: the last value is cut off")
    return found
