"""What tasks do: write a dump, take and pack a snapshot (backups 1.8, 1.10, 6.1).

Reading the store happens on its own thread in slices; packing, hashing and writing in a worker
thread, one part ahead. Whatever ends a job early, no file of it is left.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from arangorep.backup.archive import METADATA, ArchiveWriter, read_metadata
from arangorep.backup.dumping import Dump, DumpOptions
from arangorep.backup.files import sync_directory
from arangorep.backup.problems import DumpCorrupt
from arangorep.clock import Clock, iso_time
from arangorep.codec.json import dumps
from arangorep.pacing import ended, give_turn, in_thread, to_the_end
from arangorep.storage.store import Store

DUMP_MODE = 0o600
"""Dumps hold password hashes."""
SNAPSHOT_MODE = 0o444
SNAPSHOT_VERSION = "S1"
STORE_FOLDER = "store/"
PARTS_AHEAD = 2
CHECKPOINTS = "backups"
CHECKPOINT_PREFIX = ".checkpoint-"
UID_SECONDS = "%Y%m%d-%H%M%S"
"""A uid but for its last three digits, the milliseconds."""

Advance = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class BackupPlaces:
    """Where backups are kept."""

    data: Path
    """The data directory."""
    dumps: Path
    snapshots: Path
    snapshots_kept: int
    snapshots_kept_s: int | None = None
    """How many snapshots are kept at most, and for how long at most; the newest always is."""

    @property
    def checkpoints(self) -> Path:
        """On the data's own file system, so that files can be linked."""
        return self.data / CHECKPOINTS


async def write_dump(
    store: Store,
    places: BackupPlaces,
    options: DumpOptions,
    *,
    uid: str,
    clock: Clock,
    version: str,
    advance: Advance,
    packing: str = "gzip",
) -> dict[str, Any]:
    """Write `<dumps>/<uid>.dump`; returns path, size, tick and number of documents.

    Errors: `OSError`; 404/1600 when a collection is dropped meanwhile; `CorruptionError`.
    """
    path = places.dumps / f"{uid}.dump"
    dump = Dump(store, options, uid=uid, wall_us=clock.wall_us(), version=version)
    made: list[ArchiveWriter] = []
    try:
        await in_thread(lambda: made.append(ArchiveWriter(path, mode=DUMP_MODE, packing=packing)))
        await _write_parts(dump, made[0], advance)
        size = await to_the_end(partial(made[0].finish, **_manifest_head(dump.metadata)))
    except BaseException:
        for writer in made:
            await in_thread(writer.abort)
        raise
    finally:
        dump.close()
    progress = dump.progress
    return {
        "path": str(path),
        "sizeInBytes": size,
        "tick": str(progress.tick),
        "documents": progress.documents,
    }


async def _write_parts(dump: Dump, writer: ArchiveWriter, advance: Advance) -> None:
    """Read the next parts while others are written, in a thread of their own."""
    loop = asyncio.get_running_loop()
    written: deque[asyncio.Future[None]] = deque()
    thread = ThreadPoolExecutor(1)
    try:
        for part in dump.parts():
            if part is None:
                await give_turn()
                continue
            if len(written) == PARTS_AHEAD:
                await asyncio.shield(written[0])
                written.popleft()
            adding = partial(writer.add, part.name, part.pieces, part.documents)
            written.append(loop.run_in_executor(thread, adding))
            progress = dump.progress
            advance({
                "collection": progress.collection,
                "documents": progress.documents,
                "documentsTotal": progress.documents_total,
            })  # fmt: skip
        for one in written:
            await asyncio.shield(one)
    finally:
        await ended(*written)
        thread.shutdown(wait=False)


def _manifest_head(metadata: dict[str, Any]) -> dict[str, str]:
    created = metadata.get("dumpDate") or metadata["snapshotDate"]
    return {"created": created, "server_id": metadata["serverId"], "tick": metadata["tick"]}


# -- snapshots -------------------------------------------------------------------------------------


