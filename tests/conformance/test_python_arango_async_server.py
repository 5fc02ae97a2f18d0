"""python-arango-async and the server: people, transactions, jobs, replication, views, refusals."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from arangoasync.auth import Auth, JwtToken
from arangoasync.client import ArangoClient
from arangoasync.database import StandardDatabase, TransactionDatabase
from arangoasync.exceptions import (
    AnalyzerGetError,
    ArangoServerError,
    AsyncJobCancelError,
    AsyncJobClearError,
    AsyncJobListError,
    AsyncJobResultError,
    BackupRestoreError,
    CollectionListError,
    DatabaseListError,
    DatabaseSupportInfoError,
    DocumentInsertError,
    PermissionGetError,
    PermissionListError,
    PermissionResetError,
    PermissionUpdateError,
    ServerConnectionError,
    ServerLogLevelSetError,
    TransactionAbortError,
    TransactionCommitError,
    TransactionInitError,
    TransactionStatusError,
    UserCreateError,
    UserDeleteError,
    UserGetError,
    UserReplaceError,
    UserUpdateError,
    ViewCreateError,
    ViewDeleteError,
    ViewGetError,
)
from arangoasync.request import Method, Request
from arangoasync.typings import UserInfo
from support.drivers import ROOT_PASSWORD, fresh_name, superuser_token, user_token
from support.server import ServerThread

Json = dict[str, Any]
Ask = Callable[[StandardDatabase], Awaitable[Any]]

# the client's own use of its HTTP library
pytestmark = [
    pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The .auth. parameter:DeprecationWarning"),
]

ROOT = Auth(username="root", password=ROOT_PASSWORD)


@pytest.fixture
async def client(secured: ServerThread) -> AsyncIterator[ArangoClient]:
    async with ArangoClient(hosts=secured.url) as opened:
        yield opened


@pytest.fixture
async def system(client: ArangoClient) -> StandardDatabase:
    return await client.db("_system", auth=ROOT, verify=True)


@pytest.fixture
async def db(client: ArangoClient, system: StandardDatabase) -> AsyncIterator[StandardDatabase]:
    """A database of the test's own, with a collection `c`."""
    name = fresh_name("pa")
    assert await system.create_database(name)
    created = await client.db(name, auth=ROOT)
    await created.create_collection("c")
    yield created
    assert await system.delete_database(name)


def refusal(error: ArangoServerError) -> tuple[int, int | None]:
    return error.http_code, error.error_code


# -- backups -------------------------------------------------------------------------------------


async def test_backups(system: StandardDatabase, tmp_path: Path) -> None:
    place = {"repository": f"here:{tmp_path}", "config": {"here": {"type": "local"}}}
    made = await system.backup.create(label="mine", allow_inconsistent=True, force=False, timeout=1)
    assert made is not None
    number = made["id"]
    listed = await system.backup.get(number)
    assert listed is not None
    assert list(listed["list"]) == [number]
    up = await system.backup.upload(backup_id=number, **place)
    assert up is not None
    await ended(lambda: system.backup.upload(upload_id=up["uploadId"]))
    await system.backup.delete(number)
    down = await system.backup.download(backup_id=number, **place)
    assert down is not None
    await ended(lambda: system.backup.download(download_id=down["downloadId"]))
    assert number in (await system.backup.get() or {})["list"]
    await system.backup.delete(number)
    with pytest.raises(BackupRestoreError) as missing:
        await system.backup.restore(number)
    assert refusal(missing.value) == (404, 404)


async def ended(ask: Callable[[], Awaitable[Json | None]]) -> None:
    """Wait until a transfer is complete."""
    for _ in range(1000):
        server = (await ask() or {})["DBServers"]["SNGL"]
        if server["Status"] != "STARTED":
            break
        await asyncio.sleep(0.01)
    assert server["Status"] == "COMPLETED"


# -- people --------------------------------------------------------------------------------------


