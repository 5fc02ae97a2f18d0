"""Basic authentication of `root` (data-api 2.1).

The password is kept as a scrypt hash. Checking one is slow on purpose, so a header that was right
once is remembered by its digest.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

ROOT = "root"
SCRYPT_N = 2**14
SCRYPT_R = 8
SCRYPT_P = 1
REMEMBERED_MAX = 1024


class PasswordHash:
    """A salted scrypt hash of one password."""

    __slots__ = ("_hash", "_salt")

    def __init__(self, password: str) -> None:
        self._salt = secrets.token_bytes(16)
        self._hash = self._derive(password)

    def _derive(self, password: str) -> bytes:
        return hashlib.scrypt(
            password.encode(), salt=self._salt, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P
        )

    def matches(self, password: str) -> bool:
        """Whether this is the password; takes some 50 ms."""
        return hmac.compare_digest(self._derive(password), self._hash)


class Authenticator:
    """Who a request comes from. Without a root password everybody is root."""

    def __init__(self, root_password: str | None) -> None:
        self._root = None if root_password is None else PasswordHash(root_password)
        self._remembered: set[bytes] = set()

    @property
    def enabled(self) -> bool:
        """Whether requests must prove who they are."""
        return self._root is not None

    def remembers(self, authorization: str) -> bool:
        """Whether this header was right before (the quick half of a check)."""
        return self._digest(authorization) in self._remembered

    def check(self, authorization: str) -> bool:
        """Whether the header names root and its password. Slow: run it in a worker thread."""
        if self._root is None:
            return True
        credentials = parse_basic(authorization)
        if credentials is None:
            return False
        user, password = credentials
        # the hash is computed for unknown users too: the time must not tell which exist
        right = self._root.matches(password) and user == ROOT
        if right:
            if len(self._remembered) >= REMEMBERED_MAX:
                self._remembered.clear()
            self._remembered.add(self._digest(authorization))
        return right

    @staticmethod
    def _digest(authorization: str) -> bytes:
        return hashlib.sha256(authorization.encode(errors="surrogateescape")).digest()


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
