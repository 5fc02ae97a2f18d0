"""Reading a dump directory: of one database or of all, with our manifest or, from arangodump, none.

Nothing is followed that is not a plain file or directory, and everything that is read has a bound.
Errors everywhere: `DumpCorrupt` naming the entry, `DumpNotFound`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from arangorep.backup import layout, manifest
from arangorep.backup.files import (
    hash_file,
    is_partial,
    read_file,
    read_pieces,
    sync_directory,
)
from arangorep.backup.layout import DatabaseHead, Members, Structure
from arangorep.backup.manifest import Entry, Manifest
from arangorep.backup.problems import DumpCorrupt, DumpNotFound

Advance = Callable[[int], None]
"""Told how many bytes were looked at."""


def _nothing(_: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class CollectionFiles:
    """One collection of a dump; `data` are entries in the order of their documents."""

    structure: Structure
    entry: str
    data: list[str]


@dataclass(frozen=True, slots=True)
class DatabaseFiles:
    """One database of a dump; `directory` is empty or ends with `/`."""

    directory: str
    name: str
    head: DatabaseHead
    collections: list[CollectionFiles]
    views: list[Members]


@dataclass(frozen=True, slots=True)
class DumpDirectory:
    """A dump on disk. `has_all` when every database has a sub-directory."""

    root: Path
    databases: list[DatabaseFiles]
    manifest: Manifest | None
    has_all: bool
    _entries: dict[str, Entry] = field(default_factory=dict, repr=False)

    def entry(self, path: str) -> Entry | None:
        """What the manifest says about a file."""
        return self._entries.get(path)

    def pieces(self, path: str) -> Iterator[bytes]:
        """What a data file unpacks to."""
        known = self.entry(path)
        size = None if known is None else known.unpacked_size
        return read_pieces(self.root / path, path, size)

    def data_bytes(self) -> int:
        """Stored bytes of all data files."""
        return sum(
            (self.root / path).lstat().st_size
            for database in self.databases
            for collection in database.collections
            for path in collection.data
        )


# -- manifest and files ---------------------------------------------------------------------------


def read_manifest(root: Path) -> Manifest | None:
    """The manifest; None for a directory that arangodump wrote. Errors also: an unfinished dump."""
    if not root.is_dir():
        raise DumpNotFound(f"{root} is no directory")
    names = set(_names(root, ""))
    if layout.MANIFEST in names:
        return manifest.decode(read_file(root / layout.MANIFEST, layout.MANIFEST))
    if layout.UNFINISHED in names:
        raise DumpCorrupt(layout.UNFINISHED, "the dump was interrupted; go on with --resume")
    return None


def check_files(root: Path, found: Manifest, advance: Advance = _nothing) -> None:
    """Every file of the manifest has its size and hash, and none that looks like one was added."""
    known = {entry.path for entry in found.entries}
    directories = {path.partition("/")[0] for path in known if "/" in path}
    for directory in sorted(directories):
        if (root / directory).is_symlink() or not (root / directory).is_dir():
            raise DumpCorrupt(directory, "is no directory, or is missing")
    present = [*_names(root, "")]
    present += [f"{d}/{name}" for d in _directories(root) for name in _names(root / d, d)]
    for path in sorted(present):
        added = layout.is_entry(path.rpartition("/")[2]) and path != layout.MANIFEST
        if added and path not in known:
            raise DumpCorrupt(path, "is not named in the manifest")
    for entry in found.entries:
        stored = hash_file(root / entry.path, entry.path)
        if stored.size != entry.size:
            raise DumpCorrupt(entry.path, f"has {stored.size} bytes instead of {entry.size}")
        if stored.xxh3 != entry.xxh3:
            raise DumpCorrupt(entry.path, "is damaged: its hash is another one")
        advance(entry.size)


def remove_dump(root: Path, keep: Collection[str] = ()) -> None:
    """Delete what belongs to a dump, but for the entries to `keep`; other files stay.

    Without its manifest, which goes first, what is left cannot be taken for a finished dump.
    Errors: `OSError`.
    """
    if layout.MANIFEST not in keep:
        (root / layout.MANIFEST).unlink(missing_ok=True)
    for directory in ["", *_directories(root)]:
        for name in _names(root / directory, directory):
            path = f"{directory}/{name}" if directory else name
            if (layout.is_entry(name) or is_partial(name)) and path not in keep:
                (root / path).unlink()
        if directory:
            with contextlib.suppress(OSError):
                (root / directory).rmdir()  # one that still holds something stays
    sync_directory(root)


# -- databases ------------------------------------------------------------------------------------


def read_directory(root: Path) -> DumpDirectory:
    """What the dump at `root` consists of; every definition is read, no data file is."""
    found = read_manifest(root)
    entries = {} if found is None else {entry.path: entry for entry in found.entries}
    names = _names(root, "")
    _check_encryption(root, "", names)
    if layout.DUMP_JSON in names:
        return DumpDirectory(root, [_database(root, "")], found, False, entries)
    for name in names:
        if (root / name).is_symlink() and (root / name).is_dir():
            raise DumpCorrupt(name, "is a symbolic link")
    below = [d for d in _directories(root) if layout.DUMP_JSON in _names(root / d, d)]
    if not below:
        if found is not None or any(map(layout.is_entry, names)):
            raise DumpCorrupt(layout.DUMP_JSON, "is missing")
        raise DumpNotFound(f"{root} holds no dump")
    databases = [_database(root, f"{directory}/") for directory in below]
    if len({database.name for database in databases}) != len(databases):
        raise DumpCorrupt(layout.DUMP_JSON, "two directories hold the same database")
    return DumpDirectory(root, databases, found, True, entries)


def _database(root: Path, directory: str) -> DatabaseFiles:
    names = _names(root / directory, directory)
    _check_encryption(root, directory, names)
    entry = directory + layout.DUMP_JSON
    head = layout.parse_dump_json(read_file(root / entry, entry), entry)
    return DatabaseFiles(
        directory,
        head.name or directory.rstrip("/") or root.absolute().name,
        head,
        _collections(root, directory, names),
        _views(root, directory, names),
    )


def _collections(root: Path, directory: str, names: Collection[str]) -> list[CollectionFiles]:
    found: dict[str, CollectionFiles] = {}
    used: set[str] = set()
    for file_name in sorted(names):
        if not file_name.endswith(layout.STRUCTURE):
            continue
        entry = directory + file_name
        structure = layout.parse_structure(read_file(root / entry, entry), entry)
        stem = file_name.removesuffix(layout.STRUCTURE)
        data = layout.data_files(stem, structure.name, names)
        used.update(data)
        if structure.name in found:
            raise DumpCorrupt(entry, f"describes '{structure.name}' a second time")
        paths = [directory + data_file for data_file in data]
        found[structure.name] = CollectionFiles(structure, entry, paths)
    _check_orphans(directory, names, found, used)
    return [c for c in found.values() if c.structure.parameters.get("deleted") is not True]


def _check_orphans(
    directory: str, names: Collection[str], found: dict[str, CollectionFiles], used: set[str]
) -> None:
    """Documents whose definition got lost would silently not be restored."""
    hashes = {layout.name_hash(name) for name in found}
    for file_name in sorted(names):
        stem, kind, ending = file_name.partition(layout.DATA)
        if not kind or ending not in layout.PACKINGS.values() or file_name in used:
            continue
        # a second form of the same data is left by arangodump --overwrite
        parts = stem.split(".")
        if stem not in found and parts[0].rpartition("_")[2] not in hashes:
            raise DumpCorrupt(directory + file_name, "has no definition beside it")


def _views(root: Path, directory: str, names: Collection[str]) -> list[Members]:
    found: dict[str, Members] = {}
    for file_name in sorted(names):
        if file_name.endswith(layout.VIEW):
            entry = directory + file_name
            view = layout.parse_view(read_file(root / entry, entry), entry)
            if found.setdefault(view["name"], view) is not view:
                raise DumpCorrupt(entry, f"describes '{view['name']}' a second time")
    return list(found.values())


def _check_encryption(root: Path, directory: str, names: Collection[str]) -> None:
    if layout.ENCRYPTION not in names:
        return
    entry = directory + layout.ENCRYPTION
    text = read_file(root / entry, entry, 1024).strip()
    if text != layout.NOT_ENCRYPTED:
        shown = text[:100].decode(errors="replace")
        raise DumpCorrupt(entry, f"the dump is encrypted ({shown!a}), which cannot be read")


def _names(path: Path, entry: str) -> list[str]:
    """Everything in a directory that is no directory."""
    with _scan(path, entry) as found:
        return [each.name for each in found if not each.is_dir(follow_symlinks=False)]


def _directories(root: Path) -> list[str]:
    """By name, `_system` last: whoever restores it may change the accounts in use."""
    with _scan(root, "") as found:
        names = [each.name for each in found if each.is_dir(follow_symlinks=False)]
    return sorted(names, key=lambda name: (name == "_system", name))


def _scan(path: Path, entry: str) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
    try:
        return os.scandir(path)
    except OSError as error:
        raise DumpCorrupt(entry or str(path), f"cannot be read: {error.strerror}") from None
