"""Creating and dropping databases (data-api 4); markers 1100 and 1101."""

from __future__ import annotations

from arangorep.codec.json import dumps, json_text
from arangorep.data.collections import stage_new_collection
from arangorep.data.markers import log_marker
from arangorep.errors import (
    DatabaseNameInvalid,
    DuplicateName,
    Forbidden,
    HttpBadParameter,
    UserNameInvalid,
)
from arangorep.storage.catalog import Database
from arangorep.storage.commit import Commit, DropDatabase, PutDatabase
from arangorep.storage.store import Store
from arangorep.values import names
from arangorep.values.collection import parse_collection
from arangorep.values.database import SYSTEM_DATABASE, SYSTEM_DATABASE_ID, DatabaseInfo
from arangorep.values.marker import MarkerType

SYSTEM_COLLECTIONS = ("_analyzers", "_graphs")
"""What every database has, so that a follower that copies system collections finds them."""


def ensure_system_database(store: Store) -> None:
    """Create `_system` in a new store."""
    if not store.catalog.has_database(SYSTEM_DATABASE):
        info = DatabaseInfo(SYSTEM_DATABASE_ID, SYSTEM_DATABASE)
        _create(store, info, (*SYSTEM_COLLECTIONS, "_users"))


def create_database(store: Store, body: object) -> str:
    """Returns the name. Accounts named in `users` are checked here, and made by the caller.

    Errors: 400/400, 1208, 1229; 409/1207.
    """
    if not isinstance(body, dict):
        raise HttpBadParameter("bad parameter: the body must be an object")
    _check_options(body.get("options"))
    _check_users(body.get("users"))
    given = body.get("name")
    if not isinstance(given, str):
        raise DatabaseNameInvalid
    if names.normalize_name(given) == SYSTEM_DATABASE or store.catalog.has_database(
        names.check_database_name(given)
    ):
        raise DuplicateName(f"duplicate name: {given}")
    info = DatabaseInfo(store.ticks.next(), names.check_database_name(given))
    _create(store, info, SYSTEM_COLLECTIONS)
    return info.name


def droppable_database(store: Store, name: str) -> str:
    """The name as it is stored. Errors: 403/11 for `_system`; 404/1228."""
    database = store.catalog.database(names.normalize_name(name))
    if database.info.is_system:
        raise Forbidden("forbidden: the system database cannot be dropped")
    return database.info.name


def drop_database(store: Store, name: str) -> int:
    """Drop a database with all its collections; returns its id.

    Errors: 403/11 for `_system`; 404/1228.
    """
    database = store.catalog.database(droppable_database(store, name))
    commit = Commit()
    commit.catalog.append(DropDatabase(database.info.id))
    log_marker(store, commit, MarkerType.DATABASE_DROP, database.identity)
    store.commit(commit)
    return database.info.id


def _create(store: Store, info: DatabaseInfo, system_collections: tuple[str, ...]) -> None:
    commit = Commit()
    stage_new_database(store, info, commit, system_collections)
    store.commit(commit)


def stage_new_database(
    store: Store,
    info: DatabaseInfo,
    commit: Commit,
    system_collections: tuple[str, ...] = SYSTEM_COLLECTIONS,
) -> None:
    """Add a database with its system collections, and their markers, to `commit`."""
    commit.catalog.append(PutDatabase(info))
    identity = (info.id, json_text(info.name))
    data = dumps(info.properties())
    log_marker(store, commit, MarkerType.DATABASE_CREATE, identity, data=data)
    for name in system_collections:
        collection, last_value = parse_collection(
            {"name": name, "isSystem": True},
            new_id=store.ticks.next(),
            database_id=info.id,
            server_id=store.server_id,
        )
        stage_new_collection(store, Database(info), collection, last_value, commit)


def _check_options(options: object) -> None:
    if options is not None and not isinstance(options, dict):
        raise HttpBadParameter("bad parameter: 'options' must be an object")


def _check_users(users: object) -> None:
    if users is None:
        return
    if not isinstance(users, list):
        raise HttpBadParameter("bad parameter: 'users' must be an array")
    for user in users:
        if not isinstance(user, dict):
            raise HttpBadParameter("bad parameter: an entry of 'users' must be an object")
        name = user.get("username", user.get("user"))
        if not isinstance(name, str):
            raise HttpBadParameter("bad parameter: a user needs a 'username'")
        if not name:
            raise UserNameInvalid
        if not isinstance(user.get("passwd"), str | None):
            raise HttpBadParameter("bad parameter: 'passwd' must be a string")
        if not isinstance(user.get("active"), bool | None):
            raise HttpBadParameter("bad parameter: 'active' must be a boolean")
        if not isinstance(user.get("extra"), dict | None):
            raise HttpBadParameter("bad parameter: 'extra' must be an object")
