"""Version, engine, server and status calls (data-api 3)."""

from __future__ import annotations

import asyncio
import os
import platform
import socket
import sys

from arangorep.errors import (
    GraphNotFound,
    HttpBadParameter,
    HttpNotFound,
    HttpServerError,
    MethodNotAllowed,
    NotImplementedHere,
)
from arangorep.rest.answer import Answer, json_answer, ok
from arangorep.rest.context import Handler, Request

LICENSE = "community"
INDEX_TYPES = [
    "primary",
    "edge",
    "hash",
    "skiplist",
    "ttl",
    "persistent",
    "geo",
    "fulltext",
    "mdi",
    "mdi-prefixed",
    "inverted",
]
ABSENT_SERVER_WORDS = ("jwt", "tls", "encryption", "aql-queries", "api-calls")
KEY_GENERATORS = ["padded", "uuid", "autoincrement", "traditional"]


def allow(request: Request, *methods: str) -> None:
    """Errors: 405/405. HEAD counts as GET."""
    method = "GET" if request.method == "HEAD" else request.method
    if method not in methods:
        raise MethodNotAllowed


def allow_exactly(request: Request, *methods: str) -> None:
    """For a path with nothing below it. Errors: 404/404, 405/405."""
    if request.parts:
        raise HttpNotFound
    allow(request, *methods)


async def version(request: Request) -> Answer:
    """`GET /_api/version`; `details` names the product and its own version."""
    allow(request, "GET")
    services = request.services
    answer: dict[str, object] = {
        "server": "arango",
        "license": LICENSE,
        "version": services.version,
    }
    if request.query.flag("details"):
        answer["details"] = {
            "architecture": "64bit",
            "arangorep-version": services.product_version,
            "endianness": sys.byteorder,
            "full-version-string": f"ArangoDB {services.version} compatible, "
            f"arangorep {services.product_version}",
            "host": "single",
            "license": LICENSE,
            "mode": "server",
            "platform": platform.system().lower(),
            "product": "arangorep",
            "python-version": platform.python_version(),
            "role": "SINGLE",
            "server-version": services.version,
        }
    return json_answer(answer)


async def engine(request: Request) -> Answer:
    """`GET /_api/engine[/stats]`: dump tools want to read `rocksdb`. Errors: 400/400, 405/405."""
    allow(request, "GET")
    if request.parts == ["stats"]:
        return _engine_stats(request)
    request.require_parts(0)
    return json_answer(
        {
            "name": "rocksdb",
            "supports": {
                "indexes": INDEX_TYPES,
                "aliases": {
                    "indexes": {"hash": "persistent", "skiplist": "persistent", "zkd": "mdi"}
                },
            },
            "endianness": "big",
        }
    )


def _engine_stats(request: Request) -> Answer:
    """RocksDB's own figures, of the store and of each family."""
    properties = request.store.engine.properties()
    families = {family.value: figures for family, figures in properties.families.items()}
    return json_answer({**properties.totals(), "columnFamilies": families})


async def server(request: Request) -> Answer:
    """`/_admin/server/{role,id,mode,availability}`. Errors: 404/404, 405/405; 501/9."""
    if request.parts and request.parts[0] in ABSENT_SERVER_WORDS:
        raise NotImplementedHere
    word = request.parts[0] if len(request.parts) == 1 else ""
    mode = "readonly" if request.services.read_only else "default"
    if word == "mode" and request.method == "PUT":
        return await _set_mode(request)
    if word not in ("role", "id", "mode", "availability"):
        raise HttpNotFound
    allow(request, "GET")
    if word == "role":
        return ok({"role": "SINGLE", "mode": "default"})
    if word == "id":
        raise HttpServerError("only servers of a cluster have an id")
    return ok({"mode": mode})


async def _set_mode(request: Request) -> Answer:
    request.require_admin()
    body = await request.json()
    mode = body.get("mode") if isinstance(body, dict) else None
    if mode not in ("default", "readonly"):
        raise HttpBadParameter("bad parameter: mode must be 'default' or 'readonly'")
    request.services.read_only = mode == "readonly"
    return ok({"mode": mode})


