"""The input of a diagnosis, causes in the scales of numbers, and metrics that are undefined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil, inf, log10, sqrt
from typing import Any

import numpy as np

from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.data.steps import Numbers
from nnrun.models.scores import Metrics
from nnrun.models.task import Classification, Task
from nnrun.nn.losses import LOSSES
from nnrun.nn.network import Network
from nnrun.nn.signature import Array
from nnrun.training.state import HistoryRow, PreparedSplit
from nnrun.training.watched import Watched

ERRORS = 2.0
"""Chance explains differences up to this many standard errors."""
FACTOR = 10.0
"""Scales that differ by less than this factor are no problem."""


@dataclass(frozen=True)
class Diagnostic:
    """A symptom, or a cause with advice.

    `kind` is a fixed word, for programs. `weight` is how much a cause explains: powers of ten,
    roughly. `split` is the one that shows a symptom; empty for one that needs no cause.
    """

    kind: str
    message: str
    weight: float = 0.0
    split: str = ""

    def to_dict(self) -> dict[str, str]:
        """The diagnostic as JSON data."""
        return {"kind": self.kind, "message": self.message}


@dataclass(frozen=True)
class DiagnosisInput:
    """A run that was trained to its end, or diverged.

    `features` names the columns of x; empty for images. `examples`, `outputs`, `metrics` and
    `baseline` are by split; a run that diverged has no outputs and metrics. `network` has the
    weights at the end of training. `codes` are the places in x of numbers of categories.
    `kept_iteration` is that of the weights that the network ends with; None for the last one.
    `sources` has the column of the file by the name of a feature. `watched` is what was recorded of
    the network on the way, if anything was. `naive` has the metrics of earlier targets as
    predictions, by how many steps of time earlier, then by split.
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
    stopped_early: bool
    codes: Sequence[int] = ()
    kept_iteration: int | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    watched: Watched | None = None
    naive: Mapping[str, dict[str, Metrics | None]] = field(default_factory=dict)

    @cached_property
    def numbers(self) -> tuple[Sequence[str], Array]:
        """The names and the values of features of training rows, without numbers of categories."""
        rows = self.examples["train"]
        x = rows.x.reshape(len(rows), -1)
        if not self.codes:
            return self.features, x
        names = np.delete(np.array(self.features, dtype=object), self.codes)
        return names.tolist(), np.delete(x, self.codes, axis=1)

    @property
    def classifies(self) -> bool:
        """Whether the task is classification."""
        return isinstance(self.task, Classification)

    @cached_property
    def by_accuracy(self) -> bool:
        """Whether accuracy is what is wanted: classes have no weights, and no threshold."""
        training = self.config.training
        return self.classifies and training.class_weight is None and self.config.decide is None

    @property
    def judged_by(self) -> str:
        """The metric of `skill`: the main one, or the loss where accuracy may fall on purpose."""
        by_main = self.by_accuracy or not self.classifies
        return self.task.main_metric if by_main else "loss"

    @property
    def judge(self) -> str:
        """The split that shows how good the network is: test, validation, or the only one."""
        return next(name for name in ("test", "validation", "train") if name in self.outputs)

    @cached_property
    def feature_size(self) -> float:
        """The root mean square of all numbers of the training rows, as the network sees them."""
        sizes = self.feature_sizes
        return float(root_mean_square(sizes[:, None])[0]) if sizes.size else 0.0

    @cached_property
    def feature_sizes(self) -> Array:
        """The root mean square of each of `numbers`."""
        return root_mean_square(self.numbers[1])

    @cached_property
    def losses(self) -> list[float]:
        """The training loss of each evaluation."""
        return [float(row["train_loss"]) for row in self.history]

    @property
    def moved(self) -> float:
        """How far the training loss came from its first evaluation, as a share of the way to 0."""
        return 1 - self.losses[-1] / self.losses[0] if self.losses and self.losses[0] > 0 else 1.0

    def number(self, numbers: dict[str, Metrics | None], split: str, metric: str) -> float | None:
        """A metric of a split."""
        value: Any = (numbers.get(split) or {}).get(metric)
        return None if value is None else float(value)

    def beside(self, split: str, metric: str = "") -> tuple[float | None, float | None]:
        """A metric of a split, by default the main one, and that of the baseline."""
        metric = metric or self.task.main_metric
        return self.number(self.metrics, split, metric), self.number(self.baseline, split, metric)

    def skill(self, split: str, against: str = "", metric: str = "") -> float | None:
        """How much better than the baseline a split is predicted: 0 as the baseline, 1 at best.

        The baseline is that of the split `against`, by default the same one.
        """
        metric = metric or self.judged_by
        ours = self.number(self.metrics, split, metric)
        base = self.number(self.baseline, against or split, metric)
        if ours is None or base is None:
            return None
        if metric == "accuracy":
            return (ours - base) / (1 - base) if base < 1 else 0.0
        return 1 - ours / base if base > 0 else 0.0

    def uncertainty(self, split: str, metric: str = "") -> float:
        """The standard error of `skill`."""
        metric = metric or self.judged_by
        base, costs = self.number(self.baseline, split, metric) or 0.0, self._costs(split, metric)
        base = 1 - base if metric == "accuracy" else base
        return float(costs.std() / np.sqrt(len(costs))) / max(base, 1e-300)

    def _costs(self, split: str, metric: str) -> Array:
        """What each row adds to a metric, in its mean."""
        part, outputs = self.examples[split], self.outputs[split]
        if metric == "loss":
            costs: Array = self.config.loss.build().reported.rows(outputs, part.target)
            return costs if part.weight is None else costs * part.weight
        if metric == "log_loss":
            assert isinstance(self.task, Classification)
            probabilities = self.task.probabilities(outputs)
            assert probabilities is not None  # or there is no log loss
            right = probabilities[np.arange(len(part)), part.y].astype(np.float64)
            costs = -np.log(np.maximum(right, np.finfo(probabilities.dtype).eps))
        elif metric == "accuracy":
            costs = (self.task.decode(outputs) == part.y).astype(np.float64)
        else:
            costs = ((self.task.decode(outputs) - part.y) ** 2).mean(axis=1)
        return costs

    def at_share(self, split: str) -> bool:
        """Whether accuracy differs from the majority class's share by no more than chance.

        If all rows are right, nothing is wrong with it.
        """
        accuracy, share = self.beside(split)
        is_perfect = accuracy == 1 != share
        return abs(self._above_share(split)) <= ERRORS and not is_perfect

    def below_share(self, split: str) -> bool:
        """Whether accuracy is below the majority class's share, beyond chance."""
        return self._above_share(split) < -ERRORS

    def _above_share(self, split: str) -> float:
        """The accuracy above the majority class's share, in standard errors of that share."""
        accuracy, share = self.beside(split)
        if share is None or accuracy is None:
            return inf
        error = sqrt(share * (1 - share) / len(self.outputs[split]))
        return 0.0 if accuracy == share else (accuracy - share) / max(error, 1e-12)


