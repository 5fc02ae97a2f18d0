"""Errors a client is told about: one class per `errorNum` in use, with its HTTP status and text.

Raised where the fault is detected, turned into a response in one place (`rest/dispatch.py`).
Three roots: `ArangoError` (told to a client), `CorruptionError` (what the disk did) and
`StartupError` (why the server does not start). Source: data-api 14, leader-api 10.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class ArangoError(Exception):
    """Base of everything that becomes `{"error":true,"code":…,"errorNum":…,"errorMessage":…}`.

    `message` replaces the default text; `http_status` replaces the default status where a handler
    forces one; `extra` adds members to the body, `headers` to the response.
    """

    error_num: ClassVar[int] = 4
    default_status: ClassVar[int] = 500
    default_message: ClassVar[str] = "internal error"

    _by_number: ClassVar[dict[int, type[ArangoError]]] = {}

    def __init_subclass__(cls) -> None:
        taken = ArangoError._by_number.setdefault(cls.error_num, cls)
        if taken is not cls:
            raise TypeError(f"errorNum {cls.error_num} already belongs to {taken.__name__}")

    def __init__(
        self,
        message: str | None = None,
        *,
        http_status: int | None = None,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.message = self.default_message if message is None else message
        self.http_status = self.default_status if http_status is None else http_status
        self.extra = extra or {}
        self.headers = headers or {}
        super().__init__(self.message)


class CorruptionError(Exception):
    """The store returned less or other data than was written."""


class StartupError(Exception):
    """The server cannot start; the message is for a person and stands alone."""


class InternalError(ArangoError):
    """An invariant of the server did not hold."""

    error_num = 4
    default_message = "internal error"


class NotImplementedHere(ArangoError):
    """The feature is not part of this server (data-api 11)."""

    error_num = 9
    default_status = 501
    default_message = "not implemented"


class BadParameter(ArangoError):
    """A parameter or definition is malformed."""

    error_num = 10
    default_status = 400
    default_message = "bad parameter"


class Forbidden(ArangoError):
    """The right for this operation is missing."""

    error_num = 11
    default_status = 403
    default_message = "forbidden"


class RequestCanceled(ArangoError):
    """The job was cancelled."""

    error_num = 21
    default_status = 410
    default_message = "canceled request"


class Locked(ArangoError):
    """Another initial synchronisation runs in this database."""

    error_num = 28
    default_message = "locked"


class ShuttingDown(ArangoError):
    """The server is stopping."""

    error_num = 30
    default_status = 503
    default_message = "shutdown in progress"


class ResourceLimit(ArangoError):
    """A bound of limits.py was reached."""

    error_num = 32
    default_message = "resource limit exceeded"


class HttpBadParameter(ArangoError):
    """The request does not have the expected shape."""

    error_num = 400
    default_status = 400
    default_message = "bad parameter"


class HttpNotFound(ArangoError):
    """Nothing lives at this path."""

    error_num = 404
    default_status = 404
    default_message = "not found"


class MethodNotAllowed(ArangoError):
    """The path exists, the method does not."""

    error_num = 405
    default_status = 405
    default_message = "method not supported"


class BodyTooLarge(ArangoError):
    """The body passes `limits.BODY_BYTES_MAX`."""

    error_num = 413
    default_status = 413
    default_message = "request body too large"


class UrlTooLong(ArangoError):
    """The request line passes `limits.URL_BYTES_MAX`."""

    error_num = 414
    default_status = 414
    default_message = "request URL too long"


class HeadersTooLarge(ArangoError):
    """A header passes `limits.HEADER_BYTES_MAX`."""

    error_num = 431
    default_status = 431
    default_message = "request headers too large"


class HttpServerError(ArangoError):
    """The server cannot answer this."""

    error_num = 500
    default_message = "internal server error"


class CorruptedJson(ArangoError):
    """The body is not JSON."""

    error_num = 600
    default_status = 400
    default_message = "invalid JSON object"


class SuperfluousSuffices(ArangoError):
    """The path has too many parts."""

    error_num = 601
    default_status = 400
    default_message = "superfluous URL suffices"


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


class NoResponse(ArangoError):
    """The leader gave no complete answer."""

    error_num = 1400
    default_message = "no response"


class InvalidResponse(ArangoError):
    """The leader gave an answer of the wrong shape."""

    error_num = 1401
    default_message = "invalid response"


class LeaderError(ArangoError):
    """The leader answered with an HTTP error."""

    error_num = 1402
    default_message = "leader error"


class LeaderIncompatible(ArangoError):
    """The leader is no ArangoDB 3."""

    error_num = 1403
    default_message = "leader incompatible"


class LeaderChanged(ArangoError):
    """The leader has another server id than the one followed so far."""

    error_num = 1404
    default_message = "leader change"


class ReplicationLoop(ArangoError):
    """The leader is this server itself."""

    error_num = 1405
    default_message = "loop detected"


class UnexpectedMarker(ArangoError):
    """The log holds a marker of unknown type."""

    error_num = 1406
    default_message = "unexpected marker"


class UnexpectedTransaction(ArangoError):
    """A marker belongs to no open transaction."""

    error_num = 1408
    default_message = "unexpected transaction"


class InvalidApplierConfiguration(ArangoError):
    """The configuration of the applier makes no sense."""

    error_num = 1410
    default_status = 400
    default_message = "invalid applier configuration"


class ApplierRunning(ArangoError):
    """The applier is running; stop it first."""

    error_num = 1411
    default_status = 400
    default_message = "cannot perform operation while applier is running"


class ApplierStopped(ArangoError):
    """The replication was stopped by a user."""

    error_num = 1412
    default_message = "replication stopped"


class NoStartTick(ArangoError):
    """It is not known from where to tail."""

    error_num = 1413
    default_status = 400
    default_message = "no start tick"


class StartTickNotPresent(ArangoError):
    """The leader has thrown away log that is still needed."""

    error_num = 1414
    default_message = "start tick not present"


class ClusterOnlyOnCoordinator(ArangoError):
    """Only a coordinator knows this."""

    error_num = 1471
    default_status = 501
    default_message = "this operation is only valid on a coordinator in a cluster"


class ClusterOnlyOnDbServer(ArangoError):
    """Only a DB-Server knows this."""

    error_num = 1477
    default_status = 403
    default_message = "this operation is only valid on a DBServer in a cluster"


class CursorNotFound(ArangoError):
    """The batch or cursor is unknown or expired."""

    error_num = 1600
    default_status = 404
    default_message = "cursor not found"


class SchemaBadParameter(ArangoError):
    """`schema` is malformed."""

    error_num = 1621
    default_status = 400
    default_message = "invalid schema validation parameter"


class QueueFull(ArangoError):
    """No room for another asynchronous job."""

    error_num = 21003
    default_status = 503
    default_message = "queue is full"


class InvalidType(ArangoError):
    """A member of a simple query has the wrong type (data-api 9.1)."""

    error_num = 17
    default_status = 400
    default_message = "type error"


class LockTimeout(ArangoError):
    """A transaction waited too long for a collection or a document (data-api 10.1)."""

    error_num = 18
    default_message = "lock timeout"


class HttpUnauthorized(ArangoError):
    """User or password given to `/_open/auth` are wrong (data-api 2.2)."""

    error_num = 401
    default_status = 401
    default_message = "unauthorized"


class HttpForbidden(ArangoError):
    """The list of users is for administrators (data-api 2.3)."""

    error_num = 403
    default_status = 403
    default_message = "forbidden"


class QueryParse(ArangoError):
    """A query or expression is not well-formed (data-api 9.2)."""

    error_num = 1501
    default_status = 400
    default_message = "parse error"


class QueryEmpty(ArangoError):
    """A cursor request without a query (data-api 9.2)."""

    error_num = 1502
    default_status = 400
    default_message = "query is empty"


class FunctionArgumentCount(ArangoError):
    """An AQL function was given too few or too many arguments (data-api 14)."""

    error_num = 1541
    default_status = 400
    default_message = "invalid number of arguments for function"


class BindParameterMissing(ArangoError):
    """A query names a bind parameter that has no value (data-api 9.2)."""

    error_num = 1551
    default_status = 400
    default_message = "no value specified for declared bind parameter"


class BindParameterUndeclared(ArangoError):
    """A bind parameter that the query does not name (data-api 9.2)."""

    error_num = 1552
    default_status = 400
    default_message = "bind parameter was not declared in the query"


class BindParameterType(ArangoError):
    """A bind parameter whose value has the wrong type (data-api 14)."""

    error_num = 1553
    default_status = 400
    default_message = "bind parameter has an invalid value or type"


class ValidationFailed(ArangoError):
    """A document does not fit the collection's schema (data-api 5.3)."""

    error_num = 1620
    default_status = 400
    default_message = "schema validation failed"


class TransactionUnregisteredCollection(ArangoError):
    """A transaction touches a collection that it did not declare (data-api 14)."""

    error_num = 1652
    default_status = 400
    default_message = "unregistered collection used in transaction"


class TransactionDisallowed(ArangoError):
    """Something that cannot be done within a transaction, or in its state (data-api 10.1)."""

    error_num = 1653
    default_status = 400
    default_message = "disallowed operation inside transaction"


class TransactionAborted(ArangoError):
    """The transaction has timed out or was aborted (data-api 10.1)."""

    error_num = 1654
    default_status = 410
    default_message = "transaction aborted"


class TransactionNotFound(ArangoError):
    """No transaction has this id (data-api 10.1)."""

    error_num = 1655
    default_status = 404
    default_message = "transaction not found"


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
