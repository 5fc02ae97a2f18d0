"""VelocyPack, ArangoDB's binary form of JSON: bytes to plain values and back.

| module | what |
|---|---|
| `heads` | what a value's first byte says |
| `sizes` | where a value ends: cutting bytes of several values without decoding them |
| `decoder`, `scalars`, `containers`, `reading` | untrusted bytes to values |
| `encoder` | values and stored JSON to bytes, in the layout of a real server |
| `typed` | values that JSON lacks |

Everything that reads answers bad bytes with `CorruptedJson` (400/600) and takes time in proportion
to their number. Source: velocypack; section numbers stand at each function.
"""

from __future__ import annotations

from arangorep.codec.velocypack.decoder import Collections, decode, decode_all
from arangorep.codec.velocypack.encoder import compact_array, encode, encode_json, encode_json_rows
from arangorep.codec.velocypack.sizes import split, value_size
from arangorep.codec.velocypack.typed import (
    Binary,
    Custom,
    Illegal,
    MaxKey,
    MinKey,
    Tagged,
    UtcDate,
)

__all__ = [
    "Binary",
    "Collections",
    "Custom",
    "Illegal",
    "MaxKey",
    "MinKey",
    "Tagged",
    "UtcDate",
    "compact_array",
    "decode",
    "decode_all",
    "encode",
    "encode_json",
    "encode_json_rows",
    "split",
    "value_size",
]
