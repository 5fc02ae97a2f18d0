"""What an `Authorization` header carries (data-api 2.1)."""

from __future__ import annotations

import base64
import binascii


def parse_basic(authorization: str) -> tuple[str, str] | None:
    """User and password of a Basic header; None when it is none or names no user."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    user, colon, password = text.partition(":")
    return (user, password) if colon and user else None


def parse_bearer(authorization: str) -> str | None:
    """The token of a Bearer header."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
