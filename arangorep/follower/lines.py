"""Cutting what a leader sends into documents and markers, without parsing what need not be parsed.

A document's key and revision stand at fixed places in front of its line; the rest stays bytes. A
line that looks different is parsed and written anew. Lines taken as bytes are not validated as
JSON, only at both ends. Source: follower 3.2, 3.3, 6.4.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import repeat
from typing import Any

import numpy as np

from arangorep.codec.json import check_depth, dumps, json_text, loads, may_be_too_deep
from arangorep.errors import CorruptedJson, InvalidResponse, NoResponse
from arangorep.follower.plain_rows import front_pattern
from arangorep.limits import APPLY_BYTES_PER_SLICE
from arangorep.storage.rows import build_row
from arangorep.values.names import KEY_PATTERN, is_key
from arangorep.values.revision import REVISION_MAX, parse_revision
from arangorep.values.revision_arrays import decode_many

NEWLINE = ord("\n")

_front = re.compile(
    rb'\{"_key":"(' + KEY_PATTERN.encode() + rb')","_id":"([^"/]*)/\1",'
    rb'(?:"_from":"[^"\\]*","_to":"[^"\\]*",)?"_rev":"([-_0-9A-Za-z]+)"[,}]'
).match
_document_marker = re.compile(
    rb'\{"tick":"([0-9]{1,20})","type":(2300|2302),'
    rb'("db":"([^"\\]*)","cuid":"([^"\\]*)","tid":"([0-9]*)",)"data":(?=\{)'
).match
_COMMIT = b'","type":2201,'
_commit_in_front = re.compile(rb'\{"tick":"[0-9]{1,20}","type":2201,').match
_tick_in_front = re.compile(rb'\{"tick":"([0-9]{1,20})"').match
_is_number = re.compile(r"[0-9]{1,20}").fullmatch
_is_revision = re.compile(r"[0-9]{1,20}|[-_A-Za-z][-_0-9A-Za-z]{0,10}").fullmatch
_remove_data = re.compile(
    rb'\{"_key":"(' + KEY_PATTERN.encode() + rb')"(?:,"_rev":"([-_0-9A-Za-z]+)")?\}'
).fullmatch


@dataclass(slots=True)
class Documents:
    """Keys, revisions and canonical rows of documents, in the order of their arrival."""

    names: list[bytes] = field(default_factory=list)
    revisions: list[int] = field(default_factory=list)
    rows: list[bytes] = field(default_factory=list)


def split_lines(body: bytes) -> Generator[None, None, list[list[bytes]]]:
    """The lines of a body in groups of about `APPLY_BYTES_PER_SLICE`, cut group by group.

    Errors: 500/1400 for a body that ends within a line: it was cut off on its way.
    """
    groups = []
    start, end = 0, len(body)
    while start < end:
        stop = body.find(b"\n", start + APPLY_BYTES_PER_SLICE)
        stop = end if stop < 0 else stop + 1
        lines = body[start:stop].split(b"\n")
        if lines.pop():
            raise NoResponse("no response: the answer ends within a line")
        groups.append([line for line in lines if len(line) > 1] if b"" in lines else lines)
        start = stop
        yield
    return groups


def cut_documents(lines: list[bytes], name_json: bytes, *, is_checked: bool = False) -> Documents:
    """Documents of a collection whose name here is `name_json`.

    With `is_checked` every line is parsed to see whether it is JSON at all.
    Errors: 500/1401 for a line that is no document with key and revision; 400/600.
    """
    if is_checked:
        for line in lines:
            loads(line)
    if not lines:
        return Documents()
    return _cut_plain(lines, name_json) or _cut_each(lines, name_json)


@lru_cache(maxsize=1024)
def _front_of(name_json: bytes) -> Callable[[bytes], re.Match[bytes] | None]:
    return re.compile(front_pattern(name_json, 1)).match


def count_lines(body: bytes | memoryview) -> int:
    """How many lines there are."""
    return int(np.count_nonzero(np.frombuffer(body, np.uint8) == NEWLINE))


def _cut_plain(lines: list[bytes], name_json: bytes) -> Documents | None:
    """The fast way: the front of every line is written as this server does it."""
    matches = list(map(_front_of(name_json), lines))
    if None in matches or not all(map(bytes.endswith, lines, repeat(b"}"))):
        return None
    names, texts = zip(*[match.groups() for match in matches if match is not None], strict=True)
    revisions = decode_many(texts)
    if revisions is None or int(revisions.max()) == REVISION_MAX:
        return None
    return Documents(list(names), revisions.tolist(), lines)


def _cut_each(lines: list[bytes], name_json: bytes) -> Documents:
    found = Documents()
    for line in lines:
        front = _front(line)
        if (
            front is not None
            and line.endswith(b"}")
            and front[2] == name_json
            and _is_revision(front[3].decode())
        ):
            found.names.append(front[1])
            found.revisions.append(parse_revision(front[3].decode()))
            found.rows.append(line)
        else:
            _add(found, _parse(line), name_json)
        if found.revisions[-1] == REVISION_MAX:
            raise InvalidResponse("invalid response: a document's _rev cannot be read")
    return found


def from_values(values: Iterable[object], name_json: bytes) -> Documents:
    """Documents that were parsed already (`revisions/documents`, keys), however deep they nest.

    Errors: 500/1401, also for what nests too deep.
    """
    found = Documents()
    try:
        for value in values:
            _add(found, value, name_json)
            if may_be_too_deep(found.rows[-1]):
                check_depth(value)
    except CorruptedJson as error:
        raise InvalidResponse(f"invalid response: {error.message}") from None
    return found


def _parse(line: bytes) -> Any:
    value = loads(line)
    if isinstance(value, dict) and "_key" not in value and isinstance(value.get("data"), dict):
        return value["data"]  # an envelope, which was not asked for
    return value


def _add(found: Documents, value: object, name_json: bytes) -> None:
    if not isinstance(value, dict):
        raise InvalidResponse("invalid response: a document is no object")
    key, text = value.pop("_key", None), value.pop("_rev", None)
    value.pop("_id", None)
    if not isinstance(key, str) or not is_key(key):
        raise InvalidResponse("invalid response: a document has no usable _key")
    if not isinstance(text, str) or not _is_revision(text):
        raise InvalidResponse("invalid response: a document has no usable _rev")
    revision = parse_revision(text)
    if revision == REVISION_MAX:
        raise InvalidResponse("invalid response: a document has no usable _rev")
    edge = b""
    if isinstance(value.get("_from"), str) and isinstance(value.get("_to"), str):
        ends = json_text(value.pop("_from")), json_text(value.pop("_to"))
        edge = b'"_from":"%b","_to":"%b",' % ends
    name = key.encode()
    found.names.append(name)
    found.revisions.append(revision)
    found.rows.append(build_row(name, name_json, text.encode(), value, edge))


# -- markers ------------------------------------------------------------


@dataclass(slots=True)
class Run:
    """Documents (2300) or removals (2302) of one collection in one transaction, one after other.

    `data` are the `data` members as bytes; `last_tick` is that of the last marker.
    """

    is_removal: bool
    database: str
    guid: str
    tid: str
    first_tick: int
    last_tick: int
    data: list[bytes]


@dataclass(slots=True)
class Marker:
    """Any other marker, parsed."""

    tick: int
    type: int
    database: str
    guid: str
    tid: str
    data: dict[str, Any]
    line: bytes


def read_markers(lines: list[bytes], after: int) -> Iterator[Run | Marker]:
    """Markers above `after`; neighbours of one kind, collection and transaction become one run.

    Errors: 400/600, 500/1401.
    """
    run: Run | None = None
    scope = b""
    for line in lines:
        match = _document_marker(line)
        if match is None or not line.endswith(b"}}"):
            if run is not None:
                yield run
                run = None
            marker = parse_marker(line)
            if marker.tick > after:
                yield marker
            continue
        tick = int(match[1])
        if tick <= after:
            continue
        kind = match[2] + match[3]
        if run is None or kind != scope:
            if run is not None:
                yield run
            database, guid, tid = match[4].decode(), match[5].decode(), match[6].decode()
            run = Run(match[2] == b"2302", database, guid, tid, tick, tick, [])
            scope = kind
        run.data.append(line[match.end() : -1])
        run.last_tick = tick
    if run is not None:
        yield run


def check_last_tick(lines: list[bytes], tick: int) -> None:
    """Errors: 500/1400 unless the last line has the tick that the header names."""
    found = _tick_in_front(lines[-1]) if lines else None
    if found is not None and int(found[1]) == tick:
        return
    if not lines or parse_marker(lines[-1]).tick != tick:
        raise NoResponse("no response: the answer lacks its last markers")


def tick_in_front(text: bytes) -> int | None:
    """The tick of the first line, None for what is no marker as it is usually written."""
    found = _tick_in_front(text)
    return None if found is None else int(found[1])


def first_document(text: bytes, start: int) -> tuple[bytes, bytes] | None:
    """Database and globallyUniqueId of a document in the line at `start`, or in the next."""
    found = _document_marker(text, start) or _document_marker(text, text.find(b"\n", start) + 1)
    return None if found is None else (found[4], found[5])


def end_of_whole(text: bytes) -> int:
    """The position behind the last line that leaves no transaction open, or 0.

    Within a log transactions do not interleave, so that is a document outside of one, or a commit.
    """
    last = _document_marker(text, text.rfind(b"\n", 0, -1) + 1)
    if last is not None and last[6] in (b"", b"0"):
        return len(text)
    at = len(text)
    while (at := text.rfind(_COMMIT, 0, at)) >= 0:
        if _commit_in_front(text, text.rfind(b"\n", 0, at) + 1) is not None:
            return text.find(b"\n", at) + 1
    return 0


def end_of_commit(text: bytes) -> int:
    """The position behind the first marker that ends a transaction, or 0."""
    at = -1
    while (at := text.find(_COMMIT, at + 1)) >= 0:
        if _commit_in_front(text, text.rfind(b"\n", 0, at) + 1) is not None:
            return text.find(b"\n", at) + 1
    return 0


def parse_marker(line: bytes) -> Marker:
    """One line of a tail. Errors: 400/600; 500/1401 for what is no marker."""
    value = loads(line)
    if not isinstance(value, dict) or not isinstance(value.get("tick"), str):
        raise InvalidResponse("invalid response: a marker is no object with a tick")
    kind = value.get("type")
    if type(kind) is not int or not _is_number(value["tick"]):
        raise InvalidResponse("invalid response: a marker has no type or no tick")
    data: object = next((value[n] for n in ("data", "collection", "index") if n in value), {})
    tid = value.get("tid", "0")
    return Marker(
        tick=int(value["tick"]),
        type=kind,
        database=_member(value, "db", "database"),
        guid=_member(value, "cuid", "globallyUniqueId"),
        tid=tid if isinstance(tid, str) else str(tid),
        data=data if isinstance(data, dict) else {},
        line=line,
    )


def run_of(marker: Marker) -> Run:
    """A document marker that was not written as usual, as a run of its own."""
    data = [dumps(marker.data)]
    is_removal = marker.type == 2302
    tick = marker.tick
    return Run(is_removal, marker.database, marker.guid, marker.tid, tick, tick, data)


def singles(run: Run) -> Iterator[Run]:
    """The markers of a run one by one; only the last one keeps its tick."""
    last = len(run.data) - 1
    for number, data in enumerate(run.data):
        tick = run.last_tick if number == last else run.first_tick - 1
        yield replace(run, data=[data], last_tick=tick)


def cut_removal(data: bytes) -> tuple[bytes, int]:
    """Key and revision (0: unknown) of a removal. Errors: 500/1401 without a key; 400/600."""
    match = _remove_data(data)
    if match is not None:
        text = match[2]
        key = match[1]
    else:
        value = loads(data)
        name = value.get("_key") if isinstance(value, dict) else None
        if not isinstance(name, str) or not name:
            raise InvalidResponse("invalid response: a removal without _key")
        key, found = name.encode(), value.get("_rev")
        text = found.encode() if isinstance(found, str) else None
    revision = REVISION_MAX if text is None else parse_revision(text.decode())
    return key, 0 if revision == REVISION_MAX else revision


def _member(value: dict[str, Any], *names: str) -> str:
    found = next((value[name] for name in names if name in value), "")
    return found if isinstance(found, str) else str(found)
