"""Random changes of rows: their distribution, and the same numbers however training proceeds."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nnrun.engines.base import Batches, Sampler, Steps
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import SGD, CrossEntropy, Dropout, Flatten, Network, conv2d, dense
from nnrun.nn.schedules import Constant
from nnrun.training.augment import Augmentation, Augmenter, AugmentingEngine
from nnrun.training.state import Streams, TrainingState

EVERYTHING = Augmentation(shift=2, flip=True, rotate=15, noise=0.1)
SHAPE = (2, 8, 6)
ROWS = 30


def augmenter(augmentation=EVERYTHING, shape=SHAPE, batch_size=4, seed=7):
    """With blocks so small that a run has several."""
    found = Augmenter(augmentation, shape, batch_size, rng=Streams(seed).augmentation)
    assert found.block > 20
    found.block = 7
    return found


def visits(by, row, iterations):
    """One row at each place of the first iterations, block by block."""
    parts, first = [], 0
    while first < iterations:
        end = min(by.until(first), iterations)
        sizes = np.full(end - first, by.batch_size)
        parts.append(by.changed(np.repeat(row[None], sizes.sum(), axis=0), first, sizes))
        first = end
    return np.concatenate(parts)


def test_each_shift_and_each_flip_is_equally_likely():
    """Over 20,000 visits of a row all 25 shifts come, each flipped as often as not."""
    image = np.zeros((1, 9, 9))
    image[0, 4, 3:6] = [1, 2, 3]
    found = visits(augmenter(Augmentation(shift=2, flip=True), (1, 9, 9)), image, 5_000)[:, 0]
    one, two, three = ((found == value).reshape(-1, 81).argmax(axis=1) for value in (1, 2, 3))
    outcomes, counts = np.unique(2 * two + (three < one), return_counts=True)
    expected = [
        2 * (9 * row + column) + f for row in range(2, 7) for column in range(2, 7) for f in (0, 1)
    ]
    assert expected == outcomes.tolist()
    assert np.abs(counts - 400).max() < 5 * 400**0.5


def test_noise_is_normal_with_the_standard_deviation_of_the_config():
    """40,000 numbers, within five standard errors."""
    found = visits(augmenter(Augmentation(noise=0.5), (10,)), np.ones(10), 1_000) - 1
    assert abs(found.mean()) < 5 * 0.5 / 40_000**0.5
    assert abs(found.std() - 0.5) < 5 * 0.5 / 80_000**0.5


def test_some_features_are_spared():
    """They are the same at each visit, and the noise of others is what it is without."""
    noise, row = Augmentation(noise=0.5), np.arange(4.0)
    found, whole = (
        Augmenter(noise, (4,), 2, rng=Streams(7).augmentation, spared=spared).changed(
            np.stack([row, row]), 0, np.array([2])
        )
        for spared in ([1, 3], [])
    )
    np.testing.assert_array_equal(found[:, [1, 3]], [row[[1, 3]]] * 2)
    np.testing.assert_array_equal(found[:, [0, 2]], whole[:, [0, 2]])


def test_angles_are_uniform():
    """A row's own coordinates, turned: angles fill the range from -30° to 30°."""
    height = np.arange(5.0)[None, :, None] * np.ones((1, 5, 5))
    found = visits(augmenter(Augmentation(rotate=30), (1, 5, 5)), height, 2_500)[:, 0]
    degrees = np.rad2deg(np.arcsin((found[:, 2, 3] - found[:, 2, 1]) / 2))
    assert -30 <= degrees.min() < -29.9
    assert 29.9 < degrees.max() <= 30
    assert abs(degrees.std() - 60 / 12**0.5) < 0.5


def network(dtype="float64"):
    blocks = [conv2d(3, 3, activation="relu"), [Flatten()], [Dropout(0.2)], dense(3, "softmax")]
    found = Network(blocks, CrossEntropy(), SHAPE, dtype)
    found.initialize(rng=np.random.default_rng(1))
    return found


def rows_of(dtype="float64"):
    rng = np.random.default_rng(2)
    target = np.eye(3)[rng.integers(3, size=ROWS)]
    return rng.random((ROWS, *SHAPE)).astype(dtype), target.astype(dtype)


