"""Sorters: answers come in the order of the tasks, by whichever process."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from arangorep.backup import sorting
from arangorep.backup.sorting import Sorters
from arangorep.values.key_generator import KeyOptions
from arangorep.values.revision import encode_hlc

NOW = 1_782_579_200_000 << 20


def lines(start: int, count: int) -> bytes:
    return b"".join(
        b'{"_key":"%07d","_id":"c/%07d","_rev":"%b"}\n' % (n, n, encode_hlc(NOW + n).encode())
        for n in range(start, start + count)
    )


def task(path: Path, number: int) -> dict[str, Any]:
    return {
        "name": b"c", "is_checked": False, "after": 0, "prefix": bytes(8),
        "documents": str(path / f"{number}.d"), "primary": str(path / f"{number}.p"),
        "keys": asdict(KeyOptions()), "last_value": 0,
    }  # fmt: skip


@pytest.mark.parametrize("from_bytes", [0, 1 << 30, 3000])
def test_answers_are_those_of_their_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, from_bytes: int
) -> None:
    monkeypatch.setattr(sorting, "IMPORT_SORTERS_FROM_BYTES", from_bytes)
    with Sorters() as sorters:
        waiting = []
        for number in range(9):
            body = lines(number * 1000, 10 + number * 20)
            waiting.append(sorters.submit(task(tmp_path, number), body))
        for number, answer in enumerate(waiting):
            found = answer()
            assert len(found["revisions"]) == 8 * (10 + number * 20)
            assert found["first"] == b"%07d" % (number * 1000)
            assert (tmp_path / f"{number}.d").is_file()


@pytest.mark.parametrize("from_bytes", [0, 1 << 30])
@pytest.mark.parametrize("body", [b"{}\n", b"nonsense\n", b'{"_key":"a"', b"\n"])
def test_what_is_not_plain_has_an_empty_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, from_bytes: int, body: bytes
) -> None:
    monkeypatch.setattr(sorting, "IMPORT_SORTERS_FROM_BYTES", from_bytes)
    with Sorters() as sorters:
        assert "revisions" not in sorters.submit(task(tmp_path, 0), body)()
        assert "revisions" in sorters.submit(task(tmp_path, 1), lines(0, 5))()


def test_a_process_that_ends_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "IMPORT_SORTERS_FROM_BYTES", 0)
    with Sorters() as sorters:
        answer = sorters.submit(task(tmp_path, 0), lines(0, 5))
        answer()
        for process in sorters._processes:
            process.kill()
        with pytest.raises((OSError, ValueError)):
            sorters.submit(task(tmp_path, 1), lines(5, 5))()
