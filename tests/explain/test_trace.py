"""Traces of a step, and its updates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnrun.config.load import load_config
from nnrun.errors import UsageError
from nnrun.explain.trace import (
    ParameterTrace,
    UpdateTrace,
    equations,
    loss_equation,
    middle_window,
    optimizer_equation,
    trace_update,
)
from nnrun.explain.update import explain_config, explain_run
from nnrun.nn import ACTIVATIONS, LOSSES, OPTIMIZERS, SGD, Network
from nnrun.nn.layers import BatchNorm, Bias, Convolution, Dropout, MatMul, Residual, dense
from nnrun.nn.losses import Loss
from nnrun.nn.signature import Array
from nnrun.reports.explain.document import agreement
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare

# The numbers of one update are those of training, and of hand-made examples.

# The worked example of the course notebook's question 7.
X = [[1, 2, 3, 4], [2, 3, 4, 5], [7, 8, 97, 1], [1, 2, 3, 4]]
Y = [[4, 6, 8, 4], [10, 101, 7, 8], [9, 13, 104, 5], [1, 9, 11, 101]]
DW = [[10445, 2010, 1842], [2031, 11163, 2037], [1827, 2010, 10433]]
DX = [[105, 13, 16, 4], [23, 209, 18, 16], [18, 34, 306, 12], [1, 18, 24, 205]]


class HalfSquares(Loss):
    """L = Σ y² / 2, so that the output is the gradient that is passed down."""

    type = "half_squares"

    def value(self, y: Array, target: Array) -> float:
        return float(np.sum(y**2) / 2)

    def gradient(self, y: Array, target: Array) -> Array:
        return y.copy()


@pytest.fixture(scope="module")
def question7() -> UpdateTrace:
    network = Network([Convolution(1, 3, padding="same")], HalfSquares(), (1, 4, 4))
    network.initialize(rng=np.random.default_rng(0))
    network.theta[:] = np.eye(3).ravel()
    optimizer = SGD()
    optimizer.allocate(network.theta)
    x = np.array(X, float).reshape(1, 1, 4, 4)
    return trace_update(network, optimizer, x, np.zeros_like(x), learning_rate=0.5)


def test_the_matrices_of_the_notebook(question7):
    """Output, both gradients, the numerical twin and the step of question 7, exactly."""
    (layer,) = question7.layers
    (weight,) = layer.parameters

    assert Y == layer.y[0, 0].tolist()
    assert DW == weight.gradient[0, 0].tolist()
    assert DX == layer.dx[0, 0].tolist()
    np.testing.assert_allclose(weight.numerical[0, 0], DW, rtol=1e-9)
    assert (np.eye(3) - 0.5 * np.array(DW)).tolist() == weight.updated[0, 0].tolist()


def test_a_window_of_a_convolution(question7):
    """The middle output is the sum of its products."""
    window = middle_window(question7.layers[0])

    assert ((0, 2, 2), 104.0, None) == (window.place, window.total, window.others)
    assert [[3, 4, 5], [8, 97, 1], [2, 3, 4]] == window.window.tolist()
    assert window.total == window.products.sum()


def every_layer() -> Network:
    inner = [Convolution(2, 3, padding="same"), Bias("channel"), ACTIVATIONS["tanh"]()]
    blocks = [
        Convolution(2, 2, stride=2, padding=1),
        BatchNorm(),
        Residual(inner),
        *[ACTIVATIONS["relu"]()],
        Dropout(0.3),
    ]
    from nnrun.nn.layers import AvgPool2d, Flatten

    return Network(
        [*blocks, AvgPool2d(2), Flatten(), dense(3, "softmax")],
        LOSSES["cross_entropy"](),
        (1, 6, 6),
    )


def test_nested_layers_and_batches():
    """Layers inside layers have their own numbers, and every gradient its numerical twin."""
    network = every_layer()
    network.initialize(rng=np.random.default_rng(1))
    before, optimizer = network.theta.copy(), OPTIMIZERS["adam"]()
    optimizer.allocate(network.theta)
    rng = np.random.default_rng(2)

    found = trace_update(
        network, optimizer, rng.standard_normal((3, 1, 6, 6)), np.eye(3), learning_rate=0.1,
        seed=5, clip_norm=1e-3,
    )  # fmt: skip

    places = [trace.place for trace in found.layers]
    assert ["0", "1", "2", "2.0", "2.1", "2.2", "3", "4", "5", "6", "7", "7"] == places
    assert before.tobytes() == network.theta.tobytes()
    parameters = [p for trace in found.layers for p in trace.parameters]
    assert [*network.parameters] == [p.name for p in parameters]
    assert max(p.worst for p in parameters) < 1e-7
    assert all(p.compared > 0.9 * p.value.size for p in parameters)
    expected, twin, g = network.copy(), OPTIMIZERS["adam"](), None
    twin.allocate(expected.theta)
    expected.backpropagate(found.x, found.target, np.random.default_rng(5))
    g = expected.gradient * (1e-3 / np.linalg.norm(expected.gradient))
    twin.step(expected.theta, g, 0.1)
    actual = np.concatenate([p.updated.ravel() for p in parameters])
    np.testing.assert_allclose(actual, expected.theta, rtol=1e-12)
    assert found.clipped == pytest.approx(1e-3 / found.norm)


def test_a_smooth_loss_of_large_logits_has_no_kinks():
    """Its differences are rounded as the logits are, which may be more than as the loss is."""
    config = load_config(Path(__file__).parents[2] / "configs/digits_cnn.yaml", [])
    parameters = [p for trace in explain_config(config, ()).update.layers for p in trace.parameters]

    assert {"0.weight": 144, "0.bias": 288, "2.weight": 64, "2.bias": 10} == {
        p.name: p.compared for p in parameters
    }


def test_a_gradient_of_zero_is_compared_within_rounding():
    """Relative to a largest gradient of 1e-18 any difference is large."""
    bias, gradient, numerical = np.zeros(2), np.array([1e-18, 0]), np.array([3e-13, 0])
    said = agreement(ParameterTrace("0.bias", bias, gradient, numerical, bias))
    assert "all entries compared; largest difference 3.0e-13, by rounding" == said


def test_each_array_is_the_input_of_the_next():
    """Forward, y of a layer is x of the next one; backward, dx is dy of the one before."""
    network = Network([*dense(4, "sigmoid"), *dense(2)], LOSSES["mean_squared"](), (3,))
    network.initialize(rng=np.random.default_rng(1))
    optimizer = SGD()
    optimizer.allocate(network.theta)
    found = trace_update(network, optimizer, np.ones((1, 3)), np.ones((1, 2)), learning_rate=1)

    for before, after in zip(found.layers, found.layers[1:], strict=False):
        assert before.y.tolist() == after.x.tolist()
        assert before.dy.tolist() == after.dx.tolist()
    assert found.dy.tolist() == found.layers[-1].dy.tolist()
    assert found.output.tolist() == found.layers[-1].y.tolist()


@pytest.mark.parametrize("layer", [MatMul(2), Bias(), Convolution(1), BatchNorm(), Dropout(),
                                   *[kind() for kind in ACTIVATIONS.values()]])  # fmt: skip
def test_every_layer_has_equations(layer):
    """Forward and backward, without the rest of the docstring."""
    forward, backward = equations(layer)

    assert "=" in forward
    assert "=" in backward
    assert "Args" not in forward + backward


def test_losses_and_optimizers_have_equations():
    """One that holds an equals sign or an arrow."""
    assert all("=" in loss_equation(loss()) for loss in LOSSES.values())
    assert all("←" in optimizer_equation(kind()) for kind in OPTIMIZERS.values())


@pytest.mark.parametrize(
    ("name", "settings", "move"),
    [
        ("sgd", {}, lambda g, _: g),
        ("rmsprop", {"β": 0.99, "ε": 1e-8}, lambda g, m: g / (np.sqrt(m["s"]) + 1e-8)),
        ("adam", {"β₁": 0.9, "β₂": 0.999, "ε": 1e-8, "t": 2},
         lambda _, m: m["m\u0302"] / (np.sqrt(m["v\u0302"]) + 1e-8)),
    ],
)  # fmt: skip
def test_a_step_is_made_of_the_moments_that_are_shown(name, settings, move):
    """By the signs and numbers of its equation, in the second update, too."""
    network, optimizer = every_layer(), OPTIMIZERS[name]()
    network.initialize(rng=np.random.default_rng(1))
    optimizer.allocate(network.theta)
    x = np.random.default_rng(2).standard_normal((3, 1, 6, 6))
    for _ in range(2):
        found = trace_update(network, optimizer, x, np.eye(3), learning_rate=0.1)
    assert settings == found.settings
    for p in found.layers[0].parameters:
        expected = p.value - 0.1 * move(p.gradient, p.moments)
        np.testing.assert_allclose(p.updated, expected, rtol=1e-9)


# Which update a config and a run are explained by.

CONFIG = {
    "name": "flowers",
    "dataset": {"name": "iris", "test_size": 0.2, "features": "standard"},
    "network": {"layers": [
        {"type": "dense", "units": 4, "activation": "tanh"},
        {"type": "dense", "units": 3, "activation": "softmax"},
    ]},
    "loss": "cross_entropy",
    "training": {"learning_rate": 0.1, "iterations": 1, "optimizer": "adam"},
}  # fmt: skip


def config(**training: object) -> dict[str, object]:
    return {**CONFIG, "training": {**CONFIG["training"], **training}}


def trained(run) -> np.ndarray:
    """The weights of a run, in the order of its network's parameters."""
    result = train(run, None).result
    return np.concatenate([result.weights[name].ravel() for name in run.network.parameters])


