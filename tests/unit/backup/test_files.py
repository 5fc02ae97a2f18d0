"""Files appear whole or not at all, and only plain files are read."""

from __future__ import annotations

import gzip
import os
import stat
from pathlib import Path

import pytest
import xxhash

from arangorep.backup import files
from arangorep.backup.files import (
    AtomicFile,
    DataFile,
    Stored,
    StoredData,
    hash_file,
    make_directory,
    read_file,
    read_pieces,
    write_file,
)
from arangorep.backup.problems import DumpCorrupt


def test_a_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "a"
    stored = write_file(path, b"data")
    assert stored == Stored(4, xxhash.xxh3_64_hexdigest(b"data")) == hash_file(path, "a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["a"]


def test_a_long_name_can_be_written(tmp_path: Path) -> None:
    write_file(tmp_path / ("n" * 255), b"")
    assert os.listdir(tmp_path) == ["n" * 255]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write_file(tmp_path / "a", b"old")

    def fail() -> None:
        with AtomicFile(tmp_path / "a") as file:
            file.write(b"new")
            assert [files.is_partial(name) for name in sorted(os.listdir(tmp_path))] == [
                True,
                False,
            ]
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_the_steps_come_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    sync, replace, sync_directory = os.fsync, Path.replace, files.sync_directory
    monkeypatch.setattr(os, "fsync", lambda fd: (steps.append("sync"), sync(fd)))
    monkeypatch.setattr(Path, "replace", lambda a, b: (steps.append("name"), replace(a, b)))
    monkeypatch.setattr(
        files, "sync_directory", lambda p: (steps.append("directory"), sync_directory(p))
    )
    write_file(tmp_path / "a", b"data")
    assert steps == ["sync", "name", "directory", "sync"]


def test_a_failed_sync_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_file(tmp_path / "a", b"data")
    assert os.listdir(tmp_path) == []


def test_what_a_killed_writer_left_is_replaced(tmp_path: Path) -> None:
    file = AtomicFile(tmp_path / "a")
    file.write(b"half")
    file._file.close()
    assert len(os.listdir(tmp_path)) == 1
    write_file(tmp_path / "a", b"whole")
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_a_data_file_is_counted(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.data.json{ending}"
    lines = b'{"_key":"1"}\n' * 100_000
    with DataFile(path) as file:
        file.write(lines)
        file.write(lines)
        assert not path.exists()
        stored = file.commit()
    at_rest = hash_file(path, "a")
    expected = StoredData(at_rest.size, at_rest.xxh3, 200_000, 2 * len(lines))
    assert stored == expected
    assert b"".join(read_pieces(path, "a", stored.unpacked_size)) == lines * 2


def test_a_data_file_without_commit_is_none(tmp_path: Path) -> None:
    with DataFile(tmp_path / "a.data.json.gz") as file:
        file.write(b"x\n")
    assert os.listdir(tmp_path) == []


def test_an_empty_data_file_is_a_gzip_file(tmp_path: Path) -> None:
    with DataFile(tmp_path / "a.data.json.gz") as file:
        file.commit()
    assert gzip.decompress((tmp_path / "a.data.json.gz").read_bytes()) == b""


def test_directories_are_private(tmp_path: Path) -> None:
    make_directory(tmp_path / "a" / "b")
    make_directory(tmp_path / "a" / "b")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700


class TestReading:
    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(DumpCorrupt, match=r"^e: is missing"):
            read_file(tmp_path / "a", "e")

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "a").symlink_to("/etc/passwd")
        with pytest.raises(DumpCorrupt, match="symbolic link"):
            hash_file(tmp_path / "a", "e")

    def test_a_pipe_does_not_block(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "a")
        with pytest.raises(DumpCorrupt, match="no regular file"):
            read_file(tmp_path / "a", "e")

    def test_a_directory(self, tmp_path: Path) -> None:
        with pytest.raises(DumpCorrupt, match=r"no regular file|cannot be read"):
            read_file(tmp_path, "e")

    def test_a_large_file_is_not_read_as_a_whole(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"12345")
        assert read_file(tmp_path / "a", "e", 5) == b"12345"
        with pytest.raises(DumpCorrupt, match="5 bytes, more than 4"):
            read_file(tmp_path / "a", "e", 4)
