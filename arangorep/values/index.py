"""Index definitions: what a client may ask for and the forms a definition is shown in.

Only unique persistent indexes (and their older names `hash` and `skiplist`) and `ttl` indexes do
anything; the others are stored and replicated. Source: data-api 8.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from arangorep import limits
from arangorep.errors import BadParameter
from arangorep.values.names import check_index_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

PERSISTENT_TYPES: Final = frozenset({"persistent", "hash", "skiplist"})
"""Three words for one kind of index; the word that was given is kept."""

TTL: Final = "ttl"

_U64_MAX: Final = 2**64 - 1

_SELECTIVITY_ESTIMATE: Final = 1

_NOT_COMPARED: Final = frozenset({"deduplicate", "estimates", "cacheEnabled"})
"""Options in which two equal definitions may differ (data-api 8.3)."""

_EXPANSION: Final = "[*]"

_is_path = re.compile(r"[^.\[]+(?:\[\*\])?(?:\.[^.\[]+(?:\[\*\])?)*").fullmatch

_is_id = re.compile(r"[0-9]{1,20}").fullmatch

_INVERTED_DEFAULTS: Final[Mapping[str, Any]] = {
    "analyzer": "identity",
    "cleanupIntervalStep": 2,
    "commitIntervalMsec": 1000,
    "consolidationIntervalMsec": 5000,
    "consolidationPolicy": {
        "type": "tier",
        "segmentsBytesFloor": 2_097_152,
        "segmentsBytesMax": 5_368_709_120,
        "segmentsMax": 10,
        "segmentsMin": 1,
        "minScore": 0,
    },
    "features": ["frequency", "norm"],
    "includeAllFields": False,
    "optimizeTopK": [],
    "primarySort": {"fields": [], "compression": "lz4"},
    "searchField": False,
    "storedValues": [],
    "trackListPositions": False,
    "version": 1,
    "writebufferActive": 0,
    "writebufferIdle": 64,
    "writebufferSizeMax": 33_554_432,
}


@dataclass(frozen=True, slots=True)
class IndexDefinition:
    """One index of one collection; primary and edge indexes have no definition.

    `options` holds the members that belong to the type, defaults filled in; treat it as frozen.
    An inverted index has its `fields` objects there, and their names in `fields`.
    """

    id: int
    type: str
    name: str
    fields: tuple[str, ...]
    unique: bool
    sparse: bool
    options: Mapping[str, Any]

    @property
    def has_entries(self) -> bool:
        """Whether the index keeps entries: unique persistent ones, to be enforced, and `ttl`, to be
        expired. The others serve no reader."""
        return self.type == TTL or (self.unique and self.type in PERSISTENT_TYPES)

    def same_as(self, other: IndexDefinition) -> bool:
        """Whether creating one finds the other already there.

        Id, name, `deduplicate`, `estimates` and `cacheEnabled` may differ. Source: data-api 8.3.
        """
        return (
            self.type == other.type
            and self.fields == other.fields
            and self.unique == other.unique
            and self.sparse == other.sparse
            and self._compared_options() == other._compared_options()
        )

    def describe(self) -> dict[str, Any]:
        """The form in inventories and log markers, with a bare id.

        Source: leader-api 3, data-api 8.2.
        """
        return {
            "id": str(self.id),
            "type": self.type,
            "name": self.name,
            "fields": list(self.fields),
            "unique": self.unique,
            "sparse": self.sparse,
            **self.options,  # of an inverted index this includes its own form of `fields`
        }

    def describe_api(self, collection_name: str) -> dict[str, Any]:
        """The form in answers of the index API. Source: data-api 8.2."""
        described = self.describe()
        described["id"] = f"{collection_name}/{self.id}"
        if self._has_estimate():
            described["selectivityEstimate"] = _SELECTIVITY_ESTIMATE
        return described

    def pack(self) -> dict[str, Any]:
        """Plain data for storage; `unpack` is the inverse."""
        return {
            "id": self.id,
            "type": self.type,
            "name": self.name,
            "fields": list(self.fields),
            "unique": self.unique,
            "sparse": self.sparse,
            "options": dict(self.options),
        }

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> IndexDefinition:
        """The definition that `pack` was called on."""
        return cls(**{**packed, "fields": tuple(packed["fields"])})

    def _compared_options(self) -> dict[str, Any]:
        return {name: value for name, value in self.options.items() if name not in _NOT_COMPARED}

    def _has_estimate(self) -> bool:
        if self.type in PERSISTENT_TYPES:
            return self.unique or bool(self.options["estimates"])
        if self.type == "ttl":
            return bool(self.options["estimates"])
        return self.type in _MDI_TYPES


def primary_index(collection_name: str) -> dict[str, Any]:
    """The entry of the primary index in the index API. Source: data-api 8.2."""
    return {
        "id": f"{collection_name}/0",
        "type": "primary",
        "name": "primary",
        "fields": ["_key"],
        "unique": True,
        "sparse": False,
        "selectivityEstimate": _SELECTIVITY_ESTIMATE,
    }


def edge_index(collection_name: str) -> dict[str, Any]:
    """The entry of an edge collection's edge index in the index API. Source: data-api 8.2."""
    return {
        "id": f"{collection_name}/1",
        "type": "edge",
        "name": "edge",
        "fields": ["_from", "_to"],
        "unique": False,
        "sparse": False,
        "selectivityEstimate": _SELECTIVITY_ESTIMATE,
    }


