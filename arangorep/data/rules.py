"""What a collection demands of documents that clients write: computed values, then its schema.

Replication does not come here: a leader has done it (data-api 5.3).
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any
from urllib.parse import unquote

import jsonschema_rs

from arangorep.aql.computed import (
    ComputedValue,
    Event,
    apply_computed_values,
    describe_computed_values,
    parse_computed_values,
)
from arangorep.aql.context import Environment
from arangorep.clock import Clock
from arangorep.codec.json import dumps, loads
from arangorep.errors import SchemaBadParameter, ValidationFailed
from arangorep.limits import SCHEMA_WEIGHT_MAX
from arangorep.values.collection import CollectionInfo

EDGE_MEMBERS = ("_from", "_to")
REMEMBERED = 256


class Rules:
    """The rules of one collection at the moment; make a new one when its properties may differ.

    Errors: 501/9 when a computed value that came by replication needs AQL that is not here.
    """

    def __init__(self, info: CollectionInfo, clock: Clock, *, is_validated: bool) -> None:
        schema = info.schema if is_validated else None
        self._level = "none" if schema is None else schema["level"]
        self._message = "" if schema is None else schema["message"]
        self._rule = None if schema is None else dumps(schema["rule"])
        self._computed = (
            () if info.computed_values is None else _computed(dumps(info.computed_values))
        )
        self._name = info.name
        self._environment = Environment(partial(_now_ms, clock), random.random)

    @staticmethod
    def apply_to(info: CollectionInfo) -> bool:
        """Whether a collection has any rules."""
        return info.schema is not None or info.computed_values is not None

    def on_insert(self, key: str, body: dict[str, Any]) -> dict[str, Any]:
        """The body to store. Errors: 400/1620; 400/10, 400/32 of computed values."""
        body = self._compute("insert", key, body)
        if self._level != "none":
            self._validate(body)
        return body

    def on_change(
        self, event: Event, key: str, body: dict[str, Any], old: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The body to store in place of `old`. Errors: as `on_insert`."""
        body = self._compute(event, key, body)
        if self._level == "strict" or (self._level == "moderate" and self._fits(old)):
            self._validate(body)
        return body

    def _compute(self, event: Event, key: str, body: dict[str, Any]) -> dict[str, Any]:
        if not self._computed:
            return body
        identity = {"_key": key, "_id": f"{self._name}/{key}"}
        document = {**identity, **body}
        computed = apply_computed_values(self._computed, event, document, self._environment)
        return {name: value for name, value in computed.items() if name not in identity}

    def _fits(self, body: Mapping[str, Any]) -> bool:
        assert self._rule is not None
        plain = {name: value for name, value in body.items() if name not in EDGE_MEMBERS}
        return _validator(self._rule).is_valid(plain)

    def _validate(self, body: Mapping[str, Any]) -> None:
        if not self._fits(body):
            raise ValidationFailed(self._message or None)


def check_schema(schema: Mapping[str, Any] | None) -> None:
    """Errors: 400/1621 for a rule that is no JSON schema (draft 4)."""
    if schema is not None:
        _validator(dumps(schema["rule"]))


def described_computed_values(value: object) -> list[dict[str, Any]] | None:
    """A client's computed values with all members filled in. Errors: 400/10; 501/9."""
    return describe_computed_values(parse_computed_values(value))


@lru_cache(REMEMBERED)
def _computed(text: bytes) -> tuple[ComputedValue, ...]:
    return parse_computed_values(loads(text))


def _weight(rule: Any) -> int:
    """Parts of a schema when every reference within it is written out; one that leads back to
    itself counts once.

    A few lines can refer to each other so that a check takes forever.
    """
    known: dict[str, int] = {}

    def weigh(part: Any) -> int:
        if isinstance(part, list):
            return 1 + sum(map(weigh, part))
        if not isinstance(part, dict):
            return 1
        reference = part.get("$ref")
        total = 1 + sum(weigh(value) for name, value in part.items() if name != "definitions")
        if isinstance(reference, str) and reference.startswith("#"):
            if reference not in known:
                known[reference] = 0  # meanwhile: it leads back here
                known[reference] = weigh(_resolve(rule, reference))
            total += known[reference]
        return total

    return weigh(rule)


def _resolve(rule: Any, reference: str) -> Any:
    """What a JSON pointer names; null when it names nothing, which the library tells."""
    part = rule
    for step in reference.removeprefix("#").split("/")[1:]:
        name = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(part, list) and name.isdigit() and int(name) < len(part):
            part = part[int(name)]
        elif isinstance(part, dict) and name in part:
            part = part[name]
        else:
            return None
    return part


@lru_cache(REMEMBERED)
def _validator(rule: bytes) -> jsonschema_rs.Draft4Validator:
    schema = loads(rule)
    if _weight(schema) > SCHEMA_WEIGHT_MAX:
        raise SchemaBadParameter("invalid schema validation parameter: the schema is too large")
    try:
        # patterns in linear time, and no reference leads out of the schema
        return jsonschema_rs.Draft4Validator(
            schema, retriever=_refuse, pattern_options=jsonschema_rs.RegexOptions()
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise SchemaBadParameter(f"invalid schema validation parameter: {reason}") from None


def _refuse(uri: str) -> Any:
    raise ValueError(f"the schema refers to {uri}")


def _now_ms(clock: Clock) -> int:
    return clock.wall_us() // 1000
