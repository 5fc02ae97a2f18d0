"""Whether a follower holds what its leader holds: down to rows, trees and index entries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from support.stores import index_entries, primary, stored

from arangorep.storage.catalog import Collection, Database
from arangorep.storage.integrity import findings
from arangorep.storage.store import Store


class Diverged(AssertionError):
    """The two servers do not hold the same."""


def compare(
    stores: tuple[Store, Store],
    databases: tuple[list[Database], list[Database]],
    is_followed: Callable[[Collection], bool],
    *,
    allows_more: bool,
) -> None:
    """Leader first. Errors: `Diverged`; collections that only the follower has may be allowed."""
    for store in stores:
        found = findings(store)
        if found:
            raise Diverged(f"findings of {store.server_id}: {found}")
    leaders, followers = ({d.info.name: d for d in side} for side in databases)
    if leaders.keys() != followers.keys():
        raise Diverged(f"databases: {list(leaders)}, {list(followers)}")
    for name, database in leaders.items():
        there = {c.info.guid: c for c in database if is_followed(c)}
        here = {c.info.guid: c for c in followers[name] if is_followed(c)}
        if there.keys() - here.keys() or (here.keys() - there.keys() and not allows_more):
            raise Diverged(f"collections of {name}: {_names(there)}, {_names(here)}")
        for guid in there:
            compare_collections(stores, there[guid], here[guid])


def compare_collections(stores: tuple[Store, Store], there: Collection, here: Collection) -> None:
    """One collection on both sides. Errors: `Diverged`."""
    pairs: dict[str, tuple[Any, Any]] = {
        "count": (there.count, here.count),
        "tree": (there.state.tree.hash, here.state.tree.hash),
        "tree difference": (there.state.tree.difference(here.state.tree), []),
        "keys": (primary(stores[0], there), primary(stores[1], here)),
        "documents": (_plain(stored(stores[0], there)), _plain(stored(stores[1], here))),
        "properties": (_shown(there), _shown(here)),
    }
    indexes = {i.id: i for i in there.info.indexes}, {i.id: i for i in here.info.indexes}
    pairs["indexes"] = (
        {i: index.describe() for i, index in indexes[0].items()},
        {i: index.describe() for i, index in indexes[1].items()},
    )
    for index_id in indexes[0].keys() & indexes[1].keys():
        pairs[f"index {index_id}"] = (
            index_entries(stores[0], indexes[0][index_id]),
            index_entries(stores[1], indexes[1][index_id]),
        )
    for what, (one, other) in pairs.items():
        if one != other:
            raise Diverged(f"{there.info.name} ({there.info.guid}): {what}: {one} / {other}")


def _names(collections: dict[str, Collection]) -> dict[str, str]:
    return {guid: collection.info.name for guid, collection in collections.items()}


def _plain(documents: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """A row keeps the name its collection had: only readers see the present one."""
    for document in documents.values():
        del document["_id"]
    return documents


def _shown(collection: Collection) -> dict[str, Any]:
    shown = collection.info.properties(0)
    return {name: shown[name] for name in shown if name not in ("id", "objectId", "cid", "planId")}