async def test_users(system: StandardDatabase) -> None:
    name = fresh_name("user")
    made = await system.create_user(UserInfo(user=name, password="pw", active=True, extra={"a": 1}))
    assert (made.user, made.active, made.extra) == (name, True, {"a": 1})
    assert await system.has_user(name)
    assert (await system.user(name)).extra == {"a": 1}
    assert name in [one.user for one in await system.users()]
    with pytest.raises(UserCreateError) as taken:
        await system.create_user({"user": name, "password": "pw"})
    assert refusal(taken.value) == (409, 1702)
    updated = await system.update_user({"user": name, "active": False, "extra": {"b": 2}})
    assert (updated.active, updated.extra) == (False, {"a": 1, "b": 2})
    replaced = await system.replace_user({"user": name, "password": "new", "extra": {"c": 3}})
    assert replaced.extra == {"c": 3}
    assert await system.delete_user(name) is True
    assert await system.delete_user(name, ignore_missing=True) is False
    for act, error in (
        (lambda: system.user(name), UserGetError),
        (lambda: system.update_user({"user": name}), UserUpdateError),
        (lambda: system.replace_user({"user": name}), UserReplaceError),
        (lambda: system.delete_user(name), UserDeleteError),
        (lambda: system.permissions(name), PermissionListError),
        (lambda: system.permission(name, "_system"), PermissionGetError),
        (lambda: system.update_permission(name, "ro", "_system"), PermissionUpdateError),
        (lambda: system.reset_permission(name, "_system"), PermissionResetError),
    ):
        with pytest.raises(error) as missing:
            await act()
        assert refusal(missing.value) == (404, 1703)


async def test_permissions(
    client: ArangoClient, system: StandardDatabase, db: StandardDatabase
) -> None:
    name = fresh_name("user")
    await system.create_user({"user": name, "password": "pw"})
    theirs = await client.db(db.name, auth=Auth(name, "pw"))
    assert await system.permission(name, db.name) == "none"
    with pytest.raises(CollectionListError) as nothing:
        await theirs.collections()
    assert refusal(nothing.value) == (401, 11)
    assert await system.update_permission(name, "rw", db.name) is True
    assert await theirs.collection("c").insert({})
    assert await system.update_permission(name, "ro", db.name, "c") is True
    assert await system.permission(name, db.name, "c") == "ro"
    with pytest.raises(DocumentInsertError):
        await theirs.collection("c").insert({})
    full = await system.permissions(name, full=True)
    assert (full[db.name]["permission"], full[db.name]["collections"]["c"]) == ("rw", "ro")
    assert (await system.permissions(name, full=False))[db.name] == "rw"
    assert await system.reset_permission(name, db.name, "c") is True
    assert await theirs.collection("c").insert({})
    assert await system.reset_permission(name, db.name) is True
    assert await system.permission(name, db.name) == "none"
    assert await system.delete_user(name)


async def test_showing_who_one_is(client: ArangoClient) -> None:
    for wrong in (Auth("root", "wrong"), Auth("nobody", "")):
        with pytest.raises(ServerConnectionError):
            await client.db("_system", auth=wrong, verify=True)
    by_jwt = await client.db("_system", auth_method="jwt", auth=ROOT, verify=True)
    assert (await by_jwt.version())["version"] == "3.12.9"
    ready = JwtToken(user_token("root"))
    assert await (await client.db("_system", auth_method="jwt", token=ready)).databases()
    powerful = JwtToken(superuser_token())
    superuser = await client.db("_system", auth_method="superuser", token=powerful, verify=True)
    assert await superuser.has_user("root")
    forged = JwtToken.generate_token("the secret of some other server, 32 bytes")
    with pytest.raises(ServerConnectionError):
        await client.db("_system", auth_method="superuser", token=forged, verify=True)


