"""The kernels of matrix products: right in every size, and the same bits however they are cut."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from nnrun.engines.compiled import machine
from nnrun.engines.compiled.blocks import aligned
from nnrun.engines.compiled.kernels import KERNELS, build, shapes

ROWS = (1, 2, 3, 7, 8, 9, 17, 64, 70, 256, 600)
WIDTHS = (1, 7, 8, 9, 10, 17, 49, 100, 210)
SIZES = [
    *((rows, 9, 10) for rows in ROWS),
    *((9, inputs, 10) for inputs in WIDTHS),
    *((9, 17, units) for units in WIDTHS),
    (70, 210, 49),
    (17, 400, 400),
]
TOLERANCE = {"float32": 1e-5, "float64": 1e-13}


@dataclass
class Kernels:
    """Machine code, to be called on NumPy's arrays."""

    code: bytes
    dtype: str

    def __post_init__(self) -> None:
        names = ["product", "product_back", "product_update"]
        kind = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 5, ctypes.c_double, ctypes.c_int64)
        places = machine.symbols(self.code, names)
        self.functions = {name: kind(place) for name, place in places.items()}
        self.scratch = self.empty(1 << 16)

    def empty(self, size: int) -> Any:
        return aligned(size, np.dtype(self.dtype))

    def run(self, name: str, tasks: int, n: int, rate: float = 0.0, **values: Any) -> None:
        """All tasks, the last one first: their order is no matter."""
        given = [values[key] for key in KERNELS[name].parameters]
        kept = [getattr(value, "ctypes", value) for value in given]
        p = np.array([getattr(value, "data", value) for value in kept], np.int64)
        for task in reversed(range(tasks)):
            where = p.ctypes.data
            self.functions[name](where, task, n, 0, 0, rate, self.scratch.ctypes.data)


