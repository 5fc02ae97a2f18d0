"""`/_admin/backup/{dump,verify}`: the tasks of `/dumps`, with ArangoDB's errors (backups 6.1)."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

from arangorep.backup.importing import verify_archive
from arangorep.backup.jobs import is_uid
from arangorep.backup.problems import DumpCorrupt, DumpNotFound
from arangorep.backup.task_views import TaskRequestError
from arangorep.errors import BackupConflict, HotBackupFailed, HttpBadParameter, HttpNotFound
from arangorep.pacing import to_the_end
from arangorep.rest.backups import enqueue_dump, find_dump
from arangorep.rest.context import Request


def start_dump(request: Request, body: object) -> dict[str, Any]:
    """Errors: 400/400; 404/1228, 404/1203; 409/7011 while one runs."""
    try:
        started = enqueue_dump(request, body)
    except TaskRequestError as error:
        raise HttpBadParameter(f"bad parameter: {error.message}") from None
    if started is None:
        raise BackupConflict("conflicts with a dump that is being written")
    return started


async def dump_status(request: Request, uid: str) -> dict[str, Any]:
    """Errors: 404/404."""
    try:
        return await find_dump(request, uid)
    except TaskRequestError as error:
        raise HttpNotFound(error.message) from None


async def verify_dump(request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """Read a dump or snapshot to its end: what it tells and holds, or which entry is wrong.

    One at a time: it takes a thread for long. Errors: 400/400; 404/404; 500/7001.
    """
    uid, places = body.get("uid"), request.services.runner.places
    if not isinstance(uid, str):
        raise HttpBadParameter("bad parameter: 'uid' must be a string")
    paths = [places.dumps / f"{uid}.dump", places.snapshots / f"{uid}.snapshot"]
    path = next((one for one in paths if is_uid(uid) and one.is_file()), None)
    if path is None:
        raise HttpNotFound(f"no dump or snapshot '{uid[:40]}'")
    stop = threading.Event()
    try:
        async with request.services.verify_lock:
            found = await to_the_end(partial(verify_archive, path, stop), stop)
    except DumpCorrupt as error:
        return {"uid": uid, "valid": False, "entry": error.entry, "problem": error.problem}
    except (DumpNotFound, FileNotFoundError):
        raise HttpNotFound(f"'{uid}' was removed meanwhile") from None
    except OSError as error:
        raise HotBackupFailed(f"the file cannot be read: {error.strerror}") from error
    return {"uid": uid, "valid": True, **found}
