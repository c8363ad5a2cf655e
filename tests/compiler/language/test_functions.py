"""The vectorised exp, tanh and their kin against NumPy, over the whole range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nnrun.engines.functions import functions
from nnrun.nn import ACTIVATIONS
from nnrun.nn.special import normal_cdf
from tests.compiler.language import translated

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


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", REFERENCE)
def test_within_four_units_in_the_last_place(name: str, dtype: str) -> None:
    """Against NumPy in extended precision, denormal results and arguments included."""
    x = whole_range(dtype, name)
    exact = REFERENCE[name](x.astype(np.longdouble))
    actual = over_arrays(name, dtype)(x)
    unit = np.spacing(np.abs(exact).astype(dtype)).astype(np.longdouble)
    error = np.abs(actual - exact) / unit
    worst = int(error.argmax())
    assert error[worst] <= 4, f"{name}({x[worst]}) = {actual[worst]}, not {exact[worst]}"


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
    x = where_logarithms_are(dtype, name)
    exact = LOGARITHMS[name](x.astype(np.longdouble))
    actual = over_arrays(name, dtype)(x)
    unit = np.spacing(np.abs(exact).astype(dtype)).astype(np.longdouble)
    error = np.abs(actual - exact) / unit
    worst = int(error.argmax())
    assert error[worst] <= units, f"{name}({x[worst]}) = {actual[worst]}, not {exact[worst]}"


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
