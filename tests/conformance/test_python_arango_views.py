"""python-arango defines views and analyzers; this server keeps the definitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from arango.collection import StandardCollection
from arango.database import StandardDatabase
from arango.exceptions import (
    AnalyzerCreateError,
    AnalyzerDeleteError,
    AnalyzerGetError,
    ArangoServerError,
    ViewCreateError,
    ViewDeleteError,
    ViewGetError,
    ViewRenameError,
    ViewReplaceError,
    ViewUpdateError,
)

Json = dict[str, Any]

POLICY = {"type": "bytes_accum", "threshold": 0.15}


def refusal(error: ArangoServerError) -> tuple[int, int | None]:
    return error.http_code, error.error_code


def test_views(db: StandardDatabase) -> None:
    assert db.views() == []
    made = db.create_view("v", "arangosearch", {"consolidationIntervalMsec": 50000})
    assert {"id", "name", "type", "global_id"} <= set(made)
    assert (made["name"], made["type"]) == ("v", "arangosearch")
    assert made["consolidation_interval_msec"] == 50000
    assert db.view("v") == made
    info = db.view_info("v")
    assert (info["name"], info["type"], info["id"]) == ("v", "arangosearch", made["id"])
    assert [(one["id"], one["name"], one["type"]) for one in db.views()] == [
        (made["id"], "v", "arangosearch")
    ]
    assert db.update_view("v", {"cleanupIntervalStep": 9})["cleanup_interval_step"] == 9
    assert db.view("v")["consolidation_interval_msec"] == 50000
    replaced = db.replace_view("v", {"commitIntervalMsec": 2000})
    assert (replaced["commit_interval_msec"], replaced["cleanup_interval_step"]) == (2000, 2)
    assert replaced["consolidation_interval_msec"] == 1000
    assert db.rename_view("v", "w") is True
    assert [one["name"] for one in db.views()] == ["w"]
    assert db.delete_view("w") is True
    assert db.delete_view("w", ignore_missing=True) is False
    assert db.views() == []


def test_a_view_of_a_collection(db: StandardDatabase, col: StandardCollection) -> None:
    link = {"includeAllFields": True, "fields": {"text": {"analyzers": ["text_en"]}}}
    made = db.create_arangosearch_view(
        "v", {"links": {"c": link}, "primarySort": [{"field": "n", "direction": "desc"}]}
    )
    assert made["links"]["c"]["includeAllFields"] is True
    assert made["primary_sort"]
    updated = db.update_arangosearch_view("v", {"consolidationPolicy": POLICY})
    assert updated["consolidation_policy"]["type"] == "bytes_accum"
    assert "c" in updated["links"]
    replaced = db.replace_arangosearch_view("v", {})
    assert replaced.get("links", {}) == {}
    assert db.delete_view("v")


def test_an_alias_of_indexes(db: StandardDatabase, col: StandardCollection) -> None:
    col.add_index({"type": "inverted", "fields": ["text"], "name": "i"})
    made = db.create_view("v", "search-alias", {"indexes": [{"collection": "c", "index": "i"}]})
    assert made["type"] == "search-alias"
    assert made["indexes"] == [{"collection": "c", "index": "i"}]
    assert db.replace_view("v", {"indexes": []})["indexes"] == []
    assert db.delete_view("v")


def test_names_of_views(db: StandardDatabase, col: StandardCollection) -> None:
    db.create_view("v", "arangosearch")
    for name, kind, expected in (
        ("v", "arangosearch", (409, 1207)),
        ("c", "arangosearch", (409, 1207)),
        ("w", "nonsense", (400, 10)),
        ("1", "arangosearch", (400, 1208)),
    ):
        with pytest.raises(ViewCreateError) as refused:
            db.create_view(name, kind)
        assert refusal(refused.value) == expected
    db.create_view("w", "arangosearch")
    with pytest.raises(ViewRenameError) as taken:
        db.rename_view("w", "v")
    assert refusal(taken.value) == (409, 1207)


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda db: db.view("nowhere"), ViewGetError),
        (lambda db: db.view_info("nowhere"), ViewGetError),
        (lambda db: db.update_view("nowhere", {}), ViewUpdateError),
        (lambda db: db.replace_view("nowhere", {}), ViewReplaceError),
        (lambda db: db.rename_view("nowhere", "v"), ViewRenameError),
        (lambda db: db.delete_view("nowhere"), ViewDeleteError),
    ],
)
def test_a_view_that_is_not_there(
    db: StandardDatabase, ask: Callable[[StandardDatabase], Any], error: type[ArangoServerError]
) -> None:
    with pytest.raises(error) as missing:
        ask(db)
    assert refusal(missing.value) == (404, 1203)


def test_analyzers(db: StandardDatabase) -> None:
    assert {"identity", "text_en"} <= {one["name"] for one in db.analyzers()}
    assert db.analyzer("identity")["type"] == "identity"
    made = db.create_analyzer("a", "delimiter", {"delimiter": ","}, ["frequency"])
    full = f"{db.name}::a"
    assert made == {
        "name": full,
        "type": "delimiter",
        "properties": {"delimiter": ","},
        "features": ["frequency"],
    }
    assert db.analyzer("a") == db.analyzer(full) == made
    assert db.create_analyzer("a", "delimiter", {"delimiter": ","}, ["frequency"]) == made
    with pytest.raises(AnalyzerCreateError) as other:
        db.create_analyzer("a", "identity")
    assert refusal(other.value) == (400, 10)
    assert db.delete_analyzer("a", force=True) is True
    assert db.delete_analyzer("a", ignore_missing=True) is False
    for ask, error in ((db.analyzer, AnalyzerGetError), (db.delete_analyzer, AnalyzerDeleteError)):
        with pytest.raises(error) as missing:
            ask("a")
        assert refusal(missing.value) == (404, 1202)
