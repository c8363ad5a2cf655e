"""The trainer: plateaus, loss curves, evaluations, sampled rows, and random streams."""

from __future__ import annotations

import json
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnrun.engines.base import Sampler
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import Adam
from nnrun.nn.schedules import ReduceOnPlateau
from nnrun.training import state as examples
from nnrun.training.state import PreparedSplit, Streams, TrainingState, drawn_parts, most_rows
from nnrun.training.stopping import EarlyStopping, LossCurve

# The loop: what it records, how it stops, and that it can be left and gone on with anywhere.


def finish(trainer):
    for _ in trainer.run():
        pass
    return trainer


def through_json(state):
    return TrainingState(state.arrays, json.loads(json.dumps(state.values)))


def test_history_has_a_row_for_every_evaluation(trainer):
    """Evaluations come every `evaluate_every` iterations and at the end, with every split."""
    history = finish(trainer(iterations=50)).history
    assert [20, 40, 50] == [row["iteration"] for row in history]
    assert [20 / 8, 40 / 8, 50 / 8] == [row["epoch"] for row in history]
    expected = ["iteration", "epoch", "learning_rate", "train_loss", "train_mse"]
    assert [*expected, "validation_loss", "validation_mse"] == list(history[0])
    assert history[-1]["train_loss"] < history[0]["train_loss"]


@pytest.mark.parametrize("optimizer", [None, Adam])
@pytest.mark.parametrize("left_after", [0, 1, 2, 3])
def test_a_run_that_was_left_ends_with_the_same_bits(trainer, optimizer, left_after):
    """Momentum, moments, dropout, running means and order all survive being saved."""
    new = lambda: trainer(optimizer=optimizer() if optimizer else None)  # noqa: E731
    whole = finish(new())
    first = new()
    first._steps = 7
    steps = first.run()
    for _ in range(left_after):
        next(steps)
    second = new()
    second.resume(through_json(first.checkpoint()))
    finish(second)
    assert whole.network.theta.tobytes() == second.network.theta.tobytes()
    assert whole.history == second.history
    for name, array in whole.network.buffers.items():
        assert array.tobytes() == second.network.buffers[name].tobytes()


def test_the_number_of_steps_per_call_changes_nothing(trainer):
    """How many updates are made between two looks is a matter of time, not of results."""
    whole, stepwise = trainer(), trainer()
    finish(whole)
    for _ in stepwise.run():
        stepwise._steps = 1
    assert whole.network.theta.tobytes() == stepwise.network.theta.tobytes()


def test_a_loss_is_reported_once_there_is_one(trainer):
    """Before the first evaluation none is: that of the initial weights would stand for too long."""
    seen = [(progress.iteration, progress.loss) for progress in trainer(iterations=40).run()]
    assert {None} == {loss for iteration, loss in seen if iteration < 20}
    assert all(loss is not None for iteration, loss in seen if iteration >= 20)


def test_early_stopping_returns_to_the_best_weights(trainer):
    """Training ends `patience` evaluations after the best one, with the weights it had there."""
    stopping = EarlyStopping("validation_loss", False, patience=3, restore_best=True)
    run = finish(
        trainer(iterations=4000, evaluate_every=10, stopping=stopping, noise=2.0, batch_size=30)
    )
    losses = [row["validation_loss"] for row in run.history]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 3
    assert run.iteration < 4000
    assert run.history[best]["iteration"] == run.stopping.best_iteration
    assert losses[best] == run.evaluate_splits()["validation_loss"]


def test_early_stopping_without_restoring_keeps_the_last_weights(trainer):
    """With `restore_best` off the weights are those of the last update."""
    stopping = EarlyStopping("validation_loss", False, patience=2, restore_best=False)
    run = finish(trainer(iterations=4000, evaluate_every=10, stopping=stopping, noise=2.0))
    assert run.history[-1]["validation_loss"] == run.evaluate_splits()["validation_loss"]


def test_divergence_is_pinned_to_its_iteration(trainer):
    """The first update after which a parameter is not finite is found, and the layer it is in."""
    run = finish(trainer(learning_rate=1e200, iterations=100, evaluate_every=50))
    witness = trainer(learning_rate=1e200, iterations=100, evaluate_every=50)
    iteration = 0
    while np.isfinite(witness.network.theta).all():
        witness.update(1)
        iteration += 1
    assert iteration == run.divergence.iteration
    assert run.divergence.parameter in witness.network.parameters
    assert not np.isfinite(witness.network.parameters[run.divergence.parameter].value).all()
    assert [] == run.history
    assert np.isfinite(run.network.theta).all()