class Layer:
    """A layer's numbers, in memory as the kernels want them."""

    def __init__(self, kernels: Kernels, rows: int, inputs: int, units: int) -> None:
        self.kernels, self.sizes = kernels, (rows, inputs, units)
        self.dtype = kernels.dtype
        rng = np.random.default_rng(rows + 100 * inputs + 10000 * units)
        self.w, self.b = rng.standard_normal((inputs, units)), rng.standard_normal(units)
        self.x, self.dz = rng.standard_normal((rows, inputs)), rng.standard_normal((rows, units))
        size = shapes.size(inputs, units, self.dtype)
        self.positions = np.empty((inputs, units), np.int64)
        shapes.Strips(inputs, units, self.dtype).copy_out(np.arange(size), self.positions)
        self.update_tasks = shapes.update_tasks(inputs, self.dtype)

    def rows(self, numbers: Any) -> Any:
        """Rows of numbers, padded with zeros to more than has to be."""
        stored = shapes.padded(numbers.shape[1]) + shapes.padded(1)
        array = self.kernels.empty(len(numbers) * stored).reshape(len(numbers), stored)
        array[:, : numbers.shape[1]] = numbers
        return array

    def weights(self) -> Any:
        _, inputs, units = self.sizes
        array = self.kernels.empty(shapes.size(inputs, units, self.dtype))
        array[self.positions] = self.w
        return array

    def bias(self) -> Any:
        return self.rows(self.b[None])[0]

    def product(self, x: Any, w: Any, b: Any) -> Any:
        """z, with what is written beside it."""
        _, inputs, units = self.sizes
        z = self.rows(np.full((len(x), shapes.padded(units)), np.nan))
        cut = units, self.sizes[0], self.dtype
        tasks, rows = shapes.product_tasks(*cut), shapes.product_rows(*cut)
        self.kernels.run(
            "product", tasks, len(x), x=x, x_row=x.shape[1], w=w, b=b,
            z=z, z_row=z.shape[1], inputs=inputs, units=units, rows=rows,
        )  # fmt: skip
        return z

    def back(self, dz: Any, w: Any) -> Any:
        """dx, with what is written beside it."""
        _, inputs, units = self.sizes
        dx = self.rows(np.full((len(dz), shapes.padded(inputs)), np.nan))
        self.kernels.run(
            "product_back", self.update_tasks, len(dz), dz=dz, dz_row=dz.shape[1], w=w,
            dx=dx, dx_row=dx.shape[1], inputs=inputs, units=units,
        )  # fmt: skip
        return dx

    def update(self, x: Any, dz: Any, w: Any, rate: float, descend: bool) -> Any:
        """The weights, changed."""
        _, inputs, units = self.sizes
        self.kernels.run(
            "product_update", self.update_tasks, len(x), rate, x=x, x_row=x.shape[1],
            dz=dz, dz_row=dz.shape[1], w=w, stored=shapes.padded(inputs), inputs=inputs,
            units=units, descend=int(descend),
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


@pytest.fixture(scope="session")
def compiled() -> Callable[[str], Kernels]:
    """The kernels for this processor, by dtype."""
    made = {dtype: Kernels(build.build("matrix", dtype), dtype) for dtype in TOLERANCE}
    return made.__getitem__


@pytest.fixture(params=SIZES, ids=str)
def layer(request: pytest.FixtureRequest, compiled: Any, dtype: str) -> Layer:
    return Layer(compiled(dtype), *request.param)


@pytest.fixture(params=TOLERANCE)
def dtype(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def near(expected: Any, actual: Any, dtype: str) -> None:
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE[dtype] * scale)


def test_products(layer: Layer, dtype: str) -> None:
    """Z = b + x w, dx = dz wᵀ, dw = xᵀ dz and w - rate dw are NumPy's, to rounding."""
    z, dx, dw, w = layer.everything()
    _, inputs, units = layer.sizes
    near(layer.b + layer.x @ layer.w, z[:, :units], dtype)
    near(layer.dz @ layer.w.T, dx[:, :inputs], dtype)
    near(layer.x.T @ layer.dz, dw[layer.positions], dtype)
    near(layer.w - 0.1 * layer.x.T @ layer.dz, w[layer.positions], dtype)


def test_padding_stays_zero(layer: Layer) -> None:
    """What is stored beside the numbers stays zero, up to where a kernel may write."""
    z, dx, dw, w = layer.everything()
    _, inputs, units = layer.sizes
    assert not z[:, units : shapes.padded(units)].any()
    assert not dx[:, inputs : shapes.padded(inputs)].any()
    beside = np.ones(len(w), bool)
    beside[layer.positions] = False
    assert not dw[beside].any()
    assert not w[beside].any()


def test_a_row_is_the_same_alone_and_among_others(layer: Layer) -> None:
    """A row of z and of dx has the same bits whichever tile it falls into."""
    z, dx, _, _ = layer.everything()
    x, dz, w, b = layer.rows(layer.x), layer.rows(layer.dz), layer.weights(), layer.bias()
    _, inputs, units = layer.sizes
    alone = [layer.product(x[r : r + 1], w, b)[0] for r in range(len(x))]
    assert np.array_equal(z[:, :units], np.array(alone)[:, :units])
    alone = [layer.back(dz[r : r + 1], w)[0] for r in range(len(x))]
    assert np.array_equal(dx[:, :inputs], np.array(alone)[:, :inputs])


@pytest.mark.parametrize("rows", [9, 300])
def test_a_number_is_one_chain_of_fused_products(compiled: Any, rows: int) -> None:
    """Each number is summed in the order of the inner index, each product and sum rounded once."""
    layer = Layer(compiled("float64"), rows, 5, 10)
    z, dx, dw, w = layer.everything()
    assert np.array_equal(_chains(layer.x, layer.w, layer.b), z[:, :10])
    assert np.array_equal(_chains(layer.dz, layer.w.T, np.zeros(5)), dx[:, :5])
    gradient = _chains(layer.x.T, layer.dz, np.zeros(10))
    assert np.array_equal(gradient, dw[layer.positions])
    step = [_fused(-0.1, *pair) for pair in zip(gradient.flat, layer.w.flat, strict=True)]
    assert np.array_equal(np.reshape(step, (5, 10)), w[layer.positions])


def _chains(a: Any, b: Any, begin: Any) -> Any:
    made = np.broadcast_to(begin, (len(a), len(begin))).copy()
    for i, j in np.ndindex(*made.shape):
        for k in range(len(b)):
            made[i, j] = _fused(a[i, k], b[k, j], made[i, j])
    return made


def _fused(a: float, b: float, c: float) -> float:
    return float(Fraction(a) * Fraction(b) + Fraction(c))


def test_a_product_without_bias_begins_at_zero(compiled: Any, dtype: str) -> None:
    """B = 0 says that there is none."""
    layer = Layer(compiled(dtype), 9, 17, 10)
    z = layer.product(layer.rows(layer.x), layer.weights(), 0)
    near(layer.x @ layer.w, z[:, :10], dtype)


@pytest.mark.parametrize("units", WIDTHS)
def test_a_bias_is_weights_of_an_input_that_is_one(compiled: Any, dtype: str, units: int) -> None:
    """Db is the sum of dz over the rows, by the kernel of dw with a single one for x."""
    layer = Layer(compiled(dtype), 9, 1, units)
    kernels, dz = layer.kernels, layer.rows(layer.dz)
    one, db = kernels.empty(1), layer.rows(np.full((1, shapes.padded(units)), np.nan))[0]
    one[0] = 1
    kernels.run(
        "product_update", 1, 9, x=one, x_row=0, dz=dz, dz_row=dz.shape[1], w=db, stored=1,
        inputs=1, units=units, descend=0,
    )  # fmt: skip
    near(layer.dz.sum(0), db[:units], dtype)


@pytest.mark.parametrize(("cpu", "register"), [("skylake-avx512", 64), ("haswell", 32)])
def test_bits_are_the_same_on_other_processors(
    compiled: Any, dtype: str, cpu: str, register: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Machine code for registers of half the size, of which there are half as many, agrees."""
    if register > machine.register():
        cpu, register = "haswell", 32  # what this processor can run
    monkeypatch.setattr(machine, "processor", lambda: machine.Processor(cpu))
    monkeypatch.setattr(machine, "register", lambda: register)
    there = Kernels(build.build("matrix", dtype), dtype)
    for sizes in ((9, 17, 10), (17, 100, 49), (70, 210, 210), (3, 1, 7)):
        expected = Layer(compiled(dtype), *sizes).everything()
        actual = Layer(there, *sizes).everything()
        for one, two in zip(expected, actual, strict=True):
            assert one.tobytes() == two.tobytes()
