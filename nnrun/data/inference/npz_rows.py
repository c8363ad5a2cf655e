"""New rows from an npz file: the array x, and y if predictions are scored.

Large arrays are mapped, as those of training are, so that a file may be larger than memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from nnrun.data.cells.cell_errors import Mistake, about_unknown
from nnrun.data.cells.problems import IN_ARRAYS
from nnrun.data.inference.columns import (
    RowBatch,
    Rows,
    check_column,
    check_named,
    completed,
    odd_code,
    without_missing,
)
from nnrun.data.inference.put_aside import BadRows, NpzAside
from nnrun.data.layout import Layout
from nnrun.data.readers.npz import check_finite
from nnrun.data.readers.npz_arrays import arrays_in, names_in
from nnrun.data.rows.mapped import release
from nnrun.errors import DataError
from nnrun.nn.signature import Array

Arrays = dict[str, Array]


class NpzRows(Rows):
    """`Rows` of an npz file; mistakes are reported as path: array[row].

    Rows with mistakes are written to `aside` and left out, if it is given.
    """

    kind = "npz"

    def __init__(
        self,
        path: Path,
        file: BinaryIO,
        layout: Layout,
        *,
        with_target: bool,
        carried: Sequence[str] = (),
        aside: BinaryIO | None = None,
    ) -> None:
        super().__init__(layout, BadRows(path, IN_ARRAYS), with_target=with_target)
        self.path, self.carried = path, carried
        self._aside = None if aside is None else NpzAside(aside)
        names = ["x", "y"] if with_target else ["x"]
        self._arrays = arrays_in(path, file, list(dict.fromkeys([*names, *carried])))
        for name in names:
            if name not in self._arrays:
                raise DataError(f"{path}: has no array {name}")
        check_named(path, carried, names_in(path, file))
        self._check_shapes()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._aside is not None:
            self._aside.close(complete=kind is None)

    def batches(self, rows: int) -> Iterator[RowBatch]:
        parts = self._parts(rows)
        if self._aside is None:
            return (self._checked(arrays, start) for start, arrays in parts)
        return self._good(parts, rows, self._aside)

    def _parts(self, rows: int) -> Iterator[tuple[int, Arrays]]:
        for start in range(0, len(self._arrays["x"]), rows):
            yield start, {name: a[start : start + rows] for name, a in self._arrays.items()}
            for array in self._arrays.values():
                release(array)

    def _good(
        self, parts: Iterator[tuple[int, Arrays]], rows: int, aside: NpzAside
    ) -> Iterator[RowBatch]:
        """Rows without mistakes, in batches as if there were no others."""
        held: Arrays = {}
        for start, arrays in parts:
            reasons = self._reasons(arrays, start)
            aside.put(arrays, reasons, start)
            kept = np.delete(np.arange(len(arrays["x"])), [row - start for row in reasons])
            good = {name: array[kept] for name, array in arrays.items()}
            held = {n: np.concatenate([held[n], a]) for n, a in good.items()} if held else good
            if len(held["x"]) >= rows:
                yield self._checked({name: array[:rows] for name, array in held.items()}, 0)
                held = {name: array[rows:] for name, array in held.items()}
        if held and len(held["x"]):
            yield self._checked(held, 0)
        self.bad.refuse_all(self._arrays["x"].shape[0])

    def _reasons(self, arrays: Arrays, start: int) -> dict[int, str]:
        """What is wrong with which rows, found by halves."""
        try:
            self._checked(arrays, start)
        except DataError as error:
            count = len(arrays["x"])
            if count == 1:
                reason = str(error).removeprefix(f"{self.path}: ")
                self.bad.add(start, "", Mistake(reason, reason))
                self.bad.take()
                return {start: reason}
            half = count // 2
            first = {name: array[:half] for name, array in arrays.items()}
            second = {name: array[half:] for name, array in arrays.items()}
            return self._reasons(first, start) | self._reasons(second, start + half)
        return {}

    def _checked(self, arrays: Arrays, start: int) -> RowBatch:
        """The rows from `start` on; raises a DataError if there is a mistake."""
        x = self.layout.arranged(arrays["x"])
        if x.dtype != np.uint8:
            x = x.astype(np.float64)
            check_finite(self.path, "x", without_missing(x, self.layout.columns), start)
        if (odd := odd_code(x, self.layout.columns)) is not None:
            raise DataError(f"{self.path}: x[{start + odd[0]}] has {odd[1]}")
        x = completed(x, self.layout.columns, lambda row: f"{self.path}: x[{start + row}]")
        y = self._y(arrays["y"], start) if self.with_target else None
        return RowBatch(x, y, tuple(arrays[name] for name in self.carried))

    def _check_shapes(self) -> None:
        x, shape = self._arrays["x"], self.layout.shape
        if x.dtype.kind not in "buif":
            raise DataError(f"{self.path}: x: holds {x.dtype}, not real numbers")
        if not x.shape or not self.layout.fits(x.shape[1:]):
            has = f"rows of shape {x.shape[1:]}" if x.shape else "a single number"
            raise DataError(f"{self.path}: x: has {has} where {shape} are needed")
        for name in self.carried:
            array = self._arrays[name]
            check_column(self.path, name, array.shape, array.dtype)
            if array.shape != x.shape[:1]:
                raise DataError(f"{self.path}: {name}: has {array.shape[0]} rows, x {x.shape[0]}")
        if not self.with_target:
            return
        y = self._arrays["y"]
        outputs = 1 if self.layout.task == "classification" else len(self.layout.target_names)
        kinds = "buif" + "U" * (self.layout.task == "classification")
        if y.dtype.kind not in kinds:
            raise DataError(f"{self.path}: y: holds {y.dtype}, which training had not")
        if y.shape != (x.shape[0], outputs) and (y.shape != x.shape[:1] or outputs > 1):
            needed = (x.shape[0], outputs) if outputs > 1 else x.shape[:1]
            raise DataError(f"{self.path}: y: has shape {y.shape} where {needed} is needed")

    def _y(self, y: Array, start: int) -> Array:
        if self.layout.task == "regression":
            values = y.astype(np.float64).reshape(len(y), -1)
            check_finite(self.path, "y", values, start)
            return values
        numbers = {name: number for number, name in enumerate(self.layout.classes)}
        texts = y.reshape(len(y)).astype(str)
        seen, places = np.unique(texts, return_inverse=True)
        found = np.array(
            [numbers.get(self.layout.label(text.strip()), -1) for text in seen.tolist()]
        )
        classes: Array = found[places]
        if (classes < 0).any():
            row = int((classes < 0).argmax())
            message = about_unknown(str(texts[row]), self.layout.classes, "classes").text
            raise DataError(f"{self.path}: y[{start + row}]: {message}")
        return classes
