"""Reading a leader's inventory: which collections are synchronised, and what they are like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from arangorep.errors import BadParameter, InvalidResponse
from arangorep.follower.config import ApplierConfig


@dataclass(slots=True)
class Entry:
    """One collection of the inventory."""

    leader_id: int
    name: str
    guid: str
    parameters: dict[str, Any]
    indexes: list[dict[str, Any]]
    database_id: int = 0
    is_replaced: bool = False
    """Whether the documents that are here belong to another state and must go."""
    asked_as: str = ""
    """What the leader is asked for: the guid, or its id where there is none."""
    is_gone: bool = False
    """Whether it was dropped on the leader meanwhile: the log tells of it."""


def databases_of(inventory: dict[str, Any]) -> dict[str, Any]:
    """The databases of a global inventory. Errors: 500/1401."""
    databases = inventory.get("databases")
    if not isinstance(databases, dict) or not isinstance(inventory.get("state"), dict):
        raise InvalidResponse("invalid response: the inventory lacks 'databases' or 'state'")
    return databases


def collections_of(inventory: dict[str, Any]) -> list[Any]:
    """The entries of a database, not looked at yet. Errors: 500/1401."""
    listed = inventory.get("collections")
    if not isinstance(listed, list):
        raise InvalidResponse("invalid response: the inventory has no 'collections'")
    return listed


def views_of(inventory: dict[str, Any]) -> list[dict[str, Any]]:
    """Definitions of views; a leader before 3.11 may have none. Errors: 400/10."""
    listed = inventory.get("views", [])
    if not isinstance(listed, list) or not all(isinstance(view, dict) for view in listed):
        raise BadParameter("bad parameter: 'views' of the inventory must be an array of objects")
    return listed


def checked_database(part: object) -> dict[str, Any]:
    """A database of a global inventory, with a name. Errors: 500/1401."""
    if not isinstance(part, dict) or not isinstance(part.get("name"), str) or not part["name"]:
        raise InvalidResponse("invalid response: a database of the inventory has no name")
    return part


def entry_of(value: object, config: ApplierConfig) -> Entry | None:
    """A collection to synchronise; None for one that is not. Errors: 500/1401."""
    if not isinstance(value, dict):
        raise InvalidResponse("invalid response: a collection of the inventory is no object")
    parameters, indexes = value.get("parameters"), value.get("indexes")
    if not isinstance(parameters, dict) or not isinstance(indexes, list):
        raise InvalidResponse("invalid response: a collection lacks 'parameters' or 'indexes'")
    name = parameters.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidResponse("invalid response: a collection has no name")
    if parameters.get("deleted") is True or not config.replicates(name):
        return None
    leader_id = _identifier(parameters.get("cid")) or _identifier(parameters.get("id"))
    if not leader_id or type(parameters.get("type")) is not int:
        raise InvalidResponse(f"invalid response: collection {name} has no id or no type")
    guid = parameters.get("globallyUniqueId")
    known = guid if isinstance(guid, str) and guid else ""
    parameters["globallyUniqueId"] = known or str(leader_id)
    return Entry(
        leader_id,
        name,
        parameters["globallyUniqueId"],
        parameters,
        [index for index in indexes if isinstance(index, dict)],
        asked_as=known or str(leader_id),
    )


def _identifier(value: object) -> int:
    if isinstance(value, str) and value.isdigit():
        return int(value)
    return value if type(value) is int else 0
