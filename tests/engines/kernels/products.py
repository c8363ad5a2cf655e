"""A layer's products by their kernels, for tests: with zeros multiplied by, and skipped."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from nnrun.compiler import machine
from nnrun.engines.allocation import zeros
from nnrun.engines.kernels import KERNELS, build, load, members, sizes

NEVER = {"counts": 0, "counted": 1}  # zeros are not skipped


class Kernels:
    """Machine code, to be called on NumPy's arrays.

    Args:
        dtype: of the arrays.
        units: what is compiled together.
        is_cached: whether the code is that of networks here; otherwise it is compiled now.
    """

    def __init__(self, dtype: str, *units: str, is_cached: bool = False) -> None:
        self.dtype = dtype
        kind = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 5, ctypes.c_double, ctypes.c_int64)
        self.functions = {}
        for unit in units:
            names = members(unit)
            code = load.object_code(names, dtype)[unit] if is_cached else build.build(unit, dtype)
            places = machine.symbols(code, names)
            self.functions |= {name: kind(place) for name, place in places.items()}
        self.scratch = self.empty(1 << 17)

    def empty(self, size: int) -> Any:
        return zeros(size, self.dtype)

    def run(self, name: str, tasks: int, n: int, rate: float = 0.0, **values: Any) -> None:
        """All tasks, the last one first: their order is no matter."""
        given = [values[key] for key in KERNELS[name].parameters]
        kept = [getattr(value, "ctypes", value) for value in given]
        p = np.array([getattr(value, "data", value) for value in kept], np.int64)
        for task in reversed(range(tasks)):
            where = p.ctypes.data
            self.functions[name](where, task, n, 0, 0, rate, self.scratch.ctypes.data)


class Layer:
    """A layer's numbers, a share of them not 0, in memory as the kernels want them."""

    def __init__(
        self, kernels: Kernels, rows: int, inputs: int, units: int, share: float = 1.0
    ) -> None:
        self.kernels, self.sizes = kernels, (rows, inputs, units)
        self.dtype = kernels.dtype
        rng = np.random.default_rng(rows + 100 * inputs + 10000 * units)
        self.w, self.b = rng.standard_normal((inputs, units)), rng.standard_normal(units)
        self.x, self.dz = rng.standard_normal((rows, inputs)), rng.standard_normal((rows, units))
        for numbers in (self.x, self.dz):
            numbers[rng.random(numbers.shape) >= share] = 0
        size = sizes.size(inputs, units)
        self.positions = np.empty((inputs, units), np.int64)
        sizes.Strips(inputs, units, self.dtype).copy_out(np.arange(size), self.positions)
        self.update_tasks = sizes.update_tasks(inputs, self.dtype)

    def rows(self, numbers: Any) -> Any:
        """Rows of numbers, padded with zeros to more than has to be."""
        stored = sizes.padded(numbers.shape[1]) + sizes.padded(1)
        array = self.kernels.empty(len(numbers) * stored).reshape(len(numbers), stored)
        array[:, : numbers.shape[1]] = numbers
        return array

    def weights(self) -> Any:
        _, inputs, units = self.sizes
        array = self.kernels.empty(sizes.size(inputs, units))
        array[self.positions] = self.w
        return array

    def bias(self) -> Any:
        return self.rows(self.b[None])[0]

    def product(self, x: Any, w: Any, b: Any, choice: Any = NEVER) -> Any:
        """z, with what is written beside it."""
        _, inputs, units = self.sizes
        z = self.rows(np.full((len(x), sizes.padded(units)), np.nan))
        cut = units, self.sizes[0], self.dtype
        tasks, rows = sizes.product_tasks(*cut), sizes.product_rows(*cut)
        self.kernels.run(
            "product", tasks, len(x), x=x, x_row=x.shape[1], w=w, b=b,
            z=z, z_row=z.shape[1], inputs=inputs, units=units, rows=rows, **choice,
        )  # fmt: skip
        return z

    def back(self, dz: Any, w: Any, choice: Any = NEVER) -> Any:
        """dx, with what is written beside it."""
        _, inputs, units = self.sizes
        dx = self.rows(np.full((len(dz), sizes.padded(inputs)), np.nan))
        self.kernels.run(
            "product_back", self.update_tasks, len(dz), dz=dz, dz_row=dz.shape[1], w=w,
            dx=dx, dx_row=dx.shape[1], inputs=inputs, units=units, **choice,
        )  # fmt: skip
        return dx

    def update(
        self, x: Any, dz: Any, w: Any, rate: float, descend: bool, choice: Any = NEVER
    ) -> Any:
        """The weights, changed."""
        _, inputs, units = self.sizes
        self.kernels.run(
            "product_update", self.update_tasks, len(x), rate, x=x, x_row=x.shape[1],
            dz=dz, dz_row=dz.shape[1], w=w, stored=sizes.padded(inputs), inputs=inputs,
            units=units, descend=int(descend), **choice,
        )  # fmt: skip
        return w

    def everything(self) -> list[Any]:
        """z, dx, dw and the weights after a step."""
        x, dz, w = self.rows(self.x), self.rows(self.dz), self.weights()
        gradient = self.kernels.empty(len(w))
        return [
            self.product(x, w, self.bias()),
            self.back(dz, w),
            self.update(x, dz, gradient, 0.1, descend=False),
            self.update(x, dz, w, 0.1, descend=True),
        ]


