"""An explained update as JSON data."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnrun.explain.equations import equations, loss_equation, optimizer_equation
from nnrun.explain.film import SIDES, Film
from nnrun.explain.surfaces import Surfaces
from nnrun.explain.trace import LayerTrace
from nnrun.explain.update import Explanation
from nnrun.nn.signature import Array

_OF_PARAMETER = ("value", "gradient", "numerical", "updated")


def as_data(found: Explanation) -> dict[str, Any]:
    """All numbers, with the equations that they come from."""
    update = found.update
    return {
        "title": found.title,
        "moment": found.moment,
        "rows": found.rows,
        "notes": [*found.notes],
        "classes": [*found.classes],
        "x": numbers(update.x),
        "layers": [_layer(trace) for trace in update.layers],
        "loss": {
            "type": update.network.loss.type,
            "equation": loss_equation(update.network.loss),
            "head": update.network.head.type if update.network.head else None,
            "output": numbers(update.output),
            "prediction": numbers(update.prediction),
            "target": numbers(update.target),
            "weight": None if update.weight is None else numbers(update.weight[:, 0]),
            "value": update.loss,
            "gradient": numbers(update.dy),
        },
        "optimizer": {
            "type": update.optimizer.type,
            "equation": optimizer_equation(update.optimizer),
            "learning_rate": update.learning_rate,
            "gradient_norm": update.norm,
            "clip_norm": update.clip_norm,
        },
        "surfaces": None if found.film is None else _film(found.film),
    }


def _film(film: Film) -> dict[str, Any]:
    """The outputs and hidden units over a grid, from bottom to top, at moments of training."""
    return {
        "features": [*film.features],
        "extent": [*film.extent],
        "side": SIDES[len(film.features)],
        "outputs": [*film.outputs],
        "notes": [*film.notes],
        "frames": [_frame(iteration, surfaces) for iteration, surfaces in film.frames],
    }


def _frame(iteration: int, surfaces: Surfaces) -> dict[str, Any]:
    return {
        "iteration": iteration,
        "outputs": _short(surfaces.outputs),
        "classes": None if surfaces.classes is None else surfaces.classes.tolist(),
        "layers": [
            {"layer": layer.place, "type": layer.kind, "units": _short(layer.units)}
            for layer in surfaces.layers
        ],
    }


def _short(array: Array) -> Any:
    """Numbers with six digits, since there are very many."""
    return numbers(np.array([float(f"{v:.6g}") for v in array.ravel()]).reshape(array.shape))


def _layer(trace: LayerTrace) -> dict[str, Any]:
    forward, backward = equations(trace.layer)
    return {
        "place": trace.place,
        "type": trace.layer.type,
        "forward": forward,
        "backward": backward,
        "x": numbers(trace.x),
        "y": numbers(trace.y),
        "dy": numbers(trace.dy),
        "dx": numbers(trace.dx),
        "parameters": [
            {"name": p.name, **{key: numbers(getattr(p, key)) for key in _OF_PARAMETER}}
            for p in trace.parameters
        ],
    }


def numbers(array: Array) -> Any:
    """Nested lists; null for what is no number."""
    if np.isfinite(array).all():
        return array.tolist()
    known = array.astype(object)
    known[~np.isfinite(array)] = None
    return known.tolist()
