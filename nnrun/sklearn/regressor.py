"""The regressor."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import column_or_1d, validate_data

from nnrun.data.dataset import Dataset
from nnrun.errors import UsageError
from nnrun.models.model import Model
from nnrun.models.task import Classification
from nnrun.nn.signature import Array
from nnrun.sklearn.base import NetworkEstimator
from nnrun.sklearn.rows import FORMAT, shaped


class NetworkRegressor(RegressorMixin, NetworkEstimator):  # type: ignore[misc]  # no types
    """A neural network that predicts numbers.

    The output layer is added to `layers`: linear, with a unit for each number. The target is
    taken as it is; `sklearn.compose.TransformedTargetRegressor` scales it.

    Args:
        layers: as for `NetworkClassifier`, and so are all others but `class_weight`, which is for
            classes alone.
        loss: `mean_squared` by default; its mean is over rows and outputs, without the half that
            `MLPRegressor` has (as Huber's loss has it, with a delta beyond all errors).

    Attributes:
        loss_curve_, loss_, best_loss_, validation_scores_, best_validation_score_,
        validation_loss_curve_, n_iter_, coefs_, intercepts_, n_features_in_, feature_names_in_,
        model_, network_: as those of `NetworkClassifier`; scores are R².
        n_outputs_: how many numbers are predicted.
    """

    n_outputs_: int

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803  # their name
        """Train on rows X (rows, features) and their targets y, (rows,) or (rows, outputs).

        `sample_weight` (rows,) is how much each row counts: one with 2 counts as two rows.

        Raises:
            ValueError: the rows, the targets or a parameter cannot be used, or training diverged.
        """
        dataset = self._dataset(X, y, reset=not self._goes_on)
        self._fit(self._weighted(dataset, sample_weight))
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803
        """Train one epoch on these rows, from where the last call ended.

        Raises:
            ValueError: as `fit` does.
        """
        dataset = self._dataset(X, y, reset=not hasattr(self, "_state"))
        self._fit_more(self._weighted(dataset, sample_weight))
        return self

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The numbers for each row: (rows,), or (rows, outputs) if there are several."""
        outputs = self._outputs(X)
        values: Array = self.model_.task.decode(outputs)
        return values[:, 0] if self.n_outputs_ == 1 else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _dataset(self, x: Any, y: Any, *, reset: bool = True) -> Dataset:
        x, y = validate_data(
            self, x, y, accept_sparse=FORMAT, dtype=[np.float64, np.float32], multi_output=True,
            y_numeric=True, reset=reset,
        )  # fmt: skip
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        y = np.asarray(y, np.float64).reshape(len(y), -1)
        if not reset and y.shape[1] != self.n_outputs_:
            raise ValueError(f"y has {y.shape[1]} outputs where there were {self.n_outputs_}")
        self.n_outputs_ = y.shape[1]
        return Dataset(
            name="rows",
            task="regression",
            x=shaped(x, self.input_shape),
            y=y,
            feature_names=tuple(f"x{number}" for number in range(x.shape[1])),
            target_names=tuple(f"y{number}" for number in range(y.shape[1])),
        )

    def _take_model(self, model: Model) -> None:
        if isinstance(model.task, Classification):
            raise UsageError(f"the run {model.run_id} predicts classes; use NetworkClassifier")
        self.model_, self.n_outputs_ = model, model.network.output_shape[0]
