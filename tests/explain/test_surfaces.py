"""The outputs and hidden units of networks with one or two features over a grid."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.config.load import load_config
from nnrun.config.schema.dataset import DatasetConfig
from nnrun.data.splits import load_dataset
from nnrun.explain.surfaces import extent_of, grid_rows, surfaces
from nnrun.models.load import load_model as load
from nnrun.runs.execution.execute import Execution
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare

HIDDEN = {"type": "dense", "units": 3, "activation": "tanh"}
EXTENT = (-1.5, 1.5, -2.0, 1.0)


def config(
    data="moons", *, last="softmax", units=2, layers=(HIDDEN,), loss="cross_entropy",
    target=None, **training,
):  # fmt: skip
    scaled = {} if target is None else {"target": target}
    return load_config({
        "name": "plane",
        "dataset": {"name": data, "rows": 60, "test_size": 0.2, "features": "standard", **scaled},
        "network": {"layers": [*layers, {"type": "dense", "units": units, "activation": last}]},
        "loss": loss,
        "training": {"learning_rate": 0.1, "iterations": 20, "batch_size": 4, **training},
    })  # fmt: skip


def initialized(experiment):
    prepared = prepare(experiment)
    prepared.network.initialize(rng=prepared.streams.weights)
    return prepared


def test_a_grid_has_the_second_feature_from_bottom_to_top():
    """Points go along the first feature, row by row of the second."""
    found = grid_rows((0.0, 1.0, 10.0, 12.0), 3).reshape(3, 3, 2)

    assert found[0].tolist() == [[0, 10], [0.5, 10], [1, 10]]
    assert found[:, 0].tolist() == [[0, 10], [0, 11], [0, 12]]
    assert grid_rows((2.0, 4.0), 3).tolist() == [[2], [3], [4]]


def test_an_extent_has_room_around_the_rows():
    """8% of the range at both ends; one unit where all rows are alike."""
    x = np.array([[0.0, 5.0], [100.0, 5.0], [50.0, 5.0]])

    assert extent_of(x) == (-8.0, 108.0, 4.0, 6.0)
    assert extent_of(x[:, :1]) == (-8.0, 108.0)


@pytest.mark.parametrize(("last", "units", "loss"), [
    ("softmax", 2, "cross_entropy"), ("sigmoid", 1, "binary_cross_entropy"),
])  # fmt: skip
def test_outputs_are_the_probabilities_of_a_stored_model(store, last, units, loss):
    """Its `predict_proba` and `predict` at the points of the grid."""
    model = load(train(prepare(config(last=last, units=units, loss=loss)), store).folder)
    points = grid_rows(EXTENT, 7)

    found = surfaces(model, EXTENT, 7)

    expected = model.predict_proba(points).T.reshape(2, 7, 7)
    np.testing.assert_allclose(found.outputs, expected, rtol=1e-12, atol=1e-15)
    assert model.classes[found.classes].tolist() == model.predict(points).reshape(7, 7).tolist()


def test_outputs_of_a_regression_are_in_units_of_the_target():
    """A single feature has a curve: the output, times the targets' deviation, plus their mean."""
    prepared = initialized(
        config("sine", last="linear", units=1, loss="mean_squared", target="standard")
    )
    found = surfaces(prepared, (-3.0, 3.0), 9)

    x, y = prepared.split.train.x, prepared.split.train.y
    rows = (grid_rows((-3.0, 3.0), 9) - x.mean(axis=0)) / x.std(axis=0)
    expected = prepared.network.predict(rows)[:, 0] * y.std() + y.mean()
    assert found.classes is None
    assert found.outputs.shape == (1, 9)
    np.testing.assert_allclose(found.outputs[0], expected, rtol=1e-12)


def test_hidden_units_are_those_of_a_forward_pass_by_hand():
    """tanh((x - mean) / std · W + b) at each point, unit by unit."""
    prepared = initialized(config())
    p = {name: parameter.value for name, parameter in prepared.network.parameters.items()}
    train_rows, points = prepared.split.train.x, grid_rows(EXTENT, 6)
    x = (points - train_rows.mean(axis=0)) / train_rows.std(axis=0)

    (layer,) = surfaces(prepared, EXTENT, 6).layers

    expected = np.tanh(x @ p["0.weight"] + p["0.bias"])
    assert (layer.place, layer.kind, layer.units.shape) == ("0", "dense, tanh", (3, 6, 6))
    np.testing.assert_allclose(layer.units, expected.T.reshape(3, 6, 6), rtol=1e-12)


def test_layers_inside_a_residual_come_before_it():
    """The residual's units are its input and those of its inner layer together; dropout is none."""
    inner = {"type": "residual", "layers": [{**HIDDEN, "activation": "relu"}]}
    layers = [HIDDEN, {"type": "dropout", "rate": 0.5}, inner]
    prepared = initialized(config(layers=layers))

    found = surfaces(prepared, EXTENT, 5).layers

    kinds = [(layer.place, layer.kind) for layer in found]
    assert kinds == [("0", "dense, tanh"), ("2.0", "dense, relu"), ("2", "residual")]
    assert found[2].units.tolist() == (found[0].units + found[1].units).tolist()


@pytest.mark.parametrize("engine", ["numpy", "compiled"])
def test_surfaces_between_updates_leave_training_as_it_is(engine):
    """The weights after them are those of a run without, bit for bit; dropout has its masks."""
    layers = [HIDDEN, {"type": "dropout", "rate": 0.5}]
    weights = []
    for looks in (False, True):
        prepared = prepare(config(layers=layers, engine=engine))
        trainer = Execution(prepared).trainer
        for _ in trainer.run(until=10):
            pass
        if looks:
            surfaces(prepared, EXTENT, 4)
        for _ in trainer.run():
            pass
        weights.append(prepared.network.theta.tobytes())

    assert weights[0] == weights[1]


@pytest.mark.parametrize(("dataset", "expected"), [
    ({"name": "moons"}, True), ({"name": "sine"}, True), ({"name": "iris"}, False),
])  # fmt: skip
def test_rows_of_one_or_two_numbers_have_surfaces(dataset, expected):
    """No others have: iris has four."""
    assert load_dataset(DatasetConfig(**dataset)).layout.is_drawn == expected
