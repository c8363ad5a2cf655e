"""One look at a network: a forward and a backward pass over the same rows each time."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from nnrun.nn.network import Network
from nnrun.nn.signature import Array
from nnrun.training.watching.sites import Site, describe, sites_of, units_of
from nnrun.training.watching.watched import BINS

Look = dict[str, Array]
"""The numbers of one look, by the names of `Watched.arrays`."""
# Squares that are neither too small nor too large to be exact.
_SMALL = 1e-200
# So many numbers of an array are counted, at most.
_MOST_COUNTED = 10_000
# Numbers that differ by less share a bin.
_TINY = 1e-300


class Looker:
    """Looks at a network through a copy in float64, by NumPy, in training mode.

    Dropout's masks are the same at each look; batch normalisation takes the rows as its batch.

    Args:
        network: initialized.
        x: the rows.
        target: their targets, as the loss takes them.
    """

    def __init__(self, network: Network, x: Array, target: Array) -> None:
        self.twin = network.copy(np.float64)
        self.x, self.target = x.astype(np.float64), target.astype(np.float64)
        self.sites, self.units = sites_of(self.twin), units_of(self.twin)
        self.values: dict[str, Any] = {
            "rows": len(x), **describe(self.twin, self.sites, self.units)
        }  # fmt: skip
        self._outputs: dict[int, Array] = {}
        self._gradients: dict[int, Array] = {}
        for site in self.sites:
            self._follow(site)

    def look(self, network: Network) -> Look:
        """The numbers of a network, which is left as it is; those of updates are not known yet."""
        twin = self.twin
        twin.theta[...] = network.theta
        self._outputs.clear()
        self._gradients.clear()
        with np.errstate(all="ignore"):
            loss = twin.loss_and_gradient(self.x, self.target, np.random.default_rng(0))
            outputs = [self._outputs[index] for index in range(len(self.sites))]
            gradients = [self._gradients.get(index) for index in range(len(self.sites))]
            parameters = list(twin.parameters.values())
            found: Look = {
                "losses": np.array(loss),
                **_measured("weights", [parameter.value for parameter in parameters]),
                **_measured("gradients", [parameter.grad for parameter in parameters]),
                **_measured("outputs", outputs),
                "updates.norm": np.full(len(parameters), np.nan),
                "output_gradients.norm": np.array(
                    [np.nan if dy is None else norm(dy) for dy in gradients]
                ),
            }
            shares = np.array([unit.shares(self._like(unit.place)) for unit in self.units])
        dead, saturated = shares.reshape(-1, 2).T
        return {**found, "units.dead": dead, "units.saturated": saturated}

    def _like(self, place: str) -> Array:
        return next(
            self._outputs[index] for index, site in enumerate(self.sites) if site.place == place
        )

    def _follow(self, site: Site) -> None:
        """Keep what the site's last part returns, and the gradient that reaches it."""
        layer, index = site.last, self.sites.index(site)
        forward, backward = layer.forward, layer.backward

        def keep_output(x: Array, rng: np.random.Generator | None = None) -> Array:
            self._outputs[index] = y = forward(x, rng)
            return y

        def keep_gradient(dy: Array, needs_dx: bool = True) -> Array:
            self._gradients[index] = dy
            return backward(dy, needs_dx)

        vars(layer).update(forward=keep_output, backward=keep_gradient)


def norm(array: Array) -> float:
    """The Euclidean length of all numbers together; infinite or NaN if one of them is."""
    flat = array.ravel()
    with np.errstate(all="ignore"):
        square = float(np.dot(flat, flat))
        if _SMALL < square < 1 / _SMALL or square == 0 == np.count_nonzero(flat):
            return sqrt(square)
        largest = float(np.abs(flat).max())
        if not 0 < largest < np.inf:
            return largest
        scaled = flat / largest
        return sqrt(float(np.dot(scaled, scaled))) * largest


def histogram(array: Array) -> tuple[Array, Array]:
    """The counts in bins of equal width, and the ends of all bins.

    Of finite numbers, and of many, of some that are evenly spread.
    """
    flat = array.ravel()
    flat = flat[:: -(-flat.size // _MOST_COUNTED) or 1]
    low, high = float(flat.min(initial=np.inf)), float(flat.max(initial=-np.inf))
    if not (np.isfinite(low) and np.isfinite(high)):
        flat = flat[np.isfinite(flat)]
        if not flat.size:
            return np.zeros(BINS, np.uint32), np.zeros(2)
        low, high = float(flat.min()), float(flat.max())
    width = high / BINS - low / BINS
    # Halves, as the difference of the largest numbers overflows.
    places = (flat / 2 - low / 2) / (width / 2) if width > _TINY else np.zeros(flat.size)
    counts = np.bincount(np.minimum(places, BINS - 1).astype(np.intp), minlength=BINS)
    return counts.astype(np.uint32), np.array([low, high])


def _measured(name: str, arrays: list[Array]) -> Look:
    found = [histogram(array) for array in arrays]
    counts = np.array([counts for counts, _ in found], np.uint32).reshape(-1, BINS)
    ends = np.array([ends for _, ends in found], np.float64).reshape(-1, 2)
    norms = np.array([norm(array) for array in arrays], np.float64)
    return {f"{name}.norm": norms, f"{name}.histogram": counts, f"{name}.range": ends}
