"""How layers and steps of preprocessing are exported: tables of emitters by type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from nnrun.errors import UsageError
from nnrun.nn.layer import Layer
from nnrun.plugins.loading import find

Emitter = TypeVar("Emitter")


@dataclass(frozen=True)
class Emitters(Generic[Emitter]):
    """The emitters of one type of layer or step, by the library that a script uses."""

    numpy: Emitter
    pytorch: Emitter


def emitter_of(emitters: Mapping[str, Emitter], name: str, target: str) -> Emitter:
    """The emitter of a type of layer or step.

    `target` is what is written, for the error: `ONNX` or `a script`.

    Raises:
        UsageError: there is none.
    """
    if name not in emitters:
        known = ", ".join(sorted(emitters))
        raise UsageError(f"'{name}' cannot be exported as {target}; these can: {known}")
    return emitters[name]


def own_form(layer: Layer, library: str) -> Callable[..., Any] | None:
    """The method by which a layer of a plugin writes itself, `to_onnx` for ONNX; None without.

    Raises:
        UsageError: it is a layer of a plugin without this method.
    """
    method = f"to_{library}"
    found = getattr(layer, method, None)
    part = find("layer", layer.type) or find("activation", layer.type)
    if found is None and part is not None:
        message = f"{part.title} cannot be exported so: it has no method '{method}'"
        raise UsageError(f"{message}; `nnrun help plugins` shows one")
    return found
