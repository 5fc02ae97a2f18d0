"""What a function of AQL is: its Python function and how many arguments it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from arangorep.aql.context import QueryWarning
from arangorep.errors import FunctionArgumentCount

if TYPE_CHECKING:
    from arangorep.aql.context import Context


@dataclass(frozen=True, slots=True)
class Function:
    """`call(context, *arguments)`, with `least` to `most` arguments; None is without bound.

    `makes` says that the value is an array or object that was not there before, so that it has to
    be weighed.
    """

    name: str
    call: Callable[..., Any]
    least: int
    most: int | None
    makes: bool = False

    def check_count(self, count: int) -> None:
        """Raises `FunctionArgumentCount` (1541) unless it takes so many arguments."""
        if count < self.least or (self.most is not None and count > self.most):
            raise FunctionArgumentCount(
                f"invalid number of arguments for function '{self.name}()': "
                f"expected {self._expected()}, got {count}"
            )

    def _expected(self) -> str:
        if self.most is None:
            return f"{self.least} or more"
        return str(self.least) if self.least == self.most else f"{self.least} to {self.most}"


def wrong_type(context: Context, name: str) -> None:
    """The value of a function that cannot use its arguments: null, with warning 1542."""
    context.warn(QueryWarning(1542, f"invalid argument type in call to function '{name}()'"))
