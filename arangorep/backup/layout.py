"""Names and JSON files of arangodump's directory, so that arangorestore reads what is written here.

    ENCRYPTION                                  the text "none"
    dump.json                                   database, tick, properties
    <name>_<md5 of the name>.structure.json     {"parameters": …, "indexes": […]}
    <name>_<md5 of the name>.data.json[.gz]     a document per line
    <view>.view.json
    manifest.json                               ours: arangorestore only looks at the endings above

A dump of all databases has one sub-directory for each. Source: follower 11.

Two things are ours: `.data.json.zst`, which arangorestore does not find, and the id in place of a
traditional name that is too long for a file name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from arangorep.backup.problems import DumpCorrupt
from arangorep.codec.json import dumps, loads_shallow
from arangorep.errors import ArangoError
from arangorep.limits import BACKUP_STEM_BYTES_MAX

ENCRYPTION: Final = "ENCRYPTION"
NOT_ENCRYPTED: Final = b"none"
DUMP_JSON: Final = "dump.json"
MANIFEST: Final = "manifest.json"
UNFINISHED: Final = ".arangorep-dump.progress"
"""Lies in a directory while it is written to; `MANIFEST` beside it means that it was finished."""

STRUCTURE: Final = ".structure.json"
DATA: Final = ".data.json"
VIEW: Final = ".view.json"
PACKED_DATA: Final = ".data.vpack"
PACKINGS: Final[Mapping[str, str]] = {"gzip": ".gz", "zstd": ".zst", "none": ""}
"""Name of a packing to the ending of a file."""

_BUILT_IN_INDEXES: Final = ("primary", "edge")

_is_traditional = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*").fullmatch
_is_id = re.compile(r"[1-9][0-9]{0,19}").fullmatch
_part_number = re.compile(r"\.(0|[1-9][0-9]{0,8})\.data\.json(?:\.gz|\.zst)?").fullmatch

Members = dict[str, Any]


# -- names ----------------------------------------------------------------------------------------


def file_name_of(name: str, object_id: str) -> str:
    """How a collection, view or database is called in file names: by its id unless traditional.

    Errors: `ValueError` for an id that is none; it came from a server.
    """
    if _is_traditional(name) and len(name) <= BACKUP_STEM_BYTES_MAX:
        return name
    if not _is_id(object_id):
        raise ValueError(f"'{name}' cannot be a file name, and '{object_id}' is no id")
    return object_id


def collection_stem(name: str, collection_id: str) -> str:
    """What the files of a collection have in front of their endings."""
    return f"{file_name_of(name, collection_id)}_{name_hash(name)}"


def name_hash(name: str) -> str:
    """The MD5 that tells apart what a file system may not."""
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


def is_entry(file_name: str) -> bool:
    """Whether a file of that name belongs to a dump, for us or for arangorestore."""
    if file_name in (ENCRYPTION, DUMP_JSON, MANIFEST) or file_name.endswith((STRUCTURE, VIEW)):
        return True
    return any(
        file_name.endswith(kind + ending)
        for kind in (DATA, PACKED_DATA)
        for ending in PACKINGS.values()
    )


def data_files(stem: str, name: str, present: Collection[str]) -> list[str]:
    """The files that hold a collection's documents: one, the parts of `--split-files`, or none.

    `stem` is that of the structure file. The order of the search is arangorestore's, which
    decides when several are there. Errors: `DumpCorrupt` when a part is missing.
    """
    hashed = "_" + name_hash(name)
    plain = stem.removesuffix(hashed)
    full = plain + hashed
    first = [f"{full}{DATA}{ending}" for ending in ("", ".gz", ".zst")]
    for candidate in [*first, f"{plain}{DATA}.gz"]:
        if candidate in present:
            return [candidate]
    parts = _parts(full, present)
    if parts:
        return parts
    return [f"{plain}{DATA}"] if f"{plain}{DATA}" in present else []


def _parts(stem: str, present: Collection[str]) -> list[str]:
    found: dict[int, str] = {}
    for file_name in sorted(present):
        number = _part_number(file_name, len(stem)) if file_name.startswith(stem) else None
        if number is not None:
            found.setdefault(int(number[1]), file_name)
    for expected, number_found in enumerate(sorted(found)):
        if expected != number_found:
            raise DumpCorrupt(f"{stem}.{expected}{DATA}", "is missing, later parts are there")
    return [found[number] for number in sorted(found)]


# -- JSON files -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DatabaseHead:
    """What `dump.json` tells. `name` is None in very old dumps."""

    name: str | None
    tick: str | None
    has_envelopes: bool
    properties: Members


@dataclass(frozen=True, slots=True)
class Structure:
    """A collection as a structure file or an inventory describes it."""

    name: str
    id: str
    type: int
    parameters: Members
    indexes: list[Any]

    @property
    def is_system(self) -> bool:
        """Whether the name says so."""
        return self.name.startswith("_")


def dump_json(database: str, tick: str, properties: Members) -> bytes:
    """`dump.json`; `tick` and `properties` are those of the inventory."""
    return dumps(
        {
            "database": database,
            "lastTickAtDumpStart": tick,
            "useEnvelope": False,
            "useVPack": False,
            "properties": properties,
        }
    )


def parse_dump_json(data: bytes, entry: str) -> DatabaseHead:
    """Errors: `DumpCorrupt`, also for dumps in VelocyPack."""
    head = _members(data, entry)
    for flag in ("useEnvelope", "useVPack"):
        if not isinstance(head.get(flag, False), bool):
            raise DumpCorrupt(entry, f"'{flag}' is neither true nor false")
    if head.get("useVPack", False):
        raise DumpCorrupt(entry, "a dump in VelocyPack cannot be read: dump without --dump-vpack")
    properties = head.get("properties", {})
    if not isinstance(properties, dict):
        raise DumpCorrupt(entry, "'properties' is no object")
    name = properties.get("name", head.get("database"))
    tick = head.get("lastTickAtDumpStart")
    if not (name is None or (isinstance(name, str) and name)):
        raise DumpCorrupt(entry, "the database's name is no string")
    return DatabaseHead(
        name,
        tick if isinstance(tick, str) else None,
        head.get("useEnvelope", False),
        properties,
    )


def structure_json(described: Mapping[str, Any]) -> bytes:
    """A structure file, of a collection's object in an inventory."""
    parameters = {n: v for n, v in described["parameters"].items() if n != "shadowCollections"}
    return dumps({"parameters": parameters, "indexes": described["indexes"]})


