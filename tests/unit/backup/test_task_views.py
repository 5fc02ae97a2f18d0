"""Tasks as they are shown, filtered and paged."""

from __future__ import annotations

from typing import Any

import pytest

from arangorep.backup.task_views import (
    FILTERS,
    PAGE_PARAMETERS,
    TaskRequestError,
    describe,
    duration,
    matching,
    page_of,
    parse_filters,
    parse_page,
    rfc3339,
    summarize,
)
from arangorep.backup.tasks import Status, Task, TaskType

DAY_US = 86_400_000_000
NOON_US = 1_628_769_600_000_000
"""2021-08-12T12:00:00Z."""

ENQUEUED_KEYS = [
    "uid", "batchUid", "indexUid", "status", "type", "canceledBy", "details", "error", "duration",
    "enqueuedAt", "startedAt", "finishedAt",
]  # fmt: skip


def task(uid: int = 0, **members: Any) -> Task:
    given = {"type": TaskType.DUMP, "enqueued_us": NOON_US, **members}
    return Task(uid, **given)


def chosen(tasks: list[Task], **query: str) -> list[int]:
    return [one.uid for one in matching(tasks, parse_filters(query))]


def page(count: int, **query: str) -> dict[str, Any]:
    return page_of([task(uid) for uid in range(count)], parse_page(query))


def uids(shown: dict[str, Any]) -> list[int]:
    return [one["uid"] for one in shown["results"]]


def refusal(query: dict[str, str]) -> TaskRequestError:
    def parse() -> None:
        parse_page(query)
        parse_filters(query, ignored=PAGE_PARAMETERS)

    with pytest.raises(TaskRequestError) as caught:
        parse()
    return caught.value


# -- texts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (0, "PT0S"),
        (1, "PT0.000001S"),
        (500_000, "PT0.500S"),
        (1_000, "PT0.001S"),
        (1_000_000, "PT1S"),
        (61_250_000, "PT61.250S"),
        (83_124_397_858, "PT83124.397858S"),
        (DAY_US - 1, "PT86399.999999S"),
        (DAY_US, "P1D"),
        (DAY_US + 1, "P1DT0.000001S"),
        (3 * DAY_US + 5_000_000, "P3DT5S"),
        (-1, None),
    ],
)
def test_duration(us: int, text: str | None) -> None:
    assert duration(us) == text


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (NOON_US, "2021-08-12T12:00:00Z"),
        (NOON_US + 250_000, "2021-08-12T12:00:00.25Z"),
        (NOON_US + 1, "2021-08-12T12:00:00.000001Z"),
    ],
)
def test_rfc3339(us: int, text: str) -> None:
    assert rfc3339(us) == text


# -- objects ---------------------------------------------------------------------------------------


def test_an_enqueued_dump() -> None:
    shown = describe(task(7, details={"dumpUid": "u", "databases": ["x"]}))
    assert list(shown) == ENQUEUED_KEYS
    assert shown["details"] == {"dumpUid": None}
    assert shown["enqueuedAt"] == "2021-08-12T12:00:00Z"
    nulls = ("batchUid", "indexUid", "canceledBy", "error", "duration", "startedAt", "finishedAt")
    assert [shown[name] for name in nulls] == [None] * len(nulls)


@pytest.mark.parametrize("status", list(Status))
def test_the_uid_of_a_dump_is_told_when_it_succeeded(status: Status) -> None:
    shown = describe(task(details={"dumpUid": "u"}, status=status))
    assert shown["details"] == {"dumpUid": "u" if status is Status.SUCCEEDED else None}


def test_snapshots_have_no_details() -> None:
    shown = describe(task(type=TaskType.SNAPSHOT, details={"dumpUid": "u", "path": "p"}))
    assert list(shown) == [name for name in ENQUEUED_KEYS if name != "details"]


@pytest.mark.parametrize(
    ("kind", "count"),
    [(TaskType.CANCELATION, "canceledTasks"), (TaskType.DELETION, "deletedTasks")],
)
def test_details_of_cancelations_and_deletions(kind: TaskType, count: str) -> None:
    details = {"matchedTasks": 2, count: None, "originalFilter": "?uids=1", "uids": [1, 2]}
    shown = describe(task(type=kind, details=details))
    assert shown["details"] == {"matchedTasks": 2, count: None, "originalFilter": "?uids=1"}


