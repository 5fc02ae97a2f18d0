"""`/dumps`, `/snapshots`, `/tasks`: backups as tasks (backups 1.2 to 1.6, 6.1).

Errors have the form of this interface: `{message, code, type, link}`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

from arangorep.backup.archive import is_sealed, read_metadata
from arangorep.backup.dumping import check_options
from arangorep.backup.jobs import is_uid
from arangorep.backup.layout import PACKINGS
from arangorep.backup.problems import DumpCorrupt
from arangorep.backup.runner import dump_options, error_object
from arangorep.backup.task_views import (
    PAGE_PARAMETERS,
    SHOWN_MAX,
    TaskRequestError,
    describe,
    matching,
    page_of,
    parse_filters,
    parse_page,
    parse_uid,
    rfc3339,
    summarize,
)
from arangorep.backup.tasks import Status, Task, TaskType
from arangorep.errors import ArangoError
from arangorep.limits import DUMP_LABEL_CHARACTERS_MAX
from arangorep.pacing import in_thread
from arangorep.protocol import headers
from arangorep.rest.answer import Answer, json_answer
from arangorep.rest.context import Handler, Request

READ_BYTES = 1024 * 1024
OFFSET_DIGITS_MAX = 19
ROOTS = ("dumps", "snapshots", "tasks")
"""First parts of the paths of this interface."""
STATUS_WORDS = {Status.SUCCEEDED: "done", Status.FAILED: "failed", Status.CANCELED: "failed"}

Inner = Callable[[Request], Awaitable[Answer]]


def _told(inner: Inner) -> Handler:
    """A handler whose errors have the form of this interface."""

    async def handler(request: Request) -> Answer:
        try:
            request.require_admin()
            return await inner(request)
        except (TaskRequestError, ArangoError) as error:
            return error_form(error)

    return handler


def error_form(error: TaskRequestError | ArangoError) -> Answer:
    """The error body of this interface."""
    if isinstance(error, TaskRequestError):
        body, status = error_object(error.code, error.message), error.status
        return json_answer(body, status, error.headers)
    status = error.http_status
    if status in (401, 403):
        body = error_object("invalid_api_key", error.message, "auth")
    elif status < 500:
        body = error_object("bad_request", error.message)
    else:
        body = error_object("internal", error.message, "internal")
    return json_answer(body, status, error.headers)


def _wrong_method() -> TaskRequestError:
    return TaskRequestError("bad_request", "the method is not allowed here", 405)


def _query(request: Request) -> dict[str, str]:
    """Parameters as they are given: `uids=` is an empty list and not no list. Errors: 400."""
    try:
        return dict(parse_qsl(request.query.raw, keep_blank_values=True, errors="strict"))
    except ValueError:
        raise TaskRequestError("bad_request", "the parameters are not UTF-8") from None


# -- dumps -----------------------------------------------------------------------------------------


async def _dumps(request: Request) -> Answer:
    match request.method, request.parts:
        case "POST", []:
            return await _create_dump(request)
        case (("GET" | "HEAD"), []):
            return json_answer({"results": await _all_dumps(request)})
        case (("GET" | "HEAD"), [uid, "status"] | [uid]):
            return json_answer(await find_dump(request, uid))
        case (("GET" | "HEAD"), [uid, "file"]):
            return await _dump_file(request, uid)
        case "DELETE", [uid]:
            return await _delete_dump(request, uid)
        case _, ([] | [_] | [_, _]):
            raise _wrong_method()
    raise TaskRequestError("dump_not_found", "there is nothing at this path", 404)


async def _create_dump(request: Request) -> Answer:
    """202; 409 `dump_already_processing` while one runs, unless `queue` is set."""
    started = enqueue_dump(request, await request.json())
    if started is None:
        raise TaskRequestError(
            "dump_already_processing", "A dump is already processing. You must wait for it.", 409
        )
    return json_answer(started, 202)


def enqueue_dump(request: Request, body: object) -> dict[str, Any] | None:
    """What a started dump is answered with; None while one runs. Errors: 400; 404/1228, 1203."""
    wishes = body if isinstance(body, dict) else {}
    if body is not None and not isinstance(body, dict):
        raise TaskRequestError("bad_request", "the body must be an object")
    options, runner = _dump_wishes(request, wishes), request.services.runner
    if runner.is_busy_with(TaskType.DUMP) and wishes.get("queue") is not True:
        return None
    task = runner.enqueue(TaskType.DUMP, options)
    started = {"uid": task.details["dumpUid"], "status": "in_progress"}
    return {**summarize(task), **started, "startedAt": rfc3339(task.enqueued_us)}


WISHES = {"databases": list, "collections": list, "includeSystem": bool, "compression": str,
          "label": str, "queue": bool}  # fmt: skip


def _dump_wishes(request: Request, wishes: dict[str, Any]) -> dict[str, Any]:
    """Errors: 400 for options that are none; 404 for databases and collections that are none."""
    for name, value in wishes.items():
        kind = WISHES.get(name)
        if kind is None:
            raise TaskRequestError("bad_request", f"Unknown option `{name[:SHOWN_MAX]}`")
        if not isinstance(value, kind):
            raise TaskRequestError("bad_request", f"`{name}` has the wrong type")
    options = {
        "databases": wishes.get("databases", []),
        "collections": wishes.get("collections", []),
        "includeSystem": wishes.get("includeSystem", True),
        "compression": wishes.get("compression", "gzip"),
        "label": wishes.get("label", ""),
    }
    for name in ("databases", "collections"):
        if not all(isinstance(one, str) for one in options[name]):
            raise TaskRequestError("bad_request", f"`{name}` must be an array of names")
    if options["compression"] not in PACKINGS:
        raise TaskRequestError("bad_request", f"`compression` must be one of {list(PACKINGS)}")
    if len(options["label"]) > DUMP_LABEL_CHARACTERS_MAX:
        raise TaskRequestError("bad_request", "`label` is too long")
    check_options(request.store, dump_options(options))
    return options


def _dump_tasks(request: Request) -> list[Task]:
    found = request.services.runner.tasks.all()
    return [task for task in reversed(found) if task.type is TaskType.DUMP]


def _dump_status(task: Task) -> dict[str, Any]:
    """The status object of a dump; `finishedAt` and `error` only when they exist."""
    details = task.details
    status: dict[str, Any] = {
        "uid": details["dumpUid"],
        "status": STATUS_WORDS.get(task.status, "in_progress"),
        "startedAt": rfc3339(task.started_us or task.enqueued_us),
        "taskUid": task.uid,
    }
    if task.finished_us is not None:
        status["finishedAt"] = rfc3339(task.finished_us)
    if task.error is not None:
        status["error"] = task.error["message"]
    elif task.status is Status.CANCELED:
        status["error"] = "the dump was canceled"
    if details.get("label"):
        status["label"] = details["label"]
    for name in ("path", "sizeInBytes", "tick", "documents", "progress"):
        if name in details:
            status[name] = details[name]
    return status


async def _all_dumps(request: Request) -> list[dict[str, Any]]:
    """Those with a task, the newest first, and then files whose tasks are forgotten."""
    known = [_dump_status(task) for task in _dump_tasks(request)]
    uids = {status["uid"] for status in known}
    directory = request.services.runner.places.dumps
    files = await in_thread(partial(_finished_files, directory))
    return known + [status for status in files if status["uid"] not in uids]


def _finished_files(directory: Path) -> list[dict[str, Any]]:
    found = (_file_status(path) for path in sorted(directory.glob("*.dump"), reverse=True))
    return [status for status in found if status is not None]


def _file_status(path: Path) -> dict[str, Any] | None:
    """What a file says of itself; None when it is no dump that was written to its end."""
    try:
        if not is_uid(path.stem) or not is_sealed(path):
            return None
        metadata = read_metadata(path)
        size = path.stat().st_size
    except (OSError, DumpCorrupt):
        return None
    moment = metadata.get("dumpDate")
    return {
        "uid": path.stem, "status": "done", "startedAt": moment, "finishedAt": moment,
        "path": str(path), "sizeInBytes": size, "tick": metadata.get("tick"),
    }  # fmt: skip


async def find_dump(request: Request, uid: str) -> dict[str, Any]:
    """Errors: 404 `dump_not_found`."""
    for task in _dump_tasks(request):
        if task.details["dumpUid"] == uid:
            return _dump_status(task)
    path = request.services.runner.places.dumps / f"{uid}.dump"
    found: dict[str, Any] | None = None
    if is_uid(uid):
        found = await in_thread(partial(_file_status, path))
    if found is None:
        raise _unknown_dump(uid)
    return found


def _unknown_dump(uid: str) -> TaskRequestError:
    return TaskRequestError("dump_not_found", f"Dump `{uid[:SHOWN_MAX]}` not found.", 404)


def _dump_path(request: Request, uid: str) -> Path:
    """Errors: 404 `dump_not_found`; 409 while it is being written."""
    if not is_uid(uid):
        raise _unknown_dump(uid)
    for task in _dump_tasks(request):
        if task.details["dumpUid"] == uid and not task.is_finished:
            raise TaskRequestError("dump_already_processing", "the dump is being written", 409)
    path = request.services.runner.places.dumps / f"{uid}.dump"
    if not path.is_file():
        raise _unknown_dump(uid)
    return path


async def _dump_file(request: Request, uid: str) -> Answer:
    """The archive, or with `Range` a part of it (206; 416 for one that is not there)."""
    path = _dump_path(request, uid)
    size = path.stat().st_size
    name = quote(path.name)
    extra = {"accept-ranges": "bytes", "content-disposition": f'attachment; filename="{name}"'}
    wanted = _range(request.header("Range"), size)
    if wanted is None:
        return Answer(
            200, content_type=headers.BINARY, headers=extra,
            stream=_read_file(path, 0, size), stream_bytes=size,
        )  # fmt: skip
    start, end = wanted
    if start >= end:
        told = {"content-range": f"bytes */{size}"}
        raise TaskRequestError("bad_request", f"the file has {size} bytes", 416, told)
    extra["content-range"] = f"bytes {start}-{end - 1}/{size}"
    return Answer(
        206, content_type=headers.BINARY, headers=extra,
        stream=_read_file(path, start, end), stream_bytes=end - start,
    )  # fmt: skip


def _range(text: str | None, size: int) -> tuple[int, int] | None:
    """Start and end of the one range that is asked for; None to send everything."""
    unit, equals, spec = (text or "").partition("=")
    first, dash, last = spec.strip().partition("-")
    digits = all(_is_offset(part) for part in (first, last) if part)
    if unit.strip().lower() != "bytes" or not equals or not dash or not digits:
        return None
    if not first:
        return (max(0, size - int(last)), size) if last else None
    return int(first), min(int(last) + 1, size) if last else size


def _is_offset(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= OFFSET_DIGITS_MAX


async def _read_file(path: Path, start: int, end: int) -> AsyncIterator[bytes]:
    file = await in_thread(partial(path.open, "rb"))
    try:
        file.seek(start)
        while start < end:
            piece = await in_thread(partial(file.read, min(READ_BYTES, end - start)))
            if not piece:
                raise OSError(f"{path.name} ended early")
            start += len(piece)
            yield piece
    finally:
        file.close()


async def _delete_dump(request: Request, uid: str) -> Answer:
    path = _dump_path(request, uid)
    await in_thread(partial(path.unlink, missing_ok=True))
    return Answer(204)


# -- snapshots and tasks -------------------------------------------------------------------------


async def _snapshots(request: Request) -> Answer:
    if request.method != "POST" or request.parts:
        raise _wrong_method()
    task = request.services.runner.enqueue(TaskType.SNAPSHOT, {})
    return json_answer(summarize(task), 202)


async def _tasks(request: Request) -> Answer:
    runner = request.services.runner
    match request.method, request.parts:
        case (("GET" | "HEAD"), []):
            query = _query(request)
            page = parse_page(query)
            found = matching(runner.tasks.all(), parse_filters(query, ignored=PAGE_PARAMETERS))
            return json_answer(page_of(found, page))
        case (("GET" | "HEAD"), [text]):
            return json_answer(describe(_find_task(request, text)))
        case "POST", ["cancel"]:
            return json_answer(summarize(runner.cancel(*_chosen(request))))
        case "DELETE", []:
            return json_answer(summarize(runner.delete(*_chosen(request))))
        case _, ([] | [_]):
            raise _wrong_method()
    raise TaskRequestError("task_not_found", "there is nothing at this path", 404)


def _find_task(request: Request, text: str) -> Task:
    """Errors: 400 `invalid_task_uids`; 404 `task_not_found`."""
    uid = parse_uid(text)
    if uid is None:
        raise TaskRequestError("invalid_task_uids", f"Invalid task uid `{text[:SHOWN_MAX]}`")
    task = request.services.runner.tasks.get(uid)
    if task is None:
        raise TaskRequestError("task_not_found", f"Task `{uid}` not found.", 404)
    return task


def _chosen(request: Request) -> tuple[list[Task], str]:
    """The tasks of a cancelation or deletion, and the filter as text. Errors: 400."""
    query = _query(request)
    tests = parse_filters(query)
    if not query:
        raise TaskRequestError(
            "missing_task_filters", "Query parameters to filter the tasks are missing."
        )
    text = "&".join(f"{name}={quote(value, safe=',*')}" for name, value in query.items())
    return matching(request.services.runner.tasks.all(), tests), f"?{text}"


dumps = _told(_dumps)
snapshots = _told(_snapshots)
tasks = _told(_tasks)
