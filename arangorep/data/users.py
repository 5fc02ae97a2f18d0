"""Accounts as documents of `_users` in `_system`: reading, creating, changing, granting.

Whoever writes into `_users` changes accounts: a user of the document API, an import, an applier.
The directory notices by the collection's change counter. Callers of what writes hold the write
lock. Source: data-api 2.3.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from arangorep.data.collections import create_collection
from arangorep.data.documents import DocumentWriter, WriteOptions
from arangorep.data.reading import documents
from arangorep.data.transactions import Transaction
from arangorep.errors import (
    BadParameter,
    Forbidden,
    HttpBadParameter,
    UserDuplicate,
    UserNameInvalid,
    UserNotFound,
)
from arangorep.storage.catalog import Collection, Database
from arangorep.storage.store import Store
from arangorep.values.account import (
    ANY,
    ROOT,
    USERS_COLLECTION,
    Account,
    Level,
    authentication,
    parse_account,
    permissions,
)
from arangorep.values.database import SYSTEM_DATABASE

SALT_BYTES = 4
REPLACE = WriteOptions(overwrite_mode="replace")

Members = dict[str, Any]
Change = Callable[[Members], None]


class UserDirectory:
    """All accounts by name, read anew when `_users` has changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._accounts: dict[str, Account] = {}
        self._seen: tuple[Collection | None, int] = (None, -1)
        self.version = 0
        """Moves whenever accounts may have changed."""

    def refresh(self) -> None:
        """Read the accounts if anything in `_users` changed since."""
        collection = _system(self._store).named(USERS_COLLECTION)
        seen = (collection, -1 if collection is None else collection.state.changes)
        if seen[0] is self._seen[0] and seen[1] == self._seen[1]:
            return
        self._seen = seen
        self.version += 1
        self._accounts = {}
        if collection is not None:
            # of several documents for one name always the same one counts
            found = sorted(documents(self._store, collection), key=lambda d: str(d["_key"]))
            for account in filter(None, map(parse_account, found)):
                self._accounts.setdefault(account.name, account)

    def find(self, name: str) -> Account | None:
        """The account of this name."""
        self.refresh()
        return self._accounts.get(name)

    def get(self, name: str) -> Account:
        """Errors: 404/1703."""
        account = self.find(name)
        if account is None:
            raise UserNotFound
        return account

    def all(self) -> list[Account]:
        """Every account, by name."""
        self.refresh()
        return [self._accounts[name] for name in sorted(self._accounts)]

    # -- writing -----------------------------------------------------------------------------------

    def create(self, body: object) -> Account:
        """Errors: 400/400, 1700, 10; 409/1702."""
        members = _members(body)
        name = members.get("user")
        if not isinstance(name, str) or not name:
            raise UserNameInvalid
        if self.find(name) is not None:
            raise UserDuplicate
        password, active, extra = _wishes(members)
        self._write(
            {
                "user": name,
                "source": "LOCAL",
                "authData": authentication(_salt(), password, active=active),
                "databases": {},
                "userData": extra,
                "configData": {},
            }
        )
        return self.get(name)

    def replace(self, name: str, body: object) -> Account:
        """Password, `active` and `extra` anew; levels stay. Errors: 404/1703; 400/400, 10."""
        self.get(name)
        password, active, extra = _wishes(_members(body))

        def change(document: Members) -> None:
            document["authData"] = authentication(_salt(), password, active=active)
            document["userData"] = extra

        return self._change(name, change)

    def update(self, name: str, body: object) -> Account:
        """Only what is given; `extra` is merged. Errors: 404/1703; 400/400, 10."""
        account = self.get(name)
        members = _members(body)
        password, active, extra = _wishes(members)

        def change(document: Members) -> None:
            if "passwd" in members:
                now_active = active if "active" in members else account.active
                document["authData"] = authentication(_salt(), password, active=now_active)
            elif "active" in members:
                document["authData"] = {**_object(document.get("authData")), "active": active}
            document["userData"] = {**account.extra, **extra}

        return self._change(name, change)

    def remove(self, name: str) -> None:
        """Errors: 404/1703; 403/11 for root."""
        account = self.get(name)
        if name == ROOT:
            raise Forbidden("forbidden: root cannot be removed")
        transaction, writer = self._begin()
        for document in documents(self._store, _system(self._store).find(USERS_COLLECTION)):
            if document.get("user") == account.name:
                writer.remove(document["_key"])
        transaction.commit()

    def set_level(self, name: str, database: str, collection: str, level: Level | None) -> None:
        """Grant, or with None take back, a level on a database (collection "") or a collection.

        Taking a database's level back takes those of its collections too. Errors: 404/1703.
        """
        self.get(name)

        self._change(name, lambda document: _set_level(document, database, collection, level))

    def grant_new_database(self, database: str, users: object, creator: str) -> None:
        """After a database was created: make the accounts named, and let them and its creator in.

        `users` has been checked; "" is a creator without an account. Accounts that exist keep their
        password. Source: data-api 4.2.
        """
        names = {creator} if self.find(creator) is not None else set()
        for user in users if isinstance(users, list) else []:
            name = user.get("username", user.get("user"))
            if self.find(name) is None:
                self.create({**user, "user": name})
            names.add(name)
        for name in sorted(names):
            account = self.get(name)
            # who may everything everywhere, like root, needs no line for each database
            if account.collection_level(database, ANY) is not Level.WRITE:
                self.set_level(name, database, "", Level.WRITE)
                self.set_level(name, database, ANY, Level.WRITE)

    def forget(self, database: str, collection: str = "") -> None:
        """Take back every level on something that is dropped, of all accounts or of none."""
        named = set()
        for account in self.all():
            grant = account.grants.get(database)
            if grant is not None and (not collection or collection in grant.collections):
                named.add(account.key)
        if not named:
            return
        transaction, writer = self._begin()
        for document in documents(self._store, _system(self._store).find(USERS_COLLECTION)):
            if document["_key"] in named:
                _set_level(document, database, collection, None)
                writer.insert(document)
        transaction.commit()

    def ensure_root(self, password: str | None) -> None:
        """At start: root exists, and has this password if one is given."""
        root = self.find(ROOT)
        if root is None:
            self.create({"user": ROOT, "passwd": password or ""})
            self.set_level(ROOT, ANY, "", Level.WRITE)
            self.set_level(ROOT, ANY, ANY, Level.WRITE)
        elif password is not None and not (root.matches(password) and root.active):
            self.update(ROOT, {"passwd": password, "active": True})

    def _begin(self) -> tuple[Transaction, DocumentWriter]:
        database = _system(self._store)
        collection = database.named(USERS_COLLECTION)
        if collection is None:
            body = {"name": USERS_COLLECTION, "isSystem": True}
            collection = create_collection(self._store, database, body)
        transaction = Transaction(self._store, database, grouped=False)
        return transaction, DocumentWriter(transaction, collection, REPLACE)

    def _write(self, document: Members) -> None:
        transaction, writer = self._begin()
        writer.insert(document)
        transaction.commit()

    def _change(self, name: str, change: Change) -> Account:
        account = self.get(name)
        collection = _system(self._store).find(USERS_COLLECTION)
        for document in documents(self._store, collection):
            if document["_key"] == account.key:
                change(document)
                self._write(document)
        return self.get(name)


