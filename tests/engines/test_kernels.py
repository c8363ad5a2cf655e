"""The table of kernels, the cache of their code, their memory, and those of convolutions alone."""

from __future__ import annotations

import ctypes
import inspect
import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.compiler import machine
from nnrun.compiler.code import LanguageError
from nnrun.compiler.compile import Translator
from nnrun.engines import allocation, kernels
from nnrun.engines.allocation import zeros
from nnrun.engines.base import Batches
from nnrun.engines.kernels import KERNELS, Kernel, build, load, members, scratch, sizes, unit_of
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


# Kernels of convolutions and pools, called alone: the same bits however they are cut.
#
# Whether they are right is seen by random networks (`test_random_architectures.py`).

SCRATCH = 1 << 21
Kernels = Callable[..., None]


@dataclass(frozen=True)
class Case:
    """Sizes of a convolution, of this many rows, and rows of a task."""

    rows: int
    inputs: int
    units: int
    kernel: tuple[int, int]
    padding: int
    sides: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    together: int = 2
    bias: str = "channel"


DIRECT = [
    Case(1, 1, 1, (1, 1), 0, (1, 1)),
    Case(3, 1, 6, (5, 5), 2, (7, 7)),
    Case(2, 6, 16, (5, 5), 0, (9, 9), bias="position"),
    Case(3, 20, 40, (5, 5), 0, (8, 12), bias="none"),
    Case(2, 9, 7, (3, 3), 1, (7, 1)),
    Case(5, 3, 8, (2, 3), 0, (9, 16), stride=(2, 1), together=3),
    Case(1, 17, 56, (3, 3), 1, (15, 15), stride=(1, 3)),
    Case(4, 8, 9, (3, 2), 2, (6, 5), stride=(2, 2), bias="position"),
]
WINOGRAD = [
    Case(5, 16, 16, (3, 3), 1, (7, 7)),
    Case(2, 20, 40, (3, 3), 0, (8, 9), bias="position"),
    Case(3, 17, 24, (3, 3), 2, (4, 7), bias="none"),
    Case(3, 32, 64, (3, 3), 1, (14, 14), together=3),
    Case(2, 1, 1, (3, 3), 1, (1, 1)),
]


