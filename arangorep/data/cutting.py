"""Parsed documents to keys and texts: the first half of inserting many, which needs no store.

A block is plain when all of it are objects with a legal `_key`, or all without one, and nothing
that is to be compared. Its texts are cut from one text for all: a text for each document
costs five times as much. Imports little, because workers do it too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from arangorep.codec.json import dumps, dumps_all, loads_shallow, may_be_too_deep
from arangorep.errors import CorruptedJson
from arangorep.limits import JSON_DEPTH_MAX
from arangorep.values.key_generator import KeyOptions, track_all
from arangorep.values.names import KEY_PATTERN

SHALLOW_BYTES = 2 * JSON_DEPTH_MAX
"""A text this short cannot nest too deep."""

KEY_FRONT = b'[{"_key":"'
KEY_GAP = b'},{"_key":"'
"""Between two documents of an array that all begin with their keys. Within a string its quotes
would be escaped; within a document it makes a part too many, and the array is not split."""
_all_keys = re.compile(rf"(?:{KEY_PATTERN}\n)+").fullmatch


@dataclass(frozen=True, slots=True)
class CutBlock:
    """Plain documents: their keys, and their insides behind them, which are `,"a":1` or empty.

    `names` is None when keys are to be generated. `last_value` is the largest number that a key
    generator must know of, 0 for none.
    """

    names: list[bytes] | None
    tails: list[bytes]
    last_value: int = 0

    def documents(self) -> list[Any]:
        """Parsed anew, for who must look into them after all."""
        if self.names is None:
            texts = [b"{%b}" % tail[1:] for tail in self.tails]
        else:
            pairs = zip(self.names, self.tails, strict=True)
            texts = [b'{"_key":"%b"%b}' % pair for pair in pairs]
        found: list[Any] = loads_shallow(b"[%b]" % b",".join(texts))
        return found


def cut_block(options: KeyOptions, documents: list[Any]) -> CutBlock | None:
    """None when the documents are not plain.

    `uuid` keys and user keys of an autoincrement collection are left to the slow way.
    """
    if not _are_plain(documents):
        return None
    if "_key" in documents[0]:
        return _with_keys(options, documents)
    if options.type == "uuid" or any("_key" in document for document in documents):
        return None
    try:
        texts = dumps_all(documents)
    except CorruptedJson:
        return None
    tails = [b"," + text[1:-1] if len(text) > 2 else b"" for text in texts]
    return None if _any_too_deep(tails) else CutBlock(None, tails)


def _are_plain(documents: list[Any]) -> bool:
    return all(
        type(document) is dict and "_id" not in document and "_rev" not in document
        for document in documents
    )


def _any_too_deep(tails: list[bytes]) -> bool:
    """Whether one may be; the bracket around it is not in a tail."""
    return any(len(tail) > SHALLOW_BYTES and may_be_too_deep(b"{" + tail) for tail in tails)


def _with_keys(options: KeyOptions, documents: list[Any]) -> CutBlock | None:
    """None unless every document has a legal `_key`."""
    if options.type == "autoincrement" or not options.allow_user_keys:
        return None
    keys = [document.get("_key") for document in documents]
    if not all(type(key) is str for key in keys):
        return None
    # else a gap within one document could stand for a missing one before another
    if not all(next(iter(document)) == "_key" for document in documents):
        documents = [{"_key": document["_key"], **document} for document in documents]
    try:
        text = dumps(documents)
    except CorruptedJson:
        return None
    parts = text[len(KEY_FRONT) : -2].split(KEY_GAP)
    if len(parts) != len(documents):
        return None
    joined = "\n".join(keys) + "\n"
    if not _all_keys(joined):
        return None
    names = joined.encode().split(b"\n")[:-1]
    if len(names) != len(keys):  # a key with a newline in it
        return None
    tails = [part[len(name) + 1 :] for name, part in zip(names, parts, strict=True)]
    return None if _any_too_deep(tails) else CutBlock(names, tails, track_all(options, 0, names))
