"""Whether the documents of a dump can be read: every line, every count.

Errors everywhere: `DumpCorrupt` naming the entry.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arangorep.backup.directory import (
    Advance,
    DumpDirectory,
    check_files,
    read_directory,
    read_manifest,
)
from arangorep.backup.packing import line_blocks
from arangorep.backup.problems import DumpCorrupt
from arangorep.codec.json import loads
from arangorep.errors import ArangoError
from arangorep.limits import BACKUP_PIECE_BYTES

DOCUMENT_MARKERS = (2300, 2301)
REMOVE_MARKER = 2302


@dataclass(frozen=True, slots=True)
class Summary:
    """What a sound dump holds. Without `tick` there was no manifest to compare with."""

    databases: int
    collections: int
    views: int
    documents: int
    tick: str | None


def _nothing(_: int) -> None:
    pass


def check_directory(root: Path, advance: Advance = _nothing) -> Summary:
    """Everything about a dump directory. Errors also: `DumpNotFound`."""
    manifest = read_manifest(root)
    if manifest is not None:
        check_files(root, manifest, advance)
    return check_documents(read_directory(root), advance, parses=True)


def check_documents(dump: DumpDirectory, advance: Advance = _nothing, *, parses: bool) -> Summary:
    """Unpack every data file and count its lines; with `parses` look at each document as well."""
    documents = 0
    for database in dump.databases:
        for collection in database.collections:
            for path in collection.data:
                pieces = dump.pieces(path)
                if parses:
                    count = count_documents(pieces, path, enveloped=database.head.has_envelopes)
                else:
                    count = sum(block.count(b"\n") for block in pieces)
                _check_count(dump, path, count, exact=parses or not database.head.has_envelopes)
                documents += count
                advance((dump.root / path).lstat().st_size)
    return Summary(
        len(dump.databases),
        sum(len(database.collections) for database in dump.databases),
        sum(len(database.views) for database in dump.databases),
        documents,
        None if dump.manifest is None else dump.manifest.tick,
    )


def _check_count(dump: DumpDirectory, path: str, count: int, *, exact: bool) -> None:
    known = dump.entry(path)
    if known is None:
        if dump.manifest is not None:
            raise DumpCorrupt(path, "is not named in the manifest")
    elif exact and known.documents != count:
        raise DumpCorrupt(path, f"holds {count} documents instead of {known.documents}")


def count_documents(pieces: Iterator[bytes], entry: str, *, enveloped: bool) -> int:
    """How many documents the lines hold, each of which is parsed; empty lines are none."""
    documents = number = 0
    for block in line_blocks(pieces, BACKUP_PIECE_BYTES, entry):
        for line in block.removesuffix(b"\n").split(b"\n"):
            number += 1
            if not line.strip():
                continue
            try:
                value = loads(line)
            except ArangoError as error:
                raise DumpCorrupt(entry, f"line {number} is no JSON: {error.message}") from None
            documents += _documents_in(value, entry, number, enveloped=enveloped)
    return documents


def _documents_in(value: Any, entry: str, number: int, *, enveloped: bool) -> int:
    if enveloped and isinstance(value, dict) and not isinstance(value.get("_key"), str):
        kind, value = value.get("type"), value.get("data", value)
        if kind not in (*DOCUMENT_MARKERS, REMOVE_MARKER):
            raise DumpCorrupt(entry, f"line {number} is neither a document nor a marker")
        if kind == REMOVE_MARKER:
            keys = (value.get("_key"), value.get("key")) if isinstance(value, dict) else ()
            if any(isinstance(key, str) for key in keys):
                return 0
    if not isinstance(value, dict):
        raise DumpCorrupt(entry, f"line {number} is no JSON object")
    if not isinstance(value.get("_key"), str):
        raise DumpCorrupt(entry, f"line {number} has no '_key' that is a string")
    return 1
