"""Runs trained at once, and what training keeps in memory."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest

from nnrun.engines.generated.engine import CompiledEngine
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import Execution

# Short runs are made in one go: their reports are those of runs that are watched on the way.

# Each with whether it is made in one go.
RUNS: dict[str, tuple[list[str], bool]] = {
    "batches": ([], True),
    "rows": (["training.batch_size=1", "training.sampling=with_replacement"], True),
    "adam, schedule": (
        ["training.optimizer=adam", "training.learning_rate={schedule: cosine, initial: 0.1}"],
        True,
    ),
    "in order, momentum": (
        ["training.optimizer={type: sgd, momentum: 0.9}", "dataset.stratify=true"],
        True,
    ),
    "dropout, uneven evaluations": (
        [
            "network={layers: [{type: dense, units: 5, activation: relu}, {type: dropout, rate: "
            "0.3}, {type: dense, units: 3, activation: softmax}]}",
            "training.evaluate_every=33",
        ],
        True,
    ),
    "float32": (["training.dtype=float32"], True),
    "stopped early": (["training.early_stopping={patience: 2}"], False),
    "beyond numbers": (["training.learning_rate=1e308"], False),
    "longer": (["training.iterations=100000"], False),
}


LINEAR = "network={sizes: [10, 1], activations: [linear, linear]}"


def regression(*overrides: str) -> list[str]:
    return [
        "dataset.name=diabetes",
        "dataset.target=standard",
        "network={sizes: [10, 1], activations: [tanh, linear]}",
        "loss=mean_squared",
        *overrides,
    ]


RUNS |= {
    "regression": (regression(), True),
    "out of bounds": (regression(LINEAR, "training.learning_rate=0.3"), False),
}


def everything(execution: Execution) -> tuple[Any, ...]:
    """The result of a run, but for times, and how often it was shown."""
    shown: list[int] = []
    result = execution.run(
        Listener(progressed=lambda run, progress: shown.append(progress.iteration))
    )
    record = result.record.to_dict()
    for key in ("timing", "started"):
        record.pop(key)
    weights = {name: array.tobytes() for name, array in (result.weights or {}).items()}
    ending = result.ending and (
        {name: array.tobytes() for name, array in result.ending.arrays.items()},
        result.ending.values,
    )
    good = execution.trainer.last_good
    at_last = (good.iteration, {name: array.tobytes() for name, array in good.arrays.items()})
    return record, result.history, weights, ending, at_last, shown


@pytest.mark.parametrize("name", RUNS)
def test_the_same_run(name: str, prepared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Report, history, weights, and where it would go on; and it is shown once, at its end."""
    overrides, at_once = RUNS[name]
    run = prepared(None, "training.engine=compiled", *overrides)
    *ours, shown = everything(Execution(run))
    assert at_once == (shown == [run.iterations])
    monkeypatch.setattr(CompiledEngine, "run_and_evaluate", lambda *_: None)
    *expected, watched = everything(Execution(run))
    assert expected == ours
    assert watched != [run.iterations]


def test_from_where_it_was_left(prepared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """At an evaluation or between two: a run that goes on ends as one that was never left."""
    run = prepared(None, "training.engine=compiled")
    whole = everything(Execution(run))[:-1]
    with monkeypatch.context() as watched:
        watched.setattr(CompiledEngine, "run_and_evaluate", lambda *_: None)
        execution = Execution(run)
        states = [execution.trainer.checkpoint() for _ in execution.trainer.run()]
    assert len(states) > 20
    assert {state.iteration % run.evaluate_every == 0 for state in states} == {True, False}
    for state in states:
        assert whole == everything(Execution(run, state))[:-1]


def test_a_loss_that_was_infinite_once(prepared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if weights and losses are finite in the end, the run is watched from its beginning."""
    run = prepared(None, "training.engine=compiled")
    *expected, _ = everything(Execution(run))
    at_once = CompiledEngine.run_and_evaluate

    def spoilt(*arguments: Any) -> Any:
        found = at_once(*arguments)
        found.losses[0][3] = np.inf
        return found

    monkeypatch.setattr(CompiledEngine, "run_and_evaluate", spoilt)
    *ours, watched = everything(Execution(run))
    assert expected == ours
    assert watched != [run.iterations]


# What training keeps in memory.


def test_training_rows_are_in_memory_once(prepared):
    """Where the engine needs them in another layout, its copy takes their place."""
    settings = ("training.batch_size=1", "training.engine=compiled", "training.dtype=float32")
    run, expected = (prepared(None, *settings) for _ in range(2))
    given = weakref.ref(run.examples["train"].x)
    Execution(run)
    assert None is given()
    assert expected.examples["train"].x.tolist() == run.examples["train"].x.tolist()
