"""Runs whose training rows are changed at each visit: what they may change, and that all agree."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.errors import ConfigError
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import Execution

DIGITS = """
name: moved
dataset: {name: digits, test_size: 1600, features: per_channel}
network:
  layers:
    - {type: conv2d, channels: 4, kernel: 3, activation: relu}
    - {type: max_pool2d, size: 2}
    - {type: flatten}
    - {type: dense, units: 10, activation: softmax}
loss: cross_entropy
training:
  learning_rate: 0.05
  iterations: 30
  batch_size: 16
  augment: {shift: 1, flip: true, rotate: 12, noise: 0.1}
"""
IRIS = DIGITS.partition("dataset")[0] + (
    "dataset: {name: iris}\nnetwork: {sizes: [3], activations: [softmax]}\nloss: cross_entropy\n"
    "training: {learning_rate: 0.1, iterations: 5, augment: {noise: 0.2}}\n"
)


@pytest.fixture
def trained(prepared):
    """The weights and history of a run; its engine is checked before."""

    def make(text, *overrides):
        execution = Execution(prepared(text, *overrides))
        execution.train(Listener())
        return execution.trainer.network.theta, execution.trainer.history

    return make


@pytest.mark.parametrize("text", [DIGITS, IRIS])
def test_both_engines_train_on_the_same_rows(trained, text):
    """Weights and losses agree to 1e-12, and are not those of rows as they are."""
    expected, history = trained(text, "training.engine=numpy")
    found, same = trained(text, "training.engine=compiled")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert [row["train_loss"] for row in history] == pytest.approx(
        [row["train_loss"] for row in same], abs=1e-12
    )
    plain, _ = trained(text, "training.engine=numpy", "training.augment=null")
    assert np.abs(plain - expected).max() > 1e-3


def test_numbers_of_categories_have_no_noise(trained, tmp_path):
    """An embedding takes whole numbers: where all features are such, noise changes no bit."""
    rows = "".join(f"{'abcde'[number % 5]},{number % 3}\n" for number in range(60))
    (tmp_path / "t.csv").write_text(f"shop,y\n{rows}")
    text = (
        "name: shops\ndataset: {path: t.csv, columns: {target: y, embedding: {shop: 3}}}\n"
        "network: {sizes: [3], activations: [softmax]}\nloss: cross_entropy\n"
        "training: {learning_rate: 0.1, iterations: 20, batch_size: 8, augment: {noise: 0.9}}\n"
    )
    noisy, _ = trained(text)
    plain, _ = trained(text, "training.augment=null")
    assert plain.tobytes() == noisy.tobytes()


def test_changes_of_nothing_are_none(prepared):
    """The run has the name, and the engine, of one without them."""
    nothing = "training.augment={shift: 0, noise: 0}"
    plain, other = (prepared(IRIS, setting) for setting in ("training.augment=null", nothing))
    assert (plain.run_id, None) == (other.run_id, other.augmentation)
    assert plain.run_id != prepared(IRIS).run_id


@pytest.mark.parametrize(
    ("text", "override", "path", "message"),
    [
        (IRIS, "shift=1", "shift", "shift is for images, and the rows of iris are none; tables "),
        (IRIS, "flip=true", "flip", "flip is for images"),
        (IRIS, "rotate=5", "rotate", "rotate is for images"),
        (DIGITS, "shift=8", "shift", "the images are no larger than this: 8×8 pixels"),
    ],
)
def test_what_rows_cannot_have_is_refused_at_its_place(prepared, text, override, path, message):
    """Before anything is trained; noise alone is for tables."""
    with pytest.raises(ConfigError) as caught:
        prepared(text, f"training.augment.{override}")
    (problem,) = caught.value.problems
    assert f"training.augment.{path}" == problem.path
    assert problem.message.startswith(message)


def test_images_are_moved_before_a_dense_layer(trained):
    """A network without convolutions takes the moved pixels, flat."""
    dense = "network={sizes: [10], activations: [softmax]}"
    moved, _ = trained(DIGITS, dense, "training.augment={shift: 2}")
    plain, _ = trained(DIGITS, dense, "training.augment=null")
    assert np.abs(moved - plain).max() > 1e-3
