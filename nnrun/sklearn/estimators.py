"""The classifier and the regressor."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import column_or_1d, validate_data

from nnrun.data.dataset import Dataset
from nnrun.errors import UsageError
from nnrun.models.model import Model
from nnrun.models.task import Classification
from nnrun.nn.signature import Array
from nnrun.sklearn.base import FORMAT, NetworkEstimator, shaped


def _probabilistic(estimator: Any) -> bool:
    """Whether the parameters give probabilities."""
    if hasattr(estimator, "model_"):
        return bool(estimator.model_.probabilistic)
    return estimator.output_activation in (None, "softmax", "sigmoid")


class NetworkClassifier(ClassifierMixin, NetworkEstimator):  # type: ignore[misc]  # no types
    """A neural network that predicts classes.

    The output layer is added to `layers`: one unit with sigmoid for two classes, else softmax with
    a unit for each.

    Args:
        layers: units of the hidden dense layers; or layers as in a config, such as
            `{"type": "conv2d", "channels": 8, "kernel": 3, "activation": "relu"}`.
        activations: of the dense layers that are given by their units: one name, or one for each.
        loss: as in a config; by default `cross_entropy`, for two classes `binary_cross_entropy`.
        output_activation: by default the one that suits the loss.
        input_shape: the shape that a row is given for the network, such as (1, 8, 8) for images.
        initializer: how weights are drawn.
        optimizer: `"adam"`, `"sgd"`, or with settings, `{"type": "sgd", "momentum": 0.9}`.
        learning_rate: a number, or a schedule as in a config.
        epochs: the most passes over the rows; without effect if `iterations` is given.
        iterations: the most updates.
        batch_size: rows for each update, at most all there are.
        sampling: `shuffle`, `in_order` or `with_replacement`.
        clip_norm: the largest norm that a gradient may have.
        average: None, or as in a config `{"ema": 0.999}`, the share that stays at each update of an
            average of the weights, which scores and predicts in their place.
        class_weight: how much rows of each class count in the loss: None, `balanced` for all
            classes alike, or a mapping of labels to weights, 1 where a label is left out.
        augment: random changes of training rows as in a config, `{"shift": 1, "noise": 0.1}`;
            images are rows of `input_shape`.
        alpha: L2 penalty on weights, not on biases: alpha / 2 times the sum of their squares,
            divided by the rows of the batch, is added to its loss. Use it or the optimizer's
            `weight_decay`, which is another thing.
        early_stopping: whether to hold rows out and stop when the score on them (accuracy, R²)
            no longer rises, in place of the training loss; the best weights are kept. The rows
            held out have the classes in the same shares, where each class has enough rows.
        validation_fraction: the share of rows that are held out then.
        n_iter_no_change: training stops after more than this many epochs in a row that gain less
            than `tol`; `numpy.inf` for never.
        tol: what the training loss has to fall by, or the score to rise, to count as a gain.
        warm_start: whether `fit` begins with the weights of the last fit, and lengthens its curves.
        dtype: `float64` or `float32`.
        engine: `auto`, `numpy` or `compiled`.
        random_state: decides initial weights, order, dropout and what is held out; an integer is
            the seed that a config would have.
        members: how many networks are trained, each with its own initial weights and order; the
            estimator predicts with their mean. `{"number": 10, "validation": "own"}` lets each
            hold out rows of its own, with `early_stopping`.

    Attributes:
        classes_: the labels, sorted.
        loss_curve_: the mean loss over the rows of each epoch, of every batch before its update,
            the penalty included; `loss_` is the last one.
        best_loss_: the smallest of `loss_curve_`; None with early stopping.
        validation_scores_: with early stopping, the accuracy on the rows held out after each
            epoch, `best_validation_score_` the largest; else None.
        validation_loss_curve_: with early stopping, the loss over these rows, without the penalty.
        n_iter_: epochs of the last `fit`; with `partial_fit`, all of its epochs.
        coefs_, intercepts_: weights (inputs, units) and biases (units,) of each layer, if all are
            dense; `network_.parameters` has those of any layer, by name.
        n_features_in_, feature_names_in_: as everywhere in scikit-learn.
        model_: the trained model; `network_` is its network.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803  # their name
        """Train on rows X (rows, features) and their labels y (rows,).

        `sample_weight` (rows,) is how much each row counts: one with 2 counts as two rows.

        Raises:
            ValueError: the rows, the labels or a parameter cannot be used, or training diverged.
        """
        goes_on = self._goes_on
        known = self.classes_ if goes_on else None
        dataset = self._dataset(X, y, known, reset=not goes_on)
        if goes_on and set(unique_labels(y)) != set(self.classes_):
            raise ValueError(
                "warm_start needs the classes of the last fit: "
                f"{self.classes_}, but y has {unique_labels(y)}"
            )
        self._fit(self._weighted(dataset, sample_weight))
        return self

    def partial_fit(
        self,
        X: Any,  # noqa: N803
        y: Any,
        classes: Any = None,
        sample_weight: Any = None,
    ) -> Self:
        """Train one epoch on these rows, from where the last call ended.

        Args:
            X: rows.
            y: their labels.
            classes: all labels there will be; needed in the first call if y has not all of them.
            sample_weight: how much each row counts.

        Raises:
            ValueError: as `fit` does.
        """
        first = not hasattr(self, "_state")
        known = self.classes_ if not first else classes
        dataset = self._dataset(X, y, known, reset=first)
        if not first and classes is not None and set(unique_labels(classes)) != set(self.classes_):
            raise ValueError(f"classes {classes!r} are not those of the first call")
        self._fit_more(self._weighted(dataset, sample_weight))
        return self

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The class of each row, (rows,)."""
        outputs = self._outputs(X)
        numbers = self.model_.task.decode(outputs)
        labels: Array = self.classes_[numbers.clip(max=len(self.classes_) - 1)]
        return labels

    @available_if(_probabilistic)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Array:  # noqa: N803
        """The probability of each of `classes_`, (rows, classes)."""
        outputs = self._outputs(X)
        probabilities: Array = self.model_.probabilities(outputs)
        return np.ones((len(outputs), 1)) if len(self.classes_) == 1 else probabilities

    @available_if(_probabilistic)  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: Any) -> Array:  # noqa: N803
        """The logarithms of `predict_proba`."""
        with np.errstate(divide="ignore"):
            logarithms: Array = np.log(self.predict_proba(X))
        return logarithms

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = False
        return tags

    def _dataset(self, x: Any, y: Any, classes: Any, *, reset: bool = True) -> Dataset:
        x, y = validate_data(
            self, x, y, accept_sparse=FORMAT, dtype=[np.float64, np.float32], multi_output=True,
            reset=reset,
        )  # fmt: skip
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        labels = np.unique(y) if classes is None else unique_labels(classes)
        numbers = np.searchsorted(labels, y).clip(max=len(labels) - 1)
        strange = labels[numbers] != y
        if strange.any():
            raise ValueError(f"the label '{y[strange.argmax()]}' is none of the classes {labels}")
        self.classes_ = labels
        return Dataset(
            name="rows",
            task="classification",
            x=shaped(x, self.input_shape),
            y=numbers.astype(np.int64),
            # A network needs two classes, even if no row has the second.
            classes=tuple(str(number) for number in range(max(len(labels), 2))),
            feature_names=tuple(f"x{number}" for number in range(x.shape[1])),
            target_names=("y",),
        )

    def _take_model(self, model: Model) -> None:
        if not isinstance(model.task, Classification):
            raise UsageError(f"the run {model.run_id} is a regression; use NetworkRegressor")
        self.model_, self.classes_ = model, model.classes


# The regressor.


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
