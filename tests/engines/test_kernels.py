"""The table of kernels and their language, the cache of their code, and their scratch memory."""

from __future__ import annotations

import ctypes
import inspect
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.compiler.code import LanguageError
from nnrun.compiler.compile import Translator
from nnrun.engines import allocation, kernels
from nnrun.engines.base import Batches
from nnrun.engines.kernels import KERNELS, Kernel, build, load, scratch
from nnrun.engines.kernels.build import ARGUMENTS
from nnrun.engines.kernels.primitives import evaluated, pointer
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape import network as tapes
from nnrun.engines.tape.engine import Encoded, Memory, TapeEngine, compile_ahead
from nnrun.nn import SGD, CrossEntropy, Flatten, MeanSquared, Network, conv2d, dense
from tests.engines.guards import apart, guarded

KINDS = [ARGUMENTS[name] for name in ("task", "n", "rate")]
PLACE = "nnrun.engines.kernels."


def test_a_kernel_takes_what_the_table_lists() -> None:
    """A kernel takes all parameters of the table, and a loss its settings by name; it has pieces of
    scratch memory in the table if and only if it takes the memory.
    """
    for name, kernel in KERNELS.items():
        arguments = inspect.signature(_function(kernel)).parameters.keys()
        taken = arguments - ARGUMENTS.keys()
        assert {*kernel.parameters} == {*taken, *kernel.constants.get("names", ())}, name
        assert (kernel.scratch is not None) == ("scratch" in arguments), name


def _function(kernel: Kernel) -> Any:
    return getattr(import_module(PLACE + kernel.module), kernel.function)


def unknown(task, n, rate):  # type: ignore[no-untyped-def]
    x = pointer(task)
    x[0] = task if n > 0 else rate


def lambdas(task, n, rate):  # type: ignore[no-untyped-def]
    return [task for _ in range(n)]


@pytest.mark.parametrize("function", [unknown, lambdas])
def test_what_is_not_in_the_language(function: Any) -> None:
    """What cannot be translated is refused with its file and line."""
    line = inspect.getsourcelines(function)[1]
    with pytest.raises(
        LanguageError, match=rf"test_kernels\.py:{line + 1 + (function is unknown)}:"
    ):
        Translator(function, "kernel", KINDS, "float64")