def test_divergence_keeps_the_time_it_took(trainer):
    """Though training goes back to the last good weights, its updates have been made."""
    run = finish(trainer(learning_rate=1e200, iterations=60, evaluate_every=60))
    assert run.divergence is not None
    assert run.train_seconds > 0
    assert run.evaluation_seconds > 0


def test_divergence_remembers_the_last_good_loss(trainer):
    """A run that goes wrong late says what its loss was at the last evaluation before."""
    run = trainer(learning_rate=0.05, iterations=100, evaluate_every=20)
    steps = run.run()
    while not run.history:
        next(steps)
    good = run.history[0]["train_loss"]
    run.schedule.value = 1e200
    for _ in steps:
        pass
    assert good == run.divergence.last_good_loss
    assert 20 == run.divergence.last_good_iteration
    assert 20 < run.divergence.iteration <= 40


def test_splits_are_evaluated_by_the_engine(trainer, monkeypatch):
    """The losses of the history are what the engine says, split by split."""
    run = trainer(iterations=20)
    asked = []

    def evaluate(x, target):
        asked.append(len(x))
        return float(len(x)), np.zeros((len(x), 1))

    monkeypatch.setattr(run.engine, "evaluate", evaluate)
    (row,) = finish(run).history
    assert [30, 20] == asked
    assert (30.0, 20.0) == (row["train_loss"], row["validation_loss"])


# A learning rate that falls when the loss shows no more progress.


def falling() -> ReduceOnPlateau:
    return ReduceOnPlateau(0.05, factor=0.5, patience=1)


@pytest.fixture(params=[NumpyEngine, partial(TapeEngine, batch_size=4)], ids=["numpy", "tape"])
def trained(trainer, request):
    """Makes a trainer of 300 iterations whose rate follows the validation loss."""

    def make():
        found = trainer(engine=request.param, iterations=300, evaluate_every=10)
        found.schedule = falling()
        found.last_good = found.snapshot()
        return found

    return make


def test_the_rate_follows_the_validation_loss(trained):
    """It falls after each evaluation that is no better than the best so far, and only there."""
    run = trained()
    list(run.run())

    best, expected, rate = float("inf"), [], 0.05
    for row in run.history:
        expected.append(rate)
        if row["validation_loss"] >= best:
            rate *= 0.5
        best = min(best, row["validation_loss"])

    rates = [row["learning_rate"] for row in run.history]
    assert expected == rates
    assert any(after < before for before, after in pairwise(rates))


