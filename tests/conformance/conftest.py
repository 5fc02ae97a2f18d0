"""A server as clients usually meet it, with a password and a secret, and python-arango in front."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from arango import ArangoClient
from arango.collection import StandardCollection
from arango.database import StandardDatabase
from support.drivers import JWT_SECRET, ROOT_PASSWORD, fresh_name
from support.server import ServerThread

from arangorep.config import Config

Json = dict[str, Any]


@pytest.fixture(autouse=True)
def strict_formatters(monkeypatch: pytest.MonkeyPatch) -> None:
    """A member of an answer that the client does not know is a failure, as in its own tests."""

    def verify(body: object, result: Json) -> Json:
        if not isinstance(body, dict):
            return result
        known = {name for name, value in body.items() if value is not None} - {"error", "code"}
        made = {name for name, value in result.items() if value is not None}
        made.discard("edge")  # the one member that the client adds
        assert len(known) == len(made), f"{known} became {made}"
        return result

    monkeypatch.setattr("arango.formatter.verify_format", verify)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    """A server that asks who is there."""
    directory = tmp_path_factory.mktemp("data")
    config = Config(directory, port=0, root_password=ROOT_PASSWORD, jwt_secret=JWT_SECRET)
    with ServerThread(config) as running:
        yield running


@pytest.fixture(scope="module")
def client(secured: ServerThread) -> Iterator[ArangoClient]:
    opened = ArangoClient(hosts=secured.url)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def system(client: ArangoClient) -> StandardDatabase:
    return client.db("_system", username="root", password=ROOT_PASSWORD, verify=True)


@pytest.fixture
def db(client: ArangoClient, system: StandardDatabase) -> Iterator[StandardDatabase]:
    """A database of the test's own."""
    name = fresh_name("py")
    assert system.create_database(name)
    yield client.db(name, username="root", password=ROOT_PASSWORD)
    assert system.delete_database(name)


@pytest.fixture
def col(db: StandardDatabase) -> StandardCollection:
    """An empty collection `c`."""
    created = db.create_collection("c")
    assert isinstance(created, StandardCollection)
    return created
