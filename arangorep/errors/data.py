"""Errors of documents, collections, databases, indexes and accounts (errorNum 1004 to 1703)."""

from __future__ import annotations

from arangorep.errors.base import ArangoError


class ReadOnly(ArangoError):
    """The server is in read-only mode."""

    error_num = 1004
    default_status = 403
    default_message = "read only"


class DuplicateIdentifier(ArangoError):
    """An index with this id or name exists."""

    error_num = 1005
    default_status = 400
    default_message = "duplicate identifier"


class Conflict(ArangoError):
    """A revision precondition failed."""

    error_num = 1200
    default_status = 409
    default_message = "conflict, _rev values do not match"


class DocumentNotFound(ArangoError):
    """No document has this key."""

    error_num = 1202
    default_status = 404
    default_message = "document not found"


class CollectionNotFound(ArangoError):
    """No collection has this name, id or globallyUniqueId."""

    error_num = 1203
    default_status = 404
    default_message = "collection or view not found"


class CollectionParameterMissing(ArangoError):
    """The query parameter `collection` is required."""

    error_num = 1204
    default_status = 400
    default_message = "parameter 'collection' not found"


class DocumentHandleBad(ArangoError):
    """A document handle is missing or malformed."""

    error_num = 1205
    default_status = 400
    default_message = "illegal document identifier"


class DuplicateName(ArangoError):
    """The name is taken."""

    error_num = 1207
    default_status = 409
    default_message = "duplicate name"


class IllegalName(ArangoError):
    """The name breaks the naming rules."""

    error_num = 1208
    default_status = 400
    default_message = "illegal name"


class UniqueConstraintViolated(ArangoError):
    """A key or unique index entry exists."""

    error_num = 1210
    default_status = 409
    default_message = "unique constraint violated"


class IndexNotFound(ArangoError):
    """No index has this id or name."""

    error_num = 1212
    default_status = 404
    default_message = "index not found"


class CrossCollectionRequest(ArangoError):
    """The index handle names another collection."""

    error_num = 1213
    default_status = 400
    default_message = "cross collection request not allowed"


class IndexHandleBad(ArangoError):
    """The index handle is malformed."""

    error_num = 1214
    default_status = 400
    default_message = "illegal index identifier"


class DocumentKeyBad(ArangoError):
    """`_key` breaks the rules of data-api 5.5."""

    error_num = 1221
    default_status = 400
    default_message = "illegal document key"


class DocumentKeyUnexpected(ArangoError):
    """The collection does not allow user keys."""

    error_num = 1222
    default_status = 400
    default_message = "unexpected document key"


class OutOfKeys(ArangoError):
    """The key generator passed the end of its range."""

    error_num = 1225
    default_message = "out of keys"


class DocumentTypeInvalid(ArangoError):
    """A document must be an object."""

    error_num = 1227
    default_status = 400
    default_message = "invalid document type"


class DatabaseNotFound(ArangoError):
    """No database has this name."""

    error_num = 1228
    default_status = 404
    default_message = "database not found"


class DatabaseNameInvalid(ArangoError):
    """The database name is missing or not a string."""

    error_num = 1229
    default_status = 400
    default_message = "database name invalid"


class UseSystemDatabase(ArangoError):
    """The call must be addressed to `_system`."""

    error_num = 1230
    default_status = 403
    default_message = "operation only allowed in system database"


class InvalidKeyGenerator(ArangoError):
    """`keyOptions` are malformed."""

    error_num = 1232
    default_status = 400
    default_message = "invalid key generator"


class InvalidEdgeAttribute(ArangoError):
    """`_from` or `_to` is missing or not a document handle."""

    error_num = 1233
    default_status = 400
    default_message = "edge attribute missing or invalid"


class SchemaBadParameter(ArangoError):
    """`schema` is malformed."""

    error_num = 1621
    default_status = 400
    default_message = "invalid schema validation parameter"


class ValidationFailed(ArangoError):
    """A document does not fit the collection's schema (data-api 5.3)."""

    error_num = 1620
    default_status = 400
    default_message = "schema validation failed"


class CollectionTypeInvalid(ArangoError):
    """The collection is not of the type that the call needs (data-api 9.4)."""

    error_num = 1218
    default_status = 400
    default_message = "collection type invalid"


class GraphNotFound(ArangoError):
    """There are no named graphs here (data-api 11)."""

    error_num = 1924
    default_status = 404
    default_message = "graph not found"


class UserNameInvalid(ArangoError):
    """A user needs a name (data-api 2.3)."""

    error_num = 1700
    default_status = 400
    default_message = "invalid user name"


class UserDuplicate(ArangoError):
    """The user exists already (data-api 2.3)."""

    error_num = 1702
    default_status = 409
    default_message = "duplicate user"


class UserNotFound(ArangoError):
    """No such user, or its password is another one (data-api 2.3)."""

    error_num = 1703
    default_status = 404
    default_message = "user not found"