def test_a_run_that_is_continued_has_the_same_bits(trained):
    """From each checkpoint of its way."""
    whole = trained()
    states = [whole.checkpoint() for _ in whole.run()]

    for state in states[:: len(states) // 6]:
        rest = trained()
        rest.resume(state)
        list(rest.run())
        assert whole.network.theta.tobytes() == rest.network.theta.tobytes()
        assert whole.history == rest.history


def test_without_validation_it_follows_the_training_loss(trained):
    """As there is no other."""
    run = trained()
    del run.splits["validation"]
    list(run.run())

    twin = falling()
    expected = []
    for row in run.history:
        expected.append(twin.rate_at(0, 300))
        twin.observe(row["train_loss"])
    assert expected == [row["learning_rate"] for row in run.history]


# The losses of batches, epoch by epoch.

LOSSES = np.array([0.3, 0.1, 0.2, 0.7, 0.5, 0.9, 0.11])
SIZES = np.array([4, 4, 1, 4, 4, 1, 4])


def test_an_epoch_is_the_mean_over_its_rows():
    """Batches count by their rows, and an epoch that is not over by those it has had."""
    curve = LossCurve(3)
    assert [] == curve.values
    curve.add(LOSSES, SIZES)
    expected = [(1.2 + 0.4 + 0.2) / 9, (2.8 + 2.0 + 0.9) / 9, 0.11]
    assert expected == pytest.approx(curve.values, rel=1e-15)


@pytest.mark.parametrize("step", [1, 2, 7, 60, 61])
def test_parts_make_no_difference(step):
    """However many batches come at a time, which is a matter of the clock: the same bits."""
    whole, parts = LossCurve(60), LossCurve(60)
    losses, sizes = np.random.default_rng(0).random(250), np.full(250, 3)
    whole.add(losses, sizes)
    for first in range(0, len(losses), step):
        parts.add(losses[first : first + step], sizes[first : first + step])
    assert 5 == len(whole.values)
    assert whole.values == parts.values


def test_a_trainer_follows_its_batches(trainer):
    """One loss for each epoch of 8 batches, and the training is the one without."""
    plain, followed = trainer(iterations=20), trainer(iterations=20)
    followed.curve = LossCurve(followed.sampler.batches_per_epoch)
    for run in (plain, followed):
        for _ in run.run():
            pass
    assert 3 == len(followed.curve.values)
    assert plain.network.theta.tobytes() == followed.network.theta.tobytes()
    assert plain.history == followed.history


def test_the_loss_of_a_batch_is_that_before_its_update(trainer):
    """In training mode, of the very masks that the update had."""
    run, twin = trainer(), trainer()
    assert isinstance(run.engine, NumpyEngine)
    run.curve = LossCurve(1)
    rows, _ = twin.sampler.take(1)
    part = twin.splits["train"]
    expected = twin.network.training_loss(part.x[rows], part.target[rows], twin.dropout)
    run.update(1)
    assert [expected] == run.curve.values


# Evaluations on a part of large splits.


def split(rows, weight=None):
    """A split of this many rows, each with its number as its only feature."""
    x = np.arange(rows, dtype=np.float64)[:, None]
    return PreparedSplit(x, x, x, weight, weight)


def in_parts(trainer, **settings):
    """A trainer whose evaluations on the way take ten rows of each split."""
    made = trainer(**settings)
    rng = np.random.default_rng(3)
    made.parts = drawn_parts(made.splits, 10, rng, by_default=False)
    return made


@pytest.mark.parametrize(
    ("every", "batch_size", "splits", "rows"),
    [(157, 256, 2, 10_048), (10, 32, 1, 10_000), (1000, 100, 1, 50_000), (1000, 100, 3, 16_666)],
)
def test_the_rows_of_an_evaluation_follow_from_counts(every, batch_size, splits, rows):
    """Half as many in all splits as are trained on in between, and 10,000 of each at least."""
    assert rows == most_rows(every, batch_size, splits)


def test_parts_are_drawn_from_large_splits_alone(monkeypatch):
    """By default at most a quarter of a split; in its order, and the same for the same seed."""
    monkeypatch.setattr(examples, "FEWEST", 100)
    splits = {"train": split(1000), "validation": split(100), "test": split(101)}
    parts = drawn_parts(splits, 400, np.random.default_rng(1), by_default=True)
    assert {"train": 250} == {name: len(part) for name, part in parts.items()}
    rows = parts["train"].x[:, 0]
    assert (np.diff(rows) > 0).all()
    again = drawn_parts(splits, 400, np.random.default_rng(1), by_default=True)
    assert rows.tolist() == again["train"].x[:, 0].tolist()
    asked = drawn_parts(splits, 400, np.random.default_rng(1), by_default=False)
    assert {"train": 400} == {name: len(part) for name, part in asked.items()}


def test_weights_of_a_part_have_the_mean_of_all():
    """So that its loss is a weighted mean; a part without any weight is not taken."""
    weight = np.linspace(0, 2, 40)
    (part,) = drawn_parts(
        {"a": split(40, weight)}, 9, np.random.default_rng(1), by_default=False
    ).values()
    assert pytest.approx(1) == part.weight.mean()
    assert weight[part.x[:, 0].astype(int)].tolist() == part.sample_weight.tolist()
    nothing = np.where(np.arange(40) == 0, 40.0, 0.0)
    rng = np.random.default_rng(1)
    assert {} == drawn_parts({"a": split(40, nothing)}, 9, rng, by_default=False)


def test_the_last_evaluation_takes_all_rows(trainer):
    """And says so; weights are those of evaluations on all rows."""
    part, whole = in_parts(trainer), trainer()
    [*part.run()]
    [*whole.run()]
    assert [10, 10, 30] == [row["train_rows"] for row in part.history]
    assert [10, 10, 20] == [row["validation_rows"] for row in part.history]
    last = {k: v for k, v in part.history[-1].items() if not k.endswith("_rows")}
    assert whole.history[-1] == last
    assert whole.history[0]["train_loss"] != part.history[0]["train_loss"]
    assert whole.network.theta.tolist() == part.network.theta.tolist()


def test_early_stopping_compares_the_same_rows(trainer):
    """The part to the end; the last row of the history is of all rows."""
    stopping = EarlyStopping("validation_loss", False, 2, restore_best=False)
    made = in_parts(
        trainer, stopping=stopping, iterations=4000, evaluate_every=10, noise=2.0, batch_size=30
    )
    seen = []
    evaluate = made.evaluate_splits

    def watched(*, whole=True):
        row = evaluate(whole=whole)
        seen.append((whole, row["validation_loss"]))
        return row

    made.evaluate_splits = watched
    [*made.run()]
    assert made.stopped_early
    of_parts = [loss for whole, loss in seen if not whole]
    assert min(of_parts) == stopping.best
    assert (True, made.history[-1]["validation_loss"]) == seen[-1]
    assert 20 == made.history[-1]["validation_rows"]
    assert len(of_parts) == len(made.history)


# The order in which training visits rows, and the streams of random numbers.

# The order in which training visits rows.


def sampler(rows=10, batch_size=3, sampling="shuffle", seed=0):
    return Sampler(rows, batch_size, sampling, rng=np.random.default_rng(seed))


def batches(source, iterations):
    rows, bounds = source.take(iterations)
    return [rows[a:b].tolist() for a, b in pairwise(bounds.tolist())]


def test_an_epoch_visits_every_row_once():
    """Shuffled epochs cover all rows, the last batch being what is left, each in a new order."""
    source = sampler()
    first, second = batches(source, 4), batches(source, 4)
    for epoch in (first, second):
        assert [3, 3, 3, 1] == [len(batch) for batch in epoch]
        assert list(range(10)) == sorted(row for batch in epoch for row in batch)
    assert first != second


def test_replacement_draws_every_row_about_equally_often():
    """With replacement, counts of 100,000 draws from 10 rows stay within 5 standard deviations."""
    rows, bounds = sampler(batch_size=1, sampling="with_replacement").take(100_000)
    counts = np.bincount(rows, minlength=10)
    assert np.abs(counts - 10_000).max() < 5 * np.sqrt(100_000 * 0.1 * 0.9)
    assert list(range(100_001)) == bounds.tolist()


def test_rows_may_stay_in_order():
    """Epoch after epoch from the first to the last, what is left over as the last batch."""
    expected = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert 2 * expected == batches(sampler(batch_size=4, sampling="in_order"), 6)


@pytest.mark.parametrize("sampling", ["shuffle", "with_replacement", "in_order"])
@given(cuts=st.lists(st.integers(1, 40), min_size=1, max_size=8), batch=st.integers(1, 12))
def test_taking_in_pieces_changes_nothing(sampling, cuts, batch):
    """However many iterations are taken at a time, the rows are the same."""
    whole = batches(sampler(batch_size=batch, sampling=sampling), sum(cuts))
    source = sampler(batch_size=batch, sampling=sampling)
    assert whole == [b for cut in cuts for b in batches(source, cut)]


@pytest.mark.parametrize("sampling", ["shuffle", "with_replacement", "in_order"])
@pytest.mark.parametrize("taken", [0, 1, 4, 7, 20_000])
def test_a_restored_sampler_goes_on_as_the_first_did(sampling, taken):
    """A state survives JSON, and a new sampler put to it yields what the old one would."""
    source = sampler(sampling=sampling)
    if taken:
        source.take(taken)
    state = json.loads(json.dumps(source.state()))
    expected = batches(source, 30)
    other = sampler(sampling=sampling, seed=99)
    other.restore(state)
    assert expected == batches(other, 30)


@pytest.mark.parametrize("used", [-1, 5, 10**12, 1.0, "1", None, True])
def test_a_state_that_cannot_be_is_refused(used):
    """A block of ten rows has four batches of three; none of the others can have been used."""
    source = sampler()
    with pytest.raises(ValueError, match="a block has no"):
        source.restore({**source.state(), "used": used})


# The streams of random numbers.

NAMES = ("split", "weights", "order", "dropout", "augmentation")


@pytest.mark.parametrize("seed", [0, 7, 2**64 + 1])
def test_streams_are_the_children_of_the_seed(seed: int) -> None:
    """Each is what NumPy's own `spawn` gives in its place, whichever is asked for first."""
    children = np.random.SeedSequence(seed).spawn(5)
    streams = Streams(seed)
    for name in ("augmentation", "dropout", "split", "order", "weights"):
        child = children[NAMES.index(name)]
        expected = np.random.Generator(np.random.PCG64(child)).random(3)
        assert expected.tolist() == getattr(streams, name).random(3).tolist()
        assert getattr(streams, name) is getattr(streams, name)


def test_each_fold_has_streams_of_its_own_but_for_the_split() -> None:
    """Children of the seed's own streams, so that the folds of a seed start from other weights."""
    plain, *folds = (Streams(7, fold) for fold in (None, 1, 2))
    assert {plain.split.random()} == {fold.split.random() for fold in folds}
    for place, name in enumerate(NAMES):
        if place:
            drawn = [getattr(streams, name).random() for streams in (plain, *folds)]
            child = np.random.SeedSequence(7, spawn_key=(place, 2))
            assert 3 == len(set(drawn))
            assert np.random.Generator(np.random.PCG64(child)).random() == drawn[2]
