"""What a library to write scripts for has to offer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nnrun.models.naming import Names

# From a layer, to the lines that make h = y of h = x.
LayerEmitter = Callable[[Names, Any], list[str]]
# From a step and the name of its arrays, to such lines.
StepEmitter = Callable[[str, Any], list[str]]


@dataclass(frozen=True)
class Language:
    """A library, and how its scripts look.

    Args:
        imports: the first lines.
        helpers: functions by name, for lines that call them.
        layers: emitters by the layers' types, activations included.
        steps: emitters by the names of the steps of preprocessing.
        array: lines that return an array of a `shape` from the bytes `content`, numbers of `size`
            bytes each.
        take: an expression for rows x as float64.
        cast: an expression for h in the dtype `{dtype}`.
        reshape: an expression for h with rows of the shape `{shape}`.
        inverse: an expression for h in the target's own units.
        argmax: an expression for the class numbers in h with a column for each class.
        above_half: the same for a single column.
        two_columns: an expression for the probabilities of both classes from that of the second.
        numbers: an expression for the result as an array of NumPy.
    """

    imports: tuple[str, ...]
    helpers: Mapping[str, str]
    layers: Mapping[str, LayerEmitter]
    steps: Mapping[str, StepEmitter]
    array: tuple[str, ...]
    take: str
    cast: str
    reshape: str
    inverse: str
    argmax: str
    above_half: str
    two_columns: str
    numbers: str


def residual(language: Language, names: Names, layer: Any) -> list[str]:
    """The same in all languages: x, the layers' lines, and x added to what they make of it."""
    lines = [
        text for inner in layer.inner.layers for text in language.layers[inner.type](names, inner)
    ]
    # Each of several, one within the other, keeps its x under a name of its own.
    x = f"x{sum(text.endswith(' = h') for text in lines)}"
    return [f"{x} = h", *lines, f"h = {x} + h"]
