"""Products that are added are fused in the source, and nothing else is left to the target."""

from __future__ import annotations

import ast
import struct
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest

from nnrun.compiler.code import LanguageError
from nnrun.compiler.expressions import fuse
from nnrun.compiler.machine import processor
from nnrun.engines.functions import functions
from nnrun.engines.generated.generate import generate, logarithm
from nnrun.nn import (
    ACTIVATIONS,
    LOSSES,
    SGD,
    Adam,
    Dropout,
    Flatten,
    MaxPool2d,
    Network,
    conv2d,
    dense,
)
from tests.compiler import objects as translated
from tests.compiler.objects import compiled_for

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


def ordinary(a: Any, b: Any, c: Any, y: Any, n: Any) -> None:
    """As a kernel is written."""
    for i in range(n):
        y[i] = a[i] * b[i] + c[i]


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
    actual = np.zeros(1000, dtype)
    translated.run(ordinary, a, b, c, actual)
    assert [float(value) for value in exact] == actual.tolist()
    assert actual.any()


def test_integers_are_multiplied_and_added() -> None:
    """Though sums of products are written in one way, whatever they are of."""
    a, b, c = np.random.default_rng(0).integers(-(2**31), 2**31, (3, 100))
    actual = np.zeros(100, np.int64)
    translated.run(ordinary, a, b, c, actual)
    assert (a * b + c).tolist() == actual.tolist()


@pytest.mark.parametrize("dtype", ["float64", "int64"])
def test_numbers_of_two_kinds_do_not_go_together(dtype: str) -> None:
    """A conversion is explicit in the source."""
    arrays = [np.ones(3, kind) for kind in ("float32", dtype, "float32", "float32")]
    with pytest.raises(LanguageError, match=r"test_fused\.py:\d+: .* do not go together"):
        translated.run(ordinary, *arrays)


@pytest.mark.parametrize("beta", [0.5, 0.9, 0.999, 1 - 2.0**-40])
def test_adams_corrections(beta: float) -> None:
    """1 - βᵗ is that of exact arithmetic to three units in the last place, for all t."""
    one_minus_exp, factor = functions("float64").one_minus_exp, logarithm(beta)

    def correct(step: Any, y: Any, n: Any) -> None:
        for i in range(n):
            y[i] = one_minus_exp(step[i] * factor)

    steps = [1, 2, 3, 10, 1000, 4097, 10**6, 10**12]
    actual = np.zeros(len(steps))
    translated.run(correct, np.array(steps, "float64"), actual)
    with localcontext(prec=60):
        for step, found in zip(steps, actual.tolist(), strict=True):
            exact = 1 - Decimal(beta) ** step
            assert abs(Decimal(found) / exact - 1) <= 3 * Decimal(2) ** -53


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
        lambda: [conv2d(4), MaxPool2d(), Dropout(0.5), Flatten(), dense(3)],
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
    assert undefined(compiled_for(processor(), code.source, dtype)) <= {"memset", "memcpy"}