def parse_index(body: object, *, new_id: int, default_name: str) -> IndexDefinition:
    """The definition a client asks for; whether id and name are free is for the caller to check.

    Raises `BadParameter` (10) for everything wrong with it but the name, which raises
    `IllegalName` (1208); both are HTTP 400. Source: data-api 8.2, 8.3.
    """
    if not isinstance(body, dict):
        raise BadParameter("index definition must be an object")
    kind = _kind_of(body)
    name = body.get("name")
    return IndexDefinition(
        id=new_id,
        type=_ALIASES.get(body["type"], body["type"]),
        name=default_name if name is None else check_index_name(name),
        fields=kind.fields(body),
        unique=kind.may_be_unique and _flag(body, "unique"),
        sparse=kind.always_sparse or _flag(body, "sparse"),
        options=kind.options(body),
    )


def parse_stored_index(body: object) -> IndexDefinition:
    """The definition with its own id and name, as an inventory, a dump or a log marker shows it.

    Members unknown to this server are dropped. Raises as `parse_index` does, and `BadParameter`
    (10) without a usable `id`. Source: leader-api 3, 9.2.
    """
    own_id = body.get("id") if isinstance(body, dict) else None
    if not isinstance(own_id, str) or not _is_id(own_id) or int(own_id) > _U64_MAX:
        raise BadParameter("index definition needs an 'id' of digits")
    return parse_index(body, new_id=int(own_id), default_name=f"idx_{own_id}")


# -- fields -----------------------------------------------------------------------------------


def _paths(value: object, member: str, *, expansions: bool = True) -> tuple[str, ...]:
    """A list of distinct attribute paths."""
    if not isinstance(value, list):
        raise BadParameter(f"'{member}' must be an array")
    for path in value:
        if not isinstance(path, str) or not _is_path(path):
            raise BadParameter(f"'{member}' must hold attribute paths")
        if path.count(_EXPANSION) > (1 if expansions else 0):
            raise BadParameter(f"too many array expansions in '{path}'")
    if len(set(value)) != len(value):
        raise BadParameter(f"duplicate attribute in '{member}'")
    return tuple(value)


def _at_least_one(paths: tuple[str, ...], member: str) -> tuple[str, ...]:
    if not paths:
        raise BadParameter(f"'{member}' must not be empty")
    return paths


def _any_fields(body: dict[str, Any]) -> tuple[str, ...]:
    return _at_least_one(_paths(body.get("fields"), "fields"), "fields")


def _persistent_fields(body: dict[str, Any]) -> tuple[str, ...]:
    fields = _any_fields(body)
    # `_id` is derived from the collection's name, which may change.
    if any("_id" in path.replace(_EXPANSION, "").split(".") for path in fields):
        raise BadParameter("'_id' cannot be indexed")
    return fields


def _one_field(body: dict[str, Any]) -> tuple[str, ...]:
    return _up_to(1, _any_fields(body))


def _ttl_fields(body: dict[str, Any]) -> tuple[str, ...]:
    fields = _one_field(body)
    if _EXPANSION in fields[0]:
        raise BadParameter("a 'ttl' index takes no array expansion")
    return fields


def _geo_fields(body: dict[str, Any]) -> tuple[str, ...]:
    return _up_to(2, _any_fields(body))


def _up_to(count: int, fields: tuple[str, ...]) -> tuple[str, ...]:
    if len(fields) > count:
        raise BadParameter(f"this index type takes no more than {count} of 'fields'")
    return fields


def _inverted_fields(body: dict[str, Any]) -> tuple[str, ...]:
    names = [member["name"] for member in _inverted_field_objects(body)]
    fields = _paths(names, "fields")
    return fields if body.get("includeAllFields") is True else _at_least_one(fields, "fields")


def _inverted_field_objects(body: dict[str, Any]) -> list[dict[str, Any]]:
    value = body.get("fields", [])
    if not isinstance(value, list):
        raise BadParameter("'fields' must be an array")
    objects = [{"name": member} if isinstance(member, str) else member for member in value]
    if not all(isinstance(member, dict) and "name" in member for member in objects):
        raise BadParameter("'fields' must hold attribute paths or objects with a 'name'")
    return objects


# -- options ----------------------------------------------------------------------------------


