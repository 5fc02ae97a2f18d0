"""The configuration of an applier: what `applier-config`, `sync` and `make-follower` take.

Attributes of a wrong type are ignored, as the protocol says; only what makes no sense as a whole is
an error. Source: follower 2.1 and 7.2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from arangorep.errors import BadParameter, HttpBadParameter, InvalidApplierConfiguration
from arangorep.limits import SYNC_CHUNK_BYTES_DEFAULT, SYNC_CHUNK_BYTES_MIN
from arangorep.values.visibility import system_filter

SCHEMES = {
    "tcp": "http",
    "http": "http",
    "http+tcp": "http",
    "ssl": "https",
    "https": "https",
    "http+ssl": "https",
}
DEFAULT_PORT = 8529
PORTS = 65536
_endpoint = re.compile(
    r"(?P<scheme>[A-Za-z+]+)://(?P<host>[^\s/?#:\[\]@]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?/*"
).fullmatch
FOREVER = 2**64 - 1
RESTRICT_TYPES = ("", "include", "exclude")
HIDDEN = ("password", "jwt")
ONLY_IF_SET = ("endpoint", "database", "username")


@dataclass(frozen=True, slots=True)
class ApplierConfig:
    """Everything an applier is told, under the protocol's names; times in seconds."""

    endpoint: str = ""
    database: str = ""
    username: str = ""
    password: str = ""
    jwt: str = ""
    requestTimeout: float = 600
    connectTimeout: float = 10
    ignoreErrors: int = 0
    maxConnectRetries: int = 100
    lockTimeoutRetries: int = 0
    sslProtocol: int = 0
    chunkSize: int = 0
    skipCreateDrop: bool = False
    autoStart: bool = False
    adaptivePolling: bool = True
    autoResync: bool = False
    autoResyncRetries: int = 2
    maxPacketSize: int = 512 * 1024 * 1024
    includeSystem: bool = True
    includeFoxxQueues: bool = False
    requireFromPresent: bool = True
    verbose: bool = False
    incremental: bool = False
    restrictType: str = ""
    restrictCollections: tuple[str, ...] = ()
    connectionRetryWaitTime: float = 15
    initialSyncMaxWaitTime: float = 300
    idleMinWaitTime: float = 1
    idleMaxWaitTime: float = 2.5

    def merged(self, body: object, *, database: str) -> ApplierConfig:
        """This configuration with a request's attributes; `database` is the default of the name.

        Errors: 400/600 is the caller's; 400/10 for a body that is no object; 400/1410.
        """
        if not isinstance(body, dict):
            raise BadParameter("bad parameter: the configuration must be an object")
        values: dict[str, Any] = {"database": database}
        for field in fields(self):
            if field.name in body:
                value = _accepted(field.name, body[field.name], getattr(self, field.name))
                if value is not None:
                    values[field.name] = value
        username = values.get("username", "")
        if not username:
            values.pop("password", None)
        else:
            values.pop("jwt", None)
        if "endpoint" in body and not isinstance(body["endpoint"], str):
            values["autoStart"] = False
        merged = replace(self, **values)
        merged._check_restriction()
        return merged

    def _check_restriction(self) -> None:
        if bool(self.restrictType) != bool(self.restrictCollections):
            raise InvalidApplierConfiguration(
                "invalid applier configuration: restrictType goes with restrictCollections"
            )

    def check_endpoint(self) -> None:
        """Errors: 400/1410 without an endpoint, or with one that cannot be read."""
        if not self.endpoint:
            raise InvalidApplierConfiguration("invalid applier configuration: no endpoint")
        self.url()

    def url(self) -> str:
        """The leader's address as a URL. Errors: 400/1410. Source: follower 1.3."""
        found = _endpoint(self.endpoint)
        scheme = SCHEMES.get(found["scheme"].lower()) if found is not None else None
        port = int(found["port"] or DEFAULT_PORT) if found is not None else 0
        if found is None or scheme is None or not 0 < port < PORTS:
            raise InvalidApplierConfiguration(
                f"invalid applier configuration: endpoint '{self.endpoint}' is not understood"
            )
        return f"{scheme}://{found['host']}:{port}"

    def describe(self) -> dict[str, Any]:
        """The configuration as GET shows it: in order, without secrets."""
        shown = {name: value for name, value in asdict(self).items() if name not in HIDDEN}
        for name in ONLY_IF_SET:
            if not shown[name]:
                del shown[name]
        shown["restrictCollections"] = list(self.restrictCollections)
        return shown

    def pack(self) -> dict[str, Any]:
        """Plain values for storage, secrets included."""
        return {**asdict(self), "restrictCollections": list(self.restrictCollections)}

    @staticmethod
    def unpack(packed: Mapping[str, Any]) -> ApplierConfig:
        """The inverse of `pack`."""
        return ApplierConfig(
            **{**packed, "restrictCollections": tuple(packed["restrictCollections"])}
        )

    def chunk_bytes(self) -> int:
        """Bytes of a chunk that are asked for."""
        if not self.chunkSize:
            return SYNC_CHUNK_BYTES_DEFAULT
        return max(self.chunkSize, SYNC_CHUNK_BYTES_MIN)

    def replicates(self, name: str) -> bool:
        """Whether a collection of this name is followed. Source: follower 2.7 and 6.9."""
        shows = system_filter(
            include_system=self.includeSystem, include_foxx_queues=self.includeFoxxQueues
        )
        if not shows(name):
            return False
        if not self.restrictType:
            return True
        return (name in self.restrictCollections) == (self.restrictType == "include")


def parse_sync_body(body: object, *, database: str) -> ApplierConfig:
    """The configuration of one `sync`. Errors: 400/400 without an endpoint; 400/10; 400/1410."""
    endpoint = body.get("endpoint") if isinstance(body, dict) else None
    if not isinstance(endpoint, str) or not endpoint:
        raise HttpBadParameter("<endpoint> must be a valid endpoint")
    config = ApplierConfig().merged(body, database=database)
    config.check_endpoint()
    return config


def _accepted(name: str, value: Any, present: Any) -> Any:
    """The value to take over, or None to leave the attribute as it is. Errors: 400/1410."""
    if name == "restrictType":
        return _restrict_type(value)
    if name == "restrictCollections":
        if not isinstance(value, list):
            return None
        return tuple(entry for entry in value if isinstance(entry, str))
    if name == "ignoreErrors" and isinstance(value, bool):
        return FOREVER if value else 0
    if isinstance(present, bool):
        return value if isinstance(value, bool) else None
    if isinstance(present, str):
        return value if isinstance(value, str) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if name.endswith(("WaitTime", "Timeout")):
        return float(value) if 0 < value < FOREVER else None
    return int(value) if 0 <= value <= FOREVER else None


def _restrict_type(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    wanted = "" if value == "none" else value
    if wanted not in RESTRICT_TYPES:
        raise InvalidApplierConfiguration(
            f"invalid applier configuration: unknown restrictType '{value}'"
        )
    return wanted
