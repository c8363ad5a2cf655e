"""The hidden layers of a network, as many as a search chooses.

They are the dense layers before the last one, each with what follows it up to the next. All are
copies of the first, with the units, the activation and the dropout that are chosen.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from nnrun.config.schema.search.distributions import DEPTH
from nnrun.errors import UsageError

Layers = Sequence[Mapping[str, Any]]
_KEPT = ("dense", "dropout", "batch_norm", "activation", "bias", "matmul")
_PLAIN = {"type": "dense", "activation": "relu", "initializer": "he_normal"}


def with_hidden(layers: Layers, depth: int, chosen: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The layers, of which the last is dense, with this many hidden ones.

    `chosen` has `units` of each of them, and `activation` and `dropout` of all, where these vary.

    Raises: UsageError if the last layer is not dense, or no layer says how many units there are.
    """
    head, block, last = _parts(layers)
    if not block:
        if "units" not in chosen:
            raise UsageError("the config has no hidden layer to copy; add 'units' to network.depth")
        block = [_PLAIN]
    hidden = []
    for number in range(depth):
        own = [dict(copy.deepcopy(layer)) for layer in block]
        if "units" in chosen:
            own[0]["units"] = chosen["units"][number]
        if "activation" in chosen:
            own[0]["activation"] = chosen["activation"]
        if "dropout" in chosen:
            own = [layer for layer in own if layer["type"] != "dropout"]
            rate = chosen["dropout"]
            own += [{"type": "dropout", "rate": rate}] if rate else []
        hidden += own
    return [*map(dict, head), *hidden, dict(last)]


def _parts(layers: Layers) -> tuple[Layers, Layers, Mapping[str, Any]]:
    """What comes before the hidden layers, the first hidden layer, and the last layer."""
    if not layers or layers[-1]["type"] != "dense":
        raise UsageError("network.depth counts dense layers before a last one that is dense")
    last = len(layers) - 1
    first = last
    while first and layers[first - 1]["type"] in _KEPT:
        first -= 1
    while first < last and layers[first]["type"] != "dense":
        first += 1
    end = first + 1
    while end < last and layers[end]["type"] != "dense":
        end += 1
    return layers[:first], layers[first : min(end, last)], layers[last]


def of_hidden(layers: Layers, names: Collection[str]) -> dict[str, Any]:
    """How many hidden layers there are, and what of them may vary, by dotted key."""
    head, _, _ = _parts(layers)
    inner = layers[len(head) : -1]
    dense = [layer for layer in inner if layer["type"] == "dense"]
    found: dict[str, Any] = {DEPTH: len(dense)}
    if "activation" in names and dense:
        found[f"{DEPTH}.activation"] = dense[0]["activation"]
    if "dropout" in names:
        rates = [layer["rate"] for layer in inner if layer["type"] == "dropout"]
        found[f"{DEPTH}.dropout"] = rates[0] if rates else 0.0
    if "units" in names:
        found[f"{DEPTH}.units"] = [layer["units"] for layer in dense]
    return found
