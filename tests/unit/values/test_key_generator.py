"""Key generators (data-api 5.6)."""

import re
import uuid
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.errors import DocumentKeyBad, DocumentKeyUnexpected, InvalidKeyGenerator, OutOfKeys
from arangorep.values.key_generator import (
    KeyOptions,
    check_user_key,
    generate,
    parse_key_options,
    track,
)

U64_MAX = 2**64 - 1
TRADITIONAL = KeyOptions("traditional", True, 1, 0)
PADDED = KeyOptions("padded", True, 1, 0)
AUTOINCREMENT = KeyOptions("autoincrement", True, 1, 0)
UUID = KeyOptions("uuid", True, 1, 0)


def no_tick() -> int:
    raise AssertionError("this generator needs no tick")


# -- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, 1, "padded", [], True, {}])
def test_anything_without_options_means_traditional(value: object) -> None:
    assert parse_key_options(value) == (TRADITIONAL, 0)


def test_options_are_read() -> None:
    body = {"type": "autoincrement", "allowUserKeys": False, "increment": 5, "offset": 3}
    expected = KeyOptions("autoincrement", False, 5, 3)
    assert parse_key_options({**body, "lastValue": 13}) == (expected, 13)
    assert parse_key_options({"type": "PADDED", "lastValue": U64_MAX}) == (PADDED, U64_MAX)
    assert parse_key_options({"type": "uuid", "unknown": 1}) == (UUID, 0)
    assert parse_key_options({"lastValue": 7}) == (TRADITIONAL, 7)
    assert parse_key_options({"type": "autoincrement", "increment": 65535})[0].increment == 65535


@pytest.mark.parametrize(
    "body",
    [
        {"type": "random"},
        {"type": ""},
        {"type": None},
        {"type": 1},
        {"allowUserKeys": 1},
        {"allowUserKeys": None},
        {"lastValue": -1},
        {"lastValue": U64_MAX + 1},
        {"lastValue": "1"},
        {"lastValue": True},
        {"increment": 1},
        {"offset": 0},
        {"type": "padded", "increment": 1},
        {"type": "uuid", "offset": 1},
        {"type": "uuid", "lastValue": 0},
        {"type": "autoincrement", "increment": 0},
        {"type": "autoincrement", "increment": -1},
        {"type": "autoincrement", "increment": 65536},
        {"type": "autoincrement", "increment": 1.5},
        {"type": "autoincrement", "increment": None},
        {"type": "autoincrement", "offset": -1},
        {"type": "autoincrement", "offset": U64_MAX + 1},
        {"type": "autoincrement", "lastValue": -1},
    ],
)
def test_malformed_options(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidKeyGenerator):
        parse_key_options(body)


def test_describe() -> None:
    assert list(TRADITIONAL.describe(7).items()) == [
        ("allowUserKeys", True),
        ("type", "traditional"),
        ("lastValue", 7),
    ]
    assert PADDED.describe(7) == {"allowUserKeys": True, "type": "padded", "lastValue": 7}
    assert UUID.describe(7) == {"allowUserKeys": True, "type": "uuid"}
    assert KeyOptions("autoincrement", False, 5, 3).describe(8) == {
        "allowUserKeys": False,
        "type": "autoincrement",
        "lastValue": 8,
        "offset": 3,
        "increment": 5,
    }


@pytest.mark.parametrize("options", [TRADITIONAL, PADDED, KeyOptions("autoincrement", True, 4, 2)])
def test_described_options_can_be_parsed(options: KeyOptions) -> None:
    assert parse_key_options(options.describe(9)) == (options, 9)


# -- generating ---------------------------------------------------------------------------------


def test_traditional_keys_are_ticks() -> None:
    assert generate(TRADITIONAL, 0, lambda: 500) == ("500", 500)
    assert generate(TRADITIONAL, 499, lambda: 500) == ("500", 500)
    assert generate(TRADITIONAL, 500, lambda: 500) == ("501", 501)
    assert generate(TRADITIONAL, 9000, lambda: 500) == ("9001", 9001)


def test_padded_keys_are_ticks_in_hex() -> None:
    assert generate(PADDED, 0, lambda: 500) == ("00000000000001f4", 500)
    assert generate(PADDED, 0xABCDEF, lambda: 500) == ("0000000000abcdf0", 0xABCDF0)
    assert generate(PADDED, U64_MAX - 1, lambda: 500) == ("f" * 16, U64_MAX)


def test_uuid_keys() -> None:
    key, last_value = generate(UUID, 5, no_tick)
    assert last_value == 5
    assert str(uuid.UUID(key)) == key
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", key)
    assert generate(UUID, 5, no_tick)[0] != key


