"""The hash of the keys protocol (leader-api 5.2); what it hashes is tested over HTTP."""

from __future__ import annotations

import pytest
import xxhash

from arangorep.values.checksum import hash_string


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("", b"\x40"),
        ("a", b"\x41a"),
        ("é€😀", b"\x49\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
        ("x" * 126, b"\xbe" + b"x" * 126),
        ("x" * 127, b"\xbf\x7f\0\0\0\0\0\0\0" + b"x" * 127),
        ("x" * 254, b"\xbf\xfe\0\0\0\0\0\0\0" + b"x" * 254),
        ("é" * 64, b"\xbf\x80\0\0\0\0\0\0\0" + "é".encode() * 64),
    ],
)
def test_a_text_is_hashed_in_its_velocypack_form(text: str, encoded: bytes) -> None:
    assert hash_string(text) == xxhash.xxh64_intdigest(encoded, seed=0xDEADBEEF)
