"""Archives: what was written is read again, and anything else is refused by name."""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import os
import random
import stat
import subprocess
import tarfile
import tracemalloc
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import xxhash

from arangorep.backup import archive
from arangorep.backup import manifest as manifests
from arangorep.backup.archive import (
    ArchiveWriter,
    Entry,
    Stopped,
    check_seal,
    is_sealed,
    read_archive,
    read_metadata,
    remove_leftovers,
)
from arangorep.backup.problems import DumpCorrupt
from arangorep.limits import ARCHIVE_METADATA_BYTES_MAX

SEAL_BYTES = len(archive._seal("gzip", bytes(8)))
Files = list[tuple[str, bytes, int | None]]

FILES: Files = [
    ("metadata.json", b'{"dumpVersion":"A1"}', None),
    ("db/c.structure.json", b"{}", None),
    ("db/c.0.data.json", b'{"_key":"1"}\n' * 40, 40),
    ("db/empty.0.data.json", b"", 0),
]


def write(path: Path, files: Files = FILES) -> Path:
    writer = ArchiveWriter(path, mode=0o600)
    for name, data, documents in files:
        writer.add(name, [data[:7], data[7:]], documents)
    assert writer.finish() == path.stat().st_size
    return path


def read(path: Path) -> Files:
    found = [(entry, content.read()) for entry, content in read_archive(path)]
    check_seal(path)
    return [(entry.name, data, entry.documents) for entry, data in found]


def drain(path: Path) -> None:
    for _ in read_archive(path):
        pass


def manifest(files: Files) -> bytes:
    entries = tuple(
        Entry(name, len(data), xxhash.xxh3_64(data).hexdigest(), documents).listed()
        for name, data, documents in files
    )
    return manifests.encode(manifests.Manifest("a test", "", None, "0", entries))


