"""What a write of one document is allowed to do, and its array form (data-api 6).

`DocumentWriter` turns bodies from clients into puts and removes of a `CollectionWriter`. The array
form is a generator that gives the caller its turn every `WRITE_ROWS_PER_SLICE` documents.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, TypeGuard

from arangorep.aql.computed import Event
from arangorep.data.bulk import FEWEST, InsertedBlock, insert_block
from arangorep.data.cutting import CutBlock, cut_block
from arangorep.data.rules import Rules
from arangorep.data.stream import StreamTransaction
from arangorep.data.transactions import CollectionWriter, Transaction, body_of
from arangorep.errors import (
    ArangoError,
    Conflict,
    DocumentHandleBad,
    DocumentNotFound,
    DocumentTypeInvalid,
    UniqueConstraintViolated,
)
from arangorep.limits import RULED_ROWS_PER_SLICE, WRITE_ROWS_PER_SLICE
from arangorep.storage.catalog import Collection
from arangorep.storage.engine import Family
from arangorep.storage.rows import with_name
from arangorep.storage.store import Store
from arangorep.values.document import check_edge, key_of, merge_patch
from arangorep.values.key_generator import KeyOptions, check_user_key, generate, track
from arangorep.values.names import is_key
from arangorep.values.revision import REVISION_MAX, parse_revision, revision_text


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """The query parameters that change what a write does (data-api 6.2 to 6.6)."""

    overwrite_mode: str = ""
    """For inserts: `ignore`, `replace`, `update`, `conflict` or empty."""
    keep_null: bool = True
    merge_objects: bool = True
    ignore_revisions: bool = True
    version_attribute: str = ""
    is_validated: bool = True
    """Whether the collection's schema is looked at."""
    follows_rules: bool = True
    """Whether schema and computed values count at all: not for what is restored."""


class WriteResult(NamedTuple):
    """What became of one document; revisions are 0 and rows None where they do not apply."""

    key: str
    revision: int
    old_revision: int = 0
    new: bytes | None = None
    old: bytes | None = None


Operation = Callable[[object], WriteResult]
Outcome = WriteResult | ArangoError


class Outcomes:
    """What became of the items of an array, in their order.

    `parts` keeps blocks of plain inserts as they are: an object for each would cost more than the
    rest of their way.
    """

    __slots__ = ("parts",)

    def __init__(self) -> None:
        self.parts: list[InsertedBlock | list[Outcome]] = []

    @property
    def all_failed(self) -> bool:
        """Whether nothing was written; also of an empty array."""
        return all(isinstance(outcome, ArangoError) for outcome in self)

    def __iter__(self) -> Iterator[Outcome]:
        for part in self.parts:
            if isinstance(part, InsertedBlock):
                for name, revision, row in zip(part.names, part.revisions, part.rows, strict=True):
                    yield WriteResult(name.decode(), revision, 0, row)
            else:
                yield from part


def _outcome(operation: Operation, item: object) -> Outcome:
    try:
        return operation(item)
    except ArangoError as error:
        return error