def _persistent_options(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "deduplicate": _flag(body, "deduplicate", default=True),
        "estimates": _flag(body, "estimates", default=True),
        "cacheEnabled": _flag(body, "cacheEnabled"),
        **_stored_values(body),
    }


def _ttl_options(body: dict[str, Any]) -> dict[str, Any]:
    seconds = body.get("expireAfter")
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not seconds >= 0:
        raise BadParameter("'expireAfter' must be a number of seconds, not negative")
    return {"estimates": _flag(body, "estimates"), "expireAfter": seconds}


def _geo_options(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "bestIndexedLevel": _positive(body, "bestIndexedLevel", 17),
        "geoJson": _flag(body, "geoJson"),
        "legacyPolygons": _flag(body, "legacyPolygons"),
        "maxNumCoverCells": _positive(body, "maxNumCoverCells", 8),
        "worstIndexedLevel": _positive(body, "worstIndexedLevel", 4),
    }


def _vector_options(body: dict[str, Any]) -> dict[str, Any]:
    params = body.get("params")
    if not isinstance(params, dict):
        raise BadParameter("'params' must be an object")
    return {"params": params, **_stored_values(body)}


def _fulltext_options(body: dict[str, Any]) -> dict[str, Any]:
    return {"minLength": _positive(body, "minLength", 2)}


def _mdi_options(body: dict[str, Any]) -> dict[str, Any]:
    if body.get("fieldValueTypes") != "double":
        raise BadParameter("'fieldValueTypes' must be 'double'")
    return {
        "estimates": _flag(body, "estimates"),
        "fieldValueTypes": "double",
        **_stored_values(body),
    }


def _mdi_prefixed_options(body: dict[str, Any]) -> dict[str, Any]:
    prefix = _at_least_one(_paths(body.get("prefixFields"), "prefixFields"), "prefixFields")
    return {**_mdi_options(body), "prefixFields": list(prefix)}


def _inverted_options(body: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {"fields": _inverted_field_objects(body)}
    for name, default in _INVERTED_DEFAULTS.items():
        options[name] = body.get(name, default)
        if type(options[name]) is not type(default):
            raise BadParameter(f"'{name}' has the wrong type")
    return options


def _stored_values(body: dict[str, Any]) -> dict[str, Any]:
    """The member `storedValues`, which only shows when there are any."""
    value = body.get("storedValues")
    if value is None:
        return {}
    paths = _paths(value, "storedValues", expansions=False)
    if len(paths) > limits.STORED_VALUES_MAX:
        raise BadParameter(f"'storedValues' takes up to {limits.STORED_VALUES_MAX} attributes")
    return {"storedValues": list(paths)} if paths else {}


def _flag(body: dict[str, Any], name: str, *, default: bool = False) -> bool:
    value = body.get(name)
    return value if isinstance(value, bool) else default


def _positive(body: dict[str, Any], name: str, default: int) -> int:
    value = body.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    return default


# -- types ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Kind:
    """What differs between the types of index."""

    fields: Callable[[dict[str, Any]], tuple[str, ...]]
    options: Callable[[dict[str, Any]], dict[str, Any]]
    may_be_unique: bool = False
    always_sparse: bool = True


_PERSISTENT: Final = _Kind(
    _persistent_fields, _persistent_options, may_be_unique=True, always_sparse=False
)
_GEO: Final = _Kind(_geo_fields, _geo_options)
_MDI: Final = _Kind(_any_fields, _mdi_options, may_be_unique=True, always_sparse=False)


def _each(names: Iterable[str], kind: _Kind) -> dict[str, _Kind]:
    return dict.fromkeys(names, kind)


_KINDS: Final[Mapping[str, _Kind]] = {
    **_each(PERSISTENT_TYPES, _PERSISTENT),
    **_each(("geo", "geo1", "geo2"), _GEO),
    **_each(("mdi", "zkd"), _MDI),
    "mdi-prefixed": _Kind(
        _any_fields, _mdi_prefixed_options, may_be_unique=True, always_sparse=False
    ),
    "ttl": _Kind(_ttl_fields, _ttl_options),
    "vector": _Kind(_one_field, _vector_options, always_sparse=False),
    "fulltext": _Kind(_one_field, _fulltext_options),
    "inverted": _Kind(_inverted_fields, _inverted_options),
}

_MDI_TYPES: Final = frozenset({"mdi", "zkd", "mdi-prefixed"})

_ALIASES: Final[Mapping[str, str]] = {"geo1": "geo", "geo2": "geo"}
"""Words of old dumps that are not kept (leader-api 9.2)."""


def _kind_of(body: dict[str, Any]) -> _Kind:
    word = body.get("type")
    kind = _KINDS.get(word) if isinstance(word, str) else None
    if kind is None:
        raise BadParameter("invalid or missing index type")
    return kind
