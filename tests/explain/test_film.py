"""Films of training, and surfaces of networks."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.config.load import load_config
from nnrun.config.schema.dataset import DatasetConfig
from nnrun.data.splits import load_dataset
from nnrun.explain import surfaces as film
from nnrun.explain.surfaces import extent_of, film_of, filmed_training, grid_rows, surfaces
from nnrun.explain.update import explain_run
from nnrun.models.load import load_model as load
from nnrun.models.load import weights_of
from nnrun.runs.execution.execute import Execution
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare

# Surfaces over training: which moments, and that they are those of the run.


def config(activation="softmax", loss="cross_entropy", **training):
    hidden = {"type": "dense", "units": 3, "activation": "tanh"}
    last = {"type": "dense", "units": 2, "activation": activation}
    given = {"learning_rate": 0.1, "iterations": 40, "batch_size": 4, "evaluate_every": 2}
    return load_config({
        "name": "plane",
        "dataset": {"name": "moons", "rows": 60, "validation_size": 0.2, "features": "standard"},
        "network": {"layers": [hidden, last]},
        "loss": loss,
        "training": {**given, **training},
    })  # fmt: skip


def same(one, other) -> bool:
    """Whether two surfaces have the same bits."""
    hidden = zip(one.layers, other.layers, strict=True)
    return one.outputs.tobytes() == other.outputs.tobytes() and all(
        a.units.tobytes() == b.units.tobytes() for a, b in hidden
    )


def test_a_film_goes_from_the_initial_weights_to_those_of_the_run(store):
    """Bit for bit, with more early moments than late ones between them."""
    prepared = prepare(config())
    extent = extent_of(prepared.split.train.x)
    prepared.network.initialize(rng=prepared.streams.weights)
    initial = surfaces(prepared, extent, film.SIDES[2])
    model = load(train(prepare(config()), store).folder)

    found = filmed_training(prepare(config()))

    assert [0, 2, 6, 12, 18, 24, 32, 40] == [iteration for iteration, _ in found.frames]
    assert same(initial, found.frames[0][1])
    assert same(surfaces(model, extent, film.SIDES[2]), found.frames[-1][1])
    assert (("x1", "x2"), ("outer", "inner"), []) == (found.features, found.outputs, found.notes)
    train_split = prepared.split.train
    assert (train_split.x.tolist(), train_split.y.tolist()) == (found.x.tolist(), found.y.tolist())


def test_weights_on_the_way_are_those_of_a_shorter_run(store):
    """The surfaces at iteration 12 are those after twelve iterations."""
    found = dict(filmed_training(prepare(config(sampling="in_order"))).frames)
    model = load(train(prepare(config(sampling="in_order", iterations=12)), store).folder)

    assert same(surfaces(model, found[12].extent, film.SIDES[2]), found[12])


def test_a_film_ends_with_the_best_weights_that_are_put_back(store):
    """With early stopping that restores them; a note says so."""
    stopping = {"monitor": "validation_loss", "patience": 1, "restore_best": True}
    stopped = {"early_stopping": stopping, "learning_rate": 3.0}
    model = load(train(prepare(config(**stopped)), store).folder)

    found = filmed_training(prepare(config(**stopped)))

    assert same(surfaces(model, found.extent, film.SIDES[2]), found.frames[-1][1])
    assert ["at the end the best weights are put back, as in training"] == found.notes


@pytest.mark.parametrize(("followed", "last"), [(False, 9), (True, 10)])
def test_long_training_is_not_repeated_to_its_end(monkeypatch, store, followed, last):
    """It ends after this many updates, with weights as after these, and a note says where.

    Early stopping needs the evaluations as they are, so it ends at one. A row has 24
    multiplications and additions: three times as many for each of 4 rows of an update, and those
    of 60 rows after every second one, are 3,008 with the time of an update.
    """
    monkeypatch.setattr(film, "_UPDATE", {"compiled": 2_000})
    monkeypatch.setattr(film, "_MOST_WORK", 9.5 * 3_008)
    stopping = {"monitor": "validation_loss", "patience": 40} if followed else None
    options = {"engine": "compiled", "early_stopping": stopping, "sampling": "in_order"}

    found = filmed_training(prepare(config(**options)))

    shorter = config(engine="compiled", sampling="in_order", iterations=last)
    model = load(train(prepare(shorter), store).folder)
    assert last == found.frames[-1][0]
    assert same(surfaces(model, found.extent, film.SIDES[2]), found.frames[-1][1])
    assert [f"training anew ends at iteration {last} of 40: it takes long"] == found.notes


def test_a_film_of_diverging_training_ends_before_that():
    """At the last evaluation with finite numbers; a note says at which update they end."""
    found = filmed_training(prepare(config("linear", "mean_squared", learning_rate=1e9)))

    last = found.frames[-1][0]
    assert all(np.isfinite(surface.outputs).all() for _, surface in found.frames)
    (note,) = found.notes
    wrong = int(note.removeprefix("training diverges at iteration "))
    assert last < wrong <= last + 2


@pytest.mark.parametrize("size", [film.MOST_PARAMETERS, 12])
def test_large_networks_have_no_film(monkeypatch, size):
    """The network has 17 parameters."""
    monkeypatch.setattr(film, "MOST_PARAMETERS", size)

    assert (size < 17) == (filmed_training(prepare(config())) is None)


def test_explaining_a_run_says_where_its_weights_are_others(store, monkeypatch):
    """No note where training anew ends with the stored weights; one where it does not."""
    outcome = train(prepare(config()), store)
    assert [] == explain_run(outcome.folder, outcome.record).film.notes

    def moved(prepared):
        found = filmed_training(prepared)
        prepared.network.theta += 1e-9
        return found

    monkeypatch.setattr("nnrun.explain.update.filmed_training", moved)
    (note,) = explain_run(outcome.folder, outcome.record).film.notes
    assert note.startswith("training again gave other weights than the stored ones")


def test_frames_of_another_run_draw_nothing_else():
    """Each frame has its own weights: a frame of zeros is 1/2 everywhere."""
    prepared = prepare(config())
    prepared.network.initialize(rng=prepared.streams.weights)
    zeros = {name: np.zeros_like(a) for name, a in weights_of(prepared.network).items()}
    frames = [(0, weights_of(prepared.network)), (5, zeros)]

    found = film_of(prepared, prepared.dataset, prepared.split.train, frames)

    (_, first), (iteration, second) = found.frames
    assert 5 == iteration
    assert {0.5} == set(second.outputs.ravel().tolist())
    assert first.outputs.std() > 0.01


# The outputs and hidden units of networks with one or two features over a grid.

HIDDEN = {"type": "dense", "units": 3, "activation": "tanh"}
EXTENT = (-1.5, 1.5, -2.0, 1.0)


def surface_config(
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
    model = load(train(prepare(surface_config(last=last, units=units, loss=loss)), store).folder)
    points = grid_rows(EXTENT, 7)

    found = surfaces(model, EXTENT, 7)

    expected = model.predict_proba(points).T.reshape(2, 7, 7)
    np.testing.assert_allclose(found.outputs, expected, rtol=1e-12, atol=1e-15)
    assert model.classes[found.classes].tolist() == model.predict(points).reshape(7, 7).tolist()


def test_outputs_of_a_regression_are_in_units_of_the_target():
    """A single feature has a curve: the output, times the targets' deviation, plus their mean."""
    prepared = initialized(
        surface_config("sine", last="linear", units=1, loss="mean_squared", target="standard")
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
    prepared = initialized(surface_config())
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
    prepared = initialized(surface_config(layers=layers))

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
        prepared = prepare(surface_config(layers=layers, engine=engine))
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