def named(splits: Sequence[str]) -> str:
    """Splits in a sentence."""
    return " and ".join({"train": "training"}.get(split, split) for split in splits)


def rounded(factor: float) -> str:
    """A factor, for people."""
    return in_words(factor, ",.0f" if 1e2 <= factor < 1e6 else ".2g")


def in_words(factor: float, form: str) -> str:
    """A factor in this form; one beyond the range of numbers in words."""
    return format(factor, form) if factor < inf else "more than 1e+308"


def root_mean_square(x: Array) -> Array:
    """The root mean square of each column of x, computed without overflow."""
    rows = Numbers(x)
    # A power of two, so that nothing is rounded by it.
    unit = np.ldexp(1.0, np.frexp(reach(x))[1] - 1)
    size: Array = unit * np.sqrt(rows.mean(lambda block: np.square(block / unit)))
    return size


def reach(x: Array) -> Array:
    """The largest absolute value of each column of x."""
    low, high = Numbers(x).extremes()
    return np.maximum(-low, high)


# Causes in the numbers of the data: the scale of features, that of the target, and outliers.

_LARGEST = 1e308
# A target has outliers if this share of the rows has more than that share of its variance. Of
# normal values the outermost 1% have 8%, of exponential ones 24%.
_FEW, _MOST = 0.01, 0.5


