"""The features of new rows, as predictions take them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.data.inference.new_rows import open_rows
from nnrun.data.layout import Layout


def load_features(path: Path, layout: Layout) -> npt.NDArray[Any]:
    """All rows of a file as raw x, checked against the layout of the training data."""
    with open_rows(path, layout) as rows:
        return np.concatenate([batch.x for batch in rows.batches(4096)])
