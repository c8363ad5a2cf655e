"""The kernels of matrix products: right in every size, and the same bits however they are cut."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from nnrun.compiler import machine
from nnrun.engines.kernels import sizes
from tests.engines.kernels.products import NEVER, Kernels, Layer

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


@pytest.fixture(scope="session")
def compiled() -> Callable[[str], Kernels]:
    """The kernels for this processor, by dtype."""
    made = {dtype: Kernels(dtype, "matrix", is_cached=True) for dtype in TOLERANCE}
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
    assert not z[:, units : sizes.padded(units)].any()
    assert not dx[:, inputs : sizes.padded(inputs)].any()
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
    one, db = kernels.empty(1), layer.rows(np.full((1, sizes.padded(units)), np.nan))[0]
    one[0] = 1
    kernels.run(
        "product_update", 1, 9, x=one, x_row=0, dz=dz, dz_row=dz.shape[1], w=db, stored=1,
        inputs=1, units=units, descend=0, **NEVER,
    )  # fmt: skip
    near(layer.dz.sum(0), db[:units], dtype)


@pytest.mark.parametrize(("cpu", "register"), [("skylake-avx512", 64), ("haswell", 32)])
def test_bits_are_the_same_on_other_processors(
    compiled: Any, dtype: str, cpu: str, register: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Machine code for half as many registers of half the size agrees."""
    if register > machine.register():
        cpu, register = "haswell", 32  # what this processor can run
    monkeypatch.setattr(machine, "processor", lambda: machine.Processor(cpu))
    monkeypatch.setattr(machine, "register", lambda: register)
    there = Kernels(dtype, "matrix")
    for extent in ((9, 17, 10), (17, 100, 49), (70, 210, 210), (3, 1, 7)):
        expected = Layer(compiled(dtype), *extent).everything()
        actual = Layer(there, *extent).everything()
        for one, two in zip(expected, actual, strict=True):
            assert one.tobytes() == two.tobytes()
