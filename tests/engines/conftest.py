"""What the tests of the compiled engine share: runs of both engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from nnrun.engines import numpy_engine
from nnrun.engines.base import Batches
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.nn import SGD, CrossEntropy, L2Penalty, Network

TOLERANCE = 1e-9


@dataclass
class Task:
    """A network with random data, and how it is trained."""

    blocks: Callable[[], list[Any]]
    input_shape: tuple[int, ...]
    loss: Any = field(default_factory=CrossEntropy)
    optimizer: Callable[[], Any] = SGD
    dtype: str = "float64"
    batch_size: int = 1
    iterations: int = 1000
    rate: float = 0.01
    clip_norm: float | None = None
    penalty: L2Penalty | None = None

    def network(self) -> Network:
        """Initialized, the same at every call."""
        network = Network(self.blocks(), self.loss, self.input_shape, self.dtype, self.penalty)
        network.initialize(rng=np.random.default_rng(1))
        return network

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """40 rows and their targets."""
        rng = np.random.default_rng(2)
        outputs = self.network().output_shape[0]
        x = rng.standard_normal((40, *self.input_shape))
        if "cross_entropy" in self.loss.type:
            target = np.eye(outputs)[rng.integers(outputs, size=40)]
        elif self.loss.type == "poisson":
            target = rng.poisson(1, (40, outputs)).astype(float)
        else:
            target = rng.standard_normal((40, outputs))
        return x.astype(self.dtype), target.astype(self.dtype)

    def batches(self) -> Batches:
        """Shuffled rows, a falling learning rate; the last batch may be smaller."""
        bounds = np.arange(self.iterations + 1) * self.batch_size
        bounds[-1] -= self.batch_size // 2
        rows = np.random.default_rng(3).integers(40, size=bounds[-1])
        return Batches(rows, bounds, self.rate * np.linspace(1, 0.5, self.iterations))

    def train(
        self,
        kind: Any,
        *,
        nudge: float = 0.0,
        rounding: float = 0.0,
        batches: Batches | None = None,
    ) -> Any:
        """Train from the start by an engine; the engine is returned.

        Args:
            kind: the engine's class.
            nudge: all weights are moved by this share of themselves first.
            rounding: what layers put out is moved by this share of itself, always.
            batches: the task's own by default.
        """
        network = self.network()
        network.theta *= 1 + nudge
        if rounding:
            for _, layer in network.named_layers():
                layer.forward = _moved(layer.forward, 1 + rounding)  # type: ignore[method-assign]
        engine = self.engine(kind, network)
        engine.run(self.batches() if batches is None else batches)
        return engine

    def engine(self, kind: Any, network: Network | None = None, **options: Any) -> Any:
        """An engine before its first update, of the task's network or one like it."""
        network, optimizer = network or self.network(), self.optimizer()
        optimizer.allocate(network.theta)
        if kind is not NumpyEngine:
            options = {"batch_size": self.batch_size, **options}
        rng = np.random.default_rng(4)
        return kind(network, optimizer, *self.data(), rng=rng, clip_norm=self.clip_norm, **options)


def _moved(forward: Callable[..., np.ndarray], factor: float) -> Callable[..., np.ndarray]:
    """A layer's forward with its output moved, also where the layer keeps it for the way back."""

    def moved(x: np.ndarray, rng: Any = None) -> np.ndarray:
        y = forward(x, rng)
        return y if y is x else np.multiply(y, factor, out=y)

    return moved


def part(batches: Batches, first: int, last: int) -> Batches:
    """Some of the iterations, as a call of its own."""
    start, end = batches.bounds[first], batches.bounds[last]
    bounds = batches.bounds[first : last + 1] - start
    return Batches(batches.rows[start:end], bounds, batches.rates[first:last])


def bits(engine: Any) -> list[bytes]:
    """Bytes of all that training changes."""
    return [array.tobytes() for array in numbers(engine).values()]


def numbers(engine: Any) -> dict[str, np.ndarray]:
    """All that training changes."""
    return {
        "theta": engine.network.theta,
        **engine.network.buffers,
        **engine.optimizer.state,
        "steps": np.array([engine.optimizer.steps]),
    }


def difference(engine: Any, other: Any) -> float:
    """The largest difference, as a share of the largest number of its array."""
    expected, actual = numbers(engine), numbers(other)
    assert expected.keys() == actual.keys()
    return max(
        float(np.abs(expected[name] - actual[name]).max() / np.abs(expected[name]).max())
        for name in expected
        if expected[name].any()
    )


def check_evaluation(engine: Any, x: np.ndarray, target: np.ndarray) -> None:
    """An engine's losses and outputs are those of the layers of nnrun.nn."""
    expected_loss, expected = numpy_engine.evaluate(engine.network, x, target)
    loss, outputs = engine.evaluate(x, target)
    assert (expected.shape, expected.dtype) == (outputs.shape, outputs.dtype)
    tolerance = 1e-11 if engine.network.dtype == "float64" else 1e-4
    assert expected_loss == pytest.approx(loss, rel=tolerance, nan_ok=True)
    largest = float(np.abs(expected).max())
    np.testing.assert_allclose(outputs, expected, rtol=tolerance, atol=tolerance * largest)


@pytest.fixture(scope="session")
def agree() -> Callable[[Task], None]:
    """A check that both engines make the same of a task, and evaluate what came out alike.

    Some networks amplify rounding errors: the NumPy engine by itself, from weights moved by one
    rounding error, or with what layers put out moved by one (which makes all of the slope of a
    tanh that is nearly 1), ends elsewhere. Then the engines may differ by as much.
    """

    def check(task: Task, tolerance: float = TOLERANCE, kind: Any = CompiledEngine) -> None:
        reference, compiled = task.train(NumpyEngine), task.train(kind)
        if not np.isfinite(reference.network.theta).all():
            assert not np.isfinite(compiled.network.theta).all()
            return
        assert not np.array_equal(task.network().theta, reference.network.theta)
        check_evaluation(compiled, *task.data())
        error = difference(reference, compiled)
        if error > tolerance:
            epsilon = float(np.finfo(task.dtype).eps)
            moved = [{"nudge": sign * epsilon} for sign in (1, -1, 4)]
            moved += [{"rounding": sign * epsilon} for sign in (1, -1)]
            drift = [difference(reference, task.train(NumpyEngine, **one)) for one in moved]
            assert error <= 20 * max(drift)

    return check


@pytest.fixture(scope="session")
def task() -> type[Task]:
    """The class `Task`, for tests to make some."""
    return Task
