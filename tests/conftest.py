"""Fixtures and the Hypothesis profile shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support.server import Api, ServerThread

from arangorep.clock import ManualClock
from arangorep.config import Config

settings.register_profile(
    "default",
    derandomize=True,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("deep", parent=settings.get_profile("default"), max_examples=2000)
# a fresh seed each run; a failure prints how to replay it
settings.register_profile("random", parent=settings.get_profile("default"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    """One real server for a test module: real socket, real RocksDB, the machine's clock."""
    config = Config(tmp_path_factory.mktemp("data"), port=0)
    with ServerThread(config) as running:
        yield running


@pytest.fixture
def api(server: ServerThread) -> Iterator[Api]:
    """A client in a database of its own, which is dropped afterwards."""
    with server.fresh_database() as client:
        yield client


@pytest.fixture
def system(server: ServerThread) -> Iterator[Api]:
    """A client in `_system` of the module's server."""
    with Api(server.url, "_system") as client:
        yield client


@pytest.fixture
def manual(tmp_path: Path) -> Iterator[tuple[ServerThread, ManualClock]]:
    """A server of its own whose clock the test moves."""
    clock = ManualClock()
    with ServerThread(Config(tmp_path / "data", port=0), clock) as running:
        yield running, clock