def forge(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    """A packed tar of these members, as they are."""
    with tarfile.open(path, "w:gz") as tar:
        for header, data in members:
            tar.addfile(header, io.BytesIO(data))
    return path


def member(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE) -> tuple[Any, bytes]:
    header = tarfile.TarInfo(name)
    header.type, header.size = kind, len(data)
    return header, data


def forged(path: Path, files: Files, listed: Files) -> Path:
    """An archive whose manifest tells of other files than it holds."""
    entries = [member(name, data) for name, data, _ in files]
    return forge(path, [*entries, member("manifest.json", manifest(listed))])


def refused(path: Path) -> DumpCorrupt:
    with pytest.raises(DumpCorrupt) as caught:
        drain(path)
    return caught.value


def seal_refused(path: Path) -> None:
    with pytest.raises(DumpCorrupt):
        check_seal(path)


# -- round trip ------------------------------------------------------------------------------------


@pytest.mark.parametrize("files", [FILES, [], FILES[:1]])
def test_what_was_written_is_read_again(tmp_path: Path, files: Files) -> None:
    assert read(write(tmp_path / "a", files)) == files


@pytest.mark.parametrize("packing", ["gzip", "zstd", "none"])
def test_every_packing(tmp_path: Path, packing: str) -> None:
    writer = ArchiveWriter(tmp_path / "a", mode=0o600, packing=packing)
    files: Files = [*FILES, ("big", random.Random(2).randbytes(20_000_000), None)]
    for name, data, documents in files:
        writer.add(name, [data[:7], data[7:]], documents)
    size = writer.finish()
    assert read(tmp_path / "a") == files
    assert is_sealed(tmp_path / "a")
    whole = (tmp_path / "a").read_bytes()
    assert len(whole) == size
    for at in random.Random(3).sample(range(size), 30):
        (tmp_path / "b").write_bytes(whole[:at])
        seal_refused(tmp_path / "b")
        flipped = bytearray(whole)
        flipped[at] ^= 1
        (tmp_path / "b").write_bytes(flipped)
        seal_refused(tmp_path / "b")


@pytest.mark.parametrize("packing", ["zstd", "none"])
def test_every_cut_is_refused_without_the_seal_too(tmp_path: Path, packing: str) -> None:
    writer = ArchiveWriter(tmp_path / "a", mode=0o600, packing=packing)
    for name, data, documents in FILES:
        writer.add(name, [data], documents)
    writer.finish()
    whole = (tmp_path / "a").read_bytes()
    end = len(whole) - SEAL_BYTES - 1024  # in a tar that is not packed nobody misses the last zeros
    for size in range(0, end, 7):
        (tmp_path / "b").write_bytes(whole[:size])
        refused(tmp_path / "b")


def test_tar_reads_what_is_not_packed(tmp_path: Path) -> None:
    writer = ArchiveWriter(tmp_path / "a", mode=0o600, packing="none")
    for name, data, documents in FILES:
        writer.add(name, [data], documents)
    writer.finish()
    told = subprocess.run(["tar", "tf", tmp_path / "a"], check=True, capture_output=True, text=True)
    assert (told.stderr, told.stdout.split()) == ("", [*(n for n, *_ in FILES), "manifest.json"])


def test_a_file_from_disk(tmp_path: Path) -> None:
    data = random.Random(1).randbytes(3_000_001)
    (tmp_path / "big").write_bytes(data)
    writer = ArchiveWriter(tmp_path / "a", mode=0o444)
    writer.add_file("store/big", tmp_path / "big", Event())
    writer.finish()
    assert read(tmp_path / "a") == [("store/big", data, None)]


def test_nobody_waits_for_a_file_that_is_not_wanted(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(100))
    writer, stop = ArchiveWriter(tmp_path / "a", mode=0o444), Event()
    stop.set()
    with pytest.raises(Stopped):
        writer.add_file("store/big", tmp_path / "big", stop)
    writer.abort()
    assert [path.name for path in tmp_path.iterdir()] == ["big"]


def test_what_ends_like_an_archive(tmp_path: Path) -> None:
    path = write(tmp_path / "a")
    assert is_sealed(path)
    whole = path.read_bytes()
    for other in (whole[:-1], whole + b"x", b"", whole[:40]):
        path.write_bytes(other)
        assert not is_sealed(path)


def test_long_and_unicode_names(tmp_path: Path) -> None:
    files: Files = [(f"{'ü' * 120}/{'x' * 200}", b"1", 1)]
    assert read(write(tmp_path / "a", files)) == files


def test_contents_that_nobody_reads_are_checked_all_the_same(tmp_path: Path) -> None:
    drain(write(tmp_path / "a"))
    changed = [("metadata.json", b"other", 0)]
    listed = [("metadata.json", b"0ther", 0)]
    assert refused(forged(tmp_path / "b", changed, listed)).entry == "metadata.json"


@pytest.mark.parametrize("mode", [0o600, 0o444])
def test_mode(tmp_path: Path, mode: int) -> None:
    ArchiveWriter(tmp_path / "a", mode=mode).finish()
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


def test_a_part_is_never_readable_by_others(tmp_path: Path) -> None:
    writer = ArchiveWriter(tmp_path / "a", mode=0o444)
    (part,) = tmp_path.iterdir()
    assert stat.S_IMODE(part.stat().st_mode) == 0o600
    writer.abort()


def test_the_same_contents_give_the_same_bytes(tmp_path: Path) -> None:
    assert write(tmp_path / "a").read_bytes() == write(tmp_path / "b").read_bytes()


def test_an_older_archive_is_replaced(tmp_path: Path) -> None:
    write(tmp_path / "a")
    assert read(write(tmp_path / "a", FILES[:2])) == FILES[:2]


def test_tar_and_gzip_read_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a")
    packed = path.read_bytes()
    tested = subprocess.run(["gzip", "-t"], input=packed, check=True, capture_output=True)
    assert tested.stderr == b""
    told = subprocess.run(
        ["tar", "xzvf", path, "-C", tmp_path], check=True, capture_output=True, text=True
    )
    assert told.stderr == ""
    assert told.stdout.splitlines() == [*(name for name, *_ in FILES), "manifest.json"]
    for name, data, _ in FILES:
        assert (tmp_path / name).read_bytes() == data


# -- leftovers -------------------------------------------------------------------------------------


def test_nothing_has_the_name_before_the_end(tmp_path: Path) -> None:
    writer = ArchiveWriter(tmp_path / "a", mode=0o600)
    writer.add("x", [b"1"])
    assert not (tmp_path / "a").exists()
    writer.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_abort_leaves_nothing(tmp_path: Path) -> None:
    writer = ArchiveWriter(tmp_path / "a", mode=0o600)
    writer.add("x", [b"1"])
    writer.abort()
    writer.abort()
    assert list(tmp_path.iterdir()) == []


def test_abort_leaves_what_was_there(tmp_path: Path) -> None:
    write(tmp_path / "a")
    writer = ArchiveWriter(tmp_path / "a", mode=0o600)
    writer.add("x", [b"1"])
    writer.abort()
    assert read(tmp_path / "a") == FILES


def test_leftovers_are_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".a.dump.partial", ".b.snapshot.partial", "c.partial", ".d", "e.dump"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".d", "c.partial", "e.dump"]
    remove_leftovers(tmp_path / "absent")


