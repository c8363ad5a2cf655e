"""Everything a training loop knows, as arrays and plain values, to go on from later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nnrun.nn.network import Network
from nnrun.nn.optimizers import Optimizer
from nnrun.nn.signature import Array


@dataclass(frozen=True)
class TrainingState:
    """A moment of training: `arrays` by name, and `values` that JSON can hold."""

    arrays: dict[str, Array]
    values: dict[str, Any]

    @property
    def iteration(self) -> int:
        """How many updates had been made."""
        return int(self.values["iteration"])


def network_arrays(network: Network) -> dict[str, Array]:
    """What a trained network consists of, by name; views, not copies."""
    buffers = {f"buffers.{name}": array for name, array in network.buffers.items()}
    return {"theta": network.theta, **buffers}


def live_arrays(network: Network, optimizer: Optimizer) -> dict[str, Array]:
    """What updates change, by name; views, not copies."""
    memory = {f"optimizer.{name}": array for name, array in optimizer.state.items()}
    return {**network_arrays(network), **memory}


def copies(arrays: dict[str, Array]) -> dict[str, Array]:
    """A copy of each."""
    return {name: array.copy() for name, array in arrays.items()}


def copy_into(live: dict[str, Array], saved: dict[str, Array]) -> None:
    """Put saved arrays back in place."""
    for name, array in live.items():
        array[...] = saved[name]
