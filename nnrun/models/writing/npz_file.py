"""Predictions as an npz file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, Self

import numpy as np

from nnrun.data.inference.npz_arrays import NpzArrays
from nnrun.models.model import Model
from nnrun.nn.signature import Array


class NpzWriter:
    """The carried columns, the array `prediction` and, with probabilities, `probability`."""

    names = ("prediction", "probability")

    def __init__(self, model: Model, file: BinaryIO, carried: Sequence[str] = ()) -> None:
        self.model = model
        self.carried = carried
        self._arrays = NpzArrays(file)

    def __enter__(self) -> Self:
        empty = np.empty((0, *self.model.network.output_shape), self.model.network.dtype)
        self.add(empty, [np.empty(0, "U1") for _ in self.carried])
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._arrays.close(complete=kind is None)

    def add(self, outputs: Array, carried: Sequence[Array] = ()) -> None:
        arrays = dict(zip(self.carried, carried, strict=True))
        arrays["prediction"] = self.model.decode(outputs)
        if self.model.probabilistic:
            arrays["probability"] = self.model.probabilities(outputs)
        self._arrays.add(arrays)
