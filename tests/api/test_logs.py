"""`/_admin/log`: what the server logged, and how much it logs (data-api 3)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from support.server import Api, ServerThread, error_of

from arangorep.clock import ManualClock
from arangorep.limits import LOG_MESSAGE_CHARS_MAX, LOG_RECORDS_MAX
from arangorep.rest.log_book import LOGGERS
from arangorep.rest.routes import ROUTES

ENTRIES, OLD_ENTRIES = "/_admin/log/entries", "/_admin/log"
LEVEL = "/_admin/log/level"
STRUCTURED = "/_admin/log/structured"
FOLLOWER = logging.getLogger("arangorep.follower")
REST = logging.getLogger("arangorep.rest")

numbers = count(1)


@pytest.fixture
def word() -> str:
    """A word that only this test logs."""
    return f"word{next(numbers)}."


@pytest.fixture(autouse=True)
def default_levels(system: Api) -> Iterator[None]:
    """Loggers belong to the process: leave them as they were."""
    before = {name: logging.getLogger(name).level for name in LOGGERS.values()}
    yield
    assert system.delete(LEVEL).status_code == 200
    assert {name: logging.getLogger(name).level for name in before} == before


def messages(api: Api, word: str, **params: Any) -> list[dict[str, Any]]:
    """What was logged with a word, as far as the parameters let it through."""
    response = api.get(ENTRIES, search=word, **params)
    assert response.status_code == 200, response.text
    found = response.json()
    assert found.keys() == {"total", "messages"}
    return found["messages"]


# -- records -------------------------------------------------------------------------------------


def test_a_record_is_shown(manual: tuple[ServerThread, ManualClock]) -> None:
    running, _ = manual
    with Api(running.url, "_system") as client:
        assert client.get(ENTRIES).json() == {"total": 0, "messages": []}
        FOLLOWER.warning("the %s is away", "leader")
        REST.error("ouch")
        assert client.get(ENTRIES).json() == {
            "total": 2,
            "messages": [
                {
                    "id": 0,
                    "topic": "replication",
                    "level": "WARNING",
                    "date": "2023-11-14T22:13:20Z",
                    "message": "the leader is away",
                },
                {
                    "id": 1,
                    "topic": "requests",
                    "level": "ERROR",
                    "date": "2023-11-14T22:13:20Z",
                    "message": "ouch",
                },
            ],
        }
        assert client.get(OLD_ENTRIES).json() == {
            "totalAmount": 2,
            "lid": [0, 1],
            "topic": ["replication", "requests"],
            "level": [2, 1],
            "timestamp": [1_700_000_000, 1_700_000_000],
            "text": ["the leader is away", "ouch"],
        }


def test_the_server_shows_its_own_failures(server: ServerThread, system: Api, word: str) -> None:
    async def fail(_: object) -> None:
        raise RuntimeError(word)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ROUTES, "_api/x", fail)
        assert error_of(system.get("/_api/x")) == (500, 4)
    (shown,) = messages(system, word)
    assert shown["topic"] == "requests"
    assert shown["message"].startswith("a request failed unexpectedly\nTraceback")


def test_levels_select(system: Api, word: str) -> None:
    FOLLOWER.setLevel(logging.DEBUG)
    try:
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, 50):
            FOLLOWER.log(level, word)
    finally:
        FOLLOWER.setLevel(logging.NOTSET)

    def shown(**params: Any) -> list[str]:
        return [entry["level"] for entry in messages(system, word, **params)]

    every = ["DEBUG", "INFO", "WARNING", "ERROR", "FATAL"]
    assert shown() == every[1:]
    assert shown(upto="debug") == shown(upto=4) == shown(upto="TRACE") == every
    assert shown(upto="Warning") == shown(upto=2) == every[2:]
    assert shown(upto="fatal") == shown(upto="0") == ["FATAL"]
    assert shown(level="info") == shown(level=3) == ["INFO"]
    assert shown(level="trace") == []


@pytest.mark.parametrize("name", ["upto", "level"])
@pytest.mark.parametrize("value", ["loud", "6", "-1", "33", "²", "☃"])
def test_unknown_levels_are_refused(system: Api, name: str, value: str) -> None:
    for path in (ENTRIES, OLD_ENTRIES):
        assert error_of(system.get(path, **{name: value})) == (400, 10)


def test_one_kind_of_level_at_a_time(system: Api) -> None:
    assert error_of(system.get(ENTRIES, upto="info", level="info")) == (400, 10)


def test_pages(system: Api, word: str) -> None:
    for number in range(5):
        FOLLOWER.error("%s %d", word, number)

    def shown(**params: Any) -> list[int]:
        found = messages(system, word, **params)
        return [int(entry["message"].split()[-1]) for entry in found]

    assert shown() == shown(sort="asc") == shown(sort="what") == [0, 1, 2, 3, 4]
    assert shown(sort="desc") == shown(sort="DESC") == [4, 3, 2, 1, 0]
    assert shown(size=2) == [0, 1]
    assert shown(size=2, offset=3) == [3, 4]
    assert shown(size=2, offset=3, sort="desc") == [1, 0]
    assert shown(offset=9) == shown(size=0) == []
    assert shown(size="many") == []
    middle = messages(system, word)[2]["id"]
    assert shown(start=middle) == [2, 3, 4]
    assert system.get(ENTRIES, search=word, size=1, offset=1).json()["total"] == 5
    assert system.get(ENTRIES, search=word.upper(), size=1).json()["total"] == 5
    assert system.get(OLD_ENTRIES, search=word, size=1).json()["totalAmount"] == 5


def test_the_book_is_bounded(system: Api, word: str) -> None:
    FOLLOWER.error("%s first", word)
    for _ in range(LOG_RECORDS_MAX):
        FOLLOWER.error("%s later", word)
    shown = messages(system, word)
    assert len(shown) == LOG_RECORDS_MAX
    assert {entry["message"] for entry in shown} == {f"{word} later"}


def test_a_long_message_is_cut(system: Api, word: str) -> None:
    FOLLOWER.error("%s %s", word, "x" * (2 * LOG_MESSAGE_CHARS_MAX))
    (shown,) = messages(system, word)
    assert len(shown["message"]) == LOG_MESSAGE_CHARS_MAX


def test_a_message_that_is_no_text_is_mended(server: ServerThread, system: Api, word: str) -> None:
    # not through the loggers: pytest's own handlers cannot send such text
    book = server.server.node.services.observation.log_book
    record = FOLLOWER.makeRecord("arangorep.follower", 40, "", 0, f"{word} \udcff", (), None)
    book.handle(record)
    assert [entry["message"] for entry in messages(system, word)] == [f"{word} ?"]


@pytest.mark.parametrize("path", [ENTRIES, OLD_ENTRIES])
def test_clearing(system: Api, word: str, path: str) -> None:
    FOLLOWER.error(word)
    last = messages(system, word)[-1]["id"]
    assert system.delete(path).json() == {"error": False, "code": 200}
    assert system.get(ENTRIES).json() == {"total": 0, "messages": []}
    FOLLOWER.error(word)
    assert [entry["id"] for entry in messages(system, word)] == [last + 1]


def test_a_stopped_server_keeps_nothing(manual: tuple[ServerThread, ManualClock]) -> None:
    running, _ = manual
    book = running.server.node.services.observation.log_book
    assert book in logging.getLogger("arangorep").handlers
    running.run(running.server.stop())
    try:
        for name in ("arangorep", "aiohttp", "asyncio"):
            assert book not in logging.getLogger(name).handlers
    finally:
        running.run(running.server.start())


# -- levels --------------------------------------------------------------------------------------


def test_levels_of_topics(system: Api) -> None:
    levels = system.get(LEVEL).json()
    assert levels.keys() == LOGGERS.keys()
    assert levels["replication"] == levels["general"] == "WARNING"


def test_a_changed_level_takes_effect(system: Api, word: str) -> None:
    FOLLOWER.info(word)
    assert messages(system, word) == []
    before = system.get(LEVEL).json()
    changed = {**before, "replication": "INFO"}
    assert system.put(LEVEL, {"replication": "info"}).json() == changed
    assert system.get(LEVEL).json() == changed
    FOLLOWER.info(word)
    assert [entry["level"] for entry in messages(system, word)] == ["INFO"]
    assert system.put(LEVEL, {"replication": "fatal"}).status_code == 200
    FOLLOWER.error(word)
    assert len(messages(system, word)) == 1
    assert system.delete(LEVEL).json() == before
    FOLLOWER.error(word)
    assert len(messages(system, word)) == 2


def test_topics_do_not_inherit(system: Api) -> None:
    before = system.get(LEVEL).json()
    assert system.put(LEVEL, {"general": "trace"}).json() == {**before, "general": "TRACE"}
    assert logging.getLogger("arangorep.somewhere").isEnabledFor(5)
    assert not FOLLOWER.isEnabledFor(logging.INFO)


def test_all_topics_at_once(system: Api) -> None:
    levels = system.put(LEVEL, {"replication": "error", "all": "debug"}).json()
    assert levels.pop("replication") == "ERROR"
    assert set(levels.values()) == {"DEBUG"}


def test_a_text_is_a_level_too(system: Api) -> None:
    assert system.put(LEVEL, '"replication=debug"').json()["replication"] == "DEBUG"
    assert system.put(LEVEL, '"error"').json()["general"] == "ERROR"


def test_what_was_read_can_be_written_back(system: Api) -> None:
    levels = system.get(LEVEL).json()
    assert system.put(LEVEL, levels).json() == levels


def test_levels_with_appenders(system: Api) -> None:
    levels = system.get(LEVEL).json()
    shown = system.get(LEVEL, withAppenders="true").json()
    assert shown == {"global": levels, "appenders": {}}
    body = {"global": {"ttl": "info"}, "appenders": {}}
    changed = system.put(LEVEL, body, withAppenders="true").json()
    assert changed["global"] == {**levels, "ttl": "INFO"}
    other = {"appenders": {"-": {"ttl": "info"}}}
    assert error_of(system.put(LEVEL, other, withAppenders="true")) == (400, 10)


@pytest.mark.parametrize(
    "body",
    [
        {"nothing": "info"},
        {"replication": "loud"},
        {"replication": "info", "requests": "loud"},
        {"replication": 3},
        {"replication": None},
        {"all": "loud"},
        '"loud"',
        '"replication=loud"',
        "[]",
        "7",
        "null",
        None,
    ],
)
def test_wrong_levels_change_nothing(system: Api, body: Any) -> None:
    before = system.get(LEVEL).json()
    assert error_of(system.put(LEVEL, body)) == (400, 10)
    assert system.get(LEVEL).json() == before


def test_levels_that_are_no_json(system: Api) -> None:
    assert error_of(system.put(LEVEL, "{")) == (400, 600)


# -- structured ----------------------------------------------------------------------------------


def test_structured_parameters_are_kept(manual: tuple[ServerThread, ManualClock]) -> None:
    running, _ = manual
    with Api(running.url, "_system") as client:
        assert client.get(STRUCTURED).json() == {}
        body = {"database": True, "username": True, "url": False, "unheard": True}
        expected = {"database": True, "username": True}
        assert client.put(STRUCTURED, body).json() == expected
        assert client.get(STRUCTURED).json() == expected
        assert client.put(STRUCTURED, {"username": False}).json() == {"database": True}


@pytest.mark.parametrize("body", ["[]", '"database"', {"database": 1}, {"url": None}, None])
def test_wrong_structured_parameters(system: Api, body: Any) -> None:
    assert error_of(system.put(STRUCTURED, body)) == (400, 10)


# -- methods and paths ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        (ENTRIES, "PUT POST PATCH"),
        (OLD_ENTRIES, "PUT POST PATCH"),
        (LEVEL, "POST PATCH"),
        (STRUCTURED, "POST PATCH DELETE"),
    ],
)
def test_other_methods(system: Api, path: str, methods: str) -> None:
    for method in methods.split():
        assert error_of(system.request(method, path)) == (405, 405)


@pytest.mark.parametrize("path", ["/_admin/log/lines", f"{LEVEL}/ttl", f"{ENTRIES}/1"])
def test_other_paths(system: Api, path: str) -> None:
    assert error_of(system.get(path)) == (404, 404)
