"""Surfaces over training: which moments, and that they are those of the run."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.config.load import load_config
from nnrun.explain import surfaces as film
from nnrun.explain.surfaces import extent_of, film_of, filmed_training, surfaces
from nnrun.explain.update import explain_run
from nnrun.models.load import load_model as load
from nnrun.models.load import weights_of
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare


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
