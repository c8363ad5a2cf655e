"""How the rows of a run were split and weighted, and its threshold, in words and as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nnrun.config.names import SPLITS
from nnrun.reports.document import Cell, Grid
from nnrun.reports.numbers import count, number

if TYPE_CHECKING:  # not imported for lists of runs
    from nnrun.runs.record import RunRecord


def split_title(split: str) -> str:
    """`training split`, `test split`."""
    return f"{'training' if split == 'train' else split} split"


def split_words(split: Mapping[str, Any]) -> Iterator[str]:
    """The fold, and the groups or times of each split; nothing of a plain split at random.

    Args:
        split: the `split` of the data set in a report.
    """
    stratified = ", stratified" if split.get("stratified") else ""
    if "folds" in split:
        yield f"fold {split['fold']} of {split['folds']}{stratified}"
        stratified = ""
    if "groups" in split:
        parts = _by_split(split["groups"], count)
        yield f"no {split['column']} is in two splits: {parts}{stratified}"
    if "times" in split:
        yield f"split by time, {split['column']}: {_by_split(split['times'], _range)}"


def _by_split(values: Mapping[str, Any], words: Callable[[Any], str]) -> str:
    return ", ".join(f"{words(values[part])} {part}" for part in SPLITS if part in values)


def _range(times: tuple[float | str, float | str]) -> str:
    first, last = (time if isinstance(time, str) else f"{time:.10g}" for time in times)
    return f"{first} to {last}"


_MOST_CLASSES = 10
_COUNTS = ("tp", "fp", "fn", "tn")


def weight_words(dataset: Mapping[str, Any]) -> Iterator[str]:
    """The weights of the rows of each split, and of classes; nothing where there are none."""
    if weights := dataset.get("weights"):
        parts = ", ".join(
            f"{part['min']:.6g} to {part['max']:.6g} in {name} (sum {part['sum']:.6g})"
            for name, part in weights.items()
            if name in SPLITS
        )
        yield f"rows weighted by {weights['column']}: {parts}"
    if classes := dataset.get("class_weight"):
        shown = [f"{name} {weight:.4g}" for name, weight in [*classes.items()][:_MOST_CLASSES]]
        more = ", …" * (len(classes) > _MOST_CLASSES)
        yield f"class weights: {', '.join(shown)}{more}"


def decision_line(record: RunRecord) -> str:
    """When the positive class is predicted, in a sentence; empty without `decide`."""
    found = record.decision
    if found is None:
        return ""
    weighted = "; TP, FP, FN and TN count rows, the rest weights" * ("weights" in record.dataset)
    if not found["fitted"]:
        return f"{found['note']}{weighted}"
    aim = {"cost": "the cost is smallest", "recall": "the recall is largest"}.get(
        found["objective"], f"{_title(found['objective'])} is largest"
    )
    bound = f" with a precision of at least {found['precision']:g}" if "precision" in found else ""
    return (
        f"'{found['positive']}' is predicted from a probability of {found['threshold']:.6g} on, "
        f"where {aim} on the validation split{bound}; learning curves are without this threshold"
        f"{weighted}"
    )


def decision_table(record: RunRecord) -> Grid | None:
    """Right and wrong predictions of held-out rows, with the threshold and without."""
    found = record.decision
    if found is None:
        return None
    objective = found["objective"]
    measures = ["precision", "recall", *([] if objective == "recall" else [objective])]
    rows = []
    for split, both in found["splits"].items():
        thresholds = {"fitted": found["threshold"], "default": 0.5}
        for key, threshold in [*thresholds.items()][: 1 + found["fitted"]]:
            kind = "" if key == "fitted" else "soft"
            values = [both[key][name] for name in measures]
            rows.append(
                [
                    Cell(split, kind=kind),
                    Cell(number(threshold), threshold, kind=kind),
                    *(Cell(count(both[key][n]), both[key][n], kind=kind) for n in _COUNTS),
                    *(Cell(number(value), value, kind=kind) for value in values),
                ]
            )
    header = ["", "threshold", *map(str.upper, _COUNTS), *map(_title, measures)]
    return Grid(f"Threshold for '{found['positive']}'", header, rows)


def _title(name: str) -> str:
    return {"f1": "F1", "mcc": "MCC"}.get(name, name.replace("_", " "))