def feature_scale(case: DiagnosisInput) -> Diagnostic | None:
    """Columns whose sizes differ by orders of magnitude, or features that are all large.

    Both the largest values and the root mean squares must differ, so that a rare 1 among zeros, or
    an outlier, does not count.
    """
    names, x = case.numbers
    sizes = case.feature_sizes
    if names and sizes.any():
        largest = reach(x)
        there = np.where(sizes > 0, largest, np.inf)
        large, small = int(largest.argmax()), int(there.argmin())
        factor = min(float(largest[large] / largest[small]), _LARGEST)
        if factor >= FACTOR and sizes[large] >= FACTOR * sizes[small]:
            text = (
                f"features differ in scale: {names[large]} reaches {largest[large]:.3g} "
                f"and {names[small]} {largest[small]:.3g}, a factor of {rounded(factor)}; "
                "try dataset.features=standard"
            )
            return Diagnostic("feature_scale", text, log10(factor))
    size = case.feature_size
    if size >= FACTOR:
        step = "standard" if case.features else "minmax"
        text = f"features reach {reach(x).max():.3g}; try dataset.features={step}"
        return Diagnostic("feature_scale", text, log10(size))
    return None


def target_scale(case: DiagnosisInput) -> Diagnostic | None:
    """A target whose values, as the network must output them, are far from 1, and may be scaled."""
    if case.classifies or LOSSES[case.config.loss.type].least_target is not None:
        return None
    target = case.examples["train"].target
    size = float(root_mean_square(target.reshape(-1, 1))[0])
    if size < FACTOR:
        return None
    largest = float(np.abs(target).max())
    text = f"the target is not scaled: it reaches {largest:.3g}; try dataset.target=standard"
    return Diagnostic("target_scale", text, log10(size))


def outliers(case: DiagnosisInput) -> Diagnostic | None:
    """A few training rows with most of the target's variance, which a squared error follows."""
    if case.classifies or case.config.loss.type != "mean_squared":
        return None
    y = case.examples["train"].y.astype(np.float64)
    middle = np.median(y, axis=0)
    parts = np.sort(((y - middle) ** 2).sum(axis=1))[::-1]
    few, total = ceil(_FEW * len(parts)), float(parts.sum())
    share = float(parts[:few].sum()) / total if 0 < total < np.inf else 0.0
    if len(parts) * _FEW < 1 or share <= _MOST:
        return None
    away, usual = np.sqrt(parts[0]), np.sqrt(np.median(parts))
    text = (
        f"{few:,} of {len(parts):,} training rows have {100 * share:.0f}% of the target's variance "
        f"(up to {away:.3g} from its median, half of the rows within {usual:.3g}), and the squared "
        "error follows them: check these rows, or try loss=huber"
    )
    return Diagnostic("outliers", text, 2 * share)


# Numbers that judge a run and are beyond the range of numbers.


def about_undefined(metrics: Mapping[str, Metrics | None], main: str) -> list[Diagnostic]:
    """About a loss or a main metric that has a reason in its place, a warning for each reason."""
    splits: dict[tuple[str, str], list[str]] = {}
    for split, numbers in metrics.items():
        reasons = (numbers or {}).get("undefined", {})
        for name in (main, "loss"):
            if name in reasons:
                splits.setdefault((name, reasons[name]), []).append(split)
    return [
        Diagnostic("undefined", f"the {name} on {named(where)} data is undefined: {reason}")
        for (name, reason), where in splits.items()
    ]
