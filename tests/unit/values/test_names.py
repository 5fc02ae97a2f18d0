"""Names and keys (data-api 4.1, 5.1, 5.5, 8.3)."""

import string
import unicodedata
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.errors import DatabaseNameInvalid, DocumentKeyBad, IllegalName
from arangorep.values.names import (
    check_collection_name,
    check_database_name,
    check_index_name,
    check_key,
    is_key,
    normalize_name,
)

DECOMPOSED = "mo\u0308to\u0308r"
COMPOSED = "mötör"

NOT_STRINGS: list[object] = [None, 1, True, 1.5, [], {}, b"bytes"]

CHECKS: list[Callable[[object], str]] = [
    check_database_name,
    partial(check_collection_name, is_system=False),
    check_index_name,
]

GOOD_ANYWHERE = [
    "a",
    "Products",
    "a-b_c",
    "a.b",
    "a b",
    "a1",
    "maçã",
    "😀",
    "اسم",
    "日本語",
    "a\x7f",
    "a;drop",
    "%41",
]

BAD_ANYWHERE = [
    "",
    " ",
    " a",
    "a ",
    ".a",
    "1a",
    "0",
    "a/b",
    "/",
    "a:b",
    "a\x00",
    "a\nb",
    "a\x1fb",
    "a\t",
    "a\ud800",
    "\udfffa",
]


@pytest.mark.parametrize("name", GOOD_ANYWHERE)
def test_good_names_are_kept(name: str) -> None:
    assert check_database_name(name) == name
    assert check_collection_name(name, is_system=False) == name
    assert check_collection_name("_" + name, is_system=True) == "_" + name
    assert check_index_name(name) == name


@pytest.mark.parametrize("name", BAD_ANYWHERE)
def test_bad_names_are_refused(name: str) -> None:
    for check in CHECKS:
        with pytest.raises(IllegalName, match=r"^illegal name: ") as caught:
            check(name)
        assert (caught.value.error_num, caught.value.http_status) == (1208, 400)


@pytest.mark.parametrize("name", NOT_STRINGS)
def test_names_that_are_no_strings(name: object) -> None:
    with pytest.raises(DatabaseNameInvalid):
        check_database_name(name)
    with pytest.raises(IllegalName):
        check_collection_name(name, is_system=False)
    with pytest.raises(IllegalName):
        check_index_name(name)


def test_lengths_count_bytes() -> None:
    assert check_database_name("é" * 64)
    assert check_collection_name("😀" * 64, is_system=False)
    for check, bytes_max in zip(CHECKS, (128, 256, 256), strict=True):
        assert check("a" * bytes_max)
        for name in ("a" * (bytes_max + 1), "é" * (bytes_max // 2) + "a"):
            with pytest.raises(IllegalName):
                check(name)


def test_lengths_are_those_of_the_normalized_form() -> None:
    # Decomposed, an é takes three bytes instead of two.
    assert check_database_name("e\u0301" * 64) == "é" * 64


def test_names_are_normalized() -> None:
    assert normalize_name(DECOMPOSED) == COMPOSED
    assert check_database_name(DECOMPOSED) == COMPOSED
    assert check_collection_name(DECOMPOSED, is_system=False) == COMPOSED
    assert check_index_name(DECOMPOSED) == COMPOSED


def test_leading_underscore() -> None:
    for name in ("_system", "_", "_a"):
        with pytest.raises(IllegalName):
            check_database_name(name)
    assert check_collection_name("_graphs", is_system=True) == "_graphs"
    assert check_index_name("_a") == "_a"
    with pytest.raises(IllegalName):
        check_collection_name("_graphs", is_system=False)
    with pytest.raises(IllegalName):
        check_collection_name("graphs", is_system=True)


@given(st.text(st.characters(), max_size=300))
def test_a_legal_name_keeps_every_rule(text: str) -> None:
    try:
        name = check_collection_name(text, is_system=False)
    except IllegalName:
        return
    assert unicodedata.is_normalized("NFC", name)
    assert 1 <= len(name.encode()) <= 256
    assert not set(name) & set("/:" + "".join(map(chr, range(32))))
    assert name[0] not in "0123456789. _"
    assert name[-1] != " "
    assert check_collection_name(name, is_system=False) == name


KEY_ALPHABET = string.ascii_letters + string.digits + "_-.@()+,=;$!*'%:"


@given(st.text(KEY_ALPHABET, min_size=1, max_size=254))
def test_good_keys(key: str) -> None:
    assert is_key(key)
    assert check_key(key) == key


@pytest.mark.parametrize("character", sorted(set(map(chr, range(0x180))) - set(KEY_ALPHABET)))
def test_every_other_character_spoils_a_key(character: str) -> None:
    for key in (character, f"a{character}", f"{character}a"):
        assert not is_key(key)
        with pytest.raises(DocumentKeyBad):
            check_key(key)


def test_key_length() -> None:
    assert is_key("k" * 254)
    assert not is_key("k" * 255)
    assert not is_key("")


@pytest.mark.parametrize("key", NOT_STRINGS)
def test_keys_that_are_no_strings(key: object) -> None:
    with pytest.raises(DocumentKeyBad):
        check_key(key)
