"""What python-arango can ask for and this server does not have: 501, errorNum 9, every time.

Lists of what cannot exist are empty instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from arango import ArangoClient
from arango.database import StandardDatabase
from arango.exceptions import ArangoServerError
from arango.http import DefaultHTTPClient
from requests.exceptions import RetryError
from support.drivers import ROOT_PASSWORD
from support.server import ServerThread

Ask = Callable[[StandardDatabase], Any]

EDGES = {"edge_collection": "e", "from_vertex_collections": ["v"], "to_vertex_collections": ["v"]}
NAMES = ("e", ["v"], ["v"])

GRAPHS: dict[str, Ask] = {
    "create_graph": lambda db: db.create_graph("g", edge_definitions=[EDGES]),
    "delete_graph": lambda db: db.delete_graph("g", drop_collections=True),
    "properties": lambda db: db.graph("g").properties(),
    "vertex_collections": lambda db: db.graph("g").vertex_collections(),
    "has_vertex_collection": lambda db: db.graph("g").has_vertex_collection("v"),
    "create_vertex_collection": lambda db: db.graph("g").create_vertex_collection("v"),
    "delete_vertex_collection": lambda db: db.graph("g").delete_vertex_collection("v"),
    "edge_definitions": lambda db: db.graph("g").edge_definitions(),
    "has_edge_definition": lambda db: db.graph("g").has_edge_definition("e"),
    "edge_collections": lambda db: db.graph("g").edge_collections(),
    "has_edge_collection": lambda db: db.graph("g").has_edge_collection("e"),
    "create_edge_definition": lambda db: db.graph("g").create_edge_definition(*NAMES),
    "replace_edge_definition": lambda db: db.graph("g").replace_edge_definition(*NAMES),
    "delete_edge_definition": lambda db: db.graph("g").delete_edge_definition("e"),
    "traverse": lambda db: db.graph("g").traverse("v/1", direction="outbound"),
    "vertex": lambda db: db.graph("g").vertex("v/1"),
    "insert_vertex": lambda db: db.graph("g").insert_vertex("v", {}),
    "update_vertex": lambda db: db.graph("g").update_vertex({"_id": "v/1"}),
    "replace_vertex": lambda db: db.graph("g").replace_vertex({"_id": "v/1"}),
    "delete_vertex": lambda db: db.graph("g").delete_vertex("v/1"),
    "edge": lambda db: db.graph("g").edge("e/1"),
    "insert_edge": lambda db: db.graph("g").insert_edge("e", {"_from": "v/1", "_to": "v/2"}),
    "update_edge": lambda db: db.graph("g").update_edge({"_id": "e/1"}),
    "replace_edge": lambda db: db.graph("g").replace_edge(
        {"_id": "e/1", "_from": "v/1", "_to": "v/2"}
    ),
    "delete_edge": lambda db: db.graph("g").delete_edge("e/1"),
    "link": lambda db: db.graph("g").link("e", "v/1", "v/2"),
}

FOXX: dict[str, Ask] = {
    "service": lambda db: db.foxx.service("/m"),
    "create_service": lambda db: db.foxx.create_service("/m", "/no/such/file.zip"),
    "update_service": lambda db: db.foxx.update_service("/m", "/no/such/file.zip"),
    "replace_service": lambda db: db.foxx.replace_service("/m", "/no/such/file.zip"),
    "delete_service": lambda db: db.foxx.delete_service("/m"),
    "config": lambda db: db.foxx.config("/m"),
    "update_config": lambda db: db.foxx.update_config("/m", {}),
    "replace_config": lambda db: db.foxx.replace_config("/m", {}),
    "dependencies": lambda db: db.foxx.dependencies("/m"),
    "update_dependencies": lambda db: db.foxx.update_dependencies("/m", {}),
    "replace_dependencies": lambda db: db.foxx.replace_dependencies("/m", {}),
    "enable_development": lambda db: db.foxx.enable_development("/m"),
    "disable_development": lambda db: db.foxx.disable_development("/m"),
    "readme": lambda db: db.foxx.readme("/m"),
    "swagger": lambda db: db.foxx.swagger("/m"),
    "download": lambda db: db.foxx.download("/m"),
    "commit": lambda db: db.foxx.commit(replace=True),
    "scripts": lambda db: db.foxx.scripts("/m"),
    "run_script": lambda db: db.foxx.run_script("/m", "setup"),
    "run_tests": lambda db: db.foxx.run_tests("/m"),
}

QUERIES: dict[str, Ask] = {
    "explain": lambda db: db.aql.explain("FOR d IN c RETURN d"),
    "validate": lambda db: db.aql.validate("FOR d IN c RETURN d"),
    "kill": lambda db: db.aql.kill("1"),
    "queries": lambda db: db.aql.queries(),
    "slow_queries": lambda db: db.aql.slow_queries(),
    "clear_slow_queries": lambda db: db.aql.clear_slow_queries(),
    "tracking": lambda db: db.aql.tracking(),
    "set_tracking": lambda db: db.aql.set_tracking(enabled=True),
    "functions": lambda db: db.aql.functions(),
    "create_function": lambda db: db.aql.create_function("a::b", "function () {}"),
    "delete_function": lambda db: db.aql.delete_function("a::b"),
    "query_rules": lambda db: db.aql.query_rules(),
    "cache.properties": lambda db: db.aql.cache.properties(),
    "cache.configure": lambda db: db.aql.cache.configure(mode="on"),
    "cache.entries": lambda db: db.aql.cache.entries(),
    "cache.clear": lambda db: db.aql.cache.clear(),
    "cache.plan_entries": lambda db: db.aql.cache.plan_entries(),
    "cache.clear_plan": lambda db: db.aql.cache.clear_plan(),
}

SERVER: dict[str, Ask] = {
    "shutdown_progress": lambda db: db.shutdown_progress(),
    "shutdown": lambda db: db.shutdown(soft=True),
    "task": lambda db: db.task("1"),
    "create_task": lambda db: db.create_task("t", "return 1", params={}, period=1, offset=0),
    "delete_task": lambda db: db.delete_task("1"),
    "execute_transaction": lambda db: db.execute_transaction("function () {}"),
    "pregel.job": lambda db: db.pregel.job(1),
    "pregel.jobs": lambda db: db.pregel.jobs(),
    "pregel.create_job": lambda db: db.pregel.create_job("g", "pagerank"),
    "pregel.delete_job": lambda db: db.pregel.delete_job(1),
    "execute": lambda db: db.execute("return 1"),
    "tls": lambda db: db.tls(),
    "reload_tls": lambda db: db.reload_tls(),
    "encryption": lambda db: db.encryption(),
    "jwt_secrets": lambda db: db.jwt_secrets(),
    "reload_jwt_secrets": lambda db: db.reload_jwt_secrets(),
    "create_access_token": lambda db: db.create_access_token("root", "t", 2_000_000_000),
    "list_access_tokens": lambda db: db.list_access_tokens("root"),
    "delete_access_token": lambda db: db.delete_access_token("root", 1),
    "set_license": lambda db: db.set_license("abc", force=True),
}

CLUSTER: dict[str, Ask] = {
    "health": lambda db: db.cluster.health(),
    "server_count": lambda db: db.cluster.server_count(),
    "server_version": lambda db: db.cluster.server_version("1"),
    "server_engine": lambda db: db.cluster.server_engine("1"),
    "server_statistics": lambda db: db.cluster.server_statistics("1"),
    "server_maintenance_mode": lambda db: db.cluster.server_maintenance_mode("1"),
    "toggle_server_maintenance_mode": lambda db: db.cluster.toggle_server_maintenance_mode(
        "1", "normal"
    ),
    "toggle_maintenance_mode": lambda db: db.cluster.toggle_maintenance_mode("off"),
    "endpoints": lambda db: db.cluster.endpoints(),
    "calculate_imbalance": lambda db: db.cluster.calculate_imbalance(),
    "rebalance": lambda db: db.cluster.rebalance(),
    "calculate_rebalance_plan": lambda db: db.cluster.calculate_rebalance_plan(),
    "execute_rebalance_plan": lambda db: db.cluster.execute_rebalance_plan([]),
    "vpack_sort_migration_status": lambda db: db.cluster.vpack_sort_migration_status(),
    "vpack_sort_migration_index_check": lambda db: db.cluster.vpack_sort_migration_index_check(),
    "migrate_vpack_sorting": lambda db: db.cluster.migrate_vpack_sorting(),
}


def named(asks: dict[str, Ask]) -> Any:
    return pytest.mark.parametrize("ask", asks.values(), ids=asks.keys())


def check_refused(db: StandardDatabase, ask: Ask) -> None:
    with pytest.raises(ArangoServerError) as refused:
        ask(db)
    assert (refused.value.http_code, refused.value.error_code) == (501, 9)
    assert "not implemented" in str(refused.value)


@pytest.mark.filterwarnings("ignore:The HTTP traversal API:DeprecationWarning")
@named(GRAPHS)
def test_graphs(system: StandardDatabase, ask: Ask) -> None:
    """None exists, and none can be made."""
    with pytest.raises(ArangoServerError) as refused:
        ask(system)
    assert (refused.value.http_code, refused.value.error_code) in ((501, 9), (404, 1924))


@named(FOXX)
def test_foxx(system: StandardDatabase, ask: Ask) -> None:
    check_refused(system, ask)


@named(QUERIES)
def test_what_surrounds_queries(system: StandardDatabase, ask: Ask) -> None:
    check_refused(system, ask)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@named(SERVER)
def test_the_server(system: StandardDatabase, ask: Ask) -> None:
    check_refused(system, ask)


@named(CLUSTER)
def test_clusters(system: StandardDatabase, ask: Ask) -> None:
    check_refused(system, ask)


def test_what_a_single_server_answers_of_clusters(system: StandardDatabase) -> None:
    assert system.cluster.server_role() == "SINGLE"
    assert system.cluster.server_mode() == "default"


def test_the_id_of_a_single_server(secured: ServerThread) -> None:
    """It is 500/500, as on the real server; by default the client repeats that for seconds."""
    client = ArangoClient(hosts=secured.url, http_client=DefaultHTTPClient(retry_attempts=0))
    system = client.db("_system", "root", ROOT_PASSWORD)
    with pytest.raises(RetryError, match="500 error"):
        system.cluster.server_id()
    client.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_lists_of_what_cannot_exist(db: StandardDatabase) -> None:
    assert db.graphs() == []
    assert db.tasks() == []
    assert db.foxx.services() == []


def test_has_graph(db: StandardDatabase) -> None:
    assert db.has_graph("g") is False


def test_vertices_and_edges_are_documents(db: StandardDatabase) -> None:
    """These two methods ask for the document itself, so they need no graph."""
    db.create_collection("v").insert({"_key": "1"})
    db.create_collection("e", edge=True).insert({"_key": "1", "_from": "v/1", "_to": "v/1"})
    assert db.graph("g").has_vertex("v/1") is True
    assert db.graph("g").has_vertex("v/2") is False
    assert db.graph("g").has_edge("e/1") is True
    assert db.graph("g").has_edge("e/2") is False


@pytest.mark.parametrize(
    "ask",
    [lambda db: db.aql.history(), lambda db: db.api_calls(), lambda db: db.run_tests(["a"])],
    ids=["history", "api_calls", "run_tests"],
)
def test_other_paths(system: StandardDatabase, ask: Ask) -> None:
    with pytest.raises(ArangoServerError) as missing:
        ask(system)
    assert (missing.value.http_code, missing.value.error_code) == (501, 9)
