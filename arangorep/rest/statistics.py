"""`/_admin/statistics` and `/_admin/statistics-description` (data-api 3).

One table says which figures there are, so the answer and its description agree. Figures of a real
server that this one does not have are in neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from arangorep.rest.admin import allow_exactly
from arangorep.rest.answer import Answer, ok
from arangorep.rest.context import Request
from arangorep.rest.figures import Figures
from arangorep.rest.observation import OTHER_METHOD, Distribution

CURRENT, ACCUMULATED, DISTRIBUTION = "current", "accumulated", "distribution"
SECONDS, BYTES, NUMBER, PERCENT = "seconds", "bytes", "number", "percent"

GROUPS: Mapping[str, tuple[str, str]] = {
    "system": ("Process", "Figures of the server's process"),
    "client": ("Connections", "Figures of connections and of what they were answered"),
    "http": ("Requests", "Numbers of requests by method"),
    "server": ("Server", "Figures of the server"),
}
"""Name and description by group."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure; `read` gives None where it is not known."""

    group: str
    identifier: str
    name: str
    description: str
    kind: str
    unit: str
    read: Callable[[Figures], float | Distribution | None]


def _requests(what: str, *methods: str) -> Figure:
    return Figure(
        "http",
        f"requests{what}",
        f"{what} requests",
        f"Requests counted as {what}",
        ACCUMULATED,
        NUMBER,
        lambda figures: figures.counters.requests(*methods),
    )


FIGURES = (
    Figure(
        *("system", "minorPageFaults", "Minor page faults"),
        *("Page faults without reading from a disk", ACCUMULATED, NUMBER),
        lambda figures: figures.process.minor_page_faults,
    ),
    Figure(
        *("system", "majorPageFaults", "Major page faults"),
        *("Page faults that read from a disk", ACCUMULATED, NUMBER),
        lambda figures: figures.process.major_page_faults,
    ),
    Figure(
        *("system", "userTime", "User time"),
        *("Processor time in user mode", ACCUMULATED, SECONDS),
        lambda figures: figures.process.user_time_s,
    ),
    Figure(
        *("system", "systemTime", "System time"),
        *("Processor time in the kernel", ACCUMULATED, SECONDS),
        lambda figures: figures.process.system_time_s,
    ),
    Figure(
        *("system", "numberOfThreads", "Threads"),
        *("Threads of the process", CURRENT, NUMBER),
        lambda figures: figures.process.threads,
    ),
    Figure(
        *("system", "residentSize", "Resident size"),
        *("Memory of the process", CURRENT, BYTES),
        lambda figures: figures.process.resident_bytes,
    ),
    Figure(
        *("system", "residentSizePercent", "Resident share"),
        *("Memory of the process as a part of the machine's, 0 to 1", CURRENT, PERCENT),
        lambda figures: figures.resident_share,
    ),
    Figure(
        *("system", "virtualSize", "Virtual size"),
        *("Addresses of the process", CURRENT, BYTES),
        lambda figures: figures.process.virtual_bytes,
    ),
    Figure(
        *("client", "httpConnections", "Connections"),
        *("Clients connected now", CURRENT, NUMBER),
        lambda figures: figures.connections,
    ),
    Figure(
        *("client", "requestTime", "Request time"),
        *("From a request's head to its answer, before that is sent", DISTRIBUTION, SECONDS),
        lambda figures: figures.counters.request_times,
    ),
    Figure(
        *("client", "bytesSent", "Bytes sent"),
        *("Sizes of answers without their heads", DISTRIBUTION, BYTES),
        lambda figures: figures.counters.body_bytes,
    ),
    _requests("Total"),
    Figure(
        *("http", "requestsAsync", "Async requests"),
        *("Requests that were turned into jobs", ACCUMULATED, NUMBER),
        lambda figures: figures.counters.async_requests,
    ),
    *(
        _requests(method.capitalize(), method)
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    ),
    _requests("Other", OTHER_METHOD),
    Figure(
        *("server", "uptime", "Uptime"),
        *("Time since the start", CURRENT, SECONDS),
        lambda figures: figures.uptime_s,
    ),
    Figure(
        *("server", "physicalMemory", "Physical memory"),
        *("Memory of the machine", CURRENT, BYTES),
        lambda figures: figures.physical_memory,
    ),
)


async def statistics(request: Request) -> Answer:
    """`GET /_admin/statistics`. Errors: 404/404, 405/405."""
    allow_exactly(request, "GET")
    figures = Figures(request.services)
    groups: dict[str, dict[str, Any]] = {group: {} for group in GROUPS}
    for figure in FIGURES:
        value = figure.read(figures)
        if value is not None:
            groups[figure.group][figure.identifier] = _shown(value)
    time = request.services.clock.wall_us() / 1_000_000
    return ok({"time": time, "enabled": True, **groups})


def _shown(value: float | Distribution) -> object:
    if not isinstance(value, Distribution):
        return value
    return {"sum": value.total, "count": value.count, "counts": value.counts}


async def description(request: Request) -> Answer:
    """`GET /_admin/statistics-description`. Errors: 404/404, 405/405."""
    allow_exactly(request, "GET")
    groups = [
        {"group": group, "name": name, "description": text}
        for group, (name, text) in GROUPS.items()
    ]
    figures = Figures(request.services)
    described = [_described(figure, figure.read(figures)) for figure in FIGURES]
    return ok({"groups": groups, "figures": described})


def _described(figure: Figure, value: float | Distribution | None) -> dict[str, object]:
    cuts = {"cuts": list(value.cuts)} if isinstance(value, Distribution) else {}
    return {
        "group": figure.group,
        "identifier": figure.identifier,
        "name": figure.name,
        "description": figure.description,
        "type": figure.kind,
        "units": figure.unit,
        **cuts,
    }
