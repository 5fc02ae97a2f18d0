"""Inserting many new documents at once: the hot path of loading.

A block of documents takes this way when all of it is plain: objects with a legal `_key` in front
(or all without one), nothing to compare or to enforce, no key that exists. Then keys are checked by
one match, revisions and ticks are taken as ranges, and rows are cut and joined without touching the
parsed objects again. Everything else goes one by one through `DocumentWriter.insert`, which this
module must never differ from in its results.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from arangorep.codec.json import dumps, dumps_all, may_be_too_deep
from arangorep.data.transactions import CollectionWriter
from arangorep.errors import CorruptedJson, OutOfKeys
from arangorep.limits import JSON_DEPTH_MAX
from arangorep.values.key_generator import KeyOptions, generate, track
from arangorep.values.names import KEY_PATTERN

FEWEST = 8
"""Smaller blocks are not worth the preparation."""

SHALLOW_BYTES = 2 * JSON_DEPTH_MAX
"""A text this short cannot nest too deep."""

KEY_FRONT = b'[{"_key":"'
KEY_GAP = b'},{"_key":"'
"""Between two documents of an array. Within a string its quotes would be escaped; within a document
it makes a part too many, and the array is not split."""
_all_keys = re.compile(rf"(?:{KEY_PATTERN}\n)+").fullmatch


@dataclass(frozen=True, slots=True)
class InsertedBlock:
    """Keys, revisions and rows of new documents."""

    keys: list[str]
    revisions: range
    rows: list[bytes]


def insert_block(
    writer: CollectionWriter,
    options: KeyOptions,
    documents: list[Any],
    next_tick: Callable[[], int],
) -> InsertedBlock | None:
    """Store new documents; None, with nothing changed, when the block is not plain.

    `uuid` keys and user keys of an autoincrement collection are left to the slow way.
    """
    if len(documents) < FEWEST or not writer.takes_blocks or not _are_plain(documents):
        return None
    last_value = writer.last_value
    if "_key" in documents[0]:
        found = _given_keys(options, documents)
        if found is None:
            return None
        keys, names, tails = found
        if not writer.are_free(names):
            return None
        if any(key[0] in "0123456789abcdefABCDEF" for key in keys):
            for key in keys:
                last_value = track(options, last_value, key)
    else:
        if options.type == "uuid" or any("_key" in document for document in documents):
            return None
        texts = _texts(documents)
        if texts is None:
            return None
        keys = []
        try:
            for _ in documents:
                # a generated key lies above every key that the generator has seen: it is free
                key, last_value = generate(options, last_value, next_tick)
                keys.append(key)
        except OutOfKeys:
            return None
        names = [key.encode() for key in keys]
        tails = [b"," + text[1:-1] if len(text) > 2 else b"" for text in texts]
    writer.last_value = last_value
    revisions, rows = writer.put_block(names, tails)
    return InsertedBlock(keys, revisions, rows)


def _are_plain(documents: list[Any]) -> bool:
    return all(
        type(document) is dict and "_id" not in document and "_rev" not in document
        for document in documents
    )


def _texts(documents: list[Any]) -> list[bytes] | None:
    try:
        texts = dumps_all(documents)
    except CorruptedJson:
        return None
    return None if _any_too_deep(texts) else texts


def _any_too_deep(texts: list[bytes]) -> bool:
    return any(len(text) > SHALLOW_BYTES and may_be_too_deep(text) for text in texts)


def _given_keys(
    options: KeyOptions, documents: list[Any]
) -> tuple[list[str], list[bytes], list[bytes]] | None:
    """Keys, keys as bytes, and the insides behind them; None unless every `_key` stands in front.

    One text for all and one cut between two documents: a text for each costs five times as much.
    """
    if options.type == "autoincrement" or not options.allow_user_keys:
        return None
    try:
        text = dumps(documents)
    except CorruptedJson:
        return None
    parts = text[len(KEY_FRONT) : -2].split(KEY_GAP)
    if len(parts) != len(documents) or not text.startswith(KEY_FRONT):
        return None
    try:
        keys = [document["_key"] for document in documents]
    except KeyError:
        return None
    joined = "\n".join(keys) + "\n"
    if not _all_keys(joined):
        return None
    names = joined.encode().split(b"\n")[:-1]
    if len(names) != len(keys):  # a key with a newline in it
        return None
    tails = [part[len(name) + 1 :] for name, part in zip(names, parts, strict=True)]
    return None if _any_too_deep(tails) else (keys, names, tails)