async def status(request: Request) -> Answer:
    """`GET /_admin/status`."""
    allow(request, "GET")
    services = request.services
    return json_answer(
        {
            "server": "arango",
            "version": services.version,
            "pid": os.getpid(),
            "license": LICENSE,
            "mode": "server",
            "operationMode": "server",
            "foxxApi": False,
            "host": "single",
            "hostname": socket.gethostname(),
            "serverInfo": {
                "progress": {"phase": "in wait", "feature": "", "recoveryTick": 0},
                "maintenance": False,
                "role": "SINGLE",
                "writeOpsEnabled": not services.read_only,
                "readOnly": services.read_only,
            },
        }
    )


async def time(request: Request) -> Answer:
    """`GET /_admin/time`: seconds."""
    allow(request, "GET")
    return ok({"time": request.services.clock.wall_us() / 1_000_000})


async def endpoint(request: Request) -> Answer:
    """`GET /_api/endpoint`."""
    allow(request, "GET")
    return json_answer([{"endpoint": request.services.endpoint}])


async def target_version(request: Request) -> Answer:
    """`GET /_admin/database/target-version`: 3.12.9 is 31209."""
    allow(request, "GET")
    major, minor, patch = request.services.version.split(".")
    return ok({"version": f"{major}{int(minor):02d}{int(patch):02d}"})


async def key_generators(request: Request) -> Answer:
    """`GET /_api/key-generators`."""
    allow(request, "GET")
    return ok({"keyGenerators": KEY_GENERATORS})


async def compact(request: Request) -> Answer:
    """`PUT /_admin/compact`: rewrites the store's files in a worker thread."""
    allow(request, "PUT")
    request.check_catalog_writable()
    request.require_admin()
    # a thread cannot be cancelled: the stop waits for it instead
    work = asyncio.ensure_future(asyncio.to_thread(request.store.engine.compact))
    maintenance = request.services.maintenance
    maintenance.add(work)
    work.add_done_callback(maintenance.discard)
    await asyncio.shield(work)
    return json_answer({})


async def loop_figures(request: Request) -> Answer:
    """`GET|DELETE /_admin/arangorep/loop`: how long the event loop was held; DELETE starts anew."""
    allow(request, "GET", "DELETE")
    monitor = request.services.loop_monitor
    answer = ok(
        {
            "heldMaxSeconds": monitor.held_max_s,
            "heldTotalSeconds": monitor.held_total_s,
        }
    )
    if request.method == "DELETE":
        monitor.reset()
    return answer


async def wal_admin(request: Request) -> Answer:
    """`/_admin/wal/{flush,transactions,properties}` (data-api 13.2)."""
    word = request.parts[0] if len(request.parts) == 1 else ""
    if word == "properties":
        raise NotImplementedHere
    if word == "transactions":
        allow(request, "GET")
        return json_answer(
            {"runningTransactions": 0, "minLastCollected": None, "minLastSealed": None}
        )
    if word == "flush":
        allow(request, "PUT")
        await request.services.group_sync.wait()
        return json_answer({})
    raise HttpNotFound


def refuse(what: str) -> Handler:
    """A handler for what this server does not have: 501/9."""

    async def refused(request: Request) -> Answer:
        raise NotImplementedHere(f"not implemented: {what} is not part of this server")

    return refused


async def graphs(request: Request) -> Answer:
    """`/_api/gharial`: no graph exists, and none is made. Errors: 404/1924; 501/9."""
    if request.method in ("GET", "HEAD") and len(request.parts) <= 1:
        if request.parts:
            raise GraphNotFound
        return ok({"graphs": []})
    raise NotImplementedHere("not implemented: named graphs are not part of this server")


def empty_list(answer: object) -> Handler:
    """A handler whose GET lists nothing and whose other methods are 501/9."""

    async def listed(request: Request) -> Answer:
        if request.method in ("GET", "HEAD") and not request.parts:
            return json_answer(answer)
        raise NotImplementedHere

    return listed


async def welcome(request: Request) -> Answer:
    """`GET /`: what this is."""
    allow(request, "GET")
    services = request.services
    return json_answer(
        {
            "server": "arangorep",
            "version": services.product_version,
            "speaks": f"ArangoDB {services.version} replication",
        }
    )
