"""The store of tasks: order, what is done at once, what survives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from arangorep.backup import tasks as module
from arangorep.backup.tasks import FINISHED, Status, Task, TaskStore, TaskType
from arangorep.clock import ManualClock
from arangorep.errors import ResourceLimit
from arangorep.storage.rocks import RocksEngine
from arangorep.storage.store import Store

NOW_US = 5_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(RocksEngine(tmp_path / "d"), ManualClock())
    yield opened
    opened.close()


@pytest.fixture
def tasks(store: Store) -> TaskStore:
    return TaskStore(store)


def add(tasks: TaskStore, *kinds: TaskType) -> list[Task]:
    return [tasks.add(kind, NOW_US, {}) for kind in kinds]


def finish(tasks: TaskStore, *found: Task, status: Status = Status.SUCCEEDED) -> None:
    for task in found:
        tasks.put(replace(task, status=status, finished_us=NOW_US))


def uids(found: list[Task]) -> list[int]:
    return [task.uid for task in found]


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("kind", list(TaskType))
def test_a_row_is_the_whole_task(kind: TaskType, status: Status) -> None:
    details = {"dumpUid": "ü", "uids": [1, 2**32], "canceledTasks": None, "includeSystem": False}
    task = Task(3, kind, NOW_US, status, 1, 2, 4, 5, {"message": "m"}, details)
    assert Task.unpack(task.pack()) == task
    assert task.is_finished is (status in FINISHED)


def test_uids_count_from_zero(tasks: TaskStore) -> None:
    assert uids(add(tasks, TaskType.DUMP, TaskType.SNAPSHOT, TaskType.DELETION)) == [0, 1, 2]


def test_the_next_uid_is_above_the_greatest(tasks: TaskStore) -> None:
    first, second, third = add(tasks, *[TaskType.DUMP] * 3)
    tasks.remove([first.uid, second.uid])
    assert tasks.next_uid == 3
    tasks.remove([third.uid])
    assert tasks.next_uid == 0


def test_order_of_a_mixed_queue(tasks: TaskStore) -> None:
    dump, snapshot, deletion, cancelation = (
        TaskType.DUMP,
        TaskType.SNAPSHOT,
        TaskType.DELETION,
        TaskType.CANCELATION,
    )
    add(tasks, dump, snapshot, deletion, cancelation, dump, snapshot, deletion, cancelation)
    order = []
    while batch := tasks.next():
        order.append(uids(batch))
        finish(tasks, *batch)
    assert order == [[7], [3], [2, 6], [1, 5], [0], [4]]


def test_nothing_to_do(tasks: TaskStore) -> None:
    assert tasks.next() == []
    (task,) = add(tasks, TaskType.DUMP)
    tasks.put(replace(task, status=Status.PROCESSING))
    assert tasks.next() == []


@pytest.mark.parametrize("status", sorted(FINISHED))
def test_finished_tasks_are_not_done_again(tasks: TaskStore, status: Status) -> None:
    finish(tasks, *add(tasks, *TaskType), status=status)
    assert tasks.next() == []


def test_tasks_survive(store: Store, tasks: TaskStore) -> None:
    waiting, running, done = add(tasks, TaskType.DUMP, TaskType.SNAPSHOT, TaskType.DUMP)
    tasks.put(replace(running, status=Status.PROCESSING, started_us=7, batch_uid=3))
    finish(tasks, done)
    again = TaskStore(store)
    assert again.get(waiting.uid) == waiting
    assert again.get(done.uid) == tasks.get(done.uid)
    assert again.get(running.uid) == running
    assert again.next_uid == 3


def test_what_ran_is_enqueued_on_disk_too(store: Store, tasks: TaskStore) -> None:
    (task,) = add(tasks, TaskType.DUMP)
    tasks.put(replace(task, status=Status.PROCESSING))
    TaskStore(store)
    assert TaskStore(store).get(0) == task


def test_tasks_survive_a_restart(tmp_path: Path) -> None:
    for expected in (0, 1500):
        opened = Store(RocksEngine(tmp_path / "d"), ManualClock())
        tasks = TaskStore(opened)
        assert len(tasks.all()) == expected
        if not expected:
            add(tasks, *[TaskType.DUMP] * 1500)
        opened.close()


def test_removed_tasks_stay_removed(store: Store, tasks: TaskStore) -> None:
    add(tasks, *[TaskType.DUMP] * 3)
    tasks.remove([0, 2, 99])
    assert uids(tasks.all()) == uids(TaskStore(store).all()) == [1]


def test_the_oldest_finished_are_forgotten(
    store: Store, tasks: TaskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TASKS_MAX", 3)
    for _ in range(5):
        finish(tasks, *add(tasks, TaskType.DUMP))
    add(tasks, TaskType.DUMP)
    assert uids(tasks.all()) == uids(TaskStore(store).all()) == [2, 3, 4, 5]


def test_too_many_unfinished_are_refused(tasks: TaskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TASKS_MAX", 3)
    add(tasks, *[TaskType.SNAPSHOT] * 3)
    with pytest.raises(ResourceLimit):
        add(tasks, TaskType.SNAPSHOT)
    assert uids(tasks.all()) == [0, 1, 2]
    finish(tasks, tasks.all()[0])
    assert uids(add(tasks, TaskType.SNAPSHOT)) == [3]


def test_a_full_queue_takes_cancelations(tasks: TaskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TASKS_MAX", 3)
    add(tasks, *[TaskType.DUMP] * 3)
    assert uids(add(tasks, TaskType.CANCELATION)) == [3]