async def test_a_token_is_fetched_anew(client: ArangoClient) -> None:
    """The client repeats a refused request with the old header; only the next one is right."""
    db = await client.db("_system", auth_method="jwt", auth=ROOT, verify=True)
    db.connection.token = None
    assert await db.databases()
    db.connection._auth_header = f"bearer {user_token('root', valid_s=-10)}"
    with pytest.raises(DatabaseListError) as expired:
        await db.databases()
    assert refusal(expired.value) == (401, 11)
    await db.connection.refresh_token()
    assert await db.databases()


# -- transactions --------------------------------------------------------------------------------


async def test_transactions(db: StandardDatabase) -> None:
    transaction = await db.begin_transaction(
        read="c",
        write=["c"],
        exclusive=[],
        wait_for_sync=True,
        allow_implicit=False,
        lock_timeout=1000,
        max_transaction_size=1_000_000,
        skip_fast_lock_round=True,
        allow_dirty_read=False,
    )
    assert isinstance(transaction, TransactionDatabase)
    assert await transaction.transaction_status() == "running"
    inside = transaction.collection("c")
    await inside.insert({"_key": "k"})
    assert (await inside.count(), await db.collection("c").count()) == (1, 0)
    running = await db.list_transactions()
    assert [one["id"] for one in running] == [transaction.transaction_id]
    again = db.fetch_transaction(transaction.transaction_id)
    assert await again.collection("c").has("k")
    await again.commit_transaction()
    assert await transaction.transaction_status() == "committed"
    assert await db.collection("c").has("k")
    with pytest.raises(TransactionAbortError):
        await transaction.abort_transaction()


async def test_transactions_that_are_given_up(db: StandardDatabase) -> None:
    transaction = await db.begin_transaction(write="c")
    await transaction.collection("c").insert({"_key": "k"})
    await transaction.abort_transaction()
    assert await transaction.transaction_status() == "aborted"
    with pytest.raises(TransactionCommitError):
        await transaction.commit_transaction()
    assert await db.collection("c").count() == 0
    with pytest.raises(TransactionInitError) as unknown:
        await db.begin_transaction(write="nowhere")
    assert unknown.value.error_code == 1203
    missing = db.fetch_transaction("12345")
    for act, error in (
        (missing.transaction_status, TransactionStatusError),
        (missing.commit_transaction, TransactionCommitError),
        (missing.abort_transaction, TransactionAbortError),
    ):
        with pytest.raises(error) as gone:
            await act()
        assert refusal(gone.value) == (404, 1655)


# -- jobs ----------------------------------------------------------------------------------------


async def test_jobs(db: StandardDatabase) -> None:
    asynchronous = db.begin_async_execution(return_result=True)
    job = await asynchronous.collection("c").insert({"_key": "k"})
    assert await job.wait(seconds=30)
    assert await job.status() == "done"
    assert job.id in await db.async_jobs("done", count=10)
    assert (await job.result())["_key"] == "k"
    for act, error in (
        (job.result, AsyncJobResultError),
        (job.cancel, AsyncJobCancelError),
        (job.clear, AsyncJobClearError),
    ):
        with pytest.raises(error):
            await act()
    assert await job.cancel(ignore_missing=True) is False
    assert await job.clear(ignore_missing=True) is False
    failing = await asynchronous.collection("c").insert({"_key": "k"})
    await failing.wait(seconds=30)
    with pytest.raises(DocumentInsertError) as refused:
        await failing.result()
    assert refused.value.error_code == 1210
    cleared = await asynchronous.aql.execute("FOR d IN c RETURN d")
    await cleared.wait(seconds=30)
    assert await cleared.clear() is True
    await db.clear_async_jobs(threshold=1)
    await db.clear_async_jobs()
    assert await db.async_jobs("done") == []
    with pytest.raises(AsyncJobListError):
        await db.async_jobs("nonsense")
    forgetful = db.begin_async_execution(return_result=False)
    assert await forgetful.collection("c").insert({}) is None


