"""Views: what a client may ask for and the forms a definition is shown in.

This server does not search. A definition is checked, filled up, stored and replicated, so that a
follower or a restored database has it. Source: leader-api 3 and 7.7, follower 6.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from arangorep.errors import BadParameter
from arangorep.values.names import check_collection_name

SEARCH: Final = "arangosearch"
ALIAS: Final = "search-alias"

_SEARCH_DEFAULTS: Final[Mapping[str, Any]] = {
    "cleanupIntervalStep": 2,
    "commitIntervalMsec": 1000,
    "consolidationIntervalMsec": 1000,
    "consolidationPolicy": {
        "type": "tier",
        "segmentsBytesFloor": 2_097_152,
        "segmentsBytesMax": 5_368_709_120,
        "segmentsMax": 10,
        "segmentsMin": 1,
        "minScore": 0,
    },
    "primarySort": [],
    "primarySortCompression": "lz4",
    "storedValues": [],
    "writebufferActive": 0,
    "writebufferIdle": 64,
    "writebufferSizeMax": 33_554_432,
    "links": {},
}
_IMMUTABLE: Final = frozenset(
    {"primarySort", "primarySortCompression", "storedValues", "writebufferActive",
     "writebufferIdle", "writebufferSizeMax"}
)  # fmt: skip
"""What a change of properties leaves alone."""

_LINK_DEFAULTS: Final[Mapping[str, Any]] = {
    "analyzers": ["identity"],
    "fields": {},
    "includeAllFields": False,
    "storeValues": "none",
    "trackListPositions": False,
}


@dataclass(frozen=True, slots=True)
class ViewInfo:
    """Identity and properties of one view; treat `properties` as frozen. `guid` never changes."""

    id: int
    database_id: int
    name: str
    guid: str
    type: str
    properties: Mapping[str, Any]

    def base_info(self) -> dict[str, Any]:
        """An entry in the list of views."""
        return {
            "id": str(self.id),
            "name": self.name,
            "type": self.type,
            "globallyUniqueId": self.guid,
        }

    def describe(self) -> dict[str, Any]:
        """The whole definition: in answers, inventories and markers 2110 and 2112."""
        return {**self.base_info(), **self.properties}

    def pack(self) -> dict[str, Any]:
        """Plain data for storage; `unpack` is the inverse."""
        packed = {name: getattr(self, name) for name in self.__slots__}
        packed["properties"] = dict(self.properties)
        return packed

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> ViewInfo:
        """The view that `pack` was called on."""
        return cls(**packed)

    def renamed_to(self, name: str) -> ViewInfo:
        """The same view under a name that `check_view_name` has accepted."""
        return replace(self, name=name)

    def with_collection_renamed(self, old_name: str, new_name: str | None) -> ViewInfo:
        """The same view with its links on another name, or without them; itself if it has none."""
        if old_name not in self.collections():
            return self
        if self.type == SEARCH:
            links = {n: link for n, link in self.properties["links"].items() if n != old_name}
            if new_name is not None:
                links[new_name] = self.properties["links"][old_name]
            return replace(self, properties={**self.properties, "links": links})
        indexes = [
            index if index["collection"] != old_name else {**index, "collection": new_name}
            for index in self.properties["indexes"]
            if new_name is not None or index["collection"] != old_name
        ]
        return replace(self, properties={"indexes": indexes})

    def collections(self) -> list[str]:
        """Names of the collections that the definition speaks of."""
        if self.type == SEARCH:
            return list(self.properties["links"])
        return [index["collection"] for index in self.properties["indexes"]]


def check_view_name(name: object) -> str:
    """Views and collections share their names. Errors: 400/1208."""
    return check_collection_name(name, is_system=False)


def parse_view(body: object, *, new_id: int, database_id: int, server_id: int) -> ViewInfo:
    """The view a client asks for. Errors: 400/10; 400/1208."""
    if not isinstance(body, dict):
        raise BadParameter("a view needs an object with 'name' and 'type'")
    name = check_view_name(body.get("name"))
    kind = body.get("type")
    if kind not in (SEARCH, ALIAS):
        raise BadParameter("a view's 'type' must be 'arangosearch' or 'search-alias'")
    properties = _search({}, body) if kind == SEARCH else {"indexes": _alias(body)}
    guid = f"h{server_id:X}/{new_id}"
    return ViewInfo(new_id, database_id, name, guid, kind, properties)


def parse_stored_view(body: object, *, new_id: int, database_id: int, server_id: int) -> ViewInfo:
    """The view that an inventory, a dump or a marker describes, with its globallyUniqueId.

    Errors: 400/10; 400/1208.
    """
    info = parse_view(body, new_id=new_id, database_id=database_id, server_id=server_id)
    guid = body.get("globallyUniqueId") if isinstance(body, dict) else None
    return replace(info, guid=guid) if isinstance(guid, str) and guid else info


def change_view(info: ViewInfo, body: object, *, is_partial: bool) -> ViewInfo:
    """The view after `PATCH` (`is_partial`) or `PUT …/properties`. Errors: 400/10."""
    if not isinstance(body, dict):
        raise BadParameter("view properties must be an object")
    old = info.properties
    if info.type == ALIAS:
        return replace(info, properties={"indexes": _changed_alias(old, body, is_partial)})
    kept = {name: old[name] for name in _IMMUTABLE}
    changes = {name: value for name, value in body.items() if name not in _IMMUTABLE}
    if not is_partial:
        return replace(info, properties=_search(kept, changes))
    links = changes.get("links")
    if isinstance(links, dict):
        merged = {**old["links"], **links}
        changes["links"] = {name: link for name, link in merged.items() if link is not None}
    return replace(info, properties=_search({**old}, changes))


def _search(base: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """Properties of a search view: `body` over `base` over the defaults."""
    properties = {}
    for name, default in _SEARCH_DEFAULTS.items():
        value = body.get(name, base.get(name, default))
        if type(value) is not type(default):
            raise BadParameter(f"view property '{name}' has the wrong type")
        properties[name] = value
    links = properties["links"]
    properties["links"] = {name: _link(link) for name, link in links.items() if link is not None}
    return properties


def _link(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadParameter("a view's link must be an object")
    return {**_LINK_DEFAULTS, **value}


def _alias(body: dict[str, Any]) -> list[dict[str, Any]]:
    indexes = body.get("indexes", [])
    if not isinstance(indexes, list):
        raise BadParameter("a view's 'indexes' must be an array")
    for index in indexes:
        if not isinstance(index, dict) or not all(
            isinstance(index.get(name), str) for name in ("collection", "index")
        ):
            raise BadParameter("an index of a view needs 'collection' and 'index'")
    return [{"collection": i["collection"], "index": i["index"]} for i in indexes]


def _changed_alias(
    old: Mapping[str, Any], body: dict[str, Any], is_partial: bool
) -> list[dict[str, Any]]:
    """With `operation: "del"` an index of a partial change is taken out."""
    given = _alias(body)
    if not is_partial:
        return given
    pairs = zip(given, body.get("indexes", []), strict=True)
    gone = [index for index, asked in pairs if asked.get("operation") == "del"]
    kept = [index for index in old["indexes"] if index not in gone]
    return kept + [index for index in given if index not in gone and index not in kept]
