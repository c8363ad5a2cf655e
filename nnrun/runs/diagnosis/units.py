"""Units with the same output for every row: dead rectifiers, saturated sigmoids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnrun.nn.activations.base import Activation
from nnrun.nn.network import Network, chunk_rows
from nnrun.nn.sequential import dotted
from nnrun.nn.signature import Array
from nnrun.runs.diagnosis.inputs import DiagnosisInput, Diagnostic
from nnrun.runs.diagnosis.learning_rate import TINY, excess
from nnrun.runs.diagnosis.watched import constant_since

# Outputs are the same if they differ by no more; saturating activations are within [-1, 1].
_SAME = 1e-9

# The share of constant units from which they are a problem.
DEAD = 0.25


@dataclass(frozen=True, order=True)
class ConstantUnits:
    """The constant units of a hidden activation, ordered by their share.

    The units of an image are its channels.
    """

    share: float
    layer: str
    activation: str
    constant: int
    units: int


def dead_units(case: DiagnosisInput) -> Diagnostic | None:
    """Units with the same output for every training row, which get no gradient."""
    found = most_dead(case)
    if found is None or found.share < DEAD:
        return None
    zeros = case.config.network.initializer.type == "zeros"
    seen = constant_since(case.watched, found.layer, DEAD)
    # What was so before the first update is not caused by the rate.
    blameless = excess(case) < 1 / TINY or (seen is not None and seen.from_start)
    if zeros:
        cure = "another network.initializer than zeros, with which all units stay alike"
    elif found.activation == "relu":
        cure = "leaky_relu" if blameless else "a smaller learning rate, or leaky_relu"
    else:
        cure = "scaled features, or smaller initial weights"
        cure = cure if blameless else f"a smaller learning rate, {cure}"
    part = f" {DEAD:.0%} of the layer or more" if seen is not None and seen.grew else ""
    since = "" if seen is None else f",{part} since iteration {seen.iteration:,}"
    state = "are zero" if found.activation == "relu" else "give the same"
    text = (
        f"{found.constant} of {found.units} {found.activation} units of layer {found.layer} "
        f"{state} for every training row{since}; try {cure}"
    )
    return Diagnostic("dead_units", text, (3 if zeros else 2) * found.share)


def most_dead(case: DiagnosisInput) -> ConstantUnits | None:
    """The hidden activation with the largest share of constant units."""
    return max(constant_units(case.network, case.examples["train"].x), default=None)


def constant_units(network: Network, x: Array) -> list[ConstantUnits]:
    """The constant units over rows x of each hidden activation except `linear`."""
    last = network.blocks[-1]
    hidden = [
        (dotted(place), layer)
        for place, layer in network.named_layers()
        if isinstance(layer, Activation) and not layer.identity and layer not in last
    ]
    if not hidden:
        return []
    low = [np.full(_units(layer), np.inf) for _, layer in hidden]
    high = [np.full(_units(layer), -np.inf) for _, layer in hidden]
    step = chunk_rows(network)
    with np.errstate(all="ignore"):
        for start in range(0, len(x), step):
            network.predict(x[start : start + step])
            for k, (_, layer) in enumerate(hidden):
                over = tuple(axis for axis in range(layer.y.ndim) if axis != 1)
                np.minimum(low[k], layer.y.min(axis=over), out=low[k])
                np.maximum(high[k], layer.y.max(axis=over), out=high[k])
    found = []
    for (place, layer), lowest, highest in zip(hidden, low, high, strict=True):
        constant = int(np.count_nonzero(highest - lowest <= _SAME))
        found.append(
            ConstantUnits(constant / len(lowest), place, layer.type, constant, len(lowest))
        )
    return found


def _units(layer: Activation) -> int:
    return layer.output_shape[0]