class SparseLayer(Layer):
    """The same by both kinds of kernels: of a product, one or the other has nothing to do.

    Args:
        always: whether zeros are skipped however few there are; else that is left to the kernels.
    """

    counted = 5  # rows: there may be a last block of fewer

    def __init__(self, *extent: Any, always: bool = True) -> None:
        super().__init__(*extent)
        self.always = always

    def marked(self, x: Any, size: int) -> dict[str, Any]:
        """The masks and counts of some rows."""
        n = len(x)
        masks = np.full((sizes.words(size), n + 2), -1)
        counts = np.full(-(-n // self.counted), -1)
        self.kernels.run(
            "nonzeros", len(counts), n, x=x, x_row=x.shape[1], size=size, masks=masks,
            capacity=n + 2, counts=counts, rows=self.counted,
        )  # fmt: skip
        if self.always:
            counts[...] = 0
        return {"masks": masks, "capacity": n + 2, "counts": counts, "counted": self.counted}

    def product(self, x: Any, w: Any, b: Any, choice: Any = None) -> Any:
        _, inputs, units = self.sizes
        found = choice or self.marked(x, inputs)
        z = super().product(x, w, b, found)
        cut = units, self.sizes[0], self.dtype
        self.kernels.run(
            "sparse_product", sizes.sparse_tasks(*cut), len(x), x=x, x_row=x.shape[1], w=w, b=b,
            z=z, z_row=z.shape[1], inputs=inputs, units=units, rows=sizes.sparse_rows(*cut),
            columns=sizes.columns(units, self.dtype), **found,
        )  # fmt: skip
        return z

    def back(self, dz: Any, w: Any, choice: Any = None) -> Any:
        _, inputs, units = self.sizes
        found = choice or self.marked(dz, units)
        dx = super().back(dz, w, found)
        self.kernels.run(
            "sparse_product_back", sizes.tiles(inputs, self.dtype), len(dz), dz=dz,
            dz_row=dz.shape[1], w=w, dx=dx, dx_row=dx.shape[1], inputs=inputs, units=units,
            columns=sizes.columns(inputs, self.dtype), **found,
        )  # fmt: skip
        return dx

    def update(
        self, x: Any, dz: Any, w: Any, rate: float, descend: bool, choice: Any = None
    ) -> Any:
        _, inputs, units = self.sizes
        found = self.marked(x, inputs)
        super().update(x, dz, w, rate, descend, found)
        self.kernels.run(
            "sparse_product_update", sizes.tiles(inputs, self.dtype), len(x), rate,
            x=x, x_row=x.shape[1], dz=dz, dz_row=dz.shape[1], w=w,
            stored=sizes.padded(inputs), inputs=inputs, units=units, descend=int(descend),
            rows=sizes.columns(inputs, self.dtype), columns=sizes.columns(units, self.dtype),
            **found,
        )  # fmt: skip
        return w