def test_autoincrement_starts_at_the_offset() -> None:
    options = KeyOptions("autoincrement", True, 5, 3)
    assert generate(options, 0, no_tick) == ("3", 3)
    assert generate(options, 3, no_tick) == ("8", 8)
    assert generate(options, 4, no_tick) == ("8", 8)
    assert generate(options, 7, no_tick) == ("8", 8)
    assert generate(AUTOINCREMENT, 0, no_tick) == ("1", 1)


@given(st.integers(0, U64_MAX), st.integers(1, 65535), st.integers(0, 10**6))
def test_autoincrement_gives_the_next_number_of_the_series(
    last_value: int, increment: int, offset: int
) -> None:
    options = KeyOptions("autoincrement", True, increment, offset)
    steps = max(0, (last_value - offset) // increment - 1)
    series = count(offset + steps * increment, increment)
    # With offset 0 the series starts at the increment, because 0 is what an empty one has.
    expected = next(number for number in series if number > last_value)
    if expected > U64_MAX:
        with pytest.raises(OutOfKeys):
            generate(options, last_value, no_tick)
    else:
        assert generate(options, last_value, no_tick) == (str(expected), expected)


@pytest.mark.parametrize("options", [TRADITIONAL, PADDED, AUTOINCREMENT])
def test_keys_end_at_64_bits(options: KeyOptions) -> None:
    assert generate(options, U64_MAX - 1, lambda: 1)[1] == U64_MAX
    with pytest.raises(OutOfKeys):
        generate(options, U64_MAX, lambda: 1)


# -- keys of users ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "key", "expected"),
    [
        (TRADITIONAL, "abc", 100),
        (TRADITIONAL, "99", 100),
        (TRADITIONAL, "100", 100),
        (TRADITIONAL, "101", 101),
        (TRADITIONAL, "900", 900),
        (TRADITIONAL, "101abc", 101),
        (TRADITIONAL, "a101", 100),
        (TRADITIONAL, "0000000101", 101),
        (TRADITIONAL, "", 100),
        (TRADITIONAL, str(U64_MAX), U64_MAX),
        (TRADITIONAL, str(U64_MAX + 1), 100),
        (TRADITIONAL, "9" * 254, 100),
        (PADDED, "00000000000001f4", 500),
        (PADDED, "00000000000001F4", 500),
        (PADDED, "0000000000000001", 100),
        (PADDED, "00000000000001f", 100),
        (PADDED, "000000000000001f4", 100),
        (PADDED, "00000000000001g4", 100),
        (PADDED, "f" * 16, U64_MAX),
        (AUTOINCREMENT, "101", 101),
        (AUTOINCREMENT, "99", 100),
        (AUTOINCREMENT, "101abc", 100),
        (AUTOINCREMENT, "٣٠٠", 100),
        (AUTOINCREMENT, str(U64_MAX + 1), 100),
        (UUID, "101", 100),
    ],
)
def test_track(options: KeyOptions, key: str, expected: int) -> None:
    assert track(options, 100, key) == expected


@pytest.mark.parametrize("options", [TRADITIONAL, PADDED, AUTOINCREMENT, UUID])
def test_a_key_without_a_number_leaves_an_empty_collection_as_it_is(options: KeyOptions) -> None:
    assert track(options, 0, "abc") == 0


@given(st.sampled_from([TRADITIONAL, PADDED, AUTOINCREMENT]), st.integers(0, U64_MAX - 1))
def test_a_tracked_key_is_not_generated_again(options: KeyOptions, number: int) -> None:
    key = f"{number:016x}" if options is PADDED else str(number)
    last_value = track(options, 0, key)
    assert generate(options, last_value, lambda: 1)[0] != key


@pytest.mark.parametrize("options", [TRADITIONAL, PADDED, UUID])
def test_user_keys_are_checked(options: KeyOptions) -> None:
    assert check_user_key(options, "abc") == "abc"
    for key in ("a b", "", "a" * 255, 1, None):
        with pytest.raises(DocumentKeyBad):
            check_user_key(options, key)


def test_user_keys_of_autoincrement_are_numbers() -> None:
    assert check_user_key(AUTOINCREMENT, "0123") == "0123"
    assert check_user_key(AUTOINCREMENT, "9" * 30) == "9" * 30
    for key in ("a", "1a", "-1", "1.5", "٣", "", 1):
        with pytest.raises(DocumentKeyBad):
            check_user_key(AUTOINCREMENT, key)


def test_user_keys_can_be_forbidden() -> None:
    options = KeyOptions("traditional", False, 1, 0)
    # Even a malformed key is first of all unexpected.
    for key in ("abc", "a b", None):
        with pytest.raises(DocumentKeyUnexpected):
            check_user_key(options, key)
