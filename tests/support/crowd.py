"""64 clients at once: reads, writes, transactions, queries, dumps and tails, mixed by a seed.

Money moves between the accounts of `bank` by stream transactions only, so that whoever sees one
moment of it, by transaction, query or dump, sees the same sum.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

CLIENTS = 64
ROUNDS = 30
ACCOUNTS = 12
MONEY = 1000
EXPECTED = frozenset({200, 201, 202, 204, 304, 400, 404, 409, 410, 412})

Act = Callable[["Client"], Awaitable[None]]


@dataclass
class Crowd:
    """What all clients share."""

    url: str
    seed: int
    done: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Let every client play its rounds."""
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            await Client(self, session, -1).prepare()
            clients = (Client(self, session, number) for number in range(CLIENTS))
            await asyncio.gather(*(client.play() for client in clients))


class Client:
    """One of them."""

    def __init__(self, crowd: Crowd, session: aiohttp.ClientSession, number: int) -> None:
        self._crowd, self._session = crowd, session
        self.chance = random.Random(f"{crowd.seed}/{number}")

    async def call(
        self, method: str, path: str, body: Any = None, trx: str = "", **params: Any
    ) -> tuple[int, Any, Any]:
        """Status, headers and body; the body parsed unless it is lines."""
        headers = {"x-arango-trx-id": trx} if trx else {}
        async with self._session.request(
            method,
            f"{self._crowd.url}{path}",
            data=body if isinstance(body, (bytes, type(None))) else json.dumps(body),
            params={name: str(value) for name, value in params.items()},
            headers=headers,
        ) as response:
            data = await response.read()
            if response.status not in EXPECTED:
                self._crowd.failures.append(f"{method} {path}: {response.status} {data[:200]!r}")
            is_json = response.content_type == "application/json" and data
            return response.status, response.headers, json.loads(data) if is_json else data

    async def prepare(self) -> None:
        for name in ("bank", "mixed", "unique"):
            await self.call("POST", "/_api/collection", {"name": name})
        index = {"type": "persistent", "fields": ["u"], "unique": True, "sparse": True}
        await self.call("POST", "/_api/index", index, collection="unique")
        accounts = [{"_key": str(n), "money": MONEY} for n in range(ACCOUNTS)]
        await self.call("POST", "/_api/document/bank", accounts)

    async def play(self) -> None:
        for _ in range(ROUNDS):
            name = self.chance.choice(list(ACTS))
            await ACTS[name](self)
            self._crowd.done[name] += 1

    def key(self) -> str:
        return f"k{self.chance.randrange(200)}"

    def document(self) -> dict[str, Any]:
        return {"_key": self.key(), "u": self.chance.randrange(400), "t": "ü" * 50}

    def check_sum(self, how: str, documents: list[dict[str, Any]]) -> None:
        total = sum(document["money"] for document in documents)
        if total != ACCOUNTS * MONEY or len(documents) != ACCOUNTS:
            self._crowd.failures.append(f"{how} saw {total} in {len(documents)} accounts")


async def _transfer(client: Client) -> None:
    body = {"collections": {"write": ["bank"]}}
    status, _, begun = await client.call("POST", "/_api/transaction/begin", body)
    if status != 201:
        return
    trx = begun["result"]["id"]
    one, other = client.chance.sample(range(ACCOUNTS), 2)
    amount = client.chance.randrange(1, 50)
    for account, change in ((one, -amount), (other, amount)):
        _, _, found = await client.call("GET", f"/_api/document/bank/{account}", trx=trx)
        patch = {"money": found["money"] + change}
        status, _, _ = await client.call("PATCH", f"/_api/document/bank/{account}", patch, trx=trx)
        if status >= 400:
            await client.call("DELETE", f"/_api/transaction/{trx}")
            return
    end = "DELETE" if client.chance.random() < 0.2 else "PUT"
    await client.call(end, f"/_api/transaction/{trx}")


