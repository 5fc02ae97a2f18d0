"""Revision ids as arrays, from and to texts. Apart from `revision`, which needs no numpy.

Source: revision tree, section 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arangorep.values.revision import GROUP_BYTES, decode_groups, encode_groups
from arangorep.values.tree_leaves import U64Array


def encode_many(revisions: U64Array) -> list[bytes]:
    """`revision_text` of many ids, as bytes. All must have 11 digits (2004 and later)."""
    groups = np.zeros((len(revisions), GROUP_BYTES), dtype=np.uint8)
    groups[:, 1:] = revisions.astype(">u8").view(np.uint8).reshape(-1, 8)
    return encode_groups(groups.tobytes())


def decode_many(texts: Sequence[bytes]) -> U64Array | None:
    """The ids of many texts of at most 11 bytes at once; None unless each has 11 digits."""
    groups = decode_groups(texts)
    if groups is None:
        return None
    columns = np.frombuffer(groups, dtype=np.uint8).reshape(-1, GROUP_BYTES)
    return np.ascontiguousarray(columns[:, 1:]).view(">u8").ravel().astype(np.uint64)