def test_what_is_being_written_is_no_leftover(tmp_path: Path) -> None:
    writer = ArchiveWriter(tmp_path / "a", mode=0o600)
    remove_leftovers(tmp_path)
    writer.finish()
    assert read(tmp_path / "a") == []


class FullFile(io.FileIO):
    """A disk that has no room behind the first bytes."""

    def write(self, data: Any, /) -> int:
        if self.tell() + len(data) > 1000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data) or 0


@pytest.mark.parametrize("size", [1500, 9000, 100_000])
def test_a_full_disk_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    def open_full(descriptor: int, mode: str, size: int) -> io.BufferedWriter:
        return io.BufferedWriter(FullFile(descriptor, mode), min(size, 512))

    monkeypatch.setattr(archive.os, "fdopen", open_full)
    writer = ArchiveWriter(tmp_path / "a", mode=0o600)

    def fill() -> None:
        writer.add("x", [random.Random(size).randbytes(size)])
        writer.finish()

    with pytest.raises(OSError, match="No space left"):
        fill()
    writer.abort()
    assert list(tmp_path.iterdir()) == []


# -- damage ----------------------------------------------------------------------------------------


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a")
    whole, cut = path.read_bytes(), tmp_path / "cut"
    for size in range(len(whole)):
        cut.write_bytes(whole[:size])
        seal_refused(cut)
        if size < len(whole) - SEAL_BYTES:
            refused(cut)


def test_every_flipped_byte_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a")
    whole, flipped = path.read_bytes(), tmp_path / "flipped"
    for at in range(len(whole)):
        data = bytearray(whole)
        data[at] ^= 1 << at % 8
        flipped.write_bytes(data)
        seal_refused(flipped)
        with contextlib.suppress(DumpCorrupt):
            drain(flipped)


def test_flipped_contents_do_not_get_past_the_reader(tmp_path: Path) -> None:
    """Without the seal: what unpacks is what the manifest says, or is refused."""
    path = write(tmp_path / "a")
    whole, flipped = path.read_bytes(), tmp_path / "flipped"
    for at in range(len(whole) - SEAL_BYTES):
        data = bytearray(whole)
        data[at] ^= 0x10
        flipped.write_bytes(data)
        try:
            found = [(e, content.read()) for e, content in read_archive(flipped)]
        except DumpCorrupt:
            continue
        assert [(entry.name, data, entry.documents) for entry, data in found] == FILES


def test_a_cut_is_told_to_who_reads_the_contents(tmp_path: Path) -> None:
    path = write(tmp_path / "a", [("big", random.Random(1).randbytes(3_000_000), 0)])
    path.write_bytes(path.read_bytes()[:2_000_000])
    with pytest.raises(DumpCorrupt) as caught:
        read(path)
    assert caught.value.entry == "big"


@pytest.mark.parametrize("more", [b"\0", b"x", b"\0" * 512, b"\x1f\x8b"])
def test_bytes_behind_the_end_are_refused(tmp_path: Path, more: bytes) -> None:
    path = write(tmp_path / "a")
    path.write_bytes(path.read_bytes() + more)
    seal_refused(path)


@pytest.mark.parametrize("more", [0, 1])
def test_metadata_of_any_length_are_not_read(tmp_path: Path, more: int) -> None:
    front, end = b'{"a":"', b'"}'
    data = front + b"x" * (ARCHIVE_METADATA_BYTES_MAX - len(front) - len(end) + more) + end
    path = write(tmp_path / "a", [("metadata.json", data, None)])
    if not more:
        assert read_metadata(path).keys() == {"a"}
        return
    with pytest.raises(DumpCorrupt) as caught:
        read_metadata(path)
    assert caught.value.entry == "metadata.json"


