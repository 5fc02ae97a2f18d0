"""The worker that parses arrays: what it answers, and what happens without it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.wait import wait_in_loop

from arangorep.data.cutting import CutBlock
from arangorep.limits import (
    CUT_BYTES_MAX,
    CUT_FROM_BYTES,
    CUT_ROWS_PER_BLOCK,
    CUT_WAITING_MAX,
    CUT_WORKER_STARTS_MAX,
)
from arangorep.rest import cutter as cutter_module
from arangorep.rest.cutter import Cutter, count_cores
from arangorep.values.key_generator import KeyOptions

OPTIONS = KeyOptions()
DOCUMENTS: list[Any] = [
    {"_key": f"k{n}", "a": "x" * 200, "t": "line\nbreak \u00fc\u2028"} for n in range(500)
]
LARGE = json.dumps(DOCUMENTS).encode()


@pytest.fixture
async def cutter() -> AsyncIterator[Cutter]:
    """Its worker is ready."""
    found = Cutter(cores=2)
    await ready(found)
    yield found
    await found.close()


async def ready(cutter: Cutter) -> None:
    assert await cutter.cut(LARGE, OPTIONS) is None  # it starts now
    await wait_in_loop(lambda: (cutter._worker is not None and cutter._worker.is_ready) or None)


def documents_of(blocks: list[CutBlock] | None) -> list[Any]:
    assert blocks is not None
    assert {len(block.tails) for block in blocks[:-1]} <= {CUT_ROWS_PER_BLOCK}
    return [document for block in blocks for document in block.documents()]


async def test_what_comes_back(cutter: Cutter) -> None:
    assert documents_of(await cutter.cut(LARGE, OPTIONS)) == DOCUMENTS


async def test_without_keys(cutter: Cutter) -> None:
    documents = [{"a": "x" * 200, "n": n} for n in range(500)] + [{}]
    assert documents_of(await cutter.cut(json.dumps(documents).encode(), OPTIONS)) == documents


async def test_several_at_once(cutter: Cutter) -> None:
    work = [cutter.cut(LARGE.replace(b"x", b"%d" % n), OPTIONS) for n in range(5)]
    for number, blocks in enumerate([await one for one in work]):
        assert documents_of(blocks)[7]["a"] == str(number) * 200


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b" " * CUT_FROM_BYTES,
        LARGE[:-1],
        LARGE.replace(b'"k7"', b'"k/7"'),
        LARGE.replace(b'"k7"', b"7"),
        LARGE.replace(b'"_key": "k7"', b'"b": 1'),
        LARGE.replace(b'"k7",', b'"k7", "_rev": "x",'),
        LARGE.replace(b'"k7",', b'"k7", "d": ' + b"[" * 300 + b"]" * 300 + b","),
        LARGE.replace(b"line", b"\xff"),
        b"[" + b"[" * 100_000 + b"]" * 100_000 + b"]",
        b"[" + LARGE + b"]",
    ],
)
async def test_what_is_not_plain_is_left_to_the_server(cutter: Cutter, body: bytes) -> None:
    assert await cutter.cut(body, OPTIONS) is None
    assert documents_of(await cutter.cut(LARGE, OPTIONS)) == DOCUMENTS


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", LARGE[: CUT_FROM_BYTES - 1], b" " + LARGE, b"[" + b" " * CUT_BYTES_MAX + b"]"],
)
async def test_what_a_worker_is_not_asked_for(cutter: Cutter, body: bytes) -> None:
    assert cutter._worker is not None
    await cutter._worker.close()
    assert await cutter.cut(body, OPTIONS) is None


async def test_no_keys_allowed(cutter: Cutter) -> None:
    assert await cutter.cut(LARGE, KeyOptions(allow_user_keys=False)) is None


async def test_a_worker_that_dies_is_replaced_some_times() -> None:
    cutter = Cutter(cores=2)
    for _ in range(CUT_WORKER_STARTS_MAX):
        await ready(cutter)
        assert documents_of(await cutter.cut(LARGE, OPTIONS)) == DOCUMENTS
        worker = cutter._worker
        assert worker is not None
        assert worker._child is not None
        os.kill(worker._child.process.pid, signal.SIGKILL)
        await worker._child.process.wait()
    assert await cutter.cut(LARGE, OPTIONS) is None
    assert cutter._worker is None
    await cutter.close()


async def test_a_worker_that_dies_at_work(cutter: Cutter) -> None:
    worker = cutter._worker
    assert worker is not None
    assert worker._child is not None
    os.kill(worker._child.process.pid, signal.SIGSTOP)
    work = cutter.cut(LARGE, OPTIONS)
    os.kill(worker._child.process.pid, signal.SIGKILL)
    assert await work is None


async def test_a_worker_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutter_module, "CUT_PATIENCE_S", 1.0)
    cutter = Cutter(cores=2)
    await ready(cutter)
    worker = cutter._worker
    assert worker is not None
    assert worker._child is not None
    os.kill(worker._child.process.pid, signal.SIGSTOP)
    assert await cutter.cut(LARGE, OPTIONS) is None
    await worker._child.process.wait()
    await ready(cutter)
    assert documents_of(await cutter.cut(LARGE, OPTIONS)) == DOCUMENTS
    await cutter.close()


async def test_a_queue_is_not_joined_when_it_is_long(cutter: Cutter) -> None:
    work = [asyncio.create_task(cutter.cut(LARGE, OPTIONS)) for _ in range(CUT_WAITING_MAX + 3)]
    found = [await one for one in work]
    assert [blocks is None for blocks in found] == [False] * CUT_WAITING_MAX + [True] * 3


async def test_not_on_one_core() -> None:
    cutter = Cutter(cores=1)
    assert await cutter.cut(LARGE, OPTIONS) is None
    assert cutter._worker is None
    assert count_cores() >= 1
    await cutter.close()
