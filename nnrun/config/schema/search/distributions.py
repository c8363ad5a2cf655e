"""The values that a search may choose for a key: ranges of numbers, and choices.

A distribution is a mapping with one of `FORMS`. An option of a choice may hold distributions of its
own, which are drawn only where that option is chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

FORMS = ("uniform", "log_uniform", "int", "choice")
DEPTH = "network.depth"
"""The key of how many hidden layers there are."""
OF_DEPTH = ("units", "activation", "dropout")
"""What may vary with the depth: units of each hidden layer, and what all of them share."""


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; on a logarithmic scale, or in steps."""

    low: float
    high: float
    whole: bool
    log: bool = False
    step: float | None = None

    @property
    def tried(self) -> list[Any]:
        """Its ends, and of a range of fractions one between them, for keys of whole numbers."""
        if self.whole:
            return [self.low, self.high]
        step = 0.382 * (self.high - self.low) if self.step is None else self.step
        return [self.low, self.high, float(f"{self.low + step:.12g}")]

    @property
    def is_discrete(self) -> bool:
        """Whether it has few enough numbers to try each of them."""
        return self.whole or self.step is not None

    @property
    def count(self) -> int:
        """How many numbers a discrete range has."""
        return int((self.high - self.low) / (self.step or 1) + 1e-9) + 1

    def at(self, number: int) -> Any:
        """A number of a discrete range, counted from 0."""
        return self.low + number * (self.step or 1)


@dataclass(frozen=True)
class Choice:
    """One of several options, which may hold distributions."""

    options: tuple[Any, ...]


@dataclass(frozen=True)
class Depth:
    """How many hidden layers, and what varies with their number."""

    layers: Range
    inner: Mapping[str, Range | Choice]


Distribution = Range | Choice | Depth


def is_distribution(value: Any) -> bool:
    """Whether a value within an option is a distribution."""
    return isinstance(value, dict) and any(form in value for form in FORMS)


def read_distribution(value: Any, key: str = "") -> Distribution:
    """The distribution that a valid mapping describes; `key` is the dotted key that it is of."""
    if key == DEPTH:
        inner = {name: read_distribution(value[name]) for name in OF_DEPTH if name in value}
        own = {name: part for name, part in value.items() if name not in inner}
        layers = read_distribution(own)
        assert isinstance(layers, Range)
        return Depth(layers, {k: d for k, d in inner.items() if not isinstance(d, Depth)})
    if "choice" in value:
        return Choice(tuple(map(read_option, value["choice"])))
    form = next(form for form in FORMS if form in value)
    low, high = value[form]
    step = value.get("step")
    if form == "int":
        whole = None if step is None else int(step)
        return Range(int(low), int(high), True, bool(value.get("log", False)), whole)
    return Range(float(low), float(high), False, form == "log_uniform", step)


def read_option(value: Any) -> Any:
    """An option of a choice, with the distributions that it holds read."""
    if is_distribution(value):
        return read_distribution(value)
    if isinstance(value, dict):
        return {key: read_option(part) for key, part in value.items()}
    return [read_option(part) for part in value] if isinstance(value, list) else value


def samples(found: Any) -> Iterator[Any]:
    """Values that show whether a key takes what a distribution gives."""
    if isinstance(found, Range):
        yield from found.tried
    elif isinstance(found, Choice):
        for option in found.options:
            yield from samples(option)
    elif isinstance(found, dict):
        tried = {key: [*samples(part)] for key, part in found.items()}
        for at in range(max(map(len, tried.values()), default=1)):
            yield {key: values[min(at, len(values) - 1)] for key, values in tried.items()}
    elif isinstance(found, list):
        for numbered in samples(dict(enumerate(found))):
            yield [*numbered.values()]
    else:
        yield found


def is_conditional(found: Any) -> bool:
    """Whether it holds distributions that are drawn only for some of its values."""
    if isinstance(found, Depth):
        return "units" in found.inner
    if isinstance(found, Choice):
        return any(holds_distribution(option) for option in found.options)
    return False


def holds_distribution(value: Any) -> bool:
    """Whether there is a distribution in an option."""
    if isinstance(value, Range | Choice):
        return True
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(map(holds_distribution, parts))
