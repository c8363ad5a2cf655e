"""nnrun's networks as estimators of scikit-learn.

>>> from sklearn.datasets import load_iris
>>> from sklearn.pipeline import make_pipeline
>>> from sklearn.preprocessing import StandardScaler
>>> from nnrun.sklearn import NetworkClassifier
>>> x, y = load_iris(return_X_y=True)
>>> model = make_pipeline(StandardScaler(), NetworkClassifier(layers=(8,), random_state=0))
>>> bool(model.fit(x, y).score(x, y) > 0.9)
True
"""

from __future__ import annotations

from nnrun.sklearn.estimators import NetworkClassifier, NetworkRegressor

__all__ = ["NetworkClassifier", "NetworkRegressor"]
