"""All settings of a space without continuous ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nnrun.config.schema.search.distributions import Range
from nnrun.errors import UsageError
from nnrun.search.spaces.choices import Draw, Label, Space

_MOST = 100_000


class Grid:
    """The settings in order; of more than there are trials, as many at random.

    Raises:
        UsageError: there are too many settings.
    """

    def __init__(self, space: Space, seed: int, trials: int | None) -> None:
        self._draws = all_draws(space)
        self.most: int | None = len(self._draws)
        if trials is not None and trials < len(self._draws):
            rng = np.random.default_rng(seed)
            self._draws = [self._draws[at] for at in rng.permutation(len(self._draws))]

    def propose(self, number: int, params: Mapping[str, Label] | None = None) -> Draw:
        return self._draws[number]

    def tell(self, number: int, value: float | None, curve: Mapping[int, float]) -> None:
        pass


def all_draws(space: Space) -> list[Draw]:
    """Every choice of a space; the last parameter changes first."""
    found: list[Draw] = []
    path: list[tuple[int, int]] = []  # the option taken for each parameter, and how many there are
    while True:
        taken = _Path(path)
        found.append(space.draw(taken))
        if len(found) > _MOST:
            raise UsageError(f"the grid has more than {_MOST:,} settings; take another sampler")
        path = taken.path
        while path and path[-1][0] == path[-1][1] - 1:
            path.pop()
        if not path:
            return found
        path[-1] = (path[-1][0] + 1, path[-1][1])


class _Path:
    """Takes the options of a path, and then the first of each further parameter."""

    def __init__(self, path: Sequence[tuple[int, int]]) -> None:
        self.path = [*path]
        self._at = 0

    def number(self, name: str, among: Range) -> float | int:
        values: list[float | int] = among.values()
        return values[self._take(len(values))]

    def option(self, name: str, labels: Sequence[Label]) -> int:
        return self._take(len(labels))

    def _take(self, count: int) -> int:
        if self._at == len(self.path):
            self.path.append((0, count))
        self._at += 1
        return self.path[self._at - 1][0]
