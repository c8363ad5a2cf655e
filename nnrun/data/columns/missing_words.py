"""Words that a config adds to those for missing values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from nnrun.data.labels import number

MissingValues = Mapping[str, Sequence[str]]
"""Words by the name of a column; under "" those of every column."""


@dataclass(frozen=True)
class MissingWords:
    """The words of a column; a word that is a number, such as -999, stands for its value.

    Args:
        texts: in lower case.
        numbers: by their values, those that are numbers, as they are written.
    """

    texts: frozenset[str] = frozenset()
    numbers: Mapping[float, str] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, words: MissingValues, decimal: str) -> MissingWords:
        """Words for missing values in a column of a file with this decimal sign."""
        every = [*words.get("", ()), *(words.get(name, ()) if name else ())]
        numbers = dict[float, str]()
        for word in every:
            # A config may write its numbers with a point, whatever the file does.
            value = number(word, decimal)
            value = number(word) if value is None else value
            if value is not None and math.isfinite(value):
                numbers.setdefault(float(value), word)
        return cls(frozenset(word.lower() for word in every), numbers)

    def __bool__(self) -> bool:
        return bool(self.texts)

    def hold(self, text: str, value_of: Callable[[str], float | None]) -> bool:
        """Whether a text is one of them, or by `value_of` the same number as one."""
        if text.lower() in self.texts:
            return True
        return bool(self.numbers) and value_of(text) in self.numbers


NO_WORDS = MissingWords()