def numbers(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Zeros at a cache line."""
    return zeros(int(np.prod(shape)), dtype).reshape(shape)


def filled(shape: tuple[int, ...], dtype: str, stored: int, seed: int) -> np.ndarray:
    """Random numbers, and zeros in the channels that are there for the registers only."""
    array = numbers((*shape[:-1], stored), dtype)
    array[..., : shape[-1]] = np.random.default_rng(seed).standard_normal(shape)
    return array


def image(name: str, x: np.ndarray) -> dict[str, int]:
    """The parameters that describe a map."""
    row, line, pixel = (step // x.itemsize for step in x.strides[:3])
    place = int(x.ctypes.data)
    return {name: place, f"{name}_row": row, f"{name}_line": line, f"{name}_pixel": pixel}


def stored(channels: int) -> int:
    """Channels of a map in memory."""
    return -(-channels // 8) * 8


def compiled(dtype: str) -> Kernels:
    """Calls a kernel for all tasks of a batch: `f(name, tasks, rows, parameters)`."""
    scratch = numbers((SCRATCH,), dtype)

    def call(name: str, tasks: int, rows: int, parameters: dict[str, Any]) -> None:
        place = load.addresses([name], dtype)[name]
        _call(place, name, tasks, rows, parameters, scratch)

    return call


def _call(
    place: int, name: str, tasks: int, rows: int, parameters: dict[str, Any], scratch: np.ndarray
) -> None:
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 5, ctypes.c_double, ctypes.c_int64)(place)
    values = np.array([parameters[key] for key in KERNELS[name].parameters], np.int64)
    for task in range(tasks):
        function(values.ctypes.data, task, rows, 0, 0, 0.0, scratch.ctypes.data)


def convolved(call: Kernels, case: Case, dtype: str, winograd: bool) -> dict[str, np.ndarray]:
    """y, dx and dw by kernels, and what they were made of."""
    (height, width), (kh, kw), (sh, sw), pad = case.sides, case.kernel, case.stride, case.padding
    oh, ow = (height + 2 * pad - kh) // sh + 1, (width + 2 * pad - kw) // sw + 1
    units, rows, tasks = stored(case.units), case.rows, -(-case.rows // case.together)
    exact = case.inputs if case.inputs < 8 and not winograd else stored(case.inputs)
    x = numbers((rows, height + 2 * pad, width + 2 * pad, exact), dtype)
    inside = np.s_[:, pad : pad + height, pad : pad + width, :]
    x[inside] = filled((rows, height, width, case.inputs), dtype, exact, 1)
    w = filled((kh, kw, case.inputs, case.units), dtype, units, 2)
    by_position = case.bias == "position"
    b = filled((oh, ow, case.units) if by_position else (1, 1, case.units), dtype, units, 3)
    dy = filled((rows, oh, ow, case.units), dtype, units, 4)
    y, dw = numbers((rows, oh, ow, units), dtype), numbers((tasks, w.size), dtype)
    dx = numbers((rows, height + 2, width + 1, stored(case.inputs)), dtype)[:, 1:-1, 1:]
    by_turns = numbers((2, w.size), dtype)
    # Whatever is there is overwritten; of a single row there is no second sum.
    dw[...] = dx[...] = y[...] = by_turns[: min(2, rows)] = 7
    sizes = {"channels": case.inputs, "units": units, "rows": case.together, "oh": oh, "ow": ow}
    sizes |= {"kh": kh, "kw": kw, "sh": sh, "sw": sw, "dw": dw.ctypes.data, "dw_task": w.size}
    sizes |= {"groups": tasks, "strip": kh * kw * case.inputs}
    place = 0 if case.bias == "none" else b.ctypes.data
    bias = {"b": place, "b_line": ow * units * by_position, "b_pixel": units * by_position}
    weights = {"w": w.ctypes.data, "channels": case.inputs, "channels_stored": dx.shape[3]}
    weights |= {"units": case.units, "units_stored": units, "taps": kh * kw, "rows": 3}
    turned = numbers((max(16, kh * kw), case.units, dx.shape[3]), dtype)
    forward = {**image("x", x), **image("y", y), **bias, **sizes}
    if winograd:
        u = numbers((16, case.inputs, units), dtype)
        shapes = {"height": oh + 2, "width": ow + 2, "top": 0, "left": 0}
        steps = -(-case.inputs // 3)
        call("transform_weights", steps, rows, {**weights, "units": units, "u": u.ctypes.data})
        call("winograd", tasks, rows, {**forward, **shapes, "u": u.ctypes.data})
        place = turned.ctypes.data
        call("transform_turned", -(-case.units // 3), rows, {**weights, "u": place})
        back = {**image("x", dy), **image("y", dx), "u": place, "b": 0, "b_line": 0, "b_pixel": 0}
        back |= {"channels": case.units, "units": dx.shape[3], "rows": case.together}
        back |= {"height": oh, "width": ow, "oh": height, "ow": width}
        call("winograd", tasks, rows, {**back, "top": 2 - pad, "left": 2 - pad})
        call("winograd_weights", tasks, rows, {**image("x", x), **image("dy", dy), **sizes})
    else:
        call("convolve", tasks, rows, {**forward, "w": w.ctypes.data})
        call("turn_weights", -(-kh * kw // 3), rows, {**weights, "turned": turned.ctypes.data})
        back = {**sizes, "channels": dx.shape[3], "units": case.units, "w": turned.ctypes.data}
        back |= {"top": pad, "left": pad, "height": height, "width": width}
        call("convolve_back", tasks, rows, {**back, **image("dy", dy), **image("dx", dx)})
        last = {**image("x", x), **image("dy", dy), **sizes}
        call("convolve_weights", tasks, rows, last)
        # The same by strips of 6, over the even rows and over the odd ones.
        last |= {"rows": 0, "groups": 2, "strip": 6, "dw": by_turns.ctypes.data}
        call("convolve_weights", 2 * -(-kh * kw * case.inputs // 6), rows, last)
    made = {"y": y, "dx": np.ascontiguousarray(dx), "dw": dw.reshape(tasks, *w.shape)}
    made["strips"] = made["dw"] if winograd else by_turns.reshape(2, *w.shape)
    return {**made, "x": x[inside], "w": w, "b": b, "dy": dy}


@pytest.fixture
def for_registers(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, str, str], Kernels]:
    """Kernels compiled for registers of this many bytes, and for another processor if so wanted."""

    def prepare(register: int, processor: str, dtype: str) -> Kernels:
        if register == machine.register() and not processor:
            return compiled(dtype)  # the code would be the same
        monkeypatch.setattr(machine, "register", lambda: register)
        if processor:
            monkeypatch.setattr(machine, "processor", lambda: machine.Processor(processor))
        places: dict[str, int] = {}
        scratch = numbers((SCRATCH,), dtype)

        def call(name: str, tasks: int, rows: int, parameters: dict[str, Any]) -> None:
            if name not in places:
                unit = unit_of(name)
                places.update(machine.symbols(build.build(unit, dtype), members(unit)))
            _call(places[name], name, tasks, rows, parameters, scratch)

        return call

    return prepare


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("register", [16, 32, 64])
def test_bits_do_not_depend_on_the_registers(
    dtype: str, register: int, for_registers: Callable[[int, str, str], Kernels]
) -> None:
    """Whatever is as wide as the registers, each number is summed in the same order.

    The code for the narrower ones is compiled for a processor that has AVX2 and nothing beyond.
    """
    is_old = register < 64 and platform.machine() in ("x86_64", "AMD64")
    other = for_registers(register, "haswell" if is_old else "", dtype)
    for case, winograd in [(one, False) for one in DIRECT] + [(one, True) for one in WINOGRAD]:
        expected = convolved(compiled(dtype), case, dtype, winograd)
        actual = convolved(other, case, dtype, winograd)
        for name in ("y", "dx", "dw", "strips"):
            assert expected[name].tobytes() == actual[name].tobytes(), (case, name)


@pytest.mark.parametrize("case", [DIRECT[4], WINOGRAD[0]])
def test_rows_do_not_depend_on_their_tasks(case: Case) -> None:
    """y and dx of a row are the same bits, with which others it may be in a task."""
    winograd = case is WINOGRAD[0]
    one, two = (
        convolved(
            compiled("float32"), Case(**{**vars(case), "together": together}), "float32", winograd
        )
        for together in (1, 4)
    )
    assert [one[name].tobytes() for name in ("y", "dx")] == [
        two[name].tobytes() for name in ("y", "dx")
    ]


@pytest.mark.parametrize(
    ("kernel", "stride", "inputs", "units", "expected"),
    [
        ((3, 3), (1, 1), 16, 16, True),
        ((3, 3), (1, 1), 24, 100, True),
        ((3, 3), (1, 1), 8, 64, False),
        ((3, 3), (1, 1), 17, 64, False),
        ((3, 3), (2, 1), 32, 32, False),
        ((5, 5), (1, 1), 32, 32, False),
    ],
)
def test_sizes_decide(kernel: Any, stride: Any, inputs: int, units: int, expected: bool) -> None:
    """Winograd's transforms are for 3×3 at every pixel, with channels enough to pay for them."""
    assert expected == sizes.uses_winograd(kernel, stride, inputs, units)


def test_max_pool_keeps_nan() -> None:
    """NaN is larger than anything, wherever in its window it stands."""
    x = filled((1, 4, 4, 1), "float64", 8, 1)
    x[0, [0, 0, 3], [0, 3, 2], 0] = np.nan
    y = np.zeros((1, 2, 2, 8))
    shapes = {"kh": 2, "kw": 2, "sh": 2, "sw": 2, "oh": 2, "ow": 2, "rows": 1, "place": 0}
    compiled("float64")("max_pool", 1, 1, {**image("x", x), **image("y", y), **shapes})
    assert [[True, True], [False, True]] == np.isnan(y[0, :, :, 0]).tolist()
