"""Errors of leaders and followers (errorNum 1400 to 1477, and 1600)."""

from __future__ import annotations

from arangorep.errors.base import ArangoError


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


class CursorBusy(ArangoError):
    """Another request reads the cursor at this moment."""

    error_num = 1601
    default_status = 409
    default_message = "cursor is busy"


class CursorNotFound(ArangoError):
    """The batch or cursor is unknown or expired."""

    error_num = 1600
    default_status = 404
    default_message = "cursor not found"