async def test_the_cursor_of_a_job(db: StandardDatabase) -> None:
    await db.collection("c").insert_many([{"n": number} for number in range(5)])
    query = "FOR d IN c SORT d.n RETURN d.n"
    job = await db.begin_async_execution().aql.execute(query, batch_size=1, ttl=1000)
    await job.wait(seconds=30)
    async with await job.result() as cursor:
        assert [one async for one in cursor] == [0, 1, 2, 3, 4]


# -- replication ---------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:/_api/replication:DeprecationWarning")
async def test_replication(secured: ServerThread, db: StandardDatabase) -> None:
    """This client makes no batches: whoever uses it makes them with a raw request."""
    await db.collection("c").insert_many([{"_key": "a"}, {"_key": "b"}])
    created = await db.request(
        Request(method=Method.POST, endpoint="/_api/replication/batch", data='{"ttl": 100}')
    )
    batch = json.loads(created.raw_body)["id"]
    inventory = await db.replication.inventory(batch_id=batch, include_system=False)
    assert [one["parameters"]["name"] for one in inventory["collections"]] == ["c"]
    dumped = await db.replication.dump("c", batch_id=batch, chunk_size=1_000_000)
    assert [json.loads(line)["data"]["_key"] for line in dumped.splitlines()] == ["a", "b"]
    logger = await db.replication.logger_state()
    assert logger["state"]["running"] is True
    assert await db.replication.server_id() == logger["server"]["serverId"]
    assert (await db.replication.applier_state())["state"]["running"] is False
    assert "verbose" in await db.replication.applier_config()
    cluster = await db.replication.cluster_inventory(include_system=False)
    assert [one["parameters"]["name"] for one in cluster] == ["c"]
    deleted = await db.request(
        Request(method=Method.DELETE, endpoint=f"/_api/replication/batch/{batch}")
    )
    assert deleted.status_code == 204


async def test_the_inventory_of_all_databases(
    secured: ServerThread, system: StandardDatabase, db: StandardDatabase
) -> None:
    created = await system.request(
        Request(method=Method.POST, endpoint="/_api/replication/batch", data='{"ttl": 100}')
    )
    batch = json.loads(created.raw_body)["id"]
    everything = await system.replication.inventory(batch, all_databases=True)
    assert db.name in everything["databases"]
    one = await db.replication.inventory(batch, include_system=True, collection="c")
    assert [entry["parameters"]["name"] for entry in one["collections"]] == ["c"]


# -- views and analyzers -------------------------------------------------------------------------


async def test_views(db: StandardDatabase) -> None:
    made = await db.create_view("v", "arangosearch", {"consolidationIntervalMsec": 50000})
    assert (made["name"], made["consolidationIntervalMsec"]) == ("v", 50000)
    assert (await db.view("v"))["consolidationIntervalMsec"] == 50000
    assert (await db.view_info("v"))["type"] == "arangosearch"
    assert [one["name"] for one in await db.views()] == ["v"]
    updated = await db.update_view("v", {"links": {"c": {"includeAllFields": True}}})
    assert updated["links"]["c"]["includeAllFields"] is True
    replaced = await db.replace_view("v", {"cleanupIntervalStep": 5})
    assert (replaced["cleanupIntervalStep"], replaced["links"]) == (5, {})
    await db.rename_view("v", "w")
    with pytest.raises(ViewCreateError) as taken:
        await db.create_view("w", "arangosearch")
    assert refusal(taken.value) == (409, 1207)
    with pytest.raises(ViewGetError) as missing:
        await db.view("v")
    assert refusal(missing.value) == (404, 1203)
    assert await db.delete_view("w") is True
    assert await db.delete_view("w", ignore_missing=True) is False
    with pytest.raises(ViewDeleteError):
        await db.delete_view("w")


