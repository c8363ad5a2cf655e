"""Rows in portions that fit into memory."""

from __future__ import annotations

from math import prod

from nnrun.nn.network import Network

# Numbers that all layers together may hold for one chunk of rows.
_CHUNK_NUMBERS = 500_000


def chunk_rows(network: Network) -> int:
    """Rows evaluated at a time: a matter of the network alone, so that sums have one order."""
    numbers = prod(network.input_shape) + sum(map(prod, network.shapes.values()))
    return max(1, min(4096, _CHUNK_NUMBERS // numbers))
