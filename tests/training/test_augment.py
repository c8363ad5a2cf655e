"""Augmented images, and their geometry."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import ndimage

from nnrun.engines.base import Batches, Sampler, Steps
from nnrun.engines.generated.engine import CompiledEngine
from nnrun.engines.numpy_engine import NumpyEngine
from nnrun.engines.tape.engine import TapeEngine
from nnrun.nn import SGD, CrossEntropy, Dropout, Flatten, Network, conv2d, dense
from nnrun.nn.schedules import Constant
from nnrun.training.augment import (
    Augmentation,
    Augmenter,
    AugmentingEngine,
    Moves,
    cos_and_sin,
    moved,
)
from nnrun.training.state import Streams, TrainingState

# Random changes of rows: their distribution, and the same numbers however training proceeds.

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


# Images that are moved: by hand, and beside SciPy's.

IMAGE = np.arange(1.0, 7.0).reshape(1, 1, 2, 3)


def moves(down=0, right=0, flipped=False, degrees=None):
    """The same for a single image."""
    return Moves(
        np.array([down]),
        np.array([right]),
        np.array([flipped]),
        None if degrees is None else np.array([float(degrees)]),
    )


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (moves(), [[1, 2, 3], [4, 5, 6]]),
        (moves(right=1), [[1, 1, 2], [4, 4, 5]]),
        (moves(right=-1), [[2, 3, 3], [5, 6, 6]]),
        (moves(down=1), [[1, 2, 3], [1, 2, 3]]),
        (moves(down=-1), [[4, 5, 6], [4, 5, 6]]),
        (moves(flipped=True), [[3, 2, 1], [6, 5, 4]]),
        (moves(right=1, flipped=True), [[3, 3, 2], [6, 6, 5]]),  # the flip comes first
        (moves(degrees=180), [[6, 5, 4], [3, 2, 1]]),
        (moves(right=1, degrees=180), [[6, 6, 5], [3, 3, 2]]),
    ],
)
def test_small_images_move_as_by_hand(how, expected):
    """A shift repeats the border, a flip exchanges left and right, half a turn reverses both."""
    np.testing.assert_allclose(moved(IMAGE, how)[0, 0], expected, rtol=0, atol=1e-13)


def test_a_quarter_turn_is_counterclockwise():
    """What is on the right comes to the top, as by `np.rot90`."""
    image = np.arange(9.0).reshape(1, 1, 3, 3)
    found = moved(image, moves(degrees=90))[0, 0]
    np.testing.assert_allclose(found, np.rot90(image[0, 0]), rtol=0, atol=1e-13)


@pytest.mark.parametrize("shape", [(7, 9), (8, 5), (1, 6), (1, 1)])
def test_turns_are_scipys_interpolation(shape):
    """`affine_transform` of order 1 with repeated borders, each image with its own move."""
    rng = np.random.default_rng(0)
    x = rng.random((4, 2, *shape))
    degrees = np.array([10.0, -33.0, 180.0, 77.7])
    down, right = np.array([1, -2, 0, 3]), np.array([0, 3, -1, 1])
    flipped = np.array([True, False, True, False])
    found = moved(x, Moves(down, right, flipped, degrees))
    middle = (np.array(shape) - 1) / 2
    for row, angle in enumerate(np.deg2rad(degrees)):
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        offset = middle - turn @ (middle + np.array([down[row], right[row]]))
        for channel in range(2):
            image = x[row, channel, :, ::-1] if flipped[row] else x[row, channel]
            expected = ndimage.affine_transform(image, turn, offset, order=1, mode="nearest")
            np.testing.assert_allclose(found[row, channel], expected, rtol=0, atol=1e-13)


def test_no_turn_is_the_image_itself():
    """An angle of 0 gives the same bits as moves without turns."""
    x = np.random.default_rng(1).random((3, 3, 6, 4))
    still = Moves(np.array([1, 0, -2]), np.array([0, 2, 1]), np.array([True, False, True]), None)
    turned = still._replace(degrees=np.zeros(3))
    assert moved(x, still).tobytes() == moved(x, turned).tobytes()


def test_images_keep_their_dtype():
    """float32 stays float32, in every kind of move."""
    x = np.random.default_rng(2).random((1, 1, 4, 4)).astype(np.float32)
    found = {moved(x, how).dtype for how in (moves(down=1), moves(degrees=12))}
    assert {np.dtype("float32")} == found


def test_sines_and_cosines_are_exact():
    """To 1e-14 of the library's, over the whole circle."""
    degrees = np.linspace(-180, 180, 721)
    cos, sin = cos_and_sin(degrees)
    np.testing.assert_allclose(cos, np.cos(np.deg2rad(degrees)), rtol=0, atol=1e-14)
    np.testing.assert_allclose(sin, np.sin(np.deg2rad(degrees)), rtol=0, atol=1e-14)
