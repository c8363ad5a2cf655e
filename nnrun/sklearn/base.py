"""What both estimators share: from arrays to a trained model, and from a run to an estimator."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, prod
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    check_random_state,
    validate_data,
)

from nnrun.data.dataset import Dataset
from nnrun.data.layout import Layout
from nnrun.data.rows import refuse_if_too_big
from nnrun.errors import ConfigError, DataError
from nnrun.models.load import load_model, of_members, restore, weights_of, weights_shapes
from nnrun.models.model import Model
from nnrun.nn.network import Network, chunk_rows
from nnrun.nn.penalty import L2Penalty
from nnrun.nn.signature import Array
from nnrun.runs.diagnosis import describe_divergence
from nnrun.runs.events import Listener
from nnrun.runs.execution.descriptions import describe_model
from nnrun.runs.preparation.members import members_of
from nnrun.runs.preparation.prepare import prepare_arrays
from nnrun.runs.preparation.prepared import Prepared
from nnrun.sklearn.parameters import (
    Fitting,
    config_of,
    dense_parameters,
    in_parameters,
    not_negative,
    parameters_of,
    stopping_of,
)
from nnrun.sweeps.named_runs import pick_run
from nnrun.training.state import TrainingState

# Rows for an estimator: zeros of sparse ones are written out, where memory allows it.

FORMAT = "csr"
"""The format of SciPy whose rows can be taken; others are converted."""


def dense(x: Any) -> Array:
    """The rows with their zeros; those that are dense are returned as they are.

    Raises: ValueError if they do not fit into memory.
    """
    if issparse(x):
        try:
            refuse_if_too_big(prod(x.shape) * x.dtype.itemsize, "X, written out with its zeros,")
        except DataError as error:
            raise ValueError(str(error)) from None
        x = x.toarray()
    found: Array = x
    return found


def shaped(x: Any, shape: tuple[int, ...] | None) -> Array:
    """Rows, dense or sparse, in the shape that the network takes."""
    rows = dense(x)
    if shape is None:
        return rows
    try:
        return rows.reshape(len(rows), *shape)
    except ValueError:
        given = f"rows of {rows.shape[1]} features do not fit"
        raise ValueError(f"input_shape: {given} {shape}") from None


def outputs_of(model: Model, x: Any) -> Array:
    """The outputs for checked rows; zeros of sparse ones are written out in blocks of rows."""
    if not issparse(x):
        return model.outputs(x)
    step = chunk_rows(model.network)
    return np.concatenate(
        [model.outputs(dense(x[start : start + step])) for start in range(0, x.shape[0], step)]
    )


def has_categories(x: Any, layout: Layout) -> bool:
    """Whether these are rows as a file has them, with categories that are not encoded."""
    if layout.columns.plain or issparse(x):
        return False
    if hasattr(x, "columns"):
        return set(layout.columns.features) <= set(x.columns)
    return np.asarray(x).dtype.kind in "OU"


# Rows without which a score says nothing.
_FEWEST = 2


class NetworkEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The base class of the classifier and the regressor."""

    def __init__(
        self,
        layers: Any = (100,),
        activations: Any = "relu",
        *,
        loss: Any = None,
        output_activation: str | None = None,
        input_shape: tuple[int, ...] | None = None,
        initializer: Any = "glorot_uniform",
        optimizer: Any = "adam",
        learning_rate: Any = 0.001,
        epochs: int | None = 200,
        iterations: int | None = None,
        batch_size: int = 32,
        sampling: str = "shuffle",
        clip_norm: float | None = None,
        average: Any = None,
        class_weight: Any = None,
        augment: Any = None,
        alpha: float = 0.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        dtype: str = "float64",
        engine: str = "auto",
        random_state: Any = None,
        members: Any = 1,
    ) -> None:
        self.layers = layers
        self.activations = activations
        self.loss = loss
        self.output_activation = output_activation
        self.input_shape = input_shape
        self.initializer = initializer
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.iterations = iterations
        self.batch_size = batch_size
        self.sampling = sampling
        self.clip_norm = clip_norm
        self.average = average
        self.class_weight = class_weight
        self.augment = augment
        self.alpha = alpha
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.dtype = dtype
        self.engine = engine
        self.random_state = random_state
        self.members = members

    @property
    def network_(self) -> Network:
        """The trained network, with its weights; of several members the first."""
        check_is_fitted(self)
        network: Network = self.model_.network
        return network

    @property
    def coefs_(self) -> list[Array]:
        """The weights of each dense layer, (inputs, units)."""
        return dense_parameters(self.network_)[0]

    @property
    def intercepts_(self) -> list[Array]:
        """The biases of each dense layer, (units,)."""
        return dense_parameters(self.network_)[1]

    @classmethod
    def from_run(cls, run: str | Path, results: str | Path = "results") -> Self:
        """The trained model of a run, its preprocessing included.

        It takes rows of the features as the network saw them, or data frames and arrays with the
        columns of the run's file, categories as text. Its parameters are those of the run's
        config; a clone of it has them, but is not trained, and takes its rows as they are.

        Args:
            run: as on the command line: a run's folder, `name`, `name/best`, `name/ID-PREFIX` or
                `latest`.
            results: the folder that names are looked for in.

        Raises:
            UsageError: there is no such run, it has no model, or one for the other task.
            NnrunError: its files are damaged.
        """
        folder = pick_run(str(run), Path(results))
        model = load_model(folder)
        estimator = cls(**parameters_of(folder, model))
        names = np.array(model.layout.columns.feature_names, dtype=object)
        estimator.n_features_in_ = len(names)
        estimator.feature_names_in_ = names
        estimator._take_model(model)
        return estimator

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._fills_in()
        tags.input_tags.sparse = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _take_model(self, model: Model) -> None:
        """Take over a trained model."""
        raise NotImplementedError

    @property
    def _goes_on(self) -> bool:
        """Whether the next fit begins with the weights of the last one."""
        if self.warm_start and hasattr(self, "model_") and not hasattr(self, "_state"):
            raise ValueError("warm_start cannot continue a run; a clone trains a new network")
        return bool(self.warm_start) and hasattr(self, "_state")

    def _fit(self, dataset: Dataset) -> None:
        goes_on = self._goes_on
        self._first_seed = self._seed()
        rule = stopping_of(self, dataset, self._rule if goes_on else None)
        fitting = Fitting(self._prepare(dataset, self._first_seed), rule)
        self._check_held_out(fitting)
        if goes_on and fitting.prepared.config.networks > 1:
            raise ValueError("warm_start continues one network, and members are several")
        if goes_on:
            self._check_same(fitting)
            fitting.go_on_from(self._state, optimizer=False)
        self._train(fitting, continues=goes_on)
        self.n_iter_ = ceil(fitting.trainer.iteration / fitting.prepared.batches_per_epoch)

    def _fit_more(self, dataset: Dataset) -> None:
        """One epoch over these rows, from where the last one ended."""
        if self.early_stopping:
            raise ValueError("partial_fit does not go with early_stopping: it trains one epoch")
        if self.average is not None:
            raise ValueError(
                "partial_fit does not go with average: the next would train on with it"
            )
        if isinstance(self.learning_rate, dict):
            raise ValueError("partial_fit needs a constant learning_rate, since it has no end")
        if self.members != 1:
            raise ValueError("partial_fit trains one network, and members are several")
        before: TrainingState | None = getattr(self, "_state", None)
        if before is None and hasattr(self, "model_"):
            raise ValueError("partial_fit cannot continue a run; fit trains a new network")
        if before is None:
            self._first_seed, self.n_iter_ = self._seed(), 0
        rule = stopping_of(self, dataset, None if before is None else self._rule)
        # Another seed for each epoch, hence another order; its weights are not used.
        seed = (self._first_seed + self.n_iter_) % 2**31
        prepared = self._prepare(dataset, seed, epochs=1)
        fitting = Fitting(prepared, rule, checked=before is not None)
        if before is not None:
            self._check_same(fitting)
            fitting.go_on_from(before, optimizer=True)
        self._train(fitting, continues=before is not None)
        self.n_iter_ += 1

    def _prepare(self, dataset: Dataset, seed: int, epochs: int | None = None) -> Prepared:
        alpha = not_negative("alpha", self.alpha)
        try:
            config = config_of(self, dataset, seed, epochs)
            return prepare_arrays(config, dataset, L2Penalty(alpha) if alpha else None)
        except ConfigError as error:
            raise ValueError(str(in_parameters(error, self.layers))) from error

    def _check_held_out(self, fitting: Fitting) -> None:
        held_out = fitting.prepared.split.validation
        if self.early_stopping and (held_out is None or len(held_out) < _FEWEST):
            fraction, rows = self.validation_fraction, len(fitting.prepared.dataset.x)
            raise ValueError(
                f"validation_fraction: {fraction!r} of {rows} rows holds out too few for "
                f"early_stopping, which needs {_FEWEST}"
            )

    def _check_same(self, fitting: Fitting) -> None:
        if weights_shapes(fitting.trainer.network) != weights_shapes(self.network_):
            raise ValueError("the network has other layers than the one that was fitted before")

    def _train(self, fitting: Fitting, *, continues: bool) -> None:
        """Train, become the estimator of the result, and lengthen or replace the curves."""
        trainer, prepared, rule = fitting.trainer, fitting.prepared, replace(fitting.rule)
        number = prepared.config.networks
        networks: list[dict[str, Array]] = []
        for member in members_of(prepared) if number > 1 else [prepared]:
            each = Fitting(member, replace(rule), checked=True) if networks else fitting
            each.train(Listener())
            if each.trainer.divergence is not None:
                raise ValueError(describe_divergence(prepared.config, each.trainer.divergence))
            networks.append(weights_of(each.trainer.network))
        weights = of_members(networks) if number > 1 else networks[0]
        self.model_ = restore(weights, describe_model(prepared, networks=number))
        self._state, self._rule = trainer.snapshot(), fitting.rule
        before = self._curves() if continues else ([], [], [])
        self.loss_curve_ = [*before[0], *fitting.curve]
        self.loss_ = self.loss_curve_[-1]
        self.best_loss_ = None if self.early_stopping else self._rule.best
        self.validation_scores_ = self.best_validation_score_ = None
        if self.early_stopping:
            rows = trainer.history
            self.validation_scores_ = [*before[1], *(row[self._rule.monitor] for row in rows)]
            self.best_validation_score_ = -self._rule.best
            losses = (row["validation_loss"] for row in rows)
            self.validation_loss_curve_ = [*before[2], *losses]

    def _curves(self) -> tuple[list[float], list[float], list[float]]:
        """Losses of epochs; scores and losses of the rows held out."""
        held_out = getattr(self, "validation_loss_curve_", [])
        return self.loss_curve_, self.validation_scores_ or [], held_out

    def _seed(self) -> int:
        """An integer is the seed that a config would have; anything else draws one."""
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _rows(self, x: Any, *, reset: bool = False) -> Any:
        """Checked rows of numbers: (rows, features), dense or sparse."""
        return validate_data(
            self,
            x,
            accept_sparse=FORMAT,
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan" if self._fills_in() else True,
            reset=reset,
        )

    def _fills_in(self) -> bool:
        """Whether missing numbers are filled in, as by the preprocessing of a run."""
        return hasattr(self, "model_") and bool(self.model_.layout.columns.imputed)

    @staticmethod
    def _weighted(dataset: Dataset, sample_weight: Any) -> Dataset:
        """The rows with their weights, if there are any."""
        if sample_weight is None:
            return dataset
        weights = _check_sample_weight(
            sample_weight, dataset.x, dtype=np.float64, ensure_non_negative=True
        )
        return replace(dataset, weights=weights)

    def _outputs(self, x: Any) -> Array:
        check_is_fitted(self)
        layout = self.model_.layout
        rows = x if has_categories(x, layout) else self._rows(x)
        return outputs_of(self.model_, rows)
