"""What both estimators share: from arrays to a trained model, and from a run to an estimator."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data

from nnrun.data.dataset import Dataset
from nnrun.data.frames import raw_rows
from nnrun.data.layout import Layout
from nnrun.errors import ConfigError
from nnrun.models.load import load as load_model
from nnrun.models.load import restore
from nnrun.models.model import Model
from nnrun.models.weights import weights_of
from nnrun.nn.network import Network
from nnrun.nn.signature import Array
from nnrun.runs.control import Control
from nnrun.runs.describe import describe_divergence, describe_model
from nnrun.runs.execute import Execution
from nnrun.runs.prepare import Prepared, prepare_arrays
from nnrun.runs.select import select_run
from nnrun.sklearn.parameters import config_of, parameters_of
from nnrun.training.state import TrainingState, copy_into, live_arrays


class NetworkEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """See the two classes that are made of it."""

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
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        dtype: str = "float64",
        engine: str = "auto",
        random_state: Any = None,
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
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.dtype = dtype
        self.engine = engine
        self.random_state = random_state

    @property
    def network_(self) -> Network:
        """The trained network, with its weights."""
        check_is_fitted(self)
        network: Network = self.model_.network
        return network

    @classmethod
    def from_run(cls, run: str | Path, results: str | Path = "results") -> Self:
        """The trained model of a run, its preprocessing included.

        It takes rows of the features as the network saw them, or data frames and arrays with the
        columns of the run's file, categories as text. Its parameters are those of the run's
        config; a clone of it has them, but is not trained, and takes its rows as they are.

        Args:
            run: as on the command line: a run's folder, `name`, `name/ID-PREFIX` or `latest`.
            results: the folder that names are looked for in.

        Raises:
            UsageError: there is no such run, it has no model, or one for the other task.
            NnrunError: its files are damaged.
        """
        folder = select_run(str(run), Path(results))
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
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _take_model(self, model: Model) -> None:
        """Become the estimator of a model."""
        raise NotImplementedError

    def _fit(self, dataset: Dataset) -> None:
        self._first_seed = self._seed()
        prepared = self._prepare(dataset, self._first_seed)
        execution = Execution(prepared, follow=True)
        self.loss_curve_ = self._train(execution)
        if self.early_stopping:
            history = execution.trainer.history
            self.validation_loss_curve_ = [float(row["validation_loss"]) for row in history]
        self.n_iter_ = ceil(execution.trainer.iteration / prepared.batches_per_epoch)
        self.loss_ = self.loss_curve_[-1]

    def _fit_more(self, dataset: Dataset) -> None:
        """One epoch over these rows, from where the last one ended."""
        if self.early_stopping:
            raise ValueError("partial_fit does not go with early_stopping: it trains one epoch")
        if isinstance(self.learning_rate, dict):
            raise ValueError("partial_fit takes a constant learning_rate: it knows no end")
        before: TrainingState | None = getattr(self, "_state", None)
        if before is None and hasattr(self, "model_"):
            raise ValueError("partial_fit cannot go on from a run; fit trains a new network")
        if before is None:
            self._first_seed, self.n_iter_, self.loss_curve_ = self._seed(), 0, []
        # Another seed for each epoch, hence another order; its weights are not used.
        seed = (self._first_seed + self.n_iter_) % 2**31
        prepared = self._prepare(dataset, seed, epochs=1)
        execution = Execution(prepared, follow=True, checked=before is not None)
        if before is not None:
            live = live_arrays(execution.network, execution.trainer.optimizer)
            copy_into(live, before.arrays)
            execution.trainer.optimizer.steps = before.values["optimizer_steps"]
        self.loss_curve_ = [*self.loss_curve_, *self._train(execution)]
        self.loss_ = self.loss_curve_[-1]
        self.n_iter_ += 1

    def _prepare(self, dataset: Dataset, seed: int, epochs: int | None = None) -> Prepared:
        try:
            return prepare_arrays(config_of(self, dataset, seed, epochs), dataset)
        except ConfigError as error:
            raise ValueError(str(error)) from error

    def _train(self, execution: Execution) -> list[float]:
        """Train, become the estimator of what came out, and return the loss of each epoch."""
        execution.train(Control())
        trainer, prepared = execution.trainer, execution.prepared
        if trainer.divergence is not None:
            raise ValueError(describe_divergence(prepared.config, trainer.divergence))
        values = describe_model(prepared, execution.network, execution.preprocessing)
        self.model_ = restore(weights_of(execution.network), values)
        self._state = trainer.state()
        assert trainer.curve is not None
        return trainer.curve.values

    def _seed(self) -> int:
        """An integer is the seed that a config would have; anything else draws one."""
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _rows(self, x: Any, *, reset: bool = False) -> Array:
        """Checked rows of numbers: (rows, features)."""
        rows: Array = validate_data(
            self,
            x,
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan" if self._fills_in() else True,
            reset=reset,
        )
        return rows

    def _fills_in(self) -> bool:
        """Whether missing numbers are filled in: as a run may have it that this is made of."""
        return hasattr(self, "model_") and bool(self.model_.layout.columns.imputed)

    def _shaped(self, x: Array) -> Array:
        """Rows in the shape that the network is to see."""
        if self.input_shape is None:
            return x.astype(np.float64)
        try:
            return x.astype(np.float64).reshape(len(x), *self.input_shape)
        except ValueError:
            given = f"rows of {x.shape[1]} features do not fit"
            raise ValueError(f"input_shape: {given} {self.input_shape}") from None

    def _outputs(self, x: Any) -> Array:
        check_is_fitted(self)
        layout = self.model_.layout
        rows = raw_rows(x, layout) if _has_categories(x, layout) else self._rows(x)
        outputs: Array = self.model_.outputs(rows)
        return outputs


def _has_categories(x: Any, layout: Layout) -> bool:
    """Whether these are rows as a file has them, with categories that are not encoded."""
    if not layout.columns.categories:
        return False
    if hasattr(x, "columns"):
        return set(layout.columns.features) <= set(x.columns)
    return np.asarray(x).dtype.kind in "OU"
