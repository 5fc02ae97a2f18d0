"""A database: its id and name. Everything else a request may say about one is not stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SYSTEM_DATABASE = "_system"
SYSTEM_DATABASE_ID = 1


@dataclass(frozen=True, slots=True)
class DatabaseInfo:
    """Identity of a database (data-api 4)."""

    id: int
    name: str

    @property
    def is_system(self) -> bool:
        return self.name == SYSTEM_DATABASE

    def properties(self) -> dict[str, Any]:
        """The `properties` of an inventory and the `data` of marker 1100 (leader-api 3, 7.7)."""
        return {
            "id": str(self.id),
            "name": self.name,
            "isSystem": self.is_system,
            "sharding": "",
            "replicationFactor": 1,
            "writeConcern": 1,
            "replicationVersion": "1",
        }

    def pack(self) -> dict[str, Any]:
        """Plain values for storage."""
        return {"id": self.id, "name": self.name}

    @staticmethod
    def unpack(packed: Mapping[str, Any]) -> DatabaseInfo:
        """The inverse of `pack`."""
        return DatabaseInfo(id=packed["id"], name=packed["name"])
