"""Conventions of pages and docstrings, and the map of the code."""

from __future__ import annotations

import doctest
import re
import runpy
from importlib.resources import files
from inspect import signature
from math import sqrt

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer

from nnrun.nn import LAYERS, LOSSES, OPTIMIZERS
from nnrun.sklearn import NetworkClassifier
from tests.docs.examples import DOCS, ROOT

# The page of conventions: its examples run, and its tables are whole.

CONVENTIONS = (files("nnrun") / "docs" / "conventions.md").read_text(encoding="utf-8")
DIFFERENCES = CONVENTIONS.partition("## What differs")[2]


def named(text: str) -> set[str]:
    """All words that stand between backticks."""
    return {word for code in re.findall(r"`([^`]*)`", text) for word in re.findall(r"\w+", code)}


def test_examples_are_true(tmp_path, monkeypatch):
    """They give what stands below them."""
    monkeypatch.chdir(tmp_path)
    text = CONVENTIONS.replace("\n```", "\n\n```")
    test = doctest.DocTestParser().get_doctest(text, {}, "conventions", None, 0)
    found = doctest.DocTestRunner().run(test)
    assert (0, True) == (found.failed, found.attempted > 3)


def test_every_table_is_whole():
    """All rows of a table have as many cells as its head."""
    for table in re.findall(r"(?:^\|.*\n)+", CONVENTIONS, re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert 1 == len(cells)


def test_every_loss_has_a_line():
    """So have layers with parameters and optimizers."""
    assert set(LOSSES) <= named(CONVENTIONS)
    assert {name for name in ("dense", "conv2d", "batch_norm") if name in LAYERS} <= named(
        CONVENTIONS
    )
    assert set(OPTIMIZERS) <= {word.lower() for word in named(CONVENTIONS)}


def test_sparse_rows_are_not_among_what_is_missing():
    """The table does not say that what the estimators take is refused."""
    (row,) = re.findall(r"^\| .*sparse.*$", DIFFERENCES, re.MULTILINE)
    assert not row.endswith("| none |")


def test_parameters_that_only_one_has_are_in_the_table():
    """Of scikit-learn's networks and of ours, and those whose defaults differ."""
    ours, theirs = (
        {name: each.default for name, each in signature(kind).parameters.items()}
        for kind in (NetworkClassifier, MLPClassifier)
    )
    same = {name for name in ours.keys() & theirs.keys() if ours[name] == theirs[name]}
    assert {"tol", "n_iter_no_change", "early_stopping", "warm_start"} <= same
    # Said by the words for what they do.
    elsewhere = {"loss", "output_activation", "optimizer", "random_state"}
    assert (ours.keys() | theirs.keys()) - same - elsewhere <= named(DIFFERENCES)
    for name in ("alpha", "batch_size"):
        assert f"`{name}={theirs[name]!r}`".replace("'", '"') in DIFFERENCES
        assert f"`{name}={ours[name]!r}`" in DIFFERENCES
    assert (200, 200) == (theirs["max_iter"], ours["epochs"])


def test_what_it_says_of_scikit_learn_is_true():
    """Of what could change there."""
    x, y = np.random.default_rng(0).standard_normal((40, 2)), np.arange(40) % 2
    peer = MLPClassifier((3,), tol=10, n_iter_no_change=1)
    assert (40, 2) == peer.fit(x, np.zeros(40)).predict_proba(x).shape
    parts = MLPClassifier((3,))
    for _ in range(2):
        parts.partial_fit(x, y, classes=[0, 1])
    assert (1, 2) == (parts.n_iter_, len(parts.loss_curve_))
    with pytest.raises(ValueError, match="least populated class"):
        peer.set_params(early_stopping=True).fit(x, np.arange(40) == 0)
    parameters = peer.get_params()
    assert (0.9, True, "auto") == tuple(
        parameters[name] for name in ("momentum", "nesterovs_momentum", "batch_size")
    )
    targets = np.stack([x[:, 0], x[:, 1]], axis=1)
    several = MLPRegressor(hidden_layer_sizes=(3,), random_state=0, alpha=0)
    found = []
    several._backprop = _spied(several._backprop, found)
    several.partial_fit(x, targets)
    loss, gradient, error = found[0]
    assert np.mean(error**2) / 2 == pytest.approx(loss)
    np.testing.assert_allclose(gradient, error.sum(axis=0) / len(x))


@pytest.mark.parametrize("epsilon", [1e-30, 1e-8, 1e-2])
def test_adams_epsilon_stands_where_it_says(epsilon):
    """Updates of scikit-learn are ours with ε / √(1 - β₂ᵗ); with ε itself they differ."""
    rng, rate = np.random.default_rng(0), 0.01
    theirs, ours, same = np.ones(50), np.ones(50), np.ones(50)
    peer = AdamOptimizer([theirs], rate, epsilon=epsilon)
    moved, plain = OPTIMIZERS["adam"](), OPTIMIZERS["adam"](epsilon=epsilon)
    moved.allocate(ours)
    plain.allocate(same)
    for t in range(1, 40):
        gradient = rng.normal(size=50) * 1e-3
        moved.epsilon = epsilon / sqrt(1 - moved.beta2**t)
        moved.step(ours, gradient, rate)
        plain.step(same, gradient, rate)
        peer.update_params([theirs], [gradient])
    np.testing.assert_allclose(ours, theirs, rtol=1e-13)
    assert (epsilon == 1e-30) == np.allclose(same, theirs, rtol=1e-13, atol=0)


def _spied(backprop, found):
    """A backpropagation that keeps the loss, the gradient of the last biases, and the errors."""

    def spied(x, y, weight, activations, *rest):
        loss, coefs, intercepts = backprop(x, y, weight, activations, *rest)
        found.append((loss, intercepts[-1].copy(), activations[-1] - y))
        return loss, coefs, intercepts

    return spied


# The picture of the folders, and the table below it, follow the import contract.

HOUSE = runpy.run_path(str(ROOT / ".ci" / "house.py"))


def test_the_picture_is_that_of_the_contract():
    """A folder or a first sentence that changes is drawn again: `.venv/bin/python .ci/house.py`."""
    assert HOUSE["drawn"]() == (DOCS / "house.svg").read_text(encoding="utf-8")


def test_the_table_has_the_floors_of_the_contract():
    """From top to bottom; folders that do not know each other share a row."""
    text = (DOCS / "inside.md").read_text(encoding="utf-8")
    table = text[text.index("| floor |") :].partition("\n\n")[0].splitlines()[2:]
    assert HOUSE["floors"]() == [re.findall(r"`(\w+)`", row.split("|")[1]) for row in table]
