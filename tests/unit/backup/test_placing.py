"""Where a store is built, and what a crash on its way to its place leaves."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from arangorep.backup import placing
from arangorep.backup.placing import (
    IMPORTING,
    MOVING,
    claimed,
    has_data,
    place_for,
    remove_unfinished_import,
    take_place,
)
from arangorep.errors import StartupError


def build(place: placing.Place) -> None:
    for name in ("a", "b", "c"):
        (place.beside / name).write_text(name)


def put(place: placing.Place) -> None:
    with claimed(place):
        build(place)
        take_place(place)


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


@pytest.fixture
def volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that cannot be renamed."""
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(Path, "is_mount", lambda path: path == tmp_path / "data")
    return tmp_path / "data"


@pytest.mark.parametrize("exists", [False, True])
def test_beside(tmp_path: Path, *, exists: bool) -> None:
    if exists:
        (tmp_path / "data").mkdir()
    place = place_for(tmp_path / "data")
    assert not place.is_inside
    put(place)
    assert (names(tmp_path), names(tmp_path / "data")) == (["data"], ["a", "b", "c"])


def test_inside(volume: Path) -> None:
    place = place_for(volume)
    with claimed(place):
        build(place)
        assert not has_data(volume)
        take_place(place)
    assert names(volume) == ["a", "b", "c"]


def test_a_mount_point_is_no_data(volume: Path) -> None:
    (volume / "lost+found").mkdir()
    assert not has_data(volume)
    (volume / "x").touch()
    assert has_data(volume)


@pytest.mark.parametrize("moved", range(4))
def test_cut_off_while_it_is_moved(
    volume: Path, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    original, count = Path.rename, 0

    def rename(path: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if count > moved:
            raise KeyboardInterrupt
        return original(path, target)

    place = place_for(volume)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        with contextlib.suppress(KeyboardInterrupt):
            put(place)
    assert (count > moved) == (moved < 3)
    placing.discard(place)
    remove_unfinished_import(volume)
    assert names(volume) == ["a", "b", "c"]


def test_cut_off_before_it_was_complete(volume: Path) -> None:
    with claimed(place_for(volume)):
        build(place_for(volume))
    assert names(volume) == [IMPORTING]
    remove_unfinished_import(volume)
    assert names(volume) == []
    remove_unfinished_import(volume)


def test_two_at_once(tmp_path: Path) -> None:
    place = place_for(tmp_path / "data")
    with claimed(place):
        with pytest.raises(StartupError, match="another process"), claimed(place):
            pass
        with pytest.raises(StartupError, match="another process"):
            remove_unfinished_import(tmp_path / "data")
        build(place)
        take_place(place)
    assert names(tmp_path / "data") == ["a", "b", "c"]


def test_links_lead_to_their_end(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "real")
    place = place_for(tmp_path / "data")
    assert (place.directory, place.beside) == (tmp_path / "real", tmp_path / "real.importing")


NOBODY = 65534


@contextmanager
def unprivileged() -> Iterator[None]:
    """Nothing is forbidden to root: be somebody else for a moment."""
    if os.geteuid():
        yield
        return
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_a_directory_above_that_cannot_be_written_to() -> None:
    above = Path(tempfile.mkdtemp())  # unlike pytest's own, others may look into it
    try:
        (above / "data").mkdir()
        above.chmod(0o555)
        with unprivileged():
            assert place_for(above / "data").is_inside
        above.chmod(0o777)
        with unprivileged():
            assert not place_for(above / "data").is_inside
    finally:
        above.chmod(0o700)
        shutil.rmtree(above)


def test_moving_is_no_name_of_the_store() -> None:
    assert MOVING.startswith(".")
