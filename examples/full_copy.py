#!/usr/bin/env python3
"""Copy a database through batch, inventory and dump, then follow it through `wal/tail`.

    python examples/full_copy.py http://127.0.0.1:8529 [database] [--once]

A replication client in 60 lines with nothing but the standard library. It keeps the copy in memory
and prints how it grows; a real one would store documents and the tick together.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from typing import Any

Copy = dict[str, dict[str, Any]]
REPLICATION = "x-arango-replication-"


def call(url: str, method: str = "GET", body: Any = None) -> tuple[Any, bytes]:
    """Headers and body of an answer."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, method=method)) as answer:
        return answer.headers, answer.read()


def full_copy(base: str) -> tuple[Copy, str]:
    """Every document by collection (globallyUniqueId) and key, and the tick they are from."""
    batch = json.loads(call(f"{base}/replication/batch", "POST", {"ttl": 600})[1])
    inventory = json.loads(call(f"{base}/replication/inventory?batchId={batch['id']}")[1])
    copy: Copy = {}
    for collection in (entry["parameters"] for entry in inventory["collections"]):
        documents = copy[collection["globallyUniqueId"]] = {}
        query = f"collection={collection['cid']}&batchId={batch['id']}&useEnvelope=false"
        more = "true"
        while more == "true":
            headers, body = call(f"{base}/replication/dump?{query}&chunkSize=8388608")
            documents |= {d["_key"]: d for d in map(json.loads, body.splitlines())}
            more = headers[f"{REPLICATION}checkmore"]
        print(f"  {collection['name']}: {len(documents):,} documents")
    call(f"{base}/replication/batch/{batch['id']}", "DELETE")
    return copy, batch["lastTick"]


def follow(base: str, copy: Copy, tick: str) -> str:
    """Apply all that happened after `tick`; returns the tick it now stands at."""
    scanned, more = "0", "true"
    while more == "true":
        headers, body = call(f"{base}/wal/tail?from={tick}&lastScanned={scanned}&serverId=4711")
        if headers[f"{REPLICATION}frompresent"] != "true":
            raise SystemExit("the leader no longer has the log from here: copy again")
        for marker in map(json.loads, body.splitlines()):
            documents = copy.setdefault(marker.get("cuid", ""), {})
            if marker["type"] == 2300:
                documents[marker["data"]["_key"]] = marker["data"]
            elif marker["type"] == 2302:
                documents.pop(marker["data"]["_key"], None)
            elif marker["type"] in (2001, 2004):
                documents.clear()
        more = headers[f"{REPLICATION}checkmore"]
        scanned = headers[f"{REPLICATION}lastscanned"]
        included = headers[f"{REPLICATION}lastincluded"]
        tick = included if included != "0" else tick
    return tick


if __name__ == "__main__":
    url, *names = [word for word in sys.argv[1:] if word != "--once"]
    api = f"{url}/_db/{names[0] if names else '_system'}/_api"
    documents_by_collection, position = full_copy(api)
    while True:
        position = follow(api, documents_by_collection, position)
        total = sum(map(len, documents_by_collection.values()))
        print(f"at tick {position}: {total:,} documents", flush=True)
        if "--once" in sys.argv:
            break
        time.sleep(1)