async def write_snapshot(
    store: Store,
    places: BackupPlaces,
    write_lock: asyncio.Lock,
    *,
    uid: str,
    clock: Clock,
    version: str,
) -> dict[str, Any]:
    """Write `<snapshots>/<uid>.snapshot` and give the latest the name of the data directory.

    Errors: `OSError`.
    """
    checkpoint = places.checkpoints / f"{CHECKPOINT_PREFIX}{uid}"
    metadata = {
        "snapshotVersion": SNAPSHOT_VERSION,
        "dbVersion": version,
        "snapshotDate": iso_time(clock.wall_us()),
        "snapshotUid": uid,
        "serverId": str(store.server_id),
        "tick": str(store.log.last_tick),
    }
    path = places.snapshots / f"{uid}.snapshot"
    stop = threading.Event()
    try:
        await take_checkpoint(store, write_lock, checkpoint)
        size = await to_the_end(partial(_pack, checkpoint, path, metadata, stop), stop)
    finally:
        await in_thread(partial(shutil.rmtree, checkpoint, ignore_errors=True))
    await in_thread(partial(_refresh_latest, places, path, metadata["serverId"]))
    return {"path": str(path), "sizeInBytes": size, "tick": metadata["tick"]}


async def take_checkpoint(store: Store, write_lock: asyncio.Lock, path: Path) -> None:
    """A consistent copy of the store, by hard links; nobody takes files over meanwhile."""
    async with write_lock:
        await in_thread(partial(_link, store, path))


def _link(store: Store, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(path, ignore_errors=True)
    store.engine.checkpoint(path)


def remove_checkpoints(data: Path) -> None:
    """At start: remove what an interrupted snapshot left."""
    for path in (data / CHECKPOINTS).glob(f"{CHECKPOINT_PREFIX}*"):
        shutil.rmtree(path, ignore_errors=True)


def _pack(checkpoint: Path, path: Path, metadata: dict[str, Any], stop: threading.Event) -> int:
    writer = ArchiveWriter(path, mode=SNAPSHOT_MODE)
    try:
        writer.add(METADATA, [dumps(metadata)])
        for file in sorted(checkpoint.iterdir()):
            writer.add_file(f"{STORE_FOLDER}{file.name}", file, stop)
        return writer.finish(**_manifest_head(metadata))
    except BaseException:
        writer.abort()
        raise


def _refresh_latest(places: BackupPlaces, path: Path, server_id: str) -> None:
    """The stable name, and as many older snapshots as are kept. The newest always stays."""
    stable = places.snapshots / f"{places.data.resolve().name}.snapshot"
    link = places.snapshots / f".{stable.name}.partial"
    link.unlink(missing_ok=True)
    os.link(path, link)
    os.replace(link, stable)
    sync_directory(places.snapshots)
    found = (one for one in places.snapshots.glob("*.snapshot") if is_uid(one.stem))
    kept = sorted(one for one in found if _is_of(one, server_id))
    for position, old in enumerate(kept[:-1]):
        is_surplus = position < len(kept) - places.snapshots_kept
        if is_surplus or _is_outdated(old.stem, path.stem, places.snapshots_kept_s):
            old.unlink(missing_ok=True)


def _is_outdated(uid: str, newest: str, kept_s: int | None) -> bool:
    if kept_s is None:
        return False
    try:
        first, last = (datetime.strptime(one[: -len("000")], UID_SECONDS) for one in (uid, newest))
    except ValueError:  # digits that are no moment: somebody named the file
        return False
    return (last - first).total_seconds() > kept_s


def _is_of(path: Path, server_id: str) -> bool:
    """Whether this server made a snapshot: others may keep theirs in the same directory."""
    try:
        return read_metadata(path).get("serverId") == server_id
    except (DumpCorrupt, OSError):
        return False


def is_uid(text: str) -> bool:
    """Whether a name is one that a task gave: `20200929-114144097`."""
    day, dash, moment = text.partition("-")
    return (len(day), dash, len(moment)) == (8, "-", 9) and (day + moment).isdigit()
