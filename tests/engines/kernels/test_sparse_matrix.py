"""Products that skip zeros: the same bits as those that do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nnrun.compiler import machine
from nnrun.engines.kernels import sizes
from nnrun.engines.kernels.sizes import SPARSE
from tests.engines.kernels.products import Kernels, Layer, SparseLayer

UNITS = ("matrix", "nonzeros", "sparse_matrix")
WIDTHS = (1, 7, 8, 9, 17, 64, 65, 100, 210)
SIZES = [
    *((rows, 70, 10) for rows in (1, 2, 7, 8, 9, 17, 63, 64, 65, 130, 300)),
    *((9, inputs, 10) for inputs in WIDTHS),
    *((9, 17, units) for units in WIDTHS),
    (70, 130, 400),
    (17, 400, 150),
]
DTYPES = ["float32", "float64"]


@pytest.fixture(scope="session")
def compiled() -> Callable[[str], Kernels]:
    """The kernels for this processor, by dtype."""
    made = {dtype: Kernels(dtype, *UNITS, is_cached=True) for dtype in DTYPES}
    return made.__getitem__


@pytest.fixture(params=DTYPES)
def dtype(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def equal(expected: list[Any], actual: list[Any]) -> bool:
    return [one.tobytes() for one in expected] == [one.tobytes() for one in actual]


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_bits_are_those_of_all_products(
    compiled: Any, dtype: str, sizes: tuple[int, int, int], share: float
) -> None:
    """Z, dx, dw and the weights after a step, whatever the sizes and however many zeros."""
    given = compiled(dtype), *sizes, share
    expected = Layer(*given).everything()
    assert equal(expected, SparseLayer(*given).everything())


def test_blocks_of_zeros(compiled: Any, dtype: str) -> None:
    """Rows, columns and blocks without any number do not change what others add to."""
    given = compiled(dtype), 140, 200, 210, 0.5
    layers = Layer(*given), SparseLayer(*given)
    for layer in layers:
        for numbers in (layer.x, layer.dz):
            numbers[:, 64:128] = numbers[3] = numbers[64:128, 5:] = 0
    expected, actual = (layer.everything() for layer in layers)
    assert equal(expected, actual)
    assert np.array_equal(
        np.broadcast_to(layers[0].b.astype(dtype), (1, 210)), actual[0][3:4, :210]
    )


def test_a_product_without_bias_begins_at_zero(compiled: Any, dtype: str) -> None:
    """B = 0 says that there is none."""
    given = compiled(dtype), 9, 70, 100, 0.5
    made = [
        layer.product(layer.rows(layer.x), layer.weights(), 0)
        for layer in (Layer(*given), SparseLayer(*given))
    ]
    assert equal(made[:1], made[1:])


@pytest.mark.parametrize("size", [1, 15, 16, 17, 63, 64, 65, 127, 130])
def test_masks(compiled: Any, dtype: str, size: int) -> None:
    """A bit says that a number is not 0: NaN and the smallest are not, -0 is, and so is nothing
    next to the row. Counts are of all rows of a block.
    """
    rng = np.random.default_rng(size)
    kinds = np.array([0, -0.0, np.nan, np.inf, np.finfo(dtype).smallest_subnormal, -1], dtype)
    numbers = kinds[rng.integers(len(kinds), size=(12, size))]
    layer = SparseLayer(compiled(dtype), 12, size, 1, always=False)
    x = layer.rows(numbers)
    x[:, size:] = np.nan
    found = layer.marked(x, size)
    bits = np.unpackbits(found["masks"][:, :12].T.copy().view(np.uint8), axis=1, bitorder="little")
    assert np.array_equal(numbers != 0, bits[:, :size])
    assert not bits[:, size:].any()
    assert (found["masks"][:, 12:] == -1).all()
    blocks = [np.count_nonzero(numbers[first : first + 5]) for first in (0, 5, 10)]
    assert blocks == found["counts"].tolist()


@pytest.mark.parametrize("more", [0, 1])
def test_few_zeros_are_multiplied_by(compiled: Any, dtype: str, more: int) -> None:
    """Kernels skip zeros up to a share of numbers that are not 0, which is counted in all rows."""
    n, inputs, units = 22, 65, 70
    layer = SparseLayer(compiled(dtype), n, inputs, units, always=False)
    for numbers in (layer.x, layer.dz):
        numbers.flat[: numbers.size - (numbers.size * SPARSE // 100 + more)] = 0
    ran: list[str] = []
    run = layer.kernels.run

    def watched(name: str, *given: Any, **values: Any) -> None:
        """Note who changes what is made of the product."""
        names = {"product": "z", "product_back": "dx", "product_update": "w", "nonzeros": "x"}
        made = values[names[name.removeprefix("sparse_")]]
        before = made.tobytes()
        run(name, *given, **values)
        if made.tobytes() != before:
            ran.append(name)

    layer.kernels.run = watched  # type: ignore[method-assign]
    try:
        made = layer.everything()
    finally:
        layer.kernels.run = run  # type: ignore[method-assign]
    kind = "" if more else "sparse_"
    names = ("product", "product_back", "product_update", "product_update")
    assert [kind + name for name in names] == ran
    dense = Layer(compiled(dtype), n, inputs, units)
    dense.x, dense.dz = layer.x, layer.dz
    assert equal(dense.everything(), made)


def test_what_is_not_finite_meets_no_zeros(compiled: Any, dtype: str) -> None:
    """Weights that are not finite make NaN of what they are multiplied by, and of zeros nothing."""
    layer = SparseLayer(compiled(dtype), 20, 70, 100, 0.5)
    layer.x[:, 3] = layer.x[5] = layer.dz[:, 7] = layer.dz[5] = 0
    layer.w[3], layer.w[:, 7] = np.nan, np.inf
    x, dz, w = layer.rows(layer.x), layer.rows(layer.dz), layer.weights()
    z, dx = layer.product(x, w, layer.bias())[:, :100], layer.back(dz, w)[:, :70]
    assert np.array_equal(layer.b.astype(dtype), z[5])
    used = (layer.x != 0) @ ~np.isfinite(layer.w)
    assert np.array_equal(used > 0, ~np.isfinite(z))
    used = (layer.dz != 0) @ ~np.isfinite(layer.w.T)
    assert np.array_equal(used > 0, ~np.isfinite(dx))
    layer.dz[5] = np.nan
    dw = layer.update(x, layer.rows(layer.dz), layer.weights(), 1.0, descend=False)
    assert np.isfinite(dw).all()
    layer.x[5, 2] = 1
    dw = layer.update(
        layer.rows(layer.x), layer.rows(layer.dz), layer.weights(), 1.0, descend=False
    )
    assert [2] == np.unique(np.nonzero(~np.isfinite(dw[layer.positions]))[0]).tolist()


def test_underflow(compiled: Any, dtype: str) -> None:
    """Where nothing but zeros is skipped, what underflows differs by signs of zeros at most."""
    given = compiled(dtype), 9, 70, 100, 0.5
    layers = Layer(*given), SparseLayer(*given)
    for layer in layers:
        for numbers in (layer.x, layer.dz, layer.w, layer.b):
            numbers[...] *= float(np.finfo(dtype).smallest_normal) ** 0.5 / 3
        layer.b[:] = -0.0
    for expected, actual in zip(*(layer.everything() for layer in layers), strict=True):
        assert np.array_equal(expected, actual)


@pytest.mark.parametrize(("cpu", "register"), [("skylake-avx512", 64), ("haswell", 32)])
def test_bits_are_the_same_on_other_processors(
    compiled: Any, dtype: str, cpu: str, register: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Machine code for registers of half the size agrees."""
    if register > machine.register():
        cpu, register = "haswell", 32  # what this processor can run
    monkeypatch.setattr(machine, "processor", lambda: machine.Processor(cpu))
    monkeypatch.setattr(machine, "register", lambda: register)
    there = Kernels(dtype, *UNITS)
    for extent in ((9, 17, 10), (17, 100, 49), (70, 210, 210), (3, 1, 7)):
        expected = SparseLayer(compiled(dtype), *extent, 0.5).everything()
        assert equal(expected, SparseLayer(there, *extent, 0.5).everything())


def test_padding_stays_zero(compiled: Any, dtype: str) -> None:
    """What is stored beside the numbers stays zero, up to where a kernel may write."""
    layer = SparseLayer(compiled(dtype), 17, 70, 49, 0.5)
    z, dx, dw, w = layer.everything()
    assert not z[:, 49 : sizes.padded(49)].any()
    assert not dx[:, 70 : sizes.padded(70)].any()
    beside = np.ones(len(w), bool)
    beside[layer.positions] = False
    assert not dw[beside].any()
    assert not w[beside].any()
