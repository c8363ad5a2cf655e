"""Kernels of matrix products: right in every size, the same bits however cut, zeros skipped."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from nnrun.compiler import machine
from nnrun.engines.allocation import zeros
from nnrun.engines.kernels import KERNELS, build, load, members, sizes
from nnrun.engines.kernels.sizes import SPARSE
from nnrun.engines.tape.engine import TapeEngine, kernels_of
from nnrun.engines.tape.network import training
from nnrun.nn import SGD, Adam, BatchNorm, Dropout, Flatten, MaxPool2d, Residual, conv2d, dense
from tests.engines.conftest import bits, part

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


# The kernels of matrix products: right in every size, and the same bits however they are cut.

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
UNITS = ("matrix", "sparse_matrix")


@pytest.fixture(scope="session")
def compiled() -> Callable[[str], Kernels]:
    """The kernels for this processor, by dtype."""
    made = {dtype: Kernels(dtype, *UNITS, is_cached=True) for dtype in TOLERANCE}
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
    """B = 0 says that there is none, also where zeros are skipped."""
    for kind, extent in ((Layer, (9, 17, 10, 1.0)), (SparseLayer, (9, 70, 10, 0.5))):
        layer = kind(compiled(dtype), *extent)
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
    """Machine code for half as many registers of half the size agrees, zeros skipped or not."""
    if register > machine.register():
        cpu, register = "haswell", 32  # what this processor can run
    monkeypatch.setattr(machine, "processor", lambda: machine.Processor(cpu))
    monkeypatch.setattr(machine, "register", lambda: register)
    there = Kernels(dtype, *UNITS)
    for extent in ((9, 17, 10), (17, 100, 49), (70, 210, 210), (3, 1, 7)):
        for kind, share in ((Layer, 1.0), (SparseLayer, 0.5)):
            expected = kind(compiled(dtype), *extent, share).everything()
            assert equal(expected, kind(there, *extent, share).everything())


# Products that skip zeros: the same bits as those that do not.

SPARSE_WIDTHS = (1, 7, 8, 9, 17, 64, 65, 100, 210)
SPARSE_SIZES = [
    *((rows, 70, 10) for rows in (1, 2, 7, 8, 9, 17, 63, 64, 65, 130, 300)),
    *((9, inputs, 10) for inputs in SPARSE_WIDTHS),
    *((9, 17, units) for units in SPARSE_WIDTHS),
    (70, 130, 400),
    (17, 400, 150),
]


def equal(expected: list[Any], actual: list[Any]) -> bool:
    return [one.tobytes() for one in expected] == [one.tobytes() for one in actual]


@pytest.mark.parametrize("sizes", SPARSE_SIZES, ids=str)
def test_bits_are_those_of_all_products(
    compiled: Any, dtype: str, sizes: tuple[int, int, int]
) -> None:
    """Z, dx, dw and the weights after a step, whatever the sizes and however many zeros."""
    for share in (0.0, 0.02, 0.5, 1.0):
        given = compiled(dtype), *sizes, share
        expected = Layer(*given).everything()
        assert equal(expected, SparseLayer(*given).everything()), share


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


# Training by kernels that skip zeros: what comes out is what it was, to the bit.

SKIPPING = {name for name in KERNELS if name == "nonzeros" or name.startswith("sparse_")}
NETWORKS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "relu": (lambda: [dense(150, "relu"), dense(100, "relu"), dense(3, "softmax")], (70,)),
    "tanh": (lambda: [dense(150, "tanh"), dense(100, "tanh"), dense(3, "softmax")], (70,)),
    "one side": (lambda: [dense(9, "relu"), dense(90, "tanh"), dense(70, "relu"),
                          Dropout(0.5), dense(3, "softmax")], (9,)),
    "images": (lambda: [conv2d(9, 3, activation="relu"), MaxPool2d(2), Flatten(), Dropout(0.6),
                        dense(65, "relu"), BatchNorm(), dense(3, "softmax")], (1, 10, 11)),
    "residual": (lambda: [dense(70, "relu"), Residual([dense(90, "relu"), dense(70, "relu")]),
                          dense(3, "softmax")], (20,)),
}  # fmt: skip
OPTIMIZERS = {"sgd": SGD, "adam": Adam}


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let zeros be looked for in small networks too."""
    monkeypatch.setattr(sizes, "may_skip_zeros", lambda *sizes: True)


