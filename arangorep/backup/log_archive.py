"""The operation log kept in files, and a store brought up to a moment by them.

Each file holds a run of ticks, `<after>-<last>.log`: an archive (`archive.py`) with the markers as
`wal/tail` sends them, also those of collections that are gone since. Files follow each other
without a gap. What was loaded past the log is not in them; a file says up to which tick that was.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from arangorep.backup.archive import (
    METADATA,
    ArchiveWriter,
    Readable,
    check_seal,
    read_archive,
)
from arangorep.backup.problems import DumpCorrupt
from arangorep.clock import Clock
from arangorep.codec.json import dumps, loads
from arangorep.errors import ArangoError, StartupError
from arangorep.follower.applying import MarkerApplier
from arangorep.follower.progress import Progress, TickState
from arangorep.limits import APPLY_ROWS_PER_COMMIT, LOG_ARCHIVE_PART_BYTES
from arangorep.pacing import drive, in_thread
from arangorep.storage import keys
from arangorep.storage.log import HEADER, HEADER_BYTES, TICK_AT
from arangorep.storage.recovery import DOCUMENT_MARKERS
from arangorep.storage.snapshot import rows_limit
from arangorep.storage.store import Store
from arangorep.values.revision import parse_revision

LOG_VERSION = "L1"
MARKERS = "markers.jsonl"
MOMENTS = "moments.json"
"""Tick to milliseconds since 1970, of markers that are not of documents."""
MODE = 0o600
REVISION_MS_SHIFT = 20
_name = re.compile(r"([0-9]{20})-([0-9]{20})\.log").fullmatch
_tick_in = re.compile(rb'\{"tick":"([0-9]+)"').match
_revision_in = re.compile(rb'"_rev":"([-_0-9A-Za-z]{11})"').search


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file: ticks above `after` up to and including `last`."""

    path: Path
    after: int
    last: int


def log_files(directory: Path) -> list[LogFile]:
    """The files of a log archive, oldest first."""
    found = []
    for path in directory.iterdir() if directory.is_dir() else ():
        matched = _name(path.name)
        if matched is not None:
            found.append(LogFile(path, int(matched[1]), int(matched[2])))
    return sorted(found, key=lambda file: file.after)


class LogArchiver:
    """Keeps up with a store's log. `archived` is the last tick that is safe."""

    def __init__(self, store: Store, directory: Path) -> None:
        self._store, self._directory = store, directory
        known = [file.last for file in log_files(directory) if file.last <= store.log.last_tick]
        # what was pruned before the archive began is not to be had
        self.archived = max([*known, store.log.floor])

    async def step(self) -> None:
        """Archive everything up to now. Errors: `OSError`; what was archived stays."""
        self._store.log.close_segment()
        for segment in list(self._store.log.segments):
            if segment.last > self.archived:
                moments: dict[str, int] = {}
                pieces = await drive(self._markers(segment.last, moments))
                await in_thread(partial(self._write, segment.last, pieces, moments))
                self.archived = segment.last

    def _markers(self, last: int, moments: dict[str, int]) -> Generator[None, None, list[bytes]]:
        """The lines up to a tick; fills in when those came to be that do not tell it themselves."""
        pieces: list[bytes] = []
        scan = self._store.log.scan(self.archived)
        rows = rows_limit(self._store.largest_bytes)
        while found := scan.take(rows):
            wanted = [row for row in found if int.from_bytes(row[TICK_AT], "big") <= last]
            pieces.append(b"".join([row[HEADER_BYTES:] for row in wanted]))
            for row in wanted:
                kind, _, _, _, tick, revision, _ = HEADER.unpack_from(row)
                if kind not in DOCUMENT_MARKERS:
                    moments[str(tick)] = revision >> REVISION_MS_SHIFT
            if len(wanted) < len(found):
                break
            yield
        scan.close()
        return pieces

    def _write(self, last: int, pieces: list[bytes], moments: dict[str, int]) -> None:
        store = self._store
        metadata = {
            "logVersion": LOG_VERSION,
            "serverId": str(store.server_id),
            "after": str(self.archived),
            "last": str(last),
            "loadedUpTo": str(store.gap(None)),
        }
        writer = ArchiveWriter(self._directory / f"{self.archived:020}-{last:020}.log", mode=MODE)
        try:
            writer.add(METADATA, [dumps(metadata)])
            writer.add(MOMENTS, [dumps(moments)])
            writer.add(MARKERS, pieces)
            writer.finish(server_id=str(store.server_id), tick=str(last))
        except BaseException:
            writer.abort()
            raise


