"""Tasks as the interface shows and filters them (backups 1.4 to 1.6)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from arangorep.backup.tasks import Status, Task, TaskType
from arangorep.limits import DAY_S

LIMIT_DEFAULT = 20
U32_MAX = 2**32 - 1
SHOWN_MAX = 200
"""Characters of a wrong value that are shown."""
SHOWN_DETAILS = {
    TaskType.DUMP: ("dumpUid",),
    TaskType.CANCELATION: ("matchedTasks", "canceledTasks", "originalFilter"),
    TaskType.DELETION: ("matchedTasks", "deletedTasks", "originalFilter"),
}
TYPES_KNOWN = frozenset(
    {"documentadditionorupdate", "documentedition", "documentdeletion", "settingsupdate",
     "indexcreation", "indexdeletion", "indexupdate", "indexswap", "taskcancelation",
     "taskdeletion", "dumpcreation", "snapshotcreation", "export", "upgradedatabase",
     "indexcompaction"}
)  # fmt: skip
"""Types of the interface that a filter may name; only some exist here."""


class TaskRequestError(Exception):
    """A request about tasks that cannot be answered: HTTP status, headers, code and message."""

    def __init__(
        self,
        code: str,
        message: str,
        status: int = 400,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status
        self.headers = dict(headers or {})


def rfc3339(us: int) -> str:
    """`2021-08-12T10:00:00.25Z`: UTC, the fraction without trailing zeros."""
    seconds, fraction = divmod(us, 1_000_000)
    text = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).strftime(
        "%Y-%m-%dT%H:%M:%S"
    )
    tail = f".{fraction:06d}".rstrip("0") if fraction else ""
    return f"{text}{tail}Z"


def duration(us: int) -> str | None:
    """ISO 8601 with days and seconds only; None for a negative one."""
    if us < 0:
        return None
    days, rest = divmod(us, DAY_S * 1_000_000)
    seconds, fraction = divmod(rest, 1_000_000)
    digits = ""
    if fraction:
        digits = f".{fraction // 1000:03d}" if fraction % 1000 == 0 else f".{fraction:06d}"
    text = f"P{days}D" if days else "P"
    if seconds or fraction or not days:
        text += f"T{seconds}{digits}S"
    return text


def describe(task: Task) -> dict[str, Any]:
    """The whole task object; `details` is absent where the type has none."""
    shown: dict[str, Any] = {
        "uid": task.uid,
        "batchUid": task.batch_uid,
        "indexUid": None,
        "status": str(task.status),
        "type": str(task.type),
        "canceledBy": task.canceled_by,
    }
    names = SHOWN_DETAILS.get(task.type)
    if names is not None:
        shown["details"] = {name: task.details.get(name) for name in names}
        if task.type is TaskType.DUMP and task.status is not Status.SUCCEEDED:
            shown["details"]["dumpUid"] = None
    started, finished = task.started_us, task.finished_us
    took = None if started is None or finished is None else duration(finished - started)
    shown |= {
        "error": task.error,
        "duration": took,
        "enqueuedAt": rfc3339(task.enqueued_us),
        "startedAt": None if started is None else rfc3339(started),
        "finishedAt": None if finished is None else rfc3339(finished),
    }
    progress = task.details.get("progress")
    if progress is not None and task.status is Status.PROCESSING:
        shown["progress"] = progress
    return shown


def summarize(task: Task) -> dict[str, Any]:
    """What the request that made a task is answered with."""
    return {
        "taskUid": task.uid,
        "indexUid": None,
        "status": str(task.status),
        "type": str(task.type),
        "enqueuedAt": rfc3339(task.enqueued_us),
    }


# -- filters ---------------------------------------------------------------------------------------

Test = Callable[[Task], bool]


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of the tasks is wanted."""

    limit: int
    start: int | None
    is_reverse: bool


def parse_page(query: Mapping[str, str]) -> Page:
    """Errors: `TaskRequestError`."""
    limit = _number(query, "limit", "invalid_task_limit")
    reverse = query.get("reverse", "false")
    if reverse not in ("true", "false"):
        raise TaskRequestError(
            "invalid_task_reverse", f"Invalid value in parameter `reverse`: `{reverse}`"
        )
    start = _number(query, "from", "invalid_task_from")
    return Page(LIMIT_DEFAULT if limit is None else limit, start, reverse == "true")


PAGE_PARAMETERS = ("limit", "from", "reverse")


def parse_filters(query: Mapping[str, str], *, ignored: tuple[str, ...] = ()) -> list[Test]:
    """One test for each parameter that is given and not `*`. Errors: `TaskRequestError`."""
    tests: list[Test] = []
    for name, value in query.items():
        if name in ignored:
            continue
        make = FILTERS.get(name)
        if make is None:
            raise TaskRequestError("bad_request", f"Unknown parameter `{name[:SHOWN_MAX]}`")
        if value != "*":
            tests.append(make(name, value))
    return tests