def made(task: Any, name: str, dtype: str = "float64", optimizer: str = "sgd") -> Any:
    blocks, shape = NETWORKS[name]
    rate = 0.1 if optimizer == "sgd" else 0.001
    return task(
        blocks, shape, optimizer=OPTIMIZERS[optimizer], dtype=dtype, batch_size=33,
        iterations=10, rate=rate,
    )  # fmt: skip


def trained(given: Any, threads: int = 1, cuts: tuple[int, ...] = (0, 10)) -> list[bytes]:
    """The bits of all that training changes, and of what is then put out for other rows."""
    engine = given.engine(TapeEngine, threads=threads)
    for first, last in pairwise(cuts):
        rng, settings = engine.rng, {"batch_size": 33, "threads": threads}
        engine = TapeEngine(engine.network, engine.optimizer, *given.data(), rng=rng, **settings)
        engine.run(part(given.batches(), first, last))
        _, outputs = engine.evaluate(*given.data())
    return [*bits(engine), outputs.tobytes()]


@pytest.mark.parametrize(("dtype", "optimizer"), [("float32", "sgd"), ("float64", "adam")])
@pytest.mark.parametrize("name", NETWORKS)
def test_skipping_changes_no_bit_of_training(
    name: str, dtype: str, optimizer: str, task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On any number of threads, whichever of them finds the zeros."""
    given = made(task, name, dtype, optimizer)
    expected = trained(given)
    monkeypatch.setattr(sizes, "may_skip_zeros", lambda *sizes: True)
    found = {threads: trained(given, threads) for threads in (1, 2, 3, 16)}
    assert dict.fromkeys(found, expected) == found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_of_which_one_factor_is_looked_at(
    task: Any, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a layer's weights are changed by tiles and read by strips for dx, or the other way
    round.
    """

    def blocks() -> list[Any]:
        return [*(dense(width, "relu") for width in (100, 150, 100)), dense(3, "softmax")]

    given = task(blocks, (70,), dtype=dtype, batch_size=33, iterations=10, rate=0.1)
    expected = trained(given)
    monkeypatch.setattr(sizes, "may_skip_zeros", lambda rows, terms, numbers, dtype: numbers == 150)
    found = {threads: trained(given, threads) for threads in (1, 2, 16)}
    assert dict.fromkeys(found, expected) == found


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("name", NETWORKS)
def test_interrupted_is_uninterrupted(name: str, task: Any) -> None:
    """An engine that goes on where another one was stopped knows nothing of zeros seen before."""
    given = made(task, name, "float32", "adam")
    assert trained(given) == trained(given, cuts=(0, 1, 4, 9, 10))


@pytest.mark.parametrize(
    ("sizes", "batch_size", "looked_for"),
    [
        ((300, 256), 64, True),
        ((300, 256), 1, False),
        ((3000, 2560), 15, False),
        ((40000, 10), 64, False),
        ((300, 63), 64, False),
    ],
    ids=str,
)
def test_where_zeros_are_looked_for(
    task: Any, sizes: tuple[int, int], batch_size: int, looked_for: bool
) -> None:
    """In batches, where there are many products with each number: by the sizes alone."""
    inputs, width = sizes
    given = task(lambda: [dense(width, "relu"), dense(width, "tanh"), dense(3)], (inputs,))
    plan = training(given.network(), SGD(), clip_norm=None, batch_size=batch_size)
    assert (SKIPPING if looked_for else set()) == SKIPPING & kernels_of(plan)


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("number", [np.inf, np.nan])
def test_weights_that_are_not_finite_stay_so(number: float, task: Any) -> None:
    """A weight that nothing but zeros meets is not changed, nor hidden: it is still there."""
    given = made(task, "relu")
    network, optimizer = given.network(), given.optimizer()
    x, target = given.data()
    x[:, 5] = 0
    network.parameters["0.weight"].value[5, 7] = number
    optimizer.allocate(network.theta)
    engine = TapeEngine(
        network, optimizer, np.maximum(x, 0), target, rng=np.random.default_rng(4), batch_size=33
    )
    engine.run(given.batches())
    assert [[5, 7]] == np.argwhere(~np.isfinite(network.parameters["0.weight"].value)).tolist()
