"""Tokens: what is issued, what is read, what is refused."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from arangorep.auth.tokens import Token, Tokens

SECRET = "s" * 32
NOW = 1_700_000_000


def signed(
    claims: dict[str, Any], secret: str = SECRET, algorithm: str = "HS256", typ: str = "JWT"
) -> str:
    return jwt.encode(claims, secret, algorithm=algorithm, headers={"typ": typ})


GOOD = {"iss": "arangodb", "preferred_username": "ann", "exp": NOW + 10}


def test_an_issued_token_is_read_again() -> None:
    tokens = Tokens(SECRET)
    text = tokens.issue("ann", NOW, 60)
    claims = jwt.decode(text, SECRET, algorithms=["HS256"], options={"verify_exp": False})
    assert claims == {
        "preferred_username": "ann", "iss": "arangodb", "iat": NOW, "exp": NOW + 60,
    }  # fmt: skip
    assert tokens.read(text, NOW) == Token("ann", NOW + 60, None)
    assert tokens.read(text, NOW + 59.9) is not None
    assert tokens.read(text, NOW + 60) is None
    assert Tokens("t" * 32).read(text, NOW) is None


def test_a_superusers_token() -> None:
    tokens = Tokens(SECRET)
    assert tokens.read(tokens.issue_superuser("me"), NOW) == Token(None, None, None)


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        (GOOD, True),
        ({"iss": "arangodb", "server_id": "x"}, True),
        ({"iss": "arangodb", "server_id": "x", "exp": NOW + 0.5}, True),
        ({**GOOD, "allowed_paths": ["/_api/version"]}, True),
        ({**GOOD, "iat": NOW + 1000}, True),
        ({**GOOD, "aud": "whoever"}, True),
        ({**GOOD, "iss": "somebody"}, False),
        ({"preferred_username": "ann"}, False),
        ({"iss": "arangodb"}, False),
        ({**GOOD, "preferred_username": ""}, False),
        ({**GOOD, "preferred_username": 5}, False),
        ({**GOOD, "preferred_username": None}, False),
        ({**GOOD, "exp": 0}, False),
        ({**GOOD, "exp": NOW}, False),
        ({**GOOD, "exp": "soon"}, False),
        ({**GOOD, "exp": True}, False),
        ({**GOOD, "allowed_paths": "/_api/version"}, False),
        ({**GOOD, "allowed_paths": [1]}, False),
    ],
)
def test_claims(claims: dict[str, Any], expected: bool) -> None:
    assert (Tokens(SECRET).read(signed(claims), NOW) is not None) is expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "a.b.c",
        signed(GOOD, algorithm="HS512", secret="s" * 64),
        signed(GOOD, typ="JWS"),
        signed(GOOD)[:-2],
        signed(GOOD) + "x",
        "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + signed(GOOD).split(".")[1] + ".",
    ],
)
def test_what_is_no_token(text: str) -> None:
    assert Tokens(SECRET).read(text, NOW) is None
