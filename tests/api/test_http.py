"""The HTTP edge on a bare socket (data-api 1, leader-api 10)."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator

import pytest
from support.raw import RawConnection, request_bytes
from support.server import Api, ServerThread
from support.wait import wait_for

from arangorep.clock import ManualClock
from arangorep.config import Config

VERSION = "/_api/version"
BODY_BYTES_MAX = 4096

COMMON_HEADERS = {
    "server": "ArangoDB",
    "x-content-type-options": "nosniff",
    "x-arango-queue-time-seconds": "0.000000",
    "cache-control": "no-cache, no-store, must-revalidate, pre-check=0, post-check=0, "
    "max-age=0, s-maxage=0",
    "pragma": "no-cache",
    "expires": "0",
    "content-security-policy": "frame-ancestors 'self'; form-action 'self';",
    "strict-transport-security": "max-age=31536000 ; includeSubDomains",
}

ALLOW = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    """A server that takes small bodies only."""
    config = Config(tmp_path_factory.mktemp("data"), port=0, body_bytes_max=BODY_BYTES_MAX)
    with ServerThread(config) as running:
        yield running


@pytest.fixture
def connection(server: ServerThread) -> Iterator[RawConnection]:
    with RawConnection(server.port) as opened:
        yield opened


def is_usable(connection: RawConnection) -> bool:
    return connection.request("GET", VERSION).json()["server"] == "arango"


def collection_names(connection: RawConnection) -> set[str]:
    listed = connection.request("GET", "/_api/collection?excludeSystem=true").json()["result"]
    return {entry["name"] for entry in listed}


# -- headers of every response -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "target", "headers", "status", "content_type"),
    [
        ("GET", VERSION, {}, 200, "application/json; charset=utf-8"),
        ("HEAD", VERSION, {}, 200, "application/json; charset=utf-8"),
        ("GET", "/_api/nothing", {}, 404, "application/json; charset=utf-8"),
        ("PATCH", "/_api/version", {}, 405, "application/json; charset=utf-8"),
        ("GET", "/_db/nope/_api/version", {}, 404, "application/json; charset=utf-8"),
        ("GET", VERSION, {"x-arango-async": "true"}, 202, "text/plain; charset=utf-8"),
        ("OPTIONS", VERSION, {}, 200, "text/plain; charset=utf-8"),
    ],
)
def test_every_response_carries_the_common_headers(
    connection: RawConnection,
    method: str,
    target: str,
    headers: dict[str, str],
    status: int,
    content_type: str,
) -> None:
    answer = connection.request(method, target, headers=headers)
    assert answer.status == status
    assert COMMON_HEADERS.items() <= answer.headers.items()
    assert answer.headers["connection"] == "Keep-Alive"
    assert answer.headers["content-type"] == content_type
    assert "transfer-encoding" not in answer.headers
    names = [name for name, _ in answer.head]
    assert len(names) == len(set(names))


def test_304_is_empty_and_carries_the_common_headers(api: Api, server: ServerThread) -> None:
    api.create_collection("c")
    revision = api.insert("c", {"_key": "k"})["_rev"]
    target = f"/_db/{api.database}/_api/document/c/k"
    with RawConnection(server.port) as connection:
        answer = connection.request("GET", target, headers={"If-None-Match": revision})
        assert answer.status == 304
        assert COMMON_HEADERS.items() <= answer.headers.items()
        assert answer.headers["etag"] == f'"{revision}"'
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert is_usable(connection)


def test_204_carries_content_length_zero(connection: RawConnection) -> None:
    created = connection.request("POST", "/_api/replication/batch", b'{"ttl":60}')
    deleted = connection.request("DELETE", f"/_api/replication/batch/{created.json()['id']}")
    assert deleted.status == 204
    assert deleted.headers["content-length"] == "0"
    assert "content-type" not in deleted.headers
    assert COMMON_HEADERS.items() <= deleted.headers.items()
    assert is_usable(connection)


def test_204_of_a_stored_job_carries_content_length_zero(connection: RawConnection) -> None:
    target = "/_api/wal/tail?from=18446744073709551614"
    started = connection.request("GET", target, headers={"x-arango-async": "store"})
    job = f"/_api/job/{started.headers['x-arango-async-id']}"
    while connection.request("GET", job).status == 204:
        pass  # each turn of this loop is a turn of the server's
    fetched = connection.request("PUT", job)
    assert (fetched.status, fetched.headers["content-length"]) == (204, "0")
    assert fetched.headers["x-arango-replication-checkmore"] == "false"
    assert is_usable(connection)


# -- methods without a body of their own -------------------------------------------------------


@pytest.mark.parametrize("target", [VERSION, "/_api/collection", "/_api/nothing", "/"])
def test_head_is_get_without_the_body(connection: RawConnection, target: str) -> None:
    got, head = (connection.request(method, target) for method in ("GET", "HEAD"))
    assert got.body
    assert head.status == got.status
    assert head.headers["content-length"] == str(len(got.body))
    assert head.headers["content-type"] == got.headers["content-type"]
    assert is_usable(connection)


@pytest.mark.parametrize("target", [VERSION, "/_api/nothing", "/_db/nope/_api/version", "*"])
def test_options_is_answered_for_any_path(connection: RawConnection, target: str) -> None:
    answer = connection.request("OPTIONS", target)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["allow"] == ALLOW
    assert "access-control-allow-origin" not in answer.headers
    assert is_usable(connection)


def test_options_with_origin_is_a_cors_preflight(connection: RawConnection) -> None:
    headers = {
        "Origin": "http://shop.example",
        "Access-Control-Request-Headers": "x-arango-async, if-match",
    }
    answer = connection.request("OPTIONS", "/_api/document/c", headers=headers)
    assert answer.headers["allow"] == ALLOW
    assert answer.headers["access-control-allow-origin"] == "http://shop.example"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-allow-methods"] == ALLOW
    assert answer.headers["access-control-allow-headers"] == "x-arango-async, if-match"
    assert answer.headers["access-control-max-age"] == "1800"


def test_a_request_with_origin_may_be_read_by_the_browser(connection: RawConnection) -> None:
    answer = connection.request("GET", VERSION, headers={"Origin": "http://shop.example"})
    assert answer.headers["access-control-allow-origin"] == "http://shop.example"
    assert answer.headers["access-control-allow-credentials"] == "true"


# -- connections -------------------------------------------------------------------------------


def test_a_connection_serves_many_requests(connection: RawConnection) -> None:
    assert all(is_usable(connection) for _ in range(50))


@pytest.mark.parametrize(
    ("request_line", "header"),
    [("GET /_api/version HTTP/1.1", "Connection: close"), ("GET /_api/version HTTP/1.0", "A: b")],
)
def test_a_connection_that_will_be_closed_says_so(
    connection: RawConnection, request_line: str, header: str
) -> None:
    connection.send(f"{request_line}\r\nHost: localhost\r\n{header}\r\n\r\n".encode())
    answer = connection.read()
    assert answer.status == 200
    assert answer.headers["connection"] == "Close"
    assert connection.is_closed()


def test_http_1_0_can_keep_the_connection(connection: RawConnection) -> None:
    connection.send(b"GET /_api/version HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert connection.read().headers["connection"] == "Keep-Alive"
    assert is_usable(connection)


def test_pipelined_requests_are_answered_in_order(connection: RawConnection) -> None:
    create = request_bytes("POST", "/_api/collection", b'{"name":"piped"}')
    insert = b"".join(
        request_bytes("POST", "/_api/document/piped", b'{"_key":"%d"}' % number)
        for number in range(20)
    )
    count = request_bytes("GET", "/_api/collection/piped/count")
    drop = request_bytes("DELETE", "/_api/collection/piped")
    connection.send(create + insert + count + drop)
    answers = [connection.read() for _ in range(23)]
    assert [answer.status for answer in answers] == [200, *[202] * 20, 200, 200]
    assert [answer.json()["_key"] for answer in answers[1:21]] == list(map(str, range(20)))
    assert answers[21].json()["count"] == 20


def test_a_request_may_come_in_small_pieces(connection: RawConnection) -> None:
    data = request_bytes("POST", "/_api/collection", b'{"name":5}')
    for start in range(0, len(data), 7):
        connection.send(data[start : start + 7])
    assert connection.read().error == (400, 1208)
    assert is_usable(connection)


@pytest.mark.parametrize("upgrade", ["h2c", "websocket", "vst/1.1"])
def test_an_upgrade_is_declined(connection: RawConnection, upgrade: str) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": upgrade}
    assert connection.request("GET", VERSION, headers=headers).status == 200
    assert is_usable(connection)


# -- paths -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        "//_api/version",
        "/_api//version",
        "///_api///version//",
        "/_api/version/",
        "/_api/version?",
        "/_api/version?details",
        "/_api/version?&&=&x=",
        "/_db/_system/_api/version",
        "/_db/%5Fsystem/_api/version",
        "/_db/_s%79stem/_api/version/",
        "//_db//_system//_api//version",
        "http://localhost:8529/_api/version",
        "http://localhost:8529/_db/_system/_api/version?details=false",
    ],
)
def test_spellings_of_the_same_path(connection: RawConnection, target: str) -> None:
    assert set(connection.request("GET", target).json()) == {"server", "license", "version"}


@pytest.mark.parametrize("target", ["/", "/_db/_system", "/_db/_system/", "http://localhost"])
def test_the_root_names_the_server(connection: RawConnection, target: str) -> None:
    assert connection.request("GET", target).json()["server"] == "arangorep"


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("/_db", (404, 404)),
        ("/_db/nope/_api/version", (404, 1228)),
        ("/_db//_api/version", (404, 1228)),
        ("/_db/%5fsystem%2f_api/version", (404, 1228)),
        ("/_db/_SYSTEM/_api/version", (404, 1228)),
        ("/_api", (404, 404)),
        ("/_api/nothing", (404, 404)),
        ("/_admin/nothing", (404, 404)),
        ("/_api/../_api/version", (404, 404)),
        ("/_api/ver%73ion", (404, 404)),
        ("/nothing", (404, 404)),
        ("/_db/%zz/_api/version", (400, 10)),
        ("/_db/%ff/_api/version", (400, 10)),
        ("/_api/collection/%", (400, 10)),
        ("/_api/collection/%c3%28", (400, 10)),
        ("/_api/version?details=%g1", (400, 10)),
        ("/_api/version?%ed%a0%80=1", (400, 10)),
    ],
)
def test_paths_that_lead_nowhere(
    connection: RawConnection, target: str, error: tuple[int, int]
) -> None:
    assert connection.request("GET", target).error == error
    assert is_usable(connection)


@pytest.mark.parametrize("written", ["ma%C3%A7%C3%A3", "mac%CC%A7a%CC%83"])
def test_a_database_name_in_the_path_is_decoded_and_normalized(
    connection: RawConnection, server: ServerThread, written: str
) -> None:
    with server.fresh_database("maçã"):
        answer = connection.request("GET", f"/_db/{written}/_api/database/current")
    assert answer.json()["result"]["name"] == "maçã"


def test_a_percent_encoded_slash_stays_inside_its_part(connection: RawConnection) -> None:
    answer = connection.request("GET", "/_api/collection/a%2Fcount")
    assert answer.error == (404, 1203)
    assert answer.json()["errorMessage"].endswith(": a/count")


@pytest.mark.parametrize("query", ["?details=true", "?details=✓", "?details=0&details=YES"])
def test_query_words_for_true(connection: RawConnection, query: str) -> None:
    encoded = query.replace("✓", "%E2%9C%93")
    assert "details" in connection.request("GET", VERSION + encoded).json()


@pytest.mark.parametrize("query", ["", "?details=undefined", "?details=2", "?details=true&x="])
def test_a_query_flag_needs_a_word_for_true(connection: RawConnection, query: str) -> None:
    has_details = "details" in connection.request("GET", VERSION + query).json()
    assert has_details is ("true" in query)


# -- bodies ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/plain", "application/octet-stream", "x", "multipart/form-data"],
)
def test_every_content_type_is_read_as_json(connection: RawConnection, content_type: str) -> None:
    headers = {"Content-Type": content_type, "Accept": "text/html"}
    answer = connection.request("POST", "/_api/collection", b'{"name":"1"}', headers)
    assert answer.error == (400, 1208)


def chunked(target: str, *chunks: bytes) -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))
    return (
        f"POST {target} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + body
    )


def test_a_chunked_body(connection: RawConnection) -> None:
    connection.send(chunked("/_api/collection", b'{"na', b'me":', b'"chunks"}'))
    assert connection.read().json()["name"] == "chunks"
    assert connection.request("DELETE", "/_api/collection/chunks").status == 200


def test_expect_100_continue(connection: RawConnection) -> None:
    connection.send(
        b"POST /_api/collection HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
        b"Content-Length: 10\r\n\r\n"
    )
    assert connection.read().status == 100
    connection.send(b'{"name":5}')
    assert connection.read().error == (400, 1208)
    assert is_usable(connection)


def test_no_100_continue_without_a_body(connection: RawConnection) -> None:
    answer = connection.request("GET", VERSION, headers={"Expect": "100-continue"})
    assert answer.status == 200
    assert answer.headers["connection"] == "Keep-Alive"
    assert is_usable(connection)


@pytest.mark.parametrize(
    ("target", "error"),
    [("/_api/document/nope", (404, 1203)), ("/_api/collection", (413, 413))],
)
def test_a_body_nobody_wants_to_continue_ends_the_connection(
    connection: RawConnection, target: str, error: tuple[int, int]
) -> None:
    body = b"x" * (BODY_BYTES_MAX + 1)
    head = f"POST {target} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
    connection.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
    answer = connection.read()
    assert answer.error == error
    assert answer.headers["connection"] == "Close"
    connection.send(body)  # what a client that does not look at the answer does
    assert connection.is_closed()


def test_a_body_nobody_reads_is_skipped(connection: RawConnection) -> None:
    answer = connection.request("POST", "/_api/document/nope", b"{" * 3000)
    assert answer.error == (404, 1203)
    assert is_usable(connection)


PACKERS = {"gzip": gzip.compress, "GZIP": gzip.compress, "deflate": zlib.compress}


@pytest.mark.parametrize("coding", PACKERS)
def test_a_compressed_body_is_unpacked(connection: RawConnection, coding: str) -> None:
    body = PACKERS[coding](b'{"name":"packed"}')
    answer = connection.request("POST", "/_api/collection", body, {"Content-Encoding": coding})
    assert answer.json()["name"] == "packed"
    assert connection.request("DELETE", "/_api/collection/packed").status == 200


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", b'{"name":"p"}'),
        ("gzip", zlib.compress(b'{"name":"p"}')),
        ("deflate", gzip.compress(b'{"name":"p"}', mtime=0)),
        ("gzip", gzip.compress(b'{"name":"p"}', mtime=0)[:-5]),
        ("deflate", zlib.compress(b'{"name":"p"}')[:-5]),
        ("deflate", zlib.compress(b'{"name":"p"}') + b"more"),
        ("gzip", gzip.compress(b'{"name":"p"}', mtime=0)[:15]),
    ],
)
def test_a_body_that_is_not_of_its_coding(
    connection: RawConnection, coding: str, body: bytes
) -> None:
    before = collection_names(connection)
    answer = connection.request("POST", "/_api/collection", body, {"Content-Encoding": coding})
    assert answer.error == (400, 10)
    assert collection_names(connection) == before


@pytest.mark.parametrize("coding", ["br", "zstd", "x-arango-lz4", "identity", "unknown"])
def test_other_codings_are_passed_through(connection: RawConnection, coding: str) -> None:
    headers = {"Content-Encoding": coding}
    answer = connection.request("POST", "/_api/collection", b'{"name":5}', headers)
    assert answer.error == (400, 1208)
    assert connection.request("POST", "/_api/collection", b"\x0b\x00", headers).error == (400, 600)
    assert is_usable(connection)


def test_a_large_answer_has_its_length_and_ends_there(api: Api, server: ServerThread) -> None:
    api.create_collection("c")
    text = "x" * 3000
    for key in range(200):
        api.insert("c", {"_key": str(key), "text": text})
    keys = json.dumps([str(key) for key in range(200)]).encode()
    with RawConnection(server.port) as connection:
        answer = connection.request("PUT", f"/_db/{api.database}/_api/document/c?onlyget=1", keys)
        assert len(answer.body) > 600_000
        assert [document["_key"] for document in answer.json()] == json.loads(keys)
        assert is_usable(connection)


# -- clients that leave ------------------------------------------------------------------------


@pytest.fixture
def unmoved(server: ServerThread, caplog: pytest.LogCaptureFixture) -> Iterator[RawConnection]:
    """A connection that the test leaves early; the server is done with it and logs nothing."""
    http = server.server._runner.server
    assert http is not None
    with RawConnection(server.port) as leaving:
        assert is_usable(leaving)
        handlers = {handler.peername: handler for handler in http.connections}
        handler = handlers[leaving.address]
        yield leaving
    wait_for(lambda: True if handler not in http.connections else None)
    assert caplog.records == []


@pytest.mark.parametrize(
    "begin",
    [
        b"POST /_api/collection HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\n{",
        b"POST /_api/collection HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"POST /_api/collection HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
        b"Content-Length: 99\r\n\r\n",
        b"POST /_api/collection HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\n"
        b"Content-Length: 99\r\n\r\n\x1f\x8b",
        b"POST /_api/collection HTTP/1.1\r\nHost:",
        b"GET /_api/ver",
        b"",
    ],
)
def test_a_client_that_leaves_within_its_request(unmoved: RawConnection, begin: bytes) -> None:
    unmoved.send(begin)


def test_a_client_that_does_not_wait_for_its_answer(
    unmoved: RawConnection, server: ServerThread
) -> None:
    lock = server.server.node.services.write_lock
    server.run(lock.acquire())
    unmoved.send(request_bytes("POST", "/_api/collection", b'{"name":"late"}'))
    wait_for(lambda: True if server.call(lambda: bool(lock._waiters)) else None)
    unmoved.close()
    server.call(lock.release)
    with RawConnection(server.port) as connection:
        # it gets its turn after the write before
        assert connection.request("POST", "/_api/collection", b'{"name":"next"}').status == 200
        assert connection.request("DELETE", "/_api/collection/late").status == 200


def test_a_client_that_leaves_within_a_large_answer(api: Api, unmoved: RawConnection) -> None:
    api.create_collection("c")
    api.insert("c", [{"_key": str(key)} for key in range(20)])
    api.patch("/_api/document/c/7", {"text": "x" * 3000})
    target = f"/_db/{api.database}/_api/document/c?onlyget=1"
    unmoved.send(request_bytes("PUT", target, json.dumps(["7"] * 500).encode()) * 20)
    assert unmoved.read().status == 200


# -- limits ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (request_bytes("GET", f"{VERSION}?x={'y' * 16 * 1024}"), (414, 414)),
        (request_bytes("GET", VERSION, headers={"X": "y" * 1200 * 1024}), (431, 431)),
        (request_bytes("GET", VERSION, headers={"X" * 1200 * 1024: "y"}), (431, 431)),
        (request_bytes("GET", VERSION, headers={f"X{n}": "y" for n in range(200)}), (431, 431)),
        (b"hello\r\n\r\n", (400, 400)),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", (400, 400)),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 400)),
        (request_bytes("FETCH", VERSION), (400, 400)),
        (request_bytes("GET", b"/_api/collection/\xff"), (400, 400)),
        (request_bytes("GET", "/_api/collection/maçã"), (400, 400)),
        (request_bytes("GET", VERSION, headers={"Content-Length": "ten"}), (400, 400)),
        (request_bytes("GET", VERSION, headers={"Content-Length": "-1"}), (400, 400)),
        (request_bytes("GET", VERSION, b"x", {"Transfer-Encoding": "chunked"}), (400, 400)),
        (
            b"POST /_api/collection HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"zz\r\n",
            (400, 400),
        ),
    ],
)
def test_what_is_no_acceptable_http_is_refused_and_the_connection_closed(
    connection: RawConnection, data: bytes, error: tuple[int, int]
) -> None:
    connection.send(data)
    answer = connection.read()
    assert answer.error == error
    assert answer.headers["connection"] == "Close"
    assert COMMON_HEADERS.items() <= answer.headers.items()
    assert connection.is_closed()


def test_urls_and_headers_just_below_the_limit(connection: RawConnection) -> None:
    target = f"{VERSION}?x={'y' * (16 * 1024 - 40)}"
    headers = {"X": "y" * (1024 * 1024 - 40)}
    assert connection.request("GET", target, headers=headers).status == 200
    assert is_usable(connection)


OVERSIZED = b'{"name":"big","x":"' + b"y" * BODY_BYTES_MAX + b'"}'


@pytest.mark.parametrize(
    "data",
    [
        request_bytes("POST", "/_api/collection", OVERSIZED),
        chunked("/_api/collection", OVERSIZED[:1000], OVERSIZED[1000:]),
        request_bytes(
            "POST",
            "/_api/collection",
            gzip.compress(OVERSIZED, mtime=0),
            {"Content-Encoding": "gzip"},
        ),
        request_bytes(
            "POST",
            "/_api/collection",
            gzip.compress(b" " * 3_000_000, mtime=0),
            {"Content-Encoding": "gzip"},
        ),
    ],
    ids=["plain", "chunked", "gzip", "bomb"],
)
def test_a_body_over_the_limit(connection: RawConnection, data: bytes) -> None:
    connection.send(data)
    answer = connection.read()
    assert answer.error == (413, 413)
    assert answer.headers["connection"] == "Keep-Alive"
    assert "big" not in collection_names(connection)


def test_a_body_at_the_limit(connection: RawConnection) -> None:
    body = b'{"name":5}'.ljust(BODY_BYTES_MAX)
    assert connection.request("POST", "/_api/collection", body).error == (400, 1208)


# -- x-arango-hlc ------------------------------------------------------------------------------

DIGITS = "-_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def number_of(revision: str) -> int:
    number = 0
    for digit in revision:
        number = number * 64 + DIGITS.index(digit)
    return number


def next_revision(connection: RawConnection) -> int:
    answer = connection.request("POST", "/_api/document/c", b"{}")
    return number_of(answer.json()["_rev"])


def test_the_hlc_header_moves_the_clock_forward(manual: tuple[ServerThread, ManualClock]) -> None:
    later = "_l6zhVTW---"  # some years after the time of the manual clock
    with RawConnection(manual[0].port) as connection:
        connection.request("POST", "/_api/collection", b'{"name":"c"}')
        assert next_revision(connection) < number_of(later)
        answer = connection.request("GET", VERSION, headers={"x-arango-hlc": later})
        assert number_of(answer.headers["x-arango-hlc"]) > number_of(later)
        assert next_revision(connection) > number_of(later)


@pytest.mark.parametrize(
    "value",
    ["", "!", "_l6zhVTW----", "N9999999999", "N9999999998", "B----------", "18446744073709551615"],
)
def test_an_hlc_header_that_is_no_sensible_time_is_ignored(
    manual: tuple[ServerThread, ManualClock], value: str
) -> None:
    with RawConnection(manual[0].port) as connection:
        connection.request("POST", "/_api/collection", b'{"name":"c"}')
        before = next_revision(connection)
        answer = connection.request("GET", VERSION, headers={"x-arango-hlc": value})
        assert answer.status == 200
        assert 0 < next_revision(connection) - before < 10  # the clock stands still


def test_an_hlc_header_of_the_past_changes_nothing(
    manual: tuple[ServerThread, ManualClock],
) -> None:
    with RawConnection(manual[0].port) as connection:
        connection.request("POST", "/_api/collection", b'{"name":"c"}')
        before = next_revision(connection)
        answer = connection.request("GET", VERSION, headers={"x-arango-hlc": "_X0000000--"})
        assert number_of(answer.headers["x-arango-hlc"]) >= before
        assert 0 < next_revision(connection) - before < 10
