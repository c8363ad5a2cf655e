"""How layers and steps of preprocessing are exported: tables of emitters by type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from nnrun.data.preprocessing.steps import Scaler
from nnrun.errors import UsageError
from nnrun.nn.layer import Layer
from nnrun.plugins.loading import find
from nnrun.plugins.part import Part

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
    part = find("layer", layer.type) or find("activation", layer.type)
    return _form(layer, part, library)


def own_form_of_step(step: Any, library: str) -> Callable[..., Any] | None:
    """Likewise of a step of preprocessing; None for scalers, too, which are all written alike."""
    return None if is_scaler(step) else _form(step, find("step", step.name), library)


def is_scaler(step: Any) -> bool:
    """Whether the step is (x - shift) / scale, as also a plugin's class derived from `Scaler`."""
    return isinstance(step, Scaler) and type(step).apply is Scaler.apply


def _form(entry: Any, part: Part | None, library: str) -> Callable[..., Any] | None:
    method = f"to_{library}"
    found: Callable[..., Any] | None = getattr(entry, method, None)
    if found is None and part is not None:
        message = f"{part.title} cannot be exported so: it has no method '{method}'"
        raise UsageError(f"{message}; `nnrun help plugins` shows one")
    return found
