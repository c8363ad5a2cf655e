"""A part of a sweep, for a job of an array."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from nnrun.errors import UsageError
from nnrun.nn.signature import Array

_DIGITS = 6


@dataclass(frozen=True)
class Shard:
    """Every `of`-th run of a plan, beginning with the `number`-th.

    Runs are numbered setting by setting, long ones first. So shards differ by one run at most, and
    little in their estimated time; a setting's seeds are spread over all of them, and if their
    number is a multiple of `of`, each shard has the same seeds of every setting.
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `3/10`.

        Raises: UsageError if it is no such text, or there is no such shard.
        """
        found = re.fullmatch(rf"(\d{{1,{_DIGITS}}})/(\d{{1,{_DIGITS}}})", text, re.ASCII)
        if found is None:
            raise UsageError(f"--shard {text}: give K/N for the K-th of N parts, such as 3/10")
        number, of = map(int, found.groups())
        if not of:
            raise UsageError(f"--shard {text}: a sweep has at least one part, 1/1")
        if not 1 <= number <= of:
            hint = "" if number else "; in an array of jobs that counts from 0, add 1 to K"
            raise UsageError(f"--shard {text}: K goes from 1 to {of}{hint}")
        return cls(number, of)

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def first_from(self, start: int) -> int:
        """How far after the run with the index `start` the shard's next run is; 0 for itself."""
        return (self.number - 1 - start) % self.of

    def count(self, start: Array, stop: Array) -> Array:
        """How many of the runs with the indices `start` to `stop` - 1 are in the shard."""
        count: Array = (stop - self.number) // self.of - (start - self.number) // self.of
        return count


WHOLE = Shard(1, 1)
