"""The language of kernels: functions and vectors."""

from __future__ import annotations

import ast
import itertools
import math
import signal
import struct
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest

from nnrun.compiler import cache
from nnrun.compiler.arguments import ARGUMENTS
from nnrun.compiler.code import (
    LanguageError,
    double,
    intrinsic,
    lane,
    read,
    room,
    spread,
    sqrt,
    subroutine,
    view,
    write,
)
from nnrun.compiler.compile import compile_source
from nnrun.compiler.expressions import fuse
from nnrun.compiler.machine import processor
from nnrun.engines.functions import functions
from nnrun.engines.generated.generate import generate, logarithm
from nnrun.errors import InterruptionError
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
    special,
)
from nnrun.nn.special import normal_cdf
from tests.compiler import objects as translated
from tests.compiler.objects import compiled_for

# What the language means that kernels and generated functions are written in.

HEAD = f"def train({', '.join(ARGUMENTS)}):\n"
NUMBERS = [-1.5, -0.0, 0.0, 2.0, math.inf, -math.inf, math.nan]


def extremes(a: Any, b: Any, low: Any, high: Any, n: Any) -> None:
    for i in range(n):
        low[i] = min(a[i], b[i])
        high[i] = max(a[i], b[i])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_min_and_max_are_pythons(dtype: str) -> None:
    """The first of equals, and of two where one is NaN."""
    pairs = list(itertools.product(NUMBERS, NUMBERS))
    a, b = (np.array(side, dtype) for side in zip(*pairs, strict=True))
    low, high = np.zeros((2, len(pairs)), dtype)
    translated.run(extremes, a, b, low, high)
    for expected, actual in ((min, low), (max, high)):
        assert np.array([expected(*pair) for pair in pairs], dtype).tobytes() == actual.tobytes()


def compared(a: Any, b: Any, y: Any, n: Any) -> None:
    for i in range(n):
        y[i] = 1.0 if a[i] != b[i] else 0.0
        y[i] += 2.0 if a[i] == b[i] else 0.0
        y[i] += 4.0 if not a[i] <= b[i] else 0.0
        y[i] += 8.0 if a[i] > b[i] or b[i] > a[i] else 0.0


def test_nan_is_what_differs_from_itself() -> None:
    """Comparisons are those of Python, NaN and zeros of both signs included."""
    pairs = list(itertools.product(NUMBERS, NUMBERS))
    a, b = (np.array(side) for side in zip(*pairs, strict=True))
    y = np.zeros(len(pairs))
    translated.run(compared, a, b, y)
    expected = [(x != z) + 2 * (x == z) + 4 * (not x <= z) + 8 * (x > z or z > x) for x, z in pairs]
    assert expected == y.tolist()


def rooted(x: Any, y: Any, n: Any) -> None:
    for i in range(n):
        y[i] = x[i] * sqrt(2.0) + abs(-0.25)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_functions_of_constants_are_constants(dtype: str) -> None:
    """In the precision that they are used in."""
    x, y = np.ones((2, 3), dtype)
    translated.run(rooted, x, y)
    assert [x.dtype.type(math.sqrt(2)) + x.dtype.type(0.25)] * 3 == y.tolist()


def transposed(x: Any, y: Any, n: Any) -> None:
    source, target = view(x, 1, (2, 3, 4)), view(y, 2, (4, 3, 2))
    for i in range(2):
        for j in range(3):
            for k in range(4):
                target[k, j, i] = source[i, j, k]


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_views(dtype: str) -> None:
    """Arrays lie in their block row by row, from an offset on."""
    x, y = np.arange(26).astype(dtype), np.zeros(26, dtype)
    translated.run(transposed, x, y)
    assert x[1:25].reshape(2, 3, 4).T.ravel().tolist() == y[2:].tolist()
    assert [0, 0] == y[:2].tolist()


def too_few(x: Any, y: Any, n: Any) -> None:
    y[0] = view(x, 0, (2, 3))[1]


def mixed(x: Any, y: Any, n: Any) -> None:
    y[0] = x[0] + double(x[0])


def counted(x: Any, y: Any, n: Any) -> None:
    y[0] = x[0] * n


@pytest.mark.parametrize("function", [too_few, mixed, counted])
def test_what_does_not_fit_is_refused(function: Any) -> None:
    """With the place in the source."""
    line = function.__code__.co_firstlineno + 1
    with pytest.raises(LanguageError, match=rf"test_language\.py:{line}: "):
        translated.run(function, *np.ones((2, 3), np.float32))


def test_mistakes_in_generated_source_have_a_place() -> None:
    """That of the file which the cache keeps for people."""
    with pytest.raises(LanguageError, match=r"^some/train\.py:2: "):
        compile_source(f"{HEAD}    theta[0] = unknown\n", "float64", "some/train.py")


def test_an_interruption_is_no_mistake() -> None:
    """What a signal raises while source is being translated goes on as what it is."""

    @intrinsic
    def interrupted(t: Any) -> None:
        raise InterruptionError("interrupted", signal.SIGINT)

    def function(x: Any, n: Any) -> None:
        interrupted()

    with pytest.raises(InterruptionError, match="interrupted"):
        translated.run(function, np.ones(1))


