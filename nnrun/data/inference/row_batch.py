"""A batch of new rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class RowBatch:
    """Consecutive rows.

    x is raw, (rows, *shape); y is as in a data set: class numbers (rows,) or values
    (rows, outputs); None if the target is not read.
    """

    x: npt.NDArray[Any]
    y: npt.NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.x)
