"""Errors of queries and transactions (errorNum 1501 to 1553, 1652 to 1655)."""

from __future__ import annotations

from arangorep.errors.base import ArangoError


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
