"""`manifest.json`: the last file of a dump, and what proves that the others are whole.

    {"format": "arangorep-dump", "version": 1, "tool": …, "created": …, "serverId": …,
     "tick": …, "files": [{"path", "size", "xxh3"[, "documents", "unpackedSize"]}…],
     "totals": {"files", "bytes", "documents"}, "xxh3": hash of all bytes before this member}

`tick` is where a follower goes on, numbers and hashes are of files as they are stored. The file
ends with its own hash, so that a flipped byte in it is found like one anywhere else. Names with
`/` between directory and file only. Source: backups 6.2, 6.3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import xxhash

from arangorep.backup.layout import MANIFEST
from arangorep.backup.problems import DumpCorrupt
from arangorep.codec.json import dumps, loads
from arangorep.errors import ArangoError

FORMAT: Final = "arangorep-dump"
VERSION: Final = 1

_end = re.compile(rb',"xxh3":"([0-9a-f]{16})"\}\n?').fullmatch
_END_BYTES: Final = len(b',"xxh3":"0123456789abcdef"}\n')

_is_hash = re.compile(r"[0-9a-f]{16}").fullmatch
_is_tick = re.compile(r"[0-9]{1,20}").fullmatch
_COUNT_MAX: Final = 2**63


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the dump; data files also have `documents` and `unpacked_size`."""

    path: str
    size: int
    xxh3: str
    documents: int | None = None
    unpacked_size: int | None = None

    def describe(self) -> dict[str, Any]:
        """As in the manifest."""
        found: dict[str, Any] = {"path": self.path, "size": self.size, "xxh3": self.xxh3}
        if self.documents is not None:
            found["documents"] = self.documents
            found["unpackedSize"] = self.unpacked_size
        return found


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was dumped, where from, and which moment it is."""

    tool: str
    created: str
    server_id: str | None
    tick: str
    entries: tuple[Entry, ...]

    @property
    def documents(self) -> int:
        """In all files."""
        return sum(entry.documents or 0 for entry in self.entries)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.entries)

    def totals(self) -> dict[str, int]:
        """As in the manifest."""
        return {"files": len(self.entries), "bytes": self.size, "documents": self.documents}


def encode(manifest: Manifest) -> bytes:
    """The file."""
    body = dumps(
        {
            "format": FORMAT,
            "version": VERSION,
            "tool": manifest.tool,
            "created": manifest.created,
            "serverId": manifest.server_id,
            "tick": manifest.tick,
            "files": [entry.describe() for entry in manifest.entries],
            "totals": manifest.totals(),
        }
    )[:-1]
    return body + b',"xxh3":"%b"}\n' % xxhash.xxh3_64_hexdigest(body).encode()


def decode(data: bytes) -> Manifest:
    """Errors: `DumpCorrupt` naming the manifest, for whatever is not exactly what it must be."""
    at = max(0, len(data.rstrip(b"\n")) + 1 - _END_BYTES)
    end = _end(data, at)
    if end is None or xxhash.xxh3_64_hexdigest(data[:at]).encode() != end[1]:
        raise DumpCorrupt(MANIFEST, "is damaged or cut off: its own hash does not agree")
    try:
        members = loads(data)
    except ArangoError as error:
        raise DumpCorrupt(MANIFEST, f"is no JSON: {error.message}") from None
    if not isinstance(members, dict) or members.get("format") != FORMAT:
        raise DumpCorrupt(MANIFEST, f"is no manifest of the format '{FORMAT}'")
    if members.get("version") != VERSION:
        raise DumpCorrupt(MANIFEST, f"has version {members.get('version')}, not {VERSION}")
    return _checked(members)


def parse_entry(value: object, where: str = MANIFEST) -> Entry:
    """One element of `files`. Errors: `DumpCorrupt`, also for a path that leads elsewhere."""
    if not isinstance(value, dict):
        raise DumpCorrupt(where, "an element of 'files' is no object")
    path = check_path(value.get("path"), where)
    xxh3 = value.get("xxh3")
    if not isinstance(xxh3, str) or not _is_hash(xxh3):
        raise DumpCorrupt(where, f"'{path}' has no hash")
    numbers = [value.get("size")]
    if "documents" in value or "unpackedSize" in value:
        numbers += [value.get("documents"), value.get("unpackedSize")]
    for number in numbers:
        if type(number) is not int or not 0 <= number < _COUNT_MAX:
            raise DumpCorrupt(where, f"'{path}' has a size or count that is no number")
    return Entry(path, value["size"], xxh3, value.get("documents"), value.get("unpackedSize"))


def check_path(path: object, where: str = MANIFEST) -> str:
    """A path that stays within the dump: a file name, or one below a directory.

    Errors: `DumpCorrupt`. It names no more of a hostile path than is good for a terminal.
    """
    if not isinstance(path, str):
        raise DumpCorrupt(where, "a path is no string")
    parts = path.split("/")
    if (
        not 1 <= len(parts) <= 2
        or any(part in ("", ".", "..") for part in parts)
        or "\\" in path
        or not path.isprintable()
    ):
        raise DumpCorrupt(where, f"the path {path[:200]!a} leads out of the dump")
    return path


def _checked(members: dict[str, Any]) -> Manifest:
    texts = {name: members.get(name) for name in ("tool", "created", "tick", "serverId")}
    if not all(isinstance(t, str) or (t is None and n == "serverId") for n, t in texts.items()):
        raise DumpCorrupt(MANIFEST, "'tool', 'created', 'tick' or 'serverId' is no string")
    if not _is_tick(members["tick"]):
        raise DumpCorrupt(MANIFEST, "'tick' is no number")
    files = members.get("files")
    if not isinstance(files, list):
        raise DumpCorrupt(MANIFEST, "'files' is no array")
    entries = tuple(map(parse_entry, files))
    if len({entry.path for entry in entries}) != len(entries):
        raise DumpCorrupt(MANIFEST, "a path is named twice")
    found = Manifest(
        members["tool"], members["created"], members["serverId"], members["tick"], entries
    )
    if members.get("totals") != found.totals():
        raise DumpCorrupt(MANIFEST, "'totals' are not the sums of 'files'")
    return found
