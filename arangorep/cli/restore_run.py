"""One run of `arangorep restore`: definitions in arangorestore's order, then data in pieces.

Pieces go out in parallel and in any order: each document stands in one piece only, and a piece
that is sent twice changes nothing. Source: follower 10, leader-api 9.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import click

from arangorep.backup.directory import DatabaseFiles, DumpDirectory
from arangorep.backup.layout import Members
from arangorep.backup.packing import line_blocks
from arangorep.backup.problems import DumpCorrupt
from arangorep.cli.journal import Journal
from arangorep.cli.restore_data import PieceSender, Problem
from arangorep.cli.restore_plan import (
    ANALYZERS,
    USERS,
    RestoreOptions,
    Target,
    targets,
    views,
)
from arangorep.cli.transfer_bars import TransferBars
from arangorep.cli.wire import Connections, ServerRefused, Unreachable
from arangorep.clock import pause
from arangorep.codec.json import dumps
from arangorep.limits import LEADER_RETRIES, LEADER_RETRY_WAIT_S

DUMP_TYPE = "application/x-arango-dump; charset=utf-8"
UNKNOWN_DATABASE = 1228


@dataclass(slots=True)
class Totals:
    """What was restored."""

    collections: int = 0
    documents: int = 0
    views: int = 0
    errors: int = 0


class RestoreRun:
    """Restores one dump. `journal` is None where the dump cannot be written to."""

    def __init__(
        self,
        dump: DumpDirectory,
        options: RestoreOptions,
        connections: Connections,
        account: tuple[str, str],
        journal: Journal | None,
    ) -> None:
        self._dump = dump
        self._options = options
        self._connections = connections
        self._account = account
        self._journal = journal
        self._done: set[str] = set()
        self._lock = threading.Lock()
        self._error: Problem | None = None
        self.totals = Totals()

    def resume(self, records: list[Members]) -> int:
        """Leave out what an interrupted run had done; returns how many collections that are."""
        self._done = {str(record.get("done")) for record in records}
        return sum(1 for step in self._done if step.startswith("data:"))

    def run(self) -> Totals:
        """Restore everything. Errors: `ClickException`, `DumpCorrupt`; with `--force` counted."""
        plans = [(files, self._name_of(files)) for files in self._dump.databases]
        plans = [(files, name) for files, name in plans if self._has_database(name)]
        chosen = {name: targets(files, name, self._options) for files, name in plans}
        count = sum(map(len, chosen.values()))
        with TransferBars("restoring", count) as bars:
            for files, name in plans:
                self._restore_database(files, name, chosen[name], bars)
            # may change the account in use, so nothing comes after it
            users = [t for name in chosen for t in chosen[name] if t.name == USERS]
            self._restore_data(users, bars, threads=1)
        return self.totals

    def _restore_database(
        self, files: DatabaseFiles, name: str, chosen: list[Target], bars: TransferBars
    ) -> None:
        if self._options.create_collection:
            chosen = [target for target in chosen if self._guarded(self._create, target)]
        self._restore_data([t for t in chosen if t.name == ANALYZERS], bars, threads=1)
        self._restore_views(name, views(files, self._options, aliases=False))
        rest = [target for target in chosen if target.name not in (ANALYZERS, USERS)]
        self._restore_data(rest, bars, threads=self._options.threads)
        self._restore_views(name, views(files, self._options, aliases=True))

    # -- databases ----------------------------------------------------------------------------

    def _name_of(self, files: DatabaseFiles) -> str:
        return self._options.database or files.name

    def _has_database(self, name: str) -> bool:
        """The database, which is created when it may be."""
        wire = self._connections.mine
        try:
            wire.members("GET", name, "/_api/version")
        except ServerRefused as error:
            if error.error_num != UNKNOWN_DATABASE:
                raise
        else:
            return True
        if not self._options.create_database:
            raise click.ClickException(f"there is no database {name}; see --create-database")
        user, password = self._account
        users = [{"username": user, "passwd": password}] if password else []
        return self._guarded(
            lambda: wire.members(
                "POST", "_system", "/_api/database", body={"name": name, "users": users}
            )
        )

    # -- definitions --------------------------------------------------------------------------

    def _create(self, target: Target) -> None:
        self._once(
            f"create:{target.label}",
            lambda: self._put(
                target.database,
                "restore-collection",
                {"overwrite": self._options.overwrite, "ignoreDistributeShardsLikeErrors": False},
                dumps(target.body),
                target.label,
            ),
        )

    def _restore_views(self, database: str, definitions: list[Members]) -> None:
        if not self._options.create_collection:
            return
        for view in definitions:
            self._guarded(self._restore_view, database, view)

    def _restore_view(self, database: str, view: Members) -> None:
        label = f"{database}/{view['name']}"
        self._once(
            f"view:{label}",
            lambda: self._put(
                database,
                "restore-view",
                {"overwrite": self._options.overwrite},
                dumps(view),
                label,
            ),
        )
        self.totals.views += 1

    def _create_indexes(self, target: Target, vector: bool = False) -> None:
        body = target.with_indexes(vector=vector)
        if body is not None:
            self._put(target.database, "restore-indexes", {}, dumps(body), target.label)

    # -- data ---------------------------------------------------------------------------------

    def _restore_data(self, chosen: list[Target], bars: TransferBars, *, threads: int) -> None:
        """Indexes of all, then the documents of all, then what needs documents."""
        left = [t for t in chosen if f"data:{t.label}" not in self._done]
        for target in chosen:
            if target not in left:
                bars.done(target.label)
        with ThreadPoolExecutor(threads) as pool:
            if self._options.create_collection:
                made = pool.map(lambda t: self._guarded(self._create_indexes, t), left)
                left = [target for target, is_made in zip(left, made, strict=True) if is_made]
            sender = PieceSender(
                pool, threads, partial(self._send, bars), partial(self._over, bars)
            )
            for target in left:
                if not sender.feed(target, self._pieces(target), in_order=target.in_order):
                    break
        if self._error is not None:
            raise self._error

    def _pieces(self, target: Target) -> Iterator[bytes]:
        for path in target.files.data if self._options.import_data else ():
            yield from line_blocks(self._dump.pieces(path), self._options.batch_size, path)

    def _send(self, bars: TransferBars, target: Target, piece: bytes) -> None:
        query = {"collection": target.name}
        self._put(target.database, "restore-data", query, piece, target.label, DUMP_TYPE)
        documents = piece.count(b"\n") + (not piece.endswith(b"\n"))
        with self._lock:
            self.totals.documents += documents
        bars.advance(target.label, documents, len(piece))

    def _over(self, bars: TransferBars, target: Target, problem: Problem | None) -> bool:
        """All documents of a collection are there, or one could not be stored."""
        bars.done(target.label)
        try:
            if problem is not None:
                raise problem
            if self._options.create_collection:
                self._create_indexes(target, vector=True)
        except (click.ClickException, DumpCorrupt) as error:
            if not self._goes_on_after(error):
                self._error = error
                return False
            return True
        self._note(f"data:{target.label}")
        with self._lock:
            self.totals.collections += 1
        return True

    # -- what all need ------------------------------------------------------------------------

    def _put(
        self,
        database: str,
        command: str,
        query: Members,
        body: bytes,
        label: str,
        content_type: str = "application/json",
    ) -> None:
        """One of the four calls; repeating one does no harm."""
        asked = {**query, "force": self._options.force}
        texts = {n: str(v).lower() if isinstance(v, bool) else v for n, v in asked.items()}
        path = f"/_api/replication/{command}"
        tries = LEADER_RETRIES
        while True:
            try:
                self._connections.mine.send("PUT", database, path, texts, body, content_type)
                return
            except ServerRefused as error:
                raise click.ClickException(f"{label}: {error.message}") from None
            except Unreachable:
                if not tries:
                    raise
                tries -= 1
                pause(LEADER_RETRY_WAIT_S)

    def _once(self, step: str, work: Callable[[], object]) -> None:
        if step not in self._done:
            work()
            self._note(step)

    def _note(self, step: str) -> None:
        if self._journal is not None:
            with self._lock:
                self._journal.append({"done": step})

    def _guarded(self, work: Callable[..., object], *arguments: Any) -> bool:
        """Whether it went well. Errors: those of `work`, unless `--force` goes on after them."""
        try:
            work(*arguments)
        except (click.ClickException, DumpCorrupt) as error:
            if not self._goes_on_after(error):
                raise
            return False
        return True

    def _goes_on_after(self, error: Problem) -> bool:
        """Whether `--force` passes over an error; a server that is gone stays gone."""
        if not self._options.force or isinstance(error, Unreachable):
            return False
        message = error.message if isinstance(error, click.ClickException) else str(error)
        click.echo(f"Error: {message}; going on", err=True)
        with self._lock:
            self.totals.errors += 1
        return True