def test_a_finished_task() -> None:
    shown = describe(
        task(status=Status.FAILED, started_us=NOON_US, finished_us=NOON_US + 1_500_000,
             batch_uid=3, canceled_by=4, error={"code": "internal"}, details={"progress": {}})
    )  # fmt: skip
    assert list(shown) == ENQUEUED_KEYS
    assert (shown["duration"], shown["batchUid"], shown["canceledBy"]) == ("PT1.500S", 3, 4)
    assert shown["finishedAt"] == "2021-08-12T12:00:01.5Z"
    assert shown["error"] == {"code": "internal"}


def test_a_clock_that_was_set_back_gives_no_duration() -> None:
    assert describe(task(started_us=NOON_US, finished_us=NOON_US - 1))["duration"] is None


def test_progress_is_shown_while_it_runs() -> None:
    details = {"dumpUid": "u", "progress": {"documents": 3}}
    assert describe(task(status=Status.PROCESSING, details=details))["progress"]["documents"] == 3


def test_summary() -> None:
    assert summarize(task(7)) == {
        "taskUid": 7,
        "indexUid": None,
        "status": "enqueued",
        "type": "dumpCreation",
        "enqueuedAt": "2021-08-12T12:00:00Z",
    }


# -- filters ---------------------------------------------------------------------------------------

MIXED = [
    task(0, status=Status.SUCCEEDED, batch_uid=0, started_us=NOON_US, finished_us=NOON_US + DAY_US),
    task(1, status=Status.CANCELED, batch_uid=1, canceled_by=2, enqueued_us=NOON_US + DAY_US),
    task(2, type=TaskType.CANCELATION, status=Status.SUCCEEDED, batch_uid=1),
    task(3, type=TaskType.SNAPSHOT, status=Status.PROCESSING, batch_uid=2, started_us=NOON_US + 1),
    task(4, type=TaskType.DELETION, enqueued_us=NOON_US + 2 * DAY_US),
]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"uids": "1,3,99"}, [1, 3]),
        ({"batchUids": "1"}, [1, 2]),
        ({"canceledBy": "2"}, [1]),
        ({"canceledBy": "77"}, []),
        ({"statuses": "enqueued"}, [4]),
        ({"statuses": "processing,Canceled"}, [1, 3]),
        ({"types": "DUMPCREATION"}, [0, 1]),
        ({"types": "taskCancelation,taskDeletion"}, [2, 4]),
        ({"types": "documentAdditionOrUpdate"}, []),
        ({"indexUids": "x"}, []),
        ({"indexUids": "*"}, [0, 1, 2, 3, 4]),
        ({"types": "dumpCreation", "statuses": "succeeded"}, [0]),
        ({"uids": "*", "statuses": "*", "beforeEnqueuedAt": "*"}, [0, 1, 2, 3, 4]),
        ({"beforeEnqueuedAt": "2021-08-12T12:00:00Z"}, []),
        ({"beforeEnqueuedAt": "2021-08-12T12:00:00.000001Z"}, [0, 2, 3]),
        ({"afterEnqueuedAt": "2021-08-12T12:00:00Z"}, [1, 4]),
        ({"afterEnqueuedAt": "2021-08-12T14:00:00+02:00"}, [1, 4]),
        ({"afterEnqueuedAt": "2021-08-12T11:59:59.999999Z"}, [0, 1, 2, 3, 4]),
        ({"beforeEnqueuedAt": "2021-08-13"}, [0, 2, 3]),
        ({"afterEnqueuedAt": "2021-08-12"}, [1, 4]),
        ({"afterEnqueuedAt": "2021-08-13"}, [4]),
        ({"beforeStartedAt": "2030-01-01"}, [0, 3]),
        ({"afterStartedAt": "2021-08-12T12:00:00Z"}, [3]),
        ({"beforeFinishedAt": "2030-01-01"}, [0]),
        ({"afterFinishedAt": "2021-08-13"}, []),
        ({"afterFinishedAt": "2021-08-12"}, [0]),
    ],
)
def test_filters(query: dict[str, str], found: list[int]) -> None:
    assert chosen(MIXED, **query) == found


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"limit": "x"}, "invalid_task_limit"),
        ({"limit": "-1"}, "invalid_task_limit"),
        ({"limit": "4294967296"}, "invalid_task_limit"),
        ({"limit": "١"}, "invalid_task_limit"),
        ({"from": "x"}, "invalid_task_from"),
        ({"from": ""}, "invalid_task_from"),
        ({"reverse": "yes"}, "invalid_task_reverse"),
        ({"uids": "1,x"}, "invalid_task_uids"),
        ({"uids": ""}, "invalid_task_uids"),
        ({"batchUids": "-1"}, "invalid_batch_uids"),
        ({"canceledBy": "1.5"}, "invalid_task_canceled_by"),
        ({"statuses": "done"}, "invalid_task_statuses"),
        ({"types": "dump"}, "invalid_task_types"),
        ({"beforeEnqueuedAt": "x"}, "invalid_task_before_enqueued_at"),
        ({"afterEnqueuedAt": "2021-13-01"}, "invalid_task_after_enqueued_at"),
        ({"beforeStartedAt": "2021"}, "invalid_task_before_started_at"),
        ({"afterStartedAt": "1"}, "invalid_task_after_started_at"),
        ({"beforeFinishedAt": ""}, "invalid_task_before_finished_at"),
        ({"afterFinishedAt": "2021-02-30"}, "invalid_task_after_finished_at"),
        ({"uid": "1"}, "bad_request"),
        ({"Limit": "1"}, "bad_request"),
    ],
)
def test_errors(query: dict[str, str], code: str) -> None:
    error = refusal(query)
    assert (error.code, error.status) == (code, 400)


