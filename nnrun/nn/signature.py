"""Annotations for the arguments of layers, losses, optimizers and schedules.

The signature of each entry of a table of `nnrun.nn` is also its form in a config file: the config
reads these annotations to check values before anything is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Shape = tuple[int, ...]
Rng = np.random.Generator


@dataclass(frozen=True)
class Bounds:
    """The allowed range of a number."""

    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None


@dataclass(frozen=True)
class Named:
    """A string that must be a name from the table of this kind, such as `activation`."""

    kind: str


PositiveInt = Annotated[int, Bounds(gt=0)]
NonNegativeInt = Annotated[int, Bounds(ge=0)]
PositiveFloat = Annotated[float, Bounds(gt=0)]
NonNegativeFloat = Annotated[float, Bounds(ge=0)]
Fraction = Annotated[float, Bounds(ge=0, lt=1)]
PositiveFraction = Annotated[float, Bounds(gt=0, lt=1)]
Share = Annotated[float, Bounds(ge=0, le=1)]
ActivationName = Annotated[str, Named("activation")]
Sides = PositiveInt | tuple[PositiveInt, PositiveInt]
Zeros = NonNegativeInt | tuple[NonNegativeInt, NonNegativeInt]


def shape_text(shape: Shape | Sequence[int]) -> str:
    """A shape in messages: `13` or `16×6×6`."""
    return "×".join(str(side) for side in shape)


def pair(sides: int | Sequence[int]) -> tuple[int, int]:
    """(height, width) of a kernel, stride or window given as one number or as two."""
    if isinstance(sides, int):
        return sides, sides
    height, width = sides
    return height, width


class ShapeError(ValueError):
    """A layer does not fit its input; `field` names the argument that causes it."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field
