"""Proposals that no result changes: the settings of a grid, and points of a Sobol sequence."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from math import exp, log

import numpy as np

from nnrun.config.schema.search.distributions import Range
from nnrun.errors import UsageError
from nnrun.search.spaces.choices import Draw, Label, Space, parameters_of

_MOST = 100_000


class Proposer:
    """Proposes trial 0, 1, 2, …; the results it has before a proposal decide that."""

    most: int | None = None
    """How many different trials there are, if that is limited."""

    def propose(self, number: int, params: Mapping[str, Label] | None = None) -> Draw:
        """The choice of a trial, or the one with these parameters."""
        raise NotImplementedError

    def tell(self, number: int, value: float | None, curve: Mapping[int, float]) -> None:
        """How a trial ended: its value, or None if it was ended early or failed.

        `curve` has its values at the rungs that it reached, by their number.
        """


class Grid(Proposer):
    """The settings in order; of more than there are trials, as many at random.

    Raises: UsageError if there are too many settings.
    """

    def __init__(self, space: Space, seed: int, trials: int | None) -> None:
        self._draws = all_draws(space)
        self.most = len(self._draws)
        if trials is not None and trials < len(self._draws):
            rng = np.random.default_rng(seed)
            self._draws = [self._draws[at] for at in rng.permutation(len(self._draws))]

    def propose(self, number: int, params: Mapping[str, Label] | None = None) -> Draw:
        return self._draws[number]


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
        found: float | int = among.at(self._take(among.count))
        return found

    def option(self, name: str, labels: Sequence[Label]) -> int:
        return self._take(len(labels))

    def _take(self, count: int) -> int:
        if self._at == len(self.path):
            self.path.append((0, count))
        self._at += 1
        return self.path[self._at - 1][0]


class Sobol(Proposer):
    """The points of a sequence, one for each trial; results change nothing.

    Each parameter has a dimension, also those that are drawn only for some values of others.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._seed = seed
        self._dimensions = {name: at for at, name in enumerate(parameters_of(space))}

    def propose(self, number: int, params: Mapping[str, Label] | None = None) -> Draw:
        from scipy.stats import qmc  # noqa: PLC0415  # slow to import

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # any number of points will do
            engine = qmc.Sobol(max(1, len(self._dimensions)), rng=self._seed)
            if number:
                engine.fast_forward(number)
            point = engine.random(1)[0]
        shares = {name: float(point[at]) for name, at in self._dimensions.items()}
        return self._space.draw(_Evenly(shares))


def drawn_with(fixed: Mapping[str, float], space: Space, count: int) -> Iterator[Draw]:
    """Random choices of a space, always the same ones, with fixed shares of some parameters."""
    rng = np.random.default_rng(0)
    names = [*parameters_of(space)]
    for _ in range(count):
        yield space.draw(_Evenly(dict(zip(names, rng.random(len(names)), strict=True)) | {**fixed}))


class _Evenly:
    """Chooses by a share between 0 and 1 for each parameter."""

    def __init__(self, shares: Mapping[str, float]) -> None:
        self._shares = shares

    def number(self, name: str, among: Range) -> float | int:
        share, low, high = self._shares[name], among.low, among.high
        if among.is_discrete and not among.log:
            found: float | int = among.at(int(share * among.count))
            return found
        if among.whole:  # each whole number has the share that rounding gives it
            low, high = low - 0.5, high + 0.5
        value = (
            exp(log(low) + share * (log(high) - log(low)))
            if among.log
            else (low + share * (high - low))
        )
        value = min(max(value, among.low), among.high)
        return round(value) if among.whole else value

    def option(self, name: str, labels: Sequence[Label]) -> int:
        return int(self._shares[name] * len(labels))
