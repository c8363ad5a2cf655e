"""The stored names of a network's arrays, by the arrays themselves."""

from __future__ import annotations

from collections.abc import Iterator

from nnrun.nn.layer import Layer, Parameter
from nnrun.nn.network import Network
from nnrun.nn.signature import Array


class Names:
    """Answers `names[parameter or statistic]` with the name that it has in the file of weights."""

    def __init__(self, network: Network) -> None:
        self._names = {id(value): name for name, value in network.parameters.items()}
        self._names |= {id(array): name for name, array in network.buffers.items()}

    def __getitem__(self, part: Parameter | Array) -> str:
        return self._names[id(part)]


def all_layers(network: Network) -> Iterator[Layer]:
    """Every layer that a row goes through, those within layers included."""
    return (layer for _, layer in network.named_layers())
