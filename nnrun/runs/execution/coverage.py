"""What a run knows of its errors on rows that it was not trained on, and whether it holds on test.

Calibration rows, else out-of-bag rows of members or validation rows, give the scores of
`nnrun.models.coverage`, and probabilities are calibrated by them. The test split, which has no part
in either, shows how many of its rows lie in the intervals or sets, and what calibration brings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np

from nnrun.errors import UsageError
from nnrun.models.calibration import Calibration, Judged, calibrated
from nnrun.models.coverage import Coverage, HeldOut, Promise
from nnrun.models.task import Classification, Task
from nnrun.nn.signature import Array
from nnrun.training.state import PreparedSplit

Description = dict[str, Any]

LEVELS = (0.8, 0.9, 0.95)
"""Shares of rows that reports promise, and measure on the test split."""
_FIFTHS, _OF_FIFTHS = 5, 0.9
# Of a normal distribution, for intervals of 95%.
_Z = 1.959964


def errors_of(
    task: Task,
    examples: Mapping[str, PreparedSplit],
    outputs: Mapping[str, Array],
    variances: Mapping[str, Array],
    times: Array | None,
    networks: int,
    groups: Mapping[str, Array],
) -> Coverage | None:
    """The errors on held-out rows; None if there are none, or classes without probabilities.

    Args:
        task: as prediction has it.
        examples: the rows of each split.
        outputs: for them.
        variances: of the outputs of several networks, by split.
        times: from how many networks each validation row was held out; None if from all.
        networks: how many there are.
        groups: of the rows, by split; empty where rows are apart.
    """
    source, split = _source(outputs, times)
    held_out = _held_out(split, task, examples, outputs, variances, groups)
    if held_out is None:
        return None
    if isinstance(task, Classification):
        return Coverage.of_classes(held_out, source)
    if held_out.variance is not None:
        averaged = times if source == "out_of_bag" else np.array([[networks]])
        held_out = held_out._replace(times=averaged)
    return Coverage.of_numbers(held_out, source)


def _source(outputs: Mapping[str, Array], times: Array | None) -> tuple[str, str]:
    """Which rows judge, as reports name them, and the split that they are in."""
    if "calibration" in outputs:
        return "calibration", "calibration"
    return ("validation" if times is None else "out_of_bag"), "validation"


def calibration_of(
    task: Task,
    examples: Mapping[str, PreparedSplit],
    outputs: Mapping[str, Array],
    times: Array | None,
    *,
    used: bool,
) -> tuple[Calibration | None, Description | None]:
    """The calibration of probabilities by held-out rows, and what a report says of it.

    None each if there are no such rows or probabilities. `used` is whether the run predicts by it;
    the other arguments are those of `errors_of`.
    """
    source, split = _source(outputs, times)
    judged, test = (_judged(name, task, examples, outputs) for name in (split, "test"))
    if judged is None:
        return None, None
    found, losses = calibrated(judged, source)
    found = replace(found, used=used)
    described = {**found.to_dict(), "cross_validated": losses}
    if test is not None and not found.unfit:
        after = test._replace(probabilities=found.apply(test.probabilities))
        scores = {"before": test.scores(), "after": after.scores()}
        described["test"] = {"rows": len(test.truth), **scores}
    return found, described


def _judged(
    split: str, task: Task, examples: Mapping[str, PreparedSplit], outputs: Mapping[str, Array]
) -> Judged | None:
    if not isinstance(task, Classification):
        return None
    rows = _held_out(split, task, examples, outputs, {}, {})
    if rows is None:
        return None
    weight = examples[split].sample_weight
    counts = np.ones(len(rows.truth)) if weight is None else weight.astype(np.float64)
    return Judged(rows.outputs, rows.truth, counts)


def measured_coverage(
    errors: Coverage,
    task: Task,
    examples: Mapping[str, PreparedSplit],
    outputs: Mapping[str, Array],
    variances: Mapping[str, Array],
    networks: int,
    groups: Mapping[str, Array],
) -> Description:
    """What a report says of them: from which rows they are, and what they cover of the test split.

    Of groups, it is the mean of what they cover of each. Levels for which there are too few rows
    are left out.
    """
    rows = sum(errors.rows) if isinstance(task, Classification) else errors.rows[0]
    found: Description = {"source": errors.source, "rows": rows, "levels": []}
    found |= {"groups": errors.groups} if errors.groups else {}
    test = _held_out("test", task, examples, outputs, variances, groups)
    if test is None:
        return found
    for level in LEVELS:
        try:
            right, size = _covered(errors, task, test, networks, level)
        except UsageError:
            break
        shares = _share(test.by_group(right), test.by_group(size))
        found["levels"].append({"promised": level, **shares, "rows": len(right)})
        single = not isinstance(task, Classification) and right.shape[1] == 1
        # A fifth has rows of some groups, and few of each.
        if level == _OF_FIFTHS and single and not errors.groups:
            found["fifths"] = _fifths(task.decode(test.outputs)[:, 0], right, size)
    return found


def _held_out(
    split: str,
    task: Task,
    examples: Mapping[str, PreparedSplit],
    outputs: Mapping[str, Array],
    variances: Mapping[str, Array],
    groups: Mapping[str, Array],
) -> HeldOut | None:
    """The rows of a split that count, and the outputs for them."""
    if split not in outputs:
        return None
    part, given = examples[split], outputs[split]
    if isinstance(task, Classification):
        probabilities = task.probabilities(given)
        if probabilities is None:
            return None
        given, truth = probabilities, part.y
    else:
        truth = task.scale(part.y)
    if not np.isfinite(given).all():
        return None
    return HeldOut(given, truth, variances.get(split), groups=groups.get(split))


def _covered(
    errors: Coverage, task: Task, test: HeldOut, networks: int, level: float
) -> tuple[Array, Array]:
    """Whether each value is covered, and the widths of intervals or sizes of sets."""
    if isinstance(task, Classification):
        sets = errors.sets(test.outputs, Promise(level))
        right = np.take_along_axis(sets, test.truth[:, np.newaxis], axis=1)
        return right, sets.sum(axis=1, keepdims=True)
    low, high = errors.interval(test.outputs, test.variance, networks, level)
    right = (low <= test.truth) & (test.truth <= high)
    return right, task.decode(high) - task.decode(low)


def _share(right: Array, size: Array) -> Description:
    """The share of values that are covered, with its interval by Wilson (1927), and the mean size.

    Of several outputs, sizes are a list.
    """
    rows, share = right.size, float(right.mean())
    middle = (share + _Z**2 / (2 * rows)) / (1 + _Z**2 / rows)
    half = _Z * sqrt(share * (1 - share) / rows + _Z**2 / (4 * rows**2)) / (1 + _Z**2 / rows)
    sizes = size.mean(axis=0).tolist()
    return {
        "rows": len(right),
        "covered": share,
        "low": max(middle - half, 0.0),
        "high": min(middle + half, 1.0),
        "size": sizes[0] if len(sizes) == 1 else sizes,
    }


def _fifths(prediction: Array, right: Array, size: Array) -> list[Description]:
    """The same for the fifths of the predictions, the smallest first."""
    order = np.argsort(prediction, kind="stable")
    return [
        {"from": float(prediction[rows[0]]), "to": float(prediction[rows[-1]])}
        | _share(right[rows], size[rows])
        for rows in np.array_split(order, _FIFTHS)
        if len(rows)
    ]
