"""Revision ids as arrays, from and to texts. Apart from `revision`, which needs no numpy.

Source: revision tree, section 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arangorep.values.revision import GROUP_BYTES, GROUP_DIGITS, decode_groups, encode_groups
from arangorep.values.tree_leaves import U64Array


def encode_many(revisions: U64Array) -> list[bytes]:
    """`revision_text` of many ids, as bytes. All must have 11 digits (2004 and later)."""
    groups = np.zeros((len(revisions), GROUP_BYTES), dtype=np.uint8)
    groups[:, 1:] = revisions.astype(">u8").view(np.uint8).reshape(-1, 8)
    digits = np.frombuffer(encode_groups(groups.tobytes()), dtype=np.uint8)
    texts = np.ascontiguousarray(digits.reshape(-1, GROUP_DIGITS)[:, 1:])
    found: list[bytes] = texts.view(f"V{GROUP_DIGITS - 1}").ravel().tolist()
    return found


def encode_range(revisions: range) -> list[bytes]:
    """`encode_many` of ids that follow each other."""
    return encode_many(np.arange(revisions.start, revisions.stop, dtype=np.uint64))


def decode_many(texts: Sequence[bytes]) -> U64Array | None:
    """The ids of many texts of at most 11 bytes at once; None unless each has 11 digits."""
    groups = decode_groups(texts)
    if groups is None:
        return None
    columns = np.frombuffer(groups, dtype=np.uint8).reshape(-1, GROUP_BYTES)
    return np.ascontiguousarray(columns[:, 1:]).view(">u8").ravel().astype(np.uint64)
