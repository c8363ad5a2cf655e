"""The names under which a network's arrays are stored."""

from __future__ import annotations

from collections.abc import Iterator

from nnrun.nn.layer import Layer, Parameter
from nnrun.nn.network import Network
from nnrun.nn.signature import Array


class Names:
    """`names[parameter or buffer]` is its name in the file of weights."""

    def __init__(self, network: Network) -> None:
        self._names = {id(value): name for name, value in network.parameters.items()}
        self._names |= {id(array): name for name, array in network.buffers.items()}

    def __getitem__(self, part: Parameter | Array) -> str:
        return self._names[id(part)]


def all_layers(network: Network) -> Iterator[Layer]:
    """Every layer that a row goes through, including those inside layers."""
    return (layer for _, layer in network.named_layers())
