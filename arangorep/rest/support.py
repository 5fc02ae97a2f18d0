"""What operators ask about one server: support-info, options, license, stop (data-api 3)."""

from __future__ import annotations

import os
import platform
from typing import Any

from arangorep.clock import iso_time
from arangorep.errors import Forbidden, NotImplementedHere
from arangorep.rest.admin import LICENSE, allow_exactly
from arangorep.rest.answer import Answer, json_answer
from arangorep.rest.context import Handler, Request
from arangorep.rest.figures import Figures


def _for_operators(request: Request, *methods: str) -> None:
    """Errors: 404/404, 405/405; 403/11 for no administrator, and outside `_system`."""
    allow_exactly(request, *methods)
    request.require_admin()
    if not request.database.info.is_system:
        raise Forbidden("forbidden: this is only told in the _system database")


async def support_info(request: Request) -> Answer:
    """`GET /_admin/support-info`. Errors: 403/11 (`_for_operators`)."""
    _for_operators(request, "GET")
    services = request.services
    return json_answer(
        {
            "deployment": {"type": "single"},
            "host": {
                "role": "SINGLE",
                "maintenance": False,
                "readOnly": services.read_only,
                "version": services.version,
                "build": f"arangorep {services.product_version}",
                "license": LICENSE,
                "os": platform.platform(),
                "platform": platform.system().lower(),
                **_machine(Figures(services)),
            },
            "date": iso_time(services.clock.wall_us()),
        }
    )


def _machine(figures: Figures) -> dict[str, Any]:
    process = figures.process
    return _known(
        {
            "physicalMemory": _known({"value": figures.physical_memory}),
            "numberOfCores": _known({"value": os.cpu_count()}),
            "processStats": _known(
                {
                    "processUptime": figures.uptime_s,
                    "numberOfThreads": process.threads,
                    "virtualSize": process.virtual_bytes,
                    "residentSetSize": process.resident_bytes,
                    "fileDescriptors": process.open_files,
                }
            ),
            "engineStats": {
                **_known(
                    dict(zip(("freeDiskSpace", "totalDiskSpace"), figures.disk_space, strict=True))
                ),
                "cacheSize": figures.engine.get("rocksdb.block-cache-capacity"),
                "cacheUsage": figures.engine.get("rocksdb.block-cache-usage"),
            },
        }
    )


def _known(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


async def options(request: Request) -> Answer:
    """`GET /_admin/options`: what the server runs with. Errors: 403/11 (`_for_operators`)."""
    _for_operators(request, "GET")
    known = request.services.observation.options
    return json_answer({option.name: option.value for option in known})


async def options_description(request: Request) -> Answer:
    """`GET /_admin/options-description`. Errors: 403/11 (`_for_operators`)."""
    _for_operators(request, "GET")
    known = request.services.observation.options
    return json_answer(
        {
            option.name: {"description": option.description, "type": type(option.value).__name__}
            for option in known
        }
    )


async def license_info(request: Request) -> Answer:
    """`GET /_admin/license`: none is needed. Errors: 501/9 for `PUT`."""
    allow_exactly(request, "GET", "PUT")
    if request.method == "PUT":
        raise NotImplementedHere("not implemented: licensing is not part of this server")
    return json_answer({"license": "none"})


def nothing_to_reload(*methods: str) -> Handler:
    """A handler that says yes: what others keep in caches is read afresh here."""

    async def reloaded(request: Request) -> Answer:
        allow_exactly(request, *methods)
        return json_answer({})

    return reloaded


async def shutdown(request: Request) -> Answer:
    """`DELETE /_admin/shutdown`: the same clean stop as SIGTERM, after this answer.

    Errors: 501/9 for the progress of a soft shutdown, for `soft`, and where whoever started the
    server did not say how it is stopped (a server within another program).
    """
    allow_exactly(request, "GET", "DELETE")
    request.require_admin()
    stop = request.services.shut_down
    if request.method != "DELETE" or request.query.flag("soft") or stop is None:
        raise NotImplementedHere("not implemented: only a plain shutdown can be asked for")
    stop()
    return json_answer("OK")
