"""What a page draws of a session: pictures as numbers, weights, losses, points."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np

from nnrun.data.splits.parts import SplitData
from nnrun.explain.surfaces import Extent, Surfaces, extent_of, surfaces
from nnrun.nn.signature import Array
from nnrun.ui.playing.edits import MOST_UNITS, fixed
from nnrun.ui.playing.session import Session

Content = dict[str, Any]
"""Plain values that JSON can hold."""

_SIDE = 48  # of the picture of an output; those of units have half as many points
_LINE = 121  # the points of a curve
_MOST_POINTS = 1000
_ROOM = 0.1  # above and below the targets of a curve, as a share of their range


def frame_of(session: Session) -> Content:
    """What changes with every update: losses, pictures and weights."""
    extent, low, high = _plane(session)
    shape = session.prepared.network
    side = _SIDE if len(extent) == 4 else _LINE
    found = surfaces(session.prepared, extent, side)
    with np.errstate(all="ignore"):
        outputs = _outputs(session, found, low, high)
    last = str(len(shape.blocks) - 1)
    return {
        "iteration": session.iteration,
        "epoch": session.epoch,
        "losses": {k: v if isfinite(v) else None for k, v in session.evaluate().items()},
        "trouble": session.trouble,
        "outputs": [_encoded(picture) for picture in outputs],
        "output": _numbers(session, last),
        "layers": [
            {"units": [_unit(values) for values in layer.units[:MOST_UNITS]],
             **_numbers(session, layer.place)}
            for layer in found.layers
        ],
    }  # fmt: skip


def form_of(session: Session) -> Content:
    """What stays as long as no setting changes: layers, points, the values of settings."""
    prepared, (extent, low, high) = session.prepared, _plane(session)
    dataset, split = prepared.dataset, prepared.split
    names = dataset.feature_names or [f"x{n + 1}" for n in range(dataset.shape[0])]
    found = surfaces(prepared, extent, 2)
    parts = {"train": split.train, **split.held_out}
    return {
        "title": session.start.title,
        "drawn": session.start.drawn,
        "features": [*names],
        "target": ", ".join(dataset.target_names) or "output",
        "classes": [*map(str, dataset.classes)],
        "extent": [*extent],
        "range": [low, high],
        "layers": [
            {"place": layer.place, "kind": layer.kind, "units": len(layer.units)}
            for layer in found.layers
        ],
        "outputs": prepared.network.output_shape[0],
        "points": {name: _points(part) for name, part in parts.items()},
        "rows": {name: len(part) for name, part in parts.items()},
        "parameters": prepared.network.size,
        "values": session.values,
        "fixed": fixed(session.start),
        "notes": [*session.start.notes],
        "most_units": MOST_UNITS,
    }


def _plane(session: Session) -> tuple[Extent, float, float]:
    """The extent of the pictures, and the range of the outputs, with room around a curve."""
    split = session.prepared.split
    parts = [split.train, *split.held_out.values()]
    extent = extent_of(np.concatenate([_raw(part) for part in parts]))
    low, high = 0.0, 1.0
    if not session.prepared.dataset.classes:
        y = np.concatenate([np.ravel(part.y) for part in parts]).astype(np.float64)
        low, high = float(y.min()), float(y.max())
    room = (high - low) * _ROOM if len(extent) == 2 else 0.0
    return extent, low - room, high + room


def _raw(part: SplitData) -> Array:
    return np.asarray(part.raw.between(0, len(part)), np.float64).reshape(len(part), -1)


def _outputs(session: Session, found: Surfaces, low: float, high: float) -> Sequence[Array]:
    """A picture for each output unit, from -1 to 1, the middle of the range at 0."""
    units = session.prepared.network.output_shape[0]  # one stands for the second of two classes
    middle, half = (low + high) / 2, (high - low) / 2 or 1.0
    return [(values - middle) / half for values in found.outputs[-units:]]


def _unit(values: Array) -> Content:
    """The picture of a hidden unit, with its range; its largest value, or its least, is the end."""
    coarse = values[::2, ::2] if values.ndim == 2 else values
    low, high = float(values.min()), float(values.max())
    largest = max(abs(low), abs(high)) or 1.0
    return {
        "low": low if isfinite(low) else None,
        "high": high if isfinite(high) else None,
        "picture": _encoded(coarse / largest),
    }


def _encoded(values: Array) -> str:
    """Values from -1 to 1 as bytes from 0 to 254, the top row first."""
    known = np.nan_to_num(values[::-1] if values.ndim == 2 else values, nan=0.0)
    levels = np.rint(127 + 127 * np.clip(known, -1, 1)).astype(np.uint8)
    return b64encode(levels.tobytes()).decode()


def _numbers(session: Session, place: str) -> Content:
    """The weights (units, inputs) and biases of a dense layer's first units."""
    parameters, found = session.prepared.network.parameters, {}
    if (weight := parameters.get(f"{place}.weight")) is not None and len(weight.shape) == 2:
        found["weights"] = weight.value[:, :MOST_UNITS].T.tolist()
    if (bias := parameters.get(f"{place}.bias")) is not None and len(bias.shape) == 1:
        found["biases"] = bias.value[:MOST_UNITS].tolist()
    return found


def _points(part: SplitData) -> list[list[float]]:
    """Rows, evenly taken from many, each with its class or value at the end."""
    step = -(-len(part) // _MOST_POINTS)
    rows = np.column_stack([_raw(part), part.y.reshape(len(part), -1)[:, 0]])[::step]
    return [[float(f"{value:.5g}") for value in row] for row in rows.tolist()]
