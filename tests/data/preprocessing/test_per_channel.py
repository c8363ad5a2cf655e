"""The step `per_channel`: one mean and one deviation for all pixels of a channel."""

from __future__ import annotations

import numpy as np

from nnrun.data.preprocessing import Preprocessing


def test_channels_have_mean_zero_and_deviation_one():
    """Over all rows and pixels of each channel; differences between pixels stay as they are."""
    rng = np.random.default_rng(0)
    x = rng.normal([[[1.0]], [[200.0]]], [[[2.0]], [[30.0]]], (50, 2, 4, 3)) + np.arange(3)
    z = Preprocessing(["per_channel"]).fit(x, x).transform_x(x)
    np.testing.assert_allclose(z.mean(axis=(0, 2, 3)), 0, rtol=0, atol=1e-13)
    np.testing.assert_allclose(z.std(axis=(0, 2, 3)), 1, rtol=1e-13)
    scale = x.std(axis=(0, 2, 3), keepdims=True)
    np.testing.assert_allclose(np.diff(z) * scale, np.diff(x), rtol=0, atol=1e-10)


def test_a_constant_channel_becomes_zero():
    """It is centred and not divided, also where its mean is rounded."""
    x = np.random.default_rng(1).random((10, 2, 3, 3))
    x[:, 0] = 0.1
    fitted = Preprocessing(["per_channel"]).fit(x, x)
    np.testing.assert_allclose(fitted.transform_x(x)[:, 0], 0, rtol=0, atol=1e-15)
    np.testing.assert_allclose(fitted.transform_x(x + 1)[:, 0], 1, rtol=0, atol=1e-15)


def test_it_is_stored_and_applied_with_the_same_bits():
    """A mean and a deviation for each channel, whatever the size of the images."""
    x = np.random.default_rng(2).random((10, 3, 6, 5))
    fitted = Preprocessing(["per_channel"]).fit(x, x)
    (stored,) = fitted.to_dict()["features"]
    assert [3, 3] == [np.size(stored[key]) for key in ("shift", "scale")]
    again = Preprocessing.from_dict(fitted.to_dict())
    assert fitted.transform_x(x).tobytes() == again.transform_x(x).tobytes()