def test_generated_loops_stay_loops() -> None:
    """A loop over a billion takes no more code than one over thousands."""
    loop = f"    for j in range({10**9}):\n        theta[j] = 0.5\n"
    assert len(compile_source(HEAD + loop, "float64", "train.py")) < 2000


def test_source_may_be_long() -> None:
    """Thousands of lines, one after the other, ask for no deeper recursion."""
    lines = "".join(f"    gradient[{i}] = theta[{i}]\n" for i in range(2000))
    assert compile_source(HEAD + lines, "float32", "train.py")


def test_the_cache_knows_what_code_is_made_of() -> None:
    """Constants of nnrun.nn that formulas take, and the language itself, are in every key."""
    room = Path(cache.__file__).parent
    formula = room.parent / "engines/functions.py"
    for path in (special.__file__, room / "compile.py", formula):
        assert Path(path).read_text(encoding="utf-8") in cache._surroundings()


# The vectorised exp, tanh and their kin against NumPy, over the whole range.

DTYPES = ["float64", "float32"]
REFERENCE: dict[str, Callable[[Any], Any]] = {
    "exp": np.exp,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
}
LOGARITHMS: dict[str, Callable[[Any], Any]] = {"log": np.log, "log1m": lambda x: np.log1p(-x)}


def over_arrays(name: str, dtype: str) -> Callable[[Any], Any]:
    """The function in a loop over an array, compiled as generated code is."""
    function = getattr(functions(dtype), name)

    def loop(x: Any, y: Any, n: Any) -> None:
        for i in range(n):
            y[i] = function(x[i])

    def run(x: Any) -> Any:
        y = np.empty(len(x), dtype)
        translated.run(loop, np.asarray(x, dtype), y)
        return y

    return run


def whole_range(dtype: str, name: str) -> np.ndarray:
    """Numbers of every size whose result is neither infinite nor lost among the denormals."""
    rng = np.random.default_rng(0)
    top = 709.0 if dtype == "float64" else 88.0
    # The engines hold sigmoid at the edge, below which exp(-x) overflows.
    bottom = -top if name == "sigmoid" else -1.05 * top
    smallest = -320 if dtype == "float64" else -44
    small = rng.choice([-1, 1], 100_000) * 10.0 ** rng.uniform(smallest, 0, 100_000)
    parts = (rng.uniform(bottom, top, 200_000), rng.uniform(-3, 3, 200_000), small)
    return np.concatenate(parts).astype(dtype)


def beyond(units: float, name: str, x: np.ndarray, reference: Callable[[Any], Any]) -> list[str]:
    """The result with the largest error, where that is more units in the last place than these."""
    exact = reference(x.astype(np.longdouble))
    actual = over_arrays(name, x.dtype.name)(x)
    unit = np.spacing(np.abs(exact).astype(x.dtype)).astype(np.longdouble)
    error = np.abs(actual - exact) / unit
    worst = int(error.argmax())
    right = error[worst] <= units  # not so of NaN
    return [] if right else [f"{name}({x[worst]}) = {actual[worst]}, not {exact[worst]}"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", REFERENCE)
def test_within_four_units_in_the_last_place(name: str, dtype: str) -> None:
    """Against NumPy in extended precision, denormal results and arguments included."""
    assert [] == beyond(4, name, whole_range(dtype, name), REFERENCE[name])


def where_logarithms_are(dtype: str, name: str) -> np.ndarray:
    """Numbers of every size, denormals included, and many near 1; log1m takes those up to 1."""
    rng, info = np.random.default_rng(0), np.finfo(dtype)
    smallest, largest = (np.log10(float(x)) for x in (info.smallest_subnormal, info.max))
    near = 10.0 ** rng.uniform(np.log10(float(info.eps)), -0.1, 100_000)
    sizes = 10.0 ** rng.uniform(smallest, min(largest, 307.0), 200_000)
    edges = [info.smallest_normal, info.smallest_subnormal, info.max, np.sqrt(0.5), np.sqrt(2.0)]
    parts = (rng.uniform(0, 3, 200_000), 1 - near, 1 + near, sizes, edges)
    x = np.concatenate(parts).astype(dtype)
    return x[(x > 0) & (x < 1)] if name == "log1m" else x[x > 0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "units"), [("log", 1.0), ("log1m", 2.0)])
def test_logarithms(name: str, units: float, dtype: str) -> None:
    """Within one unit in the last place, log(1 - x) within two, against extended precision."""
    assert [] == beyond(units, name, where_logarithms_are(dtype, name), LOGARITHMS[name])


