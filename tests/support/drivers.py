"""What tests with real drivers share: a password, a secret, tokens, numbers for names."""

from __future__ import annotations

import time
from itertools import count

import jwt

ROOT_PASSWORD = "a secret"
JWT_SECRET = "a secret of more than thirty-two bytes"

_numbers = count(1)


def fresh_name(prefix: str) -> str:
    """A name that no other test of this process uses."""
    return f"{prefix}{next(_numbers)}"


def user_token(user: str, *, valid_s: int = 3600, secret: str = JWT_SECRET) -> str:
    """A token as `/_open/auth` gives out."""
    claims = {"preferred_username": user, **_standing(valid_s)}
    return jwt.encode(claims, secret, algorithm="HS256")


def superuser_token(*, valid_s: int = 3600, secret: str = JWT_SECRET) -> str:
    """A token as those make who know the secret."""
    return jwt.encode({"server_id": "client", **_standing(valid_s)}, secret, algorithm="HS256")


def _standing(valid_s: int) -> dict[str, str | int]:
    now_s = int(time.time())
    return {"iss": "arangodb", "iat": now_s, "exp": now_s + valid_s}
