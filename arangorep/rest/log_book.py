"""`LogBook`: the latest records of the server's own log, and the levels of its topics.

A topic is what ArangoDB calls a part of the log; here each is a logger. The topics nobody here
writes to have a logger as well: clients set whole lists of levels and read them back.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from arangorep.clock import Clock
from arangorep.errors import BadParameter
from arangorep.limits import LOG_MESSAGE_CHARS_MAX, LOG_RECORDS_MAX

GENERAL = "general"
ALL = "all"
"""In place of a topic: every topic."""

_SILENT = (
    *("agency", "agencycomm", "agencystore", "aql", "arangosearch", "authorization", "backup"),
    *("bench", "cache", "cluster", "config", "crash", "deprecation", "development", "dump"),
    *("flush", "graphs", "heartbeat", "httpclient", "license", "memory", "queries"),
    *("rep-state", "rep-wal", "replication2", "restore", "rocksdb", "security", "ssl", "startup"),
    *("statistics", "supervision", "syscall", "trx", "ttl", "v8", "validation", "views"),
)
LOGGERS: Mapping[str, str] = {
    GENERAL: "arangorep",
    "authentication": "arangorep.auth",
    "communication": "aiohttp",
    "engines": "arangorep.storage",
    "maintenance": "arangorep.background",
    "replication": "arangorep.follower",
    "requests": "arangorep.rest",
    "threads": "asyncio",
    **{topic: f"arangorep.{topic}" for topic in _SILENT},
}
"""The logger of each topic; loggers below it belong to it too."""

_TOPICS = {logger: topic for topic, logger in LOGGERS.items()}
_SOURCES = ("arangorep", "aiohttp", "asyncio")
"""Whose records are kept: every topic's logger is one of these or below it."""

LEVELS: Mapping[str, int] = {
    "FATAL": logging.CRITICAL,
    "ERROR": logging.ERROR,
    "WARNING": logging.WARNING,
    "INFO": logging.INFO,
    "DEBUG": logging.DEBUG,
    "TRACE": 5,
}
"""From the most severe to the most talkative: the position is the level's number."""

LEVEL_NAMES = tuple(LEVELS)


@dataclass(frozen=True, slots=True)
class Entry:
    """One record; `level` is an index of `LEVEL_NAMES`, `wall_us` microseconds since 1970."""

    id: int
    topic: str
    level: int
    wall_us: int
    message: str


class LogBook(logging.Handler):
    """Keeps the last `LOG_RECORDS_MAX` records. Belongs to a running server: `install` first."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._entries: deque[Entry] = deque(maxlen=LOG_RECORDS_MAX)
        self._next_id = 0
        self._levels_before: dict[str, int] = {}

    # -- records ---------------------------------------------------------------------------------

    def install(self) -> None:
        """Begin to keep records."""
        for name in _SOURCES:
            logging.getLogger(name).addHandler(self)

    def uninstall(self) -> None:
        """Keep nothing any more and leave the loggers as they were."""
        for name in _SOURCES:
            logging.getLogger(name).removeHandler(self)
        self.reset_levels()

    def emit(self, record: logging.LogRecord) -> None:
        # a message may quote bytes of a request that are no text
        text = self.format(record)[:LOG_MESSAGE_CHARS_MAX].encode(errors="replace").decode()
        self._entries.append(
            Entry(
                self._next_id,
                topic_of(record.name),
                level_number(record.levelno),
                self._clock.wall_us(),
                text,
            )
        )
        self._next_id += 1

    def entries(self, wanted: Callable[[Entry], bool]) -> list[Entry]:
        """The records that `wanted` says yes to, oldest first."""
        self.acquire()  # a worker thread may log meanwhile
        try:
            kept = list(self._entries)
        finally:
            self.release()
        return list(filter(wanted, kept))

    def clear(self) -> None:
        """Forget all records; ids go on."""
        self._entries.clear()

    # -- levels ----------------------------------------------------------------------------------

    def levels(self) -> dict[str, str]:
        """The level of every topic, by topic."""
        return {
            topic: LEVEL_NAMES[level_number(logging.getLogger(name).getEffectiveLevel())]
            for topic, name in sorted(LOGGERS.items())
        }

    def set_levels(self, wanted: Mapping[str, object]) -> None:
        """Change the levels of topics, all or none. Errors: 400/10 for unknown ones."""
        changes: dict[str, int] = {}
        for topic, level in _in_order(wanted):
            if topic != ALL and topic not in LOGGERS:
                raise BadParameter(f"bad parameter: unknown log topic '{topic:.100}'")
            number = LEVELS[LEVEL_NAMES[parse_level(level)]]
            for name in LOGGERS.values() if topic == ALL else (LOGGERS[topic],):
                changes[name] = number
        if LOGGERS[GENERAL] in changes:
            # loggers below inherit, topics do not
            for name in LOGGERS.values():
                changes.setdefault(name, logging.getLogger(name).getEffectiveLevel())
        for name, number in changes.items():
            logger = logging.getLogger(name)
            self._levels_before.setdefault(name, logger.level)
            logger.setLevel(number)

    def reset_levels(self) -> None:
        """Give every topic back the level that it had before `set_levels`."""
        while self._levels_before:
            name, level = self._levels_before.popitem()
            logging.getLogger(name).setLevel(level)


def _in_order(wanted: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """`all` first, so that what is said about single topics wins."""
    if ALL in wanted:
        yield ALL, wanted[ALL]
    yield from ((topic, level) for topic, level in wanted.items() if topic != ALL)


def topic_of(logger: str) -> str:
    """The topic of a logger's name: that of the nearest logger above it that has one."""
    while logger:
        topic = _TOPICS.get(logger)
        if topic is not None:
            return topic
        logger = logger.rpartition(".")[0]
    return GENERAL


def level_number(level: int) -> int:
    """The number of a level of `logging`: of the least severe one that it reaches."""
    reached = (number for number, least in enumerate(LEVELS.values()) if level >= least)
    return next(reached, len(LEVELS) - 1)


def parse_level(level: object) -> int:
    """A level's number, from its name in any case or from digits. Errors: 400/10."""
    text = level.upper() if isinstance(level, str) else ""
    if text in LEVELS:
        return LEVEL_NAMES.index(text)
    if len(text) == 1 and text in "012345":
        return int(text)
    raise BadParameter(f"bad parameter: unknown log level {level!r:.100}")