class DocumentWriter:
    """Inserts, replaces, updates and removes in one collection of one transaction."""

    def __init__(
        self, transaction: Transaction, collection: Collection, options: WriteOptions
    ) -> None:
        self._writer: CollectionWriter = transaction.writer(collection)
        self._options = options
        self._key_options = collection.info.key_options
        if not options.follows_rules:  # what is restored has its keys already
            self._key_options = replace(self._key_options, allow_user_keys=True)
        self._next_tick = transaction.store.ticks.next
        self._name = collection.name_json
        self._clock = transaction.store.clock
        self._has_rules = options.follows_rules and Rules.apply_to(collection.info)

    # -- single operations ---------------------------------------------------------------------

    def insert(self, document: object) -> WriteResult:
        """Errors: 400/1221, 1222, 1227, 1233, 1620; 409/1210; 404/1202 never."""
        if type(document) is not dict:
            raise DocumentTypeInvalid
        writer = self._writer
        body = document.copy()
        given = body.pop("_key", None)
        body.pop("_id", None)
        body.pop("_rev", None)
        if writer.is_edge:
            check_edge(body)
        if given is None and "_key" not in document:
            key, writer.last_value = generate(self._key_options, writer.last_value, self._next_tick)
            old_revision = writer.find(key.encode())
        else:
            key = check_user_key(self._key_options, given)
            old_revision = writer.find(key.encode())
            if not old_revision:
                writer.last_value = track(self._key_options, writer.last_value, key)
        if old_revision:
            return self._insert_over(key, old_revision, body, document.get("_rev"))
        if self._has_rules:
            body = self._rules.on_insert(key, body)
        revision, row = writer.put(key.encode(), 0, body)
        return WriteResult(key, revision, 0, row)

    def _insert_over(
        self, key: str, old_revision: int, body: dict[str, Any], given_revision: object
    ) -> WriteResult:
        match self._options.overwrite_mode:
            case "ignore":
                return WriteResult(key, old_revision)
            case "replace":
                self._check_revision(key, old_revision, given_revision)
                return self._write("replace", key, old_revision, body, body)
            case "update":
                self._check_revision(key, old_revision, given_revision)
                return self._merge(key, old_revision, body)
        raise UniqueConstraintViolated(
            "unique constraint violated - in index primary of type primary over '_key'; "
            f"conflicting key: {key}"
        )

    def replace(self, document: object) -> WriteResult:
        """Errors: 404/1202; 409/1200, 1210; 400/1205, 1221, 1227, 1233."""
        key, old_revision, body = self._existing(document)
        if self._writer.is_edge:
            check_edge(body)
        return self._write("replace", key, old_revision, body, body)

    def update(self, document: object) -> WriteResult:
        """Merge a patch. One that holds nothing but `_key` writes nothing. Errors: as `replace`."""
        key, old_revision, patch = self._existing(document)
        if isinstance(document, dict) and len(document) == 1:
            row = self._present(old_revision)
            return WriteResult(key, old_revision, old_revision, row, row)
        return self._merge(key, old_revision, patch)

    def remove(self, item: object) -> WriteResult:
        """`item` is a key, a handle or an object. Errors: 404/1202; 409/1200; 400/1205, 1221."""
        key = key_of(item)
        old_revision = self._find(key)
        self._check_revision(key, old_revision, _given_revision(item))
        self._writer.check_claim(key.encode())
        old = self._present(old_revision)
        self._writer.remove(key.encode(), old_revision)
        return WriteResult(key, old_revision, 0, None, old)

    # -- array operations ------------------------------------------------------------------------

    def each(self, items: list[Any], operation: Operation) -> Generator[None, None, Outcomes]:
        """Apply `operation` to every item; one that fails is reported in its place."""
        outcomes = Outcomes()
        inserts = operation == self.insert
        rows = self._rows_per_slice
        for start in range(0, len(items), rows):
            block = items[start : start + rows]
            inserted = self._insert_some(block) if inserts else None
            if inserted is not None:
                outcomes.parts.append(inserted)
            else:
                outcomes.parts.append([_outcome(operation, item) for item in block])
            yield
        return outcomes

    def insert_each(
        self, blocks: list[CutBlock], options: KeyOptions
    ) -> Generator[None, None, Outcomes]:
        """As `each` with `insert`, for an array that was cut for a collection with these options.

        It may be another one by now, with the same name.
        """
        outcomes, takes_blocks = Outcomes(), self._takes_blocks and options == self._key_options
        for block in blocks:
            inserted = self._insert_block(block) if takes_blocks else None
            if inserted is not None:
                outcomes.parts.append(inserted)
                yield
                continue
            documents = block.documents()
            for start in range(0, len(documents), self._rows_per_slice):
                some = documents[start : start + self._rows_per_slice]
                outcomes.parts.append([_outcome(self.insert, item) for item in some])
                yield
        return outcomes

    @property
    def _rows_per_slice(self) -> int:
        return RULED_ROWS_PER_SLICE if self._has_rules else WRITE_ROWS_PER_SLICE

    @property
    def _takes_blocks(self) -> bool:
        return not self._has_rules and self._writer.takes_blocks

    def _insert_some(self, documents: list[Any]) -> InsertedBlock | None:
        if len(documents) < FEWEST or not self._takes_blocks:
            return None
        block = cut_block(self._key_options, documents)
        return None if block is None else self._insert_block(block)

    def _insert_block(self, block: CutBlock) -> InsertedBlock | None:
        return insert_block(self._writer, self._key_options, block, self._next_tick)

    @cached_property
    def _rules(self) -> Rules:
        """Read when a document needs them: removing does not. Errors: 501/9, 400/1621."""
        return Rules(
            self._writer.collection.info, self._clock, is_validated=self._options.is_validated
        )

    # -- parts -------------------------------------------------------------------------------------

    def _existing(self, document: object) -> tuple[str, int, dict[str, Any]]:
        if type(document) is not dict:
            raise DocumentTypeInvalid
        if "_key" not in document and "_id" not in document:
            raise DocumentHandleBad
        key = key_of(document)
        old_revision = self._find(key)
        self._check_revision(key, old_revision, document.get("_rev"))
        body = {n: v for n, v in document.items() if n not in ("_key", "_id", "_rev")}
        return key, old_revision, body

    def _find(self, key: str) -> int:
        found = self._writer.find(key.encode()) if is_key(key) else 0
        if not found:
            raise DocumentNotFound
        return found

    def _present(self, revision: int) -> bytes:
        """The stored row as clients see it: with the collection's present name."""
        row = self._writer.row(revision)
        return with_name(row, self._name) if self._writer.collection.info.renamed else row

    def _check_revision(self, key: str, current: int, given: object) -> None:
        if not self._options.ignore_revisions and given is not None:
            check_revision(self._writer.collection, key, current, given)

    def _merge(self, key: str, old_revision: int, patch: dict[str, Any]) -> WriteResult:
        body = merge_patch(
            body_of(self._writer.row(old_revision)),
            patch,
            keep_null=self._options.keep_null,
            merge_objects=self._options.merge_objects,
        )
        if self._writer.is_edge:
            check_edge(body)
        return self._write("update", key, old_revision, body, patch)

    def _write(
        self,
        event: Event,
        key: str,
        old_revision: int,
        body: dict[str, Any],
        given: dict[str, Any],
    ) -> WriteResult:
        """Store `body`, unless what the client gave has an outdated version."""
        old = self._present(old_revision)
        if self._options.version_attribute and self._is_outdated(old, given):
            return WriteResult(key, old_revision, old_revision, old, old)
        if self._has_rules:
            body = self._rules.on_change(event, key, body, body_of(old))
        revision, row = self._writer.put(key.encode(), old_revision, body)
        return WriteResult(key, revision, old_revision, row, old)

    def _is_outdated(self, old_row: bytes, given: dict[str, Any]) -> bool:
        name = self._options.version_attribute
        old, new = body_of(old_row).get(name), given.get(name)
        return _is_number(old) and _is_number(new) and new <= old


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _given_revision(item: object) -> object:
    return item.get("_rev") if isinstance(item, dict) else None


def check_revision(collection: Collection, key: str, current: int, given: object) -> None:
    """Compare a precondition with the current revision; text that is none never matches.

    Errors: 409/1200 with `_id`, `_key`, `_rev` of the document (single requests force 412).
    """
    wanted = parse_revision(given) if isinstance(given, str) else REVISION_MAX
    if wanted != current:
        identity = {"_id": f"{collection.info.name}/{key}", "_key": key}
        raise Conflict(extra={**identity, "_rev": revision_text(current)})


def read_document(
    store: Store, collection: Collection, key: str, stream: StreamTransaction | None = None
) -> bytes:
    """A document as clients see it; its revision is in it. Errors: 404/1202."""
    if stream is not None:
        seen = stream.document(collection, key.encode())
        if seen is None:
            raise DocumentNotFound
        return seen[1]
    prefix, get = collection.prefix, store.engine.get
    found = get(Family.PRIMARY, prefix + key.encode())
    row = None if found is None else get(Family.DOCUMENTS, prefix + found)
    if row is None:
        raise DocumentNotFound
    return with_name(row, collection.name_json) if collection.info.renamed else row