def parse_structure(data: bytes, entry: str) -> Structure:
    """A structure file, also of the old form with indexes among the parameters.

    Errors: `DumpCorrupt`, also when the file's name belongs to another collection.
    """
    found = structure_of(_members(data, entry), entry)
    stem = entry.rpartition("/")[2].removesuffix(STRUCTURE)
    if stem.removesuffix("_" + name_hash(found.name)) not in (found.name, found.id):
        raise DumpCorrupt(entry, f"the file describes another collection, '{found.name}'")
    return found


def structure_of(described: object, entry: str) -> Structure:
    """Errors: `DumpCorrupt`."""
    parameters = described.get("parameters") if isinstance(described, dict) else None
    if not isinstance(described, dict) or not isinstance(parameters, dict):
        raise DumpCorrupt(entry, "'parameters' is no object")
    inner = parameters.get("indexes", [])
    indexes = described.get("indexes", inner)
    name = parameters.get("name")
    kind = parameters.get("type", 2)
    if not isinstance(name, str) or not name or not _is_encodable(name):
        raise DumpCorrupt(entry, "the collection has no name")
    if type(kind) is not int or kind not in (2, 3):
        raise DumpCorrupt(entry, "'type' is neither 2 nor 3")
    if not isinstance(indexes, list) or not all(isinstance(index, dict) for index in indexes):
        raise DumpCorrupt(entry, "'indexes' is no array of objects")
    return Structure(
        name,
        _id_of(parameters),
        kind,
        {n: v for n, v in parameters.items() if n != "indexes"},
        [index for index in indexes if index.get("type") not in _BUILT_IN_INDEXES],
    )


def view_json(view: Mapping[str, Any]) -> bytes:
    """A view file, of a view's object in an inventory."""
    return dumps(view)


def parse_view(data: bytes, entry: str) -> Members:
    """A view's definition. Errors: `DumpCorrupt`."""
    return view_of(_members(data, entry), entry)


def view_of(described: object, entry: str) -> Members:
    """Errors: `DumpCorrupt`."""
    if not isinstance(described, dict):
        raise DumpCorrupt(entry, "the view is no object")
    for member in ("name", "type"):
        if not isinstance(described.get(member), str) or not described[member]:
            raise DumpCorrupt(entry, f"the view has no {member}")
    return described


def view_file(view: Mapping[str, Any]) -> str:
    """The name of a view's file."""
    return file_name_of(view["name"], str(view.get("id", ""))) + VIEW


def _id_of(parameters: Members) -> str:
    """`cid`, else `id`, as text: old servers wrote numbers."""
    found = parameters.get("cid", parameters.get("id", ""))
    return str(found) if isinstance(found, (str, int)) and not isinstance(found, bool) else ""


def _members(data: bytes, entry: str) -> Members:
    try:
        value = loads_shallow(data)
    except ArangoError as error:
        raise DumpCorrupt(entry, f"is no JSON: {error.message}") from None
    if not isinstance(value, dict):
        raise DumpCorrupt(entry, "is no JSON object")
    return value


def _is_encodable(name: str) -> bool:
    """Whether the name has a UTF-8 form: a lone surrogate has none."""
    return not any("\ud800" <= character <= "\udfff" for character in name)
