"""Training of runs: augmentation, the rate finder, plateaus, and runs made at once."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.config.load import load_config
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.errors import ConfigError
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import Execution
from nnrun.runs.execution.rate_finder import RateCurve, find_rate
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.preparation.prepared import Prepared

# Runs whose training rows are changed at each visit: what they may change, and that all agree.

DIGITS = """
name: moved
dataset: {name: digits, test_size: 1600, features: per_channel}
network:
  layers:
    - {type: conv2d, channels: 4, kernel: 3, activation: relu}
    - {type: max_pool2d, size: 2}
    - {type: flatten}
    - {type: dense, units: 10, activation: softmax}
loss: cross_entropy
training:
  learning_rate: 0.05
  iterations: 30
  batch_size: 16
  augment: {shift: 1, flip: true, rotate: 12, noise: 0.1}
"""
IRIS = DIGITS.partition("dataset")[0] + (
    "dataset: {name: iris}\nnetwork: {sizes: [3], activations: [softmax]}\nloss: cross_entropy\n"
    "training: {learning_rate: 0.1, iterations: 5, augment: {noise: 0.2}}\n"
)


@pytest.fixture
def trained(prepared):
    """The weights and history of a run; its engine is checked before."""

    def make(text, *overrides):
        execution = Execution(prepared(text, *overrides))
        execution.train(Listener())
        return execution.trainer.network.theta, execution.trainer.history

    return make


@pytest.mark.parametrize("text", [DIGITS, IRIS])
def test_both_engines_train_on_the_same_rows(trained, text):
    """Weights and losses agree to 1e-12, and are not those of rows as they are."""
    expected, history = trained(text, "training.engine=numpy")
    found, same = trained(text, "training.engine=compiled")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert [row["train_loss"] for row in history] == pytest.approx(
        [row["train_loss"] for row in same], abs=1e-12
    )
    plain, _ = trained(text, "training.engine=numpy", "training.augment=null")
    assert np.abs(plain - expected).max() > 1e-3


def test_numbers_of_categories_have_no_noise(trained, tmp_path):
    """An embedding takes whole numbers: where all features are such, noise changes no bit."""
    rows = "".join(f"{'abcde'[number % 5]},{number % 3}\n" for number in range(60))
    (tmp_path / "t.csv").write_text(f"shop,y\n{rows}")
    text = (
        "name: shops\ndataset: {path: t.csv, columns: {target: y, embedding: {shop: 3}}}\n"
        "network: {sizes: [3], activations: [softmax]}\nloss: cross_entropy\n"
        "training: {learning_rate: 0.1, iterations: 20, batch_size: 8, augment: {noise: 0.9}}\n"
    )
    noisy, _ = trained(text)
    plain, _ = trained(text, "training.augment=null")
    assert plain.tobytes() == noisy.tobytes()


def test_changes_of_nothing_are_none(prepared):
    """The run has the name, and the engine, of one without them."""
    nothing = "training.augment={shift: 0, noise: 0}"
    plain, other = (prepared(IRIS, setting) for setting in ("training.augment=null", nothing))
    assert (plain.run_id, None) == (other.run_id, other.augmentation)
    assert plain.run_id != prepared(IRIS).run_id


@pytest.mark.parametrize(
    ("text", "override", "path", "message"),
    [
        (IRIS, "shift=1", "shift", "shift is for images, and the rows of iris are none; tables "),
        (IRIS, "flip=true", "flip", "flip is for images"),
        (IRIS, "rotate=5", "rotate", "rotate is for images"),
        (DIGITS, "shift=8", "shift", "the images are no larger than this: 8×8 pixels"),
    ],
)
def test_what_rows_cannot_have_is_refused_at_its_place(prepared, text, override, path, message):
    """Before anything is trained; noise alone is for tables."""
    with pytest.raises(ConfigError) as caught:
        prepared(text, f"training.augment.{override}")
    (problem,) = caught.value.problems
    assert f"training.augment.{path}" == problem.path
    assert problem.message.startswith(message)


def test_images_are_moved_before_a_dense_layer(trained):
    """A network without convolutions takes the moved pixels, flat."""
    dense = "network={sizes: [10], activations: [softmax]}"
    moved, _ = trained(DIGITS, dense, "training.augment={shift: 2}")
    plain, _ = trained(DIGITS, dense, "training.augment=null")
    assert np.abs(moved - plain).max() > 1e-3


# The range test of a learning rate.

LINEAR = {
    "dataset": {"path": "line.csv", "columns": {"target": "y"}, "target": "none", "test_size": 10},
    "network": {"layers": [{"type": "dense", "units": 1}]},
    "loss": "mean_squared",
    "training": {"learning_rate": 1.0, "epochs": 3, "batch_size": 110},
}


@pytest.fixture
def find(tmp_path, monkeypatch):
    """Tests the rate of a linear model whose loss has the curvature 2 in every direction."""
    monkeypatch.chdir(tmp_path)
    x = np.tile([-1.0, 1.0], 60)
    rows = "".join(f"{a},{3 * a + 5}\n" for a in x)
    Path("line.csv").write_text(f"x,y\n{rows}")

    def found(*overrides: str) -> RateCurve:
        experiment = load_config(LINEAR, overrides)
        return find_rate(prepare(experiment), experiment)

    return found


def test_a_quadratic_loss(find):
    """Gradient descent is stable up to a rate of about 1: the suggestion is below, the end above.

    The mean of (w x + b - y)² has the Hessian 2 I but for the rows of the test split, at most 9%
    off, so that a rate η multiplies errors by 1 - 2 η.
    """
    found = find()

    assert 0 < found.suggestion < 0.9 < found.highest
    assert sorted(found.rates) == found.rates
    assert min(found.losses) < 0.05 * found.losses[0]


def test_the_same_config_gives_the_same_curve(find):
    """Nothing depends on timing, and nothing is stored."""
    assert find() == find()
    assert ["line.csv"] == [path.name for path in Path.cwd().iterdir()]


def test_a_network_that_does_not_learn(find):
    """Without a signal in the gradient no rate is suggested."""
    found = find("network.layers=[{type: dense, units: 1, activation: relu, initializer: zeros}]")

    assert (None, None) == (found.suggestion, found.highest)


# Runs whose learning rate follows the validation loss, as configs ask for them.

FALLING = {"schedule": "reduce_on_plateau", "initial": 2.0, "factor": 0.5, "patience": 1}


@pytest.fixture
def falling():
    """Makes a run of softmax regression by an engine."""

    def make(engine: str) -> Prepared:
        return prepare(load_config({
            "name": "flowers",
            "dataset": {"name": "iris", "test_size": 0.2, "validation_size": 0.2},
            "network": {"layers": [{"type": "dense", "units": 3, "activation": "softmax"}]},
            "loss": "cross_entropy",
            "training": {"learning_rate": FALLING, "iterations": 400, "engine": engine},
        }))  # fmt: skip

    return make


def rates(run: Prepared) -> list[float]:
    return [row["learning_rate"] for row in train(run, None).result.history]


def test_generated_code_follows_the_loss_too(falling):
    """It does not make all updates in one call, but falls where NumPy does."""
    found = rates(falling("compiled"))

    assert rates(falling("numpy")) == found
    assert found[-1] < found[0]


def test_a_prepared_run_can_be_trained_again(falling):
    """The rate of the second training begins anew."""
    run = falling("numpy")

    assert rates(run) == rates(run)


# Runs trained at once, and what training keeps in memory.

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


LINEAR_LAYERS = "network={sizes: [10, 1], activations: [linear, linear]}"


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
    "out of bounds": (regression(LINEAR_LAYERS, "training.learning_rate=0.3"), False),
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
