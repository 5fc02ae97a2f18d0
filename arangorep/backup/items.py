"""Documents as Xapiand knows them, made fit for a collection: `_id` becomes `_key` (backups 2.6).

| given | key |
|-------|-----|
| `_key` | itself; `_id` does not count |
| `_id: "cities/7"` | `7`, whatever the collection is called |
| another scalar, as `7`, `"7"`, `true`, `1.5` | its text |
| `{"_value": …}` | as for that value |
| none, or null | the collection makes one |

Binary values, which JSON has not, become text in base64.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from arangorep.codec.json import check_depth, dumps
from arangorep.errors import DocumentHandleBad, DocumentTypeInvalid
from arangorep.values.document import is_handle, split_handle

Members = dict[str, Any]


def as_document(item: object) -> Members:
    """The item with its key in front, without `_id` and `_rev`, which become new.

    Errors: 400/1227 for what is no object; 400/1205 for an `_id` that is no scalar.
    """
    if not isinstance(item, dict):
        raise DocumentTypeInvalid
    rest = {name: v for name, v in item.items() if name not in ("_key", "_id", "_rev")}
    if "_key" in item:
        return {"_key": item["_key"], **rest}
    key = _key_of(item.get("_id"))
    return rest if key is None else {"_key": key, **rest}


def _key_of(given: object) -> str | None:
    if isinstance(given, dict):
        given = given.get("_value")
    if given is None:
        return None
    if isinstance(given, str):
        return split_handle(given)[1] if is_handle(given) else given
    if isinstance(given, (bool, int, float)):
        return dumps(given).decode()
    raise DocumentHandleBad("illegal document identifier: '_id' must be a scalar")


def without_binary(value: Any) -> Any:
    """The value with base64 in place of bytes, for what came as MessagePack.

    Errors: 400/1227 for values of the extension types, and for maps with other keys than text;
    400/600 for what nests too deep.
    """
    check_depth(value)
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise DocumentTypeInvalid("invalid document type: a name of an attribute is no text")
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise DocumentTypeInvalid("invalid document type: a MessagePack extension type")
