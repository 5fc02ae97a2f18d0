"""A seeded writer that makes a leader log every type of marker, again and again.

It keeps no record of what exists: names and keys come from small pools, so that collections are
dropped, created anew and renamed over and over, and what does not fit the moment is a conflict that
is expected. So it can go on after its server was killed.
"""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests
from support.server import TIMEOUT_S, Api
from support.wait import wait_for

DATABASES = ("_system", "d0", "d1")
DOCUMENT_NAMES = ("c0", "c1", "c2", "ü3")
EDGE_NAMES = ("e0", "e1")
KEYS = [*(f"k{number}" for number in range(60)), "a:b", "x@y.z", "17", "(p)", "K_-1"]
KEY_GENERATORS = ("traditional", "autoincrement", "padded", "uuid")
OVERWRITE = ("conflict", "ignore", "replace", "update")
DUPLICATES = ("error", "ignore", "replace", "update")

EXPECTED = frozenset({200, 201, 202, 400, 404, 409, 412})
"""Statuses that one writer of many may see; everything else is a failure."""

RETRY_S = 0.02
Step = Callable[["Load", Api, str], requests.Response]

EVERY_MARKER = frozenset(
    {1100, 1101, 2000, 2001, 2002, 2003, 2004, 2100, 2101, 2200, 2201, 2300, 2302}
)


