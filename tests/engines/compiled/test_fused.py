"""Products that are added are fused in the source, and nothing else is left to the target."""

from __future__ import annotations

import ast
import struct
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
import pytest

from nnrun.engines.compiled import generate
from nnrun.engines.compiled.compiler import compile_source
from nnrun.engines.compiled.language.fusing import fuse
from nnrun.engines.compiled.native.functions import functions
from nnrun.engines.compiled.native.fused import compiled, fma
from nnrun.engines.compiled.optimizers.adam import logarithm
from nnrun.nn import (
    ACTIVATIONS,
    LOSSES,
    SGD,
    Adam,
    BatchNorm,
    Dropout,
    Flatten,
    MaxPool2d,
    Network,
    conv2d,
    dense,
)

WRITTEN = [
    ("y = a * b + c", "y = fma(a, b, c)"),
    ("y = c + a * b", "y = fma(a, b, c)"),
    ("y = c - a * b", "y = fma(-a, b, c)"),
    ("y = a * b - c", "y = fma(a, b, -c)"),
    ("y = a * b + c * d", "y = fma(a, b, c * d)"),
    ("y = (a * b + c) * d + e", "y = fma(fma(a, b, c), d, e)"),
    ("y = 2.0 * a * b + c", "y = fma(2.0 * a, b, c)"),
    ("y = f(a * b + c) if a else b", "y = f(fma(a, b, c)) if a else b"),
    ("w[i * 8 + j] -= a * b", "w[i * 8 + j] = fma(-a, b, w[i * 8 + j])"),
    ("w += a * b", "w = fma(a, b, w)"),
    ("w += a + b", "w += a + b"),
    ("w *= a * b", "w *= a * b"),
    ("y = a / b + c", "y = a / b + c"),
    ("u = view(values, n * 8 + r, (2,))", "u = view(values, n * 8 + r, (2,))"),
    ("tile_8x2(a, i * 8 + j)", "tile_8x2(a, i * 8 + j)"),
    (
        "for i in range(n * 2 + 1):\n    y = a * b + i",
        "for i in range(n * 2 + 1):\n    y = fma(a, b, i)",
    ),
]


@pytest.mark.parametrize(("written", "read"), WRITTEN)
def test_sums_with_products(written: str, read: str) -> None:
    """The product on the left first; places in memory and counts stay as they are."""
    tree = ast.parse(written)
    fuse(tree)
    assert read == ast.unparse(tree)


@compiled
def ordinary(a: Any, b: Any, c: Any) -> Any:
    """As a function of `native` is written."""
    return a * b + c


@numba.njit
def call_ordinary(a: Any, b: Any, c: Any) -> Any:
    return ordinary(a, b, c)


@numba.njit
def call_fma(a: Any, b: Any, c: Any) -> Any:
    return fma(a, b, c)


@numba.njit
def multiply_add(a: Any, b: Any, c: Any) -> Any:
    return a * b + c


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rounded_once(dtype: str) -> None:
    """The result is the number nearest to the exact one."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 1000)).astype(dtype)
    # What is left of the product is what its own rounding has taken.
    c = -(a * b)
    exact = [
        Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
        for x, y, z in zip(a, b, c, strict=True)
    ]
    actual = [call_ordinary(x, y, z) for x, y, z in zip(a, b, c, strict=True)]
    assert [float(value) for value in exact] == [float(value) for value in actual]
    assert any(actual)


@pytest.mark.parametrize(
    "numbers",
    [(3, 4, 5), (np.uint64(3), np.uint64(4), np.uint64(5)), (3, 0.1, 5), (np.float32(0.1), 0.1, 1)],
)
def test_other_numbers_are_multiplied_and_added(numbers: tuple[Any, ...]) -> None:
    """Integers, and numbers of different kinds, give what Numba gives for a * b + c."""
    expected, actual = multiply_add(*numbers), call_fma(*numbers)
    assert (type(expected), expected) == (type(actual), actual)


@pytest.mark.parametrize("beta", [0.5, 0.9, 0.999, 1 - 2.0**-40])
def test_adams_corrections(beta: float) -> None:
    """1 - βᵗ is that of exact arithmetic to three units in the last place, for all t."""
    one_minus_exp, factor = functions("float64").one_minus_exp, logarithm(beta)
    run: Any = numba.njit(lambda step: one_minus_exp(step * factor))
    with localcontext(prec=60):
        for step in (1, 2, 3, 10, 1000, 4097, 10**6, 10**12):
            exact = 1 - Decimal(beta) ** step
            assert abs(Decimal(run(float(step))) / exact - 1) <= 3 * Decimal(2) ** -53


def undefined(code: bytes) -> set[str]:
    """The names that an object file expects elsewhere."""
    sections = {s.name(): s.data() for s in llvm.ObjectFileRef.from_data(code).sections()}
    names, table = sections[b".strtab"], sections[b".symtab"]
    entries = (struct.unpack_from("<IBBH", table, start) for start in range(24, len(table), 24))
    return {
        names[name : names.index(b"\0", name)].decode()
        for name, _, _, section in entries
        if name and not section
    }


OBJECTS: dict[str, tuple[Callable[[], list[Any]], tuple[int, ...], str, Any, Any]] = {
    "activations": (
        lambda: [*(dense(5, name) for name in ACTIVATIONS), dense(3)], (5,), "huber", SGD, 1
    ),
    **{
        name: (lambda: [dense(6, "softmax"), dense(3, "sigmoid")], (5,), name, SGD, 3)
        for name in LOSSES
    },
    "layers": (
        lambda: [conv2d(4), BatchNorm(), MaxPool2d(), Dropout(0.5), Flatten(), dense(3)],
        (1, 8, 8), "mean_squared", lambda: SGD(0.9, nesterov=True, weight_decay=0.1), 3,
    ),
    "adam": (lambda: [dense(70), dense(33)], (90,), "mean_squared", Adam, 5),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", OBJECTS)
def test_nothing_is_left_to_a_library(name: str, dtype: str) -> None:
    """Machine code calls nothing that rounds: no function of the C library but to move memory."""
    blocks, shape, loss, optimizer, batch_size = OBJECTS[name]
    network = Network(blocks(), LOSSES[loss](), shape, dtype)
    code = generate(network, optimizer(), clip_norm=0.5, single=batch_size == 1)
    assert undefined(compile_source(code.source, dtype, "train.py")) <= {"memset", "memcpy"}
