"""Two half moons: any number of points of two classes that no straight line separates."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from nnrun.data.dataset import Dataset, DatasetProblem, hash_arrays
from nnrun.data.memory import refuse_if_too_big
from nnrun.errors import DataError
from nnrun.nn.signature import Bounds, NonNegativeInt

ROWS = 1000
_BYTES = 100  # of memory for each row while it is made
_DECIMALS = 6


def moons(
    rows: Annotated[int, Bounds(ge=4)] = ROWS,
    noise: Annotated[float, Bounds(ge=0, le=100)] = 0.1,
    seed: NonNegativeInt = 0,
) -> Dataset:
    """Two interleaved half circles of radius 1, the second upside down.

        outer: (cos t, sin t),  inner: (1 - cos t, 1/2 - sin t),  t equally spaced in [0, π]

    as in scikit-learn's `make_moons`. Values are rounded to six decimals, since sine, cosine and
    noise differ between machines by far less: so the data are the same everywhere.

    Args:
        rows: how many; half of them, rounded down, in the outer moon.
        noise: the standard deviation of what is added to both coordinates.
        seed: of the noise; the run's own seed draws the split, as for any data.

    Raises: DatasetProblem if the rows do not fit into memory.
    """
    try:
        refuse_if_too_big(rows * _BYTES, f"moons of {rows} rows")
    except DataError as error:
        raise DatasetProblem([(("dataset", "rows"), str(error))]) from None
    outer, inner = (np.linspace(0, np.pi, count) for count in (rows // 2, rows - rows // 2))
    circles = [(np.cos(outer), np.sin(outer)), (1 - np.cos(inner), 0.5 - np.sin(inner))]
    x = np.concatenate([np.stack(circle, axis=1) for circle in circles])  # (rows, 2)
    x += noise * np.random.Generator(np.random.PCG64(seed)).standard_normal(x.shape)
    x = np.round(x, _DECIMALS) + 0.0  # no negative zeros
    y = np.repeat(np.arange(2), [len(outer), len(inner)])
    return Dataset(
        name="moons",
        task="classification",
        x=x,
        y=y,
        classes=("outer", "inner"),
        feature_names=("x1", "x2"),
        target_names=("moon",),
        sha256=hash_arrays(x, y),
    )
