"""Fixtures of the tests of the replication API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.server import ServerThread
from support.timed import TimedServer

from arangorep.clock import ManualClock
from arangorep.config import Config


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[TimedServer]:
    """A server of its own whose clock and sweeping are in the test's hands."""
    for name in ("BATCH_SWEEP_INTERVAL_S", "LOG_PRUNE_INTERVAL_S", "TREE_CHECKPOINT_INTERVAL_S"):
        monkeypatch.setattr(f"arangorep.server.background.{name}", 3600.0)
    clock = ManualClock()
    with (
        ServerThread(Config(tmp_path / "data", port=0), clock) as thread,
        thread.fresh_database() as api,
    ):
        yield TimedServer(thread, clock, api)
