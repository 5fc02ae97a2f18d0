"""Revision ids: text forms against the vectors, the clock against its rules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.values.revision import (
    REVISION_LOWER_BOUND,
    REVISION_MAX,
    TICK_LIMIT,
    HybridLogicalClock,
    decode_hlc,
    encode_hlc,
    parse_revision,
    revision_text,
)

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "revision_ids.json").read_text("utf-8")
)
ALPHABET = VECTORS["about"]["alphabet"]

revisions = st.integers(0, REVISION_MAX)


class TestConstants:
    def test_the_vectors_name_the_same_limits(self) -> None:
        assert int(VECTORS["about"]["tick_limit"]) == TICK_LIMIT
        assert int(VECTORS["about"]["lower_bound"]) == REVISION_LOWER_BOUND
        assert REVISION_MAX == 18446744073709551615


class TestTexts:
    @pytest.mark.parametrize("vector", VECTORS["encode"], ids=lambda v: v["id"])
    def test_encode(self, vector: dict) -> None:
        revision = int(vector["id"])
        assert encode_hlc(revision) == vector["hlc"]
        assert decode_hlc(vector["hlc"]) == revision
        assert revision_text(revision) == vector["string"]
        expected = revision if vector["roundtrip_string"] else int(vector["fromString"])
        assert parse_revision(vector["string"]) == expected

    @pytest.mark.parametrize("vector", VECTORS["decode"], ids=lambda v: repr(v["text"]))
    def test_decode(self, vector: dict) -> None:
        decode = {"fromHLC": decode_hlc, "fromString": parse_revision}[vector["fn"]]
        assert decode(vector["text"]) == int(vector["id"])

    @pytest.mark.parametrize("vector", VECTORS["ordering"], ids=lambda v: v["larger"])
    def test_texts_do_not_sort_like_ids(self, vector: dict) -> None:
        smaller, larger = int(vector["smaller"]), int(vector["larger"])
        assert encode_hlc(smaller) == vector["smaller_hlc"]
        assert encode_hlc(larger) == vector["larger_hlc"]
        assert decode_hlc(vector["smaller_hlc"]) < decode_hlc(vector["larger_hlc"])
        agrees = vector["smaller_hlc"].encode() < vector["larger_hlc"].encode()
        assert agrees is vector["bytewise_text_order_agrees"]

    @given(revisions)
    def test_base_64_agrees_with_long_division(self, revision: int) -> None:
        text, rest = "", revision
        while rest:
            rest, digit = divmod(rest, 64)
            text = ALPHABET[digit] + text
        assert encode_hlc(revision) == text
        assert decode_hlc(text) == decode_hlc(text.encode()) == revision

    @given(st.integers(TICK_LIMIT + 1, REVISION_MAX))
    def test_document_text_above_the_tick_limit_is_base_64(self, revision: int) -> None:
        assert revision_text(revision) == encode_hlc(revision)

    @given(st.integers(1, TICK_LIMIT))
    def test_document_text_up_to_the_tick_limit_is_decimal(self, revision: int) -> None:
        assert revision_text(revision) == str(revision)
        assert parse_revision(str(revision)) == revision

    def test_the_tick_limit_itself_is_decimal(self) -> None:
        assert revision_text(TICK_LIMIT) == "1450656000000"
        assert revision_text(TICK_LIMIT + 1) == encode_hlc(TICK_LIMIT + 1)

    def test_consecutive_ids_across_a_carry(self) -> None:
        start = 1_782_579_200_000_000_000 | 0xFFF
        texts = [revision_text(start + i) for i in range(3)]
        assert [decode_hlc(text) for text in texts] == [start, start + 1, start + 2]

    @pytest.mark.parametrize("byte", range(256))
    def test_each_byte_is_a_digit_or_makes_the_text_invalid(self, byte: int) -> None:
        position = ALPHABET.encode().find(bytes([byte]))
        assert decode_hlc(b"_" + bytes([byte])) == (
            64 + position if position >= 0 else REVISION_MAX
        )

    @pytest.mark.parametrize(
        "text", ["é", "\ud800", "_\u0000", "****", "____****", "AA==", "=", "_bpq8a-----\n"]
    )
    def test_other_texts_are_invalid(self, text: str) -> None:
        assert decode_hlc(text) == REVISION_MAX
        assert parse_revision(text) == REVISION_MAX

    def test_length_counts_in_bytes(self) -> None:
        assert decode_hlc("N9999999998") == REVISION_MAX - 1
        assert decode_hlc("-" * 12) == REVISION_MAX

    def test_legacy_bytes_are_signed(self) -> None:
        # "é" is the bytes C3 A9, so -61 and -87
        assert parse_revision("1é") == ((1 * 10 - 61 - 48) * 10 - 87 - 48) % 2**64

    def test_only_ascii_digits_begin_a_legacy_text(self) -> None:
        assert parse_revision("٣") == REVISION_MAX

    @given(st.text())
    def test_no_text_raises(self, text: str) -> None:
        assert 0 <= decode_hlc(text) <= REVISION_MAX
        assert 0 <= parse_revision(text) <= REVISION_MAX

    def test_a_long_decimal_is_read_modulo_64_bits(self) -> None:
        digits = "7" * 10_000
        expected = 0
        for _ in digits:
            expected = (expected * 10 + 7) % 2**64
        assert parse_revision(digits) == expected

    @pytest.mark.parametrize("number", [-1, 2**64, 2**80])
    def test_what_is_no_id_has_no_text(self, number: int) -> None:
        with pytest.raises(OverflowError):
            encode_hlc(number)
        with pytest.raises(OverflowError):
            revision_text(number)


class TestClock:
    @pytest.mark.parametrize("vector", VECTORS["clock"], ids=lambda v: v["id"])
    def test_split(self, vector: dict) -> None:
        revision = int(vector["id"])
        assert (revision >> 20, revision & 0xFFFFF) == (int(vector["ms"]), vector["counter"])
        # one id earlier the clock is in this millisecond or, if the counter is 0, just before it
        if revision:
            assert HybridLogicalClock(revision - 1).next(int(vector["ms"])) == revision

    @pytest.mark.parametrize("vector", VECTORS["clock_steps"], ids=lambda v: v["note"])
    def test_steps(self, vector: dict) -> None:
        clock = HybridLogicalClock(int(vector["last"]))
        physical = int(vector["physical_ms"])
        if vector["received"] is None:
            result = clock.next(physical)
        else:
            result = clock.observe(int(vector["received"]), physical)
        assert result == clock.last == int(vector["result"])

    def test_observe_in_one_millisecond_takes_the_larger_counter(self) -> None:
        stamp = 1_700_000_000_000 << 20
        assert HybridLogicalClock(stamp + 3).observe(stamp + 9, 0) == stamp + 10
        assert HybridLogicalClock(stamp + 9).observe(stamp + 3, 0) == stamp + 10

    def test_observe_behind_the_wall_clock_starts_a_new_millisecond(self) -> None:
        assert HybridLogicalClock(7 << 20).observe((8 << 20) + 5, 9) == 9 << 20

    def test_each_millisecond_starts_at_the_first_count(self) -> None:
        clock = HybridLogicalClock(0, first_count=77)
        assert clock.next(9) == (9 << 20) + 77
        assert clock.next(9) == (9 << 20) + 78
        assert clock.next(10) == (10 << 20) + 77
        assert clock.observe(10 << 20, 11) == (11 << 20) + 77
        full = HybridLogicalClock((12 << 20) - 1, first_count=77)
        assert full.next(11) == 12 << 20
        assert full.next(12) == (12 << 20) + 1

    def test_begins_at_zero(self) -> None:
        clock = HybridLogicalClock()
        assert clock.last == 0
        assert clock.next(0) == 1

    @given(
        st.lists(
            st.tuples(
                st.integers(0, 2**41),
                st.none() | st.integers(0, 2**63) | st.integers(0, 2**21),
            ),
            max_size=40,
        )
    )
    def test_grows_strictly_whatever_it_is_told(self, steps: list[tuple[int, int | None]]) -> None:
        clock = HybridLogicalClock()
        for physical, received in steps:
            before = clock.last
            if received is None:
                stamp = clock.next(physical)
            else:
                stamp = clock.observe(received, physical)
                assert stamp > received
            assert stamp > before
            assert stamp >> 20 >= physical
            assert clock.last == stamp

    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=40))
    def test_two_clocks_feeding_each_other(self, turns: list[tuple[bool, int]]) -> None:
        left, right, newest = HybridLogicalClock(), HybridLogicalClock(), 0
        for to_right, physical in turns:
            giver, taker = (left, right) if to_right else (right, left)
            stamp = taker.observe(giver.next(physical), physical)
            assert stamp > newest
            newest = stamp

    def test_the_end_of_the_range_is_an_error_and_changes_nothing(self) -> None:
        clock = HybridLogicalClock(REVISION_MAX - 1)
        assert clock.next(0) == REVISION_MAX
        with pytest.raises(OverflowError):
            clock.next(0)
        with pytest.raises(OverflowError):
            clock.next(2**44)
        assert clock.last == REVISION_MAX

    def test_an_undecodable_id_is_not_observed(self) -> None:
        clock = HybridLogicalClock(5)
        with pytest.raises(OverflowError):
            clock.observe(REVISION_MAX, 1)
        assert clock.last == 5

    @pytest.mark.parametrize("last", [-1, 2**64])
    def test_start_must_be_an_id(self, last: int) -> None:
        with pytest.raises(OverflowError):
            HybridLogicalClock(last)
