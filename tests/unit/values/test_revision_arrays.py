"""Many revision ids at once are what each is by itself."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from arangorep.values.revision import REVISION_MAX, decode_hlc, decode_stamps, encode_hlc
from arangorep.values.revision_arrays import decode_many, encode_many, encode_range

SMALLEST = 64**10
"""With eleven digits."""

modern = st.integers(SMALLEST, REVISION_MAX)
texts = st.text("-_ABCXYZabcxyz0189+/ ", max_size=12)


@given(st.lists(modern, min_size=1, max_size=20))
def test_to_texts_and_back(revisions: list[int]) -> None:
    encoded = encode_many(np.array(revisions, dtype=np.uint64))
    assert encoded == [encode_hlc(revision).encode() for revision in revisions]
    decoded = decode_many(encoded)
    assert decoded is not None
    assert decoded.tolist() == revisions
    assert decode_stamps(encoded) == [revision.to_bytes(8, "big") for revision in revisions]


@given(st.integers(SMALLEST, REVISION_MAX - 100), st.integers(0, 100))
def test_a_range(first: int, count: int) -> None:
    revisions = range(first, first + count)
    assert encode_range(revisions) == [encode_hlc(revision).encode() for revision in revisions]


@given(st.lists(texts | modern.map(encode_hlc), min_size=1, max_size=4))
def test_texts_that_are_none(given_texts: list[str]) -> None:
    found = decode_stamps([text.encode() for text in given_texts])
    if found is None:
        assert any(len(t) != 11 or decode_hlc(t) == REVISION_MAX for t in given_texts)
    else:
        assert [int.from_bytes(stamp) for stamp in found] == list(map(decode_hlc, given_texts))
