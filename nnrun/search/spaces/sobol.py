"""Settings that are spread evenly over the space, by a scrambled Sobol sequence."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from math import exp, log

from nnrun.config.schema.search.distributions import Range
from nnrun.search.spaces.choices import Draw, Label, Space
from nnrun.search.spaces.parameters import parameters_of


class Sobol:
    """The points of a sequence, one for each trial; results change nothing.

    Each parameter has a dimension, also those that are drawn only for some values of others.
    """

    most: int | None = None

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

    def tell(self, number: int, value: float | None, curve: Mapping[int, float]) -> None:
        pass


class _Evenly:
    """Chooses by a share between 0 and 1 for each parameter."""

    def __init__(self, shares: Mapping[str, float]) -> None:
        self._shares = shares

    def number(self, name: str, among: Range) -> float | int:
        share, low, high = self._shares[name], among.low, among.high
        if among.is_discrete and not among.log:
            values: list[float | int] = among.values()
            return values[int(share * len(values))]
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
