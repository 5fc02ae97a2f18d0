"""A running server: a node, its background steps and a listening socket."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType

from aiohttp import web

from arangorep.clock import Clock
from arangorep.config import Config
from arangorep.errors import StartupError
from arangorep.limits import SHUTDOWN_GRACE_S
from arangorep.rest.dispatch import Dispatcher
from arangorep.server.background import Background
from arangorep.server.http import HttpServer
from arangorep.server.node import Node


class Server:
    """Start and stop in this order: store, background, socket; socket, background, store.

    Usable as an asynchronous context manager. `url` is known after `start`.
    """

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        self._config = config
        self._clock = clock
        self.url = ""

    async def start(self) -> None:
        """Errors: `StartupError` when the directory or the port is taken."""
        self.node = Node(self._config, self._clock)
        try:
            await self._listen()
        except BaseException:
            self.node.close()
            raise
        self.node.services.observation.log_book.install()
        self._background = Background(self.node)
        self._background.start()
        if self._config.start_appliers:
            self.node.services.appliers.start_at_launch()
        self.node.services.loop_monitor.start()
        self.node.services.runner.start()

    async def _listen(self) -> None:
        self._http = HttpServer(
            Dispatcher(self.node.services), self._config.body_bytes_max, self.node.clock
        )
        self._runner = web.ServerRunner(self._http, shutdown_timeout=SHUTDOWN_GRACE_S)
        await self._runner.setup()
        address, port = self._config.address, self._config.port
        try:
            await web.TCPSite(self._runner, address, port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise StartupError(f"cannot listen on {address}:{port}: {error.strerror}") from error
        host = f"[{address}]" if ":" in address else address
        self.url = f"http://{host}:{self._runner.addresses[0][1]}"
        self.node.services.endpoint = self.url
        self.node.services.observation.connections = lambda: len(self._http.connections)

    async def stop(self) -> None:
        """Let requests in flight finish, then sync and close the store."""
        services = self.node.services
        services.stopping = True
        # whoever waits for a collection of a transaction would wait for its idle time
        async with services.write_lock:
            services.streams.abort_all()
        services.loop_monitor.stop()
        for site in list(self._runner.sites):
            await site.stop()
        await self._http.drain(SHUTDOWN_GRACE_S)
        await self._runner.cleanup()
        await services.appliers.stop()
        await services.jobs.finish()
        await services.runner.stop()
        await services.transfers.stop()
        await services.cutter.close()
        await self._background.stop()
        await asyncio.gather(*services.maintenance, return_exceptions=True)
        with contextlib.suppress(Exception):  # a sync that still runs in its thread ends first
            await services.group_sync.wait()
        services.observation.log_book.uninstall()
        async with services.write_lock:
            if self.node.archiver is not None:
                with contextlib.suppress(OSError):  # the next start archives the rest
                    await self.node.archiver.step()
            self.node.close()

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()
