"""A parameter of a search's space as charts show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import isfinite
from typing import Any

from nnrun.characters import shortened
from nnrun.config.overrides import OverrideError, parse_value
from nnrun.config.setting_words import value_words

_LONGEST = 60
_BINS = 6


@dataclass(frozen=True)
class Parameter:
    """A range of numbers, of their logarithms or of whole numbers; or a choice of options."""

    name: str
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False
    options: Sequence[str] = ()

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Parameter:
        """That of search.json; raises ValueError, KeyError or TypeError where it is damaged."""
        name = text_of(found["name"])
        if found["kind"] == "choice":
            options = [text_of(option) for option in found["options"]]
            if not options:
                raise ValueError("a choice of nothing")
            return cls(name, options=options)
        low, high = float(found["low"]), float(found["high"])
        if not (isfinite(low) and isfinite(high) and low <= high):
            raise ValueError("a range without ends")
        return cls(name, low, high, bool(found["log"]) and low > 0, bool(found["whole"]))

    @cached_property
    def names(self) -> Sequence[str]:
        """Of the options, in words; as they are where one cannot be read."""
        try:
            return [value_words(self.name, parse_value(option)) for option in self.options]
        except OverrideError:
            return self.options

    @property
    def short(self) -> str:
        """Without the block of the config, which repeats."""
        return self.name.removeprefix("training.").removeprefix("network.")

    def value(self, found: Any) -> float | str:
        """A number, or the text of an option; raises ValueError or TypeError for other values."""
        if not self.options:
            return float(found)
        return self.options[self.options.index(text_of(found))]

    def said(self, value: float | str) -> float | str:
        """A number as it is, or the name of an option."""
        return self.names[self.options.index(str(value))] if self.options else value

    def place(self, value: float | str) -> float:
        """A number as it is, or the index of an option."""
        return float(self.options.index(str(value)) if self.options else value)

    def bin(self, value: float | str) -> int:
        """The part of the range that a value is in, or the index of an option."""
        if self.options:
            return self.options.index(str(value))
        return sum(float(value) >= edge for edge in self._edges()[1:-1])

    def bin_names(self) -> Sequence[str]:
        """What is in each part."""
        if self.options:
            return self.names
        edges = self._edges()
        if self._is_counted:
            return [f"{edge + 0.5:g}" for edge in edges[:-1]]
        return [f"{a:.2g}–{b:.2g}" for a, b in pairwise(edges)]

    def _edges(self) -> list[float]:
        """The ends of the parts: one part for each of a few whole numbers."""
        low, high = self.low, self.high
        if self._is_counted:
            return [low - 0.5 + k for k in range(int(high - low) + 2)]
        if self.log:
            return [low * (high / low) ** (k / _BINS) for k in range(_BINS + 1)]
        return [low + (high - low) * k / _BINS for k in range(_BINS + 1)]

    @property
    def _is_counted(self) -> bool:
        return self.low == self.high or (self.whole and self.high - self.low < 2 * _BINS)


def text_of(value: Any) -> str:
    """A value as configs write it, shortened."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return shortened(str(value), _LONGEST)
