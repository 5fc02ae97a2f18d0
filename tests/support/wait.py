"""Waiting for what another thread does, with a time limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 30
STEP_S = 0.005


def wait_for(look: Callable[[], T | None]) -> T:
    """Call `look` until it returns something; that it never does is a failure."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(STEP_S)
    raise AssertionError(f"nothing came within {PATIENCE_S} s")


async def wait_in_loop(look: Callable[[], T | None]) -> T:
    """The same where the other work needs this event loop."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        await asyncio.sleep(STEP_S)
    raise AssertionError(f"nothing came within {PATIENCE_S} s")
