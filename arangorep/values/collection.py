"""Collections: what a client may ask for and the forms the properties are shown in.

Counts and the key generator's last value change with every write, so they are not part of a
`CollectionInfo` and are passed in. Source: data-api 5.2 to 5.4, leader-api 3.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from arangorep.errors import BadParameter, IllegalName, SchemaBadParameter
from arangorep.values.index import IndexDefinition
from arangorep.values.key_generator import KeyOptions, parse_key_options
from arangorep.values.names import check_collection_name

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCUMENT: Final = 2
EDGE: Final = 3
"""The two values of `type`."""

_LOADED: Final = 3
"""The only `status` a collection has (data-api 5.2)."""

_SCHEMA_LEVELS: Final = frozenset({"none", "new", "moderate", "strict"})


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """Identity and properties of one collection; treat `schema` and `computed_values` as frozen.

    `renamed` says whether the collection ever had another name. `guid` never changes.
    """

    id: int
    database_id: int
    name: str
    guid: str
    type: int
    is_system: bool
    wait_for_sync: bool
    cache_enabled: bool
    sync_by_revision: bool
    key_options: KeyOptions
    schema: dict[str, Any] | None
    computed_values: list[dict[str, Any]] | None
    indexes: tuple[IndexDefinition, ...]
    renamed: bool
    internal_validator_type: int = 0
    version: int = 9

    def base_info(self) -> dict[str, Any]:
        """An entry in the list of collections. Source: data-api 5.2, 5.4."""
        return {
            "id": str(self.id),
            "name": self.name,
            "status": _LOADED,
            "type": self.type,
            "isSystem": self.is_system,
            "globallyUniqueId": self.guid,
        }

    def properties(self, last_value: int) -> dict[str, Any]:
        """The properties that the collection API shows. Source: data-api 5.2."""
        return {
            **self.base_info(),
            **self._shown_everywhere(last_value),
            "statusString": "loaded",
            "objectId": str(self.id),
        }

    def parameters(self, last_value: int) -> dict[str, Any]:
        """The `parameters` of an inventory. Source: leader-api 3."""
        return {
            **self.base_info(),
            **self._shown_everywhere(last_value),
            "cid": str(self.id),
            "planId": str(self.id),
            "version": self.version,
            "deleted": False,
            "allowUserKeys": self.key_options.allow_user_keys,
            "isDisjoint": False,
            "isSmart": False,
            "minReplicationFactor": 1,
            "numberOfShards": 1,
            "replicationFactor": 1,
            "shardKeys": ["_key"],
            "shards": {},
        }

    def definition(self, last_value: int) -> dict[str, Any]:
        """The `data` of log markers 2000 and 2003. Source: leader-api 7.7."""
        return {**self.parameters(last_value), "indexes": self.inventory_indexes()}

    def inventory_indexes(self) -> list[dict[str, Any]]:
        """The `indexes` of an inventory, without primary and edge index. Source: leader-api 3."""
        return [index.describe() for index in self.indexes]

    def pack(self) -> dict[str, Any]:
        """Plain data for storage, numbers up to u64; `unpack` is the inverse."""
        packed = {name: getattr(self, name) for name in self.__slots__}
        packed["key_options"] = asdict(self.key_options)
        packed["indexes"] = [index.pack() for index in self.indexes]
        return packed

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> CollectionInfo:
        """The collection that `pack` was called on."""
        return cls(
            **{
                **packed,
                "key_options": KeyOptions(**packed["key_options"]),
                "indexes": tuple(map(IndexDefinition.unpack, packed["indexes"])),
            }
        )

    def renamed_to(self, name: str) -> CollectionInfo:
        """The same collection under a name that `check_collection_name` has accepted."""
        return self if name == self.name else replace(self, name=name, renamed=True)

    def with_indexes(self, indexes: tuple[IndexDefinition, ...]) -> CollectionInfo:
        """The same collection with these indexes and no others."""
        return replace(self, indexes=indexes)

    def _shown_everywhere(self, last_value: int) -> dict[str, Any]:
        return {
            "waitForSync": self.wait_for_sync,
            "syncByRevision": self.sync_by_revision,
            "usesRevisionsAsDocumentIds": self.sync_by_revision,
            "isSmartChild": False,
            "cacheEnabled": self.cache_enabled,
            "schema": self.schema,
            "computedValues": self.computed_values,
            "keyOptions": self.key_options.describe(last_value),
            "internalValidatorType": self.internal_validator_type,
            "writeConcern": 1,
        }


def parse_collection(
    body: object, *, new_id: int, database_id: int, server_id: int
) -> tuple[CollectionInfo, int]:
    """The collection a client asks for, and the last value of its key generator.

    The caller has checked `computedValues`. Raises `IllegalName` (1208) for the name or a body that
    is no object, `InvalidKeyGenerator` (1232), `SchemaBadParameter` (1621), `BadParameter` (10) for
    `shardKeys` that are no array. Source: data-api 5.3.
    """
    if not isinstance(body, dict):
        raise IllegalName("illegal name: the collection needs an object with its 'name'")
    is_system = _flag(body, "isSystem", default=False)
    name = check_collection_name(body.get("name"), is_system=is_system)
    if not isinstance(body.get("shardKeys", []), list):
        raise BadParameter("'shardKeys' must be an array")
    key_options, last_value = parse_key_options(body.get("keyOptions"))
    info = CollectionInfo(
        id=new_id,
        database_id=database_id,
        name=name,
        guid=name if is_system else f"h{server_id:X}/{new_id}",
        type=EDGE if body.get("type") in (EDGE, "edge") else DOCUMENT,
        is_system=is_system,
        wait_for_sync=_flag(body, "waitForSync", default=False),
        cache_enabled=_flag(body, "cacheEnabled", default=False),
        sync_by_revision=_flag(body, "syncByRevision", default=True),
        key_options=key_options,
        schema=_schema(body.get("schema")),
        computed_values=_stored_computed_values(body),
        indexes=(),
        renamed=False,
    )
    return info, last_value


def parse_stored_collection(
    body: object, *, new_id: int, database_id: int, server_id: int
) -> tuple[CollectionInfo, int]:
    """The collection that an inventory, a dump or a log marker describes, with its own identity.

    Only the id is new. Computed values are stored, not computed: the leader has done it. Raises as
    `parse_collection` does. Source: follower 6.5, leader-api 3.
    """
    if not isinstance(body, dict):
        raise IllegalName("illegal name: the collection needs an object with its 'name'")
    name = body.get("name")
    cleaned = {
        **body,
        "isSystem": isinstance(name, str) and name.startswith("_"),
        "keyOptions": _stored_key_options(body.get("keyOptions")),
    }
    info, last_value = parse_collection(
        cleaned, new_id=new_id, database_id=database_id, server_id=server_id
    )
    guid = body.get("globallyUniqueId")
    return (
        replace(
            info,
            guid=guid if isinstance(guid, str) and guid else info.guid,
            internal_validator_type=_whole(body, "internalValidatorType"),
        ),
        last_value,
    )


def stored_properties(info: CollectionInfo, body: object) -> CollectionInfo:
    """The collection after marker 2003 or an inventory: without computed values it has none.

    Raises `BadParameter` (10), `SchemaBadParameter` (1621).
    """
    if not isinstance(body, dict):
        raise BadParameter("collection properties must be an object")
    return change_properties(info, {"computedValues": None, **body})


def _stored_computed_values(body: dict[str, Any]) -> list[dict[str, Any]] | None:
    value = body.get("computedValues")
    return value if isinstance(value, list) and value else None


def _stored_key_options(value: object) -> object:
    """Key options as a real server shows them, without members that their type does not take."""
    if not isinstance(value, dict):
        return value
    unfit = set()
    if value.get("type") == "uuid":
        unfit.add("lastValue")
    if value.get("type") != "autoincrement":
        unfit |= {"increment", "offset"}
    return {name: member for name, member in value.items() if name not in unfit}


def _whole(body: dict[str, Any], name: str) -> int:
    value = body.get(name)
    return value if type(value) is int and value >= 0 else 0


def change_properties(info: CollectionInfo, body: object) -> CollectionInfo:
    """The collection after `PUT …/properties`; members that cannot change are ignored.

    The caller has checked `computedValues`. Raises `BadParameter` (10) for a body that is no
    object, `SchemaBadParameter` (1621). Source: data-api 5.4.
    """
    if not isinstance(body, dict):
        raise BadParameter("collection properties must be an object")
    changed = replace(
        info,
        wait_for_sync=_flag(body, "waitForSync", default=info.wait_for_sync),
        cache_enabled=_flag(body, "cacheEnabled", default=info.cache_enabled),
    )
    if "schema" in body:
        changed = replace(changed, schema=_schema(body["schema"]))
    if "computedValues" in body:
        changed = replace(changed, computed_values=_stored_computed_values(body))
    return changed


def _flag(body: dict[str, Any], name: str, *, default: bool) -> bool:
    """A boolean member; anything else counts as absent."""
    value = body.get(name)
    return value if isinstance(value, bool) else default


def _schema(value: object) -> dict[str, Any] | None:
    """The schema with all members filled in; null and `{}` mean none."""
    if value is None or value == {}:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("rule"), dict):
        raise SchemaBadParameter("'schema' must be an object with an object 'rule'")
    level = value.get("level", "strict")
    message = value.get("message", "")
    if not isinstance(level, str) or level not in _SCHEMA_LEVELS:
        raise SchemaBadParameter("schema 'level' must be one of none, new, moderate, strict")
    if not isinstance(message, str):
        raise SchemaBadParameter("schema 'message' must be a string")
    if value.get("type", "json") != "json":
        raise SchemaBadParameter("schema 'type' must be 'json'")
    return {"rule": value["rule"], "level": level, "message": message, "type": "json"}
