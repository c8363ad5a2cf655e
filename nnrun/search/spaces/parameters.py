"""The parameters of a space, those of conditions included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnrun.config.schema.search.distributions import DEPTH, Choice, Depth, Range
from nnrun.search.spaces.choices import Space, labels_of

Parameters = Mapping[str, Range | Choice]


def parameters_of(space: Space) -> Parameters:
    """Each parameter that a trial may have, by its name, in the order in which they are drawn."""
    found: dict[str, Range | Choice] = {}
    for key, distribution in space.keys.items():
        if isinstance(distribution, Depth):
            _of_depth(distribution, found)
        else:
            _collect(key, distribution, found)
    return found


def _of_depth(depth: Depth, found: dict[str, Range | Choice]) -> None:
    found[DEPTH] = depth.layers
    for name in ("activation", "dropout"):
        if name in depth.inner:
            _collect(f"{DEPTH}.{name}", depth.inner[name], found)
    if "units" in depth.inner:
        for at in range(int(depth.layers.high)):
            _collect(f"{DEPTH}.units.{at}", depth.inner["units"], found)


def _collect(name: str, value: Any, found: dict[str, Range | Choice]) -> None:
    if isinstance(value, Range):
        found[name] = value
    elif isinstance(value, Choice):
        found[name] = value
        for label, option in zip(labels_of(value), value.options, strict=True):
            _collect(f"{name}.{label}", option, found)
    elif isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in parts:
            _collect(f"{name}.{key}", part, found)
