"""How layers and steps of preprocessing are exported: tables of emitters by type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from nnrun.errors import UsageError

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
