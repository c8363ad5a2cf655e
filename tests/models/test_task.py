"""What outputs mean."""

from __future__ import annotations

import numpy as np

from nnrun.models.task import Classification, Regression


def test_classes_are_encoded_as_rows_of_one_hot():
    """Three classes give three columns."""
    task = Classification(3, 3, probabilistic=True)
    assert [[0, 1, 0], [0, 0, 1], [1, 0, 0]] == task.encode(np.array([1, 2, 0])).tolist()


def test_two_classes_may_share_one_output():
    """One output above a half is the second class, and its probability is the output itself."""
    task = Classification(2, 1, probabilistic=True)
    outputs = np.array([[0.2], [0.7]])
    assert [[0.0], [1.0]] == task.encode(np.array([0, 1])).tolist()
    assert [0, 1] == task.decode(outputs).tolist()
    np.testing.assert_allclose(task.probabilities(outputs), [[0.8, 0.2], [0.3, 0.7]])
    assert {"accuracy": 0.5} == task.quick_metrics(outputs, np.array([1, 1]))


def test_outputs_that_are_no_probabilities_are_not_called_so():
    """Ten sigmoids with mean squared loss classify, but give no distribution."""
    assert Classification(10, 10, probabilistic=False).probabilities(np.ones((1, 10))) is None


def test_regression_metrics_are_in_the_targets_units():
    """An error of 0.5 in units scaled by 10 is an error of 5, and counts 25."""
    task = Regression(lambda y: y / 10, lambda y: y * 10)
    assert {"mse": 25.0} == task.quick_metrics(np.array([[1.5]]), np.array([[10.0]]))
