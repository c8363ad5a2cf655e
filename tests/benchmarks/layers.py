"""The layers that the works are made of, in no library's terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Dense:
    """activation(x w + b)."""

    units: int
    activation: str = "linear"


@dataclass(frozen=True)
class Conv:
    """activation(w * x + b) with square kernels, stride 1."""

    channels: int
    activation: str
    bias: Literal["per_channel", "per_position"] = "per_channel"
    kernel: int = 3
    padding: Literal["valid", "same"] = "valid"

    @property
    def border(self) -> int:
        """Zeros on each side of the image; kernels are odd where there are any."""
        return self.kernel // 2 if self.padding == "same" else 0


@dataclass(frozen=True)
class Pool:
    """The largest number of each 2×2 window, or its mean."""

    kind: Literal["max", "average"] = "max"


@dataclass(frozen=True)
class Flatten:
    """Images to vectors."""


Layer = Dense | Conv | Pool | Flatten
