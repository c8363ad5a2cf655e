"""The record of a watched run, and whether one that is read is valid."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from nnrun.nn.signature import Array
from nnrun.training.state import TrainingState, under

BINS = 24
"""The bins of each histogram, of equal width between the smallest and the largest number."""
DISTRIBUTIONS = ("weights", "gradients", "outputs")
"""What there are histograms of: parameters, dL/dparameter, outputs of layers."""
COLUMNS = {
    "weights.norm": "parameters",
    "gradients.norm": "parameters",
    "updates.norm": "parameters",
    "outputs.norm": "layers",
    "output_gradients.norm": "layers",
    "units.dead": "units",
    "units.saturated": "units",
}
"""The numbers of a look: each an array (looks, parameters), (looks, layers) or (looks, units)."""
OWNERS = {"weights": "parameters", "gradients": "parameters", "outputs": "layers"}
_FRAME = "frame."
_RECORD = "watched"


@dataclass(frozen=True)
class Watched:
    """What was seen at some evaluations of a run: the `looks`.

    Args:
        arrays: by name. `iterations`, `rates` and `losses` are (looks); `COLUMNS` has others; each
            of `DISTRIBUTIONS` has `.histogram`, (looks, parameters or layers, bins), and `.range`,
            (looks, parameters or layers, 2). `frame.<iteration>.<name>` is a weight.
        values: `rows` that were looked at; `parameters`, `layers` and `units` describe the columns
            of the arrays; `frames` has the iterations of these.
    """

    arrays: Mapping[str, Array]
    values: Mapping[str, Any]

    @property
    def iterations(self) -> list[int]:
        """The iterations of the looks, ascending: this many updates had been made."""
        return [int(iteration) for iteration in self.arrays["iterations"]]

    @property
    def rows(self) -> int:
        """The rows of the training split that the network was given."""
        return int(self.values["rows"])

    @property
    def parameters(self) -> Sequence[Mapping[str, Any]]:
        """The `name` and `size` of each parameter."""
        found: Sequence[Mapping[str, Any]] = self.values["parameters"]
        return found

    @property
    def layers(self) -> Sequence[Mapping[str, Any]]:
        """The `layer`, its `type`, and the `size` of its output for one row."""
        found: Sequence[Mapping[str, Any]] = self.values["layers"]
        return found

    @property
    def units(self) -> Sequence[Mapping[str, Any]]:
        """The `layer` and `activation` of each hidden activation, and how many `units` it has."""
        found: Sequence[Mapping[str, Any]] = self.values["units"]
        return found

    @property
    def ratios(self) -> Array:
        """|update| / |weight| for each parameter, (looks, parameters); NaN where it is unknown."""
        with np.errstate(all="ignore"):
            weights = self.arrays["weights.norm"]
            found: Array = np.where(weights > 0, self.arrays["updates.norm"] / weights, np.nan)
        return found

    def size(self, name: str) -> Array:
        """The root mean square of a norm's array, comparable between layers: (looks, columns)."""
        owner = COLUMNS[f"{name}.norm"]
        rows = self.rows if owner == "layers" else 1
        counts = np.array([rows * part["size"] for part in self.values[owner]], np.float64)
        found: Array = self.arrays[f"{name}.norm"] / np.sqrt(np.maximum(counts, 1))
        return found

    @property
    def frames(self) -> list[tuple[int, dict[str, Array]]]:
        """The weights and buffers at some of the looks, by name; empty where none were kept."""
        found = []
        for iteration in self.values["frames"]:
            prefix = f"{_FRAME}{iteration}."
            found.append((int(iteration), under(prefix, self.arrays)))
        return found


def add_record(state: TrainingState, watched: Watched) -> None:
    """Put a record into the state of an unfinished run."""
    state.arrays.update({f"{_RECORD}.{name}": array for name, array in watched.arrays.items()})
    state.values[_RECORD] = watched.values