async def test_analyzers(db: StandardDatabase) -> None:
    made = await db.create_analyzer("a", "delimiter", {"delimiter": ","}, ["frequency"])
    assert made["name"] == f"{db.name}::a"
    assert (await db.analyzer(made["name"]))["properties"] == {"delimiter": ","}
    assert {"identity", made["name"]} <= {one["name"] for one in await db.analyzers()}
    assert await db.delete_analyzer("a", force=True) is True
    assert await db.delete_analyzer("a", ignore_missing=True) is False
    with pytest.raises(AnalyzerGetError) as missing:
        await db.analyzer("a")
    assert refusal(missing.value) == (404, 1202)


# -- the server ----------------------------------------------------------------------------------


async def test_the_server(system: StandardDatabase, db: StandardDatabase) -> None:
    assert (await system.version(details=True))["details"]["role"] == "SINGLE"
    assert (await system.status())["server"] == "arango"
    assert (await system.engine())["name"] == "rocksdb"
    assert isinstance(await system.time(), datetime)
    assert await system.check_availability() == "default"
    assert await system.mode() == "default"
    assert await system.set_mode("readonly") == "readonly"
    assert await system.set_mode("default") == "default"
    assert "deployment" in await system.support_info()
    assert (await system.options()).keys() == (await system.options_available()).keys()
    assert await system.license() == {"license": "none"}
    await system.compact(change_level=True, compact_bottom_most_level=False)
    await system.reload_routing()
    assert (await system.echo({"a": 1}))["user"] == "root"
    assert "arangodb_" in await system.metrics()
    assert await system.cluster.server_role() == "SINGLE"
    with pytest.raises(DatabaseSupportInfoError) as refused:
        await db.support_info()
    assert refused.value.http_code == 403


async def test_the_log(system: StandardDatabase) -> None:
    found = await system.read_log_entries(
        upto="info", start=0, size=5, offset=0, search="a", sort="desc"
    )
    assert {"total", "messages"} <= set(found)
    before = await system.log_levels()
    try:
        changed = await system.set_log_levels(replication="DEBUG")
        assert changed["replication"] == "DEBUG"
        assert (await system.log_levels(with_appenders=True))["global"] == changed
        with pytest.raises(ServerLogLevelSetError):
            await system.set_log_levels(nonsense="DEBUG")
    finally:
        assert await system.reset_log_levels() == before
    settings = await system.set_log_settings(database=True)
    assert settings == await system.log_settings()


async def test_several_hosts(secured: ServerThread) -> None:
    """The client goes on to the next one when nobody answers."""
    hosts = ["http://127.0.0.1:1", secured.url]
    async with ArangoClient(hosts=hosts, host_resolver="roundrobin") as client:
        db = await client.db("_system", auth=ROOT)
        assert [(await db.version())["server"] for _ in range(3)] == ["arango"] * 3


# -- what is not here ----------------------------------------------------------------------------

