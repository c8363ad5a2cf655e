"""scikit-learn's own checks of estimators, all of them."""

from __future__ import annotations

from sklearn.utils.estimator_checks import parametrize_with_checks

from nnrun.sklearn import NetworkClassifier, NetworkRegressor


@parametrize_with_checks([NetworkClassifier(), NetworkRegressor()])
def test_scikit_learn_has_nothing_against_it(estimator, check, monkeypatch):
    """None of its checks is expected to fail, and none left out."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # one of them is only made with this
    check(estimator)
