"""Copies of hot backups, without a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from arangorep.backup import transfer
from arangorep.backup.archive import Stopped
from arangorep.backup.transfer import Progress, download, upload

META = '{"id":"b","datetime":"2026-01-01T00:00:00Z"}'


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A backup."""
    path = tmp_path / "backups" / "b"
    path.mkdir(parents=True)
    for name, text in {"CURRENT": "MANIFEST-1\n", "MANIFEST-1": "x", "META": META}.items():
        (path / name).write_text(text)
    return path


def test_copies_are_the_same_whenever_they_are_made(tmp_path: Path, source: Path) -> None:
    for name in ("one", "two"):
        upload(source, tmp_path / name / "b", Progress())
    assert (tmp_path / "one/b/manifest.json").read_bytes() == (
        tmp_path / "two/b/manifest.json"
    ).read_bytes()


def test_a_stop_is_seen_between_any_two_files(tmp_path: Path, source: Path) -> None:
    away, back = tmp_path / "away" / "b", tmp_path / "back" / "b"
    upload(source, away, Progress())
    for work in (lambda p: upload(source, away, p), lambda p: download(away, source, p),
                 lambda p: download(away, back, p)):  # fmt: skip
        progress = Progress()
        progress.stop.set()
        with pytest.raises(Stopped):
            work(progress)
    assert list((tmp_path / "back").iterdir()) == []


def test_a_stop_within_a_file(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "big").write_bytes(bytes(10_000_000))
    progress, pieces = Progress(), []
    plain = transfer.read_chunks

    def counted(path: Path, name: str) -> Iterator[bytes]:
        for chunk in plain(path, name):
            pieces.append(name)
            if name == "big":
                progress.stop.set()
            yield chunk

    monkeypatch.setattr(transfer, "read_chunks", counted)
    with pytest.raises(Stopped):
        upload(source, tmp_path / "away" / "b", progress)
    assert pieces.count("big") == 1
