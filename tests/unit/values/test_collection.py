"""Collections: create rules, changes and forms (data-api 5.2 to 5.4, leader-api 3, 7.7)."""

from dataclasses import replace
from typing import Any

import msgpack
import pytest

from arangorep.errors import (
    BadParameter,
    IllegalName,
    InvalidKeyGenerator,
    SchemaBadParameter,
)
from arangorep.values.collection import CollectionInfo, change_properties, parse_collection
from arangorep.values.index import parse_index
from arangorep.values.key_generator import KeyOptions

SERVER_ID = 101420792779199


def create(body: object) -> tuple[CollectionInfo, int]:
    return parse_collection(body, new_id=70137, database_id=1, server_id=SERVER_ID)


def created(**body: Any) -> CollectionInfo:
    return create({"name": "c", **body})[0]


PLAIN = CollectionInfo(
    id=70137,
    database_id=1,
    name="c",
    guid="h5C3DDE5391BF/70137",
    type=2,
    is_system=False,
    wait_for_sync=False,
    cache_enabled=False,
    sync_by_revision=True,
    key_options=KeyOptions("traditional", True, 1, 0),
    schema=None,
    computed_values=None,
    indexes=(),
    renamed=False,
    internal_validator_type=0,
    version=9,
)


def test_defaults() -> None:
    assert create({"name": "c"}) == (PLAIN, 0)


def test_members_are_read() -> None:
    info, last_value = create(
        {
            "name": "mo\u0308tör",
            "type": 3,
            "waitForSync": True,
            "cacheEnabled": True,
            "syncByRevision": False,
            "keyOptions": {"type": "padded", "allowUserKeys": False, "lastValue": 5},
            "schema": {"rule": {"type": "object"}},
        }
    )
    assert last_value == 5
    assert info == replace(
        PLAIN,
        name="mötör",
        type=3,
        wait_for_sync=True,
        cache_enabled=True,
        sync_by_revision=False,
        key_options=KeyOptions("padded", False, 1, 0),
        schema={"rule": {"type": "object"}, "level": "strict", "message": "", "type": "json"},
    )


def test_system_collections() -> None:
    info = create({"name": "_graphs", "isSystem": True})[0]
    assert (info.name, info.guid, info.is_system) == ("_graphs", "_graphs", True)


@pytest.mark.parametrize(
    ("word", "number"),
    [(2, 2), (3, 3), ("document", 2), ("edge", 3), (4, 2), ("Edge", 2), (None, 2), ([3], 2)],
)
def test_type(word: object, number: int) -> None:
    info = created(type=word)
    assert info.type == number
    assert type(info.type) is int


def test_non_booleans_count_as_absent() -> None:
    names = ("waitForSync", "cacheEnabled", "isSystem", "syncByRevision", "isDisjoint")
    values: tuple[object, ...] = (1, 0, "true", None, [])
    for value in values:
        assert created(**dict.fromkeys(names, value)) == PLAIN


def test_what_only_a_cluster_knows_is_dropped() -> None:
    info = created(
        id="5",
        globallyUniqueId="mine",
        shardKeys=["a"],
        numberOfShards=9,
        replicationFactor="satellite",
        isSmart=True,
        internalValidatorType=3,
        journalSize=1,
        indexes=[{"type": "hash"}],
        unknown={},
    )
    assert info == PLAIN


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "c",
        {},
        {"name": None},
        {"name": ""},
        {"name": 5},
        {"name": "a/b"},
        {"name": "_c"},
        {"name": "c", "isSystem": True},
        {"name": "_c", "isSystem": "yes"},
    ],
)
def test_illegal_names(body: object) -> None:
    with pytest.raises(IllegalName):
        create(body)


def test_key_options_are_validated() -> None:
    assert created(keyOptions="padded") == PLAIN
    with pytest.raises(InvalidKeyGenerator):
        created(keyOptions={"type": "random"})


@pytest.mark.parametrize("shard_keys", [None, "a", {}, 1])
def test_shard_keys_must_be_an_array(shard_keys: object) -> None:
    with pytest.raises(BadParameter):
        created(shardKeys=shard_keys)


# -- schema and computed values, on create and on change ------------------------------------------

GIVEN_SCHEMA = {"rule": {}, "level": "moderate", "message": "no", "type": "json", "extra": 1}
NO_SCHEMA: tuple[object, ...] = (None, {})
NO_COMPUTED_VALUES: tuple[object, ...] = (None, [])
KEPT_SCHEMA = {"rule": {}, "level": "moderate", "message": "no", "type": "json"}


def test_schema() -> None:
    assert created(schema=GIVEN_SCHEMA).schema == KEPT_SCHEMA
    for level in ("none", "new", "moderate", "strict"):
        schema = created(schema={"rule": {}, "level": level}).schema
        assert schema is not None
        assert schema["level"] == level
    for none in NO_SCHEMA:
        assert created(schema=none).schema is None


@pytest.mark.parametrize(
    "schema",
    [
        5,
        "json",
        [],
        False,
        {"level": "none"},
        {"rule": None},
        {"rule": []},
        {"rule": {}, "level": "harsh"},
        {"rule": {}, "level": None},
        {"rule": {}, "level": ["none"]},
        {"rule": {}, "message": 5},
        {"rule": {}, "message": None},
        {"rule": {}, "type": "xml"},
        {"rule": {}, "type": None},
    ],
)
def test_malformed_schema(schema: object) -> None:
    with pytest.raises(SchemaBadParameter):
        created(schema=schema)
    with pytest.raises(SchemaBadParameter):
        change_properties(PLAIN, {"schema": schema})


