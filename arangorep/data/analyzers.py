"""Analyzers: definitions kept as documents of `_analyzers`, so they replicate with it.

Nothing is analyzed here. The built-in ones are listed, because drivers look for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from arangorep.data.collections import create_collection
from arangorep.data.documents import DocumentWriter, WriteOptions
from arangorep.data.reading import documents
from arangorep.data.transactions import Transaction
from arangorep.errors import BadParameter, DocumentNotFound
from arangorep.storage.catalog import Database
from arangorep.storage.store import Store

ANALYZERS: Final = "_analyzers"
FEATURES: Final = frozenset({"frequency", "norm", "position", "offset"})
TYPES: Final = frozenset(
    {"identity", "delimiter", "stem", "norm", "ngram", "text", "aql", "pipeline", "stopwords",
     "collation", "segmentation", "geojson", "geopoint", "geo_s2", "minhash", "classification",
     "nearest_neighbors", "multi_delimiter", "wildcard"}
)  # fmt: skip
LANGUAGES: Final = ("de", "en", "es", "fi", "fr", "it", "nl", "no", "pt", "ru", "sv", "zh")


def _text(language: str) -> dict[str, Any]:
    return {
        "name": f"text_{language}",
        "type": "text",
        "properties": {
            "locale": language,
            "case": "lower",
            "stopwords": [],
            "accent": False,
            "stemming": True,
        },
        "features": ["frequency", "position", "norm"],
    }


BUILT_IN: Final[tuple[Mapping[str, Any], ...]] = (
    {"name": "identity", "type": "identity", "properties": {}, "features": ["frequency", "norm"]},
    *map(_text, LANGUAGES),
)

Definition = dict[str, Any]


def all_analyzers(store: Store, database: Database) -> list[Mapping[str, Any]]:
    """The built-in ones, then those of the database by name, with `<database>::` in front."""
    stored = sorted(_stored(store, database), key=lambda one: str(one["name"]))
    return [*BUILT_IN, *(_shown(database, one) for one in stored)]


def find_analyzer(store: Store, database: Database, name: str) -> Mapping[str, Any]:
    """By name, with or without `<database>::`. Errors: 404/1202."""
    wanted = _unqualified(database, name)
    for one in BUILT_IN:
        if one["name"] == wanted:
            return one
    return _shown(database, _find(store, database, wanted))


def create_analyzer(
    store: Store, database: Database, body: object
) -> tuple[Mapping[str, Any], bool]:
    """Returns the definition and whether it is new.

    Errors: 400/10, also for a name that is taken by another definition.
    """
    wanted = _parse(database, body)
    for one in (*BUILT_IN, *_stored(store, database)):
        if one["name"] == wanted["name"]:
            if all(one[m] == wanted[m] for m in ("type", "properties")) and set(
                one["features"]
            ) == set(wanted["features"]):
                return (one if one in BUILT_IN else _shown(database, one)), False
            raise BadParameter(f"an analyzer '{wanted['name']}' with other properties exists")
    transaction, writer = _begin(store, database)
    writer.insert({**wanted, "revision": store.ticks.current})
    transaction.commit()
    return _shown(database, wanted), True


def drop_analyzer(store: Store, database: Database, name: str) -> str:
    """Returns the full name. Errors: 404/1202; 400/10 for a built-in one."""
    wanted = _unqualified(database, name)
    if any(one["name"] == wanted for one in BUILT_IN):
        raise BadParameter("a built-in analyzer cannot be removed")
    found = _find(store, database, wanted)
    transaction, writer = _begin(store, database)
    writer.remove(found["_key"])
    transaction.commit()
    return f"{database.info.name}::{wanted}"


def _parse(database: Database, body: object) -> Definition:
    if not isinstance(body, dict):
        raise BadParameter("an analyzer needs an object with 'name' and 'type'")
    given, kind = body.get("name"), body.get("type")
    name = _unqualified(database, given) if isinstance(given, str) else ""
    if not name or not name.replace("_", "").replace("-", "").isalnum() or not name[0].isalpha():
        raise BadParameter("an analyzer's name is made of letters, digits, '_' and '-'")
    if not isinstance(kind, str) or kind not in TYPES:
        raise BadParameter("an analyzer's 'type' is unknown")
    properties = body.get("properties") or {}
    features = body.get("features") or []
    if not isinstance(properties, dict):
        raise BadParameter("an analyzer's 'properties' must be an object")
    if not isinstance(features, list) or not all(
        isinstance(feature, str) and feature in FEATURES for feature in features
    ):
        raise BadParameter("an analyzer's 'features' must be among frequency, norm, position")
    return {"name": name, "type": kind, "properties": properties, "features": features}


def _unqualified(database: Database, name: str) -> str:
    """Errors: 404/1202 for an analyzer of another database."""
    place, colons, rest = name.rpartition("::")
    if colons and place not in ("", database.info.name):
        raise DocumentNotFound
    return rest


def _shown(database: Database, one: Mapping[str, Any]) -> Definition:
    shown = {member: one[member] for member in ("name", "type", "properties", "features")}
    return {**shown, "name": f"{database.info.name}::{one['name']}"}


def _find(store: Store, database: Database, name: str) -> Definition:
    for one in _stored(store, database):
        if one["name"] == name:
            return one
    raise DocumentNotFound


def _begin(store: Store, database: Database) -> tuple[Transaction, DocumentWriter]:
    collection = database.named(ANALYZERS)
    if collection is None:
        collection = create_collection(store, database, {"name": ANALYZERS, "isSystem": True})
    transaction = Transaction(store, database, grouped=False)
    return transaction, DocumentWriter(transaction, collection, WriteOptions())


def _stored(store: Store, database: Database) -> list[Definition]:
    collection = database.named(ANALYZERS)
    if collection is None:
        return []
    found = documents(store, collection)
    return [one for one in found if isinstance(one.get("name"), str) and _is_whole(one)]


def _is_whole(one: Definition) -> bool:
    features = one.get("features")
    return (
        isinstance(one.get("type"), str)
        and isinstance(one.get("properties"), dict)
        and isinstance(features, list)
        and all(isinstance(feature, str) for feature in features)
    )