def test_two_archives_in_one_file_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a")
    path.write_bytes(path.read_bytes() * 2)
    assert refused(path).entry == "manifest.json"


@pytest.mark.parametrize("data", [b"", b"x", b"{}\n" * 1000, b"\x1f\x8b\x08\x00"])
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    refused(tmp_path / "a")
    seal_refused(tmp_path / "a")


def test_changed_contents_are_named(tmp_path: Path) -> None:
    for at, (name, data, documents) in enumerate(FILES):
        changed = [*FILES]
        changed[at] = (name, data[:-1] + b"!" if data else b"!", documents)
        error = refused(forged(tmp_path / "a", changed, FILES))
        assert error.entry == name
        assert "hash" in error.problem


@pytest.mark.parametrize(
    ("held", "listed", "entry", "problem"),
    [
        (FILES[:-1], FILES, FILES[-1][0], "is missing"),
        (FILES, FILES[:-1], FILES[-1][0], "is not in the manifest"),
        (FILES[1:], FILES, FILES[1][0], "is expected"),
        ([FILES[1], FILES[0], *FILES[2:]], FILES, FILES[1][0], "is expected"),
        ([], FILES, FILES[0][0], "is missing"),
        ([FILES[0], FILES[0]], FILES[:1], FILES[0][0], "is not in the manifest"),
    ],
)
def test_missing_extra_and_reordered_entries(
    tmp_path: Path, held: Files, listed: Files, entry: str, problem: str
) -> None:
    error = refused(forged(tmp_path / "a", held, listed))
    assert (error.entry, problem in error.problem) == (entry, True)


def test_without_manifest(tmp_path: Path) -> None:
    path = forge(tmp_path / "a", [member(name, data) for name, data, _ in FILES])
    assert refused(path).entry == "manifest.json"


@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"[]", b"{", b"{}", manifest(FILES)[:-20], manifest(FILES) + b" ",
        manifest(FILES).replace(b"a test", b"a tesd"),
    ],
)  # fmt: skip
def test_a_manifest_that_is_none(tmp_path: Path, data: bytes) -> None:
    path = forge(tmp_path / "a", [member("manifest.json", data)])
    assert refused(path).entry == "manifest.json"


def test_an_entry_behind_the_manifest(tmp_path: Path) -> None:
    path = forge(tmp_path / "a", [member("manifest.json", manifest([])), member("x", b"1")])
    assert refused(path).entry == "manifest.json"


# -- entries that no archive of ours has ----------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../x", "a/../../x", "a/..", "..", "a\\b", "..\\x"]
)
def test_names_that_lead_out(tmp_path: Path, name: str) -> None:
    error = refused(forge(tmp_path / "a", [member(name, b"1")]))
    assert "leads out" in error.problem


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE,
        tarfile.DIRTYPE,
    ],
)  # fmt: skip
def test_links_devices_and_directories(tmp_path: Path, kind: bytes) -> None:
    header, _ = member("x", kind=kind)
    header.linkname = "/etc/passwd"
    error = refused(forge(tmp_path / "a", [(header, b"")]))
    assert (error.entry, error.problem) == ("x", "is no regular file")


def test_a_bomb_is_refused_before_it_unpacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "ARCHIVE_FREE_BYTES", 1000)
    monkeypatch.setattr(archive, "ARCHIVE_RATIO_MAX", 3)
    assert "unpacks" in refused(forge(tmp_path / "a", [member("x", bytes(50_000))])).problem


def test_what_the_writer_packs_best_is_no_bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "ARCHIVE_FREE_BYTES", 0)
    files: Files = [(f"{n}", b"\0" * (8 << 20), 0) for n in range(2)]
    assert len(read(write(tmp_path / "a", files))) == 2


def test_a_bomb_in_a_header_is_refused(tmp_path: Path) -> None:
    path, size = tmp_path / "a", 64 << 20
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, size
    with gzip.open(path, "wb") as packed:
        packed.write(header.tobuf())
        packed.write(bytes(size))
    tracemalloc.start()
    try:
        refused(path)
        assert tracemalloc.get_traced_memory()[1] < size // 2
    finally:
        tracemalloc.stop()
