"""Rows in portions that fit into memory."""

from __future__ import annotations

from math import prod

from nnrun.nn.layer import Layer
from nnrun.nn.layers import Convolution
from nnrun.nn.network import Network

# Numbers that all layers together may hold for one chunk of rows.
_CHUNK_NUMBERS = 500_000


def chunk_rows(network: Network) -> int:
    """Rows evaluated at a time: a matter of the network alone, so that sums have one order."""
    numbers = sum(prod(shape) for shape in (network.input_shape, *network.block_shapes))
    return max(1, min(4096, _CHUNK_NUMBERS // numbers))


def numbers_per_row(layer: Layer) -> int:
    """Numbers that a layer keeps for one row: its output, its dx, and a convolution's patches."""
    numbers = prod(layer.input_shape) + prod(layer.output_shape)
    if isinstance(layer, Convolution):
        area = layer.kernel[0] * layer.kernel[1]
        channels, height, width = layer.output_shape
        inputs, padded_height, padded_width = layer.padded
        numbers += area * inputs * height * width
        numbers += area * channels * padded_height * padded_width
    return numbers
