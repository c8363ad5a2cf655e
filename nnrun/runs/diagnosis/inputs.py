"""The input of a diagnosis, and its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.models.scores import Metrics
from nnrun.models.task import Classification, Task
from nnrun.nn.network import Network
from nnrun.nn.signature import Array
from nnrun.training.examples import PreparedSplit
from nnrun.training.state import HistoryRow


@dataclass(frozen=True)
class Diagnostic:
    """A symptom, or a cause with advice.

    `kind` is a fixed word, for programs. `weight` is how much a cause explains: powers of ten,
    roughly. `split` is the one that shows a symptom.
    """

    kind: str
    message: str
    weight: float = 0.0
    split: str = ""

    def to_dict(self) -> dict[str, str]:
        """As JSON data."""
        return {"kind": self.kind, "message": self.message}


@dataclass(frozen=True)
class DiagnosisInput:
    """A run that was trained to its end, or diverged.

    `features` names the columns of x; empty for images. `examples`, `outputs`, `metrics` and
    `baseline` are by split; a run that diverged has no outputs and metrics. `network` has the
    weights at the end of training.
    """

    config: ExperimentConfig
    task: Task
    features: Sequence[str]
    examples: dict[str, PreparedSplit]
    outputs: dict[str, Array]
    metrics: dict[str, Metrics | None]
    baseline: dict[str, Metrics | None]
    history: Sequence[HistoryRow]
    network: Network
    peak_rate: float
    iterations: int

    @property
    def classifies(self) -> bool:
        """Whether the task is classification."""
        return isinstance(self.task, Classification)

    @cached_property
    def feature_size(self) -> float:
        """The root mean square of all numbers of the training rows, as the network sees them."""
        return float(root_mean_square(self.examples["train"].x.reshape(-1, 1))[0])

    def main(self, numbers: dict[str, Metrics | None], split: str) -> float | None:
        """The main metric of a split."""
        value: Any = (numbers.get(split) or {}).get(self.task.main_metric)
        return None if value is None else float(value)

    def skill(self, split: str, against: str = "") -> float | None:
        """How much better than the baseline a split is predicted: 0 as the baseline, 1 at best.

        The baseline is that of the split `against`, by default the same one. Classes with weights
        are judged by the loss: where rare ones count more, accuracy is not what is learned.
        """
        if self.config.training.class_weight is not None:
            found = self.metrics.get(split), self.baseline.get(against or split)
            loss, least = ((numbers or {}).get("loss") for numbers in found)
            return None if loss is None or not least else 1 - loss / least
        ours, base = self.main(self.metrics, split), self.main(self.baseline, against or split)
        if ours is None or base is None:
            return None
        if self.classifies:
            return (ours - base) / (1 - base) if base < 1 else 0.0
        return 1 - ours / base if base > 0 else 0.0

    def uncertainty(self, split: str) -> float:
        """The standard error of `skill`."""
        part, base = self.examples[split], self.main(self.baseline, split) or 0.0
        if self.classifies:
            right = self.task.decode(self.outputs[split]) == part.y
            return float(right.std() / np.sqrt(len(part))) / max(1 - base, 1e-12)
        errors = (self.task.decode(self.outputs[split]) - part.y) ** 2
        return float(errors.mean(axis=1).std() / np.sqrt(len(part))) / max(base, 1e-300)


def root_mean_square(x: Array) -> Array:
    """The root mean square of each column of x, computed without overflow."""
    largest = np.abs(x).max(axis=0).astype(np.float64)
    # A power of two, so that nothing is rounded by it.
    unit = np.ldexp(1.0, np.frexp(largest)[1] - 1)
    size: Array = unit * np.sqrt(np.mean(np.square(x / unit, dtype=np.float64), axis=0))
    return size
