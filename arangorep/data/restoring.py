"""Taking collections, indexes and documents back from a dump, as arangorestore sends them.

Unlike on a follower, documents get new revisions, and ids of collections are not kept. Schema and
computed values are left alone: the documents have been accepted once. Source: leader-api 9.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Iterator
from typing import Any

from arangorep.codec.json import loads_shallow
from arangorep.data.collections import drop_collection, stage_new_collection
from arangorep.data.documents import DocumentWriter, WriteOptions
from arangorep.data.indexes import restore_index
from arangorep.data.transactions import Transaction
from arangorep.data.users import UserDirectory
from arangorep.data.views import check_name_is_free
from arangorep.errors import (
    ArangoError,
    CorruptedJson,
    DocumentNotFound,
    DuplicateName,
    HttpBadParameter,
    NotImplementedHere,
)
from arangorep.limits import WRITE_ROWS_PER_SLICE
from arangorep.storage.catalog import Collection, Database
from arangorep.storage.commit import Commit
from arangorep.storage.store import Store
from arangorep.values.account import USERS_COLLECTION
from arangorep.values.collection import parse_stored_collection
from arangorep.values.document import key_of

NOT_KEPT = ("version", "objectId", "cid", "id", "planId")
BUILT_IN_TYPES = ("primary", "edge")
DOCUMENT_MARKERS = (2300, 2301)
REMOVE_MARKER = 2302
RESTORED = WriteOptions(overwrite_mode="replace", follows_rules=False)
LINE_SHOWN_MAX = 200

Members = dict[str, Any]


def parse_structure(body: object) -> tuple[Members, list[Any]]:
    """`parameters` with a name, and `indexes`, of a structure file. Errors: 400/400."""
    if not isinstance(body, dict):
        raise HttpBadParameter("collection structure is invalid")
    parameters, indexes = body.get("parameters"), body.get("indexes")
    if not isinstance(parameters, dict):
        raise HttpBadParameter("collection parameters declaration is invalid")
    if not isinstance(indexes, list):
        raise HttpBadParameter("collection indexes declaration is invalid")
    if not isinstance(parameters.get("name"), str) or not parameters["name"]:
        raise HttpBadParameter("collection name is missing")
    return parameters, indexes


def restore_structure(
    store: Store, database: Database, parameters: Members, *, overwrite: bool
) -> Collection | None:
    """Create a collection, or with `overwrite` replace it; None when nothing was to be done.

    Accounts are never dropped: who restores them would lock himself out. Errors: 400/1208, 1232,
    1621, 10; 409/1207.
    """
    if parameters.get("deleted") is True:
        return None
    name = parameters["name"]
    present = database.named(name)
    if present is not None:
        if _is_same(present, parameters) and not overwrite:
            return None
        if name.startswith("_") and (name == USERS_COLLECTION or not overwrite):
            return None
        if not overwrite:
            raise DuplicateName("unable to create collection: duplicate name")
        drop_collection(store, database, present, allow_system=True)
    wanted = {member: v for member, v in parameters.items() if member not in NOT_KEPT}
    guid = wanted.get("globallyUniqueId")
    if isinstance(guid, str) and (guid.isdigit() or database.by_guid(guid) is not None):
        del wanted["globallyUniqueId"]
    info, last_value = parse_stored_collection(
        wanted,
        new_id=store.ticks.next(),
        database_id=database.info.id,
        server_id=store.server_id,
    )
    check_name_is_free(database, info.name)
    commit = Commit()
    stage_new_collection(store, database, info, last_value, commit)
    store.commit(commit)
    return database.find(info.guid)


def _is_same(present: Collection, parameters: Members) -> bool:
    return (
        parameters.get("globallyUniqueId") == present.info.guid
        and parameters.get("type") == present.info.type
    )


def restore_indexes(
    store: Store, database: Database, collection: Collection, indexes: list[Any]
) -> Generator[None, None, None]:
    """Create what is no built-in index, with its id and name. The caller holds the write lock.

    Errors: those of the first that fails, with a message in front.
    """
    for definition in indexes:
        kind = definition.get("type") if isinstance(definition, dict) else None
        if not isinstance(kind, str) or kind in BUILT_IN_TYPES:
            continue
        try:
            yield from restore_index(store, database, collection, _with_id(store, definition))
        except NotImplementedHere:
            continue
        except ArangoError as error:
            error.message = f"could not create index: {error.message}"
            raise


def _with_id(store: Store, definition: Members) -> Members:
    """With an id of digits: the API shows it with the collection in front."""
    given = definition.get("id")
    text = given.rpartition("/")[2] if isinstance(given, str) else ""
    return {**definition, "id": text if text.isdigit() else str(store.ticks.next())}


# -- documents -------------------------------------------------------------------------------------


def restore_lines(
    store: Store, database: Database, collection: Collection, data: bytes, users: UserDirectory
) -> Generator[None, None, None]:
    """Store the documents of a piece of a data file as one transaction; empty lines are skipped.

    The caller holds the write lock. Errors: 400/600 naming the line; those of the first document
    that cannot be stored, and nothing is stored then.
    """
    yield from restore_documents(store, database, collection, _parsed(data), users)


def restore_documents(
    store: Store,
    database: Database,
    collection: Collection,
    items: Iterable[Members],
    users: UserDirectory,
) -> Generator[None, None, None]:
    """As `restore_lines`, for what has been parsed: documents and markers in their order."""
    transaction = Transaction(store, database, grouped=True)
    writer = DocumentWriter(transaction, collection, RESTORED)
    keeps_keys = collection.info.name != USERS_COLLECTION or not database.info.is_system
    block: list[Members] = []
    for item in items:
        removed = removed_key(item)
        if removed is None:
            document = document_of(item)
            block.append(document if keeps_keys else _account(document, users))
        if removed is not None or len(block) >= WRITE_ROWS_PER_SLICE:
            yield from _store(writer, block)
            block = []
        if removed is not None:
            _remove(writer, removed)
    yield from _store(writer, block)
    transaction.commit()


def _parsed(data: bytes) -> Iterator[Members]:
    for number, line in enumerate(data.split(b"\n"), 1):
        text = line.strip()
        if len(text) <= 1:
            continue
        try:
            value = loads_shallow(text)
        except CorruptedJson as error:
            raise _fault(number, text, error.message) from None
        if not isinstance(value, dict) or (not _is_document(value) and not _is_marker(value)):
            raise _fault(number, text, "VPackError error: neither a document nor a marker")
        yield value


def _fault(number: int, text: bytes, reason: str) -> CorruptedJson:
    shown = text[:LINE_SHOWN_MAX].decode(errors="replace")
    return CorruptedJson(f"{reason} on line {number}: {shown}")


def _is_document(value: Members) -> bool:
    return isinstance(value.get("_key"), str)


def _is_marker(value: Members) -> bool:
    data = value.get("data")
    if value.get("type") in DOCUMENT_MARKERS:
        return isinstance(data, dict)
    return value.get("type") == REMOVE_MARKER and isinstance(_marked_key(value), str)


def _marked_key(value: Members) -> object:
    data = value.get("data")
    return data.get("_key") if isinstance(data, dict) else value.get("key")


def removed_key(value: Members) -> str | None:
    """The key that a marker of a removal names; None for everything else."""
    if _is_document(value) or value.get("type") != REMOVE_MARKER:
        return None
    return key_of(_marked_key(value))


def content_of(value: Members) -> Members:
    """The document, out of its marker. Errors: 400/600 for what is neither."""
    if _is_document(value):
        return value
    if not _is_marker(value):
        raise CorruptedJson("neither a document nor a marker")
    found: Members = value["data"]
    return found


def document_of(value: Members) -> Members:
    """The document with its key in front and without `_id` and `_rev`, which become new."""
    document = content_of(value)
    front = {"_key": document["_key"]} if "_key" in document else {}
    return {**front, **{n: v for n, v in document.items() if n not in ("_key", "_id", "_rev")}}


def _account(document: Members, users: UserDirectory) -> Members:
    """An account takes the place of the one with its name."""
    known = users.find(str(document.get("user")))
    rest = {name: value for name, value in document.items() if name != "_key"}
    return rest if known is None else {"_key": known.key, **rest}


def _store(writer: DocumentWriter, block: list[Members]) -> Generator[None, None, None]:
    outcomes = yield from writer.each(block, writer.insert)
    for outcome in outcomes:
        if isinstance(outcome, ArangoError):
            raise outcome


def _remove(writer: DocumentWriter, key: str) -> None:
    with contextlib.suppress(DocumentNotFound):
        writer.remove(key)
