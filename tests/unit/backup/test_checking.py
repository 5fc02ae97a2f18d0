"""Every line of a dump is looked at, and the first bad one is named."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from arangorep.backup import layout
from arangorep.backup.checking import check_directory, check_documents, count_documents
from arangorep.backup.directory import read_directory
from arangorep.backup.files import hash_file
from arangorep.backup.manifest import Entry, Manifest, encode
from arangorep.backup.problems import DumpCorrupt
from arangorep.limits import JSON_DEPTH_MAX

STEM = layout.collection_stem("a", "7")
DATA = f"{STEM}.data.json.gz"


def count(*lines: bytes, enveloped: bool = False) -> int:
    return count_documents(iter([b"\n".join(lines)]), "x", enveloped=enveloped)


def nested(depth: int) -> bytes:
    return b'{"_key":"1","a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


class TestLines:
    def test_empty_lines_and_a_missing_last_newline(self) -> None:
        assert count() == 0
        assert count(b"", b'{"_key":"1"}', b"", b" ", b'{"_key":"2","x":"\xc3\xbc"}') == 2
        assert count(b'{"_key":"1"}', b"") == 1
        assert count(nested(JSON_DEPTH_MAX)) == 1

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            (b"{", "is no JSON"),
            (b'{"_key":"\xff"}', "is no JSON"),
            (b'{"_key":"1"} {}', "is no JSON"),
            (nested(JSON_DEPTH_MAX + 1), "is no JSON"),
            (b"[" * 100_000, "is no JSON"),
            (b"[]", "is no JSON object"),
            (b"null", "is no JSON object"),
            (b"{}", "no '_key'"),
            (b'{"_key":1}', "no '_key'"),
            (b'{"type":2300,"data":{"_key":"1"}}', "no '_key'"),
        ],
    )
    def test_a_bad_line_is_named(self, line: bytes, problem: str) -> None:
        with pytest.raises(DumpCorrupt, match=f"^x: line 3 .*{problem}|^x: line 3 {problem}"):
            count(b'{"_key":"1"}', b"", line, b"{")

    def test_envelopes(self) -> None:
        lines = [
            b'{"type":2300,"data":{"_key":"1"}}',
            b'{"type":2302,"data":{"_key":"1"}}',
            b'{"type":2302,"key":"1"}',
            b'{"_key":"2"}',
        ]
        assert count(*lines, enveloped=True) == 2
        for bad in (b'{"type":2000}', b'{"type":2300,"data":[]}', b'{"type":2302}', b"[]"):
            with pytest.raises(DumpCorrupt, match="line 1"):
                count(bad, enveloped=True)


def write_dump(root: Path, data: bytes, documents: int | None) -> None:
    (root / "dump.json").write_bytes(layout.dump_json("db", "5", {"name": "db"}))
    structure = {"parameters": {"name": "a", "id": "7"}, "indexes": []}
    (root / f"{STEM}.structure.json").write_bytes(layout.structure_json(structure))
    (root / DATA).write_bytes(gzip.compress(data))
    if documents is None:
        return
    entries = []
    for path in sorted(root.iterdir()):
        stored = hash_file(path, path.name)
        counts = (documents, len(data)) if path.name == DATA else (None, None)
        entries.append(Entry(path.name, stored.size, stored.xxh3, *counts))
    (root / "manifest.json").write_bytes(encode(Manifest("t", "c", None, "9", tuple(entries))))


def test_a_sound_directory(tmp_path: Path) -> None:
    write_dump(tmp_path, b'{"_key":"1"}\n{"_key":"2"}\n', 2)
    found = check_directory(tmp_path)
    assert (found.databases, found.collections, found.documents, found.tick) == (1, 1, 2, "9")


def test_without_manifest_there_is_no_tick(tmp_path: Path) -> None:
    write_dump(tmp_path, b'{"_key":"1"}\n', None)
    assert check_directory(tmp_path).tick is None


@pytest.mark.parametrize("parses", [True, False])
def test_a_wrong_count_is_named(tmp_path: Path, parses: bool) -> None:
    write_dump(tmp_path, b'{"_key":"1"}\n', 2)
    with pytest.raises(DumpCorrupt, match="holds 1 documents instead of 2") as caught:
        check_documents(read_directory(tmp_path), parses=parses)
    assert caught.value.entry == DATA


def test_without_parsing_only_lines_are_counted(tmp_path: Path) -> None:
    write_dump(tmp_path, b"no document\n", 1)
    assert check_documents(read_directory(tmp_path), parses=False).documents == 1
    with pytest.raises(DumpCorrupt, match="is no JSON"):
        check_directory(tmp_path)
