"""`/_api/simple/<call>`: queries of older clients (data-api 9.1).

Most are queries of `rest.queries` in other words; keys are looked up directly.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any
from urllib.parse import quote

from arangorep.aql.statements import parse_query
from arangorep.codec.json import Fragment
from arangorep.data.documents import DocumentWriter, WriteOptions, read_document
from arangorep.data.stream import StreamTransaction
from arangorep.data.transactions import Transaction
from arangorep.errors import (
    ArangoError,
    DocumentNotFound,
    HttpNotFound,
    InvalidType,
    MethodNotAllowed,
    NotImplementedHere,
)
from arangorep.limits import WRITE_ROWS_PER_SLICE
from arangorep.pacing import drive
from arangorep.rest.answer import Answer, ok
from arangorep.rest.context import Request
from arangorep.rest.queries import parse_query_options, run_query, run_to_end
from arangorep.rest.writing import sync_if_wanted, writing
from arangorep.storage.catalog import Collection

Body = dict[str, Any]


async def handle(request: Request) -> Answer:
    """Errors: 405/405 for anything but PUT; 404/404; 501/9 for geo and fulltext."""
    word = request.parts[0] if len(request.parts) == 1 else ""
    if word in NOT_HERE:
        raise NotImplementedHere(f"not implemented: the simple query '{word}'")
    call = CALLS.get(word)
    if call is None:
        raise HttpNotFound
    if request.method != "PUT":
        raise MethodNotAllowed
    body = await request.json()
    given = dict(body) if isinstance(body, dict) else {}
    if "collection" in request.query:
        given.setdefault("collection", request.query.text("collection"))
    return await call(request, given)


def _collection_name(body: Body) -> str:
    """Errors: 400/17."""
    name = body.get("collection")
    if not isinstance(name, str) or not name:
        raise InvalidType("expecting string for <collection>")
    return name


def _keys(body: Body) -> list[Any]:
    """Errors: 400/17."""
    keys = body.get("keys")
    if not isinstance(keys, list):
        raise InvalidType("expecting array for <keys>")
    return keys


def _object(body: Body, member: str) -> Body:
    """Errors: 400/17."""
    value = body.get(member)
    if not isinstance(value, dict):
        raise InvalidType(f"expecting object for <{member}>")
    return value


def _window(body: Body) -> Body:
    """`skip` and `limit` as bind values; a negative `skip` counts from the start here too."""
    skip, limit = body.get("skip"), body.get("limit")
    return {
        "skip": skip if type(skip) is int and skip > 0 else 0,
        "limit": limit if type(limit) is int and limit >= 0 else None,
    }


async def _query(request: Request, body: Body, text: str, binds: Mapping[str, Any]) -> Answer:
    request.collection(_collection_name(body))
    binds = {**binds, "@c": body["collection"]}
    options = parse_query_options({"count": True, **_batching(body)})
    return await run_query(request, parse_query(text), binds, options)


def _batching(body: Body) -> Body:
    return {name: body[name] for name in ("batchSize", "ttl") if body.get(name) is not None}


def _filter(example: Body, prefix: str = "") -> tuple[str, Body]:
    """Equality with every member of an example; a dot in a name goes one level down."""
    conditions, binds = [], {}
    for number, (path, value) in enumerate(example.items()):
        conditions.append(f"d.@{prefix}p{number} == @{prefix}v{number}")
        binds[f"{prefix}p{number}"] = path.split(".")
        binds[f"{prefix}v{number}"] = value
    return f"FILTER {' && '.join(conditions)}" if conditions else "", binds


# -- queries in other words ------------------------------------------------------------------------


async def _all(request: Request, body: Body) -> Answer:
    return await _query(request, body, "FOR d IN @@c LIMIT @skip, @limit RETURN d", _window(body))


async def _all_keys(request: Request, body: Body) -> Answer:
    kind = body.get("type", "path")
    database = quote(request.database_name, safe="")
    values = {
        "key": "d._key",
        "id": "d._id",
        "path": "CONCAT(@path, d._id)",
    }
    value = values.get(kind if isinstance(kind, str) else "path", values["path"])
    binds = {"path": f"/_db/{database}/_api/document/"} if "@path" in value else {}
    return await _query(request, body, f"FOR d IN @@c RETURN {value}", binds)


async def _by_example(request: Request, body: Body) -> Answer:
    condition, binds = _filter(_object(body, "example"))
    text = f"FOR d IN @@c {condition} LIMIT @skip, @limit RETURN d"
    return await _query(request, body, text, {**binds, **_window(body)})


async def _range(request: Request, body: Body) -> Answer:
    attribute = body.get("attribute")
    if not isinstance(attribute, str) or not attribute:
        raise InvalidType("expecting string for <attribute>")
    upper = "<=" if body.get("closed") is True else "<"
    binds = {"p": attribute.split("."), "l": body.get("left"), "r": body.get("right")}
    text = f"FOR d IN @@c FILTER d.@p >= @l && d.@p {upper} @r LIMIT @skip, @limit RETURN d"
    return await _query(request, body, text, {**binds, **_window(body)})


async def _one(request: Request, body: Body, text: str, binds: Body) -> Answer:
    """`{"document": …}` of a query with one result. Errors: 404/404 without any."""
    name = _collection_name(body)
    results, _ = await run_to_end(request, parse_query(text), {**binds, "@c": name})
    if not results:
        raise HttpNotFound("no match")
    return ok({"document": Fragment(results[0])})


async def _first_example(request: Request, body: Body) -> Answer:
    condition, binds = _filter(_object(body, "example"))
    return await _one(request, body, f"FOR d IN @@c {condition} LIMIT 1 RETURN d", binds)


async def _any(request: Request, body: Body) -> Answer:
    return await _one(request, body, "FOR d IN @@c SORT RAND() LIMIT 1 RETURN d", {})


async def _change_by_example(
    request: Request, body: Body, change: str, binds: Body, answer_as: str
) -> Answer:
    condition, filters = _filter(_object(body, "example"), "x")
    text = f"FOR d IN @@c {condition} LIMIT 0, @limit {change}"
    bound = {**filters, **binds, "limit": _window(body)["limit"], "@c": _collection_name(body)}
    _, run = await run_to_end(request, parse_query(text), bound)
    return ok({answer_as: run.figures.writes_executed})


async def _remove_by_example(request: Request, body: Body) -> Answer:
    return await _change_by_example(request, body, "REMOVE d IN @@c", {}, "deleted")


async def _replace_by_example(request: Request, body: Body) -> Answer:
    binds = {"body": _object(body, "newValue")}
    return await _change_by_example(request, body, "REPLACE d WITH @body IN @@c", binds, "replaced")


async def _update_by_example(request: Request, body: Body) -> Answer:
    wishes = body.get("options")
    options = wishes if isinstance(wishes, dict) else body
    binds = {
        "body": _object(body, "newValue"),
        "keep": options.get("keepNull") is not False,
        "merge": options.get("mergeObjects") is not False,
    }
    change = "UPDATE d WITH @body IN @@c OPTIONS { keepNull: @keep, mergeObjects: @merge }"
    return await _change_by_example(request, body, change, binds, "updated")


# -- by keys ---------------------------------------------------------------------------------------


async def _lookup_by_keys(request: Request, body: Body) -> Answer:
    """Documents of the keys that are there; others are left out."""
    collection = request.collection(_collection_name(body))
    with request.stream() as stream:
        rows = await drive(_found(request, collection, _keys(body), stream))
    return ok({"documents": Fragment(b"[" + b",".join(rows) + b"]")})


def _found(
    request: Request, collection: Collection, keys: list[Any], stream: StreamTransaction | None
) -> Generator[None, None, list[bytes]]:
    rows = []
    for number, key in enumerate(keys):
        try:
            if isinstance(key, str):
                name = key.rpartition("/")[2]
                rows.append(read_document(request.store, collection, name, stream))
        except DocumentNotFound:
            pass
        if number % WRITE_ROWS_PER_SLICE == 0:
            yield
    return rows


async def _remove_by_keys(request: Request, body: Body) -> Answer:
    """Removes what is there and counts the rest as ignored."""
    request.check_documents_writable()
    name, keys = _collection_name(body), _keys(body)
    wishes = body.get("options")
    options: Body = wishes if isinstance(wishes, dict) else {}
    with request.stream() as stream:
        async with writing(request, name, stream) as collection:
            transaction = stream or Transaction(request.store, request.database, grouped=True)
            writer = DocumentWriter(transaction, collection, WriteOptions())
            outcomes = list(await drive(writer.each(keys, writer.remove)))
            if stream is None:
                transaction.commit()
        wanted = options.get("waitForSync") is True
        await sync_if_wanted(request, collection, stream, wanted=wanted)
    done = [one for one in outcomes if not isinstance(one, ArangoError)]
    answer: Body = {"removed": len(done), "ignored": len(keys) - len(done)}
    if options.get("returnOld") is True and options.get("silent") is False:
        answer["old"] = [Fragment(one.old) for one in done if one.old is not None]
    return ok(answer)


Call = Callable[[Request, Body], Awaitable[Answer]]
NOT_HERE = frozenset({"near", "within", "within-rectangle", "fulltext"})
CALLS: dict[str, Call] = {
    "all": _all,
    "all-keys": _all_keys,
    "any": _any,
    "by-example": _by_example,
    "first-example": _first_example,
    "range": _range,
    "remove-by-example": _remove_by_example,
    "replace-by-example": _replace_by_example,
    "update-by-example": _update_by_example,
    "lookup-by-keys": _lookup_by_keys,
    "remove-by-keys": _remove_by_keys,
}