LIMITS = {
    "exp": [(-np.inf, 0.0), (np.inf, np.inf), (0.0, 1.0)],
    "exp_nonpositive": [(-np.inf, 0.0), (0.0, 1.0)],
    "tanh": [(-np.inf, -1.0), (np.inf, 1.0), (0.0, 0.0)],
    "sigmoid": [(np.inf, 1.0), (0.0, 0.5)],
    "elu": [(-np.inf, -1.0), (np.inf, np.inf), (0.0, 0.0)],
    "softplus": [(-np.inf, 0.0), (np.inf, np.inf)],
    "gelu": [(np.inf, np.inf), (0.0, 0.0)],
    "log": [(0.0, -np.inf), (-0.0, -np.inf), (np.inf, np.inf), (1.0, 0.0), (-1.0, np.nan)],
    "log1m": [(0.0, 0.0), (1.0, -np.inf)],
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LIMITS)
def test_limits(name: str, dtype: str) -> None:
    """Infinite arguments have their limits, and NaN stays NaN."""
    arguments, expected = zip(*LIMITS[name], (np.nan, np.nan), strict=True)
    # Long enough for the vectorised loop and its remainder.
    actual = over_arrays(name, dtype)(np.tile(arguments, 9))
    np.testing.assert_array_equal(np.tile(expected, 9).astype(dtype), actual)


@pytest.mark.parametrize(("dtype", "lowest"), [("float64", -800.0), ("float32", -120.0)])
def test_exp_falls_through_the_denormals_to_zero(dtype: str, lowest: float) -> None:
    """Around and below the smallest numbers exp is right to half of the last digit there is."""
    x = np.linspace(lowest, 0.85 * lowest, 10_001).astype(dtype)
    expected = np.exp(x.astype(np.longdouble))
    smallest = float(np.finfo(dtype).smallest_subnormal)
    error = np.abs(over_arrays("exp", dtype)(x) - expected)
    assert (error <= np.maximum(0.51 * smallest, 1e-15 * expected)).all() or dtype == "float32"
    assert (error <= np.maximum(0.51 * smallest, 4 * np.spacing(expected.astype(dtype)))).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_exp_of_what_is_not_positive_is_exp(dtype: str) -> None:
    """To the bit, down to the smallest normal number; 0 below."""
    deepest = np.log(np.finfo(dtype).smallest_normal)
    x = np.linspace(1.2 * deepest, 0, 100_003).astype(dtype)
    normal = x >= deepest.astype(dtype)
    expected = np.where(normal, over_arrays("exp", dtype)(x), 0)
    np.testing.assert_array_equal(expected, over_arrays("exp_nonpositive", dtype)(x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_normal_distribution(dtype: str) -> None:
    """Φ is that of nnrun.nn, far into the tails."""
    x = np.linspace(-12, 12, 20_001)
    expected = normal_cdf(x)
    actual = over_arrays("normal_cdf", dtype)(x)
    tolerance = 1e-13 if dtype == "float64" else 2e-4
    np.testing.assert_allclose(actual[x > -9], expected[x > -9], rtol=tolerance)


@pytest.mark.parametrize("name", ["gelu", "elu", "softplus", "sigmoid", "tanh"])
def test_activations_are_those_of_the_layers(name: str) -> None:
    """What generated code computes is what the layers of nnrun.nn compute."""
    x = np.linspace(-30, 30, 1001)
    expected = np.empty_like(x)
    ACTIVATIONS[name]().value(x, expected)
    np.testing.assert_allclose(over_arrays(name, "float64")(x), expected, rtol=1e-14, atol=1e-20)


# Vectors of the language, and what is constant about them.


def bent(x: Any, y: Any, n: Any) -> None:
    at = 0
    for lanes in (8, 4, 2):
        while at + lanes <= n:
            v = read(x + at, lanes)
            v = -v if v < 0 and not v <= -3 else 2 * v + x[0]
            write(v, y + at)
            at += lanes


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_operators_take_vectors_and_numbers(dtype: str) -> None:
    """Each lane is computed as a number would be; a number beside a vector counts for all lanes."""
    x = np.array([0.5, -1, 2, -3, 4, -5, 6, np.nan, -0.0, 1.5, -2.5, 3.25, 7, -8], dtype)
    y = np.zeros_like(x)
    translated.run(bent, x, y)
    expected = np.where((x < 0) & ~(x <= -3), -x, 2 * x + x[0])
    assert np.array_equal(expected, y, equal_nan=True)


@subroutine
def summed(shape: Any, x: Any, y: Any) -> None:
    totals = room(shape[0], spread(1.5, shape[1]))
    for r in range(shape[0]):
        totals[r] = spread(1.5, shape[1]) + read(x + r * shape[1], shape[1])
    for r in range(shape[0]):
        y[r] = lane(totals[r], 0) + lane(totals[r], shape[1] - 1)


def by_shapes(x: Any, y: Any, n: Any) -> None:
    summed((2, 4), x, y)
    summed((3, 2), x, y + 2)
    summed((2, 4), x, y + 5)


def test_subroutines_are_made_for_their_tuples() -> None:
    """A tuple of constants stays constant within a subroutine, which there is once for each."""
    x, y = np.arange(8.0), np.zeros(8)
    translated.run(by_shapes, x, y)
    assert [6, 14, 4, 8, 12, 6, 14, 0] == y.tolist()


# Products that are added are fused in the source, and nothing else is left to the target.

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
    with pytest.raises(LanguageError, match=r"test_language\.py:\d+: .* do not go together"):
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
