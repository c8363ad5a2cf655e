"""A model of scikit-learn that is ready to be trained."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nnrun.config.canonical import canonical
from nnrun.config.schema.experiment import BesideConfig
from nnrun.data.columns.column import TrainingRows
from nnrun.data.columns.target_mean import target_means
from nnrun.data.splits.parts import SplitData
from nnrun.errors import UsageError
from nnrun.models.embeddings import tables_of
from nnrun.models.task import Classification, Regression, Task
from nnrun.nn.network import Network
from nnrun.nn.signature import Array
from nnrun.runs.identity import Identity
from nnrun.runs.preparation.prepared import Prepared
from nnrun.training.examples import PreparedSplit

ENGINE = "scikit-learn"


@dataclass(frozen=True)
class PreparedBeside(Prepared):
    """A run that trains a model of scikit-learn on the data as they are read."""

    requested_engine = ENGINE
    # There are no updates, and no loss of nnrun; classes have weights in networks alone.
    iterations = evaluate_every = 0
    evaluate_rows = loss = class_factors = None
    watched = False

    @property
    def model(self) -> str:
        """The model's name in configs."""
        assert isinstance(self.config, BesideConfig)
        return self.config.beside

    def _identity(self) -> Identity:
        return Identity.of(canonical(self.config), self.dataset.sha256, self.plugin_digests)

    @cached_property
    def network(self) -> Network:
        raise UsageError(f"beside: {self.model} is a model of scikit-learn, without layers")

    @cached_property
    def task(self) -> Task:
        if self.dataset.task == "regression":
            return Regression(_same, _same)
        classes = len(self.dataset.classes)
        return Classification(classes, outputs=classes, probabilistic=True)

    def prepare_rows(self, part: SplitData) -> PreparedSplit:
        """Raw rows as the model takes them: flat, missing numbers filled in unless it takes them.

        Images are divided by the largest number of the training rows; the categories of embeddings
        become means of the target.
        """
        takes_missing = self.model == "boosting"
        x = np.asarray(part.x, np.float64)
        x = x if takes_missing else self.preprocessing.transform_x(x)
        x = self._without_codes(x, trained=part is self.split.train)
        rows = x.reshape(len(part), -1) / self._unit
        return PreparedSplit(
            x=rows,
            target=self.task.encode(part.y),
            y=part.y,
            sample_weight=part.weight,
        )

    def _without_codes(self, x: Array, *, trained: bool) -> Array:
        """Rows with means of the target in place of numbers of categories."""
        if not self._means:
            return x
        parts = [np.delete(x, [*self._means], axis=1)]
        for place, (known, out_of_fold) in self._means.items():
            parts.append(out_of_fold if trained else known[x[:, place].astype(np.intp)])
        return np.hstack(parts)

    @cached_property
    def _means(self) -> dict[int, tuple[Array, Array]]:
        """For each feature that is a number of a category, the means as of `target_mean`."""
        train, columns = self.split.train, self.dataset.layout.columns
        rows = TrainingRows(train.y, self.dataset.classes, lambda: self.config.seed)
        return {
            table.place: target_means(train.x[:, table.place].astype(np.intp), table.entries, rows)
            for table in tables_of(columns)
        }

    @cached_property
    def _unit(self) -> float:
        images = len(self.dataset.shape) > 1
        return (
            float(np.abs(np.asarray(self.split.train.x, np.float64)).max()) or 1.0
            if images
            else 1.0
        )


def _same(values: Array) -> Array:
    return values