# -- replaying -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Until:
    """Where to stop: behind a tick, or before the first marker that is younger than a moment."""

    tick: int | None = None
    wall_ms: int | None = None

    def is_passed(self, line: bytes, moments: dict[str, int]) -> bool:
        """Whether a marker is beyond."""
        matched = _tick_in(line)
        if matched is None:
            return False
        if self.tick is not None:
            return int(matched[1]) > self.tick
        if self.wall_ms is None:
            return False
        known_ms = moments.get(matched[1].decode())
        if known_ms is None:
            revision = _revision_in(line)
            known_ms = 0
            if revision is not None:
                known_ms = parse_revision(revision[1].decode()) >> REVISION_MS_SHIFT
        return known_ms > self.wall_ms


def replay(store: Store, clock: Clock, directory: Path, server_id: str, until: Until) -> int:
    """Apply the archived log of a server to a store that holds its state at the log's last tick.

    Returns the last tick that counts. Errors: `StartupError` when files are missing, belong to
    another server, or documents were loaded past the log; `DumpCorrupt`.
    """
    start = store.log.last_tick
    chain = _chain(log_files(directory), start, until)
    ticks = TickState(applied=start)
    state_key = keys.APPLIER_STATE + keys.u64(0)
    applier = MarkerApplier(
        store,
        ticks,
        state_key,
        Progress(clock),
        database_id=0,
        excluded=lambda guid: False,
        learn_name=lambda guid, name: None,
        ignore_errors=0,
    )
    moments: dict[str, int] = {}
    for lines in _until(until, _all_lines(chain, server_id, start, moments), moments):
        for _ in applier.apply(lines, start):
            pass
    store.write_meta({state_key: None})  # this is no follower
    return ticks.applied


def _chain(files: list[LogFile], start: int, until: Until) -> list[LogFile]:
    """The files behind a tick, without a gap. Errors: `StartupError`."""
    wanted = [file for file in files if file.last > start]
    expected = start
    for file in wanted:
        if file.after > expected:
            raise StartupError(f"the log archive lacks ticks {expected + 1} to {file.after}")
        expected = file.last
    if until.tick is not None and expected < until.tick:
        raise StartupError(f"the log archive ends at tick {expected}, before {until.tick}")
    return wanted


def _until(
    until: Until, blocks: Iterator[list[bytes]], moments: dict[str, int]
) -> Iterator[list[bytes]]:
    """The markers before the first that is beyond; nothing of what follows it is looked at."""
    for block in blocks:
        beyond = (n for n, line in enumerate(block) if until.is_passed(line, moments))
        passed = next(beyond, None)
        yield block[:passed]
        if passed is not None:
            return


def _all_lines(
    chain: list[LogFile], server_id: str, start: int, moments: dict[str, int]
) -> Iterator[list[bytes]]:
    """Markers behind `start`, in blocks, and the moments of the file that they stand in.

    Errors: `StartupError`; `DumpCorrupt`.
    """
    for file in chain:
        check_seal(file.path)
        for entry, content in read_archive(file.path):
            if entry.name == METADATA:
                _check_metadata(file, content, server_id, start)
            elif entry.name == MOMENTS:
                moments.clear()
                moments.update(_moments(file, content))
            elif entry.name == MARKERS:
                yield from _markers_of(content, start)


def _check_metadata(file: LogFile, content: Readable, server_id: str, start: int) -> None:
    try:
        metadata = loads(content.read())
        known = (metadata["logVersion"], metadata["serverId"])
        loaded = int(metadata["loadedUpTo"])
    except (ArangoError, KeyError, TypeError, ValueError):
        raise DumpCorrupt(f"{file.path.name}: {METADATA}", "is not that of a log") from None
    if known != (LOG_VERSION, server_id):
        raise StartupError(f"{file.path.name} is the log of another server")
    if start < loaded <= file.last:
        raise StartupError(
            f"documents were loaded past the log before tick {loaded}: start from a later backup"
        )


def _moments(file: LogFile, content: Readable) -> dict[str, int]:
    try:
        return {str(tick): int(ms) for tick, ms in loads(content.read()).items()}
    except (ArangoError, AttributeError, TypeError, ValueError):
        raise DumpCorrupt(f"{file.path.name}: {MOMENTS}", "is no table of moments") from None


def _markers_of(content: Readable, start: int) -> Iterator[list[bytes]]:
    rest = b""
    while piece := content.read(LOG_ARCHIVE_PART_BYTES):
        *lines, rest = (rest + piece).split(b"\n")
        lines = [line for line in lines if _is_behind(line, start)]
        for at in range(0, len(lines), APPLY_ROWS_PER_COMMIT):
            yield lines[at : at + APPLY_ROWS_PER_COMMIT]


def _is_behind(line: bytes, start: int) -> bool:
    matched = _tick_in(line)
    return matched is not None and int(matched[1]) > start