async def _audit(client: Client) -> None:
    """The sum, three ways."""
    status, _, begun = await client.call(
        "POST", "/_api/transaction/begin", {"collections": {"read": ["bank"]}}
    )
    if status != 201:
        return
    trx = begun["result"]["id"]
    found = [
        (await client.call("GET", f"/_api/document/bank/{n}", trx=trx))[2] for n in range(ACCOUNTS)
    ]
    client.check_sum("a transaction", found)
    await client.call("PUT", f"/_api/transaction/{trx}")
    query = {"query": "FOR d IN @@c RETURN d", "bindVars": {"@c": "bank"}, "batchSize": 5}
    _, _, answer = await client.call("POST", "/_api/cursor", query)
    found = answer["result"]
    while answer["hasMore"]:
        _, _, answer = await client.call("PUT", f"/_api/cursor/{answer['id']}")
        found += answer["result"]
    client.check_sum("a cursor", found)


async def _dump(client: Client) -> None:
    _, _, batch = await client.call("POST", "/_api/replication/batch", {"ttl": 60})
    params = {"batchId": batch["id"], "useEnvelope": "false", "chunkSize": 900}
    for name in ("bank", "mixed"):
        lines: list[dict[str, Any]] = []
        more = True
        while more:
            _, headers, data = await client.call(
                "GET", "/_api/replication/dump", collection=name, **params
            )
            lines += map(json.loads, data.splitlines())
            more = headers["x-arango-replication-checkmore"] == "true"
        if name == "bank":
            client.check_sum("a dump", lines)
        elif len({line["_key"] for line in lines}) != len(lines):
            client._crowd.failures.append("a dump has a key twice")
    await client.call("DELETE", f"/_api/replication/batch/{batch['id']}")


async def _tail(client: Client) -> None:
    _, _, last = await client.call("GET", "/_api/wal/lastTick")
    after = max(0, int(last["tick"]) - client.chance.randrange(2000))
    _, _, data = await client.call("GET", "/_api/wal/tail", **{"from": after, "chunkSize": 20_000})
    ticks = [int(json.loads(line)["tick"]) for line in data.splitlines()]
    if ticks != sorted(ticks):
        client._crowd.failures.append("ticks out of order")


async def _write(client: Client) -> None:
    name = client.chance.choice(("mixed", "unique"))
    key = client.key()
    match client.chance.randrange(4):
        case 0:
            body = {**client.document(), "_key": key}
            await client.call("POST", f"/_api/document/{name}", body, overwriteMode="replace")
        case 1:
            await client.call("PATCH", f"/_api/document/{name}/{key}", {"x": key})
        case 2:
            await client.call("DELETE", f"/_api/document/{name}/{key}")
        case _:
            documents = [client.document() for _ in range(20)]
            await client.call("POST", f"/_api/document/{name}", documents, overwrite="true")


async def _read(client: Client) -> None:
    await client.call("GET", f"/_api/document/mixed/{client.key()}")
    keys = [client.key() for _ in range(10)]
    await client.call("PUT", "/_api/document/unique", keys, onlyget="1")


async def _import(client: Client) -> None:
    lines = "\n".join(json.dumps(client.document()) for _ in range(50)).encode()
    params = {"collection": "mixed", "type": "documents", "onDuplicate": "update"}
    await client.call("POST", "/_api/import", lines, **params)


async def _mass_change(client: Client) -> None:
    text = "FOR d IN @@c FILTER d.u < @u LIMIT 5 UPDATE d WITH { seen: true } IN @@c"
    binds = {"@c": "unique", "u": client.chance.randrange(400)}
    await client.call("POST", "/_api/cursor", {"query": text, "bindVars": binds})


async def _transaction_of_writes(client: Client) -> None:
    body = {"collections": {"write": ["mixed", "unique"]}}
    status, _, begun = await client.call("POST", "/_api/transaction/begin", body)
    if status != 201:
        return
    trx = begun["result"]["id"]
    for name in ("mixed", "unique"):
        documents = [client.document() for _ in range(3)]
        await client.call("POST", f"/_api/document/{name}", documents, trx, overwrite="true")
        await client.call("DELETE", f"/_api/document/{name}/{client.key()}", trx=trx)
    await client.call(client.chance.choice(("PUT", "DELETE")), f"/_api/transaction/{trx}")


ACTS: dict[str, Act] = {
    "transfer": _transfer,
    "audit": _audit,
    "dump": _dump,
    "tail": _tail,
    "write": _write,
    "read": _read,
    "import": _import,
    "mass change": _mass_change,
    "transaction": _transaction_of_writes,
}
