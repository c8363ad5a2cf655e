"""Images that are moved: by hand, and beside SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from nnrun.training.augment import Moves, cos_and_sin, moved

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
