"""Dump directories as arangodump of any age writes them, and what must not pass for one."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from arangorep.backup import layout
from arangorep.backup.directory import check_files, read_directory, read_manifest, remove_dump
from arangorep.backup.files import hash_file
from arangorep.backup.manifest import Entry, Manifest, encode
from arangorep.backup.problems import DumpCorrupt, DumpNotFound
from arangorep.codec.json import dumps


def write_database(root: Path, name: str = "db", **head: Any) -> None:
    root.mkdir(exist_ok=True)
    members = {"database": name, "lastTickAtDumpStart": "5", "useEnvelope": False, **head}
    (root / "dump.json").write_bytes(dumps(members))
    (root / "ENCRYPTION").write_bytes(b"none")


def write_collection(root: Path, name: str, *, stem: str = "", ending: str = ".data.json") -> str:
    stem = stem or layout.collection_stem(name, "7")
    structure = {"parameters": {"name": name, "id": "7", "type": 2}, "indexes": []}
    (root / f"{stem}.structure.json").write_bytes(dumps(structure))
    data = b'{"_key":"1"}\n'
    (root / f"{stem}{ending}").write_bytes(gzip.compress(data) if ending[-1] == "z" else data)
    return stem


def write_manifest(root: Path, *paths: str) -> Manifest:
    entries = []
    for path in paths:
        stored = hash_file(root / path, path)
        counts = (1, 13) if layout.DATA in path else (None, None)
        entries.append(Entry(path, stored.size, stored.xxh3, *counts))
    manifest = Manifest("t", "c", None, "1", tuple(entries))
    (root / "manifest.json").write_bytes(encode(manifest))
    return manifest


def names_in(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if not p.is_dir())


class TestForms:
    def test_one_database(self, tmp_path: Path) -> None:
        write_database(tmp_path, properties={"id": "3", "name": "real"})
        stem = write_collection(tmp_path, "a", ending=".data.json.gz")
        (tmp_path / "v.view.json").write_bytes(b'{"name":"v","type":"arangosearch"}')
        (tmp_path / "notes.txt").write_text("not ours", encoding="utf-8")
        found = read_directory(tmp_path)
        [database] = found.databases
        [collection] = database.collections
        assert (found.has_all, found.manifest, database.name) == (False, None, "real")
        assert collection.structure.name == "a"
        assert collection.data == [f"{stem}.data.json.gz"]
        assert b"".join(found.pieces(collection.data[0])) == b'{"_key":"1"}\n'
        assert [view["name"] for view in database.views] == ["v"]

    def test_names_without_hash_and_split_files(self, tmp_path: Path) -> None:
        write_database(tmp_path)
        write_collection(tmp_path, "classic", stem="classic")
        write_collection(tmp_path, "Städte", ending=".0.data.json.gz")
        stem = layout.collection_stem("Städte", "7")
        (tmp_path / f"{stem}.1.data.json.gz").write_bytes(gzip.compress(b""))
        found = {
            c.structure.name: c.data for c in read_directory(tmp_path).databases[0].collections
        }
        assert found["classic"] == ["classic.data.json"]
        assert found["Städte"] == [f"{stem}.{n}.data.json.gz" for n in (0, 1)]

    def test_all_databases_end_with_system(self, tmp_path: Path) -> None:
        (tmp_path / "ENCRYPTION").write_bytes(b"none")
        for name in ("_system", "b", "zz"):
            write_database(tmp_path / name, name)
        found = read_directory(tmp_path)
        assert found.has_all
        assert [database.name for database in found.databases] == ["b", "zz", "_system"]

    def test_the_name_of_an_old_database_is_the_directory(self, tmp_path: Path) -> None:
        (tmp_path / "shop").mkdir()
        (tmp_path / "shop" / "dump.json").write_bytes(b"{}")
        assert read_directory(tmp_path).databases[0].name == "shop"
        assert read_directory(tmp_path / "shop").databases[0].name == "shop"

    def test_deleted_collections_and_missing_data_are_no_error(self, tmp_path: Path) -> None:
        write_database(tmp_path)
        deleted = {"parameters": {"name": "a", "deleted": True}, "indexes": []}
        (tmp_path / "a.structure.json").write_bytes(dumps(deleted))
        (tmp_path / "b.structure.json").write_bytes(b'{"parameters":{"name":"b"},"indexes":[]}')
        [collection] = read_directory(tmp_path).databases[0].collections
        assert (collection.structure.name, collection.data) == ("b", [])


class TestRefused:
    def test_nothing(self, tmp_path: Path) -> None:
        for path in (tmp_path / "no", tmp_path):
            with pytest.raises(DumpNotFound):
                read_directory(path)

    def test_an_unfinished_dump(self, tmp_path: Path) -> None:
        write_database(tmp_path)
        (tmp_path / layout.UNFINISHED).write_bytes(b"{}\n")
        with pytest.raises(DumpCorrupt, match="interrupted"):
            read_directory(tmp_path)
        write_manifest(tmp_path, "dump.json", "ENCRYPTION")
        assert read_directory(tmp_path).manifest is not None

    def test_without_dump_json(self, tmp_path: Path) -> None:
        write_collection(tmp_path, "a")
        with pytest.raises(DumpCorrupt, match=r"^dump\.json: is missing"):
            read_directory(tmp_path)

    @pytest.mark.parametrize("text", [b"aes-256-ctr", b"", b"\xff\x1b[31m"])
    def test_encryption(self, tmp_path: Path, text: bytes) -> None:
        write_database(tmp_path)
        (tmp_path / "ENCRYPTION").write_bytes(text)
        with pytest.raises(DumpCorrupt, match=r"^ENCRYPTION: the dump is encrypted") as caught:
            read_directory(tmp_path)
        assert str(caught.value).isprintable()

    def test_data_without_definition(self, tmp_path: Path) -> None:
        write_database(tmp_path)
        stem = write_collection(tmp_path, "a")
        (tmp_path / f"{stem}.structure.json").unlink()
        with pytest.raises(DumpCorrupt, match=rf"^{stem}\.data\.json: has no definition"):
            read_directory(tmp_path)

    def test_the_same_collection_twice(self, tmp_path: Path) -> None:
        write_database(tmp_path)
        write_collection(tmp_path, "a")
        write_collection(tmp_path, "a", stem="a")
        with pytest.raises(DumpCorrupt, match="a second time"):
            read_directory(tmp_path)

    def test_the_same_database_twice(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            write_database(tmp_path / name, "same")
        with pytest.raises(DumpCorrupt, match="the same database"):
            read_directory(tmp_path)

    def test_links(self, tmp_path: Path) -> None:
        root = tmp_path / "dump"
        write_database(root)
        (root / "b.structure.json").symlink_to("/etc/passwd")
        with pytest.raises(DumpCorrupt, match=r"^b\.structure\.json: is a symbolic link"):
            read_directory(root)
        (tmp_path / "all").mkdir()
        (tmp_path / "all" / "db").symlink_to(root)
        with pytest.raises(DumpCorrupt, match=r"^db: is a symbolic link"):
            read_directory(tmp_path / "all")


class TestManifest:
    def prepared(self, root: Path) -> tuple[Manifest, str]:
        write_database(root)
        stem = write_collection(root, "a")
        return write_manifest(root, *names_in(root)), f"{stem}.data.json"

    def test_a_sound_one(self, tmp_path: Path) -> None:
        manifest, _ = self.prepared(tmp_path)
        seen: list[int] = []
        found = read_manifest(tmp_path)
        assert found == manifest
        check_files(tmp_path, manifest, seen.append)
        assert sum(seen) == manifest.size

    def test_a_changed_file_is_named(self, tmp_path: Path) -> None:
        manifest, data = self.prepared(tmp_path)
        original = (tmp_path / data).read_bytes()
        for changed, problem in (
            (original[:-1], "12 bytes instead of 13"),
            (original.replace(b"1", b"2"), "is damaged"),
        ):
            (tmp_path / data).write_bytes(changed)
            with pytest.raises(DumpCorrupt, match=problem) as caught:
                check_files(tmp_path, manifest)
            assert caught.value.entry == data
        (tmp_path / data).unlink()
        with pytest.raises(DumpCorrupt, match="is missing"):
            check_files(tmp_path, manifest)

    def test_an_added_file_is_named_when_it_would_be_restored(self, tmp_path: Path) -> None:
        manifest, _ = self.prepared(tmp_path)
        (tmp_path / "notes.txt").touch()
        check_files(tmp_path, manifest)
        (tmp_path / "x").mkdir()
        (tmp_path / "x" / "v.view.json").touch()
        with pytest.raises(DumpCorrupt, match=r"^x/v\.view\.json: is not named in the manifest"):
            check_files(tmp_path, manifest)

    def test_links_are_not_followed(self, tmp_path: Path) -> None:
        root = tmp_path / "dump"
        manifest, data = self.prepared(root)
        (root / data).rename(tmp_path / "elsewhere")
        (root / data).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(DumpCorrupt, match=rf"^{data}: is a symbolic link"):
            check_files(root, manifest)
        (tmp_path / "outer").mkdir()
        (tmp_path / "outer" / "db").symlink_to(root)
        entry = Entry("db/dump.json", 1, "0" * 16)
        with pytest.raises(DumpCorrupt, match=r"^db: is no directory"):
            check_files(tmp_path / "outer", Manifest("t", "c", None, "1", (entry,)))


def test_a_dump_is_removed_and_other_files_stay(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "db"):
        write_database(root)
        write_collection(root, "a")
    (tmp_path / "db" / "other").mkdir()
    (tmp_path / "mine.txt").touch()
    (tmp_path / ".0123.partial").touch()
    (tmp_path / "manifest.json").touch()
    (tmp_path / "link.view.json").symlink_to("mine.txt")
    remove_dump(tmp_path, {"db/dump.json"})
    assert names_in(tmp_path) == ["db/dump.json", "mine.txt"]
    remove_dump(tmp_path)
    assert names_in(tmp_path) == ["mine.txt"]
    assert (tmp_path / "db" / "other").is_dir()
