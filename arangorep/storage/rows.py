"""The stored form of a document: canonical JSON with a fixed front.

    {"_key":"k","_id":"coll/k","_rev":"_l6zhVTW---","a":1}
    {"_key":"k","_id":"coll/k","_from":"c/1","_to":"c/2","_rev":"_l6zhVTW---"}

Keys hold neither quotes nor backslashes, names no slash, so the front can be cut without parsing.
Serving a document is copying these bytes; only a renamed collection needs its name put in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, repeat
from typing import Any

from arangorep.codec.json import dumps

KEY_AT = len(b'{"_key":"')
ID_GAP = len(b'","_id":"')
DATA_MEMBER = b',"data":{"_key":"'
REVISION_MEMBER = b'"_rev":"'
REVISION_BYTES = 11
"""Length of the text of every revision since 2004."""
DATA_OPEN = len(b',"data":')


def build_row(
    key: bytes, name_json: bytes, revision: bytes, body: Mapping[str, Any], edge: bytes = b""
) -> bytes:
    """The stored bytes; `edge` is `"_from":…,"_to":…,` or empty, `body` the user's attributes."""
    rest = dumps(body)
    tail = b"," + rest[1:] if len(rest) > 2 else b"}"
    return b'{"_key":"%b","_id":"%b/%b",%b"_rev":"%b"%b' % (
        key,
        name_json,
        key,
        edge,
        revision,
        tail,
    )


def build_rows(
    names: Sequence[bytes], name_json: bytes, revisions: Sequence[bytes], tails: Sequence[bytes]
) -> list[bytes]:
    """`build_row` of many plain documents; a tail is `,"a":1`: the inside behind `_rev`."""
    key_to_id = b'","_id":"%b/' % name_json
    pieces = (
        repeat(b'{"_key":"'),
        names,
        repeat(key_to_id),
        names,
        repeat(b'","_rev":"'),
        revisions,
        repeat(b'"'),
        tails,
        repeat(b"}"),
    )
    return list(map(b"".join, zip(*pieces)))  # noqa: B905  # repeat() never ends


def row_key(row: bytes) -> bytes:
    """The document's key."""
    return row[KEY_AT : row.index(b'"', KEY_AT)]


def row_revision(row: bytes) -> str:
    """The document's revision as text. Within `_from` and `_to` its quotes would be escaped."""
    at = row.index(REVISION_MEMBER) + len(REVISION_MEMBER)
    return row[at : row.index(b'"', at)].decode()


def identities(names: Sequence[bytes], name_json: bytes, revisions: Sequence[bytes]) -> bytes:
    """`{"_key":…,"_id":…,"_rev":…}` of documents, with commas between them."""
    one = b'{"_key":"%%b","_id":"%b/%%b","_rev":"%%b"},' % name_json.replace(b"%", b"%%")
    fields = chain.from_iterable(zip(names, names, revisions, strict=True))
    return (one * len(names))[:-1] % tuple(fields)


def with_name(row: bytes, name_json: bytes) -> bytes:
    """The row with the collection's present name in `_id`."""
    name_at = row.index(b'"', KEY_AT) + ID_GAP
    return row[:name_at] + name_json + row[row.index(b"/", name_at) :]


def renamer(name_json: bytes) -> Callable[[bytes], bytes]:
    """`with_name` for many rows of one collection."""
    return lambda row: with_name(row, name_json)


def line_with_name(line: bytes, name_json: bytes) -> bytes:
    """A logged document marker with the collection's present name in its `_id`.

    The text `,"data":{"_key":"` cannot stand in an earlier member: quotes are escaped there.
    """
    data_at = line.index(DATA_MEMBER) + DATA_OPEN
    return line[:data_at] + with_name(line[data_at:], name_json)
