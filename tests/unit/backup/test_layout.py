"""File names and JSON files are arangodump's (follower 11)."""

from __future__ import annotations

from typing import Any

import pytest

from arangorep.backup import layout
from arangorep.backup.problems import DumpCorrupt
from arangorep.codec.json import dumps, loads

USERS_MD5 = "9bc65c2abec141778ffaa729489f3e87"  # the example of follower 11


class TestNames:
    def test_a_traditional_name_stands_in_the_file_name(self) -> None:
        assert layout.collection_stem("users", "7") == f"users_{USERS_MD5}"
        assert layout.file_name_of("_a-B_9", "7") == "_a-B_9"

    @pytest.mark.parametrize("name", ["Städte", "a b", "市", "a.b", "a/b", "..", "x" * 201, "é"])
    def test_any_other_gives_its_id(self, name: str) -> None:
        assert layout.file_name_of(name, "123") == "123"
        assert layout.collection_stem(name, "123") == f"123_{layout.name_hash(name)}"

    @pytest.mark.parametrize("bad", ["", "0", "../x", "1a", "-1", "1" * 21])
    def test_an_id_that_is_none_is_refused(self, bad: str) -> None:
        with pytest.raises(ValueError, match="no id"):
            layout.file_name_of("a/b", bad)

    def test_what_belongs_to_a_dump(self) -> None:
        ours = ["ENCRYPTION", "dump.json", "manifest.json", "v.view.json", "a.structure.json"]
        data = ["a.data.json", "a.data.json.gz", "a.data.json.zst", "a.0.data.json.gz"]
        assert all(map(layout.is_entry, [*ours, *data, "a.data.vpack.gz"]))
        assert not any(map(layout.is_entry, ["README", "a.json", "a.data.json.bz2", "dump.json~"]))


class TestDataFiles:
    """The order is arangorestore's."""

    HASHED = f"users_{USERS_MD5}"

    def found(self, *names: str, stem: str = HASHED) -> list[str]:
        return layout.data_files(stem, "users", set(names))

    def test_the_first_of_several_forms(self) -> None:
        plain, packed = f"{self.HASHED}.data.json", f"{self.HASHED}.data.json.gz"
        assert self.found(plain, packed) == [plain]
        assert self.found(packed, "users.data.json.gz") == [packed]
        assert self.found("users.data.json", "users.data.json.gz") == ["users.data.json.gz"]
        assert self.found("users.data.json") == ["users.data.json"]
        assert self.found("other.data.json", "users.data.json.bz2") == []
        assert self.found(plain, stem="users") == [plain]

    def test_parts_in_their_order(self) -> None:
        parts = [f"{self.HASHED}.{n}.data.json.gz" for n in range(12)]
        assert self.found(*reversed(parts)) == parts

    def test_a_missing_part_is_noticed(self) -> None:
        with pytest.raises(DumpCorrupt, match=r"\.1\.data\.json: is missing"):
            self.found(f"{self.HASHED}.0.data.json", f"{self.HASHED}.2.data.json")


class TestStructure:
    def test_a_round_trip_leaves_out_shadow_collections(self) -> None:
        parameters = {"name": "users", "id": "7", "type": 3, "shadowCollections": [], "extra": 1}
        index = {"type": "persistent", "fields": ["a"]}
        data = layout.structure_json({"parameters": parameters, "indexes": [index]})
        found = layout.parse_structure(data, f"db/users_{USERS_MD5}.structure.json")
        assert (found.name, found.id, found.type, found.indexes) == ("users", "7", 3, [index])
        assert "shadowCollections" not in found.parameters
        assert found.parameters["extra"] == 1

    def test_the_old_form_and_built_in_indexes(self) -> None:
        data = dumps({"parameters": {"name": "_a", "cid": 9, "indexes": [{"type": "primary"}]}})
        found = layout.parse_structure(data, "_a.structure.json")
        assert (found.id, found.indexes, found.is_system) == ("9", [], True)
        assert "indexes" not in found.parameters

    def test_a_file_of_another_name_is_refused(self) -> None:
        data = dumps({"parameters": {"name": "users", "id": "7"}, "indexes": []})
        assert layout.parse_structure(data, "7.structure.json").name == "users"
        for name in ("other.structure.json", f"other_{USERS_MD5}.structure.json"):
            with pytest.raises(DumpCorrupt, match="another collection"):
                layout.parse_structure(data, name)

    @pytest.mark.parametrize(
        ("value", "problem"),
        [
            ([], "no JSON object"),
            ({}, "'parameters'"),
            ({"parameters": []}, "'parameters'"),
            ({"parameters": {}}, "no name"),
            ({"parameters": {"name": 1}}, "no name"),
            ({"parameters": {"name": "a", "type": "2"}}, "'type'"),
            ({"parameters": {"name": "a", "type": True}}, "'type'"),
            ({"parameters": {"name": "a"}, "indexes": {}}, "'indexes'"),
            ({"parameters": {"name": "a"}, "indexes": [1]}, "'indexes'"),
        ],
    )
    def test_wrong_types(self, value: Any, problem: str) -> None:
        with pytest.raises(DumpCorrupt, match=problem) as caught:
            layout.parse_structure(dumps(value), "a.structure.json")
        assert caught.value.entry == "a.structure.json"

    @pytest.mark.parametrize("data", [b"", b"{", b"\xff", b'"a"', b"[" * 10_000])
    def test_no_json(self, data: bytes) -> None:
        for parse in (layout.parse_structure, layout.parse_view, layout.parse_dump_json):
            with pytest.raises(DumpCorrupt, match=r"^x: is no JSON"):
                parse(data, "x")


class TestDumpJson:
    def test_members_are_arangodumps(self) -> None:
        data = layout.dump_json("db", "12", {"id": "3", "name": "db"})
        assert loads(data) == {
            "database": "db",
            "lastTickAtDumpStart": "12",
            "useEnvelope": False,
            "useVPack": False,
            "properties": {"id": "3", "name": "db"},
        }
        head = layout.parse_dump_json(data, "dump.json")
        assert (head.name, head.tick, head.has_envelopes) == ("db", "12", False)

    def test_an_old_one(self) -> None:
        head = layout.parse_dump_json(b'{"useEnvelope":true,"database":"d"}', "dump.json")
        assert (head.name, head.tick, head.has_envelopes, head.properties) == ("d", None, True, {})

    @pytest.mark.parametrize(
        ("data", "problem"),
        [
            (b'{"useVPack":true}', "VelocyPack"),
            (b'{"useEnvelope":1}', "useEnvelope"),
            (b'{"properties":[]}', "properties"),
            (b'{"database":7}', "no string"),
        ],
    )
    def test_what_cannot_be_read(self, data: bytes, problem: str) -> None:
        with pytest.raises(DumpCorrupt, match=problem):
            layout.parse_dump_json(data, "dump.json")


class TestViews:
    def test_a_round_trip(self) -> None:
        view = {"name": "v", "type": "arangosearch", "id": "5", "links": {}}
        assert layout.parse_view(layout.view_json(view), "v.view.json") == view
        assert layout.view_file(view) == "v.view.json"
        assert layout.view_file({**view, "name": "ü"}) == "5.view.json"

    @pytest.mark.parametrize("view", [{}, {"name": "a"}, {"name": 1, "type": "b"}])
    def test_wrong_types(self, view: Any) -> None:
        with pytest.raises(DumpCorrupt, match="the view has no"):
            layout.parse_view(dumps(view), "v.view.json")