REFUSED: dict[str, Ask] = {
    "create_graph": lambda db: db.create_graph("g"),
    "delete_graph": lambda db: db.delete_graph("g"),
    "graph.properties": lambda db: db.graph("g").properties(),
    "graph.vertex_collections": lambda db: db.graph("g").vertex_collections(),
    "graph.create_vertex_collection": lambda db: db.graph("g").create_vertex_collection("v"),
    "graph.edge_definitions": lambda db: db.graph("g").edge_definitions(),
    "graph.edge_collections": lambda db: db.graph("g").edge_collections(),
    "graph.create_edge_definition": lambda db: db.graph("g").create_edge_definition(
        "e", ["v"], ["v"]
    ),
    "graph.insert_vertex": lambda db: db.graph("g").insert_vertex("v", {}),
    "graph.vertex": lambda db: db.graph("g").vertex("v/1"),
    "graph.insert_edge": lambda db: db.graph("g").insert_edge("e", {"_from": "v/1", "_to": "v/2"}),
    "graph.edge": lambda db: db.graph("g").edge("e/1"),
    "graph.link": lambda db: db.graph("g").link("e", "v/1", "v/2"),
    "foxx.service": lambda db: db.foxx.service("/m"),
    "foxx.delete_service": lambda db: db.foxx.delete_service("/m"),
    "foxx.config": lambda db: db.foxx.config("/m"),
    "foxx.dependencies": lambda db: db.foxx.dependencies("/m"),
    "foxx.scripts": lambda db: db.foxx.scripts("/m"),
    "foxx.readme": lambda db: db.foxx.readme("/m"),
    "foxx.commit": lambda db: db.foxx.commit(),
    "graph.delete_vertex_collection": lambda db: db.graph("g").delete_vertex_collection("v"),
    "graph.has_vertex_collection": lambda db: db.graph("g").has_vertex_collection("v"),
    "graph.has_edge_definition": lambda db: db.graph("g").has_edge_definition("e"),
    "graph.delete_edge_definition": lambda db: db.graph("g").delete_edge_definition("e"),
    "graph.replace_edge_definition": lambda db: db.graph("g").replace_edge_definition(
        "e", ["v"], ["v"]
    ),
    "graph.update_vertex": lambda db: db.graph("g").update_vertex({"_id": "v/1"}),
    "graph.replace_vertex": lambda db: db.graph("g").replace_vertex({"_id": "v/1"}),
    "graph.delete_vertex": lambda db: db.graph("g").delete_vertex({"_id": "v/1"}),
    "graph.update_edge": lambda db: db.graph("g").update_edge({"_id": "e/1"}),
    "graph.replace_edge": lambda db: db.graph("g").replace_edge(
        {"_id": "e/1", "_from": "v/1", "_to": "v/2"}
    ),
    "graph.delete_edge": lambda db: db.graph("g").delete_edge({"_id": "e/1"}),
    "foxx.create_service": lambda db: db.foxx.create_service("/m", {"source": "/no/file"}),
    "foxx.replace_service": lambda db: db.foxx.replace_service("/m", {"source": "/no/file"}),
    "foxx.update_service": lambda db: db.foxx.update_service("/m", {"source": "/no/file"}),
    "foxx.update_config": lambda db: db.foxx.update_config("/m", {}),
    "foxx.replace_config": lambda db: db.foxx.replace_config("/m", {}),
    "foxx.update_dependencies": lambda db: db.foxx.update_dependencies("/m", {}),
    "foxx.replace_dependencies": lambda db: db.foxx.replace_dependencies("/m", {}),
    "foxx.enable_development": lambda db: db.foxx.enable_development("/m"),
    "foxx.disable_development": lambda db: db.foxx.disable_development("/m"),
    "foxx.run_script": lambda db: db.foxx.run_script("/m", "setup"),
    "foxx.run_tests": lambda db: db.foxx.run_tests("/m"),
    "foxx.swagger": lambda db: db.foxx.swagger("/m"),
    "foxx.download": lambda db: db.foxx.download("/m"),
    "cluster.calculate_rebalance_plan": lambda db: db.cluster.calculate_rebalance_plan(),
    "cluster.execute_rebalance_plan": lambda db: db.cluster.execute_rebalance_plan([]),
    "cluster.toggle_maintenance_mode": lambda db: db.cluster.toggle_maintenance_mode("off"),
    "cluster.server_maintenance_mode": lambda db: db.cluster.server_maintenance_mode("1"),
    "cluster.toggle_server_maintenance_mode": (
        lambda db: db.cluster.toggle_server_maintenance_mode("1", "normal")
    ),
    "shutdown_progress": lambda db: db.shutdown_progress(),
    "shutdown": lambda db: db.shutdown(soft=True),
    "task": lambda db: db.task("1"),
    "create_task": lambda db: db.create_task("return 1", name="t"),
    "delete_task": lambda db: db.delete_task("1"),
    "execute_transaction": lambda db: db.execute_transaction("function () {}"),
    "execute": lambda db: db.execute("return 1"),
    "tls": lambda db: db.tls(),
    "reload_tls": lambda db: db.reload_tls(),
    "encryption": lambda db: db.encryption(),
    "jwt_secrets": lambda db: db.jwt_secrets(),
    "reload_jwt_secrets": lambda db: db.reload_jwt_secrets(),
    "create_access_token": lambda db: db.create_access_token("root", "t", 2_000_000_000),
    "list_access_tokens": lambda db: db.list_access_tokens("root"),
    "delete_access_token": lambda db: db.delete_access_token("root", 1),
    "set_license": lambda db: db.set_license("abc"),
    "cluster.health": lambda db: db.cluster.health(),
    "cluster.endpoints": lambda db: db.cluster.endpoints(),
    "cluster.statistics": lambda db: db.cluster.statistics("1"),
    "cluster.calculate_imbalance": lambda db: db.cluster.calculate_imbalance(),
    "cluster.rebalance": lambda db: db.cluster.rebalance(),
    "aql.explain": lambda db: db.aql.explain("FOR d IN c RETURN d"),
    "aql.validate": lambda db: db.aql.validate("FOR d IN c RETURN d"),
    "aql.kill": lambda db: db.aql.kill("1"),
    "aql.queries": lambda db: db.aql.queries(),
    "aql.slow_queries": lambda db: db.aql.slow_queries(),
    "aql.clear_slow_queries": lambda db: db.aql.clear_slow_queries(),
    "aql.tracking": lambda db: db.aql.tracking(),
    "aql.set_tracking": lambda db: db.aql.set_tracking(enabled=True),
    "aql.query_rules": lambda db: db.aql.query_rules(),
    "aql.functions": lambda db: db.aql.functions(),
    "aql.create_function": lambda db: db.aql.create_function("a::b", "function () {}"),
    "aql.delete_function": lambda db: db.aql.delete_function("a::b"),
    "aql.cache.properties": lambda db: db.aql.cache.properties(),
    "aql.cache.configure": lambda db: db.aql.cache.configure(mode="on"),
    "aql.cache.entries": lambda db: db.aql.cache.entries(),
    "aql.cache.clear": lambda db: db.aql.cache.clear(),
    "aql.cache.plan_entries": lambda db: db.aql.cache.plan_entries(),
    "aql.cache.clear_plan": lambda db: db.aql.cache.clear_plan(),
}