def weights(explanation) -> np.ndarray:
    parameters = [p for trace in explanation.update.layers for p in trace.parameters]
    return np.concatenate([p.updated.ravel() for p in parameters])


@pytest.mark.parametrize("sampling", ["shuffle", "with_replacement", "in_order"])
def test_a_config_shows_the_first_update(sampling):
    """With one row for each update: the weights of a run of one iteration, bit for bit."""
    experiment = load_config(config(sampling=sampling))
    expected = trained(prepare(experiment))

    assert expected.tobytes() == weights(explain_config(experiment)).tobytes()


def test_rows_have_their_numbers_in_the_file(tmp_path):
    """Rows with missing cells, which are left out, count as well."""
    lines = ["a,y", *(f"{'' if row in (1, 3) else row},{row % 2}" for row in range(1, 13))]
    (tmp_path / "holes.csv").write_text("\n".join(lines))
    data = {"path": str(tmp_path / "holes.csv"), "columns": {"target": "y"},
            "missing": "drop_rows", "test_size": 0}  # fmt: skip
    network = {"sizes": [1], "activations": ["linear"]}
    holes = {"dataset": data, "network": network, "loss": "mean_squared"}
    experiment = load_config({**config(), **holes})

    found = explain_config(experiment, [5])

    assert [5] == found.rows
    assert [[5.0]] == found.update.x.tolist()
    with pytest.raises(UsageError, match="--row 3: not a training row"):
        explain_config(experiment, [3])


