"""Numbers that preprocessing makes too large, found before a run starts."""

from __future__ import annotations

import numpy as np

from nnrun.data.dataset import DatasetProblem
from nnrun.data.rows.raw import all_finite, array_blocks
from nnrun.nn.signature import Array
from nnrun.runs.preparation.prepared import Prepared

# Below this, neither a sum of squares nor a usual scaling overflows float32. Larger numbers, and
# small data sets, are checked number by number.
_LARGE = 1e15
_FEW = 1_000_000


def check_ranges(prepared: Prepared) -> None:
    """Fit the preprocessing, and require that all prepared numbers are finite.

    Raises: DatasetProblem with the column.
    """
    _, dataset = prepared.preprocessing, prepared.dataset  # fitting may find a problem
    if dataset.x.size > _FEW and not any(map(_is_large, (dataset.x, dataset.y))):
        return
    with np.errstate(over="ignore", invalid="ignore"):
        examples = prepared.examples
    names = dataset.feature_names if len(dataset.shape) == 1 else ()
    dtype = prepared.network.dtype.name
    for part, rows in examples.items():
        _check(rows.x, part, "features", names, dtype)
        _check(rows.target, part, "target", dataset.target_names, dtype)


def _is_large(values: Array) -> bool:
    blocks = array_blocks(values)
    return any(bool((np.abs(block.astype(np.float64)) > _LARGE).any()) for block in blocks)


def _check(values: Array, part: str, key: str, names: tuple[str, ...], dtype: str) -> None:
    if all_finite(values):
        return
    row, column = np.argwhere(~np.isfinite(values).reshape(len(values), -1))[0]
    name = f"column '{names[column]}'" if column < len(names) else f"number {column} of a row"
    raise DatasetProblem(
        [
            (
                ("dataset", key),
                f"{name} leaves the range of {dtype} when it is prepared (row {row} of the {part} "
                "split); its values are too large, or its spread in training too small",
            )
        ]
    )