@dataclass
class Load:
    """Call `step` some times, or run it in a thread with `with`, which ends it.

    `failures` are answers that nobody may get; `done` counts what succeeded, by kind.
    """

    url: str
    seed: int
    databases: tuple[str, ...] = DATABASES
    only: frozenset[str] = frozenset()
    """Kinds of steps, "" for all."""
    overwrites: bool = False
    """Whether some imports empty the collection first."""
    pause_s: float = 0.0
    done: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._apis: dict[str, Api] = {}
        weights = {kind: w for kind, w in WEIGHTS.items() if not self.only or kind in self.only}
        self._kinds, self._weights = list(weights), list(weights.values())

    # -- running -------------------------------------------------------------------------------

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for api in self._apis.values():
            api.session.close()

    def stop(self) -> None:
        """Return when the last request has been answered. What failed is shown."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(TIMEOUT_S)
        assert not self.failures, f"load of seed {self.seed}: {self.failures[:3]}"

    def _run(self) -> None:
        while not self._stop.is_set():
            self.step()
            if self.pause_s:
                self._stop.wait(self.pause_s)

    def steps(self, number: int) -> None:
        """Take so many steps now."""
        for _ in range(number):
            self.step()
        assert not self.failures, f"load of seed {self.seed}: {self.failures[:3]}"

    def step(self) -> None:
        """One request; a server that is not there is waited for."""
        (kind,) = self._random.choices(self._kinds, self._weights)
        database = self._random.choice(self.databases)
        api = self._apis.get(database)
        if api is None:
            api = self._apis[database] = Api(self.url, database)
        names = DOCUMENT_NAMES if self._random.random() < 0.75 else EDGE_NAMES
        try:
            answer = STEPS[kind](self, api, self._random.choice(names))
        except requests.RequestException:
            self.lost += 1  # killed: nobody knows whether it was done
            self._stop.wait(RETRY_S)
            return
        if answer.status_code not in EXPECTED:
            self.failures.append(f"{kind}: {answer.status_code} {answer.text[:200]}")
        elif answer.ok:
            self.done[kind] += 1

    def wait_for_steps(self, number: int) -> None:
        """Return when so many more steps have succeeded."""
        goal = self.done.total() + number
        wait_for(lambda: True if self.done.total() >= goal or self.failures else None)

    # -- documents -----------------------------------------------------------------------------

    def _document(self, name: str, key: str | None) -> dict[str, Any]:
        random_ = self._random
        found: dict[str, Any] = {} if key is None else {"_key": key}
        if name in EDGE_NAMES:
            found["_from"] = f"c0/{random_.choice(KEYS)}"
            found["_to"] = f"ü3/{random_.choice(KEYS)}"
        found["n"] = random_.choice(
            (random_.randrange(100), random_.random() * 1e6, -(2**53), None)
        )
        if random_.random() < 0.3:
            found["u"] = random_.randrange(3000)
        if random_.random() < 0.1:
            found["tags"] = [random_.randrange(10_000) for _ in range(random_.randrange(4))]
        if random_.random() < 0.2:
            found["text"] = random_.choice(("Grüße\n", '"\\/', "日本", "", "x" * 500, "\u2028"))
        if random_.random() < 0.1:
            found["deep"] = {"list": [{}, [[]], {"a": {"_key": "no", "_rev": "no"}}], "t": True}
        return found

    def _documents(self, name: str, most: int, *, with_keys: bool = True) -> list[dict[str, Any]]:
        keys: list[str | None] = [*self._random.sample(KEYS, self._random.randint(1, most))]
        if not with_keys:
            keys = [None] * len(keys)
        return [self._document(name, key) for key in keys]

    def _insert(self, api: Api, name: str) -> requests.Response:
        key = self._random.choice((*KEYS, None))
        mode = self._random.choice(OVERWRITE)
        return api.post(
            f"/_api/document/{name}", self._document(name, key), overwriteMode=mode, silent="true"
        )

    def _insert_many(self, api: Api, name: str) -> requests.Response:
        documents = self._documents(name, 40, with_keys=self._random.random() < 0.6)
        mode = self._random.choice(OVERWRITE)
        return api.post(f"/_api/document/{name}", documents, overwriteMode=mode)

    def _replace(self, api: Api, name: str) -> requests.Response:
        key = self._random.choice(KEYS)
        return api.put(f"/_api/document/{name}/{key}", self._document(name, None))

    def _replace_many(self, api: Api, name: str) -> requests.Response:
        return api.put(f"/_api/document/{name}", self._documents(name, 20))

    def _update(self, api: Api, name: str) -> requests.Response:
        body = self._document(name, None)
        key = self._random.choice(KEYS)
        return api.patch(f"/_api/document/{name}/{key}", body, keepNull="false")

    def _update_many(self, api: Api, name: str) -> requests.Response:
        return api.patch(f"/_api/document/{name}", self._documents(name, 20))

    def _remove(self, api: Api, name: str) -> requests.Response:
        return api.delete(f"/_api/document/{name}/{self._random.choice(KEYS)}")

    def _remove_many(self, api: Api, name: str) -> requests.Response:
        return api.delete(f"/_api/document/{name}", self._random.sample(KEYS, 10))

    def _import(self, api: Api, name: str) -> requests.Response:
        documents = self._documents(name, 50, with_keys=self._random.random() < 0.7)
        return api.post(
            "/_api/import",
            "\n".join(map(json.dumps, documents)),
            collection=name,
            type="documents",
            onDuplicate=self._random.choice(DUPLICATES),
            complete=self._random.choice(("true", "false")),
            overwrite="true" if self.overwrites and self._random.random() < 0.1 else "false",
        )

    # -- collections and indexes ---------------------------------------------------------------

    def _create(self, api: Api, name: str) -> requests.Response:
        body = {
            "name": name,
            "type": 3 if name in EDGE_NAMES else 2,
            "keyOptions": {"type": self._random.choice(KEY_GENERATORS)},
        }
        return api.post("/_api/collection", body)

    def _drop(self, api: Api, name: str) -> requests.Response:
        return api.delete(f"/_api/collection/{name}")

    def _rename(self, api: Api, name: str) -> requests.Response:
        pool = EDGE_NAMES if name in EDGE_NAMES else DOCUMENT_NAMES
        body = {"name": self._random.choice(pool)}
        return api.put(f"/_api/collection/{name}/rename", body)

    def _change(self, api: Api, name: str) -> requests.Response:
        random_ = self._random
        body = {"cacheEnabled": random_.random() < 0.5, "waitForSync": random_.random() < 0.1}
        return api.put(f"/_api/collection/{name}/properties", body)

    def _truncate(self, api: Api, name: str) -> requests.Response:
        return api.put(f"/_api/collection/{name}/truncate")

    def _create_index(self, api: Api, name: str) -> requests.Response:
        body: dict[str, Any] = {"type": "persistent", "sparse": self._random.random() < 0.7}
        body["fields"] = self._random.choice((["u"], ["u"], ["n"], ["tags[*]"], ["n", "u"]))
        body["unique"] = body["fields"] != ["n"] and self._random.random() < 0.8
        if self._random.random() < 0.5:
            body["name"] = self._random.choice(("first", "second"))
        return api.post("/_api/index", body, collection=name)

    def _drop_index(self, api: Api, name: str) -> requests.Response:
        answer = api.get("/_api/index", collection=name)
        listed = answer.json().get("indexes", [])
        own = [index["id"] for index in listed if index["type"] == "persistent"]
        return api.delete(f"/_api/index/{self._random.choice(own)}") if own else answer

    # -- databases -----------------------------------------------------------------------------

    def _create_database(self, api: Api, name: str) -> requests.Response:
        with Api(self.url, "_system") as system:
            answer = system.post("/_api/database", {"name": api.database})
            if answer.ok:
                for each in (*DOCUMENT_NAMES, *EDGE_NAMES):
                    self._create(api, each)
            return answer

    def _drop_database(self, api: Api, name: str) -> requests.Response:
        if api.database == "_system":
            return self._drop(api, name)
        with Api(self.url, "_system") as system:
            return system.delete(f"/_api/database/{api.database}")


STEPS: dict[str, Step] = {
    "insert": Load._insert,
    "insert_many": Load._insert_many,
    "replace": Load._replace,
    "replace_many": Load._replace_many,
    "update": Load._update,
    "update_many": Load._update_many,
    "remove": Load._remove,
    "remove_many": Load._remove_many,
    "import": Load._import,
    "create": Load._create,
    "drop": Load._drop,
    "rename": Load._rename,
    "change": Load._change,
    "truncate": Load._truncate,
    "create_index": Load._create_index,
    "drop_index": Load._drop_index,
    "create_database": Load._create_database,
    "drop_database": Load._drop_database,
}
WEIGHTS: dict[str, float] = {
    "insert": 20,
    "insert_many": 12,
    "replace": 10,
    "replace_many": 4,
    "update": 10,
    "update_many": 4,
    "remove": 6,
    "remove_many": 3,
    "import": 6,
    "create": 8,
    "drop": 1.5,
    "rename": 2,
    "change": 2,
    "truncate": 1,
    "create_index": 3,
    "drop_index": 1.5,
    "create_database": 2,
    "drop_database": 0.4,
}
DOCUMENTS_ONLY = frozenset(
    {"insert", "insert_many", "replace", "replace_many", "update", "update_many", "remove"}
    | {"remove_many", "import"}
)
KEEPS_COLLECTIONS = frozenset(
    {*DOCUMENTS_ONLY, "rename", "change", "truncate", "create_index", "drop_index"}
)
KEEPS_DATABASES = frozenset(WEIGHTS) - {"create_database", "drop_database"}


def prepare(url: str, databases: tuple[str, ...] = DATABASES) -> None:
    """Create all databases and collections of the pools."""
    with Api(url, "_system") as system:
        for database in databases:
            if database != "_system":
                assert system.post("/_api/database", {"name": database}).status_code == 201
            with Api(url, database) as api:
                for name in DOCUMENT_NAMES:
                    api.create_collection(name)
                for name in EDGE_NAMES:
                    api.create_collection(name, type=3)


def fill(url: str, database: str, name: str, documents: int, text_bytes: int = 200) -> None:
    """A collection that takes more than one chunk; the load does not know its name."""
    text = "x" * text_bytes
    with Api(url, database) as api:
        api.create_collection(name)
        api.insert(name, [{"_key": f"f{n}", "n": n, "text": text} for n in range(documents)])
