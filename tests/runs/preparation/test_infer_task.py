"""The task of a CSV file: what the network says of it, and where that is open."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.config.load import load_config
from nnrun.errors import ConfigError
from nnrun.runs.execution.descriptions import describe_dataset
from nnrun.runs.preparation.prepare import prepare

CONFIG = """\
dataset: {path: data.csv, columns: {target: y}, test_size: 0}
network: {sizes: SIZES, activations: ACTIVATIONS}
loss: LOSS
training: {learning_rate: 0.1, iterations: 5}
"""


@pytest.fixture
def prepared(tmp_path):
    """Prepares a network on a file of one feature and a target."""

    def make(labels, sizes, activations, loss, *overrides):
        rows = "".join(f"{i},{label}\n" for i, label in enumerate(labels))
        (tmp_path / "data.csv").write_text(f"x,y\n{rows}")
        text = CONFIG.replace("SIZES", sizes).replace("ACTIVATIONS", activations)
        (tmp_path / "config.yaml").write_text(text.replace("LOSS", loss))
        return prepare(load_config(tmp_path / "config.yaml", overrides))

    return make


@pytest.mark.parametrize(
    ("labels", "sizes", "activations", "loss", "task"),
    [
        ([1.5, 2.5, 3.5], "[1]", "[linear]", "mean_squared", "regression"),
        ([0, 1, 0], "[4, 1]", "[tanh, linear]", "huber", "regression"),
        ([5, 6, 7], "[1]", "[softplus]", "mean_absolute", "regression"),
        ([0, 1, 2], "[3]", "[softmax]", "cross_entropy", "classification"),
        ([0, 1, 0], "[1]", "[sigmoid]", "binary_cross_entropy", "classification"),
        ([0, 1, 2], "[3]", "[sigmoid]", "mean_squared", "classification"),
        ([0, 1, 2], "[3]", "[softmax]", "mean_squared", "classification"),
        (["a", "b", "a"], "[1]", "[sigmoid]", "mean_squared", "classification"),
    ],
)
def test_loss_and_last_activation_say_it(prepared, labels, sizes, activations, loss, task):
    """No `task` is needed, and the resolved config has it."""
    assert task == prepared(labels, sizes, activations, loss).config.dataset.task


@pytest.mark.parametrize(("loss", "last"), [("poisson", "softplus"), ("pinball", "linear")])
def test_whole_numbers_of_arrays_are_counts_where_the_loss_says_so(tmp_path, loss, last):
    """An npz file may hold classes or numbers; counts and quantiles are numbers."""
    np.savez(tmp_path / "data.npz", x=np.arange(6.0)[:, np.newaxis], y=np.array([0, 1, 2] * 2))
    text = CONFIG.replace("data.csv, columns: {target: y}", "data.npz")
    text = text.replace("SIZES", "[1]").replace("ACTIVATIONS", f"[{last}]").replace("LOSS", loss)
    (tmp_path / "config.yaml").write_text(text)

    assert "regression" == prepare(load_config(tmp_path / "config.yaml")).dataset.task


def test_what_is_inferred_is_said(prepared):
    """With its reason; where the config says it, nothing has to be said."""
    given = ([1.5, 2.5], "[1]", "[linear]", "mean_squared")
    reason = "as the loss mean_squared and a single output without sigmoid say"
    assert f"regression, {reason}" == prepared(*given).inferred
    explicit = prepared(*given, "dataset.task=regression")
    assert "" == explicit.inferred
    assert reason == explicit.task_from


def test_the_report_says_why(prepared):
    """Whether or not the config says the task itself, so that both give one report."""
    run = prepared([1.5, 2.5], "[1]", "[linear]", "mean_squared")
    found = describe_dataset(run)
    assert ("regression", run.task_from) == (found["task"], found["task_from"])


def test_what_is_open_is_asked_at_columns(prepared):
    """One sigmoid under a squared error may be a share or a label: the message says what to add."""
    with pytest.raises(ConfigError) as error:
        prepared([0, 1, 1], "[1]", "[sigmoid]", "mean_squared")
    first, excerpt, caret = str(error.value).splitlines()
    assert "config.yaml:1:36: dataset.columns: 'y' holds numbers, which may be values" in first
    assert "add `task: regression` or `task: classification` beside `columns`" in first
    assert "{target: y}" == excerpt[caret.index("^") :][: len("{target: y}")]


def test_text_under_a_loss_for_numbers_is_one_line(prepared):
    """With how many cells there are, and what classes need."""
    with pytest.raises(ConfigError) as error:
        prepared(["a", "b", "c"], "[1]", "[linear]", "mean_squared")
    last = str(error.value).splitlines()[-1]
    assert "data.csv:2:y: 'a' is not a number (2 more like it in this column), and" in last
    assert "classes need a loss like cross_entropy" in last


def test_an_npz_of_numbers_may_hold_classes(tmp_path):
    """A loss for classes says so, whatever the type of its labels."""
    np.savez(tmp_path / "data.npz", x=np.arange(6.0)[:, None], y=np.array([0.0, 1, 2, 0, 1, 2]))
    text = CONFIG.replace("data.csv, columns: {target: y}", "data.npz")
    text = text.replace("SIZES", "[3]").replace("ACTIVATIONS", "[softmax]")
    (tmp_path / "config.yaml").write_text(text.replace("LOSS", "cross_entropy"))
    assert ("0", "1", "2") == prepare(load_config(tmp_path / "config.yaml")).dataset.classes
