"""The roots of what goes wrong: told to a client, done by the disk, or a reason not to start."""

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
