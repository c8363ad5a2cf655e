"""What is said of watched runs that learn nothing or diverge: in which layer, and since when."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nnrun.config.load import load_config
from nnrun.runs.diagnosis.training import any_learning_rate, large_updates, learning_rate
from nnrun.runs.diagnosis.watched import (
    constant_since,
    exploding_gradients,
    faint_gradients,
    large_update,
    saturated_layer,
    since,
)
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import Execution
from nnrun.runs.execution.result import Ending, diagnosis_input
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare
from nnrun.training.watched import Watched

MOONS = {"name": "moons", "rows": 200, "noise": 0.1, "test_size": 0.25}
DIABETES = {"name": "diabetes", "features": "standard", "target": "standard", "test_size": 0.25}
HUGE = {"type": "he_normal", "scale": 40}


def dense(units, activation, **more):
    return {"type": "dense", "units": units, "activation": activation, **more}


def said(layers, dataset, rate, *, watch=True, iterations=300):
    """The warnings of a run by kind, and its error."""
    loss = "mean_squared" if dataset is DIABETES else "cross_entropy"
    training = {"learning_rate": rate, "iterations": iterations, "batch_size": 16, "watch": watch}
    config = {"name": "inside", "dataset": dataset, "network": {"layers": layers}}
    run = prepare(load_config({**config, "loss": loss, "training": training}))
    record = train(run, None).record
    return {found["kind"]: found["message"] for found in record.warnings}, record.error


def test_vanishing_gradients_are_named_with_their_layer():
    """Eight layers of sigmoids pass no gradient to the first ones, from iteration 0 on."""
    layers = [*[dense(8, "sigmoid")] * 8, dense(2, "softmax")]
    found, _ = said(layers, MOONS, 0.1)
    assert (
        "gradients vanish from layer 2 on down, since iteration 0" in found["vanishing_gradients"]
    )
    assert (
        "try relu in place of sigmoid, with network.initializer=he_normal"
        in (found["vanishing_gradients"])
    )
    plain, _ = said(layers, MOONS, 0.1, watch=False)
    assert "vanishing_gradients" not in plain


def test_activations_that_keep_gradients_are_not_blamed():
    """A layer of relu before sigmoids stays as it is."""
    layers = [dense(8, "relu"), *[dense(8, "sigmoid")] * 8, dense(2, "softmax")]
    message = said(layers, MOONS, 0.1)[0]["vanishing_gradients"]
    assert "try relu in place of sigmoid, with network.initializer=he_normal" in message


def test_dead_units_are_named_with_their_iteration():
    """Units that a large rate has killed were alive before the first update."""
    layers = [dense(16, "relu"), dense(16, "relu"), dense(2, "softmax")]
    found, _ = said(layers, MOONS, 30.0)
    assert (
        "for every training row, since iteration 15; try a smaller learning rate"
        in (found["dead_units"])
    )


def test_units_that_die_one_after_another_do_not_share_an_iteration(tmp_path):
    """The iteration is that of the share from which they are a problem, and this is said."""
    x = np.random.default_rng(0).normal(size=(300, 2))
    rows = np.column_stack([x, np.sin(2 * x[:, 0]) + x[:, 1]])
    np.savetxt(tmp_path / "t.csv", rows, "%.17g", ",", header="a,b,y", comments="")
    dataset = {"path": str(tmp_path / "t.csv"), "columns": {"target": "y"}, "test_size": 0,
               "features": "standard"}  # fmt: skip
    layers = [dense(12, "tanh"), dense(20, "relu"), dense(10, "relu"), dense(1, "linear")]
    training = {"learning_rate": 0.3, "iterations": 200, "batch_size": 16, "watch": True,
                "sampling": "in_order", "evaluate_every": 10}  # fmt: skip
    config = {"name": "t", "dataset": dataset, "network": {"layers": layers}, "seed": 3}
    run = prepare(load_config({**config, "loss": "mean_squared", "training": training}))
    record = train(run, None).record
    said = {found["kind"]: found["message"] for found in record.warnings}["dead_units"]
    assert said.startswith(
        "9 of 10 relu units of layer 2 are zero for every training row, "
        "25% of the layer or more since iteration 30; "
    )


def test_saturated_units_are_named():
    """Weights that are far too large from the start leave tanh units flat."""
    layers = [
        dense(16, "tanh", initializer=HUGE),
        *[dense(16, "tanh", initializer=HUGE)] * 3,
        dense(1, "linear"),
    ]
    found, _ = said(layers, DIABETES, 1e-6)
    assert "units of layer" in found["saturated_units"]
    assert "are saturated since iteration 0" in found["saturated_units"]
    assert "try smaller initial weights" in found["saturated_units"]


def test_a_divergence_names_the_update_that_was_too_large():
    """In the error of the run, beside the rate."""
    found, error = said([dense(16, "relu"), dense(1, "linear")], DIABETES, 100.0)
    assert "; an update moved " in found["learning_rate"]
    assert found["learning_rate"].endswith("times its size, at iteration 0")
    assert "; an update moved " in error


def test_exploding_gradients_are_named():
    """They grow by a factor in every layer on their way back, before the first update."""
    big = {"type": "he_normal", "scale": 8}
    layers = [*[dense(16, "relu", initializer=big)] * 6, dense(1, "linear")]
    found, error = said(layers, DIABETES, 0.01)
    assert "gradients explode on their way back: at layer 0" in found["exploding_gradients"]
    assert "radients explode on their way back" in error


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu"])
def test_nothing_is_said_of_a_run_that_learns(activation):
    """Whatever its activations."""
    layers = [dense(16, activation), dense(2, "softmax")]
    rate = 3.0 if activation == "sigmoid" else 0.3
    assert ({}, None) == said(layers, MOONS, rate, iterations=2000)


def record(looks=4, layers=3, **arrays):
    """A record with gradients and weights of size 1, updates of 0.001, and no flat unit."""
    names = [f"{k}.weight" for k in range(layers)]
    wide, units = np.ones((looks, layers)), np.zeros((looks, layers - 1))
    known = {
        "iterations": 10 * np.arange(looks),
        "weights.norm": wide,
        "updates.norm": wide * 1e-3,
        "output_gradients.norm": wide,
        "units.dead": units,
        "units.saturated": units,
    }
    values = {
        "rows": 1,
        "parameters": [{"name": name, "size": 4} for name in names],
        "layers": [{"layer": str(k), "type": "tanh", "size": 1} for k in range(layers)],
        "units": [{"layer": str(k), "activation": "tanh", "units": 4} for k in range(layers - 1)],
    }
    return Watched(known | {name: np.array(given) for name, given in arrays.items()}, values)


def test_what_is_seen_has_a_layer_and_an_iteration():
    """The first look from which on it holds to the end; nothing of a usual record."""
    usual = record()
    looks = (faint_gradients, exploding_gradients, saturated_layer)
    assert [None] * 3 == [look(usual) for look in looks]
    assert [None] * 2 == [large_update(usual, lasting=lasting) for lasting in (True, False)]
    faint = record(
        **{"output_gradients.norm": [[1, 1, 1], [1e-5, 1e-4, 1]] + [[1e-6, 1e-5, 1]] * 2}
    )
    found = faint_gradients(faint)
    assert ("1", 10, 1e-5) == (found.where, found.iteration, found.value)
    recovered = record(**{"output_gradients.norm": [[1e-5, 1e-4, 1]] * 3 + [[1, 1, 1]]})
    assert faint_gradients(recovered) is None
    flat = record(**{"units.saturated": [[0, 0], [0, 0.4], [0, 0.6], [0, 0.8]]})
    found = saturated_layer(flat)
    assert ("1", 20, 0.8, False) == (found.where, found.iteration, found.value, found.from_start)
    assert 10 == constant_since(flat, "1", 0.25).iteration
    assert faint_gradients(record(**{**faint.arrays, "units.dead": [[0, 0.6]] * 4})) is None
    large = record(**{"updates.norm": [[0, 0.01, 0], [0.2, 0.5, 0], [0, 0, 0], [np.nan] * 3]})
    found = large_update(large, lasting=False)
    assert ("1.weight", 10, 0.5) == (found.where, found.iteration, found.value)
    assert large_update(large, lasting=True) is None
    kept = ([True, False], [True, True], [True, False, True])
    assert [None, 0, 2] == [since(np.array(holds)) for holds in kept]


def case_of(rate):
    """What a run at this learning rate is diagnosed from."""
    config = {
        "name": "inside",
        "dataset": MOONS,
        "network": {"layers": [dense(4, "tanh"), dense(2, "softmax")]},
        "loss": "cross_entropy",
        "training": {"learning_rate": rate, "iterations": 200, "batch_size": 16},
    }
    execution = Execution(prepare(load_config(config)))
    metrics = execution.run(Listener()).record.metrics
    return diagnosis_input(
        execution.prepared, Ending.of(execution.prepared, execution.trainer), metrics
    )


def test_a_rate_is_not_blamed_where_no_update_was_large():
    """What was seen counts for more than what rows of this size bear."""
    case = case_of(2.0)
    assert "the learning rate 2 is" in learning_rate(case).message
    seen = record(layers=2, **{"updates.norm": [[0.01, 0.02], [0.01, 0.03], [0.01, 0.02], [0, 0]]})
    assert learning_rate(replace(case, watched=seen)) is None
    assert "the learning rate 2 is" in any_learning_rate(replace(case, watched=seen)).message


def test_a_failure_without_a_cause_says_how_much_of_the_gradient_is_left():
    """At the first layer, if the run was watched; the limit for vanishing ones is a thousandth."""
    layers = [*[dense(32, "sigmoid")] * 5, dense(10, "softmax")]
    found, _ = said(layers, {"name": "digits", "test_size": 0.25}, 0.05)
    assert "gradients at the first layer are 0.002 of those at the last" in found["unknown_cause"]


def test_updates_that_are_too_large_blame_the_rate():
    """Where nothing else does; the rate that is suggested moves weights by a hundredth."""
    case = case_of(0.5)
    assert (None, None) == (learning_rate(case), large_updates(case))
    seen = record(layers=2, **{"updates.norm": [[0.01, 0.2], [0.01, 0.5], [0.01, 0.4], [0, 0]]})
    found = large_updates(replace(case, watched=seen))
    assert found.kind == "learning_rate"
    assert (
        "updates move 1.weight by 0.4 of its size each (the median over the run)" in found.message
    )
    assert found.message.endswith("try training.learning_rate=0.01")
