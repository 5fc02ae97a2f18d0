"""Errors of backups (errorNum 7000 and above, and 14). Source: backups 3.1."""

from __future__ import annotations

from arangorep.errors.base import ArangoError


class FileNotFound(ArangoError):
    """No backup with this id can be deleted."""

    error_num = 14
    default_status = 404
    default_message = "file not found"


class HotBackupFailed(ArangoError):
    """A backup could not be made or removed."""

    error_num = 7001
    default_message = "internal hot backup error"


class HotRestoreFailed(ArangoError):
    """A restore could not be prepared."""

    error_num = 7002
    default_message = "internal hot restore error"


class BadRemoteRepository(ArangoError):
    """The place a backup is copied to or from is none, or of a kind that is not here."""

    error_num = 7008
    default_status = 400
    default_message = "bad remote repository configuration"


class BackupConflict(ArangoError):
    """Another backup operation of this kind runs."""

    error_num = 7011
    default_status = 409
    default_message = "conflicts with another backup operation"


class HotUploadFailed(ArangoError):
    """A backup could not be copied to its place; told in the status of the upload."""

    error_num = 7005
    default_message = "failed to upload the backup"


class HotDownloadFailed(ArangoError):
    """A backup could not be copied from its place; told in the status of the download."""

    error_num = 7006
    default_message = "failed to download the backup"


class NoSuchHotBackup(ArangoError):
    """There is no complete backup at the place."""

    error_num = 7007
    default_status = 404
    default_message = "no such hot backup"
