"""Endpoints, as the offline commands name what is dumped or restored (backups 2.2, 6.1).

`cities` is a collection of `_system`, `shop/orders` one of another database, and `shop/` are all
collections of a database. Names hold no slash, so nothing else can be meant.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from arangorep.values.database import SYSTEM_DATABASE


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One collection of a database, or all of them (None)."""

    database: str
    collection: str | None

    def __str__(self) -> str:
        return f"{self.database}/{self.collection or ''}"


def parse_endpoint(text: str) -> Endpoint:
    """Errors: `ValueError` with a sentence for a person."""
    first, slash, rest = unicodedata.normalize("NFC", text).partition("/")
    if not first or "/" in rest:
        raise ValueError(
            f"'{text}' is no endpoint: expecting 'collection', 'database/collection' or 'database/'"
        )
    if not slash:
        return Endpoint(SYSTEM_DATABASE, first)
    return Endpoint(first, rest or None)
