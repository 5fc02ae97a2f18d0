"""A server for tests about time: nothing expires, and nothing is swept, but when the test says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from support.server import Api, ServerThread

from arangorep.clock import ManualClock
from arangorep.rest.context import Services


@dataclass
class TimedServer:
    """A running server, its clock, and a client in a database of its own."""

    thread: ServerThread
    clock: ManualClock
    api: Api

    @property
    def services(self) -> Services:
        """Only to be touched inside `thread.call`."""
        return self.thread.server.node.services

    def advance(self, seconds: float) -> None:
        """Let time pass; what expires stays until it is swept."""
        self.thread.call(lambda: self.clock.advance_s(seconds))

    def sweep(self) -> None:
        """What the background does every few seconds."""

        def both() -> None:
            self.services.batches.sweep()
            self.services.clients.sweep()

        self.thread.call(both)

    def pass_time(self, seconds: float) -> None:
        """Let time pass and sweep."""
        self.advance(seconds)
        self.sweep()

    def batches(self) -> int:
        """How many batches there are; looking does not prolong them."""
        return self.thread.call(lambda: len(self.services.batches))

    def clients(self) -> list[dict[str, Any]]:
        """`clients` of logger-state in the client's database."""
        response = self.api.get("/_api/replication/logger-state")
        assert response.status_code == 200, response.text
        clients: list[dict[str, Any]] = response.json()["clients"]
        return clients
