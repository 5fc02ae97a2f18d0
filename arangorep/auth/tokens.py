"""JSON web tokens of users and of other servers (data-api 2.1, 2.2)."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.types import Options
from jwt.warnings import InsecureKeyLengthWarning

log = logging.getLogger("arangorep.auth")

ALGORITHM = "HS256"
ISSUER = "arangodb"
SECRET_BYTES_WANTED = 32
FAR_AWAY_S = 2**53
"""Later ends of a token are not told apart."""
NOT_BY_THE_LIBRARY: Options = {
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_aud": False,
}
"""Moments are compared with the injected clock; an audience means nothing here."""


@contextmanager
def quietly() -> Iterator[None]:
    """Without the library's word on short secrets at every token: it is said once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyLengthWarning)
        yield


@dataclass(frozen=True, slots=True)
class Token:
    """What a valid token says. Without a user it is a superuser's."""

    user: str | None
    expires_s: float | None
    """Unix time."""
    allowed_paths: frozenset[str] | None


class Tokens:
    """Issues and reads tokens signed with one secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        if len(secret) < SECRET_BYTES_WANTED:
            log.warning("the JWT secret is short: %d bytes are wanted", SECRET_BYTES_WANTED)

    def issue(self, user: str, now_s: int, ttl_s: int) -> str:
        """A user's token, valid for `ttl_s`."""
        claims = {"preferred_username": user, "iss": ISSUER, "iat": now_s, "exp": now_s + ttl_s}
        return self._signed(claims)

    def issue_superuser(self, server_id: str) -> str:
        """A token by which servers know each other; it does not expire."""
        claims = {"server_id": server_id, "iss": ISSUER}
        return self._signed(claims)

    def _signed(self, claims: dict[str, Any]) -> str:
        with quietly():
            return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def read(self, text: str, now_s: float) -> Token | None:
        """What a token says; None when it is forged, malformed or expired."""
        try:
            if jwt.get_unverified_header(text).get("typ") != "JWT":
                return None
            with quietly():
                claims = jwt.decode(
                    text,
                    self._secret,
                    algorithms=[ALGORITHM],
                    issuer=ISSUER,
                    options=NOT_BY_THE_LIBRARY,
                )
        except (jwt.InvalidTokenError, ValueError):  # also bytes that are no text
            return None
        return _token(claims, now_s)


def _token(claims: dict[str, Any], now_s: float) -> Token | None:
    user, expires_s = claims.get("preferred_username"), claims.get("exp")
    if user is None:
        if "server_id" not in claims:
            return None
    elif not isinstance(user, str) or not user:
        return None
    if expires_s is not None:
        if isinstance(expires_s, bool) or not isinstance(expires_s, (int, float)):
            return None
        expires_s = float(max(min(expires_s, FAR_AWAY_S), -FAR_AWAY_S))
        if not expires_s > now_s:  # nor is one that is no number
            return None
    paths = claims.get("allowed_paths")
    if paths is not None:
        if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
            return None
        paths = frozenset(paths)
    return Token(user, expires_s, paths)
