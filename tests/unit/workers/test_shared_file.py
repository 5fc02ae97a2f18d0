"""`SharedFile`: what one side wrote is what the other reads."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.workers import shared_file as module
from arangorep.workers.shared_file import SharedFile


@pytest.fixture(params=["memory", "disk"])
def file(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[SharedFile]:
    """Not every system has files in memory."""
    if request.param == "disk":
        monkeypatch.delattr(os, "memfd_create")
    made = SharedFile.create()
    yield made
    made.close()


@given(st.lists(st.lists(st.binary(max_size=300), max_size=4), min_size=1, max_size=4))
def test_task_after_task(tasks: list[list[bytes]]) -> None:
    file = SharedFile.create()
    for pieces in tasks:
        file.write([memoryview(piece) for piece in pieces])
        assert file.read(*map(len, pieces)) == pieces
    file.close()


def test_another_descriptor_reads_it(file: SharedFile) -> None:
    other = SharedFile(os.dup(file.descriptor))
    file.write([b"task", b"", b"bo" * 100_000, b"dy"])
    assert other.read(4, 200_002) == [b"task", b"bo" * 100_000 + b"dy"]
    other.close()


def test_less_than_was_told(file: SharedFile) -> None:
    file.write([b"four"])
    with pytest.raises(OSError, match="less was written"):
        file.read(3, 2)


def test_memory_of_a_large_task_is_given_back(
    file: SharedFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHARED_BYTES_KEPT", 1000)
    for size, kept in ((1000, 1000), (1001, 0), (10, 10)):
        file.write([bytes(size)])
        assert file.read(size) == [bytes(size)]
        assert os.fstat(file.descriptor).st_size == kept


def test_nothing_is_written_to_a_file_that_was_closed() -> None:
    """Its number may be that of another file by now."""
    file = SharedFile.create()
    file.close()
    for use in (lambda: file.write([b"x"]), lambda: file.read(1)):
        with pytest.raises(OSError, match="Bad file descriptor"):
            use()