def record_in(state: TrainingState) -> Watched | None:
    """The record in a state, if there is one."""
    values = state.values.get(_RECORD)
    return None if values is None else Watched(under(f"{_RECORD}.", state.arrays), values)


def is_of_looks(name: str) -> bool:
    """Whether an array of a record has one entry for each look, besides their iterations."""
    return name != "iterations" and not name.startswith(_FRAME)


def frame_arrays(iteration: int, weights: Mapping[str, Array]) -> dict[str, Array]:
    """The weights of a frame by the names that a record has them by."""
    return {f"{_FRAME}{iteration}.{name}": array for name, array in weights.items()}


# Validation of a record of a watched run, which others may have written.

_MOST_LOOKS, _MOST_FRAMES = 1000, 100
_NAME = re.compile(r"[A-Za-z0-9_. -]{1,200}")
_COLUMNS = {
    "parameters": {"name": str, "size": int},
    "layers": {"layer": str, "type": str, "size": int},
    "units": {"layer": str, "activation": str, "units": int},
}


def is_valid(watched: Watched) -> bool:
    """Whether arrays and values have the forms that `Watched` describes."""
    try:
        return _has_its_form(watched)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return False


def _has_its_form(watched: Watched) -> bool:
    arrays, values = watched.arrays, watched.values
    looks = len(arrays["iterations"])
    if not looks <= _MOST_LOOKS or not _are_iterations(arrays["iterations"].tolist()):
        return False
    if not all(_are_columns(values[owner], form) for owner, form in _COLUMNS.items()):
        return False
    known = {owner: len(values[owner]) for owner in _COLUMNS}
    wanted: dict[str, tuple[int, ...]] = {
        name: (looks, known[owner]) for name, owner in COLUMNS.items()
    }
    wanted |= {"rates": (looks,), "losses": (looks,)}
    wanted |= {f"{name}.range": (looks, known[owner], 2) for name, owner in OWNERS.items()}
    counts = {f"{name}.histogram": (looks, known[owner], BINS) for name, owner in OWNERS.items()}
    return (
        type(watched.rows) is int
        and watched.rows > 0
        and all(_has(arrays[name], shape, np.float64) for name, shape in wanted.items())
        and all(_has(arrays[name], shape, np.uint32) for name, shape in counts.items())
        and all(_are_ranges(arrays[f"{name}.range"]) for name in OWNERS)
        and _are_frames(values["frames"], watched)
    )


def _has(array: Array, shape: tuple[int, ...], dtype: type[np.generic]) -> bool:
    return array.shape == shape and array.dtype == dtype


def _are_ranges(ends: Array) -> bool:
    return bool(np.isfinite(ends).all() and (ends[..., 0] <= ends[..., 1]).all())


def _are_columns(columns: Any, form: Mapping[str, type]) -> bool:
    return isinstance(columns, list) and all(
        isinstance(column, dict)
        and {key: type(value) for key, value in column.items()} == form
        and all(
            value >= 0 if isinstance(value, int) else _NAME.fullmatch(value)
            for value in column.values()
        )
        for column in columns
    )


def _are_iterations(found: Sequence[Any]) -> bool:
    """Whether they are ascending whole numbers from 0 on."""
    return all(type(one) is int and one >= 0 for one in found) and all(
        one < next_one for one, next_one in pairwise(found)
    )


def _are_frames(iterations: Any, watched: Watched) -> bool:
    """Whether all of them have the same weights, and finite ones."""
    if not isinstance(iterations, list) or len(iterations) > _MOST_FRAMES:
        return False
    frames = [weights for _, weights in watched.frames]
    forms = [{n: (array.shape, array.dtype) for n, array in one.items()} for one in frames]
    return (
        _are_iterations(iterations)
        and all(form == forms[0] and form for form in forms)
        and all(
            array.dtype in (np.float32, np.float64) and bool(np.isfinite(array).all())
            for weights in frames
            for array in weights.values()
        )
    )