def trained(kind, grouped=(60,), augmentation=EVERYTHING, batch_size=4, dtype="float64", **options):
    """θ after iterations in groups of these sizes, and the losses of their batches."""
    net, (x, target), streams = network(dtype), rows_of(dtype), Streams(7)
    if kind is not NumpyEngine:
        options |= {"batch_size": batch_size, "losses": True}
    optimizer = SGD()
    optimizer.allocate(net.theta)
    engine = kind(net, optimizer, x, target, rng=streams.dropout, **options)
    engine = AugmentingEngine(engine, augmenter(augmentation, batch_size=batch_size), x, target)
    sampler = Sampler(ROWS, batch_size, "shuffle", rng=streams.order)
    losses, first = [], 0
    for count in grouped:
        steps = Steps(sampler, Constant(0.1), first=first, iterations=count, total=sum(grouped))
        losses.append(np.empty(count))
        engine.run(steps, losses[-1])
        first += count
    return net.theta, np.concatenate(losses)


@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("kind", [CompiledEngine, TapeEngine])
def test_engines_agree(kind, batch_size):
    """All changes at once, with dropout and a smaller last batch: equal to 1e-12."""
    expected = trained(NumpyEngine, batch_size=batch_size)
    for found, wanted in zip(trained(kind, batch_size=batch_size), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", [NumpyEngine, CompiledEngine, TapeEngine])
def test_grouping_changes_no_bit(kind):
    """Iterations one by one, in uneven groups and across blocks, or all at once."""
    whole = trained(kind, (60,))
    for grouped in ((1,) * 60, (1, 8, 50, 1)):
        found = trained(kind, grouped)
        assert [array.tobytes() for array in whole] == [array.tobytes() for array in found]


def test_threads_change_no_bit():
    """Rows are changed before threads share the work."""
    one, three = (trained(TapeEngine, batch_size=8, threads=n) for n in (1, 3))
    assert [array.tobytes() for array in one] == [array.tobytes() for array in three]


def test_every_visit_and_every_seed_has_other_changes():
    """The same row differs from place to place, from block to block and from seed to seed."""
    x, by = rows_of()[0][:1], augmenter()
    places = [by.changed(x, first, np.array([1])) for first in (0, 1, by.block, 10 * by.block)]
    places.append(augmenter(seed=8).changed(x, 0, np.array([1])))
    places.append(by.changed(np.repeat(x, 2, axis=0), 0, np.array([2]))[1:])
    assert 6 == len({found.tobytes() for found in places})


def test_rows_that_are_evaluated_do_not_change():
    """Nor do those of batches without a number, by which engines are checked."""
    net, (x, target) = network(), rows_of()
    optimizer = SGD()
    optimizer.allocate(net.theta)
    plain = NumpyEngine(net, optimizer, x, target, rng=np.random.default_rng(0))
    engine = AugmentingEngine(plain, augmenter(), x, target)
    assert net.evaluate(x, target)[0] == pytest.approx(engine.evaluate(x, target)[0], abs=1e-14)
    assert engine.evaluate(x, target)[0] == engine.evaluator(x, target)()[0]
    engine.run(Batches(np.array([5, 3]), np.array([0, 2]), np.array([0.1])))
    np.testing.assert_array_equal(x[[5, 3]], plain.x)


@pytest.mark.parametrize("left_after", [1, 2, 3])
def test_a_run_that_was_left_ends_with_the_same_bits(trainer, left_after):
    """Changes need nothing of a checkpoint but the iteration."""

    def engine(net, optimizer, x, target, *, rng):
        plain = NumpyEngine(net, optimizer, x, target, rng=rng)
        return AugmentingEngine(plain, augmenter(Augmentation(noise=0.3), (3,)), x, target)

    def finished(run):
        for _ in run.run():
            pass
        return run.network.theta.tobytes()

    first, second = trainer(engine=engine), trainer(engine=engine)
    first._steps = 7
    steps = first.run()
    for _ in range(left_after):
        next(steps)
    state = first.checkpoint()
    second.resume(TrainingState(state.arrays, json.loads(json.dumps(state.values))))
    expected = finished(trainer(engine=engine))
    assert expected == finished(second)
    assert expected != finished(trainer())
