"""Steps whose rows the compiled engine draws by itself."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnrun.engines.base import Batches, Sampler, Steps
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.kernels.stream_fields import SAMPLINGS
from nnrun.nn import SGD, Adam, Dropout, dense
from nnrun.nn.schedules import Constant, Cosine

ROWS, TOTAL = 40, 20_000


class Run:
    """A compiled engine and the sampler that it draws with; 40 rows."""

    def __init__(self, kind: Any, task: Any, sampling: str, schedule: Any) -> None:
        self.task = task
        self.engine = task.train(kind, batches=Batches(*[np.zeros(0, int)] * 2, np.zeros(0)))
        self.sampler = Sampler(ROWS, task.batch_size, sampling, rng=np.random.default_rng(11))
        self.schedule = schedule
        self.iteration = 0

    def go(self, iterations: int) -> None:
        """Make updates."""
        steps = Steps(
            self.sampler,
            self.schedule,
            first=self.iteration,
            iterations=iterations,
            total=TOTAL,
        )
        self.engine.run(steps)
        self.iteration += iterations

    def state(self) -> Any:
        """All that a checkpoint would hold, as bytes and plain values."""
        engine = self.engine
        arrays = [engine.network.theta, *engine.optimizer.state.values()]
        return (
            [array.tobytes() for array in arrays],
            engine.optimizer.steps,
            engine.rng.bit_generator.state,
            self.sampler.state(),
        )

    def restore(self, other: Run) -> None:
        """Be where the other run is, by what a checkpoint holds."""
        engine, theirs = self.engine, other.engine
        engine.network.theta[...] = theirs.network.theta
        for name, array in engine.optimizer.state.items():
            array[...] = theirs.optimizer.state[name]
        engine.optimizer.steps = theirs.optimizer.steps
        engine.rng.bit_generator.state = theirs.rng.bit_generator.state
        self.sampler.restore(json.loads(json.dumps(other.sampler.state())))
        self.iteration = other.iteration


NETWORKS = {
    "rows": {"blocks": lambda: [dense(5, "tanh"), dense(3, "softmax")], "batch_size": 1},
    "rows, Adam": {"blocks": lambda: [dense(3, "softmax")], "optimizer": Adam, "batch_size": 1},
    "rows, dropout": {
        "blocks": lambda: [dense(5, "tanh"), Dropout(0.3), dense(3, "softmax")],
        "batch_size": 1,
    },
    "batches": {
        "blocks": lambda: [dense(5, "tanh"), Dropout(0.3), dense(3, "softmax")],
        "optimizer": lambda: SGD(momentum=0.9),
        "batch_size": 7,
    },
}
SCHEDULES = {"constant": Constant(0.05), "cosine": Cosine(0.1)}


@pytest.fixture(params=NETWORKS)
def small(request: Any, task: Any) -> Any:
    """Networks whose generated functions draw by themselves, and others."""
    return task(input_shape=(4,), **NETWORKS[request.param])


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_as_if_the_rows_had_been_given(small: Any, sampling: str, schedule: Any) -> None:
    """The bits of a run to which NumPy's rows are given, over blocks and portions."""
    drawn = Run(CompiledEngine, small, sampling, schedule)
    for iterations in (1, 2, 0, 37, 8000, TOTAL - 8040):
        drawn.go(iterations)
    given = Run(CompiledEngine, small, sampling, schedule)
    rows, bounds = given.sampler.take(TOTAL)
    rates = schedule.rates(np.arange(float(TOTAL)), TOTAL)
    given.engine.run(Batches(rows, bounds, rates))
    assert given.state() == drawn.state()


@settings(max_examples=25, deadline=None)
@given(
    sampling=st.sampled_from(SAMPLINGS),
    schedule=st.sampled_from(list(SCHEDULES)),
    cuts=st.lists(st.integers(1, 400), min_size=1, max_size=6),
    far=st.sampled_from([0, 2339, 16_383]),
)
@pytest.mark.parametrize("name", NETWORKS)
def test_interrupted_is_uninterrupted(
    task: Any, name: str, sampling: str, schedule: str, cuts: list[int], far: int
) -> None:
    """From any moment another process goes on to the same bits, however it groups the steps."""
    one = task(input_shape=(4,), **NETWORKS[name])
    whole = Run(CompiledEngine, one, sampling, SCHEDULES[schedule])
    whole.go(far + sum(cuts))
    run = Run(CompiledEngine, one, sampling, SCHEDULES[schedule])
    if far:
        run.go(far)
    for cut in cuts:
        run.go(cut)
        after = Run(CompiledEngine, one, sampling, SCHEDULES[schedule])
        after.restore(run)
        run = after
    assert whole.state() == run.state()


def test_memory_does_not_grow_with_the_number_of_iterations(task: Any) -> None:
    """A million rows are drawn without a place for each."""
    run = Run(CompiledEngine, task(input_shape=(4,), **NETWORKS["rows"]), "shuffle", Cosine(0.1))
    run.go(1)
    tracemalloc.start()
    run.go(1_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2e6


def test_rows_that_are_not_there_are_refused(task: Any) -> None:
    """An order of more rows than the training split has is an error."""
    run = Run(CompiledEngine, task(input_shape=(4,), **NETWORKS["rows"]), "shuffle", Cosine(0.1))
    run.sampler = Sampler(ROWS + 1, 1, "shuffle", rng=np.random.default_rng(0))
    with pytest.raises(IndexError, match="row numbers"):
        run.go(1)


def test_batches_for_a_function_of_single_rows_are_refused(task: Any) -> None:
    """The faster function for batches of one row cannot be handed larger ones."""
    run = Run(CompiledEngine, task(input_shape=(4,), **NETWORKS["rows"]), "shuffle", Cosine(0.1))
    run.sampler = Sampler(ROWS, 2, "shuffle", rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="one row"):
        run.go(1)
