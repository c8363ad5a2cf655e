"""Weights by name, and their SHA-256."""

from __future__ import annotations

import hashlib

import numpy as np

from nnrun.nn.layer import Parameter
from nnrun.nn.network import Network
from nnrun.nn.signature import Array, Shape


def weights_views(network: Network) -> dict[str, Array]:
    """Parameters and buffers by `<layer's index in the config>.<name>`; views, not copies."""
    parameters = {name: parameter.value for name, parameter in network.parameters.items()}
    return {**parameters, **network.buffers}


def weights_shapes(network: Network) -> dict[str, Shape]:
    """Their shapes, which are known before memory is allocated."""
    parameters = {name: parameter.shape for name, parameter in network.parameters.items()}
    return {**parameters, **{name: array.shape for name, array in network.buffers.items()}}


def weights_of(network: Network) -> dict[str, Array]:
    """Copies of parameters and buffers, by the same names."""
    return {name: array.copy() for name, array in weights_views(network).items()}


def load_weights(network: Network, weights: dict[str, Array]) -> None:
    """Copy stored weights into an initialized network."""
    for name, array in weights_views(network).items():
        array[...] = weights[name]


def weights_sha256(weights: dict[str, Array]) -> str:
    """SHA-256 over names, types, shapes and little-endian bytes, in the order of names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name])
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


class Names:
    """`names[parameter or buffer]` is its name in the file of weights."""

    def __init__(self, network: Network) -> None:
        self._names = {id(value): name for name, value in network.parameters.items()}
        self._names |= {id(array): name for name, array in network.buffers.items()}

    def __getitem__(self, part: Parameter | Array) -> str:
        return self._names[id(part)]
