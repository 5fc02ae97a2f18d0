"""arangorep: a replication server that speaks ArangoDB's protocol over its own RocksDB store."""

__version__ = "0.1.0"
