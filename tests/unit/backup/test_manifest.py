"""A manifest is believed only when every byte of it is right."""

from __future__ import annotations

from typing import Any

import pytest
import xxhash

from arangorep.backup.manifest import Entry, Manifest, check_path, decode, encode
from arangorep.backup.problems import DumpCorrupt
from arangorep.codec.json import dumps, loads

HASH = "0123456789abcdef"
MANIFEST = Manifest(
    "arangorep 1",
    "2026-01-02T03:04:05Z",
    "17",
    "99",
    (Entry("ENCRYPTION", 4, HASH), Entry("db/a.data.json.gz", 30, HASH, 2, 50)),
)


def with_hash(members: dict[str, Any]) -> bytes:
    body = dumps({name: value for name, value in members.items() if name != "xxh3"})[:-1]
    return body + b',"xxh3":"%b"}\n' % xxhash.xxh3_64_hexdigest(body).encode()


def changed(**members: Any) -> bytes:
    return with_hash({**loads(encode(MANIFEST)), **members})


def with_file(**members: Any) -> bytes:
    entry = {"path": "a", "size": 1, "xxh3": HASH, **members}
    return changed(files=[entry])


def test_a_round_trip() -> None:
    assert decode(encode(MANIFEST)) == MANIFEST
    assert loads(encode(MANIFEST))["totals"] == {"files": 2, "bytes": 34, "documents": 2}
    without = Manifest("t", "c", None, "0", ())
    assert decode(encode(without)) == without


def test_every_flipped_bit_and_every_cut_is_noticed() -> None:
    data = encode(MANIFEST)
    for at in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[at // 8] ^= 1 << at % 8
        if at // 8 < len(data) - 1:  # the last newline means nothing
            with pytest.raises(DumpCorrupt, match=r"^manifest\.json: is damaged"):
                decode(bytes(flipped))
    for end in range(len(data) - 1):
        with pytest.raises(DumpCorrupt, match="is damaged or cut off"):
            decode(data[:end])


@pytest.mark.parametrize(
    "path",
    [
        *("", "/etc/passwd", "..", "../a", "a/../b", "a/..", "./a", "a//b", "a/b/c", "a/"),
        *("a\\b", "a\0b", "a\nb", "\x1b[31m", 7, None, ["a"]),
    ],
)
def test_no_path_leads_out(path: Any) -> None:
    with pytest.raises(DumpCorrupt, match=r"^manifest\.json: (the path .* leads out|a path is no)"):
        check_path(path)
    with pytest.raises(DumpCorrupt, match="path"):
        decode(with_file(path=path))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is damaged"),
        (b"{}", "is damaged"),
        (changed(format="other"), "no manifest of the format"),
        (changed(version=2), "version 2"),
        (changed(tick=7), "no string"),
        (changed(tick="-7"), "'tick' is no number"),
        (changed(serverId=7), "no string"),
        (changed(files={}), "no array"),
        (changed(files=[7]), "no object"),
        (changed(totals={}), "'totals'"),
        (with_file(xxh3="x"), "no hash"),
        (with_file(size=-1), "no number"),
        (with_file(size=True), "no number"),
        (with_file(size=2**63), "no number"),
        (with_file(documents=1), "no number"),
        (with_file(documents=1.5, unpackedSize=1), "no number"),
        (changed(files=[MANIFEST.entries[0].describe()] * 2), "named twice"),
    ],
)
def test_wrong_types_with_the_right_hash(data: bytes, problem: str) -> None:
    with pytest.raises(DumpCorrupt, match=problem) as caught:
        decode(data)
    assert caught.value.entry == "manifest.json"
