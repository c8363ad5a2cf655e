"""What the language means that kernels and generated functions are written in."""

from __future__ import annotations

import itertools
import math
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.compiler import cache
from nnrun.compiler.arguments import ARGUMENTS
from nnrun.compiler.code import LanguageError, double, intrinsic, sqrt, view
from nnrun.compiler.compile import compile_source
from nnrun.errors import InterruptionError
from nnrun.nn import special
from tests.compiler.language import translated

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
    for path in (special.__file__, room / "translator.py", formula):
        assert Path(path).read_text(encoding="utf-8") in cache._surroundings()