def _set_level(document: Members, database: str, collection: str, level: Level | None) -> None:
    grants = {**_object(document.get("databases"))}
    entry = {**_object(grants.get(database))}
    if collection:
        inner = {**_object(entry.get("collections"))}
        inner.pop(collection, None)
        if level is not None:
            inner[collection] = {"permissions": permissions(level)}
        entry["collections"] = inner
        entry.setdefault("permissions", {"undefined": True})
    elif level is not None:
        entry["permissions"] = permissions(level)
    if collection or level is not None:
        grants[database] = entry
    else:
        grants.pop(database, None)
    document["databases"] = grants


def _system(store: Store) -> Database:
    return store.catalog.database(SYSTEM_DATABASE)


def _members(body: object) -> Members:
    """What is given; null is not. Errors: 400/400."""
    if not isinstance(body, dict):
        raise HttpBadParameter("bad parameter: the body must be an object")
    return {name: value for name, value in body.items() if value is not None}


def _wishes(members: Mapping[str, Any]) -> tuple[str, bool, Members]:
    """Password, `active` and `extra`, defaults filled in. Errors: 400/10."""
    password, active = members.get("passwd", ""), members.get("active", True)
    extra = members.get("extra", {})
    if not isinstance(password, str):
        raise BadParameter("bad parameter: 'passwd' must be a string")
    if not isinstance(active, bool):
        raise BadParameter("bad parameter: 'active' must be a boolean")
    if not isinstance(extra, dict):
        raise BadParameter("bad parameter: 'extra' must be an object")
    return password, active, extra


def _object(value: object) -> Members:
    return value if isinstance(value, dict) else {}


def _salt() -> str:
    return secrets.token_hex(SALT_BYTES)
