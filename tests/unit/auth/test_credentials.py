"""What an Authorization header carries."""

from __future__ import annotations

from base64 import b64encode

import pytest

from arangorep.auth.credentials import parse_basic, parse_bearer


def basic(text: str) -> str:
    return "Basic " + b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (basic("root:pw"), ("root", "pw")),
        (basic("root:"), ("root", "")),
        (basic("root:a:b"), ("root", "a:b")),
        (basic("Ünï:pässword"), ("Ünï", "pässword")),
        ("bAsIc " + b64encode(b"a:b").decode(), ("a", "b")),
        (basic(":pw"), None),
        (basic("root"), None),
        ("Basic !!!", None),
        ("Basic " + b64encode(b"\xff:x").decode(), None),
        ("Bearer abc", None),
        ("", None),
    ],
)
def test_a_basic_header(header: str, expected: tuple[str, str] | None) -> None:
    assert parse_basic(header) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [("bearer a.b.c", "a.b.c"), ("BEARER  x ", "x"), ("Bearer", ""), ("Basic x", None), ("", None)],
)
def test_a_bearer_header(header: str, expected: str | None) -> None:
    assert parse_bearer(header) == expected
