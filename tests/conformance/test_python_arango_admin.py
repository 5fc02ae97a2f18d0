"""python-arango asks about the server: figures, log, levels, options, support."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from arango import ArangoClient
from arango.database import StandardDatabase
from arango.exceptions import (
    DatabaseSupportInfoError,
    ServerCurrentOptionsGetError,
    ServerEncryptionError,
    ServerExecuteError,
    ServerLicenseSetError,
    ServerLogLevelError,
    ServerLogLevelSetError,
    ServerReadLogError,
    ServerTLSError,
)
from prometheus_client.parser import text_string_to_metric_families
from support.server import ServerThread

from arangorep.config import Config

PASSWORD = "a secret"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    config = Config(tmp_path_factory.mktemp("data"), port=0, root_password=PASSWORD)
    with ServerThread(config) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: ServerThread) -> Iterator[ArangoClient]:
    opened = ArangoClient(hosts=server.url)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def system(client: ArangoClient) -> StandardDatabase:
    return client.db("_system", username="root", password=PASSWORD, verify=True)


@pytest.fixture(scope="module")
def other(client: ArangoClient, system: StandardDatabase) -> StandardDatabase:
    assert system.create_database("other")
    return client.db("other", username="root", password=PASSWORD, verify=True)


@pytest.fixture(scope="module")
def stranger(client: ArangoClient, system: StandardDatabase) -> StandardDatabase:
    """`_system` as a user sees it who may only read."""
    system.create_user("stranger", "pw", active=True, extra={})
    system.update_permission("stranger", "ro", "_system")
    return client.db("_system", username="stranger", password="pw")


def test_statistics(system: StandardDatabase, other: StandardDatabase) -> None:
    for db in (system, other):
        statistics = db.statistics()
        assert {"time", "system", "server", "client", "http", "enabled"} <= statistics.keys()
        assert "error" not in statistics
        described = db.statistics(description=True)
        assert {"figures", "groups"} <= described.keys()


def test_metrics(system: StandardDatabase) -> None:
    def requests() -> float:
        families = list(text_string_to_metric_families(system.metrics()))
        (value,) = (
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == "arangodb_http_request_statistics_http_get_requests_total"
        )
        return value

    before = requests()
    system.version()
    assert requests() - before == 2


def test_echo(system: StandardDatabase) -> None:
    last = system.echo()
    assert {"protocol", "user", "requestType", "rawRequestBody"} <= last.keys()
    assert (last["user"], last["database"]) == ("root", "_system")
    assert last["headers"]["x-arango-driver"].startswith("python-arango/")
    assert system.echo("request goes here")["requestBody"] == "request goes here"
    assert system.echo({"a": 1})["requestBody"] in ('{"a": 1}', '{"a":1}')


def test_log_entries(system: StandardDatabase) -> None:
    logger = logging.getLogger("arangorep.follower")
    for number in range(3):
        logger.warning("something for the client %d", number)
    found = system.read_log_entries(
        upto="warning", start=0, size=2, offset=1, search="for the client", sort="desc"
    )
    assert found["total"] == 3
    assert [entry["message"][-1] for entry in found["messages"]] == ["1", "0"]
    assert {entry["topic"] for entry in found["messages"]} == {"replication"}
    with pytest.warns(DeprecationWarning, match="read_log"):
        old = system.read_log(level="warning", search="for the client")
    assert old["total_amount"] == 3
    assert set(old["level"]) == {2}
    assert len(old["lid"]) == len(old["topic"]) == len(old["timestamp"]) == len(old["text"]) == 3
    with pytest.raises(ServerReadLogError) as caught:
        system.read_log_entries(level="bad_level")
    assert (caught.value.http_code, caught.value.error_code) == (400, 10)


def test_log_levels(system: StandardDatabase) -> None:
    before = system.log_levels()
    try:
        wanted = {"agency": "DEBUG", "replication": "INFO", "threads": "ERROR"}
        changed = system.set_log_levels(**wanted)
        assert changed == {**before, **wanted} == system.log_levels()
        assert logging.getLogger("arangorep.follower").isEnabledFor(logging.INFO)
        assert system.log_levels(with_appenders=True)["global"] == changed
        with pytest.raises(ServerLogLevelSetError) as caught:
            system.set_log_levels(no_such_topic="DEBUG")
        assert (caught.value.http_code, caught.value.error_code) == (400, 10)
    finally:
        assert system.reset_log_levels() == before


def test_log_settings(system: StandardDatabase) -> None:
    first = system.set_log_settings(database=True, url=True, username=True)
    assert first == system.log_settings()
    assert first.keys() == {"database", "url", "username"}
    second = system.set_log_settings(database=True, username=False)
    assert second == system.log_settings()
    assert second.keys() == {"database", "url"}


def test_options(system: StandardDatabase, other: StandardDatabase) -> None:
    assert system.options().keys() == system.options_available().keys()
    assert PASSWORD not in str(system.options())
    with pytest.raises(ServerCurrentOptionsGetError) as caught:
        other.options()
    assert caught.value.http_code == 403


def test_support_info(system: StandardDatabase, other: StandardDatabase) -> None:
    info = system.support_info()
    assert info["deployment"]["type"] == "single"
    assert {"deployment", "host", "date"} <= info.keys()
    with pytest.raises(DatabaseSupportInfoError) as caught:
        other.support_info()
    assert caught.value.http_code == 403


def test_who_may_not_read_the_log(stranger: StandardDatabase) -> None:
    assert stranger.statistics()
    with pytest.raises(ServerLogLevelError) as caught:
        stranger.log_levels()
    assert (caught.value.http_code, caught.value.error_code) == (403, 11)


def test_license(system: StandardDatabase) -> None:
    assert system.license() == {"license": "none"}
    with pytest.raises(ServerLicenseSetError) as caught:
        system.set_license("abc")
    assert caught.value.error_code == 9


def test_identity(system: StandardDatabase) -> None:
    assert system.engine()["name"] == "rocksdb"
    assert system.role() == "SINGLE"
    assert system.mode() == "default"
    assert system.details()["server-version"] == system.version()
    with pytest.warns(DeprecationWarning, match="target-version"):
        assert system.required_db_version() == "31209"
    status = system.status()
    assert status["server"] == "arango"
    assert status["server_info"]["role"] == "SINGLE"
    assert isinstance(system.time(), datetime)


def test_maintenance(system: StandardDatabase) -> None:
    assert system.reload_routing() is True
    assert system.compact() == {}


def test_what_is_not_part_of_this_server(system: StandardDatabase) -> None:
    for call, error in (
        (lambda: system.execute("return 1"), ServerExecuteError),
        (system.tls, ServerTLSError),
        (system.encryption, ServerEncryptionError),
    ):
        with pytest.raises(error) as caught:
            call()
        assert (caught.value.http_code, caught.value.error_code) == (501, 9)
