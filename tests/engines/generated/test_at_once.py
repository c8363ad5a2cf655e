"""Steps with evaluations in between, in one call, give the bits of one after the other."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
import pytest

from nnrun.engines.base import Steps
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.kernels.stream_fields import SAMPLINGS
from nnrun.nn import SGD, Adam, MeanSquared, conv2d, dense
from nnrun.nn.layers.flatten import Flatten
from nnrun.nn.schedules import Constant, Cosine
from tests.engines.generated.test_steps import NETWORKS, SCHEDULES, Run

SMALL = {
    **{name: {"input_shape": (4,), **given} for name, given in NETWORKS.items()},
    "one output, float32": {
        "blocks": lambda: [dense(1)],
        "input_shape": (3,),
        "loss": MeanSquared(),
        "dtype": "float32",
        "optimizer": lambda: SGD(momentum=0.5, nesterov=True, weight_decay=0.01),
    },
    "images, clipped": {
        "blocks": lambda: [conv2d(3, activation="tanh"), Flatten(), dense(3, "softmax")],
        "input_shape": (1, 5, 5),
        "optimizer": Adam,
        "clip_norm": 0.1,
        "batch_size": 3,
    },
}
# Within a block and over several; two evaluations after the same update.
STOPS = [1, 2, 2, 9, 50, 300, 1000]


def going(task: Any, sampling: str = "shuffle", schedule: Any = None) -> Run:
    """A run that has come some way already."""
    run = Run(CompiledEngine, task, sampling, schedule or Constant(0.05))
    run.go(5)
    return run


def ahead(run: Run, iterations: int) -> Steps:
    return Steps(
        run.sampler, run.schedule, first=run.iteration, iterations=iterations, total=20_000
    )


def splits(run: Run) -> list[Any]:
    """Evaluators of the training split, and of some rows."""
    x, target = run.task.data()
    engine = run.engine
    return [engine.evaluator(engine.x, engine.target), engine.evaluator(x[3:20], target[3:20])]


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("name", SMALL)
def test_the_bits_of_one_thing_after_the_other(
    task: Any, name: str, sampling: str, schedule: Any
) -> None:
    """Weights, streams, and each loss and output on the way; also of what comes afterwards."""
    whole, stepwise = (going(task(**SMALL[name]), sampling, schedule) for _ in range(2))
    found = whole.engine.run_and_evaluate(ahead(whole, STOPS[-1]), STOPS, splits(whole))
    evaluators = splits(stepwise)
    for index, (before, stop) in enumerate(zip([0, *STOPS], STOPS, strict=False)):
        stepwise.go(stop - before)
        for split, evaluate in enumerate(evaluators):
            loss, outputs = evaluate()
            assert loss == found.losses[split][index]
            assert outputs.tobytes() == found.outputs[split][index].tobytes()
    assert stepwise.state() == whole.state()
    for run in (whole, stepwise):
        run.iteration = 5 + STOPS[-1]
        run.go(100)
    assert stepwise.state() == whole.state()


def test_its_time_is_measured_separately(task: Any) -> None:
    """Updates take theirs and evaluations theirs, together no longer than the call."""
    for often, stops in ((True, [1] * 2000), (False, [5000])):
        times = []
        for _ in range(5):  # least where no other process interrupts it
            run = going(task(**SMALL["batches"]))
            start = perf_counter()
            found = run.engine.run_and_evaluate(ahead(run, stops[-1]), stops, splits(run))
            elapsed = perf_counter() - start
            assert 0 < found.update_seconds + found.evaluation_seconds <= elapsed
            times.append((found.update_seconds, found.evaluation_seconds))
        updates, evaluations = map(min, zip(*times, strict=True))
        assert often == (evaluations > updates)


def untouched(run: Run, steps: Steps, stops: list[int], evaluators: list[Any]) -> bool:
    """Whether the engine does not do this at once, and leaves all as it was."""
    before = run.state()
    return run.engine.run_and_evaluate(steps, stops, evaluators) is None and (before == run.state())


def test_what_takes_long_is_not_done_at_once(task: Any) -> None:
    """Many updates, many evaluations, or many outputs: the run can be watched then."""
    run = going(task(**SMALL["rows"]))
    short, many = [100], [1] * 200_000
    assert untouched(run, ahead(run, 2_000_000), [2_000_000], splits(run))
    assert untouched(run, ahead(run, 1), many, splits(run))
    wide = going(task(lambda: [dense(40)], (4,), MeanSquared()))
    assert untouched(wide, ahead(wide, 1), [1] * 500, splits(wide))
    assert not untouched(run, ahead(run, 100), short, splits(run))


def test_more_learning_rates_than_are_computed_at_once(task: Any) -> None:
    """Of a schedule that changes them; constant ones are no matter."""
    stops = [33_000]
    for schedule, refused in ((Cosine(0.1), True), (Constant(0.1), False)):
        run = going(task(**SMALL["rows"]), schedule=schedule)
        assert refused == untouched(run, ahead(run, 33_000), stops, [])


def test_splits_of_several_portions_are_not_done_at_once(task: Any) -> None:
    """One call evaluates a portion of rows."""
    run = going(task(**SMALL["rows"]))
    rows = run.engine._evaluation.portion
    x, target = (np.resize(array, (rows + 1, array.shape[1])) for array in run.task.data())
    assert not untouched(run, ahead(run, 1), [1], [run.engine.evaluator(x[:-1], target[:-1])])
    assert untouched(run, ahead(run, 1), [1], [run.engine.evaluator(x, target)])
