"""User accounts: the documents of `_users`, passwords, and who may do what where.

An account is a document, so accounts replicate, and a leader of another make can read them. The
hash is the one those documents prescribe (SHA-256 over salt and password). Source: data-api 2.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from arangorep.values.database import SYSTEM_DATABASE

ROOT: Final = "root"
USERS_COLLECTION: Final = "_users"
ANY: Final = "*"
"""In place of a database or collection: all that have no level of their own."""


class Level(IntEnum):
    """What a user may do with a database or collection."""

    NONE = 0
    READ = 1
    WRITE = 2

    @property
    def word(self) -> str:
        """`none`, `ro` or `rw`."""
        return ("none", "ro", "rw")[self]


UNDEFINED: Final = "undefined"
LEVELS: Final[Mapping[str, Level]] = {level.word: level for level in Level}


@dataclass(frozen=True, slots=True)
class Grant:
    """The levels set for one database (or `*`); None where only collections have one."""

    level: Level | None = None
    collections: Mapping[str, Level] = field(default_factory=dict)


NO_GRANT: Final = Grant()


@dataclass(frozen=True, slots=True)
class Account:
    """One user. `key` is that of its document."""

    key: str
    name: str
    active: bool
    extra: Mapping[str, Any]
    salt: str
    hash: str
    method: str
    grants: Mapping[str, Grant]

    def describe(self) -> dict[str, Any]:
        """The form in answers of `/_api/user`."""
        return {"user": self.name, "active": self.active, "extra": self.extra}

    def matches(self, password: str) -> bool:
        """Whether this is the password; an unknown method matches nothing."""
        expected = password_hash(self.salt, password) if self.method == "sha256" else ""
        return hmac.compare_digest(expected.encode(), self.hash.encode()) and bool(expected)

    def grant(self, database: str) -> Grant:
        """What is set for a database itself."""
        return self.grants.get(database, NO_GRANT)

    def database_level(self, database: str) -> Level:
        """The effective level: the database's own, else that of `*`."""
        level = self.grant(database).level
        if level is None:
            level = self.grant(ANY).level
        return Level.NONE if level is None else level

    def collection_level(self, database: str, collection: str) -> Level:
        """The effective level: its own, else that of `*` in its database, else the database's; the
        level of `*/*` where the database has none of its own.

        System collections go with their database, accounts belong to administrators.
        """
        if collection.startswith("_"):
            if database == SYSTEM_DATABASE and collection == USERS_COLLECTION:
                return Level.WRITE if self.is_admin else Level.NONE
            return self.database_level(database)
        own = self.grants.get(database)
        set_here = {} if own is None else own.collections
        for name in (collection, ANY):
            if name in set_here:
                return set_here[name]
        if own is None or own.level is None:
            anywhere = self.grant(ANY).collections.get(ANY)
            if anywhere is not None:
                return anywhere
        return self.database_level(database)

    @property
    def is_admin(self) -> bool:
        """Who may write into `_system` administers the server."""
        return self.database_level(SYSTEM_DATABASE) is Level.WRITE


@dataclass(frozen=True, slots=True)
class Identity:
    """Who sent a request. Without an account: a superuser, or nobody (`is_anonymous`)."""

    user: str
    account: Account | None = None
    allowed_paths: frozenset[str] | None = None
    is_anonymous: bool = False
    token_expires_s: float | None = None
    """Unix time, for who came with a token."""

    @property
    def is_admin(self) -> bool:
        return not self.is_anonymous and (self.account is None or self.account.is_admin)

    def database_level(self, database: str) -> Level:
        if self.account is not None:
            return self.account.database_level(database)
        return Level.NONE if self.is_anonymous else Level.WRITE

    def collection_level(self, database: str, collection: str) -> Level:
        if self.account is not None:
            return self.account.collection_level(database, collection)
        return Level.NONE if self.is_anonymous else Level.WRITE


def password_hash(salt: str, password: str) -> str:
    """Lower hex of SHA-256 over salt and password. Source: data-api 2.3."""
    return hashlib.sha256(salt.encode() + password.encode(errors="surrogatepass")).hexdigest()


def authentication(salt: str, password: str, *, active: bool) -> dict[str, Any]:
    """The `authData` of an account's document."""
    simple = {"hash": password_hash(salt, password), "salt": salt, "method": "sha256"}
    return {"active": active, "simple": simple}


def permissions(level: Level) -> dict[str, bool]:
    """The `permissions` of a database or collection in an account's document."""
    return {"read": level >= Level.READ, "write": level is Level.WRITE}


def parse_account(document: Mapping[str, Any]) -> Account | None:
    """The account that a document of `_users` describes; None for a document that is none."""
    name = document.get("user")
    if not isinstance(name, str) or not name:
        return None
    auth = _object(document.get("authData"))
    simple = _object(auth.get("simple"))
    return Account(
        key=document["_key"],
        name=name,
        active=auth.get("active") is True,
        extra=_object(document.get("userData")),
        salt=_text(simple.get("salt")),
        hash=_text(simple.get("hash")),
        method=_text(simple.get("method")),
        grants={n: _grant(value) for n, value in _object(document.get("databases")).items()},
    )


def _grant(value: object) -> Grant:
    entry = _object(value)
    collections = {
        name: level
        for name, member in _object(entry.get("collections")).items()
        if (level := _level(member)) is not None
    }
    return Grant(_level(entry), collections)


def _level(value: object) -> Level | None:
    allowed = _object(value).get("permissions")
    if not isinstance(allowed, dict) or allowed.get("undefined") is True:
        return None
    if allowed.get("write") is True:
        return Level.WRITE
    return Level.READ if allowed.get("read") is True else Level.NONE


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