def test_computed_values() -> None:
    for none in NO_COMPUTED_VALUES:
        assert created(computedValues=none) == PLAIN
        assert change_properties(PLAIN, {"computedValues": none}) == PLAIN
    value = [{"name": "x", "expression": "RETURN 1"}]  # checked by the caller
    assert created(computedValues=value).computed_values == value
    assert change_properties(PLAIN, {"computedValues": value}).computed_values == value


def test_change_properties() -> None:
    changed = change_properties(
        PLAIN,
        {
            "waitForSync": True,
            "cacheEnabled": True,
            "schema": GIVEN_SCHEMA,
            "replicationFactor": 3,
            "name": "other",
            "type": 3,
            "isSystem": True,
            "syncByRevision": False,
            "keyOptions": {"type": "uuid"},
        },
    )
    assert changed == replace(PLAIN, wait_for_sync=True, cache_enabled=True, schema=KEPT_SCHEMA)
    for nothing in ({}, {"waitForSync": 0, "cacheEnabled": None}):
        assert change_properties(changed, nothing) == changed
    assert change_properties(changed, {"waitForSync": False}).wait_for_sync is False
    for none in NO_SCHEMA:
        assert change_properties(changed, {"schema": none}).schema is None


def test_computed_values_of_a_leader_can_be_cleared() -> None:
    info = replace(PLAIN, computed_values=[{"name": "x"}])
    assert change_properties(info, {}) == info
    assert change_properties(info, {"computedValues": []}) == PLAIN


@pytest.mark.parametrize("body", [None, [], "x", 1])
def test_changes_are_an_object(body: object) -> None:
    with pytest.raises(BadParameter):
        change_properties(PLAIN, body)


# -- forms --------------------------------------------------------------------------------------

BASE = {
    "id": "70137",
    "name": "c",
    "status": 3,
    "type": 2,
    "isSystem": False,
    "globallyUniqueId": "h5C3DDE5391BF/70137",
}

SHOWN = {
    "waitForSync": False,
    "syncByRevision": True,
    "usesRevisionsAsDocumentIds": True,
    "isSmartChild": False,
    "cacheEnabled": False,
    "schema": None,
    "computedValues": None,
    "keyOptions": {"allowUserKeys": True, "type": "traditional", "lastValue": 42},
    "internalValidatorType": 0,
    "writeConcern": 1,
}

PARAMETERS = {
    **BASE,
    **SHOWN,
    "cid": "70137",
    "planId": "70137",
    "version": 9,
    "deleted": False,
    "allowUserKeys": True,
    "isDisjoint": False,
    "isSmart": False,
    "minReplicationFactor": 1,
    "numberOfShards": 1,
    "replicationFactor": 1,
    "shardKeys": ["_key"],
    "shards": {},
}

INDEX = parse_index({"type": "hash", "fields": ["a"]}, new_id=2**63, default_name="idx_1")
INDEXED = PLAIN.with_indexes((INDEX,))


def test_base_info() -> None:
    assert PLAIN.base_info() == BASE


def test_properties() -> None:
    expected = {**BASE, **SHOWN, "statusString": "loaded", "objectId": "70137"}
    assert PLAIN.properties(42) == expected


def test_parameters() -> None:
    assert PLAIN.parameters(42) == PARAMETERS
    assert INDEXED.parameters(42) == PARAMETERS


def test_forms_show_what_the_collection_has() -> None:
    info = replace(
        PLAIN,
        type=3,
        wait_for_sync=True,
        cache_enabled=True,
        sync_by_revision=False,
        key_options=KeyOptions("uuid", False, 1, 0),
        schema=KEPT_SCHEMA,
        computed_values=[{"name": "x"}],
        internal_validator_type=1,
    )
    for form in (info.properties(0), info.parameters(0)):
        assert form["type"] == 3
        assert form["waitForSync"] is True
        assert form["cacheEnabled"] is True
        assert form["syncByRevision"] is False
        assert form["usesRevisionsAsDocumentIds"] is False
        assert form["keyOptions"] == {"allowUserKeys": False, "type": "uuid"}
        assert form["schema"] == KEPT_SCHEMA
        assert form["computedValues"] == [{"name": "x"}]
        assert form["internalValidatorType"] == 1
    assert info.parameters(0)["allowUserKeys"] is False


def test_definition_has_the_indexes() -> None:
    assert PLAIN.definition(42) == {**PARAMETERS, "indexes": []}
    assert INDEXED.definition(42) == {**PARAMETERS, "indexes": [INDEX.describe()]}
    assert INDEXED.inventory_indexes() == [INDEX.describe()]


def test_rename() -> None:
    renamed = INDEXED.renamed_to("d")
    assert renamed == replace(INDEXED, name="d", renamed=True)
    assert renamed.renamed_to("c") == replace(INDEXED, renamed=True)
    assert PLAIN.renamed_to("c") == PLAIN


def test_with_indexes() -> None:
    assert INDEXED.indexes == (INDEX,)
    assert INDEXED.with_indexes(()) == PLAIN


@pytest.mark.parametrize(
    "info",
    [
        PLAIN,
        INDEXED,
        replace(
            PLAIN,
            id=2**64 - 1,
            key_options=KeyOptions("autoincrement", False, 5, 2**64 - 1),
            schema=KEPT_SCHEMA,
            computed_values=[{"name": "x"}],
            renamed=True,
            internal_validator_type=1,
            version=8,
        ),
    ],
)
def test_pack_and_unpack(info: CollectionInfo) -> None:
    assert CollectionInfo.unpack(msgpack.unpackb(msgpack.packb(info.pack()))) == info
