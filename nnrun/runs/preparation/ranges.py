"""Whether all numbers stay finite when they are prepared."""

from __future__ import annotations

import numpy as np

from nnrun.data.dataset import Dataset, DatasetProblem
from nnrun.data.preprocessing.pipeline import Preprocessing
from nnrun.data.preprocessing.steps import L2, Binarize, MinMax, PerChannel, Standard
from nnrun.data.rows.raw import all_finite, array_blocks
from nnrun.data.settings import DatasetSettings
from nnrun.nn.signature import Array
from nnrun.runs.preparation.prepared import Prepared

# Below this, neither a sum of squares nor a usual scaling overflows float32. Larger numbers, and
# small data sets, are checked number by number.
_LARGE = 1e15
_FEW = 1_000_000
# Two different numbers that are 0 or in this range differ by 2⁻⁵³ of the smallest at least. The
# deviation of n numbers, unless all are equal, is that over √(2n) at least, and their spread over
# it at most 4e37 for two parts of so few; 3.4e38 is infinite in float32.
_SMALLEST, _LARGEST = 1e-9, 1e9
# None of them alone, fitted to any rows, makes larger numbers than that.
_STEPS = {L2, Standard, PerChannel, MinMax, Binarize}


def stays_in_range(dataset: Dataset, config: DatasetSettings) -> bool:
    """Whether all prepared numbers are finite in float32, however the rows are divided.

    Raises: DatasetProblem if the preparation does not suit the data.
    """
    if dataset.whole is not None:  # x has not the features that steps are fitted to
        return False
    preparation = Preprocessing.for_dataset(dataset, config)
    steps, target = preparation.steps, preparation.target
    if len(steps) > 1:
        return False
    usual = {type(step) for step in (*steps, target) if step is not None} <= _STEPS
    return usual and all(map(_is_moderate, (*dataset.parts, dataset.pooled_y)))


def _is_moderate(values: Array) -> bool:
    """Whether numbers are 0 or in that range; False, too, where it takes long to say."""
    if values.dtype.kind in "biu" and values.dtype.itemsize <= 2:
        return True  # different ones differ by 1
    return values.size <= _FEW and all(map(_are_moderate, array_blocks(values)))


def _are_moderate(values: Array) -> bool:
    sizes = np.abs(values.astype(np.float64))
    return bool(((sizes == 0) | ((sizes >= _SMALLEST) & (sizes <= _LARGEST))).all())


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
