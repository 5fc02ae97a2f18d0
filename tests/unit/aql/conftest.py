"""Expressions and queries in one call, with a clock and chance that stand still."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from arangorep.aql.context import Context, Environment
from arangorep.aql.parser import Parser
from arangorep.aql.pipeline import PAUSE, Execution
from arangorep.aql.statements import parse_query
from arangorep.aql.tokens import Kind

NOW_MS = 1_709_209_805_042  # 2024-02-29T12:30:05.042Z


@dataclass(frozen=True)
class Evaluated:
    """A value and the codes of the warnings that came with it."""

    value: Any
    warnings: list[int]


@pytest.fixture(scope="session")
def environment() -> Environment:
    return Environment(now_ms=lambda: NOW_MS, random=lambda: 0.25)


@pytest.fixture(scope="session")
def evaluate(environment: Environment) -> Callable[..., Evaluated]:
    """Parse and evaluate one expression; `variables` in a dict, bind values by keyword."""

    def evaluated(text: str, variables: dict[str, Any] | None = None, **binds: Any) -> Evaluated:
        row = variables or {}
        parser = Parser(text)
        parser.variables = set(row)
        expression = parser.expression()
        assert parser.token.kind is Kind.END
        context = Context(binds, environment)
        value = expression.evaluate(row, context)
        return Evaluated(value, [warning.code for warning in context.warnings])

    return evaluated


@pytest.fixture(scope="session")
def value_of(evaluate: Callable[..., Evaluated]) -> Callable[..., Any]:
    """The value only."""

    def value(text: str, variables: dict[str, Any] | None = None, **binds: Any) -> Any:
        return evaluate(text, variables, **binds).value

    return value


@pytest.fixture(scope="session")
def run(environment: Environment) -> Callable[..., list[Any]]:
    """All that a query gives for some documents, without pauses."""

    def results(
        text: str, documents: Iterable[Any] = (), binds: dict[str, Any] | None = None
    ) -> list[Any]:
        execution = Execution(parse_query(text), binds or {}, environment)
        return [item for item in execution.run(documents) if item is not PAUSE]

    return results