def mixture(x, y, count):  # type: ignore[no-untyped-def]
    """Loops, branches, selections, whole-number arithmetic."""
    x, y = pointer(x), pointer(y)
    total = 0
    for i in range(0, count, 2):
        if i % 4 == 0 and not (i >= 8 and i <= 8):
            total += i // 3
        else:
            total -= 1
    while total > 100:
        total = total - 7
    for i in range(3):
        y[i] = x[i] * 2.0 + min(x[0], x[1]) if x[i] < 2.5 else evaluated("-x", "x", x[i])
    y[3] = total
    left, right = x[0], x[1]
    left, right = right, left
    (y + 4)[0] = left - right


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_language_means_what_python_means(dtype: str, monkeypatch: Any) -> None:
    """A kernel computes what Python makes of the same source."""
    monkeypatch.setitem(KERNELS, "mixture", Kernel("primitives", "mixture", ("x", "y", "count")))
    monkeypatch.setattr("nnrun.engines.kernels.primitives.mixture", mixture, raising=False)
    x, y = np.array([1.5, 0.5, 3.0], dtype), np.zeros(5, dtype)
    values = {"x": x.ctypes.data, "y": y.ctypes.data, "count": 41}
    kernel_function("mixture", dtype)(values, 0, 1)
    total = sum(i // 3 if i % 4 == 0 and i != 8 else -1 for i in range(0, 41, 2))
    while total > 100:
        total -= 7
    assert [3.5, 1.5, -3.0, total, -1.0] == y.tolist()


def kernel_function(name: str, dtype: str) -> Callable[..., None]:
    """A kernel to be called from Python, as tests do: `f(parameters, task, n, k, start, rate)`."""
    place = load.addresses([name], dtype)[name]
    integer, real = ctypes.c_int64, ctypes.c_double
    function = ctypes.CFUNCTYPE(None, *[integer] * 5, real, integer)(place)

    def call(
        parameters: dict[str, int], task: int, n: int, k: int = 0, start: int = 0, rate: float = 0.0
    ) -> None:
        values: Any = [parameters[key] for key in KERNELS[name].parameters]
        array = (integer * len(values))(*values)
        known = {**parameters, "n": n, "itemsize": int(dtype[-2:]) // 8}
        held = allocation.unwritten(scratch.total(KERNELS[name].pieces(known)), "uint8")
        function(ctypes.addressof(array), task, n, k, start, rate, held.ctypes.data)

    return call


# Machine code of kernels is compiled once, kept signed, and taken from there.


@pytest.fixture
def new_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has loaded nothing, and an empty cache."""
    monkeypatch.setenv("NNRUN_CACHE", str(tmp_path))
    monkeypatch.setattr(load, "_addresses", {})


_compile = build.build


@cache
def code_of(unit: str, dtype: str, entry: str) -> bytes:
    """The object file of a unit whose entry in the table is this, the same for all tests."""
    return _compile(unit, dtype)


@pytest.fixture
def built(new_cache: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is compiled while a test runs."""
    found: list[str] = []

    def noted(unit: str, dtype: str) -> bytes:
        found.append(unit)
        return code_of(unit, dtype, str(kernels.KERNELS.get(unit)))

    monkeypatch.setattr(build, "build", noted)
    return found


def weights_by_kernels(units: int = 5, *, notes: list[str] | None = None) -> bytes:
    """The weights after a few updates, and after an evaluation."""
    layers = [conv2d(3, 2, activation="relu"), Flatten(), dense(units, "softmax")]
    network = Network(layers, CrossEntropy(), (1, 4, 4), "float32")
    network.initialize(rng=np.random.default_rng(0))
    optimizer = SGD()
    optimizer.allocate(network.theta)
    rng = np.random.default_rng(1)
    x = rng.standard_normal((20, 1, 4, 4)).astype("float32")
    target = np.eye(units, dtype="float32")[rng.integers(units, size=20)]
    wait = (lambda text: None) if notes is None else notes.append
    engine = TapeEngine(network, optimizer, x, target, rng=rng, batch_size=10, wait=wait)

    engine.run(Batches(np.arange(20), np.array([0, 10, 20]), np.full(2, 0.1)))
    engine.evaluate(x, target)
    return network.theta.tobytes()


def test_once_for_all_networks(built: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A second network of such layers compiles nothing, nor does another process, to which the
    cache has it all; waiting is announced once.
    """
    notes: list[str] = []
    weights = weights_by_kernels(notes=notes)
    assert ["compiling kernels, once for all networks"] == notes
    assert len(built) == len(set(built)) > 5
    built.clear()
    weights_by_kernels(7)
    monkeypatch.setattr(load, "_addresses", {})
    assert weights == weights_by_kernels()
    assert [] == built


def test_ahead(built: list[str]) -> None:
    """What is compiled ahead is all that training and evaluating need."""
    layers = [conv2d(3, 2, activation="relu"), Flatten(), dense(5, "softmax")]
    network = Network(layers, CrossEntropy(), (1, 4, 4), "float32")
    compile_ahead(network, SGD(), clip_norm=None, batch_size=10)
    built.clear()
    weights_by_kernels()
    assert [] == built


def test_code_that_was_tampered_with_is_made_again(
    built: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object is not run under the name of another, nor with a bit changed."""
    weights = weights_by_kernels()
    files = sorted((tmp_path / "compiled").glob("*.o"))
    assert len(files) == len(built)
    contents = [file.read_bytes() for file in files]
    for file, content in zip(files, [*contents[1:], contents[0]], strict=True):
        file.write_bytes(content)
    files[0].write_bytes(contents[0][:-1] + bytes([contents[0][-1] ^ 1]))
    monkeypatch.setattr(load, "_addresses", {})
    expected = sorted(built)
    built.clear()
    assert weights == weights_by_kernels()
    assert expected == sorted(built)


def test_another_formula_is_another_kernel(
    built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the table says of a kernel is part of what its code depends on."""
    weights_by_kernels()
    built.clear()
    monkeypatch.setattr(load, "_addresses", {})
    leaky = kernels.KERNELS["leaky_relu"]
    monkeypatch.setitem(kernels.KERNELS, "relu", leaky)
    weights_by_kernels()
    assert ["relu"] == built


# Short trainings of a network by one engine or another, from given data.


def trained(
    kind: Any, network: Network, optimizer: Any, data: Any, batches: Batches
) -> tuple[float, np.ndarray]:
    """The loss over all rows in the end, and the parameters."""
    network.initialize(rng=np.random.default_rng(1))
    optimizer.allocate(network.theta)
    size = int(np.diff(batches.bounds).max())
    more = {} if kind is NumpyEngine else {"batch_size": size}
    engine = kind(network, optimizer, *data, rng=np.random.default_rng(4), **more)
    engine.run(batches)
    return engine.evaluate(*data)[0], network.theta.copy()


def shuffled(rows: int, batch_size: int, iterations: int, rate: float = 0.01) -> Batches:
    """Batches of rows that are drawn anew each time."""
    bounds = np.arange(iterations + 1) * batch_size
    order = np.random.default_rng(3).integers(rows, size=bounds[-1])
    return Batches(order, bounds, np.full(iterations, rate))


# Kernels have as much scratch memory as they use, however large the network.

# Input shapes, layers, dtypes: tables of more entries than a megabyte holds.
LARGE: dict[str, Any] = {
    "kernel of 9": ((2048, 9, 9), lambda: [conv2d(8, 9, activation="tanh")], "float32"),
    "kernel of 16": ((2000, 16, 16), lambda: [conv2d(8, 16, activation="tanh")], "float32"),
    "the last that fits": ((131_056, 1, 1), lambda: [conv2d(8, 1)], "float64"),
    "the first that does not": ((131_057, 1, 1), lambda: [conv2d(8, 1)], "float64"),
    "many channels": ((140_000, 1, 1), lambda: [conv2d(8, 1, activation="tanh")], "float32"),
    "many units": ((3, 1, 1), lambda: [conv2d(2, 1), conv2d(140_000, 1)], "float32"),
    "many units at Winograd's": (
        (3, 3, 3),
        lambda: [conv2d(16, 1), conv2d(300, 3, padding="same")],
        "float64",
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_tables(name: str) -> None:
    """Convolutions of many taps or channels end where NumPy's do, within their own memory."""
    shape, blocks, dtype = LARGE[name]
    rng = np.random.default_rng(0)
    rows, batch_size = (20, 8) if name == "kernel of 9" else (3, 2)
    x, target = rng.standard_normal((rows, *shape)), rng.standard_normal((rows, 1))
    data = x.astype(dtype), target.astype(dtype)
    batches = shuffled(rows, batch_size, 2, 1e-4)

    def ends(kind: Any) -> tuple[float, np.ndarray]:
        network = Network([*blocks(), Flatten(), dense(1)], MeanSquared(), shape, dtype)
        return trained(kind, network, SGD(), data, batches)

    def by_tape() -> tuple[float, np.ndarray]:
        with guarded("end"):
            return ends(TapeEngine)

    expected, theta = ends(NumpyEngine)
    loss, actual = apart(by_tape)
    tolerance = 1e-10 if dtype == "float64" else 1e-4
    assert expected == pytest.approx(loss, rel=tolerance)
    np.testing.assert_allclose(actual, theta, rtol=0, atol=tolerance * np.abs(theta).max())


def test_a_thread_with_less_is_refused() -> None:
    """A tape is not encoded for less scratch memory than one of its kernels uses."""
    network = Network([conv2d(3, 3), Flatten(), dense(1)], MeanSquared(), (5, 4, 4), "float64")
    plan = tapes.training(network, SGD(), clip_norm=None, batch_size=4)
    kernels = {op.kernel: 0 for stage in plan.all_stages for op in stage.ops}
    Encoded(plan, Memory(plan), kernels, plan.scratch)
    with pytest.raises(AssertionError):
        Encoded(plan, Memory(plan), kernels, plan.scratch - 1)
