"""`ApplierConfig`: what is taken over, what is ignored, what is refused (follower 2.1, 7.2)."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.codec import msgpack
from arangorep.errors import BadParameter, HttpBadParameter, InvalidApplierConfiguration
from arangorep.follower.config import FOREVER, ApplierConfig, parse_sync_body

DEFAULTS: dict[str, Any] = {
    "requestTimeout": 600,
    "connectTimeout": 10,
    "ignoreErrors": 0,
    "maxConnectRetries": 100,
    "lockTimeoutRetries": 0,
    "sslProtocol": 0,
    "chunkSize": 0,
    "skipCreateDrop": False,
    "autoStart": False,
    "adaptivePolling": True,
    "autoResync": False,
    "autoResyncRetries": 2,
    "maxPacketSize": 536870912,
    "includeSystem": True,
    "includeFoxxQueues": False,
    "requireFromPresent": True,
    "verbose": False,
    "incremental": False,
    "restrictType": "",
    "restrictCollections": [],
    "connectionRetryWaitTime": 15,
    "initialSyncMaxWaitTime": 300,
    "idleMinWaitTime": 1,
    "idleMaxWaitTime": 2.5,
}
"""The defaults of the protocol in the order in which they are shown."""

BOOLEANS = [name for name, value in DEFAULTS.items() if isinstance(value, bool)]
SECONDS = [name for name in DEFAULTS if name.endswith(("Timeout", "WaitTime"))]
NUMBERS = [
    name for name, value in DEFAULTS.items() if type(value) in (int, float) and name not in SECONDS
]
TEXTS = ["endpoint", "database", "username", "password", "jwt"]
EVERYTHING: dict[str, Any] = {
    "endpoint": "tcp://leader:8530",
    "database": "there",
    "username": "me",
    "password": "secret",
    "requestTimeout": 1,
    "connectTimeout": 2.5,
    "ignoreErrors": 3,
    "maxConnectRetries": 4,
    "lockTimeoutRetries": 5,
    "sslProtocol": 6,
    "chunkSize": 7,
    "skipCreateDrop": True,
    "autoStart": True,
    "adaptivePolling": False,
    "autoResync": True,
    "autoResyncRetries": 8,
    "maxPacketSize": 9,
    "includeSystem": False,
    "includeFoxxQueues": True,
    "requireFromPresent": False,
    "verbose": True,
    "incremental": True,
    "restrictType": "exclude",
    "restrictCollections": ["a", "b"],
    "connectionRetryWaitTime": 10,
    "initialSyncMaxWaitTime": 11,
    "idleMinWaitTime": 0.25,
    "idleMaxWaitTime": 12,
}

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
BODIES = st.dictionaries(
    st.sampled_from([field.name for field in fields(ApplierConfig)] + ["other"]),
    VALUES | st.sampled_from(["", "none", "include", "exclude", ["a"], 0, 1, 2.5, "tcp://h:1"]),
)


def merged(body: object, config: ApplierConfig | None = None) -> ApplierConfig:
    return (config or ApplierConfig()).merged(body, database="here")


# -- every attribute -----------------------------------------------------------------------------


def test_the_defaults_are_shown_in_order() -> None:
    shown = merged({"endpoint": "tcp://h"}).describe()
    assert list(shown.items()) == list(
        {"endpoint": "tcp://h", "database": "here", **DEFAULTS}.items()
    )


def test_what_is_empty_and_optional_is_not_shown() -> None:
    assert ApplierConfig().describe() == DEFAULTS


def test_every_attribute_can_be_set() -> None:
    shown = merged(EVERYTHING).describe()
    assert "password" not in shown
    assert shown == {name: value for name, value in EVERYTHING.items() if name != "password"}
    changed = {name for name, value in DEFAULTS.items() if shown[name] != value}
    assert changed == set(DEFAULTS)


def test_what_a_body_does_not_name_stays() -> None:
    config = merged({"username": "me", "password": "secret"}, merged(EVERYTHING))
    for name, value in EVERYTHING.items():
        if name != "database":
            assert asdict(config)[name] == (tuple(value) if isinstance(value, list) else value)


def test_the_database_is_reset_unless_it_is_given() -> None:
    config = merged({"database": "there"})
    assert config.database == "there"
    assert merged({}, config).database == "here"
    assert merged({"database": 5}, config).database == "here"
    assert ApplierConfig().merged({}, database="").database == ""


# -- wrong types ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BOOLEANS)
@pytest.mark.parametrize("value", [0, 1, "true", None, [], {}])
def test_what_is_no_boolean_is_ignored(name: str, value: object) -> None:
    assert getattr(merged({name: value}), name) is DEFAULTS[name]


@pytest.mark.parametrize("name", NUMBERS + SECONDS)
@pytest.mark.parametrize("value", ["5", None, [], {}, -1, 2**64, 1e300])
def test_what_is_no_number_is_ignored(name: str, value: object) -> None:
    assert getattr(merged({name: value}), name) == DEFAULTS[name]


@pytest.mark.parametrize("name", sorted({*NUMBERS, *SECONDS} - {"ignoreErrors"}))
@pytest.mark.parametrize("value", [True, False])
def test_a_boolean_is_no_number(name: str, value: object) -> None:
    assert getattr(merged({name: value}), name) == DEFAULTS[name]


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("value", [5, None, True, ["x"], {}])
def test_what_is_no_text_is_ignored(name: str, value: object) -> None:
    known = merged({"endpoint": "tcp://h", "username": "u", "password": "p"})
    known = merged({"jwt": "j"}, known)
    assert getattr(merged({name: value}, known), name) == getattr(known, name)


@pytest.mark.parametrize("value", ["a", None, 5, {"a": 1}])
def test_what_is_no_array_of_names_is_ignored(value: object) -> None:
    known = merged({"restrictType": "include", "restrictCollections": ["a"]})
    assert merged({"restrictCollections": value}, known).restrictCollections == ("a",)


def test_names_that_are_no_text_are_ignored() -> None:
    body = {"restrictType": "include", "restrictCollections": ["a", 5, None, ["b"], "c"]}
    assert merged(body).restrictCollections == ("a", "c")


@pytest.mark.parametrize("name", SECONDS)
def test_times_are_above_zero(name: str) -> None:
    known = merged({name: 7.5})
    assert getattr(merged({name: 0}, known), name) == 7.5
    assert getattr(merged({name: 0.5}, known), name) == 0.5


@pytest.mark.parametrize("name", NUMBERS)
def test_counts_may_be_zero_and_lose_their_fraction(name: str) -> None:
    known = merged({name: 7.9})
    assert getattr(known, name) == 7
    assert getattr(merged({name: 0}, known), name) == 0
    assert getattr(merged({name: FOREVER}, known), name) == FOREVER


@pytest.mark.parametrize(("value", "taken"), [(True, FOREVER), (False, 0), (12, 12)])
def test_errors_are_ignored_by_number_or_altogether(value: object, taken: int) -> None:
    assert merged({"ignoreErrors": value}, merged({"ignoreErrors": 3})).ignoreErrors == taken


@pytest.mark.parametrize("body", [None, [], "x", 5, True])
def test_the_body_must_be_an_object(body: object) -> None:
    with pytest.raises(BadParameter):
        merged(body)


@given(BODIES)
def test_any_body_is_refused_as_a_whole_or_gives_a_configuration(body: dict[str, Any]) -> None:
    """Whatever the types are, the result has the right ones and survives being stored."""
    try:
        config = merged(body)
    except InvalidApplierConfiguration:
        assert "restrictType" in body or "restrictCollections" in body
        return
    for field in fields(config):
        value, default = getattr(config, field.name), getattr(ApplierConfig(), field.name)
        if isinstance(default, (int, float)) and not isinstance(default, bool):
            assert type(value) in (int, float)
            assert 0 <= value <= FOREVER
        else:
            assert type(value) is type(default)
    packed = msgpack.unpack(msgpack.pack(config.pack()))
    assert ApplierConfig.unpack(packed) == config
    assert merged({}, config).database == "here"


# -- users ---------------------------------------------------------------------------------------


def test_a_password_is_only_read_with_a_user() -> None:
    assert merged({"password": "p"}).password == ""
    assert merged({"username": "", "password": "p"}).password == ""
    assert merged({"username": "u", "password": "p"}).password == "p"
    known = merged({"username": "u", "password": "p"})
    assert merged({"password": "q"}, known).password == "p"


def test_a_token_is_only_read_without_a_user() -> None:
    assert merged({"jwt": "j"}).jwt == "j"
    assert merged({"username": "u", "jwt": "j"}).jwt == ""


@given(BODIES)
def test_secrets_are_never_shown(body: dict[str, Any]) -> None:
    restriction = {"restrictType": "", "restrictCollections": []}
    for user in ({"username": "u"}, {"username": ""}):
        config = merged({**body, "password": "s", "jwt": "s", **user, **restriction})
        assert "s" in (config.password, config.jwt)
        assert not {"password", "jwt"} & set(config.describe())


def test_secrets_are_stored() -> None:
    for body in ({"username": "u", "password": "p"}, {"jwt": "j"}):
        config = merged(body)
        assert ApplierConfig.unpack(config.pack()) == config


# -- restriction ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["include", "exclude"])
def test_a_restriction_has_names(kind: str) -> None:
    body = {"restrictType": kind, "restrictCollections": ["a"]}
    assert (merged(body).restrictType, merged(body).restrictCollections) == (kind, ("a",))


@pytest.mark.parametrize("kind", ["", "none"])
def test_no_restriction_is_shown_as_empty_text(kind: str) -> None:
    assert merged({"restrictType": kind}).describe()["restrictType"] == ""


@pytest.mark.parametrize(
    "body",
    [
        {"restrictType": "include"},
        {"restrictType": "exclude", "restrictCollections": []},
        {"restrictType": "include", "restrictCollections": [5]},
        {"restrictCollections": ["a"]},
        {"restrictType": "", "restrictCollections": ["a"]},
        {"restrictType": "none", "restrictCollections": ["a"]},
        {"restrictType": "Include", "restrictCollections": ["a"]},
        {"restrictType": "other"},
        {"restrictType": "other", "restrictCollections": ["a"]},
    ],
)
def test_a_restriction_that_makes_no_sense(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidApplierConfiguration):
        merged(body)


@pytest.mark.parametrize("body", [{"restrictType": "none"}, {"restrictCollections": []}])
def test_half_a_restriction_is_not_taken_back(body: dict[str, Any]) -> None:
    known = merged({"restrictType": "include", "restrictCollections": ["a"]})
    with pytest.raises(InvalidApplierConfiguration):
        merged(body, known)


@pytest.mark.parametrize(
    ("attributes", "followed"),
    [
        ({}, ["a", "b", "_graphs"]),
        ({"includeSystem": False}, ["a", "b"]),
        ({"includeFoxxQueues": True}, ["a", "b", "_graphs", "_jobs", "_queues"]),
        ({"includeSystem": False, "includeFoxxQueues": True}, ["a", "b"]),
        ({"restrictType": "include", "restrictCollections": ["a", "_graphs"]}, ["a", "_graphs"]),
        ({"restrictType": "exclude", "restrictCollections": ["a", "_graphs"]}, ["b"]),
        ({"restrictType": "include", "restrictCollections": ["_routing", "_statistics"]}, []),
    ],
)
def test_which_collections_are_followed(attributes: dict[str, Any], followed: list[str]) -> None:
    config = merged(attributes)
    names = ["a", "b", "_graphs", "_jobs", "_queues", "_routing", "_statistics", "_statistics15"]
    assert [name for name in names if config.replicates(name)] == followed


# -- endpoint ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("tcp://h:1", "http://h:1"),
        ("http://h:1", "http://h:1"),
        ("http+tcp://h:1", "http://h:1"),
        ("ssl://h:1", "https://h:1"),
        ("https://h:1", "https://h:1"),
        ("http+ssl://h:1", "https://h:1"),
        ("TCP://h:1", "http://h:1"),
        ("tcp://h", "http://h:8529"),
        ("tcp://127.0.0.1:8530/", "http://127.0.0.1:8530"),
        ("tcp://[::1]:8530", "http://[::1]:8530"),
        ("ssl://[::1]", "https://[::1]:8529"),
    ],
)
def test_endpoints(endpoint: str, url: str) -> None:
    config = merged({"endpoint": endpoint})
    config.check_endpoint()
    assert config.url() == url
    assert config.describe()["endpoint"] == endpoint


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "h",
        "h:1",
        "tcp:h:1",
        "tcp://",
        "tcp:///",
        "ftp://h:1",
        "unix:///tmp/socket",
        "tcp://h:1/path",
        "tcp://h:port",
        "tcp://h:",
        "tcp://:8529",
        "tcp://h:99999",
        "tcp://h:1?x=y",
        "tcp://h:1#x",
        "tcp://h h:1",
        "tcp://[::1:8529",
    ],
)
def test_endpoints_that_are_none(endpoint: str) -> None:
    with pytest.raises(InvalidApplierConfiguration):
        merged({"endpoint": endpoint}).check_endpoint()


def test_an_endpoint_of_a_wrong_type_ends_the_automatic_start() -> None:
    known = merged({"endpoint": "tcp://h", "autoStart": True})
    config = merged({"endpoint": 5, "autoStart": True}, known)
    assert (config.endpoint, config.autoStart) == ("tcp://h", False)


@pytest.mark.parametrize("body", [None, [], {}, {"endpoint": ""}, {"endpoint": 5}, "tcp://h"])
def test_a_sync_needs_an_endpoint_before_anything_else(body: object) -> None:
    with pytest.raises(HttpBadParameter):
        parse_sync_body(body, database="here")


def test_a_sync_begins_with_the_defaults() -> None:
    config = parse_sync_body({"endpoint": "tcp://h", "incremental": True}, database="here")
    assert config == ApplierConfig(endpoint="tcp://h", database="here", incremental=True)
    with pytest.raises(InvalidApplierConfiguration):
        parse_sync_body({"endpoint": "nonsense"}, database="here")


# -- chunks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_bytes", "asked"),
    [(0, 2 * 1024 * 1024), (1, 16 * 1024), (16 * 1024, 16 * 1024), (20_000, 20_000)],
)
def test_the_size_of_chunks(given_bytes: int, asked: int) -> None:
    assert merged({"chunkSize": given_bytes}).chunk_bytes() == asked
