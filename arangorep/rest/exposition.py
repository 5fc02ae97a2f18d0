"""Prometheus' text format: metrics as lines of name, labels and value (data-api 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from arangorep.rest.figures import Figures
from arangorep.rest.observation import Distribution

ROLE = {"role": "SINGLE"}
"""The label that every value has."""

Number = int | float
Labelled = Iterable[tuple[Mapping[str, str], Number | None]]
"""Values with the labels that they have besides the role."""

Read = Callable[[Figures], Number | Labelled | Distribution | None]
"""A metric's value: a number, several with labels, a histogram, or None when it is not known."""

Metrics = Mapping[str, tuple[str, Read]]
"""Text and value by name. What ends with `_total` counts, any other number goes up and down."""


def render(metrics: Metrics, figures: Figures) -> str:
    """The metrics that have a value."""
    return "".join(f"{line}\n" for line in _lines(metrics, figures))


def _lines(metrics: Metrics, figures: Figures) -> Iterator[str]:
    for name, (text, read) in metrics.items():
        value = read(figures)
        samples = list(_samples(name, value))
        if samples:
            yield f"# HELP {name} {text}"
            yield f"# TYPE {name} {_kind(name, value)}"
            yield from samples


def _kind(name: str, value: object) -> str:
    if isinstance(value, Distribution):
        return "histogram"
    return "counter" if name.endswith("_total") else "gauge"


def _samples(name: str, value: Number | Labelled | Distribution | None) -> Iterator[str]:
    if value is None:
        return
    if isinstance(value, (int, float)):
        yield _sample(name, {}, value)
    elif isinstance(value, Distribution):
        yield from _histogram(name, value)
    else:
        for labels, number in value:
            if number is not None:
                yield _sample(name, labels, number)


def _histogram(name: str, values: Distribution) -> Iterator[str]:
    counts = values.cumulated()
    for cut, count in zip((*map(str, values.cuts), "+Inf"), counts, strict=True):
        yield _sample(f"{name}_bucket", {"le": cut}, count)
    yield _sample(f"{name}_sum", {}, values.total)
    yield _sample(f"{name}_count", {}, counts[-1])


def _sample(name: str, labels: Mapping[str, str], value: Number) -> str:
    pairs = ",".join(f'{label}="{_escaped(text)}"' for label, text in {**ROLE, **labels}.items())
    return f"{name}{{{pairs}}} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
