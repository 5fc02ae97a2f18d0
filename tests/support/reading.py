"""Reading a document with its revision as a number."""

from __future__ import annotations

from arangorep.data.documents import read_document
from arangorep.data.stream import StreamTransaction
from arangorep.storage.catalog import Collection
from arangorep.storage.rows import row_revision
from arangorep.storage.store import Store
from arangorep.values.revision import parse_revision


def read_with_revision(
    store: Store, collection: Collection, key: str, stream: StreamTransaction | None = None
) -> tuple[int, bytes]:
    """Errors: 404/1202."""
    row = read_document(store, collection, key, stream)
    return parse_revision(row_revision(row)), row
