"""The record of a watched run, as arrays and plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
