"""Errors of requests and of the server as a whole (errorNum below 1000, and 21003)."""

from __future__ import annotations

from arangorep.errors.base import ArangoError


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


class NotAcceptable(ArangoError):
    """No form of the answer is one that the client takes (backups 2.5)."""

    error_num = 406
    default_status = 406
    default_message = "not acceptable"


class UnsupportedMediaType(ArangoError):
    """The body has a form that cannot be read (backups 2.6)."""

    error_num = 415
    default_status = 415
    default_message = "unsupported media type"
