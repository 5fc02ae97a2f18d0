"""The key layout: bytes that sort like numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.storage import keys

u64s = st.integers(0, keys.U64_MAX)
META_PREFIXES = [
    keys.DATABASE,
    keys.COLLECTION,
    keys.COUNTER,
    keys.TREE,
    keys.SEGMENT,
    keys.BUILDING,
]


@given(u64s, u64s)
def test_packed_numbers_sort_like_numbers(left: int, right: int) -> None:
    assert (keys.u64(left) < keys.u64(right)) is (left < right)


@given(u64s, st.binary(max_size=4))
def test_unpacking_reads_the_first_eight_bytes(number: int, rest: bytes) -> None:
    assert len(keys.u64(number)) == 8
    assert keys.from_u64(keys.u64(number) + rest) == number


def test_numbers_beyond_64_bits_have_no_key() -> None:
    with pytest.raises(OverflowError):
        keys.u64(keys.U64_MAX + 1)
    with pytest.raises(OverflowError):
        keys.u64(-1)


@given(st.lists(st.integers(0, keys.U64_MAX), max_size=20))
def test_many_numbers_are_packed_one_by_one(numbers: list[int]) -> None:
    array = np.array(numbers, dtype=np.uint64)
    assert keys.pack_many(array) == [keys.u64(number) for number in numbers]


@given(st.binary(min_size=1, max_size=5), st.binary(max_size=5), st.binary(min_size=1, max_size=5))
def test_after_divides_keys_by_their_prefix(prefix: bytes, rest: bytes, other: bytes) -> None:
    if not prefix.rstrip(b"\xff"):
        return
    end = keys.after(prefix)
    assert prefix <= prefix + rest < end
    if not other.startswith(prefix):
        assert not prefix <= other < end


@pytest.mark.parametrize(
    ("prefix", "end"), [(b"a", b"b"), (b"a\xff", b"b"), (b"\x00\xff\xff", b"\x01"), (b"a/", b"a0")]
)
def test_after(prefix: bytes, end: bytes) -> None:
    assert keys.after(prefix) == end


@pytest.mark.parametrize("prefix", [b"", b"\xff", keys.u64(keys.U64_MAX)])
def test_nothing_lies_above_all_ones(prefix: bytes) -> None:
    with pytest.raises(ValueError, match="all-ones"):
        keys.after(prefix)


def test_kinds_of_meta_rows_do_not_run_into_each_other() -> None:
    singles = [keys.FORMAT, keys.SERVER_ID, keys.TICKS, keys.LOG_FLOOR, keys.TREES_VALID]
    for prefix in META_PREFIXES:
        others = [other for other in META_PREFIXES if other != prefix]
        for key in [*others, *(other + keys.u64(keys.U64_MAX) for other in others), *singles]:
            assert not prefix <= key < keys.after(prefix)