@pytest.mark.filterwarnings("ignore:JavaScript Transactions:DeprecationWarning")
@pytest.mark.parametrize("ask", REFUSED.values(), ids=REFUSED.keys())
async def test_what_is_refused(system: StandardDatabase, ask: Ask) -> None:
    with pytest.raises(ArangoServerError) as refused:
        await ask(system)
    assert refusal(refused.value) in ((501, 9), (404, 1924))


@pytest.mark.parametrize(
    "ask", [lambda db: db.aql.history(), lambda db: db.api_calls()], ids=["history", "api_calls"]
)
async def test_other_paths(system: StandardDatabase, ask: Ask) -> None:
    with pytest.raises(ArangoServerError) as missing:
        await ask(system)
    assert refusal(missing.value) == (501, 9)


async def test_vertices_and_edges_are_documents(db: StandardDatabase) -> None:
    """These two methods ask for the document itself, so they need no graph."""
    key = (await db.collection("c").insert({"_key": "1"}))["_key"]
    graph = db.graph("g")
    assert await graph.has_vertex(f"c/{key}") is True
    assert await graph.has_vertex("c/2") is False
    assert await graph.has_edge(f"c/{key}") is True


async def test_lists_of_what_cannot_exist(db: StandardDatabase) -> None:
    assert await db.graphs() == []
    assert await db.tasks() == []
    assert await db.foxx.services() == []


async def test_has_graph(db: StandardDatabase) -> None:
    assert await db.has_graph("g") is False
