"""The state of a training loop as arrays and plain values, to continue from later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array

HistoryRow = dict[str, float | int]


@dataclass(frozen=True)
class TrainingState:
    """A moment of training: `arrays` by name, and `values` that JSON can hold."""

    arrays: dict[str, Array]
    values: dict[str, Any]

    @property
    def iteration(self) -> int:
        """The number of updates so far."""
        return int(self.values["iteration"])


def network_arrays(network: Network) -> dict[str, Array]:
    """Parameters and buffers by name; views, not copies."""
    buffers = {f"buffers.{name}": array for name, array in network.buffers.items()}
    return {"theta": network.theta, **buffers}


def live_arrays(network: Network, optimizer: Optimizer) -> dict[str, Array]:
    """The arrays that updates change, by name; views, not copies."""
    memory = {f"optimizer.{name}": array for name, array in optimizer.state.items()}
    return {**network_arrays(network), **memory}


def copies(arrays: dict[str, Array]) -> dict[str, Array]:
    """A copy of each."""
    return {name: array.copy() for name, array in arrays.items()}


def copy_into(live: dict[str, Array], saved: dict[str, Array]) -> None:
    """Overwrite the live arrays with the saved ones."""
    for name, array in live.items():
        array[...] = saved[name]


def under(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays whose names have this prefix, by the rest of their names."""
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
