"""Evaluating rows in chunks that fit into memory."""

from __future__ import annotations

from math import prod

from nnrun.nn.network import Network, once_for_each

# The most numbers that all layers together hold for one chunk of rows.
_CHUNK_NUMBERS = 500_000


@once_for_each
def chunk_rows(network: Network) -> int:
    """Rows evaluated at a time; it depends on the network alone, so that the bits are the same."""
    numbers = prod(network.input_shape) + sum(map(prod, network.shapes.values()))
    return max(1, min(4096, _CHUNK_NUMBERS // numbers))