def test_the_element_of_a_list_is_named() -> None:
    assert "`uids[1]`" in refusal({"uids": "1,x"}).message
    assert "`types[2]`" in refusal({"types": "dumpCreation,taskDeletion,no"}).message


@pytest.mark.parametrize("name", [n for n in FILTERS if n != "indexUids"])
def test_every_filter_refuses_garbage(name: str) -> None:
    assert refusal({name: "\ud800 garbage"}).status == 400


@pytest.mark.parametrize("name", ["limit", "from", "uids"])
def test_very_long_numbers(name: str) -> None:
    assert refusal({name: "1" * 5000}).status == 400


def test_the_last_day_there_is() -> None:
    assert chosen(MIXED, afterEnqueuedAt="9999-12-31") == []


def test_the_first_day_there_is() -> None:
    assert chosen(MIXED, afterEnqueuedAt="0001-01-01") == [0, 1, 2, 3, 4]
    assert chosen(MIXED, beforeEnqueuedAt="0001-01-01") == []


@pytest.mark.parametrize("text", ["2021-W32-4", "20210812", "2021-08-12T12", "2021-08-12T12:00:00"])
def test_only_the_two_forms_of_dates(text: str) -> None:
    assert refusal({"afterEnqueuedAt": text}).code == "invalid_task_after_enqueued_at"


# -- pages -----------------------------------------------------------------------------------------


def test_the_newest_come_first_and_the_limit_is_twenty() -> None:
    shown = page(50)
    assert list(shown) == ["results", "total", "limit", "from", "next"]
    assert uids(shown) == list(range(49, 29, -1))
    assert (shown["total"], shown["limit"], shown["from"], shown["next"]) == (50, 20, 49, 29)


def test_pages_hang_together() -> None:
    for reverse in ("false", "true"):
        seen: list[int] = []
        query = {"limit": "3", "reverse": reverse}
        while True:
            shown = page(10, **query)
            seen += uids(shown)
            if shown["next"] is None:
                break
            query["from"] = str(shown["next"])
        assert seen == (list(range(10)) if reverse == "true" else list(range(9, -1, -1)))


@pytest.mark.parametrize(
    ("query", "found", "first", "following"),
    [
        ({"from": "5", "limit": "2"}, [5, 4], 5, 3),
        ({"from": "5", "limit": "2", "reverse": "true"}, [5, 6], 5, 7),
        ({"from": "1"}, [1, 0], 1, None),
        ({"from": "99"}, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0], 9, None),
        ({"from": "99", "reverse": "true"}, [], None, None),
        ({"limit": "0"}, [], None, 9),
        ({"limit": "0", "reverse": "true"}, [], None, 0),
        ({"limit": "0", "from": "4"}, [], None, 4),
        ({"limit": "10"}, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0], 9, None),
    ],
)
def test_pages(
    query: dict[str, str], found: list[int], first: int | None, following: int | None
) -> None:
    shown = page(10, **query)
    assert (uids(shown), shown["from"], shown["next"]) == (found, first, following)
    assert shown["total"] == 10


def test_a_page_of_nothing() -> None:
    assert page(0) == {"results": [], "total": 0, "limit": 20, "from": None, "next": None}
