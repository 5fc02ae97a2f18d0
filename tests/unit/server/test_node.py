"""A node without a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from arangorep.clock import ManualClock
from arangorep.config import Config
from arangorep.data.collections import create_collection, drop_collection
from arangorep.data.documents import DocumentWriter, WriteOptions
from arangorep.data.transactions import Transaction
from arangorep.server.node import Node


async def test_a_failed_sync_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Node(Config(tmp_path / "data"), ManualClock())
    node.sync()
    assert not node.store.unsynced
    create_collection(node.store, node.store.catalog.database("_system"), {"name": "c"})
    assert node.store.unsynced

    def full() -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(node.store.engine, "sync_log", full)
        with pytest.raises(OSError, match="no space"):
            node.sync()
    assert node.store.unsynced
    node.sync()
    assert not node.store.unsynced
    node.close()


async def test_the_largest_document_is_known_after_its_collection_is_gone(tmp_path: Path) -> None:
    """Its marker is still in the log, and reading the log must stay within bounds."""
    node = Node(Config(tmp_path / "data"), ManualClock())
    store = node.store
    database = store.catalog.database("_system")
    collection = create_collection(store, database, {"name": "c"})
    transaction = Transaction(store, database, grouped=False)
    DocumentWriter(transaction, collection, WriteOptions()).insert({"text": "x" * 1_000_000})
    transaction.commit()
    drop_collection(store, database, collection, allow_system=False)
    node.close()
    again = Node(Config(tmp_path / "data"), ManualClock())
    assert again.store.largest_bytes > 1_000_000
    again.close()
