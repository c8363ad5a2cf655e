"""What the record of a watched run says: in which layer, since when, and by how much.

The limits were set beforehand, from what is usual: an update moves weights by about a thousandth,
and gradients of neighbouring layers are of a size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnrun.nn.signature import Array
from nnrun.training.watched import Watched

LARGE_UPDATE = 0.1
"""An update is large if it moves a layer's weights by more than this share of their size."""
FAINT = 1e-3
"""Gradients vanish, or explode, if they differ by this factor from those at the last layer."""
SATURATED = 0.5
"""The share of saturated units from which they are a problem."""


@dataclass(frozen=True)
class Sight:
    """Something that was seen: in a layer or parameter, from an iteration on, and how much.

    Where it `grew`, it was less at that iteration than at the end, which `value` is of.
    """

    where: str
    iteration: int
    value: float
    what: str = ""
    from_start: bool = False
    grew: bool = False


def large_update(watched: Watched | None, *, lasting: bool) -> Sight | None:
    """The first large update, of the parameter with the most numbers of each layer.

    With `lasting`, its median over the run must be large; the value is that median.
    """
    if watched is None:
        return None
    ratios = np.nan_to_num(watched.ratios, nan=0.0, posinf=np.inf)[:, _main_parameters(watched)]
    if lasting:
        ratios = np.median(ratios[:-1] if len(ratios) > 1 else ratios, axis=0, keepdims=True)
    looks = np.flatnonzero((ratios > LARGE_UPDATE).any(axis=1))
    if not looks.size:
        return None
    look = int(looks[0])
    column = int(ratios[look].argmax())
    name = watched.parameters[_main_parameters(watched)[column]]["name"]
    return Sight(name, watched.iterations[look], float(ratios[look, column]))


def faint_gradients(watched: Watched | None) -> Sight | None:
    """The layer nearest the output at which gradients stay faint to the end of the run.

    The value is the ratio at the first layer. Where half of a layer's units are flat, that is why.
    """
    if watched is None or (_flat(watched)[-1] >= SATURATED).any():
        return None
    ratios = _gradient_ratios(watched)
    faint = ratios < FAINT
    for column in reversed(range(ratios.shape[1] - 1)):
        look = since(faint[:, column])
        if look is not None:
            first = int(np.flatnonzero(np.isfinite(ratios[look]))[0])
            layer = watched.layers[column]["layer"]
            return Sight(layer, watched.iterations[look], float(ratios[look, first]))
    return None


def first_gradients(watched: Watched | None) -> float | None:
    """The ratio of the gradients at the first layer to those at the last, at the end."""
    if watched is None:
        return None
    known = _gradient_ratios(watched)[-1]
    known = known[np.isfinite(known)]
    return float(known[0]) if len(known) > 1 else None


def exploding_gradients(watched: Watched | None) -> Sight | None:
    """The layer with the largest gradients at the first look, if they explode.

    Later, large gradients are what a learning rate that is too large leads to.
    """
    if watched is None:
        return None
    ratios = np.nan_to_num(_gradient_ratios(watched)[0], nan=0.0, posinf=np.inf)
    column = int(ratios.argmax())
    if ratios[column] <= 1 / FAINT:
        return None
    return Sight(watched.layers[column]["layer"], watched.iterations[0], float(ratios[column]))


def saturated_layer(watched: Watched | None) -> Sight | None:
    """The hidden activation with the largest share of saturated units at the end."""
    if watched is None or not watched.units:
        return None
    shares = watched.arrays["units.saturated"]
    column = int(shares[-1].argmax())
    return _of_units(watched, column, shares[:, column], SATURATED)


def constant_since(watched: Watched | None, layer: str, least: float) -> Sight | None:
    """Since when so large a share of a layer's units is dead; except of relu, or saturated."""
    columns = {} if watched is None else {u["layer"]: k for k, u in enumerate(watched.units)}
    if watched is None or layer not in columns:
        return None
    column = columns[layer]
    dead_alone = watched.units[column]["activation"] == "relu"
    shares = watched.arrays["units.dead"] if dead_alone else _flat(watched)
    return _of_units(watched, column, shares[:, column], least)


def since(holds: Array) -> int | None:
    """The look from which on something holds at every look; None if not at the last one."""
    fails = np.flatnonzero(~holds)
    look = int(fails[-1]) + 1 if fails.size else 0
    return look if look < len(holds) else None


def _of_units(watched: Watched, column: int, shares: Array, least: float) -> Sight | None:
    look = since(shares >= least)
    if look is None:
        return None
    unit = watched.units[column]
    return Sight(
        unit["layer"], watched.iterations[look], float(shares[-1]), unit["activation"],
        from_start=look == 0, grew=bool(shares[look] < shares[-1]),
    )  # fmt: skip


def _flat(watched: Watched) -> Array:
    """The shares of units that are dead or saturated, (looks, units)."""
    found: Array = watched.arrays["units.dead"] + watched.arrays["units.saturated"]
    return found


def _gradient_ratios(watched: Watched) -> Array:
    """The size of dL/dy at each layer, relative to the last layer's: (looks, layers)."""
    sizes = watched.size("output_gradients")
    with np.errstate(all="ignore"):
        found: Array = sizes / sizes[:, -1:]
    return found


def _main_parameters(watched: Watched) -> list[int]:
    """The place of each layer's largest parameter, which is its weights and not its bias."""
    largest: dict[str, int] = {}
    for place, parameter in enumerate(watched.parameters):
        layer = parameter["name"].rpartition(".")[0]
        known = largest.setdefault(layer, place)
        if parameter["size"] > watched.parameters[known]["size"]:
            largest[layer] = place
    return [*largest.values()]