def test_a_run_shows_the_update_after_its_last(store):
    """With the optimizer's memory and the schedule's rate: the weights of a run longer by one."""
    rate = {"schedule": "exponential", "initial": 0.1, "every": 5}
    options = {"sampling": "in_order", "learning_rate": rate, "engine": "numpy"}

    outcome = train(prepare(load_config(config(iterations=7, **options))), store)
    longer = prepare(load_config(config(iterations=8, **options)))
    eighth = int(longer.split.train.rows[7]) + 1

    found = explain_run(outcome.folder, outcome.record, [eighth])

    np.testing.assert_allclose(weights(found), trained(longer), rtol=1e-12)
    assert f"the update after 7 iterations, on row {eighth} of the data" == found.moment
    assert [] == [*found.notes]


def test_memory_that_is_not_of_these_weights(store):
    """Where the best weights were put back, the optimizer starts anew, and a note says so."""
    stopping = {"patience": 1, "restore_best": True}
    training = {"iterations": 400, "early_stopping": stopping, "evaluate_every": 5}
    made = config(**training, learning_rate=0.5)
    made["dataset"] = {**made["dataset"], "validation_size": 0.2}
    outcome = train(prepare(load_config(made)), store)

    found = explain_run(outcome.folder, outcome.record)

    assert 1 == found.update.optimizer.steps
    assert "state starts empty" in found.notes[0]


def test_memory_that_was_changed_is_refused(store):
    """A file is used if the report has its digest, and not only because it is there."""
    outcome = train(prepare(load_config(config())), store)
    state = outcome.folder / "state.safetensors"
    content = bytearray(state.read_bytes())
    content[-1] ^= 1
    state.write_bytes(content)
    with pytest.raises(UsageError, match=r"is damaged: state\.safetensors is not the file"):
        explain_run(outcome.folder, outcome.record)


def test_rows_of_a_batch():
    """In the order given; only training rows, by their numbers in the data."""
    experiment = load_config(config(batch_size=2, dtype="float32"))
    rows = [int(row) + 1 for row in prepare(experiment).split.train.rows[[3, 1]]]

    found = explain_config(experiment, rows)

    assert (rows, (2, 4)) == (found.rows, found.update.x.shape)
    assert ["training computes in float32; these numbers are in float64"] == [*found.notes]
    left_out = next(n for n in range(1, 151) if n - 1 not in prepare(experiment).split.train.rows)
    with pytest.raises(UsageError, match=f"--row {left_out}: not a training row; training rows"):
        explain_config(experiment, [left_out])
