"""Who a Basic header names, and whether that is root."""

from __future__ import annotations

from base64 import b64encode

import pytest

from arangorep.auth.basic import Authenticator, PasswordHash, parse_basic


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
def test_a_header_is_read(header: str, expected: tuple[str, str] | None) -> None:
    assert parse_basic(header) == expected


def test_only_roots_password_is_right_and_then_remembered() -> None:
    authenticator = Authenticator("geheim")
    assert authenticator.enabled
    right = basic("root:geheim")
    assert not authenticator.remembers(right)
    assert authenticator.check(right)
    assert authenticator.remembers(right)
    for wrong in ("root:falsch", "root:", "admin:geheim"):
        assert not authenticator.check(basic(wrong))
        assert not authenticator.remembers(basic(wrong))


def test_without_a_password_everybody_is_root() -> None:
    authenticator = Authenticator(None)
    assert not authenticator.enabled
    assert authenticator.check("")


def test_equal_passwords_have_different_hashes() -> None:
    first, second = PasswordHash("x"), PasswordHash("x")
    assert first._hash != second._hash
    assert first.matches("x")
    assert not first.matches("y")