def matching(tasks: list[Task], tests: list[Test]) -> list[Task]:
    """The tasks that pass all tests."""
    return [task for task in tasks if all(test(task) for test in tests)]


def page_of(tasks: list[Task], page: Page) -> dict[str, Any]:
    """One page of tasks that are in the order of their uids."""
    ordered = tasks if page.is_reverse else tasks[::-1]
    if page.start is not None:
        start = page.start
        ordered = [t for t in ordered if (t.uid >= start if page.is_reverse else t.uid <= start)]
    shown, rest = ordered[: page.limit], ordered[page.limit :]
    return {
        "results": [describe(task) for task in shown],
        "total": len(tasks),
        "limit": page.limit,
        "from": shown[0].uid if shown else None,
        "next": rest[0].uid if rest else None,
    }


def _number(query: Mapping[str, str], name: str, code: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    number = parse_uid(text)
    if number is None:
        raise TaskRequestError(code, f"Invalid value in parameter `{name}`: `{text[:SHOWN_MAX]}`")
    return number


def parse_uid(text: str) -> int | None:
    """A number of 32 bits; None for any other text."""
    if not text.isascii() or not text.isdigit() or len(text) > SHOWN_MAX:
        return None
    number = int(text)
    return number if number <= U32_MAX else None


def _numbers(code: str, of: Callable[[Task], int | None]) -> Callable[[str, str], Test]:
    def make(name: str, value: str) -> Test:
        wanted = set()
        for position, text in enumerate(value.split(",")):
            place = {f"{name}[{position}]": text}
            wanted.add(_number(place, f"{name}[{position}]", code))
        return lambda task: of(task) in wanted

    return make


def _words(
    code: str, known: frozenset[str], of: Callable[[Task], str]
) -> Callable[[str, str], Test]:
    def make(name: str, value: str) -> Test:
        wanted = {word.lower() for word in value.split(",")}
        for position, word in enumerate(value.split(",")):
            if word.lower() not in known:
                raise TaskRequestError(
                    code, f"Invalid value in parameter `{name}[{position}]`: `{word[:SHOWN_MAX]}`"
                )
        return lambda task: of(task).lower() in wanted

    return make


def _indexes(name: str, value: str) -> Test:
    return lambda task: False  # no task here belongs to one index


def _moment(code: str, of: Callable[[Task], int | None], *, is_after: bool) -> Callable[..., Test]:
    def make(name: str, value: str) -> Test:
        bound = _parse_date(name, value, code, next_day=is_after)

        def test(task: Task) -> bool:
            at = of(task)
            return at is not None and (at > bound if is_after else at < bound)

        return test

    return make


_is_date = re.compile(
    r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d))?", re.ASCII
).fullmatch


def _parse_date(name: str, text: str, code: str, *, next_day: bool) -> int:
    """RFC 3339, or a bare date: midnight, of the next day for lower bounds (backups 1.5)."""
    try:
        if not _is_date(text):
            raise ValueError
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        raise TaskRequestError(
            code, f"Invalid value in parameter `{name}`: `{text[:SHOWN_MAX]}` is no date-time"
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    us = round((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))
    return us + DAY_S * 1_000_000 if len(text) == 10 and next_day else us


STATUSES = frozenset(str(status) for status in Status)
MOMENTS: dict[str, Callable[[Task], int | None]] = {
    "EnqueuedAt": lambda task: task.enqueued_us,
    "StartedAt": lambda task: task.started_us,
    "FinishedAt": lambda task: task.finished_us,
}
FILTERS: dict[str, Callable[[str, str], Test]] = {
    "uids": _numbers("invalid_task_uids", lambda task: task.uid),
    "batchUids": _numbers("invalid_batch_uids", lambda task: task.batch_uid),
    "canceledBy": _numbers("invalid_task_canceled_by", lambda task: task.canceled_by),
    "statuses": _words("invalid_task_statuses", STATUSES, lambda task: str(task.status)),
    "types": _words("invalid_task_types", TYPES_KNOWN, lambda task: str(task.type)),
    "indexUids": _indexes,
}
for _name, _of in MOMENTS.items():
    _code = "_".join(["at" if p == "At" else p.lower() for p in (_name[:-2], "At")])
    FILTERS[f"before{_name}"] = _moment(f"invalid_task_before_{_code}", _of, is_after=False)
    FILTERS[f"after{_name}"] = _moment(f"invalid_task_after_{_code}", _of, is_after=True)
